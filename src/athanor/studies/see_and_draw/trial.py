"""A trial of one model: what it draws, what it answers, and how likely true pictures are to it, item by item."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import torch

from athanor.analysis.trials import Measured, Shown
from athanor.core.disk import write_atomically
from athanor.core.records import Message
from athanor.core.seeds import digest
from athanor.environments.scenes.drawing import Images, png
from athanor.environments.scenes.judge import Judge, Judged
from athanor.environments.scenes.propositions import dpg
from athanor.models.unified.answering import Answering, ask
from athanor.models.unified.drawing import Drawing, draw, paint
from athanor.models.unified.pictures import to_images
from athanor.models.unified.sampling import Sampling
from athanor.models.unified.unified import Unified
from athanor.studies.see_and_draw.tasks import SEEN, Tasks, Wanted, true_pictures
from athanor.training.unified.measures import picture_nats
from athanor.training.unified.scores import ANSWER
from athanor.training.unified.teaching import drawings, pixels_of

RIGHT, OTHERS, PROPOSITIONS = "drawn right", "right for another prompt", "propositions that hold"
ANSWERED, BLIND = "answered right", "answered without the picture"
GAP, EXCESS = "nats more under another prompt", "nats above the entropy"
CEILING, TRUE = "right after the tokenizer", "true pictures right"
SHOWN = 6
"""Drawings of each category that are kept to be looked at."""
JUDGE = Judge()


class Drawn(NamedTuple):
    """An image and what the checker says of it."""

    wanted: Wanted
    image: Images
    judged: Judged


def guided(measure: str, guidance: float) -> str:
    """What a measure of drawings at a weight of guidance is called."""
    return f"{measure}, guidance {guidance:g}"


@torch.no_grad()
def draw_all(
    unified: Unified, those: Tasks, guidance: float, number: int, temperature: float = 1.0, batch: int = 64
) -> list[Drawn]:  # fmt: skip
    """Every prompt, with seeds that depend on the number of the training and not on its arm."""
    found, how = [], Drawing(guidance=guidance, sampling=Sampling(temperature=temperature), batch=batch)
    for images in sorted({one.images for one in those.wanted}):
        mine = [one for one in those.wanted if one.images == images]
        seeds = [digest(number, "tried", k) for k in range(images)]
        pixels = draw(unified, [one.spec.prompt for one in mine], seeds, how).pixels
        for one, some in zip(mine, pixels, strict=True):
            found += [Drawn(one, image, JUDGE.judged(image, one.spec)) for image in map(np.asarray, to_images(some))]
    return found


def of_drawings(drawn: Sequence[Drawn], wanted: Sequence[Wanted], guidance: float) -> list[Measured]:
    """How many are right, how many would be for the next prompt of their category, and which propositions hold."""
    beside = {
        one.spec.prompt: following
        for category in dict.fromkeys(one.category for one in wanted)
        for one, following in _in_turn([one for one in wanted if one.category == category])
    }
    right, others, hold = (dict[str, float]() for _ in range(3))
    for one in drawn:
        prompt, sight = one.wanted.spec.prompt, one.judged.sight
        right[prompt] = right.get(prompt, 0.0) + one.judged.passed
        others[prompt] = others.get(prompt, 0.0) + JUDGE.weighed(sight, beside[prompt].spec).passed
        hold[prompt] = hold.get(prompt, 0.0) + dpg(one.wanted.spec, sight)
    alone = [one for one in wanted if beside[one.spec.prompt] is one]
    return [
        of_prompts(guided(RIGHT, guidance), wanted, right),
        of_prompts(guided(OTHERS, guidance), wanted, others, without=alone),
        of_prompts(guided(PROPOSITIONS, guidance), wanted, hold),
    ]


def _in_turn(some: Sequence[Wanted]) -> Iterable[tuple[Wanted, Wanted]]:
    return zip(some, [*some[1:], *some[:1]], strict=True)


def of_prompts(
    of: str, wanted: Sequence[Wanted], tops: dict[str, float], without: Sequence[Wanted] = ()
) -> Measured:  # fmt: skip
    """A measure whose items are prompts and whose counts are of their images."""
    left = {one.spec.prompt for one in without}
    return Measured(
        of=of, items=tuple(one.spec.prompt for one in wanted), strata=tuple(one.category for one in wanted),
        parts=tuple(one.part for one in wanted), tops=tuple(tops.get(one.spec.prompt, 0.0) for one in wanted),
        bottoms=tuple(0.0 if one.spec.prompt in left else float(one.images) for one in wanted),
    )  # fmt: skip


def answers(
    unified: Unified, asked: Sequence[tuple[Images, str]], *, most: int = ANSWER, batch: int = 64
) -> tuple[str, ...]:
    """What a model says to questions about pictures, greedily, in at most so many tokens; in small letters, without a
    full stop."""
    said = [[Message(role="user", text=text, images=(png(image),))] for image, text in asked]
    told = ask(unified, said, Answering(most=most, batch=batch)) if said else ()
    return tuple(answer.strip().rstrip(".").strip().lower() for answer in told)


def of_answers(unified: Unified, those: Tasks) -> Measured:
    said = answers(unified, [(one.image, one.question.text) for one in those.queried])
    return of_questions(ANSWERED, those, said)


def of_questions(of: str, those: Tasks, said: Sequence[str]) -> Measured:
    right = tuple(float(answer == one.question.answer) for answer, one in zip(said, those.queried, strict=True))
    return Measured(
        of=of, items=tuple(f"{k}: {one.question.text}" for k, one in enumerate(those.queried)),
        strata=tuple(one.question.kind for one in those.queried), parts=(SEEN,) * len(right), tops=right,
        bottoms=(1.0,) * len(right),
    )  # fmt: skip


def of_nats(unified: Unified, those: Tasks) -> list[Measured]:
    """Whether prompts are followed: nats of a picture under another prompt of its category less those under its own;
    and what is left to be learned: those under its own less the entropy of the scene."""
    own = picture_nats(unified, drawings(unified, those.pictures))
    turned, apart = list(those.pictures), np.ones(len(own))
    for category in dict.fromkeys(one.category for one in those.pictures):
        rows = [k for k, one in enumerate(those.pictures) if one.category == category]
        for k, other in zip(rows, rows[1:] + rows[:1], strict=True):
            turned[k] = replace(those.pictures[k], prompt=those.pictures[other].prompt)
            apart[k] = turned[k].prompt != those.pictures[k].prompt
    others = picture_nats(unified, drawings(unified, turned))
    known = np.array([one.entropy is not None for one in those.pictures], float)
    above = [nats - (one.entropy or 0.0) for nats, one in zip(own, those.pictures, strict=True)]
    return [
        _of_pictures(GAP, those, (others - own) * apart, apart),
        _of_pictures(EXCESS, those, np.array(above) * known, known),
    ]


def _of_pictures(of: str, those: Tasks, tops: np.ndarray, bottoms: np.ndarray) -> Measured:
    return Measured(
        of=of, items=tuple(f"{k}: {one.prompt}" for k, one in enumerate(those.pictures)),
        strata=tuple(one.category for one in those.pictures), parts=(SEEN,) * len(those.pictures),
        tops=tuple(tops.tolist()), bottoms=tuple(bottoms.tolist()), share=False,
    )  # fmt: skip


@torch.no_grad()
def of_tokenizer(unified: Unified, those: Tasks, seed: int, batch: int = 64) -> list[Measured]:
    """The controls that need no training of the whole: true pictures, judged as they are and after the visual
    tokenizer, and the usual answers to the questions."""
    pairs = true_pictures(those, seed)
    images: list[Images] = []
    for first in range(0, len(pairs), batch):
        some = [image for _, image in pairs[first : first + batch]]
        codes = unified.model.visual_tokenizer.encode(pixels_of(some).to(unified.device))
        images += [np.asarray(image) for image in to_images(paint(unified, codes, batch))]
    after, before = dict[str, float](), dict[str, float]()
    for (one, image), again in zip(pairs, images, strict=True):
        prompt = one.spec.prompt
        before[prompt] = before.get(prompt, 0.0) + JUDGE.judged(image, one.spec).passed
        after[prompt] = after.get(prompt, 0.0) + JUDGE.judged(again, one.spec).passed
    return [
        of_prompts(CEILING, those.wanted, after), of_prompts(TRUE, those.wanted, before),
        of_questions(BLIND, those, [one.usual for one in those.queried]),
    ]  # fmt: skip


def shown(drawn: Sequence[Drawn]) -> list[Shown]:
    """The first drawings of each category, one of each prompt."""
    found, prompts = dict[str, list[Shown]](), set[str]()
    for one in drawn:
        mine = found.setdefault(one.wanted.category, [])
        if len(mine) < SHOWN and one.wanted.spec.prompt not in prompts:
            prompts.add(one.wanted.spec.prompt)
            mine.append(Shown(
                category=one.wanted.category, prompt=one.wanted.spec.prompt, png=png(one.image),
                passed=one.judged.passed, reason=JUDGE.verdict(one.judged).reason,
            ))  # fmt: skip
    return [one for those in found.values() for one in those]


def write(folder: Path, measured: Sequence[Measured], drawings: Sequence[Shown]) -> None:
    """Write a trial: drawings.jsonl, and trial.jsonl last."""
    for name, lines in (("drawings.jsonl", drawings), ("trial.jsonl", measured)):
        write_atomically(folder / name, b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
