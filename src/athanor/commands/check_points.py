"""athanor check points: how many hands there are and can be solved, and the judges tried from both sides."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from math import inf

import msgspec

from athanor.core.options import refuse_outside
from athanor.environments.points import Chu2025, Deal, Exact, Points, rule
from athanor.environments.points.checks import Counts, complaints, counts
from athanor.environments.points.solver import LARGEST


@dataclass(frozen=True, kw_only=True)
class Config:
    """Count the hands of GeneralPoints that can be solved, and try its verifiers."""

    cards: int = 4
    """Cards of a hand, 1 to 6; six take minutes."""
    target: int = 24
    """The number to be made."""
    rules: tuple[str, ...] = ("10", "11-12-13")
    """What J, Q and K count as: one number for all three, or three."""
    seed: int = 0
    """Draws the hands on which the verifiers are tried."""
    json: bool = False
    """Print JSON on standard output instead of text."""


def run(config: Config) -> int:
    """Print; 1 if a verifier failed on any answer."""
    refuse_outside(config, {"cards": (1, LARGEST), "target": (0, inf)})
    rules = [rule(name) for name in config.rules]
    found = [counts(config.cards, one, config.target) for one in rules]
    judges = [Exact(), Exact(vision=True)] + ([Chu2025(), Chu2025(vision=True)] if config.cards == 4 else [])
    tried, failed = {}, 0
    for one in rules:
        for judge in judges:
            environment = Points(rule=one, target=config.target, deal=Deal(cards=config.cards), judge=judge)
            hands, complained = complaints(environment, config.seed)
            name = f"{judge.name}{', vision' if judge.vision else ''}, rule {one.name}"
            tried[name] = {"hands": hands, "complaints": msgspec.to_builtins(complained)}
            failed += len(complained)
            for complaint in complained[:3]:
                print(f"{name}: {complaint.answer} on {complaint.task}: {complaint.verdict.reason}", file=sys.stderr)
    if config.json:
        whole = {"counts": msgspec.to_builtins(found), "validate": tried}
        print(msgspec.json.format(msgspec.json.encode(whole), indent=2).decode())
    else:
        for one in found:
            print(_text(one))
        for name, one in tried.items():
            print(f"verifier {name}: {one['hands']} hands tried, complaints: {len(one['complaints'])}")
    return 1 if failed else 0


def _text(one: Counts) -> str:
    parts = ", ".join(f"{name} {count}" for name, count in one.multisets_by_part.items())
    fewest, median, most = one.solutions
    return (
        f"J, Q, K = {one.rule}, {one.cards} cards, target {one.target}: {one.hands} hands, {one.with_face} with a face "
        f"card\n  solvable {one.solvable}: {one.solvable_with_face} with a face card, {one.solvable_without_face} "
        f"without; by number of face cards {' '.join(map(str, one.solvable_by_faces))}\n"
        f"  {one.multisets} different multisets of numbers among them ({parts}); {fewest} to {most} solutions, half "
        f"have {median} or fewer"
    )
