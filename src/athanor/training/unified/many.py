"""A stage's step on one device and on many, through `accelerate`: a CPU, a GPU, or as many as a launcher starts.

A step is computed in parts, `parts` lessons of as many samples less, whose gradients are summed; the processes take
turns at them. Which samples a step has, and what is learned of each, does not depend on how many processes there are:
two processes compute what one computes in two parts. Weights are copied to every process, or with FSDP2 parted over
them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor

from athanor.core.errors import UsageError
from athanor.models.backends.pretrained import device_of
from athanor.models.unified.layout import TASKS
from athanor.models.unified.losses import shares, token_losses
from athanor.models.unified.model import CODE, SEEN, TEXT, Batch, UnifiedModel, attention_mask
from athanor.models.unified.unified import Unified
from athanor.training.optimizers import refuse_lost
from athanor.training.unified.joint import module_of
from athanor.training.unified.lessons import Examples
from athanor.training.unified.shards import Request
from athanor.training.unified.stages import Stage
from athanor.training.unified.teaching import lesson, passes

if TYPE_CHECKING:
    from accelerate import Accelerator

WRAPPED = ("LlamaDecoderLayer", "SiglipEncoderLayer")
"""Modules whose weights FSDP2 gathers one after the other."""


class Losses(nn.Module):
    """A model as a function from a batch to the losses of its tokens.

    Where processes share the work, every part of the model takes part in every batch, those without use with nothing:
    who waits for others' weights and gradients must ask for the same ones in the same order as they, whatever is in
    the batch.
    """

    _no_split_modules = WRAPPED

    def __init__(self, model: UnifiedModel, *, shared: bool) -> None:
        super().__init__()
        self.model, self.shared = model, shared

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """As `losses.token_losses`: Float["learned"], nats, and Int["learned"], the task; and Float[""], 0."""
        model = self.model
        if not self.shared:
            hidden = model.hidden(batch)
            return *token_losses(model, hidden, batch), hidden.new_zeros(())
        x, idle = self._embedded(batch)
        mask, places = attention_mask(batch.segments), batch.positions
        made = model.backbone(inputs_embeds=x, attention_mask=mask, position_ids=places, use_cache=False)
        hidden = cast("Tensor", made.last_hidden_state)
        for head in (model.text_logits, model.code_logits):
            idle = idle + 0.0 * head(hidden[:1, :1]).float().sum()
        return *token_losses(model, hidden, batch), idle

    def _embedded(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """As `UnifiedModel.embed`, and a 0 through what the batch does not use."""
        model, tokens, kinds = self.model, batch.tokens, batch.kinds
        x = model.embed_text(tokens.where(kinds == TEXT, 0))
        size = model.config.seen_size
        pixels = batch.pixels if len(batch.pixels) else x.new_zeros(1, 3, size, size)
        codes = tokens[kinds == CODE] if bool((kinds == CODE).any()) else tokens.new_zeros(1)
        idle = x.new_zeros((), dtype=torch.float32)
        for kind, made in ((SEEN, model.see(pixels).flatten(0, 1)), (CODE, model.embed_codes(codes))):
            where = kinds == kind
            if bool(where.any()):
                x = x.masked_scatter(where[..., None], made.to(x.dtype))
            idle = idle + 0.0 * made.float().sum()
        return x, idle


LAUNCHER = {
    "ACCELERATE_USE_DEEPSPEED": (("false",), "pass a configuration with FSDP2, or without either"),
    "ACCELERATE_MIXED_PRECISION": (("no", "bf16"), "gradients of others are scaled, and cut wrongly"),
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": (("1",), "pass --tune.parts for less memory"),
    "FSDP_OFFLOAD_PARAMS": (("false",), "weights and what goes through them must be on one device"),
}
"""Settings that accelerate's launcher makes, and what they may be."""


def processes(device: str) -> Accelerator:
    """The processes that train together: those of a launcher, or this one alone, each on one device of a kind (cpu,
    cuda, mps), or with auto on the best that there is. UsageError where what is asked for is not there."""
    if device != "auto":
        device_of(device)
        if ":" in device:
            raise UsageError(
                f"--device {device} was given, a kind of devices was expected; pass cpu, cuda, mps or auto"
            )
    try:
        from accelerate import Accelerator
    except ImportError as error:
        raise UsageError("accelerate is not installed; run `pip install 'athanor-lab[torch,posttrain]'`") from error
    for name, (right, why) in LAUNCHER.items():
        if (found := (os.environ.get(name) or right[0]).lower()) not in right:
            raise UsageError(f"the launcher sets {name} to {found}, {' or '.join(right)} was expected: {why}")
    accelerator = Accelerator(cpu=device == "cpu")
    if device not in ("auto", found := accelerator.device.type):
        raise UsageError(f"--device {device} was given, the launcher gives {found}; pass --device {found} or auto")
    plugin: Any = accelerator.state.fsdp_plugin if accelerator.distributed_type == "FSDP" else None
    if plugin is not None and plugin.fsdp_version != 2:
        raise UsageError(
            f"the launcher asks for FSDP {plugin.fsdp_version}; set fsdp_version to 2 in its configuration"
        )
    if plugin is not None and plugin.cpu_ram_efficient_loading:
        raise UsageError("the launcher sets fsdp_cpu_ram_efficient_loading; set it to false in its configuration")
    return accelerator


class Many:
    """Trains a model through one stage, in place, with as many processes as there are."""

    def __init__(
        self, unified: Unified, stage: Stage, examples: Examples, seed: int, accelerator: Accelerator, parts: int = 1
    ) -> None:
        """What has gradients of the stage's modules is trained, at the share of each, and nothing else. UsageError if
        the samples cannot be parted, or if the stage asks for Muon, whose matrices must be whole."""
        world = accelerator.num_processes
        self.dose = replace(stage.dose, samples=max(1, stage.dose.samples // parts))
        if parts % world or tuple(parts * n for n in self.dose.counts) != stage.dose.counts:
            raise UsageError(
                f"a step of {' + '.join(map(str, stage.dose.counts))} samples in {parts} parts cannot be done by "
                f"{world} processes; make the parts a multiple of the processes, and the samples one of the parts "
                f"times the ratio {':'.join(f'{n:g}' for n in stage.dose.ratio)}"
            )
        if stage.muon is not None:
            raise UsageError(f"the stage {stage.name} asks for Muon, which trains on one device alone; leave it out")
        self.unified, self.stage, self.examples, self.seed = unified, stage, examples, seed
        self.accelerator, self.parts = accelerator, parts
        losses = Losses(unified.model, shared=world > 1)
        apart: dict[str, list[nn.Parameter]] = {}
        for name, weight in unified.model.named_parameters():
            weight.requires_grad_(weight.requires_grad and module_of(name) in stage.trained)
            if weight.requires_grad:
                apart.setdefault(module_of(name), []).append(weight)
        groups = [{"params": some, "share": stage.trained[name]} for name, some in apart.items()]
        optimizer = torch.optim.AdamW(groups, stage.rate, stage.betas, weight_decay=stage.weight_decay, fused=True)
        if self.parted:
            plugin: Any = accelerator.state.fsdp_plugin
            plugin.ignored_modules = [unified.model.visual_tokenizer]  # it encodes pictures outside of every step
        self.losses, self.optimizer = accelerator.prepare(losses, optimizer)
        unified.model.visual_tokenizer.to(accelerator.device)
        self.weights = {name: one for name, one in unified.model.named_parameters() if one.requires_grad}
        """What is trained, by the model's own names: this process' parts of it."""

    @property
    def parted(self) -> bool:
        """Whether weights are parted over the processes."""
        return self.accelerator.distributed_type == "FSDP"

    def mine(self, step: int) -> range:
        """The lessons that this process computes of a step, by their indices."""
        first = step * self.parts
        return range(first + self.accelerator.process_index, first + self.parts, self.accelerator.num_processes)

    def request(self, number: int) -> Request:
        """What is asked for of the examples, in order: number 0 and so on, for `shards.Ahead`."""
        uses = [("understanding", "text", "drawing")[k] for k, many in enumerate(self.dose.counts) if many]
        counts = [many for many in self.dose.counts if many]
        turn, use = divmod(number, len(uses))
        of_step, turn_in = divmod(turn, self.parts // self.accelerator.num_processes)
        return uses[use], self.mine(of_step)[turn_in], counts[use]  # type: ignore[return-value]

    def step(self, step: int) -> dict[str, float]:
        """Step `step`, from 0; nats a token of each task over all processes. Stopped, before weights are changed, if a
        gradient is not finite."""
        batches = self._batches(self.mine(step))
        nats = self._through(batches, learn=True)
        norm = self._clip()
        refuse_lost(norm, step)
        for group in self.optimizer.param_groups:
            group["lr"] = self.stage.rate * group["share"] * self.stage.share(step)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return {**nats, "norm": norm}

    @torch.no_grad()
    def measure(self, examples: Examples, many: int) -> dict[str, float]:
        """Nats a token of each task, over so many lessons of other examples (more, where there are not as many for each
        process), without a change."""
        kept, self.examples = self.examples, examples
        try:
            world = self.accelerator.num_processes
            mine = range(self.accelerator.process_index, -(-many // world) * world, world)
            return self._through(self._batches(mine), learn=False)
        finally:
            self.examples = kept
            for one in self.losses.modules():
                if isinstance(one, FSDPModule):
                    one.reshard()  # else that is left to a pass backward

    def _batches(self, indices: Sequence[int]) -> list[Batch]:
        found = []
        for index in indices:
            samples = lesson(self.unified, self.examples, self.dose, self.seed, index)
            found += [batch.to(self.accelerator.device) for batch in passes(samples, self.dose)]
        return found

    def _through(self, batches: Sequence[Batch], *, learn: bool) -> dict[str, float]:
        """Gradients of the stage's loss over the batches of all processes; nats a token of each task."""
        counts, longest = self._counted(batches)
        world = self.accelerator.num_processes  # gradients are averaged over the processes
        weights = world * torch.tensor(shares(counts, self.stage.mean), device=self.accelerator.device)
        summed = torch.zeros(len(TASKS), dtype=torch.float64, device=self.accelerator.device)
        for k in range(longest):
            batch = batches[k] if k < len(batches) else _unlearned(batches[-1])
            last = k == longest - 1
            waits = last or self.parted  # parted gradients are small; whole ones would be kept until the last
            with nullcontext() if waits or not learn else self.accelerator.no_sync(self.losses):
                nats, tasks, idle = self.losses(batch)
                if learn:
                    self.accelerator.backward((nats * weights[tasks]).sum() + idle)
            summed.index_add_(0, tasks, nats.detach().double())
        total = self.summed(summed)
        return {name: total[k] / n for k, (name, n) in enumerate(zip(TASKS, counts, strict=True)) if n}

    def _counted(self, batches: Sequence[Batch]) -> tuple[list[int], int]:
        """Learned tokens of each task over all processes, and how many passes the one with the most makes."""
        mine = [sum(int(((b.targets >= 0) & (b.tasks == k)).sum()) for b in batches) for k in range(len(TASKS))]
        told = self.accelerator.gather(torch.tensor([[*mine, len(batches)]], device=self.accelerator.device))
        rows = cast("Tensor", told).tolist()
        return [sum(row[k] for row in rows) for k in range(len(TASKS))], max(row[-1] for row in rows)

    def summed(self, values: Tensor) -> list[float]:
        """Over all processes, all of which must ask for it."""
        return cast("Tensor", self.accelerator.reduce(values, "sum")).tolist()

    def _clip(self) -> float:
        return float(whole(nn.utils.clip_grad_norm_(list(self.weights.values()), self.stage.clip)))


def _unlearned(batch: Batch) -> Batch:
    """The same with nothing to learn, for a process that has no more."""
    return replace(batch, targets=torch.full_like(batch.targets, -1))


def whole(tensor: Tensor) -> Tensor:
    """A tensor that is parted over processes, put together on each; all must ask for it."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def local(tensor: Tensor) -> Tensor:
    """This process' part of a tensor, or the tensor."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def gathered(weights: Mapping[str, Tensor], *, keep: bool) -> dict[str, Tensor]:
    """Whole weights on the CPU, one after the other, in the process that keeps them."""
    found = {}
    for name, weight in weights.items():
        tensor = whole(weight.detach())
        if keep:
            found[name] = tensor.cpu()
    return found
