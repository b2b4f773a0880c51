"""Fine-tuning of a unified model on files of one's own: to draw or to understand, all weights or low-rank adapters, on
one device or on many.

The model is a folder in either published layout; what comes out is one in the same, or in the other if asked, with
whatever was not trained unchanged to the bit. Killed at any moment, a training goes on from its newest whole checkpoint
to the same weights.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import torch

from athanor.core.build import build_name, versions
from athanor.core.errors import UsageError
from athanor.core.lines import gone_if_refused, open_folder
from athanor.core.options import changed, refuse_idle
from athanor.core.options import option as named
from athanor.core.progress import progress
from athanor.core.seeds import digest
from athanor.core.store import Manifest
from athanor.models.backends.pretrained import digest_of
from athanor.models.unified import checkpoints, configurations
from athanor.models.unified.layout import Layout
from athanor.models.unified.unified import Unified, understanding
from athanor.training.post import drop_after
from athanor.training.unified.joint import freeze
from athanor.training.unified.kept import keep, restore
from athanor.training.unified.lessons import Example, Examples, Use
from athanor.training.unified.lora import adapt, matrices, save, write_merged
from athanor.training.unified.many import Many, gathered, processes
from athanor.training.unified.recipes import JANUS, JANUS_PRO, ROW
from athanor.training.unified.scenes import Scenes
from athanor.training.unified.settings import Lora, Purpose, Tuning, Work
from athanor.training.unified.shards import Ahead, Blend, Shards, shards_of
from athanor.training.unified.stages import Stage
from athanor.training.unified.tars import scanned
from athanor.training.unified.teaching import USES, Dose, Ratio, counted, refuse_normalised, sample_of

if TYPE_CHECKING:
    from accelerate import Accelerator

KIND = "fine-tuning of a unified model"
MANIFEST, LOG, MODEL, ADAPTER, INDEX = "manifest.json", "log.jsonl", "model", "adapter.safetensors", "index"
_PATHS: dict[Purpose, tuple[str, ...]] = {
    "drawing": ("backbone", "code_embedding", "code_adaptor", "code_head"),
    "understanding": ("encoder_adaptor", "backbone", "text_head"),
    "both": ("encoder_adaptor", "backbone", "text_head", "code_embedding", "code_adaptor", "code_head"),
}
RATIOS: dict[Purpose, Ratio] = {"drawing": (0, 0, 1), "understanding": (1, 0, 0), "both": (1, 0, 1)}


MEASURED = 8
"""Lessons that the loss of held-out shards is taken over, each of as many samples as a part of a step."""


def stage_of(tuning: Tuning, lora: Lora, rows: int) -> Stage:
    """The training as a stage. UsageError for what cannot be meant."""
    if tuning.samples and tuning.rows:
        raise UsageError(f"--tune.samples {tuning.samples} and --tune.rows {tuning.rows} were given; pass one of them")
    if tuning.stage is not None:
        return _published(tuning, rows)
    if tuning.purpose == "drawing" and (tuning.encoder or tuning.question):
        raise UsageError("an encoder or a question does nothing to drawing; leave them out, or teach understanding too")
    rate = (2e-4 if lora.rank else 4e-5) if tuning.rate is None else tuning.rate
    modules = (*_PATHS[tuning.purpose], *(("encoder",) if tuning.encoder else ()))
    dose = Dose(
        samples=tuning.rows or tuning.samples or 64, ratio=tuning.ratio or RATIOS[tuning.purpose],
        unconditional=tuning.unconditional, rows=rows, packed=ROW if tuning.rows else None, by_rows=bool(tuning.rows),
    )  # fmt: skip
    return _used(tuning, Stage(
        name=tuning.purpose, steps=tuning.steps or 1_000, dose=dose, trained=dict.fromkeys(modules, 1.0), rate=rate,
        schedule=tuning.schedule, warm=tuning.warm, weight_decay=tuning.weight_decay, mean=tuning.mean or "task",
    ))  # fmt: skip


def refuse_data(tuning: Tuning, group: str = "tune") -> None:
    """UsageError unless there are shards, or scenes alone. `group`: of the options that said it."""
    scenes, data = named("scenes", group), named("data", group)
    if not 0 <= tuning.scenes <= 1:
        raise UsageError(f"{scenes} {tuning.scenes} was given, 0 to 1 was expected")
    if bool(tuning.data) == (tuning.scenes == 1):
        raise UsageError(
            f"{scenes} {tuning.scenes:g} and {len(tuning.data) or 'no'} {data} were given; pass shards, or {scenes} 1 "
            "without any"
        )


def _used(tuning: Tuning, stage: Stage) -> Stage:
    """Without the modules that nothing goes through: with a task left out, or where codes take the encoder's place."""
    seen, _, drawn = stage.dose.ratio
    idle = ("code_head",) if not drawn else ()
    idle += ("code_embedding", "code_adaptor") if not drawn and (not seen or tuning.understanding != "codes") else ()
    idle += ("encoder", "encoder_adaptor") if not seen or tuning.understanding == "codes" else ()
    return replace(stage, trained={name: share for name, share in stage.trained.items() if name not in idle})


def _published(tuning: Tuning, rows: int) -> Stage:
    """A published stage, with what is given in place of its own."""
    recipe, _, name = str(tuning.stage).rpartition("-")
    stage = next(one for one in {"janus": JANUS, "janus-pro": JANUS_PRO}[recipe] if one.name == name)
    fixed = ("purpose", "schedule", "warm", "weight_decay", "unconditional", "encoder")
    idle = [option for option in changed(tuning, "tune") if option in {named(field, "tune") for field in fixed}]
    refuse_idle(idle, f"--tune.stage {tuning.stage}")
    dose = replace(
        stage.dose, samples=tuning.samples or tuning.rows or stage.dose.samples, by_rows=tuning.samples is None,
        ratio=tuning.ratio or stage.dose.ratio, rows=rows,
    )  # fmt: skip
    return _used(tuning, replace(
        stage, dose=dose, steps=tuning.steps or stage.steps, rate=tuning.rate or stage.rate,
        mean=tuning.mean or stage.mean,
    ))  # fmt: skip


def finetune(
    tuning: Tuning, init: Path, out: Path, seed: int, how: Work | None = None, *, lora: Lora | None = None,
    device: str = "cpu", resume: bool = False,
) -> Path:  # fmt: skip
    """Train from the model in a folder, or go on; the folder of the model that came out. `device`: auto, or a kind of
    devices of which each process has one.

    Writes manifest.json, log.jsonl, checkpoint-STEP/, with adapters adapter.safetensors, and model/. UsageError if the
    folder holds something and `resume` is not given, or if it was made with other settings. Stopped where training
    fails, DataError where the data does: the newest checkpoint is the last good one.
    """
    how, lora = how or Work(), lora or Lora()
    refuse_data(tuning)
    stage_of(tuning, lora, how.rows)  # what cannot be meant is told before anything is written
    accelerator = processes(device)
    main = accelerator.is_main_process
    new = main and not (out / MANIFEST).exists()
    if main:
        precision = {"processes": accelerator.num_processes, "mixed": accelerator.mixed_precision}
        open_folder(out, manifest_of(tuning, lora, init, seed, how, precision), resume=resume, work="a training")
    accelerator.wait_for_everyone()
    if (out / MODEL / "config.json").exists():
        return out / MODEL
    with gone_if_refused(out, new, INDEX):
        many, source, held = _ready(tuning, init, out, seed, how, lora, accelerator)
    unified = many.unified
    _train(many, out, how, source, held)
    weights = matrices(unified.model) if lora.rank else many.weights
    whole = gathered(weights, keep=main)
    if main and lora.rank:
        save(out / ADAPTER, whole, lora)
        write_merged(
            init, out / ADAPTER, out / MODEL, template=how.template, layout=how.layout, by=tuning.understanding
        )
    elif main:
        checkpoints.write_changed(
            init, out / MODEL, whole, template=how.template, layout=how.layout, by=tuning.understanding
        )
    accelerator.wait_for_everyone()
    accelerator.end_training()  # threads of a group that is still there may abort a process that ends
    return out / MODEL


def _ready(
    tuning: Tuning, init: Path, out: Path, seed: int, how: Work, lora: Lora, accelerator: Accelerator
) -> tuple[Many, Examples, Examples | None]:  # fmt: skip
    """The training before its first step, its examples, and held-out ones."""
    stage = stage_of(tuning, lora, how.rows)
    unified = checkpoints.read(init, template=how.template, dtype=torch.float32)
    unified = unified if tuning.understanding is None else understanding(unified, tuning.understanding)
    refuse_normalised(unified)
    if (how.layout or checkpoints.layout_of(init)) == "huggingface":
        configurations.holds(unified.model.config)
    if how.checkpointing:
        save_memory(unified)
    if lora.rank:
        adapt(unified.model, lora, list(stage.trained), seed)
    else:
        freeze(unified.model, stage)
    index, row = out / INDEX, stage.dose.packed
    parts = accelerator.num_processes if tuning.parts is None else tuning.parts
    with accelerator.main_process_first():
        source = sources(tuning, unified, index, seed, row)
        others = replace(tuning, data=how.held, scenes=0.0)
        held = sources(others, unified, index, seed, row) if how.held else None
        measured = sources(tuning, unified, index, digest(seed, "lengths"), row)
        stage = replace(stage, dose=counted(unified, measured, stage.dose, parts))
        for use, many in zip(USES, stage.dose.counts, strict=True):
            if many:
                measured.take(use, 0, 1)  # what there is none of is told before training begins
    return Many(unified, stage, source, digest(seed, "lessons"), accelerator, parts), source, held


def save_memory(unified: Unified) -> None:
    """Let the backbone and the encoder compute their activations twice in place of keeping them."""
    for module in (unified.model.backbone, unified.model.encoder):
        module.activation_checkpointing_enable({"use_reentrant": False})
        module.train()  # the library does it in training alone; nothing is dropped out there


def sources(
    tuning: Tuning, unified: Unified, index: Path, seed: int, row: int | None = None
) -> Examples:  # fmt: skip
    """Where examples come from. `row`: tokens that a sample may have at most, where they are packed."""
    sizes = {unified.model.config.tokenizer.image_size, unified.preparation.size}
    if tuning.scenes and len(sizes) > 1:
        raise UsageError(
            f"the model draws pictures of {unified.model.config.tokenizer.image_size} pixels and sees them at "
            f"{unified.preparation.size}: scenes have one size; leave --tune.scenes out"
        )
    made = Scenes(seed=digest(seed, "scenes"), pixels=max(sizes))
    if tuning.scenes == 1:
        return made
    real = Shards(
        scanned(tuning.data, index), digest(seed, "data"), seen=unified.preparation,
        drawn=unified.model.config.tokenizer.image_size, window=tuning.window, question=tuning.question or None,
        fits=fitting(unified.layout, row),
    )  # fmt: skip
    return blended(real, made, tuning.scenes, seed)


def blended(real: Shards, made: Scenes, share: float, seed: int) -> Examples:
    """Shards, with scenes for a share of the examples below 1."""
    return Blend(((real, 1 - share), (made, share)), digest(seed, "blend")) if share else real


def fitting(layout: Layout, row: int | None = None) -> Callable[[Use, Example], str]:
    """Says why a model cannot be taught an example: it is too long, for the model or for a packed row, or has words
    that the model does not know or that are marks of its own."""

    def fits(use: Use, example: Example) -> str:
        try:
            sample = sample_of(layout, use, example)
        except UsageError as error:
            return str(error)
        if row is not None and len(sample) > row:
            return f"it has {len(sample)} tokens, at most {row} of a row were expected"
        return ""

    return fits


def _train(many: Many, out: Path, how: Work, source: Examples, held: Examples | None) -> None:
    """All steps that are left, with a line of the log for each and checkpoints on the way."""
    stage, main = many.stage, many.accelerator.is_main_process
    begun = restore(many, out)
    if how.workers:
        turns = sum(map(bool, many.dose.counts)) * len(many.mine(0))
        many.examples = Ahead(source, many.request, begun * turns, how.workers)
    if main and (out / LOG).exists():
        drop_after(out / LOG, begun - 1)
    lines: list[dict[str, Any]] = []
    with progress(stage.steps, "step", stage.name, begun) as bar:
        for step in range(begun, stage.steps):
            lines.append({"step": step, **many.step(step)})
            bar.update()
            done = step + 1
            if done % how.every == 0 or done == stage.steps:
                lines[-1] |= _told(many, how, source, held)
                if main:
                    with open(out / LOG, "a") as file:
                        file.writelines(json.dumps(line) + "\n" for line in lines)
                keep(many, out, done)
                lines = []


def _told(many: Many, how: Work, source: Examples, held: Examples | None) -> dict[str, Any]:
    """What is told with a checkpoint: how many samples could not be used or had not what they were read for, which
    (those of this process), and held-out losses."""
    faults = [one.faults for one in shards_of(source)]
    mine = [(one.read, one.spoilt, one.apart) for one in faults] or [(0, 0, 0)]
    counts = many.summed(torch.tensor(mine, dtype=torch.float64, device=many.accelerator.device).sum(0))
    found: dict[str, Any] = dict(zip(("read", "unusable", "lacking"), map(int, counts), strict=True))
    found["samples"] = many.stage.dose.samples
    if any(one.which for one in faults):
        found["faults"] = "; ".join(map(str, faults))
    if held is not None:
        nats = many.measure(held, MEASURED)
        found |= {f"held {name}": value for name, value in nats.items()}
    return found


def manifest_of(tuning: Tuning, lora: Lora, init: Path, seed: int, how: Work, more: dict[str, Any]) -> Manifest:
    """What the run is: enough to make it again."""
    science = {"tuning": asdict(tuning), "lora": asdict(lora), "seed": seed, "template": how.template}
    return Manifest(
        kind=KIND, config=plain(science), execution=plain(asdict(how) | more | {"init": init}), build=build_name(),
        versions=versions(), hashes={"model": digest_of(init, ("*.bin",)), "shards": hash_of(tuning.data)},
        label=f"{init.name}, {tuning.purpose}", created=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip


def hash_of(data: Sequence[Path]) -> str:
    """Of the shards' names and sizes, their contents unread."""
    files = [file for path in data for file in (sorted(path.glob("*.tar")) if path.is_dir() else [path])]
    sizes = json.dumps([[file.name, file.stat().st_size if file.exists() else None] for file in files])
    return f"{digest(0, sizes):032x}"


def plain(value: Any) -> Any:
    """As JSON values."""
    return msgspec.json.decode(msgspec.json.encode(value, enc_hook=str))
