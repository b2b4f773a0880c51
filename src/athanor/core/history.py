"""The turns so far, with folds over them that cost O(1) a turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar, overload

from athanor.core.records import Turn

A = TypeVar("A")
T = TypeVar("T")


class History(Sequence[Turn[A]], Generic[A]):
    """The turns of one episode so far, in order; what an agent may know of the past.

    `fold` lets an agent that keeps no state of its own read a running summary without walking the whole
    past at every turn: the summary of the first n turns is kept and the new turns are added to it.

    >>> history = History("0000")
    >>> history.fold(list, lambda seen, turn: seen.append(turn.action))
    []
    """

    __slots__ = ("_folds", "_turns", "episode")

    def __init__(self, episode: str) -> None:
        self.episode = episode
        self._turns: list[Turn[A]] = []
        self._folds: dict[tuple[Any, Any], list[Any]] = {}

    def append(self, turn: Turn[A]) -> None:
        """Add the turn just played. For `play` and `replay` only."""
        self._turns.append(turn)

    def fold(self, empty: Callable[[], T], add: Callable[[T, Turn[A]], object]) -> T:
        """The summary `empty()` after `add(summary, turn)` for every turn. Read it; do not change it.

        Both functions must be module-level (the pair of them names the summary) and `add` changes in place.
        """
        kept = self._folds.get((empty, add))
        if kept is None:
            kept = self._folds[empty, add] = [0, empty()]
        count, summary = kept
        turns = self._turns
        if count < len(turns):
            for turn in turns[count:]:
                add(summary, turn)
            kept[0] = len(turns)
        return summary

    @overload
    def __getitem__(self, index: int) -> Turn[A]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Turn[A]]: ...
    def __getitem__(self, index: int | slice) -> Turn[A] | Sequence[Turn[A]]:
        return tuple(self._turns[index]) if isinstance(index, slice) else self._turns[index]

    def __len__(self) -> int:
        return len(self._turns)

    def __iter__(self) -> Iterator[Turn[A]]:
        return iter(self._turns)
