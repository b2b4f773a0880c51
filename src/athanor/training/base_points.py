"""The base policy of GeneralPoints: what a large model brings with it, learned small.

A broad mixture of rules, targets and arithmetic. At 24 it has only hands of the part `base`, at other targets hands of
every part: how to make 24 of the hands of the other parts is never shown. Post-training begins from it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from athanor.core.build import build_name, versions
from athanor.core.disk import writing
from athanor.core.errors import Stopped
from athanor.core.lines import begin_or_go_on
from athanor.core.progress import progress
from athanor.core.seeds import digest, stream
from athanor.core.store import Manifest
from athanor.environments.points import mixture, tokens
from athanor.environments.points.mixture import Mixture
from athanor.models.policy.transformer import Policy, PolicyConfig
from athanor.training import checkpoint
from athanor.training.ledger import training_flop
from athanor.training.optimizers import Optimizers, Rates, clip, warm_hold_decay
from athanor.training.post import drop_after
from athanor.training.rollouts import generator_of, roll

KIND = "base policy"
ROUNDS = 10
"""Attempts that fit into its context, the last of them learned after as many wrong ones."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a base policy is made."""

    seed: int
    steps: int = 3_000
    rows: int = 256
    """Sequences of a step, of 25 tokens (42 with a revision; fewer rows where there are more revisions)."""
    rates: Rates = field(default_factory=lambda: Rates(adamw=3e-3, muon=0.02, weight_decay=0.05))
    mixture: Mixture = field(default_factory=lambda: Mixture(revisions=0.2, attempts=ROUNDS - 1))
    policy: PolicyConfig = field(
        default_factory=lambda: PolicyConfig(
            vocabulary=tokens.VOCABULARY, numbers=tokens.LARGEST + 1,
            first=tokens.PROMPT - 1, turn=tokens.TURN, context=tokens.PROMPT - 1 + ROUNDS * tokens.TURN,
        )
    )  # fmt: skip
    clip: float = 1.0
    every: int = 250
    """Steps between checkpoints, each with its scores on hands of the part `test`."""


def train(recipe: Recipe, out: Path, *, device: str = "cpu", execution: Mapping[str, Any] | None = None) -> Policy:
    """Train, or go on with what is in `out`; gives the policy and writes `manifest.json`, `log.jsonl` and
    `model.safetensors`. UsageError for a folder of another recipe, StoreError if the disk refuses, Stopped where the
    loss is no number. `execution`: how it is carried out, for the manifest."""
    manifest = Manifest(
        kind=KIND, config=json.loads(json.dumps(asdict(recipe))), execution=dict(execution or {}), build=build_name(),
        versions=versions(), hashes={}, label=f"{KIND}, seed {recipe.seed}",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip
    begin_or_go_on(out, manifest)
    with writing(out, again="go on with --resume"):
        return _train(recipe, out, device)


def _train(recipe: Recipe, out: Path, device: str) -> Policy:
    policy = (
        Policy(recipe.policy).begin(torch.Generator().manual_seed(digest(recipe.seed, "weights") % 2**63)).to(device)
    )
    optimizers = Optimizers(policy, recipe.rates)
    counted = _begun(recipe, out, policy, optimizers)
    log = out / "log.jsonl"
    drop_after(log, counted["step"])
    with progress(recipe.steps, "step", f"base policy, seed {recipe.seed}", counted["step"]) as bar:
        for step in range(counted["step"], recipe.steps):
            begun = process_time()
            batch = mixture.lesson(stream(recipe.seed, "lesson", step), recipe.rows, recipe.mixture)
            loss = _loss(policy, torch.from_numpy(batch.tokens).to(device), torch.from_numpy(batch.learned).to(device))
            loss.backward()
            norm = clip(policy.parameters(), recipe.clip)
            if not np.isfinite(norm):
                raise Stopped(f"the loss or its gradient is not finite at step {step}; train with a lower rate")
            optimizers.step(warm_hold_decay(step, recipe.steps))
            rows, seq = batch.tokens.shape
            counted["tokens"] += rows * seq
            counted["flop"] += training_flop(policy, rows, seq - 1, int(batch.learned.sum()))
            counted["cpu_seconds"] += process_time() - begun
            bar.update()
            if (step + 1) % recipe.every == 0 or step + 1 == recipe.steps:
                counted["step"] = step + 1
                scores = dict(score(policy, recipe.seed))
                line = {**counted, "loss": float(loss.detach()), **scores}
                with open(log, "a") as file:
                    file.write(json.dumps(line) + "\n")
                print(json.dumps(line), file=sys.stderr)
                _save(recipe, out, policy, optimizers, counted)
    checkpoint.write_policy(out / "model.safetensors", policy, {"recipe": asdict(recipe), **counted}, torch.float16)
    return policy


def _loss(policy: Policy, rows: Tensor, learned: Tensor) -> Tensor:
    """Mean negative log-likelihood of the learned tokens, in nats."""
    hidden = policy.hidden(rows[:, :-1])
    wanted = learned[:, 1:]
    return F.cross_entropy(policy.head(hidden[wanted]), rows[:, 1:][wanted])


def score(policy: Policy, seed: int, hands: int = 1_024) -> Iterator[tuple[str, float]]:
    """Success at 24 on hands of each part under both published rules, at temperature 1 and greedy."""
    for part in ("base", "test"):
        for faces in mixture.PUBLISHED:
            rng = stream(seed, "score", part, str(faces))
            dealt = mixture.deal(
                rng, hands, np.tile(faces, (hands, 1)), np.full(hands, 24), part, need_face=faces[0] > 10
            )
            for temperature in (1.0, 0.0):
                generator = generator_of(policy, seed, "score")
                made = roll(policy, dealt, samples=1, rounds=1, temperature=temperature, generator=generator)
                yield f"{part} {'-'.join(map(str, faces))} T={temperature:g}", float(made.passed.float().mean())


def _begun(recipe: Recipe, out: Path, policy: Policy, optimizers: Optimizers) -> dict[str, Any]:
    """Counters at the start, or those of the newest checkpoint, whose weights and states are taken over."""
    found = checkpoint.read_newest(out, KIND)
    if found is None:
        return {"step": 0, "tokens": 0, "flop": 0.0, "cpu_seconds": 0.0}
    tensors, about = found
    policy.load_state_dict({name[7:]: tensor for name, tensor in tensors.items() if name.startswith("policy.")})
    optimizers.restore({name: tensor for name, tensor in tensors.items() if not name.startswith("policy.")})
    return about["counted"]


def _save(recipe: Recipe, out: Path, policy: Policy, optimizers: Optimizers, counted: dict[str, Any]) -> None:
    tensors = {f"policy.{name}": tensor for name, tensor in policy.state_dict().items()} | optimizers.state()
    about = {"kind": KIND, "recipe": asdict(recipe), "counted": counted}
    checkpoint.write(out / f"checkpoint-{counted['step']:06d}.safetensors", tensors, about)
    checkpoint.keep_newest(out)
