"""The worlds of a study, each with what was found in it: the one that counts first, controls after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from athanor.analysis.arms import Arm
from athanor.core.records import Estimate

NAMELESS = ("generated-opaque", "renamed")
"""How the names of tables begin whose elements have names that say nothing."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """One world under its rules: who played there, and its estimates by group and name."""

    name: str
    table: str
    arms: tuple[Arm, ...]
    by: Mapping[tuple[str, str], Estimate]
    empowerment: str
    """Where the empowerment of a pair comes from in it, in words."""

    @property
    def called(self) -> str:
        """Its name in a sentence, with what it controls for."""
        control = ", the control, where names say nothing" if self.table.startswith(NAMELESS) else ""
        return f"{self.name}{control}"


def place_name(table: str, rules: str) -> str:
    """What a world under its rules is called among the estimates.

    >>> place_name("atelier", "strict")
    'atelier, strict rules'
    """
    return f"{table}, {rules} rules"


def places_of(
    arms: Sequence[Arm], exploration: Sequence[Estimate], worlds: Sequence[tuple[str, Sequence[Estimate]]],
    sources: Mapping[str, str],
) -> tuple[Place, ...]:  # fmt: skip
    """The places where the arms played.

    `worlds`: by name (`place_name`) the estimates of each; `sources`: by table where its empowerment comes from, in
    the order of the places.
    """
    found, of, order = [], dict(worlds), list(sources)
    tables = {world: world.table.partition("@")[0] for world in dict.fromkeys(arm.world for arm in arms)}
    for world, table in sorted(tables.items(), key=lambda one: order.index(one[1]) if one[1] in order else len(order)):
        here = tuple(arm for arm in arms if arm.world == world)
        name = place_name(table, world.rules)
        found.append(Place(
            name=name, table=table, arms=here, empowerment=sources.get(table, ""),
            by={(one.group, one.name): one for one in (*exploration, *of.get(name, ()))},
        ))  # fmt: skip
    return tuple(found)
