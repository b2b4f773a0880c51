"""A whole training as a folder: parts one after the other, a log, checkpoints, and the model with its card at the end.

Killed at any moment, it goes on from its newest checkpoint to the same weights, bit for bit.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import process_time
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor

from athanor.core.build import build_name, versions
from athanor.core.disk import write_atomically
from athanor.core.errors import DataError
from athanor.core.lines import begin_or_go_on
from athanor.core.progress import progress
from athanor.core.seeds import digest
from athanor.core.store import Manifest
from athanor.environments.scenes.words import WORDS
from athanor.models.unified import checkpoints
from athanor.models.unified.initial import initialise
from athanor.models.unified.model import UnifiedModel
from athanor.models.unified.text_tokenizer import WordTokenizer
from athanor.models.unified.unified import Unified, fresh
from athanor.training import checkpoint
from athanor.training.unified.lessons import Examples, Then
from athanor.training.unified.measures import held
from athanor.training.unified.parts import EncoderPart, Numbers, Part, StagePart, TokenizerPart
from athanor.training.unified.recipes import Recipe
from athanor.training.unified.scenes import Scenes
from athanor.training.unified.scores import Score, answered, drawn, mean, reconstructed
from athanor.training.unified.twins import Twins

KIND = "unified training"
LOG, CARD, MODEL = "logs.jsonl", "card.json", "model"
UNNAMED = 0.3
"""Of `Scenes.unnamed`, in stages."""
EVERY = 10
"""Steps of which a line of the log is the mean."""


def begun(recipe: Recipe, device: str) -> Unified:
    """The model before the first step."""
    generator = torch.Generator().manual_seed(digest(recipe.seed, "weights") % 2**63)
    model = initialise(UnifiedModel(recipe.shape), generator)
    return fresh(model, WordTokenizer((*WORDS, ":"))).to(device)


def makers(recipe: Recipe, unified: Unified, examples: Callable[[Recipe, int], Examples]) -> list[Callable[[], Part]]:
    """The parts in their order, each made when it begins."""
    seed, trial = recipe.seed, recipe.watch
    measured = held(seed, recipe.measured, recipe.style, recipe.pixels)
    of = [examples(recipe, k) for k in range(len(recipe.stages) + 1)]

    def stage(k: int) -> Callable[[], Part]:
        return lambda: StagePart(unified, recipe.stages[k], of[k + 1], measured, trial, seed, recipe.half)

    other = Scenes(seed=digest(seed, "retrieved"), style=recipe.style, pixels=recipe.pixels)
    made: list[Callable[[], Part]] = []
    if recipe.tokenizer is not None:
        tokenizer = recipe.tokenizer
        made.append(lambda: TokenizerPart(unified, tokenizer, of[0], trial, seed))
    if recipe.encoder is not None:
        encoder = recipe.encoder
        first = of[0]
        pairs = Twins(scenes=first) if isinstance(first, Scenes) else first
        made.append(lambda: EncoderPart(unified, encoder, pairs, Twins(scenes=other), seed, half=recipe.half))
    return made + [stage(k) for k in range(len(recipe.stages))]


def scenes(recipe: Recipe, k: int) -> Examples:
    """The generator of scenes for the part before the stages (0) or for stage `k`."""
    seed = digest(recipe.seed, "examples", k)
    if k == 0:
        return Scenes(seed=seed, style=recipe.style, pixels=recipe.pixels)
    stage = recipe.stages[k - 1]
    late = Scenes(
        seed=seed, style=recipe.style, weights=stage.weights, dense=stage.dense, described=stage.described,
        veiled=stage.veiled, left_out=stage.veiled, unnamed=UNNAMED, pixels=recipe.pixels,
    )  # fmt: skip
    if not stage.words:
        return late
    first = replace(late, veiled=0.9, left_out=1.0, dense=0.0)
    return Then(first=first, until=round(stage.words * stage.steps), then=late)


def train(
    recipe: Recipe, out: Path, *, device: str = "cpu", initial: Unified | None = None,
    examples: Callable[[Recipe, int], Examples] = scenes, measured: bool = True, like: Path | None = None,
) -> Unified:  # fmt: skip
    """Train, or go on with what is in `out`; gives the model, and writes logs.jsonl, checkpoints, `model/` and, where
    TensorBoard is installed, tensorboard/. `initial`: a model to begin from in place of random weights. `measured`:
    whether anything is measured on the way and scored at the end. `like`: a folder whose layout and dtypes the model is
    written in, that of `initial`; left out, float16."""
    unified = initial.to(device, torch.float32) if initial is not None else begun(recipe, device)
    _manifest(recipe, out)
    path = checkpoint.newest(out)
    found = checkpoint.read(path, KIND, device) if path is not None else None
    about = {"part": 0, "step": 0, "total": 0, "cpu_seconds": 0.0} if found is None else found.about
    run = _Run(recipe=recipe, unified=unified, out=out, spent=about["cpu_seconds"], measured=measured, like=like)
    with _log(out, about["total"]) as tell:
        for number, make in enumerate(makers(recipe, unified, examples)):
            if number < about["part"]:
                run.total += recipe.steps[number]
                continue
            part, begin = make(), 0
            if found is not None and number == about["part"]:
                _restore(part, unified, found.tensors)
                begin = about["step"]
            _through(run, part, number, begin, tell)
            run.total += part.steps
    finish(run)
    return unified


def _restore(part: Part, unified: Unified, tensors: dict[str, Tensor]) -> None:
    kept: dict[str, dict[str, Tensor]] = {"model": {}, "part": {}}
    for name, tensor in tensors.items():
        where, _, rest = name.partition(".")
        kept[where][rest] = tensor
    try:
        unified.model.load_state_dict(kept["model"])
        part.restore(kept["part"])
    except (KeyError, RuntimeError) as error:
        raise DataError(f"the checkpoint is of another model or part ({error}); begin with another --out") from error


@dataclass(kw_only=False)
class _Run:
    """What goes through all parts."""

    recipe: Recipe
    unified: Unified
    out: Path
    total: int = 0
    """Steps of the parts before."""
    spent: float = 0.0
    """CPU seconds."""
    measured: bool = True
    like: Path | None = None


def _through(run: _Run, part: Part, number: int, begin: int, tell: Callable[[dict[str, Any], int], None]) -> None:
    """One part from a step to its end, with measures and a checkpoint on the way."""
    points, model = run.recipe.points(part.steps), run.unified.model
    kept: list[Numbers] = []
    model.train()
    with progress(part.steps, "step", part.name, begin) as bar:
        for step in range(begin, part.steps):
            before = process_time()
            kept.append(part.step(step))
            run.spent += process_time() - before
            bar.update()
            at = {"part": part.name, "step": step + 1}
            if len(kept) == EVERY or step + 1 in points:
                tell(at | {"cpu_seconds": round(run.spent, 2)} | _means(kept), run.total + step + 1)
                kept = []
            if step + 1 in points:
                model.eval()
                before = process_time()
                numbers, scores = part.measure() if run.measured else ({}, [])
                run.spent += process_time() - before
                model.train()
                tell(at | {"cpu_seconds": round(run.spent, 2)} | numbers | named(scores), run.total + step + 1)
                _save(run, part, number, step + 1)


def _means(kept: list[Numbers]) -> Numbers:
    """Of each number, over the steps that have it; tokens a second of all of them."""
    names = dict.fromkeys(name for one in kept for name in one)
    found = {name: float(np.mean([one[name] for one in kept if name in one])) for name in names}
    if "tokens" in found:
        found["tokens_per_second"] = found["tokens"] / max(found["step_seconds"], 1e-9)
    return found


def named(scores: list[Score]) -> dict[str, float]:
    """Shares under the names of the log, with GenEval's mean and the mean over all questions."""
    found = {f"{one.of} {one.name}": share for one in scores if (share := one.share) is not None}
    whole = mean(scores)
    if whole is not None:
        found["drawn mean"] = whole
    asked = [one for one in scores if one.of == "answered"]
    if asked:
        found["answered all"] = sum(one.right for one in asked) / max(1, sum(one.n for one in asked))
    return found


def _save(run: _Run, part: Part, number: int, step: int) -> None:
    tensors = {f"model.{name}": tensor for name, tensor in run.unified.model.state_dict().items()}
    tensors |= {f"part.{name}": tensor for name, tensor in part.tensors().items()}
    total = run.total + step
    about = {"kind": KIND, "part": number, "name": part.name, "step": step, "total": total, "cpu_seconds": run.spent}
    checkpoint.write(run.out / f"checkpoint-{total:07d}.safetensors", tensors, about)
    checkpoint.keep_newest(run.out)


def finish(run: _Run) -> None:
    """The last scores, and the model with its card."""
    unified, recipe, spent, out = run.unified, run.recipe, run.spent, run.out
    unified.model.eval()
    folder = out / MODEL
    if (folder / CARD).exists():
        return
    before = process_time()
    scores: list[Score] = []
    if run.measured:
        trial = recipe.final
        scores = [*reconstructed(unified, trial), *drawn(unified, trial), *answered(unified, trial)]
    spent += process_time() - before
    card = {
        "recipe": recipe.told(), "build": build_name(), "versions": versions(), "cpu_seconds": round(spent, 1),
        "threads": torch.get_num_threads(), "parameters": sum(w.numel() for w in unified.model.parameters()),
        "summary": named(scores), "scores": [msgspec.to_builtins(one) for one in scores],
    }  # fmt: skip
    if not (folder / "config.json").exists():
        _write(run, folder)
    write_atomically(folder / CARD, json.dumps(card, indent=1).encode())
    print(json.dumps({"part": "final", "cpu_seconds": round(spent, 1), **card["summary"]}), file=sys.stderr)


def _write(run: _Run, folder: Path) -> None:
    if run.like is None:
        checkpoints.write(folder, run.unified, dtype=torch.float16)
    else:
        checkpoints.write_changed(run.like, folder, run.unified.model.state_dict(), template=run.unified.template)


def _manifest(recipe: Recipe, out: Path) -> None:
    begin_or_go_on(out, Manifest(
        kind=KIND, config=recipe.told(), build=build_name(), versions=versions(), hashes={}, label=out.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    ))  # fmt: skip


@contextmanager
def _log(out: Path, total: int) -> Iterator[Callable[[dict[str, Any], int], None]]:
    """Gives what writes a line into the log, and its numbers as curves; lines after step `total` are dropped."""
    path = out / LOG
    if path.exists():
        write_atomically(path, b"".join(_before(path, total)))
    with open(path, "a") as file, _board(out, total) as board:

        def tell(line: dict[str, Any], at: int) -> None:
            file.write(json.dumps({"total": at, **line}) + "\n")
            file.flush()
            if board is not None:
                for name, value in line.items():
                    if name not in ("part", "step"):
                        board.add_scalar(f"{line['part']}/{name}", value, at)

        yield tell


def _before(path: Path, total: int) -> Iterator[bytes]:
    """The whole lines of a log up to a step."""
    for line in path.read_bytes().splitlines(keepends=True):
        try:
            if json.loads(line)["total"] > total:
                return
        except (ValueError, KeyError, TypeError):
            return
        yield line


@contextmanager
def _board(out: Path, total: int) -> Iterator[Any]:
    """TensorBoard, where it is installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        yield None
        return
    with SummaryWriter(str(out / "tensorboard"), purge_step=total + 1 if total else None) as writer:
        yield writer
