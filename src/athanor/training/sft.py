"""Supervised fine-tuning of a policy on right answers: the loop to read."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import asdict, dataclass, field
from math import log
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from athanor.core.errors import Stopped
from athanor.core.seeds import stream
from athanor.environments.points import mixture, tokens
from athanor.environments.points.mixture import Lesson
from athanor.environments.points.steps import step_table
from athanor.environments.points.tokens import Hands
from athanor.training import losses
from athanor.training.ledger import Ledger, training_flop
from athanor.training.optimizers import Rates
from athanor.training.rl import FAR, Learner, broken, descend, ended
from athanor.training.rollouts import generation_flop, generator_of, roll

Solutions = Literal["canonical", "random", "all", "own"]


@dataclass(frozen=True, kw_only=True)
class SFT:
    """How a policy is fine-tuned."""

    steps: int = 110
    """Batches of sequences."""
    rows: int = 256
    """Sequences of a step."""
    hands: int = 1_000
    """Different hands that are dealt once and shown again and again; 0 deals fresh ones at every step."""
    solutions: Solutions = "canonical"
    """Of a hand: the first, another at each showing, every one, or the base's own right ones (rejection sampling)."""
    rules: mixture.Rules = "one"
    """What J, Q and K mean in the hands that are dealt: 10, or numbers drawn anew for each hand."""
    loss: Literal["nll", "dft"] = "nll"
    """Negative log-likelihood, or that weighted by the token's own probability (arXiv 2508.05629)."""
    turns: Literal[1, 2] = 1
    """2: half of the sequences have a wrong first answer, which is not learned, and put it right."""
    rates: Rates = field(default_factory=lambda: Rates(adamw=5e-4))
    kl: float = 0.0
    """Weight of the divergence of the policy from its base on the answers' tokens, over the whole vocabulary."""
    l2: float = 0.0
    """Weight of the squared distance of the weights from the base's."""
    tries: int = 8
    """Answers that the base writes to each hand, with `own`."""


def train(
    run: Learner, config: SFT, seed: int, *, begun: int = 0, kept: Container[int] = ()
) -> Iterator[dict[str, Any]]:
    """Fine-tune step by step, from the step `begun` on; gives each step's line of the log. Stopped where it fails; the
    line before it says why, as `stopped`, where the policy is lost.

    `kept`: numbers of steps after which the weights are to be kept. They are tried on the next step's sequences first.
    """
    spent = asdict(run.ledger)
    data = examples(run, config, seed)
    if begun:  # what the base wrote was counted when training began
        vars(run.ledger).update(spent)
    for step in range(begun, config.steps):
        line = {"step": step, **update(run, config, _batch(data, config, seed, step))}
        why = lost(line, step)
        if not why and step + 1 in kept:
            why = broken(run, step + 1) or lost(measure(run, config, _batch(data, config, seed, step + 1)), step + 1)
        yield from ended({**line, **asdict(run.ledger)}, why)


WORST = log(tokens.VOCABULARY) + 1
"""Nats a token after which a policy is lost; a guess among all tokens has one less."""


def lost(line: dict[str, Any], step: int) -> str:
    """Why a policy that tells right answers worse than a guess, or has gone FAR from its base in vain, is lost; empty
    for another."""
    if not line["nll"] <= WORST:
        return (
            f"the loss is {line['nll']:.3g} nats a token after step {step}, worse than a guess among all tokens; "
            "lower --sft.rates.adamw"
        )
    if line["kl"] > FAR and line["gain"] < 0:
        return (
            f"the policy is {line['kl']:.3g} nats a token from its base after step {step} and tells the answers "
            f"{-line['gain']:.2g} nats a token worse; lower --sft.rates.adamw or raise --sft.kl"
        )
    return ""


def examples(run: Learner, config: SFT, seed: int) -> tuple[Hands, np.ndarray] | None:
    """Hands of the part `train` with right answers, Int["examples 16"]; None where every step deals fresh ones."""
    if config.hands == 0 and config.solutions != "own":
        return None
    count = config.hands or 1_000
    hands = mixture.training_hands(stream(seed, "hands"), count, config.rules)
    match config.solutions:
        case "own":
            return _own(run, config, hands, seed)
        case "all":
            table, numbers = step_table(), hands.values
            ways = [table.ways(values, 24) for values in numbers]
            rows = np.repeat(np.arange(count), [len(one) for one in ways])
            return hands.take(rows), tokens.answers(numbers[rows], np.concatenate(ways))
        case which:
            chosen = "first" if which == "canonical" else "random"
            return hands, mixture.solutions(stream(seed, "solutions"), hands, chosen)


def _own(run: Learner, config: SFT, hands: Hands, seed: int) -> tuple[Hands, np.ndarray]:
    """The base's own right answers, each once a hand. Stopped if it has none."""
    generator = generator_of(run.base, seed, "own")
    rollout = roll(run.base, hands, samples=config.tries, rounds=1, temperature=1.0, generator=generator)
    run.ledger.generated(int(rollout.written.sum()), len(rollout.tokens), generation_flop(run.base, rollout))
    answers = rollout.tokens[:, tokens.PROMPT :].cpu().numpy()
    right = np.flatnonzero(rollout.passed.cpu().numpy())
    if not len(right):
        raise Stopped(
            f"the base solved none of {len(hands.ranks)} hands in {config.tries} tries each; begin from one that does, "
            "or train on solutions that are given"
        )
    owner = right // config.tries
    _, first = np.unique(np.concatenate([owner[:, None], answers[right]], axis=1), axis=0, return_index=True)
    return hands.take(owner[first]), answers[right[first]]


def _batch(data: tuple[Hands, np.ndarray] | None, config: SFT, seed: int, step: int) -> Lesson:
    rng = stream(seed, "batch", step)
    if data is None:
        hands = mixture.training_hands(rng, config.rows, config.rules)
        answered = mixture.solutions(rng, hands, "first" if config.solutions == "canonical" else "random")
    else:
        rows = rng.integers(0, len(data[1]), config.rows)
        hands = data[0].take(rows)
        answered = mixture.solutions(rng, hands) if config.solutions == "random" else data[1][rows]
    asked = tokens.prompts(hands)
    if config.turns == 2 and step % 2:
        return mixture.revised(rng, hands, asked, answered)
    return Lesson(np.concatenate([asked, answered], axis=1), mixture.learned(len(asked), tokens.PROMPT, tokens.ANSWER))


def update(run: Learner, config: SFT, batch: Lesson) -> dict[str, Any]:
    """Learn from a batch of sequences; what was measured on the way."""
    rows, mask, logits = _told(run, batch)
    logprobs = losses.token_logprobs(logits, rows[:, 1:][mask])
    every = torch.ones_like(logprobs, dtype=torch.bool)
    fitted = losses.nll(logprobs, every)
    loss = fitted if config.loss == "nll" else losses.dft(logprobs, every)
    apart, gain = _apart(run, config, rows, mask, logits)
    loss = loss + config.kl * apart if config.kl else loss
    if config.l2:
        loss = loss + config.l2 * losses.distance(run.policy, run.base)
    norm = descend(run, loss, list(run.policy.parameters()))
    run.ledger.trained(rows.numel(), training_flop(run.policy, len(mask), mask.shape[1], int(mask.sum())))
    return {
        "loss": float(loss.detach()), "nll": float(fitted.detach()), "norm": norm, "kl": float(apart.detach()),
        "entropy": float(losses.entropy(logits.detach()).mean()), "gain": gain,
    }  # fmt: skip


@torch.no_grad()
def measure(run: Learner, config: SFT, batch: Lesson) -> dict[str, Any]:
    """Of what `update` measures what says that a policy is lost. Nothing is learned, and the ledger does not count
    it."""
    rows, mask, logits = _told(run, batch)
    apart, gain = _apart(run._replace(ledger=Ledger()), config, rows, mask, logits)
    return {"nll": float(-losses.token_logprobs(logits, rows[:, 1:][mask]).mean()), "kl": float(apart), "gain": gain}


def _told(run: Learner, batch: Lesson) -> tuple[Tensor, Tensor, Tensor]:
    """A batch's tokens, which of them but the first are learned, and the policy's logits before those."""
    device = run.policy.head.weight.device
    rows, mask = torch.from_numpy(batch.tokens).to(device), torch.from_numpy(batch.learned).to(device)[:, 1:]
    return rows, mask, run.policy.head(run.policy.hidden(rows[:, :-1])[mask])


MEASURED = 32
"""Sequences of a batch on which the divergence from the base is measured where it is not in the loss."""


def _apart(run: Learner, config: SFT, rows: Tensor, mask: Tensor, logits: Tensor) -> tuple[Tensor, float]:
    """Mean divergence from the base on the tokens that are learned, over the whole vocabulary; and by how much more
    likely they are than under the base, both in nats a token."""
    some = len(rows) if config.kl else min(MEASURED, len(rows))
    with torch.no_grad():
        reference = run.base.head(run.base.hidden(rows[:some, :-1])[mask[:some]])
    run.ledger.trained(0, training_flop(run.base, some, mask.shape[1], len(reference)) / 3)
    ours = (logits if config.kl else logits.detach())[: len(reference)]
    chosen = rows[:some, 1:][mask[:some]]
    gain = losses.token_logprobs(ours.detach(), chosen) - losses.token_logprobs(reference, chosen)
    return losses.exact_kl(ours, reference).mean(), float(gain.mean())
