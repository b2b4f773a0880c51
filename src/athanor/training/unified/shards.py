"""Real data: shards in WebDataset's convention as a source of examples, alone or beside the generator of scenes.

WebDataset streams: what comes next depends on what was read before. Here an example is a function of the seed and its
number in the order, as everything that trains is: an interrupted training goes on with the examples that it would have
had, and any number of processes share them without a word. As in a stream, an epoch goes through all samples once, a
few shards at a time, shuffled among those.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from athanor.core.errors import AthanorError, DataError, UsageError
from athanor.core.image_files import BYTES as PICTURE
from athanor.core.image_files import opened
from athanor.core.records import Record
from athanor.core.seeds import stream
from athanor.environments.scenes.drawing import Images
from athanor.models.unified.pictures import Preparation, cropped
from athanor.training.unified.lessons import Example, Examples, Exchange, Use
from athanor.training.unified.tars import KINDS, Shard

BYTES = {"picture": PICTURE, "txt": 100_000, "json": 1_000_000}
"""Of a member, at most."""
TRIES = 100
"""Samples in a row that are tried for an example."""
SPOILT, AMONG = 0.1, 100
"""Share of samples that may be unfit, once so many were read."""
NEEDED: dict[Use, str] = {
    "drawing": "a picture with .txt or .json", "understanding": "a picture with .json, or with .txt and a question",
    "text": ".txt or .json without a picture", "pictures": "a picture", "captions": "a picture with .txt or .json",
}  # fmt: skip
TOLD = 10
"""Unfit samples of each reason that a report names, and shards at fault."""
_DIGITS = re.compile(r"[0-9]+")


class Asked(Record, kw_only=True):
    """A question and its answer, in a description."""

    question: str
    answer: str


class Said(Record, kw_only=True):
    """A message as LLaVA's data has it."""

    speaker: str = msgspec.field(name="from")
    value: str


class Description(Record, kw_only=True, forbid_unknown_fields=False):
    """What a sample's `.json` says; other fields are passed over."""

    prompt: str | None = None
    caption: str | None = None
    """Taken where there is no prompt."""
    questions: tuple[Asked, ...] = ()
    conversations: tuple[Said, ...] = ()
    """Taken where there are no questions: `human` and `gpt` in turns, the image's place written `<image>`."""
    text: str | None = None
    category: str = "other"


class Unfit(Exception):
    """A sample cannot be used: the reason, what else is to be said of this one, and whether it is spoilt."""

    def __init__(self, reason: str, more: object = "", *, spoilt: bool = True) -> None:
        super().__init__(reason)
        self.more, self.spoilt = re.sub(r"\s+", " ", str(more))[:200], spoilt


Fits = Callable[[Use, Example], str]
"""Why an example does not fit the model, or nothing if it does."""


def _any(use: Use, example: Example) -> str:
    return ""


class Order:
    """In which order the samples for a use come: epoch after epoch, each through groups of shards, shuffled within
    each."""

    def __init__(self, rows: Sequence[NDArray[np.int64]], use: Use, seed: int, window: int) -> None:
        """`rows`: of each shard, the samples for the use."""
        self.rows, self.sizes = rows, np.array([len(some) for some in rows])
        self.use, self.seed, self.window, self.count = use, seed, window, int(self.sizes.sum())
        self._last: tuple[tuple[int, int], NDArray[np.int64]] = (-1, -1), np.array([], np.int64)

    def at(self, number: int) -> tuple[int, int]:
        """Shard and sample."""
        epoch, place = divmod(number, self.count)
        order = stream(self.seed, "shards", self.use, epoch).permutation(len(self.sizes))
        ends = np.cumsum(self.sizes[order])
        group = int(np.searchsorted(ends, place, "right")) // self.window
        here = order[group * self.window : (group + 1) * self.window]
        begin = int(ends[group * self.window - 1]) if group else 0
        return self._of(int(self._shuffled(epoch, group, here)[place - begin]), here)

    def instead(self, number: int, attempt: int) -> tuple[int, int]:
        """Any shard and sample."""
        place = int(stream(self.seed, "instead", self.use, number, attempt).integers(self.count))
        return self._of(place, np.arange(len(self.sizes)))

    def _of(self, place: int, shards: NDArray[np.int64]) -> tuple[int, int]:
        """Shard and sample at a place among the samples of some shards, one after the other."""
        ends = np.cumsum(self.sizes[shards])
        k = int(np.searchsorted(ends, place, "right"))
        return int(shards[k]), int(self.rows[shards[k]][place - (int(ends[k - 1]) if k else 0)])

    def _shuffled(self, epoch: int, group: int, shards: NDArray[np.int64]) -> NDArray[np.int64]:
        if self._last[0] != (epoch, group):
            rng = stream(self.seed, "samples", self.use, epoch, group)
            self._last = (epoch, group), rng.permutation(int(self.sizes[shards].sum()))
        return self._last[1]


@dataclass(kw_only=True, slots=True)
class Faults:
    """What could not be used."""

    read: int = 0
    """Samples that were read."""
    spoilt: int = 0
    """Of those, the ones that could not be used."""
    apart: int = 0
    """Others of those, which have not what they were read for and may be of use for something else."""
    which: dict[str, dict[str, str]] = field(default_factory=dict)
    """By reason, samples (TOLD at most), with what else is to be said of each; and so the shards at fault."""

    def add(self, sample: str, unfit: Unfit) -> None:
        self.spoilt += unfit.spoilt
        self.apart += not unfit.spoilt
        named = self.which.setdefault(str(unfit), {})
        if len(named) < TOLD:
            named[sample] = unfit.more

    def take(self, other: Faults) -> None:
        """Those of another process."""
        self.read, self.spoilt, self.apart = (
            self.read + other.read, self.spoilt + other.spoilt, self.apart + other.apart
        )  # fmt: skip
        for reason, named in other.which.items():
            mine = self.which.setdefault(reason, {})
            mine.update(list(named.items())[: TOLD - len(mine)])

    def __str__(self) -> str:
        told = [f"{reason}: {_together(named)}" for reason, named in self.which.items()]
        apart = [f"without what they were read for: {self.apart}"] if self.apart else []
        return "; ".join([f"{self.spoilt} of {self.read} samples could not be used", *apart, *told])


def _together(named: Mapping[str, str]) -> str:
    """What is at fault, with what is to be said of each; said once of those that differ in its numbers alone."""
    alike: dict[str, list[str]] = {}
    for name, more in named.items():
        alike.setdefault(_DIGITS.sub("", more), []).append(name)
    told = [(some, named[some[0]]) for some in alike.values()]
    return "; ".join(
        f"{some[0]} ({more}){', likewise ' if some[1:] else ''}{', '.join(some[1:])}" if more else ", ".join(some)
        for some, more in told
    )


class Shards:
    """A source of examples (`lessons.Examples`) that are read from shards."""

    name = "shards"

    def __init__(
        self, shards: Sequence[Shard], seed: int, *, seen: Preparation, drawn: int, window: int = 8,
        question: str | None = None, fits: Fits = _any,
    ) -> None:  # fmt: skip
        """`seen`: how images to understand are prepared; `drawn`: pixels a side of images to draw; `window`: shards
        that are shuffled together; `question`: what a caption answers, where a sample has no questions; None passes
        such samples over. UsageError if there is no sample."""
        self.shards, self.seed, self.window, self.question, self.fits = shards, seed, window, question, fits
        self.seen, self.drawn = seen, drawn
        if window < 1:
            raise UsageError(f"a window of {window} shards was given, 1 or more was expected; pass such a number")
        if not sum(map(len, shards)):
            named = ", ".join(str(one.path) for one in shards[:TOLD])
            raise UsageError(f"{named}: there is no sample, members such as 0.png and 0.txt were expected; pass others")
        self.faults = Faults()
        if ill := [one for one in shards if one.fault]:
            told = {str(one.path): one.fault for one in ill[:TOLD]}
            self.faults.which[f"of {len(shards)} shards {len(ill)} are at fault"] = told
        self._orders: dict[Use, Order] = {}

    def order(self, use: Use) -> Order:
        """Of the samples that have the members that a use needs. UsageError if there are none."""
        if use not in self._orders:
            order = Order([self._for(use, shard) for shard in self.shards], use, self.seed, self.window)
            if not order.count:
                raise UsageError(f"the shards have no sample for {use}: {NEEDED[use]} was expected; pass others")
            self._orders[use] = order
        return self._orders[use]

    def _for(self, use: Use, shard: Shard) -> NDArray[np.int64]:
        """Int["some"]: a shard's samples with the members that a use needs."""
        picture, txt, told = (shard.places[:, k, 1] >= 0 for k in range(len(KINDS)))
        said = told | txt if use != "understanding" or self.question else told
        return np.flatnonzero({"text": ~picture & said, "pictures": picture}.get(use, picture & said))

    def take(self, use: Use, index: int, size: int) -> Sequence[Example]:
        """As `Examples.take`: batches of one size, by their index, go through the whole order."""
        return self.span(use, index * size, size)

    def span(self, use: Use, start: int, size: int) -> Sequence[Example]:
        """Examples from number `start` on of the order for a use, which has no end. Where one is unfit, another takes
        its place, drawn at random. DataError if too many are."""
        return [self._example(use, start + k) for k in range(size)]

    def _example(self, use: Use, number: int) -> Example:
        order = self.order(use)
        for attempt in range(TRIES):
            shard, sample = order.instead(number, attempt) if attempt else order.at(number)
            self.faults.read += 1
            try:
                return self._used(use, self.shards[shard], sample)
            except Unfit as unfit:
                self.faults.add(f"sample {sample} of {self.shards[shard].path}", unfit)
                if self.faults.read >= AMONG and self.faults.spoilt > SPOILT * self.faults.read:
                    break
        raise DataError(f"{self.faults}; at most {SPOILT:.0%} were expected: mend the shards, or leave them out")

    def _used(self, use: Use, shard: Shard, sample: int) -> Example:
        if use == "pictures":  # whatever is said of it
            return Example(picture=self._picture(use, shard, sample))
        told = _told(shard, sample)
        caption = told.prompt or told.caption
        text = told.text
        pictured = shard.place(sample, "picture") is not None
        if not pictured and caption and text is None:
            caption, text = None, caption
        asked = tuple(Exchange(one.question, one.answer) for one in told.questions)
        asked = asked or (_exchanges(told.conversations) if use != "captions" else ())
        if not asked and caption and self.question:
            asked = (Exchange(self.question, caption),)
        lacks = {
            "drawing": (pictured, bool(caption)), "understanding": (pictured, bool(asked)),
            "text": (not pictured, bool(text or asked)), "captions": (pictured, bool(caption)),
        }[use]  # fmt: skip
        if not all(lacks):
            raise Unfit(f"not for {use}", spoilt=False)
        with_picture = self._picture(use, shard, sample) if pictured else None
        example = Example(picture=with_picture, prompt=caption, questions=asked, text=text, category=told.category)
        wrong = self.fits(use, example)
        if wrong:
            raise Unfit("does not fit the model", wrong)
        return example

    def _picture(self, use: Use, shard: Shard, sample: int) -> Images:
        try:
            image = opened(_content(shard, sample, "picture"))
            made = self.seen.squared(image) if use in ("understanding", "captions") else cropped(image, self.drawn)
        except (DataError, UsageError) as error:
            raise Unfit("no picture that can be read", error) from error
        return np.asarray(made)


def _told(shard: Shard, sample: int) -> Description:
    """What is said of a sample, its `.txt` as the caption where the `.json` has none."""
    told = Description()
    if shard.place(sample, "json"):
        try:
            told = msgspec.json.decode(_content(shard, sample, "json"), type=Description)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            raise Unfit("no description that can be read", error) from error
    if shard.place(sample, "txt") and not (told.prompt or told.caption):
        try:
            told = msgspec.structs.replace(told, caption=_content(shard, sample, "txt").decode().strip())
        except UnicodeDecodeError as error:
            raise Unfit("no text in UTF-8", error) from error
    return told


def _exchanges(said: Sequence[Said]) -> tuple[Exchange, ...]:
    """Questions and answers of a conversation, its one picture's place left out."""
    speakers = [one.speaker for one in said]
    pairs = list(zip(said[::2], said[1::2], strict=False))
    if speakers != ["human", "gpt"] * len(pairs) or sum(one.value.count("<image>") for one in said) > 1:
        raise Unfit("no conversation of human and gpt in turns about one picture")
    return tuple(Exchange(q.value.replace("<image>", "").strip(), a.value.strip()) for q, a in pairs)


def _content(shard: Shard, sample: int, kind: str) -> bytes:
    """The bytes of a member."""
    place = shard.place(sample, kind)
    if place is None:
        return b""
    if place.size > BYTES[kind]:
        raise Unfit("too large", f"its {kind} has {place.size:,} bytes, {BYTES[kind]:,} at most were expected")
    try:
        with open(shard.path, "rb") as file:
            file.seek(place.offset)
            data = file.read(place.size)
    except OSError as error:
        raise DataError(
            f"the shard {shard.path} cannot be read ({error.strerror or error}); pass one that can"
        ) from error
    if len(data) != place.size:
        raise DataError(f"the shard {shard.path} is shorter than when it was indexed; begin again with whole shards")
    return data


class Blend:
    """Several sources in exact shares: of any number of batches of one size, as many examples from each as its share,
    to within one, and from shards each sample once in an epoch."""

    name = "blend"

    def __init__(self, sources: Sequence[tuple[Examples, float]], seed: int) -> None:
        weights = np.array([weight for _, weight in sources], np.float64)
        if not len(weights) or not np.isfinite(weights).all() or weights.min() < 0 or weights.sum() <= 0:
            raise UsageError(f"shares of {weights.tolist()} were given; numbers from 0 on, one above 0, were expected")
        self.sources, self.seed = tuple(source for source, _ in sources), seed
        self.ends = np.cumsum(weights) / weights.sum()
        self.ends[-1] = 1.0

    def take(self, use: Use, index: int, size: int) -> Sequence[Example]:
        """As `Examples.take`."""
        before, after = (np.floor(size * k * self.ends + 1e-9).astype(int) for k in (index, index + 1))
        begins, ends = np.diff(before, prepend=0), np.diff(after, prepend=0)
        found: list[Example] = []
        for source, begin, end in zip(self.sources, begins.tolist(), ends.tolist(), strict=True):
            if end > begin and isinstance(source, Shards):
                found += source.span(use, begin, end - begin)
            elif end > begin:
                found += source.take(use, index, end - begin)
        return [found[k] for k in stream(self.seed, "blend", use, index).permutation(size).tolist()]


Request = tuple[Use, int, int]
"""The arguments of `Examples.take`."""


class Ahead:
    """A source whose next examples other processes make ready, in an order that is known before."""

    def __init__(self, source: Examples, requests: Callable[[int], Request], begin: int, workers: int) -> None:
        """`requests`: what the request of a number is; they begin with number `begin`."""
        self.name, self.requests, self.next = source.name, requests, begin
        self.faults = [one.faults for one in shards_of(source)]
        ready = _Ready(source, requests)
        numbers = iter(range(begin, sys.maxsize))
        self._loader = iter(DataLoader(ready, batch_size=None, sampler=numbers, num_workers=workers, prefetch_factor=4))  # pyright: ignore[reportArgumentType]

    def take(self, use: Use, index: int, size: int) -> Sequence[Example]:
        """As `Examples.take`, in the order of the requests."""
        assert (use, index, size) == self.requests(self.next)
        self.next += 1
        examples, faults = next(self._loader)
        if isinstance(examples, AthanorError):
            raise examples
        for mine, other in zip(self.faults, faults, strict=True):
            mine.take(other)
        return examples


class _Ready(Dataset):
    """What a worker does."""

    def __init__(self, source: Examples, requests: Callable[[int], Request]) -> None:
        self.source, self.requests = source, requests

    def __getitem__(self, number: int) -> tuple[Sequence[Example] | AthanorError, list[Faults]]:
        try:
            made: Sequence[Example] | AthanorError = self.source.take(*self.requests(number))
        except AthanorError as error:
            made = error
        faults = [one.faults for one in shards_of(self.source)]
        for one in shards_of(self.source):
            one.faults = Faults()
        return made, faults


def shards_of(source: Examples) -> list[Shards]:
    """The shards in a source."""
    inner = source.sources if isinstance(source, Blend) else (source,)
    return [one for one in inner if isinstance(one, Shards)]
