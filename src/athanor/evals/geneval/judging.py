"""From what was found in a picture to whether it shows what was asked for: GenEval's rules, and strict ones.

The rules on counts, colours, positions and exclusions are those of the scenes (`environments.scenes.rules`): one
algorithm judges photographs and scenes. Here is what of a detector's finds they are given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from msgspec.structs import replace
from PIL import Image

from athanor.core.records import Record
from athanor.environments.scenes.rules import lenient, strict
from athanor.environments.scenes.seeing import Found, Sight
from athanor.environments.scenes.spec import Spec
from athanor.evals.geneval.detecting import COUNTING, OVERLAP, THRESHOLD, Colours, Detector, kept

Rules = Literal["published", "strict"]
RULES: tuple[Rules, ...] = ("published", "strict")
TWICE = 0.8
"""Overlap from which a thing is taken for another one found before, under the strict rules."""


class Looked(Record, kw_only=True):
    """What was found in one picture: all that its verdict, under any rules, is made of."""

    prompt: int
    """Index of the prompt."""
    sample: str
    """The file's name without its ending."""
    digest: str
    """SHA-256 of the file."""
    found: tuple[Found, ...] = ()
    """Of the classes asked for, as many as any rules look at, by class, the most confident first; boxes in pixels."""
    others: int = 0
    """Things of other classes, counted where a picture may have nothing else."""
    unclear: int = 0
    stray: float = 0.0
    whole: bool = False
    """Whether a picture may have nothing else (`Detector.whole`)."""
    failure: str = ""
    """Why the picture could not be looked at; then nothing was found, and there is no verdict."""


class Judgement(Record, omit_defaults=False, kw_only=True):
    """The verdict on one picture."""

    prompt: int
    sample: str
    tag: str
    rules: Rules
    passed: bool | None
    """None where the picture could not be looked at."""
    reason: str
    """Why not, or nothing."""


def look(image: Image.Image, spec: Spec, detector: Detector, colours: Colours) -> dict[str, Any]:
    """What was found in a picture, as fields of `Looked`. Colours are named where the prompt asks for one of the class.

    DataError if the detector cannot take the picture.
    """
    seen, found = detector.see(image), list[Found]()
    asked = dict.fromkeys(entry.kind for entry in (*spec.include, *spec.exclude))
    coloured = {entry.kind for entry in spec.include if entry.colour is not None}
    for kind in asked:
        things = kept([thing for thing in seen.things if thing.found.kind == kind], threshold=THRESHOLD)
        names = colours.named(image, things, kind) if kind in coloured else [thing.found.colour for thing in things]
        found += [replace(thing.found, colour=colour) for thing, colour in zip(things, names, strict=True)]
    others = sum(thing.found.kind not in asked and thing.confidence > THRESHOLD for thing in seen.things)
    return {
        "found": tuple(found), "others": others, "unclear": seen.unclear, "stray": seen.stray, "whole": detector.whole,
    }  # fmt: skip


def judged(looked: Looked, spec: Spec, rules: Rules) -> Judgement:
    """The verdict on what was found.

    published: things above the published threshold of the category count, whatever their overlap; more than were asked
    for do no harm unless they are excluded; only the most confident are asked for their colour and place.
    strict: things count from the threshold for counting on, in every category, one found twice once; of each class
    asked for there is as many as asked for, all of them as asked for; in scenes there is nothing else.
    """
    passed, reason = None, f"not looked at: {looked.failure}"
    if not looked.failure:
        sight = Sight(found=tuple(_counted(looked.found, spec, rules)))
        facts = lenient(spec, sight)
        if rules == "strict":
            extra = looked.unclear + looked.others if looked.whole else 0
            stray = looked.stray if looked.whole else 0.0
            facts = strict(spec, Sight(found=sight.found, unclear=extra, stray=stray))
        wrong = [f"{fact.rule} failed: {fact.told}" for fact in facts if not fact.held]
        passed, reason = not wrong, "; ".join(wrong)
    return Judgement(
        prompt=looked.prompt, sample=looked.sample, tag=spec.tag, rules=rules, passed=passed, reason=reason
    )


def _counted(found: Sequence[Found], spec: Spec, rules: Rules) -> Iterable[Found]:
    """Of what was found, the things that count."""
    threshold = COUNTING if rules == "strict" or spec.tag == "counting" else THRESHOLD
    overlap = TWICE if rules == "strict" else OVERLAP
    for kind in dict.fromkeys(one.kind for one in found):
        yield from kept([one for one in found if one.kind == kind], threshold=threshold, overlap=overlap)
