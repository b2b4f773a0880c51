"""What a run folder was played in, made again from its manifest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from athanor.core.errors import DataError, UsageError
from athanor.core.play import Planned
from athanor.core.protocols import Environment, Verifier
from athanor.core.store import RunFolder
from athanor.environments.alchemy import RULES, Alchemy, Discovery
from athanor.environments.alchemy.worlds import table
from athanor.studies.playing import alchemy

EVERYWHERE = ("split", "seed", "episodes", "agent")
"""What the manifest of any run says."""


@dataclass(frozen=True, kw_only=True)
class Again:
    """A run's environment, judge and plan."""

    environment: Environment[Any, Any, Any]
    verifier: Verifier[Any, Any]
    plan: tuple[Planned, ...]
    turns: int
    """Turns of an episode, at most."""


def again(folder: RunFolder[Any]) -> Again:
    """UsageError if it is no run of a kind that can be played again, DataError if what it was played on has changed."""
    kind = folder.manifest.config.get("environment", "alchemy")
    if kind not in AGAIN:
        raise UsageError(f"{folder.path} is a run of {kind!r}, a run of {' or '.join(AGAIN)} was expected; pass one")
    return AGAIN[kind](folder)


def _alchemy(folder: RunFolder[Any]) -> Again:
    manifest, setting = folder.manifest, folder.manifest.config
    _refuse_lacking(folder, "alchemy", ("table", "rules", "turns"))
    if "table" not in manifest.hashes or setting["rules"] not in RULES:
        raise _other(folder, "alchemy", "")
    world = table(setting["table"])
    if world.digest != manifest.hashes["table"]:
        raise DataError(
            f"the table {setting['table']} is not the one that {folder.path} was played on (SHA-256 "
            f"{world.digest[:12]}... against {manifest.hashes['table'][:12]}...); bring that table back"
        )
    environment = Alchemy(table=world, rules=RULES[setting["rules"]])
    plan = alchemy.planned(environment, setting["split"], setting["seed"], setting["episodes"])
    return Again(
        environment=environment, verifier=Discovery(environment=environment), plan=tuple(plan), turns=setting["turns"]
    )


def _points(folder: RunFolder[Any]) -> Again:
    from athanor.environments.points import Grade  # compiled code, which alchemy does not wait for
    from athanor.studies.playing import points

    setting = folder.manifest.config
    _refuse_lacking(folder, "points", ("rule", "target", "deal", "look", "verifier", "hint", "rounds"))
    environment = points.environment_of(setting)
    plan = points.planned(environment, setting["split"], setting["seed"], setting["episodes"])
    verifier = Grade(environment=environment)
    return Again(environment=environment, verifier=verifier, plan=plan, turns=points.turns_of(setting))


def _scenes(folder: RunFolder[Any]) -> Again:
    from athanor.environments.scenes import STYLES, Look  # pictures, which alchemy does not wait for
    from athanor.environments.scenes.judge import RULES as JUDGED
    from athanor.studies.playing import scenes

    setting = folder.manifest.config
    _refuse_lacking(folder, "scenes", ("style", "categories", "rules", "attempts"))
    if setting["style"] not in STYLES or setting["rules"] not in JUDGED:
        raise _other(folder, "scenes", f" (style {setting['style']!r}, rules {setting['rules']!r})")
    environment = scenes.environment_of(setting)
    plan = scenes.planned(environment, setting["split"], setting["seed"], setting["episodes"])
    return Again(environment=environment, verifier=Look(environment=environment), plan=plan, turns=setting["attempts"])


def _refuse_lacking(folder: RunFolder[Any], game: str, wanted: tuple[str, ...]) -> None:
    lacking = [name for name in (*wanted, *EVERYWHERE) if name not in folder.manifest.config]
    if lacking:
        raise _other(folder, game, f" (no {', '.join(lacking)})")


def _other(folder: RunFolder[Any], game: str, lacking: str) -> UsageError:
    return UsageError(
        f"{folder.path} is a run of {folder.manifest.kind!r} whose manifest does not say how {game} was played"
        f"{lacking}, a run of 'play {game}' was expected; pass one"
    )


AGAIN: dict[str, Callable[[RunFolder[Any]], Again]] = {"alchemy": _alchemy, "points": _points, "scenes": _scenes}
