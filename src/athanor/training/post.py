"""One post-training of a policy as a folder: what was asked, the log, checkpoints, and scores on the way.

Killed at any moment, it goes on from its newest checkpoint to the same weights, bit for bit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from athanor.core.build import build_name, versions
from athanor.core.disk import write_atomically, writing
from athanor.core.errors import DataError, Stopped
from athanor.core.lines import begin_or_go_on
from athanor.core.progress import progress
from athanor.core.store import Manifest
from athanor.environments.points import tokens
from athanor.models.backends.pretrained import device_of
from athanor.models.policy.transformer import Policy
from athanor.training import checkpoint, rl, sft
from athanor.training.rl import RL, Learner
from athanor.training.rollouts import refuse_rounds
from athanor.training.sft import SFT

KIND = "post-training points"
Scorer = Callable[[Learner, int], list[dict[str, Any]]]
"""Scores of a run after so many steps, as rows of JSON values."""


def post_train(
    config: RL | SFT, base: Path, out: Path, seed: int, *, points: Container[int], score: Scorer, device: str = "cpu",
    show: bool = False, execution: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """Train from the policy in `base`, or go on; after each number of steps in `points` a checkpoint and its scores.

    Writes manifest.json, log.jsonl (each step's line at once), scores.jsonl, checkpoint-STEP.safetensors and, where
    TensorBoard is installed, tensorboard/. Stopped where training fails, with the last good checkpoint, which is the
    newest one; StoreError if the disk refuses. `show`: a progress bar. `execution`: how it is carried out, for the
    manifest.
    """
    run = _begin(config, base, out, seed, device, execution or {})
    try:
        with writing(out, again="go on with --resume"):
            _go_on(run, config, out, seed, points, score, show)
    except Stopped as stopped:
        last = checkpoint.newest(out)
        where = f"the last good checkpoint is {last}" if last else "no checkpoint was written before"
        raise Stopped(f"{stopped}; {where}") from stopped


def _go_on(
    run: Learner, config: RL | SFT, out: Path, seed: int, points: Container[int], score: Scorer, show: bool
) -> None:
    """All steps that are left."""
    begun, kept = _restore(run, out, seed), _Kept(points, config.steps)
    if begun >= config.steps:
        return
    lines = (rl.train(run, config, seed, begun=begun, kept=kept) if isinstance(config, RL)
             else sft.train(run, config, seed, begun=begun, kept=kept))  # fmt: skip
    bars = progress(config.steps, "step", out.name, begun) if show else nullcontext()
    with bars as bar, board(out, begun) as curves:
        for line in lines:
            _append(out / "log.jsonl", [line])
            scores: list[dict[str, Any]] = []
            if line["step"] + 1 in kept and "stopped" not in line:
                scores = score(run, line["step"] + 1)
                _keep(run, out, line["step"] + 1, seed, scores)
            curves.add([line], line["step"] + 1, scores)
            if bar is not None:
                bar.update()


class _Kept(Container[int]):
    """The numbers of steps after which there is a checkpoint: some, and the last."""

    def __init__(self, points: Container[int], steps: int) -> None:
        self._points, self._steps = points, steps

    def __contains__(self, step: object) -> bool:
        return isinstance(step, int) and (step == self._steps or step in self._points)


class Board:
    """Curves for TensorBoard, where it is installed."""

    def __init__(self, writer: Any | None) -> None:
        self._writer = writer

    def add(self, told: list[dict[str, Any]], step: int, scores: list[dict[str, Any]]) -> None:
        """Every number of the log's lines, and every score's share."""
        if self._writer is None:
            return
        for line in told:
            for name, value in line.items():
                if name not in ("step", "stopped"):
                    self._writer.add_scalar(name, value, line["step"] + 1)
        for one in scores:
            if "share" in one:
                parts = (f"{key} {one[key]:g}" for key in ("temperature", "rounds") if key in one)
                self._writer.add_scalar("/".join(("solved", one["condition"], *parts)), one["share"], step)
        self._writer.flush()


@contextmanager
def board(out: Path, begun: int) -> Iterator[Board]:
    """Curves in a run's folder, without those of steps after `begun`."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        yield Board(None)
        return
    folder = out / "tensorboard"
    with SummaryWriter(str(folder), purge_step=begun + 1 if folder.exists() else None) as writer:
        yield Board(writer)


def _begin(config: RL | SFT, base: Path, out: Path, seed: int, device: str, execution: Mapping[str, Any]) -> Learner:
    """The run at its start; its manifest is written, or the one that is there asks for the same."""
    policy, _ = checkpoint.read_policy(base, device_of(device))
    if policy.config.vocabulary != tokens.VOCABULARY:
        raise DataError(
            f"{base} is a policy of {policy.config.vocabulary} tokens, hands are written in {tokens.VOCABULARY}; "
            "begin from a policy of `athanor train base-points`"
        )
    if isinstance(config, RL):
        refuse_rounds(policy, config.rounds)
    science = {"method": type(config).__name__, **json.loads(json.dumps(asdict(config))), "seed": seed}
    manifest = Manifest(
        kind=KIND, config=science, execution=dict(execution), build=build_name(), versions=versions(),
        hashes={"base": hashlib.sha256(base.read_bytes()).hexdigest()}, label=out.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip
    run = rl.learner(policy, config.rates)
    begin_or_go_on(out, manifest)
    return run


def _restore(run: Learner, out: Path, seed: int) -> int:
    """Take the newest checkpoint over; the steps that were done. What the log has after it is dropped."""
    found = checkpoint.read_newest(out, KIND)
    done = 0
    if found is not None:
        tensors, about = found
        if about["seed"] != seed:
            raise DataError(
                f"{out} has checkpoints of the seed {about['seed']}, {seed} was expected; pass another --out"
            )
        parts: dict[str, dict[str, Any]] = {"policy": {}, "critic": {}, "optimizer": {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition("/")
            parts[part][rest] = tensor
        run.policy.load_state_dict(parts["policy"])
        run.critic.load_state_dict(parts["critic"])
        run.optimizers.restore(parts["optimizer"])
        for name, value in about["ledger"].items():
            setattr(run.ledger, name, value)
        done = about["step"]
    drop_after(out / "log.jsonl", done - 1)
    drop_after(out / "scores.jsonl", done)
    return done


def _append(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    """Add lines, whole or torn: what is torn is dropped when the training is gone on with."""
    with open(path, "ab") as file:
        file.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))


def drop_after(path: Path, last: int) -> None:
    """Take lines of steps after `last` out of a file, and a torn last one."""
    if path.exists():
        kept = []
        for line in path.read_bytes().splitlines(keepends=True):
            try:
                step = json.loads(line)["step"]
            except (ValueError, KeyError, TypeError):
                break
            if step > last:
                break
            kept.append(line)
        write_atomically(path, b"".join(kept))


def _keep(run: Learner, out: Path, step: int, seed: int, scores: list[dict[str, Any]]) -> None:
    """Scores first, as the log before them, then the checkpoint that makes them count."""
    _append(out / "scores.jsonl", [{"step": step, **one} for one in scores])
    tensors = {f"policy/{name}": tensor for name, tensor in run.policy.state_dict().items()}
    tensors |= {f"critic/{name}": tensor for name, tensor in run.critic.state_dict().items()}
    tensors |= {f"optimizer/{name}": tensor for name, tensor in run.optimizers.state().items()}
    shape = asdict(run.policy.config)
    about = {"kind": KIND, "step": step, "seed": seed, "ledger": asdict(run.ledger), "policy": shape}
    checkpoint.write(out / f"checkpoint-{step:06d}.safetensors", tensors, about)
    checkpoint.keep_newest(out)


def load_trained(policy: Policy, out: Path) -> None:
    """Give a policy the weights of the newest checkpoint in a run's folder. DataError where there is none."""
    path = checkpoint.newest(out)
    if path is None:
        raise DataError(f"{out} holds no checkpoint; train it first")
    tensors, _ = checkpoint.read(path, KIND)
    policy.load_state_dict({n.removeprefix("policy/"): t for n, t in tensors.items() if n.startswith("policy/")})


def finished(out: Path, config: RL | SFT) -> bool:
    """Whether a folder holds a run that was trained to its end."""
    return (out / f"checkpoint-{config.steps:06d}.safetensors").exists()
