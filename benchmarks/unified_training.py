"""Steps of training of a unified model: python benchmarks/unified_training.py [--steps 4] [--size tiny|100m]

Operations of the whole step (examples made, pictures encoded, gradients, the optimizer's step) a second, over the rate
of the matrix products that the model consists of, on one thread, in CPU seconds, both in one run. Operations are those
of matrices and of attention for tokens that are there; padding, and the optimizer's own products, count as lost.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from time import process_time

import torch

from athanor.models.unified.config import TINY, UnifiedConfig
from athanor.models.unified.model import UnifiedModel
from athanor.training.unified.joint import Trainer
from athanor.training.unified.recipes import Recipe, tiny
from athanor.training.unified.run import begun
from athanor.training.unified.scenes import Scenes
from athanor.training.unified.stages import Stage

LARGE = replace(
    TINY, backbone=replace(TINY.backbone, width=768, inner=2_048, layers=12, heads=12, kv_heads=12)
)  # fmt: skip
SIZES = {"tiny": TINY, "100m": LARGE}


def matrices(model: UnifiedModel) -> list[torch.Tensor]:
    """Those that every token of the backbone goes through."""
    return [w for name, w in model.backbone.named_parameters() if name.startswith("layers.") and w.ndim == 2]


def operations(model: UnifiedModel, shape: UnifiedConfig, tokens: float, length: float) -> float:
    """Of forward and backward passes over the backbone; heads, adaptors and the encoder are left out, which makes the
    share smaller than it is."""
    attention = 2 * shape.backbone.layers * shape.backbone.width * length  # half of 4: a token sees those before it
    return 3.0 * tokens * (2 * sum(w.numel() for w in matrices(model)) + attention)


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
    best, rate, told = float("inf"), 0.0, {}
    for step in range(1, steps + 1):
        told = trainer.step(step)
        best = min(best, told["step_seconds"] / told["tokens"])
        rate = max(rate, products(unified.model, int(told["tokens"])))
    share = operations(unified.model, recipe.shape, 1 / best, 60.0) / rate
    of = "Muon and AdamW" if stage.muon else "AdamW"
    print(
        f"{sum(w.numel() for w in matrices(unified.model)):,} parameters in matrices, {of}: {1 / best:,.0f} tokens/s, "
        f"{100 * share:.0f}% of the matrix products alone ({rate / 1e9:.1f} GFLOP/s), {told['padding']:.0%} padding"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--size", choices=SIZES, default="tiny")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    recipe = replace(tiny(1), shape=SIZES[asked.size])
    stage = next(one for one in recipe.stages if one.name == "II")
    for one in (stage, replace(stage, muon=None)):
        measured(recipe, one, asked.steps)


if __name__ == "__main__":
    main()
