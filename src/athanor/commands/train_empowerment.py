"""athanor train empowerment: what pairs are worth, predicted from what their elements' names mean."""

from __future__ import annotations

import sys

import msgspec

from athanor.analysis.meaning import quality_text, reliability
from athanor.studies.meaning import Config, train

__all__ = ["Config", "run"]


def run(config: Config) -> int:
    """Predict, write, and print how good the predictions are."""
    found, estimates = train(config)
    print(
        msgspec.json.format(msgspec.json.encode(estimates), indent=1).decode()
        if config.json
        else quality_text(estimates, reliability(found.pairs.values["success"], found.world.recipe >= 0))
    )
    print(f"values in {config.out}", file=sys.stderr)
    return 0
