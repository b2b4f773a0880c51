"""What a detector is, what is kept of what it finds, and who names colours. GenEval's rules begin here.

A detector of one's own is any object with the fields and the method of `Detector`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from athanor.environments.scenes.seeing import Found

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""

THRESHOLD = 0.3
"""Confidence above which a thing counts; published."""
COUNTING = 0.9
"""The same where the category is `counting`; published."""
MOST = 16
"""Of a class, at most, the most confident; published."""
OVERLAP = 1.0
"""Intersection over union with a more confident thing of the class from which one is left out; 1, as published, is
never."""


class Placed(Protocol):
    """Something found somewhere, more or less surely."""

    @property
    def box(self) -> Box: ...

    @property
    def confidence(self) -> float: ...


P = TypeVar("P", bound=Placed)


@dataclass(frozen=True, kw_only=True, eq=False)
class Thing:
    """One thing that a detector found."""

    found: Found
    """Its class, its box in pixels, its confidence from 0 to 1, and whatever else the detector knows of it."""
    mask: NDArray[np.bool_] | None = None
    """Bool["height width"], which pixels of the picture are the thing's; None where the detector does not say."""

    @property
    def box(self) -> Box:
        return self.found.box

    @property
    def confidence(self) -> float:
        return self.found.confidence


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """All that was found in a picture."""

    things: tuple[Thing, ...]
    """In any order."""
    unclear: int = 0
    """Parts that are something, but nothing that has a name."""
    stray: float = 0.0
    """Share of the picture that is neither background nor a thing."""


class Detector(Protocol):
    """Finds things in a picture."""

    @property
    def name(self) -> str:
        """Which detector, and which weights if any."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of what it can find, as the prompts have them."""
        ...

    @property
    def whole(self) -> bool:
        """Whether nothing else than what was asked for may be in a picture, whatever its class, under strict rules."""
        ...

    def see(self, image: Image.Image) -> Seen:
        """`image`: RGB. DataError for a picture that it cannot take."""
        ...


class Colours(Protocol):
    """Names the colours of things that were found."""

    @property
    def name(self) -> str: ...

    @property
    def colours(self) -> tuple[str, ...]:
        """The names among which it chooses."""
        ...

    def named(self, image: Image.Image, things: Sequence[Thing], kind: str) -> tuple[str | None, ...]:
        """The colour of each of several things of one kind in a picture; None is unknown."""
        ...


@dataclass(frozen=True, kw_only=True)
class Told:
    """Colours as the detector itself tells them."""

    colours: tuple[str, ...]
    name: str = "the detector"

    def named(self, image: Image.Image, things: Sequence[Thing], kind: str) -> tuple[str | None, ...]:
        return tuple(thing.found.colour for thing in things)


def kept(things: Sequence[P], *, threshold: float, overlap: float = OVERLAP, most: int = MOST) -> tuple[P, ...]:
    """Of things of one class those that count, the most confident first; of equals, the first comes first.

    First the bounds on confidence (above, not at, the threshold) and number, then the overlap: what is left out there
    makes no room for others.
    """
    sure = sorted((one for one in things if one.confidence > threshold), key=lambda one: -one.confidence)[:most]
    found: list[P] = []
    for one in sure:
        if overlap >= 1 or all(shared(one.box, other.box) < overlap for other in found):
            found.append(one)
    return tuple(found)


def shared(one: Box, other: Box) -> float:
    """Intersection over union of boxes whose right and bottom pixels belong to them.

    >>> shared((0, 0, 9, 9), (0, 0, 9, 4))
    0.5
    """
    both = max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])
    union = _area(one) + _area(other) - _area(both)
    return _area(both) / union if union else 0.0


def _area(box: Box) -> float:
    return max(box[2] - box[0] + 1, 0.0) * max(box[3] - box[1] + 1, 0.0)
