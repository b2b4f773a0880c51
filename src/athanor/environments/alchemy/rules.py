"""The rules of combining, as named variants of a few switches."""

from __future__ import annotations

from typing import Literal

from immutables import Map
from msgspec.structs import replace

from athanor.core.records import Record, Unread, Unreadable
from athanor.environments.alchemy.state import Inventory, Pair
from athanor.environments.alchemy.table import Names, Table, ordered

Cause = Literal[Unread, "unknown", "unowned", "final"]
RulesName = Literal["strict", "pan2025", "brandle2023"]


class Rules(Record, omit_defaults=False, kw_only=True):
    """What may be combined, what it gives, and when gifts come."""

    name: str
    ownership: bool
    """Whether both ingredients must be owned."""
    finals_combine: bool
    """Whether elements that are in no recipe may be tried and are shown among the combinable ones."""
    results: Literal["all", "next"]
    """All results of a pair at once, or the first one not yet owned (ascending element index)."""
    gifts: Literal["all", "by size", "none"]
    timing: Literal["at once", "single pass", "next turn"]
    """When earned gifts are given: at once until no more is earned; in one pass after a turn's results (what a gift
    earns waits for the next turn); or unseen at the start of the next turn, so that the last turn's are never given."""
    stops_when_exhausted: bool
    """Whether the game ends when every combinable pair has been tried."""

    def start(self, table: Table, owned: tuple[str, ...], goal: str = "") -> Inventory:
        """The inventory a game starts with; gifts that it has earned by itself are given, or due in the first turn."""
        empty = Inventory(owned=(), known=frozenset(), combinable=(), tried=Map(), goal=goal)
        state = self._add(table, empty, owned, empty.tried)
        if self.timing == "at once":
            return self._after(table, state)
        return replace(state, due=self._earned(table, state))

    def settle(self, table: Table, state: Inventory) -> Inventory:
        """The state as a turn begins: gifts that come between turns are there, and due is what those earn."""
        if not state.due or self.timing != "next turn":
            return state
        given = self._give(table, state, state.due)
        return replace(given, due=self._earned(table, given))

    def refuse(self, table: Table, state: Inventory, action: Pair | Unreadable) -> Cause | None:
        """Why an action counts as no attempt, or None if it is one."""
        if not isinstance(action, Pair):
            return action.cause
        if not self.ownership:  # a name that does not exist is looked up like any other and fails
            return None
        first, second, known = action.first, action.second, state.known
        if first not in known or second not in known:
            exist = first in table.index and second in table.index
            return "unowned" if exist else "unknown"
        if not self.finals_combine and (first in table.finals or second in table.finals):
            return "final"
        return None

    def combine(self, table: Table, state: Inventory, action: Pair | Unreadable) -> Inventory:
        """The state after a turn."""
        if state.due:
            state = self.settle(table, state)
        if not isinstance(action, Pair) or self.refuse(table, state, action):
            return state
        pair = ordered(action.first, action.second)
        made = table.results.get(pair)
        new = self._new(made, state) if made else ()
        repeated = pair in state.tried
        tried = state.tried if repeated else state.tried.set(pair, None)
        if new or state.due:
            return self._after(table, self._add(table, state, new, tried))
        return state if repeated else replace(state, tried=tried)

    def exhausted(self, state: Inventory) -> bool:
        """Whether nothing is left to try, under rules that end there."""
        if not self.stops_when_exhausted:
            return False
        n = len(state.combinable)
        return len(state.tried) >= n * (n + 1) // 2

    def _new(self, made: tuple[str, ...], state: Inventory) -> tuple[str, ...]:
        """What of a pair's results joins the inventory."""
        new = tuple([element for element in made if element not in state.known])
        return new[:1] if self.results == "next" else new

    def _after(self, table: Table, state: Inventory) -> Inventory:
        """Gifts that the inventory has earned, given or noted as due."""
        earned = self._earned(table, state)
        match self.timing:
            case "next turn":
                return replace(state, due=earned)
            case "single pass":
                state = self._give(table, state, earned)
                return replace(state, due=self._earned(table, state))
            case "at once":
                while earned:
                    state = self._give(table, state, earned)
                    earned = self._earned(table, state)
                return state

    def _earned(self, table: Table, state: Inventory) -> tuple[str, ...]:
        if state.goal or self.gifts == "none":
            return ()
        sets = self.gifts == "all"
        return tuple([gift.element for gift in table.gifts if gift.earned(state.known, sets=sets)])

    def _give(self, table: Table, state: Inventory, gifts: tuple[str, ...]) -> Inventory:
        return replace(self._add(table, state, gifts, state.tried), gifts=state.gifts + gifts, due=())

    def _add(self, table: Table, state: Inventory, new: tuple[str, ...], tried: Map[Names, None]) -> Inventory:
        usable = new if self.finals_combine else tuple([e for e in new if e not in table.finals])
        owned, combinable = state.owned + new, state.combinable + usable
        return replace(state, owned=owned, known=state.known.union(new), combinable=combinable, tried=tried)


RULES: dict[str, Rules] = {
    "strict": Rules(
        name="strict", ownership=True, finals_combine=False, results="all", gifts="all", timing="at once",
        stops_when_exhausted=True,
    ),
    # Pan et al. 2025: their game loops look any two names up, give one result a turn, and know six size gifts.
    "pan2025": Rules(
        name="pan2025", ownership=False, finals_combine=True, results="next", gifts="by size", timing="next turn",
        stops_when_exhausted=False,
    ),
    # Brändle et al. 2023: the replay of human games; all nine gifts, one pass after each turn.
    "brandle2023": Rules(
        name="brandle2023", ownership=True, finals_combine=False, results="all", gifts="all", timing="single pass",
        stops_when_exhausted=False,
    ),
}  # fmt: skip
