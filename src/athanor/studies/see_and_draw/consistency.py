"""Whether a model sees what it has drawn: questions about its own drawings, judged by what the checker finds in them.

Where a drawing is not what was asked for, an answer can follow the picture or the prompt. A model that is shown the
picture alone cannot know the prompt; if it answers by it all the same more often than about a true picture of the same
scene, it confuses in seeing what it confused in drawing. And the prompt told first is a temptation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from athanor.analysis.trials import Measured
from athanor.core.errors import UsageError
from athanor.core.seeds import stream
from athanor.environments.points.cards import RANKS
from athanor.environments.scenes.asking import DESCRIBE
from athanor.environments.scenes.drawing import Images, draw, roughen
from athanor.environments.scenes.layouts import mainly
from athanor.environments.scenes.propositions import answers as hold
from athanor.environments.scenes.questions import DRAWS, ask
from athanor.environments.scenes.reading import read
from athanor.environments.scenes.rules import sight_of
from athanor.environments.scenes.scene import CARD_ROOM, ROOM, Placed, Scene, Thing, centre
from athanor.environments.scenes.seeing import Found, Sight
from athanor.environments.scenes.spec import GENEVAL, Spec
from athanor.environments.scenes.splits import split_of
from athanor.environments.scenes.words import (
    CARD,
    CONVERSE,
    CORNERS,
    FINE,
    NUMBERS,
    PLACES,
    RANK_WORDS,
    SIZES,
    SUIT_WORDS,
    article,
    plural,
)  # fmt: skip
from athanor.models.unified.unified import Unified
from athanor.studies.see_and_draw.tasks import Tasks, Wanted
from athanor.studies.see_and_draw.trial import Drawn, answers

OWN, SAME = "answers about own drawings", "answers about true pictures of the same"
TOLD_OWN, TOLD_SAME = "descriptions of own drawings that hold", "descriptions of true pictures of the same that hold"
"""Of what a description says, one thing at a time."""
ALONE, TOLD, TRULY = "the picture alone", "the prompt told first", "a true picture of the same"
"""How questions are asked whose answers differ between a drawing and its prompt."""
AGREES, ACCEPTED = "own verdict agrees with the checker", "accepted by itself"
AMONG, PASSED = "right among accepted", "right among all, one of each prompt"
LONG = 90
"""Tokens of a description, at most."""
ASKED = 2
"""Questions about each drawing, of random kinds."""
POOLED = "drawings"
"""The one stratum of these measures: of some categories there may be nothing."""


def follows(what: str, how: str) -> str:
    """What the share of answers that follow the `picture` or the `prompt` is called.

    >>> follows("picture", ALONE)
    'follows the picture, asked of the picture alone'
    """
    return f"follows the {what}, asked of {how}" if how != TOLD else f"follows the {what}, {how}"


class Check(NamedTuple):
    """A question that a prompt answers, and that a picture may answer otherwise."""

    text: str
    by_prompt: str
    by_picture: str | None
    """None where the picture does not answer it: of what is asked there is none, or several."""


def scene_of(sight: Sight) -> Scene | None:
    """What was found in a picture as a scene; None where it is none: parts that agree with nothing, two things in a
    cell, cards among things, or nothing at all."""
    cards = [one for one in sight.found if one.kind == CARD]
    things = [one for one in sight.found if one.kind != CARD]
    if sight.unclear or not sight.found or (cards and things):
        return None
    if len({one.place for one in sight.found}) < len(sight.found):
        return None
    return Scene(
        things=tuple(sorted(map(_thing, things), key=lambda one: one.cell)),
        cards=tuple(sorted(map(_placed, cards), key=lambda one: one.cell)),
    )  # fmt: skip


def _off(one: Found, cell: int, across: int, most: int) -> tuple[int, int]:
    """How far a thing lies off the middle of its cell, in steps, as far as a scene can have it."""
    x, y = centre(cell, 0, 0, across)
    dx, dy = (round(((one.box[k] + one.box[k + 2]) / 2 - at) * FINE) for k, at in ((0, x), (1, y)))
    return max(-most, min(most, dx)), max(-most, min(most, dy))


def _thing(one: Found) -> Thing:
    cell, size = PLACES.index(one.place), one.size or "large"
    dx, dy = _off(one, cell, 3, ROOM - int(SIZES[size]))
    return Thing(shape=one.kind, colour=one.colour or "", cell=cell, size=size, texture=one.texture or "plain",
                 dx=dx, dy=dy)  # fmt: skip


def _placed(one: Found) -> Placed:
    cell = CORNERS.index(one.place)
    dx, dy = _off(one, cell, 2, CARD_ROOM)
    return Placed(card=one.card or "", cell=cell, dx=dx, dy=dy)


def checks(spec: Spec, scene: Scene | None) -> list[Check]:
    """The questions that a prompt answers: how many, in which colour, whether there, in which relation, which card."""
    things = scene.things if scene else ()
    found = []
    for kind in dict.fromkeys(entry.kind for entry in spec.include if entry.kind != CARD):
        wanted = sum(entry.count for entry in spec.include if entry.kind == kind)
        there = NUMBERS[sum(one.shape == kind for one in things)] if scene else None
        found.append(Check(f"how many {plural(kind)} are there?", NUMBERS[wanted], there))
    found += [check for entry in spec.include if entry.kind != CARD and entry.colour
              for check in _coloured(spec, entry.kind, entry.colour, entry.count, scene)]  # fmt: skip
    for entry in spec.include:
        if entry.position and entry.kind != CARD:
            other = spec.include[entry.position[1]].kind
            found += _related(entry.kind, entry.position[0], other, scene)
    told = [entry.card for entry in spec.include if entry.card]
    if len(told) == 1:
        shown = scene.cards[0].card if scene and len(scene.cards) == 1 and not things else None
        for what, named in (("rank", _rank), ("suit", _suit)):
            found.append(Check(f"what is the {what} of the card?", named(told[0]), shown and named(shown)))
    return found


def _rank(card: str) -> str:
    return RANK_WORDS[RANKS.index(card[:-1])]


def _suit(card: str) -> str:
    return SUIT_WORDS[card[-1]]


def _coloured(spec: Spec, kind: str, colour: str, count: int, scene: Scene | None) -> Iterator[Check]:
    """Of things of a kind with a colour: whether there is one and, where it is the only one, which colour it has."""
    mine = [one for one in scene.things if one.shape == kind] if scene else []
    there = ("yes" if any(one.colour == colour for one in mine) else "no") if scene else None
    yield Check(f"is there {article(colour)} {colour} {kind}?", "yes", there)
    if count == 1 and sum(entry.kind == kind for entry in spec.include) == 1:
        yield Check(f"what color is the {kind}?", colour, mine[0].colour if len(mine) == 1 else None)


def _related(kind: str, relation: str, other: str, scene: Scene | None) -> Iterator[Check]:
    """Whether one thing lies in a relation to another; unknown where neither it nor its converse mainly holds."""
    ours, theirs = ([one for one in scene.things if one.shape == name] if scene else [] for name in (kind, other))
    holds = None
    if len(ours) == len(theirs) == 1:
        a, b = ours[0].cell, theirs[0].cell
        holds = "yes" if mainly(relation, a, b) else "no" if mainly(CONVERSE[relation], a, b) else None
    yield Check(f"is the {kind} {relation} the {other}?", "yes", holds)


class _Asked(NamedTuple):
    """A check of a drawing."""

    drawing: int
    check: Check


def of_own(unified: Unified, drawn: Sequence[Drawn], those: Tasks, number: int) -> list[Measured]:
    """All measures of consistency, over the first drawing of each of GenEval's prompts."""
    prompts = dict[str, Drawn]()
    for one in drawn:
        if one.wanted.category in GENEVAL:
            prompts.setdefault(one.wanted.spec.prompt, one)
    mine = list(prompts.values())
    scenes = [scene_of(one.judged.sight) for one in mine]
    true = [
        roughen(draw(scene, those.pixels)[None], those.style, stream(number, "same", one.wanted.spec.prompt))[0]
        if scene else None
        for one, scene in zip(mine, scenes, strict=True)
    ]  # fmt: skip
    return [
        *_about(unified, mine, scenes, true, those, number), *_described(unified, mine, scenes, true),
        *_followed(unified, mine, scenes, true),
    ]  # fmt: skip


def _about(
    unified: Unified, mine: Sequence[Drawn], scenes: Sequence[Scene | None], true: Sequence[Images | None],
    those: Tasks, number: int,
) -> Iterator[Measured]:  # fmt: skip
    """Random questions about what is in a drawing, asked of it and of a true picture of the same scene."""
    asked = [
        (k, ask(scene, those.style, split_of("all"), row))
        for k, (one, scene) in enumerate(zip(mine, scenes, strict=True)) if scene
        for row in stream(number, "own questions", one.wanted.spec.prompt).random((ASKED, DRAWS)).tolist()
    ]  # fmt: skip
    for of, images in ((OWN, [one.image for one in mine]), (SAME, true)):
        said = answers(unified, [(image, one.text) for k, one in asked if (image := images[k]) is not None])
        tops, bottoms = np.zeros(len(mine)), np.zeros(len(mine))
        for (k, one), answer in zip(asked, said, strict=True):
            tops[k] += answer == one.answer
            bottoms[k] += 1
        yield _measured(of, [one.wanted for one in mine], tops, bottoms)


def _described(
    unified: Unified, mine: Sequence[Drawn], scenes: Sequence[Scene | None], true: Sequence[Images | None]
) -> Iterator[Measured]:
    """What is said of a drawing, and of a true picture of the same scene: of all that is said, what holds. What cannot
    be read says one thing, which does not."""
    there = [(k, scene) for k, scene in enumerate(scenes) if scene]
    for of, images in ((TOLD_OWN, [one.image for one in mine]), (TOLD_SAME, true)):
        asked = [(image, DESCRIBE) for k, _ in there if (image := images[k]) is not None]
        said = answers(unified, asked, most=LONG)
        tops, bottoms = np.zeros(len(mine)), np.zeros(len(mine))
        for (k, scene), text in zip(there, said, strict=True):
            held = _held(text, sight_of(scene))
            tops[k], bottoms[k] = sum(held), len(held)
        yield _measured(of, [one.wanted for one in mine], tops, bottoms)


def _held(text: str, sight: Sight) -> list[bool]:
    """Whether each thing that a description says is so."""
    try:
        spec = read(text)
    except UsageError:
        return [False]
    return list(hold(spec, sight).values())


def _followed(
    unified: Unified, mine: Sequence[Drawn], scenes: Sequence[Scene | None], true: Sequence[Images | None]
) -> Iterator[Measured]:
    """What the prompt answers, asked of the drawing: the model's own verdict; and where the drawing answers otherwise,
    which of the two is followed."""
    wanted = [one.wanted for one in mine]
    asked = [_Asked(k, check) for k, (one, scene) in enumerate(zip(wanted, scenes, strict=True))
             for check in checks(one.spec, scene)]  # fmt: skip
    said = answers(unified, [(mine[k].image, check.text) for k, check in asked])
    accepted = np.ones(len(mine))
    for (k, check), answer in zip(asked, said, strict=True):
        accepted[k] *= answer == check.by_prompt
    passed, each = np.array([float(one.judged.passed) for one in mine]), np.ones(len(mine))
    yield _measured(PASSED, wanted, passed, each)
    yield _measured(ACCEPTED, wanted, accepted, each)
    yield _measured(AGREES, wanted, (accepted == passed).astype(float), each)
    yield _measured(AMONG, wanted, accepted * passed, accepted)
    apart = [k for k, (_, check) in enumerate(asked) if check.by_picture not in (None, check.by_prompt)]
    differ = [asked[k] for k in apart]
    yield from _which(ALONE, wanted, differ, [said[k] for k in apart])
    told = [(mine[k].image, f"{wanted[k].spec.prompt}. {check.text}") for k, check in differ]
    yield from _which(TOLD, wanted, differ, answers(unified, told))
    same = [(image, check.text) for k, check in differ if (image := true[k]) is not None]
    yield from _which(TRULY, wanted, differ, answers(unified, same))


def _which(how: str, wanted: Sequence[Wanted], differ: Sequence[_Asked], said: Sequence[str]) -> Iterator[Measured]:
    picture, prompt, bottoms = (np.zeros(len(wanted)) for _ in range(3))
    for (k, check), answer in zip(differ, said, strict=True):
        picture[k] += answer == check.by_picture
        prompt[k] += answer == check.by_prompt
        bottoms[k] += 1
    yield _measured(follows("picture", how), wanted, picture, bottoms)
    yield _measured(follows("prompt", how), wanted, prompt, bottoms)


def _measured(of: str, wanted: Sequence[Wanted], tops: np.ndarray, bottoms: np.ndarray) -> Measured:
    return Measured(
        of=of, items=tuple(one.spec.prompt for one in wanted), strata=(POOLED,) * len(wanted),
        parts=tuple(one.part for one in wanted), tops=tuple(tops.tolist()), bottoms=tuple(bottoms.tolist()),
    )  # fmt: skip
