"""A step of Muon over the policy's matrices, beside PyTorch's: python benchmarks/muon.py [--steps 5] [--threads 1]

The ratio of the two in CPU seconds, taken in one run. PyTorch's orthogonalises in bfloat16, ours in the gradients' own
precision and matrices of one shape together: what that is worth depends on the processor's instructions.
"""

from __future__ import annotations

import argparse
from time import process_time

import torch
from torch import nn

from athanor.environments.points import tokens
from athanor.models.policy.transformer import Policy, PolicyConfig
from athanor.training.muon import Muon


def seconds(optimizer: torch.optim.Optimizer, weights: list[nn.Parameter], steps: int) -> float:
    """The best of some steps, on gradients of noise."""
    best = float("inf")
    for _ in range(steps + 1):
        for weight in weights:
            weight.grad = torch.randn_like(weight)
        begun = process_time()
        optimizer.step()
        best = min(best, process_time() - begun)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    of = Policy(PolicyConfig(vocabulary=tokens.VOCABULARY, numbers=tokens.LARGEST + 1))
    of.begin(torch.Generator().manual_seed(0))
    weights = [w for name, w in of.named_parameters() if "blocks" in name and w.ndim == 2]
    ours = seconds(Muon(weights, 0.02), weights, asked.steps)
    theirs = seconds(torch.optim.Muon(weights, 0.02), weights, asked.steps)
    print(f"{len(weights)} matrices, {sum(w.numel() for w in weights):,} numbers, {asked.threads} threads")
    print(f"ours {1000 * ours:.1f} ms, torch.optim.Muon {1000 * theirs:.1f} ms: {theirs / ours:.1f} times")


if __name__ == "__main__":
    main()
