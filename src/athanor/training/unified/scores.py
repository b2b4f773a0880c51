"""What a model can do, counted: prompts drawn and checked exactly, questions answered, pictures through the tokenizer.

Prompts and questions are of a split, by default `test`, drawn by category with a seed; the counts come without
intervals, which are an analysis' matter (`athanor.analysis.cards`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from athanor.core.errors import UsageError
from athanor.core.records import Message, Record
from athanor.core.seeds import digest, stream
from athanor.environments.scenes.batches import Batch, Source, batch
from athanor.environments.scenes.drawing import SMALLEST, Images, png
from athanor.environments.scenes.judge import Judge
from athanor.environments.scenes.prompts import prompts
from athanor.environments.scenes.scene import STYLES
from athanor.environments.scenes.spec import CATEGORIES, GENEVAL, Spec
from athanor.environments.scenes.splits import Part, split_of
from athanor.models.unified.answering import Answering, ask
from athanor.models.unified.drawing import Drawing, draw, paint
from athanor.models.unified.pictures import to_images
from athanor.models.unified.sampling import Sampling
from athanor.models.unified.unified import Unified
from athanor.training.unified.teaching import pixels_of

ANSWER = 6
"""Tokens of an answer, at most."""
CARD_PARTS = {"rank": slice(None, -1), "suit": slice(-1, None)}
"""Of a card's name."""


class Score(Record, kw_only=True):
    """Right ones among so many."""

    of: str
    """`drawn`, `answered` or `reconstructed`."""
    name: str
    """A category of prompts, or the kind of a question; of cards also `rank` and `suit`."""
    right: int
    n: int
    by_prompt: tuple[tuple[int, int], ...] = ()
    """Right ones and all of them, of each different prompt; empty where each is of its own."""

    @property
    def share(self) -> float | None:
        """None where there was nothing."""
        return self.right / self.n if self.n else None


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a model is tried on. UsageError for a number out of range."""

    many: int
    """Prompts of each category, one picture each; as many questions of each kind, about."""
    seed: int = 0
    """Draws prompts and questions; the pictures' own seeds are their numbers."""
    part: Part = "test"
    style: str = "aligned"
    guidance: float = 2.0
    temperature: float = 1.0
    batch: int = 64

    def __post_init__(self) -> None:
        if self.many < 1 or self.batch < 1:
            raise UsageError(f"{self.many} prompts, {self.batch} at once, were asked for; 1 or more was expected")


def mean(scores: Iterable[Score], names: Sequence[str] = GENEVAL) -> float | None:
    """The mean share of some categories, GenEval's six by default, as GenEval takes it; None where one is missing."""
    shares = {score.name: score.share for score in scores if score.of == "drawn"}
    found = [share for name in names if (share := shares.get(name)) is not None]
    return sum(found) / len(found) if len(found) == len(names) else None


def drawn(unified: Unified, trial: Trial, categories: Sequence[str] = CATEGORIES) -> list[Score]:
    """Prompts of each category, each drawn and checked; where a prompt comes again, it is drawn with another seed."""
    found: list[Score] = []
    for category in categories:
        rng = stream(trial.seed, "tried prompts", category)
        asked = prompts(category, STYLES[trial.style], split_of(trial.part), rng, trial.many)
        by_prompt = {spec.prompt: spec for spec in asked}
        pictures = _drawn(unified, Counter(spec.prompt for spec in asked), trial)
        found += checked("drawn", category, [(by_prompt[prompt], image) for prompt, image in pictures])
    return found


def _drawn(unified: Unified, often: Counter[str], trial: Trial) -> Iterator[tuple[str, Images]]:
    """Each prompt as often as it is asked for, with the seeds 0, 1, ..."""
    sampling = Sampling(temperature=trial.temperature)
    how, before = Drawing(guidance=trial.guidance, sampling=sampling, batch=trial.batch), 0
    for many in sorted(set(often.values())):
        some = [prompt for prompt, times in often.items() if times >= many]
        pixels = draw(unified, some, range(before, many), how).pixels
        for prompt, those in zip(some, pixels, strict=True):
            yield from ((prompt, np.asarray(image)) for image in to_images(those))
        before = many


def checked(of: str, category: str, pictures: Iterable[tuple[Spec, Images]]) -> list[Score]:
    """How many pictures pass the strict rules; of cards also how many have the rank, the suit that was asked for."""
    judge, parts = Judge(), CARD_PARTS if category == "cards" else {}
    right = {name: Counter[Spec]() for name in (category, *parts)}
    many = {name: Counter[Spec]() for name in right}
    for spec, image in pictures:
        judged = judge.judged(image, spec)
        right[category][spec] += judged.passed
        many[category][spec] += 1
        there = [one.card for one in judged.sight.found if one.card]
        told = [entry.card for entry in spec.include if entry.card]
        for name, part in parts.items():
            both = Counter(card[part] for card in told) & Counter(card[part] for card in there)
            right[name][spec] += both.total()
            many[name][spec] += len(told)
    return [
        Score(of=of, name=name, right=right[name].total(), n=each.total(),
              by_prompt=tuple((right[name][spec], n) for spec, n in each.items()))
        for name, each in many.items()
    ]  # fmt: skip


def reconstructed(unified: Unified, trial: Trial) -> list[Score]:
    """True pictures through the visual tokenizer and back: no drawing can be scored higher than these."""
    found: list[Score] = []
    for some in _pictures(trial, unified.model.config.tokenizer.image_size):
        with torch.no_grad():
            codes = unified.model.visual_tokenizer.encode(pixels_of(list(some.images)).to(unified.device))
        images = to_images(paint(unified, codes, trial.batch))
        pairs = [(spec, np.asarray(image)) for spec, image in zip(some.specs, images, strict=True)]
        found += checked("reconstructed", some.categories[0], pairs)
    return found


def answered(unified: Unified, trial: Trial) -> list[Score]:
    """Questions about true pictures of every category, answered greedily; right where the words are the answer's."""
    right, n = Counter[str](), Counter[str]()
    for some in _pictures(trial, max(SMALLEST, unified.preparation.size)):
        asked = [
            [Message(role="user", text=one.text, images=(png(image),))]
            for one, image in zip(some.questions, some.images, strict=True)
        ]
        answers = ask(unified, asked, Answering(most=ANSWER, batch=trial.batch))
        for one, answer in zip(some.questions, answers, strict=True):
            n[one.kind] += 1
            right[one.kind] += answer == one.answer
    return [Score(of="answered", name=kind, right=right[kind], n=n[kind]) for kind in sorted(n)]


def _pictures(trial: Trial, pixels: int) -> Iterator[Batch]:
    """True pictures of each category, of so many pixels a side, with prompts and questions."""
    look, split = STYLES[trial.style], split_of(trial.part)
    for category in CATEGORIES:
        source = Source(style=look, split=split, pixels=pixels, weights=((category, 1.0),))
        yield batch(source, digest(trial.seed, "tried pictures", category), 0, trial.many)
