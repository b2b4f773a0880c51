"""athanor train points: post-training of a Hugging Face model on GeneralPoints."""

from __future__ import annotations

import os

from athanor.adapters.trl.post import train
from athanor.adapters.trl.settings import Config

__all__ = ["Config", "run"]


def run(config: Config) -> int:
    """Train, write, and print the folder of the model."""
    final = train(config)
    if os.environ.get("RANK", "0") == "0":  # of the processes that a launcher started, one speaks
        print(final.resolve())
    return 0
