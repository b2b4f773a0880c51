"""Fine-tuning on own right drawings: what a model draws is judged, and what passes is learned as if it were given.

The images are those that reinforcement would sample from the model as it is, all drawn before anything is learned; then
their codes are learned by cross-entropy, as pictures are in training (rejection sampling; RAFT, Dong et al. 2023, arXiv
2304.06767). Prompts weigh alike, however many of their images passed: else what is easy would be all that is learned.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import torch

from athanor.core.build import build_name, versions
from athanor.core.disk import write_atomically
from athanor.core.errors import Stopped
from athanor.core.lines import gone_if_refused, open_folder
from athanor.core.progress import progress
from athanor.core.seeds import stream
from athanor.core.store import Manifest
from athanor.models.backends.pretrained import digest_of
from athanor.models.unified import checkpoints
from athanor.models.unified.layout import Ints, collate
from athanor.models.unified.losses import token_losses
from athanor.training.optimizers import clip
from athanor.training.unified import drawing_rl
from athanor.training.unified.drawing_rl import DrawingRL, Learner, Verifier, exact

KIND = "fine-tuning on own drawings"
MODEL = "model"


@dataclass(frozen=True, kw_only=True)
class Rejection:
    """How a model is fine-tuned on its own right drawings."""

    sampled: DrawingRL
    """What is drawn: as many images as so many steps of reinforcement draw, of the same prompts. Rates are its too."""
    steps: int
    """Of learning."""
    batch: int = 64
    """Drawings of a step."""
    unconditional: float = 0.1
    """Probability that a prompt is replaced by padding, for guidance."""


class Own(NamedTuple):
    """A drawing that passed."""

    prompt: str
    codes: Ints


def collect(run: Learner, config: DrawingRL, seed: int, verify: Verifier) -> list[list[Own]]:
    """The drawings that passed, by prompt; prompts of which none did are left out. Stopped where nothing passed."""
    found: dict[str, list[Own]] = {}
    with progress(config.steps, "batch", "draw") as bar:
        for step in range(config.steps):
            asked = drawing_rl.ask(config, seed, step)
            drawn = drawing_rl.sample(run, config, asked, seed, step, verify)
            codes = drawn.codes.cpu().numpy()
            for k in torch.nonzero(drawn.passed.flatten())[:, 0].tolist():
                found.setdefault(drawn.prompts[k], []).append(Own(drawn.prompts[k], codes[k]))
            bar.update()
    if not found:
        raise Stopped(
            f"of {run.ledger.episodes} images none passed, so that there is nothing to learn from; begin from a model "
            "that draws some prompts right, or take easier categories"
        )
    return list(found.values())


def train(run: Learner, config: Rejection, seed: int, kept: Sequence[Sequence[Own]]) -> Iterator[dict[str, Any]]:
    """Learn step by step; gives each step's line of the log. Stopped where it fails."""
    layout, model = run.unified.layout, run.unified.model
    for step in range(config.steps):
        rng = stream(seed, "own", step)
        chosen = [kept[k][int(rng.random() * len(kept[k]))] for k in rng.integers(0, len(kept), config.batch).tolist()]
        blank = rng.random(config.batch) < config.unconditional
        samples = [layout.drawing(one.prompt, one.codes, conditional=not left)
                   for one, left in zip(chosen, blank.tolist(), strict=True)]  # fmt: skip
        nats = 0.0
        for first in range(0, len(samples), config.sampled.micro):
            rows = samples[first : first + config.sampled.micro]
            batch = collate([[one] for one in rows]).to(run.unified.device)
            loss = token_losses(model, model.hidden(batch), batch)[0].mean() * len(rows) / len(samples)
            loss.backward()
            nats += float(loss.detach())
        norm = clip(run.trained.parameters(), 1.0)
        if not np.isfinite(norm) or not np.isfinite(nats):
            raise Stopped(f"the loss is {nats} and the gradient's norm {norm} at step {step}; lower the learning rate")
        run.optimizers.step()
        tokens = sum(map(len, samples))
        flop = 3.0 * drawing_rl.forward_flop(run.unified, 1, tokens // len(samples)) * len(samples)
        run.ledger.trained(tokens, flop)
        yield {"step": step, "drawing": nats, "norm": norm, **asdict(run.ledger)}


def fine_tune(
    config: Rejection, model: Path, out: Path, seed: int, *, device: str = "cpu", template: str | None = None,
    verify: Verifier | None = None, resume: bool = False,
) -> Path:  # fmt: skip
    """Draw, judge and learn, from the model in a folder; the folder of the model that came out.

    Writes manifest.json, log.jsonl, kept.json and model/. What was interrupted begins again with `resume`. UsageError
    if the folder holds something and `resume` is not given, or if it was made with other settings; Stopped where
    nothing passed or training fails.
    """
    new = not (out / "manifest.json").exists()
    science = msgspec.json.decode(msgspec.json.encode({**asdict(config), "seed": seed}))
    manifest = Manifest(
        kind=KIND, config=science, execution={"model": str(model)}, build=build_name(), versions=versions(),
        hashes={"model": digest_of(model, ("*.bin",))}, label=f"{model.name}, own drawings",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip
    open_folder(out, manifest, resume=resume, work="a training")
    if (out / MODEL / "config.json").exists():
        return out / MODEL
    with gone_if_refused(out, new):
        unified = checkpoints.read(model, template=template, device=device, dtype=torch.float32)
        run = drawing_rl.learner(unified, config.sampled)
    kept = collect(run, config.sampled, seed, verify or exact(config.sampled.reward))
    told = {"images": run.ledger.episodes, "prompts": len(kept), "passed": sum(map(len, kept))}
    write_atomically(out / "kept.json", json.dumps(told).encode())
    with open(out / "log.jsonl", "w") as file, progress(config.steps, "step", out.name) as bar:
        for line in train(run, config, seed, kept):
            file.write(json.dumps(line) + "\n")
            bar.update()
    changed = {name.replace("/", "."): weight for name, weight in run.trained.items()}
    checkpoints.write_changed(model, out / MODEL, changed, template=template)
    return out / MODEL
