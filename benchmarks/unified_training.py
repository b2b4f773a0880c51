"""A step of training of a unified model: python benchmarks/unified_training.py [--steps 4] [--size tiny|100m]

Operations of the passes of a step (tokenizer, encoder, backbone, heads; forwards and backwards; counted by PyTorch,
less the share of padding) over the time of the whole step (examples made, gradients, the optimizer's step), beside the
rate of the backbone's own matrix products. One thread, CPU seconds, both in one run. Muon's products count as lost, and
beside that as done: they weigh less the more tokens a step has.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from time import process_time

import torch
from torch.utils.flop_counter import FlopCounterMode

from athanor.models.unified.config import TINY
from athanor.models.unified.model import UnifiedModel
from athanor.models.unified.unified import Unified
from athanor.training.muon import orthogonal
from athanor.training.unified.joint import Trainer, backward
from athanor.training.unified.recipes import Recipe, tiny
from athanor.training.unified.run import begun
from athanor.training.unified.scenes import Scenes
from athanor.training.unified.stages import Stage
from athanor.training.unified.teaching import lesson, passes

LARGE = replace(
    TINY, backbone=replace(TINY.backbone, width=768, inner=2_048, layers=12, heads=12, kv_heads=12)
)  # fmt: skip
SIZES = {"tiny": TINY, "100m": LARGE}


def matrices(model: UnifiedModel) -> list[torch.Tensor]:
    """Those that every token of the backbone goes through."""
    return [w for name, w in model.backbone.named_parameters() if name.startswith("layers.") and w.ndim == 2]


def operations(unified: Unified, stage: Stage, step: int) -> float:
    """Of the passes of one step."""
    counter = FlopCounterMode(display=False)
    with counter:
        batches = passes(lesson(unified, Scenes(seed=1), stage.dose, 1, step), stage.dose)
        backward(unified.model, batches)
    unified.model.zero_grad(set_to_none=True)
    tokens = sum(int((batch.segments > 0).sum()) for batch in batches)
    return counter.get_total_flops() * tokens / sum(batch.tokens.numel() for batch in batches)


def muons(stage: Stage, model: UnifiedModel) -> float:
    """Of the products of one step of Muon, 0 without it."""
    counter = FlopCounterMode(display=False)
    with counter:
        for weight in matrices(model) if stage.muon else ():
            orthogonal(weight.detach()[None])
    return counter.get_total_flops()


def products(model: UnifiedModel, rows: int) -> float:
    """Operations a second of the model's own matrices by `rows` tokens, forwards and both products of the gradient."""
    done = spent = 0.0
    for weight in matrices(model)[:7]:
        wide, narrow = weight.shape
        x, g = torch.randn(rows, narrow), torch.randn(rows, wide)
        _ = x @ weight.detach().T
        begin = process_time()
        _, _, _ = x @ weight.detach().T, g @ weight.detach(), g.T @ x
        spent += process_time() - begin
        done += 6.0 * rows * wide * narrow
    return done / spent


def measured(recipe: Recipe, stage: Stage, steps: int) -> None:
    unified = begun(recipe, "cpu")
    unified.model.train()
    trainer = Trainer(unified, stage, Scenes(seed=1), seed=1)
    trainer.step(0)
    share = whole = speed = rate = padding = 0.0
    more = muons(stage, unified.model)
    for step in range(1, steps + 1):
        done = operations(unified, stage, step)
        rate = max(rate, products(unified.model, 32 * 52))
        told = trainer.step(step)
        share = max(share, done / told["step_seconds"])
        whole = max(whole, (done + more) / told["step_seconds"])
        speed, padding = max(speed, told["tokens"] / told["step_seconds"]), told["padding"]
    of = "Muon and AdamW" if stage.muon else "AdamW"
    with_muon = f" ({whole / rate:.0%} with Muon's own)" if stage.muon else ""
    print(
        f"{sum(w.numel() for w in matrices(unified.model)):,} parameters in matrices, {of}: {speed:,.0f} tokens/s, "
        f"{share / rate:.0%}{with_muon} of the matrix products alone ({rate / 1e9:.1f} GFLOP/s), {padding:.0%} padding"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--size", choices=SIZES, default="tiny")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    recipe = replace(tiny(1), shape=SIZES[asked.size])
    stage = next(one for one in recipe.stages if one.name == "II")
    if asked.size != "tiny":
        stage = replace(stage, dose=replace(stage.dose, samples=20))
    for one in (stage, replace(stage, muon=None)):
        measured(recipe, one, asked.steps)


if __name__ == "__main__":
    main()
