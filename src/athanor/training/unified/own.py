"""The visual tokenizer's and the encoder's own training: one module of a unified model, on pictures of one's own.

The model is a folder, or has new weights; what comes out is one in the same layout, with whatever was not trained
unchanged to the bit. Progress is measured on pictures that are not learned. Killed at any moment, a training goes on
from its newest checkpoint to the same weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from athanor.core.build import build_name, versions
from athanor.core.errors import DataError, UsageError
from athanor.core.lines import gone_if_refused, open_folder
from athanor.core.seeds import digest
from athanor.core.store import Manifest
from athanor.models.backends.pretrained import digest_of
from athanor.models.unified import checkpoints
from athanor.models.unified.config import SHAPES, TINY
from athanor.models.unified.unified import Unified
from athanor.models.unified.visual_tokenizer import VisualTokenizer
from athanor.training.unified.encoder import EncoderRecipe
from athanor.training.unified.finetune import INDEX, MANIFEST, blended, hash_of, plain, refuse_data
from athanor.training.unified.lessons import Example, Examples, Use
from athanor.training.unified.parts import AMONG, EncoderPart, Measured, Numbers, Part, TokenizerPart, pictures
from athanor.training.unified.recipes import Recipe
from athanor.training.unified.run import CARD, MODEL, Run, begun, carry_out
from athanor.training.unified.scenes import Scenes
from athanor.training.unified.settings import Tuning
from athanor.training.unified.shards import Fits, Shards
from athanor.training.unified.tars import Shard, scanned
from athanor.training.unified.teaching import refuse_normalised
from athanor.training.unified.tokenizer import TokenizerRecipe

KINDS_OF_RUN = {"visual_tokenizer": "training of a visual tokenizer", "encoder": "training of an encoder"}
HELD = 0.05
"""Share of the pictures that are held out where no shards are."""
HEAD = 4_096
"""Bytes of a picture by which equal ones are known."""
SMALLEST_ERROR = 1e-10
"""Mean squared error under which a picture's is taken as this: 106 dB."""


@dataclass(frozen=True, kw_only=True)
class Own:
    """What one module is trained on, and from where."""

    seed: int
    init: Path | None = None
    """The folder of a unified model; None gives `shape` new weights."""
    shape: str = "tiny"
    """Of `config.SHAPES`: the encoder and the tokenizer are its, the language model is the smallest."""
    data: tuple[Path, ...] = ()
    """Shards in WebDataset's convention: .tar files, or folders that have some."""
    held: tuple[Path, ...] = ()
    """Such with pictures to measure; where there are none, HELD of those in `data` are not learned."""
    scenes: float = 0.0
    """Share of the pictures that the generator of scenes makes."""
    every: int = 250
    """Steps between two measures, each with a checkpoint."""


@dataclass(frozen=True, kw_only=True)
class Sides:
    """Examples to learn from, and others to measure."""

    learned: Examples
    held: tuple[Example, ...]
    real: tuple[Shards, ...] = field(default=())


def train_tokenizer(own: Own, recipe: TokenizerRecipe, out: Path, *, device: str = "cpu", resume: bool = False) -> Path:
    """Train the visual tokenizer, or go on; the folder of the model. Errors as `_trained`."""

    def part(unified: Unified, sides: Sides) -> Part:
        tokenizer = unified.model.visual_tokenizer
        measure = partial(_reconstructed, tokenizer, sides.held, recipe.batch)
        return TokenizerPart(unified, recipe, sides.learned, measure, own.seed)

    return _trained(own, recipe, out, _Task("visual_tokenizer", "pictures", part), device, resume)


def train_encoder(own: Own, recipe: EncoderRecipe, out: Path, *, device: str = "cpu", resume: bool = False) -> Path:
    """Train the encoder, or go on; the folder of the model. Errors as `_trained`; UsageError for steps with more pairs
    than there are."""

    def part(unified: Unified, sides: Sides) -> Part:
        held = tuple({one.prompt: one for one in sides.held}.values())  # which of two equal captions is meant?
        return EncoderPart(unified, recipe, sides.learned, held, own.seed)

    return _trained(own, recipe, out, _Task("encoder", "captions", part), device, resume)


@dataclass(frozen=True)
class _Task:
    module: str
    use: Use
    part: Callable[[Unified, Sides], Part]


def _trained(own: Own, recipe: Any, out: Path, task: _Task, device: str, resume: bool) -> Path:
    """Writes manifest.json, logs.jsonl, checkpoints and model/ with its card. UsageError for a folder that holds
    something or was made with other settings, DataError for shards without what is needed; neither leaves a new
    folder."""
    refuse_data(Tuning(data=own.data, scenes=own.scenes), "")
    if own.held and not own.data:
        raise UsageError("--held has no effect without --data: scenes are measured on other scenes; leave it out")
    unified = _model(own)
    if task.use == "captions":
        refuse_normalised(unified)
    new = not (out / MANIFEST).exists()
    manifest = _manifest(own, recipe, task.module, out)
    open_folder(out, manifest, resume=resume, work="a training")
    if (out / MODEL / CARD).exists():
        return out / MODEL
    with gone_if_refused(out, new, INDEX):
        sides = _sides(own, unified, task, recipe.batch, out / INDEX)
    unified.model.get_submodule(task.module).to(device, torch.float32)
    run = Run(
        unified=unified, out=out, kind=manifest.kind, recipe=dict(manifest.config), every=own.every,
        final=lambda part: part.measure(), module=task.module, like=own.init, beside=lambda: _unusable(sides.real),
    )  # fmt: skip
    carry_out(run, [(recipe.steps, lambda: task.part(unified, sides))])
    return out / MODEL


def _model(own: Own) -> Unified:
    """On the CPU."""
    if own.init is not None:
        return checkpoints.read(own.init)
    if own.shape not in SHAPES:
        raise UsageError(f"the shape {own.shape!r} is not one of {', '.join(SHAPES)}; pass one of them")
    shape = replace(SHAPES[own.shape], backbone=TINY.backbone)
    return begun(Recipe(seed=own.seed, shape=shape, stages=()), "cpu")


def _manifest(own: Own, recipe: Any, module: str, out: Path) -> Manifest:
    told = plain({**asdict(own), "recipe": asdict(recipe)})
    execution = {"init": told.pop("init"), "every": told.pop("every"), "threads": torch.get_num_threads()}
    if own.init is not None:
        del told["shape"]
    hashes = {"shards": hash_of(own.data), "held": hash_of(own.held)}
    hashes |= {"model": digest_of(own.init, ("*.bin",))} if own.init is not None else {}
    return Manifest(
        kind=KINDS_OF_RUN[module], config=told, execution=execution, build=build_name(), versions=versions(),
        hashes=hashes, label=out.name, created=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip


def _sides(own: Own, unified: Unified, task: _Task, batch: int, index: Path) -> Sides:
    """Examples for a task. UsageError or DataError where there are too few."""
    config, use = unified.model.config, task.use
    drawn, seen = config.tokenizer.image_size, replace(unified.preparation, size=config.encoder.image_size)
    made = Scenes(seed=digest(own.seed, "scenes"), pixels=seen.size if use == "captions" else drawn)
    if own.scenes == 1:
        made.take(use, 0, 1)  # a size that scenes cannot have is told at once
        return Sides(learned=made, held=tuple(replace(made, seed=digest(own.seed, "held")).take(use, 0, AMONG)))
    shards = partial(Shards, seen=seen, drawn=drawn, fits=_fitting(unified))
    mine = scanned(own.data, index)
    others = scanned(own.held, index) if own.held else []
    rows = shards(mine, own.seed).order(use).rows
    mine = [replace(shard, places=shard.places[some]) for shard, some in zip(mine, rows, strict=True)]
    if not own.held:
        mine, others = parted(mine, own.data)
    real = shards(mine, digest(own.seed, "data"))
    most, share = real.order(use).count, 1 - own.scenes
    if use == "captions" and batch * share > most:
        raise UsageError(
            f"{most} pairs to learn were found and {batch * share:g} of a step were asked for, in which one would be "
            f"told from itself; pass --batch {int(most / share)} or less"
        )
    held = shards(others, digest(own.seed, "held"))
    some = tuple(held.take(use, 0, min(AMONG, held.order(use).count)))
    shards(mine, digest(own.seed, "tried")).take(use, 0, 1)  # what cannot be read is told at once
    if own.scenes:
        made.take(use, 0, 1)
    return Sides(learned=blended(real, made, own.scenes, own.seed), held=some, real=(real,))


def _fitting(unified: Unified) -> Fits:
    """Says why a caption cannot be read."""

    def fits(use: Use, example: Example) -> str:
        try:
            read = unified.words.encode(example.prompt or "") if use == "captions" else [0]
        except UsageError as error:
            return str(error)
        return "" if read else "its caption has no words"

    return fits


def parted(shards: Sequence[Shard], where: Sequence[Path]) -> tuple[list[Shard], list[Shard]]:
    """The same shards with the samples to learn, and with those held out: HELD of the pictures, at least two, by a hash
    of their first HEAD bytes, so that equal files are on one side. DataError where nothing is left to learn."""
    hashes = [_hashes(shard) for shard in shards]
    there = np.sort(np.concatenate([one[one > 0] for one in hashes]))
    last = there[min(len(there), max(2, round(HELD * len(there)))) - 1]
    if last == there[-1]:
        raise DataError(
            f"{', '.join(map(str, where))}: {len(there)} pictures were found, at least two to hold out and another, "
            "unlike them, to learn were expected; pass more, or others with --held"
        )
    sides = []
    for keep in (lambda one: one > last, lambda one: (one > 0) & (one <= last)):
        sides.append([
            replace(shard, places=shard.places[keep(one)]) for shard, one in zip(shards, hashes, strict=True)
        ])  # fmt: skip
    return sides[0], sides[1]


def _hashes(shard: Shard) -> NDArray[np.uint64]:
    """UInt64["samples"]: of the pictures, above 0; 0 where there is none."""
    found = np.zeros(len(shard), np.uint64)
    try:
        with open(shard.path, "rb") as file:
            for k in range(len(shard)):
                if (place := shard.place(k, "picture")) is not None:
                    file.seek(place.offset)
                    head = file.read(min(HEAD, place.size))
                    found[k] = int.from_bytes(blake2b(head, digest_size=8).digest()) | 1
    except OSError as error:
        raise DataError(f"the shard {shard.path} cannot be read ({error.strerror or error}); copy it again") from error
    return found


@torch.no_grad()
def _reconstructed(tokenizer: VisualTokenizer, held: Sequence[Example], batch: int) -> Measured:
    made, codes, pixels = [], [], []
    for first in range(0, len(held), batch):
        some = pictures(held[first : first + batch], tokenizer)
        found = tokenizer.encode(some)
        codes.append(found.flatten().cpu())
        made.append(tokenizer.decode(found).cpu())
        pixels.append(some.cpu())
    return reconstruction(torch.cat(made), torch.cat(pixels), torch.cat(codes)), []


def reconstruction(made: Tensor, pixels: Tensor, codes: Tensor) -> Numbers:
    """How near Float["pictures 3 size size"] are to others, -1 to 1, and how Int["some"] codes are used.

    `held psnr`: decibels, the mean over pictures, what was made cut to the range; `held l1`: mean absolute error;
    `held codes`: how many different ones; `held perplexity`: as many, used equally, would have their entropy.
    """
    apart = made.clamp(-1, 1) - pixels
    square = apart.square().flatten(1).mean(1).clamp_min(SMALLEST_ERROR)
    shares = codes.bincount().double() / len(codes)
    shares = shares[shares > 0]
    return {
        "held psnr": float((10 * (4 / square).log10()).mean()), "held l1": float(apart.abs().mean()),
        "held codes": float(len(shares)), "held perplexity": float((-(shares * shares.log()).sum()).exp()),
        "held pictures": float(len(pixels)),
    }  # fmt: skip


def _unusable(real: Sequence[Shards]) -> dict[str, Any]:
    """Of the samples that were read since the training was last begun, those that could not be used."""
    found: dict[str, Any] = {}
    for one in real:
        found |= {"read": one.faults.read, "unusable": one.faults.spoilt, "lacking": one.faults.apart}
        found |= {"faults": str(one.faults)} if one.faults.which else {}
    return found
