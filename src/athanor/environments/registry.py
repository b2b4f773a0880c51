"""The environments by name, each with the settings of it that are bundled: what the contracts run over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from athanor.core.protocols import Environment, Verifier
from athanor.environments.alchemy import RULES, Alchemy, Discovery
from athanor.environments.alchemy.worlds import table
from athanor.environments.points import Chu2025, Exact, Grade, Points
from athanor.environments.scenes import STYLES, Judge, Look, Scenes


@dataclass(frozen=True, kw_only=True)
class Judged:
    """An environment with its verifier."""

    name: str
    environment: Environment[Any, Any, Any]
    verifier: Verifier[Any, Any]


def _alchemy() -> tuple[Judged, ...]:
    world = table("atelier")
    games = {rules: Alchemy(table=world, rules=RULES[rules]) for rules in RULES}
    return tuple(
        Judged(name=f"alchemy {rules}", environment=game, verifier=Discovery(environment=game))
        for rules, game in games.items()
    )


def _points() -> tuple[Judged, ...]:
    games = [Points(judge=judge) for judge in (Exact(), Exact(vision=True), Chu2025(), Chu2025(vision=True))]
    return tuple(
        Judged(
            name=f"points {game.judge.name}{', vision' if game.judge.vision else ''}",
            environment=game, verifier=Grade(environment=game),
        )
        for game in games
    )  # fmt: skip


def _scenes() -> tuple[Judged, ...]:
    games = [
        Scenes(), Scenes(style=STYLES["textured"], judge=Judge(graded=False)), Scenes(judge=Judge(rules="lenient"))
    ]  # fmt: skip
    names = ("scenes strict", "scenes strict, textured, not graded", "scenes lenient")
    return tuple(
        Judged(name=name, environment=game, verifier=Look(environment=game))
        for name, game in zip(names, games, strict=True)
    )


ENVIRONMENTS: dict[str, Callable[[], tuple[Judged, ...]]] = {"alchemy": _alchemy, "points": _points, "scenes": _scenes}
