"""What is watched while a model is trained: a log that outlives the process, and reasons to stop."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch.distributed.tensor import DTensor
from transformers import TrainerCallback

from athanor.analysis.spending import spent_by
from athanor.core.disk import write_atomically
from athanor.core.errors import Stopped
from athanor.core.progress import progress

LOG = "log.jsonl"


class Log(TrainerCallback):
    """Writes what is measured of each step as a line of JSON, at once, and shows how far training is.

    `science`: the run's configuration as in its manifest; `weights`: how many the model has. `flop` in a line: all
    operations so far, by `analysis.spending`.
    """

    def __init__(self, out: Path, science: dict[str, Any], weights: int, *, vllm: bool) -> None:
        self._path, self._science, self._weights, self._vllm = out / LOG, science, weights, vllm
        self._lines: list[dict[str, Any]] = []
        self._bar: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Lines of steps after the checkpoint that training goes on from are dropped: they come again."""
        if not state.is_world_process_zero:
            return
        lines = self._path.read_bytes().splitlines(keepends=True) if self._path.exists() else []
        whole = [line for line in lines if line.endswith(b"\n")]
        kept = [line for line in whole if json.loads(line)["step"] <= state.global_step]
        write_atomically(self._path, b"".join(kept))
        self._lines = [json.loads(line) for line in kept]
        self._bar = progress(state.max_steps, "step", self._science["method"], state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        self._complete(logs if logs is not None else {}, state.global_step)
        unknown = [name for name, value in (logs or {}).items() if value is None]
        if state.is_world_process_zero:
            finite = {name: value if _finite(value) else str(value) for name, value in (logs or {}).items()}
            with open(self._path, "a") as file:
                file.write(json.dumps({"step": state.global_step, **finite}) + "\n")
        for name in unknown:  # TensorBoard, which comes next, takes numbers only
            (logs or {}).pop(name)

    def _complete(self, logs: dict[str, Any], step: int) -> None:
        """Say what the step cost, and that what was not measured is unknown: with every answer cut and left out, zeros
        are no measurements."""
        if "num_tokens" in logs:
            self._lines.append({name: logs[name] for name in ("num_tokens", "told", "compared") if name in logs})
            logs["flop"] = spent_by(self._science, self._lines, step, vllm=self._vllm).operations * self._weights
        if not logs.get("total_flos", 1):
            del logs["total_flos"]
        if not self._science["rl"]["learn_cut"] and logs.get("completions/clipped_ratio", 0.0) >= 1:
            logs.update({name: None for name in ("entropy", "kl") if name in logs})

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._bar is not None:
            self._bar.update()

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._bar is not None:
            self._bar.close()


class Guard(TrainerCallback):
    """Stops training before it does harm, or where it can do no good. Raises Stopped, with the reason."""

    def __init__(self, patience: int, *, rewarded: bool, grouped: bool, learn_cut: bool, max_kl: float) -> None:
        """`grouped`: whether a hand's samples are compared with each other, and not all of a batch. `max_kl`: nats a
        token from the model as it was, 0 for no bound."""
        self._patience, self._rewarded, self._learn_cut = patience, rewarded, learn_cut
        self._grouped, self._max_kl = grouped, max_kl
        self._judged, self._barren, self._why = 0, 0, ""

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Before weights are changed: gradients that are no numbers would spoil them."""
        gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
        parts = [one.to_local() if isinstance(one, DTensor) else one for one in gradients]
        whole = all(bool(one.isfinite().all()) for one in parts)
        if _anywhere(not whole, args.device):
            raise Stopped(
                f"a gradient is not finite at step {state.global_step + 1}, the weights were not changed by it; lower "
                "--optim.learning-rate"
            )

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        found = logs or {}
        for name in ("loss", "grad_norm"):
            if name in found and not _finite(found[name]):
                raise Stopped(
                    f"{name} is {found[name]} at step {state.global_step}; lower --optim.learning-rate, and go on from "
                    "a checkpoint before that step"
                )
        self._refuse_lost(found, state.global_step)
        if self._rewarded and "frac_reward_zero_std" in found:
            cut = not self._learn_cut and found.get("completions/clipped_ratio", 0.0) >= 1
            same = found["frac_reward_zero_std"] >= 1 if self._grouped else found.get("reward_std", 1.0) == 0
            same = same and found.get("passed", 0.0) < 1
            self._judged, self._barren = self._judged + 1, self._barren + 1 if cut or same else 0
            self._why = _nothing(self._barren, state.global_step, found, cut)
            if self._barren >= self._patience:
                raise Stopped(self._why)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """A training that is shorter than the patience, of which no step taught anything, is told."""
        if self._barren == self._judged > 0 and state.is_world_process_zero:
            print(f"warning: {self._why}", file=sys.stderr)

    def _refuse_lost(self, found: dict[str, Any], step: int) -> None:
        """Stopped for a policy that is too far from the model as it was; in fine-tuning only where it tells the answers
        worse than that, for what is learned well may be far."""
        apart, gain = found.get("kl"), found.get("gain", 0.0)
        if not self._max_kl or apart is None or apart <= self._max_kl or (gain >= 0 and not self._rewarded):
            return
        worse = "" if self._rewarded else f" and tells the answers {-gain:.2g} nats a token worse"
        weight = "--rl.kl" if self._rewarded else "--optim.kl"
        raise Stopped(  # what a step measures is what the step before it made
            f"the policy is {apart:.3g} nats a token from the model as it was after step {step - 1}{worse}, at most "
            f"{self._max_kl:g} were expected; lower --optim.learning-rate, raise {weight}, or pass a larger "
            "--optim.max-kl",
            step - 2,
        )


def _nothing(steps: int, step: int, found: dict[str, Any], cut: bool) -> str:
    """Why there is nothing to learn from, and what to do."""
    if cut:
        return (
            f"in {steps} steps up to step {step} nothing could be learned, and in the last one every answer was cut at "
            "the bound on its tokens; pass a larger --rl.max-tokens, or begin from a model that ends its answers"
        )
    return (
        f"in {steps} steps up to step {step} no answer was rewarded otherwise than those beside it (mean reward "
        f"{found.get('reward')}), so that there is nothing to learn from; begin from a model that solves some hands "
        "(--method sft first), or pass --rl.reward classes or more --rl.samples"
    )


def _finite(value: Any) -> bool:
    return not isinstance(value, float) or abs(value) < float("inf")


def _anywhere(here: bool, device: torch.device) -> bool:
    """Whether it is so in any process."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return here
    said = torch.tensor([int(here)], device=device)
    torch.distributed.all_reduce(said, torch.distributed.ReduceOp.MAX)
    return bool(said.item())
