"""A whole training as a folder: parts one after the other, a log, checkpoints, and the model with its card at the end.

Killed at any moment, it goes on from its newest checkpoint to the same weights, bit for bit.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import process_time
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

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
from athanor.models.unified.usual import Usual
from athanor.training import checkpoint
from athanor.training.unified.lessons import Examples, Then
from athanor.training.unified.measures import held
from athanor.training.unified.parts import AMONG, EncoderPart, Measured, Numbers, Part, StagePart, TokenizerPart
from athanor.training.unified.recipes import Recipe, points
from athanor.training.unified.scenes import EVENLY, Scenes
from athanor.training.unified.scores import Score, answered, drawn, mean, reconstructed

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
        more = {"half": recipe.half, "compiled": recipe.compiled}
        return lambda: StagePart(unified, recipe.stages[k], of[k + 1], measured, trial, seed, **more)

    other = Scenes(seed=digest(seed, "retrieved"), style=recipe.style, pixels=recipe.pixels)
    made: list[Callable[[], Part]] = []
    if recipe.tokenizer is not None:
        tokenizer = recipe.tokenizer
        made.append(lambda: TokenizerPart(unified, tokenizer, of[0], lambda: ({}, reconstructed(unified, trial)), seed))
    if recipe.encoder is not None:
        encoder = recipe.encoder
        twins = other.take("captions", 0, AMONG)
        made.append(lambda: EncoderPart(unified, encoder, of[0], twins, seed, half=recipe.half))
    return made + [stage(k) for k in range(len(recipe.stages))]


def scenes(recipe: Recipe, k: int) -> Examples:
    """The generator of scenes for the part before the stages (0) or for stage `k`."""
    seed = digest(recipe.seed, "examples", k)
    if k == 0:
        weights = EVENLY if recipe.encoder is None else recipe.encoder.weights
        return Scenes(seed=seed, style=recipe.style, asked=weights, pixels=recipe.pixels)
    stage = recipe.stages[k - 1]
    late = Scenes(
        seed=seed, style=recipe.style, weights=stage.weights, asked=stage.asked, dense=stage.dense,
        questions=stage.questions, described=stage.described, veiled=stage.veiled, left_out=stage.veiled,
        paired=stage.paired, unnamed=UNNAMED, pixels=recipe.pixels,
    )  # fmt: skip
    if not stage.words:
        return late
    first = replace(late, veiled=0.9, left_out=1.0, dense=0.0)
    return Then(first=first, until=round(stage.words * stage.steps), then=late)


def train(
    recipe: Recipe, out: Path, *, device: str = "cpu", initial: Unified | None = None,
    examples: Callable[[Recipe, int], Examples] = scenes, measured: bool = True,
) -> Unified:  # fmt: skip
    """Train, or go on with what is in `out`; gives the model, and writes logs.jsonl, checkpoints, `model/` and, where
    TensorBoard is installed, tensorboard/. `initial`: a model to begin from in place of random weights. `measured`:
    whether anything is measured on the way and scored at the end. The model is written in float16."""
    unified = initial.to(device, torch.float32) if initial is not None else begun(recipe, device)
    final = recipe.final
    unified = replace(unified, usual=Usual(guidance=final.guidance, temperature=final.temperature))
    parts = makers(recipe, unified, examples)
    _manifest(recipe, out)

    def scored(last: Part) -> Measured:
        return {}, [*reconstructed(unified, final), *drawn(unified, final), *answered(unified, final)]

    run = Run(
        unified=unified, out=out, kind=KIND, recipe=recipe.told(), every=recipe.every, final=scored, measured=measured
    )  # fmt: skip
    carry_out(run, list(zip(recipe.steps, parts, strict=True)))
    return unified


@dataclass(kw_only=True)
class Run:
    """What goes through all parts of a training."""

    unified: Unified
    out: Path
    kind: str
    """Of its checkpoints."""
    recipe: dict[str, Any]
    """What it was asked for, as JSON values, for the card."""
    every: int
    """As `recipes.points` has it."""
    final: Callable[[Part], Measured]
    """What the card tells of the model, after the last part."""
    module: str = ""
    """Of the model, what is trained, and kept in checkpoints; empty for all of it."""
    like: Path | None = None
    """The folder of the model that was begun from; None for random weights."""
    measured: bool = True
    beside: Callable[[], dict[str, Any]] = dict
    """What the log tells with every measure beside it."""
    total: int = 0
    """Steps of the parts before."""
    spent: float = 0.0
    """CPU seconds."""

    @property
    def trained(self) -> nn.Module:
        return self.unified.model.get_submodule(self.module)


def carry_out(run: Run, parts: Sequence[tuple[int, Callable[[], Part]]]) -> None:
    """Parts, each with its steps and made when it begins, one after the other, from the newest checkpoint on; then the
    model with its card. The manifest must be there. DataError for a checkpoint that is torn or another's."""
    found = checkpoint.read_newest(run.out, run.kind, str(next(run.trained.parameters()).device))
    about = {"part": 0, "step": 0, "total": 0, "cpu_seconds": 0.0} if found is None else found.about
    run.spent = about["cpu_seconds"]
    part = None
    with _log(run.out, about["total"]) as tell:
        for number, (steps, make) in enumerate(parts):
            if number < about["part"]:
                run.total += steps
                continue
            part, begin = make(), 0
            if found is not None and number == about["part"]:
                _restore(part, run.trained, found.tensors)
                begin = about["step"]
            _through(run, part, number, begin, tell)
            run.total += part.steps
    assert part is not None
    finish(run, part)


def _restore(part: Part, trained: nn.Module, tensors: dict[str, Tensor]) -> None:
    kept: dict[str, dict[str, Tensor]] = {"model": {}, "part": {}}
    for name, tensor in tensors.items():
        where, _, rest = name.partition(".")
        kept[where][rest] = tensor
    try:
        trained.load_state_dict(kept["model"])
        part.restore(kept["part"])
    except (KeyError, RuntimeError) as error:
        raise DataError(f"the checkpoint is of another model or part ({error}); begin with another --out") from error


def _through(run: Run, part: Part, number: int, begin: int, tell: Callable[[dict[str, Any], int], None]) -> None:
    """One part from a step to its end, with measures and a checkpoint on the way."""
    measures, model = points(part.steps, run.every), run.unified.model
    kept: list[Numbers] = []
    model.train()
    with progress(part.steps, "step", part.name, begin) as bar:
        for step in range(begin, part.steps):
            before = process_time()
            kept.append(part.step(step))
            run.spent += process_time() - before
            bar.update()
            at = {"part": part.name, "step": step + 1}
            if len(kept) == EVERY or step + 1 in measures:
                tell(at | {"cpu_seconds": round(run.spent, 2)} | _means(kept), run.total + step + 1)
                kept = []
            if step + 1 in measures:
                model.eval()
                before = process_time()
                numbers, scores = part.measure() if run.measured else ({}, [])
                run.spent += process_time() - before
                model.train()
                line = at | {"cpu_seconds": round(run.spent, 2)} | numbers | named(scores) | run.beside()
                tell(line, run.total + step + 1)
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


def _save(run: Run, part: Part, number: int, step: int) -> None:
    tensors = {f"model.{name}": tensor for name, tensor in run.trained.state_dict().items()}
    tensors |= {f"part.{name}": tensor for name, tensor in part.tensors().items()}
    total = run.total + step
    at = {"part": number, "name": part.name, "step": step, "total": total}
    about = {"kind": run.kind, **at, "cpu_seconds": run.spent}
    checkpoint.write(run.out / f"checkpoint-{total:07d}.safetensors", tensors, about)
    checkpoint.keep_newest(run.out)


def finish(run: Run, last: Part) -> None:
    """The last scores, and the model with its card."""
    unified, spent, folder = run.unified, run.spent, run.out / MODEL
    unified.model.eval()
    if (folder / CARD).exists():
        return
    if run.like is None:
        _round(unified.model)
    before = process_time()
    numbers, scores = run.final(last) if run.measured else ({}, [])
    spent += process_time() - before
    card = {
        "recipe": run.recipe, "build": build_name(), "versions": versions(), "cpu_seconds": round(spent, 1),
        "threads": torch.get_num_threads(), "parameters": sum(w.numel() for w in unified.model.parameters()),
        "summary": numbers | named(scores), "scores": [msgspec.to_builtins(one) for one in scores],
    }  # fmt: skip
    if not (folder / "config.json").exists():
        _write(run, folder)
    write_atomically(folder / CARD, json.dumps(card, indent=1).encode())
    print(json.dumps({"part": "final", "cpu_seconds": round(spent, 1), **card["summary"]}), file=sys.stderr)


@torch.no_grad()
def _round(model: nn.Module) -> None:
    """To what is written, so that the scores are those of the written model. DataError for a weight beyond float16."""
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(tensor.half())
            if not bool(torch.isfinite(tensor).all()):
                raise DataError(f"a weight of {name} is beyond float16, in which the model is written; train it again")


def _write(run: Run, folder: Path) -> None:
    if run.like is None:
        checkpoints.write(folder, run.unified, dtype=torch.float16)
        return
    before = f"{run.module}." if run.module else ""
    changed = {f"{before}{name}": tensor for name, tensor in run.trained.state_dict().items()}
    checkpoints.write_changed(run.like, folder, changed, template=run.unified.template)


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
                    if name != "step" and not isinstance(value, str):
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
