"""Reinforcement learning of drawing, with the exact judge of scenes as the verifier: the loop to read.

Draw a group of images of each prompt under guidance, judge them, and make each likelier by how much better it did than
its group. What is made likelier is the distribution that was drawn from, guidance, temperature and all: gradients go
through both branches. T2I-R1 (Jiang et al. 2025, arXiv 2505.00703 and its public code) draws under guidance 5 and
learns the log-probabilities without it, which are those of another distribution; `scored="t2i-r1"` does so too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import asdict, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from athanor.core.errors import Stopped, UsageError
from athanor.core.seeds import digest, stream
from athanor.environments.scenes import CATEGORIES, STYLES, Judge, Spec, split_of
from athanor.environments.scenes.drawing import SMALLEST, Images
from athanor.environments.scenes.prompts import prompts
from athanor.models.unified.drawing import Drawing, draw_scored, paint
from athanor.models.unified.losses import drawing_logprobs
from athanor.models.unified.model import UnifiedModel
from athanor.models.unified.pictures import to_images
from athanor.models.unified.sampling import Sampling
from athanor.models.unified.unified import Unified
from athanor.training import losses
from athanor.training.ledger import Ledger
from athanor.training.optimizers import Optimizers, clip
from athanor.training.precision import mixed
from athanor.training.rl import ALGORITHMS, BARREN, FAR, GROUPED
from athanor.training.unified.lora import absent, adapt, merged, trained
from athanor.training.unified.settings import DrawingRL, Lora

PARTS = ("backbone", "code_embedding", "code_adaptor", "code_head")
"""What is trained: all that a drawing goes through but the visual tokenizer."""


def refuse(config: DrawingRL) -> None:
    """UsageError for what cannot be meant."""
    if config.samples < 2 and config.algorithm in GROUPED:
        raise UsageError(f"{config.algorithm} compares images of a prompt, {config.samples} was asked for; ask for 2")
    unknown = sorted(set(config.categories) - set(CATEGORIES))
    if unknown or not config.categories:
        raise UsageError(
            f"the categories {', '.join(config.categories)} were given, some of {', '.join(CATEGORIES)} were expected"
        )
    if config.rates.muon is not None:
        raise UsageError("Muon was asked for, drawing is reinforced by AdamW alone; leave it out")
    if config.sampling.temperature == 0:
        raise UsageError("the temperature is 0, at which all images of a prompt are one; draw at 1")
    cut = config.sampling.top_k is not None or config.sampling.top_p is not None
    if config.kl and cut and config.scored == "sampled":
        raise UsageError(
            "the divergence from the start is infinite where top_k or top_p leave codes out; leave them out, or kl"
        )


class Judged(NamedTuple):
    """Images as a verifier sees them, in their order."""

    rewards: list[float]
    passed: list[bool]
    shares: list[float]
    """Of the checks, those that hold."""


Verifier = Callable[[list[Images], Sequence[Spec]], Judged]
"""Judges images, each UInt8["side side 3"], by the specifications beside them."""


def exact(kind: Literal["share", "pass"]) -> Verifier:
    """The judge of scenes, under the strict rules."""
    judge = Judge(graded=kind == "share")

    def verify(images: list[Images], specs: Sequence[Spec]) -> Judged:
        found = [judge.judged(image, spec) for image, spec in zip(images, specs, strict=True)]
        rewards = [judge.verdict(one).reward for one in found]
        return Judged(rewards, [one.passed for one in found], [one.share for one in found])

    return verify


class Learner(NamedTuple):
    """What a run changes as it goes."""

    unified: Unified
    trained: nn.ParameterDict
    """The weights that are trained, or the adapters."""
    base: UnifiedModel | None
    """The model as it was, where the divergence from it is weighed; with adapters the model itself."""
    optimizers: Optimizers
    ledger: Ledger
    mixed: bool
    """Whether products are taken in bfloat16."""


def learner(
    unified: Unified, config: DrawingRL, lora: Lora | None = None, *, seed: int = 0, mixed: bool = False
) -> Learner:
    """A run at its start: the model is changed in place. UsageError for what cannot be meant."""
    refuse(config)
    if unified.model.config.tokenizer.image_size < SMALLEST:
        raise UsageError(
            f"the model draws {unified.model.config.tokenizer.image_size} pixels a side, the judge of scenes sees "
            f"{SMALLEST} or more; pass another model"
        )
    model = unified.model.eval().requires_grad_(False)
    base = None
    if lora is not None and lora.rank:
        adapt(model, lora, PARTS, seed)
        base = model if config.kl else None
    else:
        shared = {id(part): part for part in (model.encoder, model.visual_tokenizer)}
        base = deepcopy(model, shared) if config.kl else None
        for name in PARTS:
            model.get_submodule(name).requires_grad_(True)
    weights = trained(model)
    return Learner(unified, weights, base, Optimizers(weights, config.rates), Ledger(), mixed)


def train(
    run: Learner, config: DrawingRL, seed: int, *, begun: int = 0, verify: Verifier | None = None
) -> Iterator[dict[str, Any]]:
    """Reinforce step by step, from the step `begun` on; gives each step's line of the log. Stopped where it fails."""
    barren, verify = 0, verify or exact(config.reward)
    for step in range(begun, config.steps):
        drawn = sample(run, config, ask(config, seed, step), seed, step, verify)
        line = {"step": step, **told(drawn), **update(run, config, drawn)}
        learned = line["informative"] or line["passed"] == 1 or config.algorithm not in GROUPED
        barren = 0 if learned else barren + 1
        _refuse(line, barren)
        yield {**line, **asdict(run.ledger)}


def _refuse(line: dict[str, Any], barren: int) -> None:
    if not np.isfinite(line["loss"]) or not np.isfinite(line["norm"]):
        raise Stopped(
            f"the loss is {line['loss']} and the gradient's norm {line['norm']} at step {line['step']}; lower the "
            "learning rate"
        )
    if line.get("kl", 0.0) > FAR:
        raise Stopped(
            f"the model is {line['kl']:.1f} nats a code from its start at step {line['step']}, at most {FAR:g} were "
            "expected; lower the learning rate or raise the weight of the divergence"
        )
    if barren >= BARREN:
        raise Stopped(
            f"in {barren} steps the images of every prompt had one reward ({line['reward']:g}), so that nothing can be "
            "learned; begin from a model that draws some prompts right, or take easier categories"
        )


def ask(config: DrawingRL, seed: int, step: int) -> list[Spec]:
    """The prompts of a step, all different, of the part `train`. UsageError where there are not so many."""
    rng, split, style = stream(seed, "ask", step), split_of("train"), STYLES["aligned"]
    found: dict[str, Spec] = {}
    for tried in range(100 * config.prompts):
        category = config.categories[(step * config.prompts + tried) % len(config.categories)]
        (spec,) = prompts(category, style, split, rng, 1)
        found.setdefault(spec.prompt, spec)
        if len(found) == config.prompts:
            return list(found.values())
    raise UsageError(
        f"{config.prompts} different prompts of {', '.join(config.categories)} were asked for, {len(found)} were "
        "found; ask for fewer, or for more categories"
    )


class Drawn(NamedTuple):
    """Images of a step, those of a prompt side by side."""

    prompts: list[str]
    """Of each image."""
    codes: Tensor
    """Int["images codes"]."""
    logprobs: Tensor
    """Float["images codes"], nats, of the distribution that was drawn from, as it was computed when drawing."""
    rewards: Tensor
    """Float["prompts samples"]."""
    passed: Tensor
    """Bool["prompts samples"]."""
    shares: Tensor
    """Float["prompts samples"]: of the checks, those that hold."""


@torch.no_grad()
def sample(
    run: Learner, config: DrawingRL, specs: Sequence[Spec], seed: int, step: int, verify: Verifier
) -> Drawn:  # fmt: skip
    """Draw and judge a group of images of each prompt."""
    texts = [spec.prompt for spec in specs]
    how = Drawing(guidance=config.guidance, sampling=config.sampling, batch=max(config.micro, config.samples))
    seeds = [digest(seed, "sample", step, number) for number in range(config.samples)]
    with _mixed(run), merged(run.unified.model):
        codes, logprobs = (one.flatten(0, 1) for one in draw_scored(run.unified, texts, seeds, how))
    images = [np.asarray(image) for image in to_images(paint(run.unified, codes, config.micro))]
    judged = verify(images, [spec for spec in specs for _ in seeds])
    rewards, passed, shares = (torch.tensor(one, device=codes.device).view(len(specs), -1) for one in judged)
    count, before = codes.numel(), max(map(len, map(run.unified.layout.prompt, texts)))
    flop = forward_flop(run.unified, len(codes) * _branches(config.guidance), before + codes.shape[1])
    run.ledger.generated(count, len(codes), flop)
    return Drawn([text for text in texts for _ in seeds], codes, logprobs, rewards.float(), passed, shares.float())


def score(unified: Unified, config: DrawingRL, prompts: Sequence[str], codes: Tensor) -> Tensor:
    """Float["images codes"], nats: the log-probabilities that are learned, of Int["images codes"]."""
    if config.scored == "t2i-r1":
        return drawing_logprobs(unified, prompts, codes, guidance=1.0, sampling=Sampling())
    return drawing_logprobs(unified, prompts, codes, guidance=config.guidance, sampling=config.sampling)


def update(run: Learner, config: DrawingRL, drawn: Drawn) -> dict[str, Any]:
    """Learn from a batch of images; what was measured on the way.

    `off` is the mean of log-probabilities when drawn less those learned, before weights are changed: an estimate, in
    nats a code, of the divergence of the distribution that was drawn from, from the one that is learned. But for
    rounding it is 0, unless another one is learned.
    """
    gains = ALGORITHMS[config.algorithm](drawn.rewards, drawn.passed).reshape(-1, 1)
    parts = [slice(i, i + config.micro) for i in range(0, len(gains), config.micro)]
    reference = [_of_base(run, config, drawn, some) for some in parts]
    old: list[Tensor] = []
    measured: dict[str, float] = {}
    for epoch in range(config.epochs):
        found = []
        for number, some in enumerate(parts):
            with _mixed(run):
                logprobs = score(run.unified, config, drawn.prompts[some], drawn.codes[some])
            old += [logprobs.detach()] if epoch == 0 else []
            loss, told = _loss(config, logprobs, old[number], gains[some], reference[number])
            weight = len(logprobs) / len(gains)
            (loss * weight).backward()
            found.append({name: value * weight for name, value in told.items()})
        measured = {name: sum(one[name] for one in found) for name in found[0]}
        measured["norm"] = clip(run.trained.parameters(), 1.0)
        _step(run, measured)
        _count(run, config, drawn)
    off = drawn.logprobs - torch.cat(old)
    return {"off": float(off[~torch.isposinf(off)].mean()), **measured}


def _step(run: Learner, measured: dict[str, float]) -> None:
    """Change the weights, unless that would spoil them."""
    if np.isfinite(measured["norm"]):
        run.optimizers.step()


def _loss(
    config: DrawingRL, logprobs: Tensor, old: Tensor, gains: Tensor, reference: Tensor | None
) -> tuple[Tensor, dict[str, float]]:
    """The loss of some images, and what was measured. All but `gains`, Float["images 1"]: Float["images codes"].

    With the k likeliest or the least mass alone, a code that was drawn at their edge can lie outside when it is scored
    again, by rounding or after a step: it has no ratio and is left out.
    """
    inside = ~(torch.isneginf(logprobs) | torch.isneginf(old))
    logprobs, old = logprobs.where(inside, 0.0), old.where(inside, 0.0)
    turns = torch.zeros_like(logprobs, dtype=torch.long)
    loss, held = losses.clipped(
        logprobs, old, gains, inside, turns, level=config.level, low=config.clip, high=config.clip
    )
    measured = {"clipped": float(held), "outside": float((~inside).float().mean())}
    if reference is not None:
        apart = losses.kl(logprobs, reference, "k3").mean()
        loss, measured["kl"] = loss + config.kl * apart, float(apart.detach())
    return loss, measured | {"loss": float(loss.detach())}


@torch.no_grad()
def _of_base(run: Learner, config: DrawingRL, drawn: Drawn, some: slice) -> Tensor | None:
    """Float["images codes"], nats, by the model as it was."""
    if run.base is None:
        return None
    with _mixed(run), absent(run.base):
        return score(replace(run.unified, model=run.base), config, drawn.prompts[some], drawn.codes[some])


def _mixed(run: Learner) -> AbstractContextManager[None]:
    return mixed(run.unified.device, run.mixed)


def _branches(guidance: float) -> int:
    return 1 if guidance == 1 else 2


def _count(run: Learner, config: DrawingRL, drawn: Drawn) -> None:
    branches = 1 if config.scored == "t2i-r1" else _branches(config.guidance)
    rows, length = len(drawn.codes) * branches, len(run.unified.layout.drawing(drawn.prompts[0], _first(drawn)))
    passes = 3.0 + (run.base is not None) / config.epochs
    run.ledger.trained(rows * length, passes * forward_flop(run.unified, rows, length))


def _first(drawn: Drawn) -> np.ndarray:
    return drawn.codes[0].cpu().numpy()


def forward_flop(unified: Unified, rows: int, length: int) -> float:
    """Operations of the backbone and the code head over sequences, 2 a multiply-add, with causal attention."""
    model, config = unified.model, unified.model.config.backbone
    matrices = sum(w.numel() for part in (model.backbone.layers, model.code_head) for w in part.parameters())
    return rows * length * (2.0 * matrices + 2.0 * config.layers * config.width * length)


def told(drawn: Drawn) -> dict[str, Any]:
    """What a batch of images shows. `entropy`: nats a code, an estimate from the codes that were drawn."""
    spread = drawn.rewards.amax(1) > drawn.rewards.amin(1)
    return {
        "reward": float(drawn.rewards.mean()),
        "passed": float(drawn.passed.float().mean()),
        f"pass@{drawn.passed.shape[1]}": float(drawn.passed.any(1).float().mean()),
        "share": float(drawn.shares.mean()),
        "informative": float(spread.float().mean()),
        "entropy": float(-drawn.logprobs.mean()),
    }
