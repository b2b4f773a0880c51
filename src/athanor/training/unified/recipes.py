"""Recipes: the published stages as data, and the default that two cores can carry out.

Janus: Wu et al. 2024, arXiv 2410.13848, table 1. Janus-Pro: Chen et al. 2025, arXiv 2501.17811, section 2.2, table 2.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from athanor.core.errors import UsageError
from athanor.environments.scenes.spec import CATEGORIES
from athanor.models.unified.config import TINY, UnifiedConfig
from athanor.training.unified.encoder import EncoderRecipe
from athanor.training.unified.scores import Trial
from athanor.training.unified.stages import Stage
from athanor.training.unified.teaching import Dose
from athanor.training.unified.tokenizer import TokenizerRecipe

ADAPTORS = {"encoder_adaptor": 1.0, "code_embedding": 1.0, "code_adaptor": 1.0, "code_head": 1.0}
"""What learns in the first stage. The papers do not say whether the table of codes does; here it does."""
LANGUAGE = ADAPTORS | {"backbone": 1.0, "text_head": 1.0}
EVERYTHING = LANGUAGE | {"encoder": 1.0}
FEWEST = 4
"""Times that a part is measured, at least."""
QUICK = {"tokenizer": 0.5, "encoder": 0.3, "language": 0.3, "I": 0.3, "II": 1 / 15, "III": 1 / 15}
"""Of the steps of each part, in a quick training. The tokenizer, which bounds all scores of drawing, keeps most."""
ROW = 4_096
"""Tokens of a packed row in the published trainings. The papers do not say whether a batch of 256 is samples or packed
rows. By the hours that they give it is rows, as it is here: samples alone would be 4% of what the GPUs of the 7B
training could compute in them."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A whole training. A part that is None is left out: its module must come with the model that is begun from."""

    seed: int
    shape: UnifiedConfig
    stages: tuple[Stage, ...]
    tokenizer: TokenizerRecipe | None = None
    encoder: EncoderRecipe | None = None
    style: str = "aligned"
    """Of `environments.scenes.STYLES`."""
    half: bool = False
    """Whether the stages' products are in bfloat16."""
    compiled: bool = False
    """Whether the stages compile the backbone's layers."""
    every: int = 250
    """Steps between two measures of a part, each with a checkpoint, but for short parts, which are measured FEWEST
    times."""
    measured: int = 16
    """Held-out pictures of each category for losses and answers on the way."""
    watch: Trial = field(default_factory=lambda: Trial(many=12, seed=1))
    """What is drawn on the way."""
    final: Trial = field(default_factory=lambda: Trial(many=200, seed=0))
    """What the model is scored on at the end."""

    @property
    def pixels(self) -> int:
        """Of a side of the pictures of scenes. UsageError if the model draws another size than it sees."""
        drawn, seen = self.shape.tokenizer.image_size, self.shape.seen_size
        if drawn != seen:
            raise UsageError(
                f"the model draws pictures of {drawn} pixels and sees them at {seen}, one size was expected; pass "
                "shards with --tune.data, whose pictures are made to fit both"
            )
        return drawn

    @property
    def steps(self) -> tuple[int, ...]:
        """Steps of each part."""
        before = [part.steps for part in (self.tokenizer, self.encoder) if part is not None]
        return (*before, *(stage.steps for stage in self.stages))

    def told(self) -> dict[str, Any]:
        """As JSON values."""
        return json.loads(json.dumps(asdict(self)))

    def scored(self, many: int) -> Recipe:
        """The same, scored on so many prompts of each category at the end."""
        return replace(self, final=replace(self.final, many=many))

    def longer(self, length: float) -> Recipe:
        """The same with so many times the steps of every part."""
        return self._scaled(dict.fromkeys((*QUICK, *(stage.name for stage in self.stages)), length))

    def quick(self) -> Recipe:
        """The same in an eighth of the time, with curves that rise: II and III have a fifteenth of their steps."""
        return self._scaled(QUICK)

    def _scaled(self, lengths: Mapping[str, float]) -> Recipe:
        def scaled(part: Any, name: str) -> Any:
            return None if part is None else replace(part, steps=max(1, round(part.steps * lengths[name])))

        return replace(
            self, tokenizer=scaled(self.tokenizer, "tokenizer"), encoder=scaled(self.encoder, "encoder"),
            stages=tuple(scaled(stage, stage.name) for stage in self.stages),
        )  # fmt: skip


def points(steps: int, every: int) -> frozenset[int]:
    """After which of so many steps a part is measured: evenly, about so many apart, and at the end.

    >>> sorted(points(1_000, 400)), sorted(points(2, 400))
    ([250, 500, 750, 1000], [1, 2])
    """
    times = max(FEWEST, round(steps / every))
    return frozenset(round(steps * (k + 1) / times) for k in range(times)) - {0}


def _published(
    name: str, steps: int, rows: int, ratio: tuple[float, float, float], trained: Mapping[str, float], rate: float,
    **more: Any,
) -> Stage:  # fmt: skip
    return Stage(
        name=name,
        steps=steps,
        dose=Dose(samples=rows, ratio=ratio, packed=ROW, by_rows=True),
        trained=trained,
        rate=rate,
        mean="token",
        **more,
    )


JANUS = (
    _published("I", 10_000, 256, (1, 0, 1), ADAPTORS, 1e-3, schedule="cosine", warm=300),
    _published("II", 180_000, 512, (2, 3, 5), LANGUAGE, 1e-4, warm=5_000),
    _published("III", 24_000, 256, (7, 3, 10), EVERYTHING, 2e-5, weight_decay=0.1),
)
JANUS_PRO = (
    _published("I", 20_000, 256, (1, 0, 3), ADAPTORS, 1e-3, warm=600),
    _published("II", 270_000, 512, (2, 3, 5), LANGUAGE, 1e-4, warm=5_000),
    _published("III", 80_000, 128, (5, 1, 4), EVERYTHING, 4e-5),
)
"""As for 1B; at 7B the third stage has 40,000 steps. Of 360,000 planned steps of the second, 270,000 were made."""


def tiny(seed: int) -> Recipe:
    """The default: everything from nothing, an hour and a half to three on two cores."""
    mixture = (
        ("single_object", 0.2), ("two_object", 0.7), ("counting", 1.5), ("colors", 1.5), ("position", 3.0),
        ("color_attr", 4.0), ("cards", 3.0), ("mixed", 0.7), ("dense", 0.1),
    )  # fmt: skip
    asked = (
        ("single_object", 0.5), ("two_object", 1.0), ("counting", 0.7), ("colors", 0.7), ("position", 1.5),
        ("color_attr", 1.0), ("cards", 2.5), ("mixed", 1.0), ("dense", 1.0),
    )  # fmt: skip
    begin = (("single_object", 1.0), ("colors", 3.0), ("counting", 1.0), ("cards", 1.5), ("color_attr", 1.0))
    pictured = tuple((name, 3.0 if name == "cards" else 1.0) for name in CATEGORIES)
    slow = EVERYTHING | {"encoder": 0.05}
    rate, muon = 1e-3, 0.006
    return Recipe(
        seed=seed, shape=TINY, tokenizer=TokenizerRecipe(steps=2_000),
        encoder=EncoderRecipe(steps=1_000, muon=0.01, weights=pictured),
        final=Trial(many=200, seed=0, guidance=1.5, temperature=0.7),
        stages=(
            Stage(
                name="language", steps=150, dose=Dose(samples=32, ratio=(0, 1, 0)), rate=rate, muon=muon, warm=30,
                trained={"backbone": 1.0, "text_head": 1.0}, weights=begin,
            ),
            Stage(
                name="I", steps=150, dose=Dose(samples=48, ratio=(1, 0, 3)), trained=ADAPTORS, rate=2e-3, warm=20,
                weights=begin, dense=0.3, described=1.0, starts_codes=True,
            ),
            Stage(
                name="II", steps=8_000, dose=Dose(samples=66, ratio=(4, 1, 6)), trained=LANGUAGE, rate=rate, muon=muon,
                schedule="linear", hold=0.3, warm=30, weights=mixture, asked=asked, questions=7, words=0.1, veiled=0.5,
                paired=True, dense=0.1, described=0.3,
            ),
            Stage(
                name="III", steps=600, dose=Dose(samples=64, ratio=(5, 1, 4)), trained=slow, rate=0.1 * rate,
                muon=0.1 * muon, schedule="linear", warm=10, weights=mixture, asked=asked, questions=7, veiled=0.5,
                paired=True, dense=0.1, described=0.1,
            ),
        ),
    )  # fmt: skip
