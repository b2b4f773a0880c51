"""Reinforcement of drawing as a folder: what was asked, the log, checkpoints, scores on the way, and the model.

Killed at any moment, it goes on from its newest checkpoint to the same weights, bit for bit.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec
import numpy as np
import torch

from athanor.core.build import build_name, versions
from athanor.core.errors import DataError
from athanor.core.lines import gone_if_refused, open_folder
from athanor.core.progress import progress
from athanor.core.seeds import digest, stream
from athanor.core.store import Manifest
from athanor.environments.scenes import STYLES, split_of
from athanor.environments.scenes.prompts import prompts
from athanor.models.backends.pretrained import digest_of
from athanor.models.unified import checkpoints
from athanor.models.unified.drawing import Drawing, draw
from athanor.models.unified.pictures import to_images
from athanor.training import checkpoint
from athanor.training.post import board, drop_after
from athanor.training.precision import mixed
from athanor.training.unified import drawing_rl
from athanor.training.unified.drawing_rl import Learner, Verifier, exact
from athanor.training.unified.lora import matrices, merged, save, write_merged
from athanor.training.unified.settings import DrawingRL, Lora

KIND = "train drawing"
MODEL, ADAPTER = "model", "adapter.safetensors"
"""What came out: a whole model, and with adapters these alone."""
Part = Literal["train", "test"]


@dataclass(frozen=True, kw_only=True)
class Execution:
    """How a run is carried out."""

    every: int = 20
    """Steps between checkpoints, each with its scores."""
    each: int = 4
    """Prompts of each category and part that images are drawn of for a score; 0 for none."""
    device: str = "cpu"
    dtype: torch.dtype | None = torch.float32
    """Of the weights; None as in the files."""
    mixed: bool = False
    """Whether products are taken in bfloat16."""
    template: str | None = None
    """As `checkpoints.read`."""


def reinforce(
    config: DrawingRL, model: Path, out: Path, seed: int, how: Execution, *, lora: Lora | None = None,
    resume: bool = False, verify: Verifier | None = None,
) -> Path:  # fmt: skip
    """Train from the model in a folder, or go on; the folder of the model that came out, in the layout and the dtypes
    of the first.

    Writes manifest.json, log.jsonl, scores.jsonl, checkpoint-STEP.safetensors, with adapters adapter.safetensors,
    model/ and, where TensorBoard is installed, tensorboard/. UsageError if the folder holds something and `resume` is
    not given, or if it was made with other settings. Stopped where training fails: the newest checkpoint is the last
    good one.
    """
    lora = lora or Lora()
    new = not (out / "manifest.json").exists()
    open_folder(out, manifest_of(config, lora, model, seed, how), resume=resume, work="a training")
    if (out / MODEL / "config.json").exists():
        return out / MODEL
    with gone_if_refused(out, new):
        unified = checkpoints.read(model, template=how.template, device=how.device, dtype=how.dtype)
        run = drawing_rl.learner(unified, config, lora, seed=seed, mixed=how.mixed)
    begun = _restore(run, out)
    verify = verify or exact(config.reward)
    told: list[dict[str, Any]] = []
    with progress(config.steps, "step", out.name, begun) as bar, board(out, begun) as curves:
        if not begun:
            curves.add([], 0, _score(run, config, out, seed, 0, how, verify))
        for line in drawing_rl.train(run, config, seed, begun=begun, verify=verify):
            told.append(line)
            done = line["step"] + 1
            if done % how.every == 0 or done == config.steps:
                _append(out / "log.jsonl", told)
                scores = _score(run, config, out, seed, done, how, verify)
                _keep(run, out, done)
                curves.add(told, done, scores)
                told = []
            bar.update()
    if lora.rank:
        save(out / ADAPTER, matrices(unified.model), lora)
        write_merged(model, out / ADAPTER, out / MODEL, template=how.template)
    else:
        changed = {name.replace("/", "."): weight for name, weight in run.trained.items()}
        checkpoints.write_changed(model, out / MODEL, changed, template=how.template)
    return out / MODEL


def manifest_of(config: DrawingRL, lora: Lora, model: Path, seed: int, how: Execution) -> Manifest:
    """What the run is: enough to make it again."""
    science = {
        **asdict(config),
        "lora": asdict(lora),
        "seed": seed,
        "dtype": str(how.dtype),
        "mixed": how.mixed,
        "template": how.template,
    }
    execution = {"model": str(model), "every": how.every, "each": how.each, "device": how.device}
    return Manifest(
        kind=KIND, config=msgspec.json.decode(msgspec.json.encode(science)), execution=execution, build=build_name(),
        versions=versions(), hashes={"model": digest_of(model, ("*.bin",))},
        label=f"{model.name}, {config.algorithm}", created=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip


def _restore(run: Learner, out: Path) -> int:
    """Take the newest checkpoint over; the steps that were done. What the logs have after it is dropped."""
    path = checkpoint.newest(out)
    if path is None:
        for name in ("log.jsonl", "scores.jsonl"):
            (out / name).unlink(missing_ok=True)
        return 0
    tensors, about = checkpoint.read(path, KIND)
    parts: dict[str, dict[str, Any]] = {"model": {}, "optimizer": {}}
    for name, tensor in tensors.items():
        part, _, rest = name.partition("/")
        parts[part][rest] = tensor
    try:
        run.trained.load_state_dict(parts["model"])
    except RuntimeError as error:
        why = str(error).splitlines()[0]
        raise DataError(f"{path} is of another model ({why}); begin again with another --out") from error
    run.optimizers.restore(parts["optimizer"])
    for name, value in about["ledger"].items():
        setattr(run.ledger, name, value)
    drop_after(out / "log.jsonl", about["step"] - 1)
    drop_after(out / "scores.jsonl", about["step"])
    return about["step"]


def _keep(run: Learner, out: Path, step: int) -> None:
    tensors = {f"model/{name}": tensor for name, tensor in run.trained.state_dict().items()}
    tensors |= {f"optimizer/{name}": tensor for name, tensor in run.optimizers.state().items()}
    about = {"kind": KIND, "step": step, "ledger": asdict(run.ledger)}
    checkpoint.write(out / f"checkpoint-{step:06d}.safetensors", tensors, about)
    checkpoint.keep_newest(out)


def _score(
    run: Learner, config: DrawingRL, out: Path, seed: int, step: int, how: Execution, verify: Verifier
) -> list[dict[str, Any]]:
    rows = [row for part in get_args(Part) for row in scores(run, config, seed, part, how.each, verify)]
    _append(out / "scores.jsonl", [{"step": step, **row} for row in rows])
    return rows


def _append(path: Path, lines: list[dict[str, Any]]) -> None:
    with open(path, "a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)


def scores(
    run: Learner, config: DrawingRL, seed: int, part: Part, each: int, verify: Verifier
) -> list[dict[str, Any]]:  # fmt: skip
    """By category, of one image of each of `each` prompts of a part: the share that passed, and of checks that held.

    The prompts and seeds are the same at every step.
    """
    if not each:
        return []
    rng, split = stream(seed, "score", part), split_of(part)
    asked = [(name, spec) for name in config.categories for spec in prompts(name, STYLES["aligned"], split, rng, each)]
    how = Drawing(guidance=config.guidance, sampling=config.sampling, batch=config.micro)
    with mixed(run.unified.device, run.mixed), merged(run.unified.model):
        drawn = draw(run.unified, [spec.prompt for _, spec in asked], [digest(seed, "score")], how)
    images = [np.asarray(image) for image in to_images(drawn.pixels[:, 0])]
    judged = verify(images, [spec for _, spec in asked])
    found = []
    for category in config.categories:
        mine = [i for i, (name, _) in enumerate(asked) if name == category]
        shares = [float(np.mean([column[i] for i in mine])) for column in (judged.passed, judged.shares)]
        found.append({"condition": f"{part} {category}", "n": each, "share": shares[0], "checks": shares[1]})
    return found
