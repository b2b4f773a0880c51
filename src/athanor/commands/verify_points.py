"""athanor verify points: one answer to one hand, judged."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
import tyro

from athanor.core.errors import UsageError
from athanor.core.options import refuse_idle
from athanor.environments.points import Chu2025, Exact, Grade, Points
from athanor.environments.points import rule as rule_of
from athanor.environments.points.cards import cards_of
from athanor.environments.points.chu2025 import CARDS
from athanor.environments.points.solver import LARGEST, solvable
from athanor.environments.points.state import hand
from athanor.environments.points.text import PointsDialogue

READ = 4_000_000
"""Characters of an answer that are read from standard input."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Judge one answer to one hand of GeneralPoints; ends with 0 whether it passes or not."""

    cards: str
    """The hand: ranks joined by commas, with or without suits, such as 4,3,2,K or 4H,3S,2D,KC."""
    answer: str
    """The answer, as a model would write it; - reads it from standard input."""
    rule: str = "10"
    """What J, Q and K count as: 10, or 11-12-13."""
    target: int = 24
    """The number to be made."""
    verifier: Literal["exact", "chu2025"] = "exact"
    """exact: fractions, one reward by the most severe class; chu2025: as published, defects included."""
    vision: bool = False
    """The cards were shown as a picture: then they must be told right too."""
    hint: bool = False
    """exact: the reason tells the beginning that the answer shares with a solution."""
    json: Annotated[bool, tyro.conf.arg(help="Print JSON on standard output instead of text.")] = False


def run(config: Config) -> int:
    """Print the verdict; 0 whether the answer passes or not."""
    cards = cards_of(config.cards)
    if len(cards) > LARGEST or config.target < 0:
        raise UsageError(
            f"{len(cards)} cards and the target {config.target} were given, 1 to {LARGEST} cards and a target of 0 or "
            "more were expected; pass such --cards and --target"
        )
    if config.verifier == "chu2025":
        refuse_idle(["--hint"] if config.hint else [], "--verifier chu2025")
        if len(cards) != CARDS:
            raise UsageError(
                f"{len(cards)} cards were given, the published verifier judges hands of {CARDS}; pass {CARDS} --cards, "
                "or --verifier exact"
            )
    text = sys.stdin.read(READ) if config.answer == "-" else config.answer
    judge = (
        Chu2025(vision=config.vision) if config.verifier == "chu2025" else Exact(vision=config.vision, hint=config.hint)
    )
    environment = Points(rule=rule_of(config.rule), target=config.target, judge=judge)
    dealt = hand(cards, environment.rule, config.target)
    action = PointsDialogue().hear(text, environment.observe(dealt))
    after = environment.step(dealt, action).state
    verdict = Grade(environment=environment).verdict(after)
    if config.json:
        told = {"reward": verdict.reward, "passed": verdict.passed, "reason": verdict.reason, "parts": verdict.parts}
        print(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())
    else:
        print(f"{'passed' if verdict.passed else 'failed'}, reward {verdict.reward:g}: {verdict.reason}")
    if not verdict.passed and not solvable(dealt.values, config.target):
        print(f"this hand cannot make {config.target}", file=sys.stderr)
    return 0
