"""Reinforcement learning of a policy on hands that a verifier judges: the loop to read.

Deal, let the policy answer, judge, weigh each answer by how much better it did than expected, and make it likelier
by that much; again. What differs between algorithms is one line each in `ALGORITHMS` and in `_losses`.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from athanor.core.errors import Stopped
from athanor.core.seeds import stream
from athanor.environments.points import mixture
from athanor.environments.points.steps import step_table
from athanor.environments.points.tokens import Hands
from athanor.models.policy.transformer import Policy
from athanor.training import advantages, losses
from athanor.training.ledger import Ledger, training_flop
from athanor.training.optimizers import Optimizers, Rates, clip
from athanor.training.rollouts import Rollout, generation_flop, generator_of, roll

Algorithm = Literal["grpo", "dr-grpo", "rloo", "reinforce", "ppo", "positive", "negative", "w-reinforce"]


@dataclass(frozen=True, kw_only=True)
class RL:
    """How a policy is reinforced."""

    algorithm: Algorithm = "grpo"
    """What answers are weighed by (models/policy/README.md): a hand's other samples, the batch, a critic, or right."""
    steps: int = 70
    """Batches of episodes."""
    prompts: int = 64
    """Hands of a step."""
    samples: int = 8
    """Episodes of each hand."""
    rounds: int = 1
    """Answers that an episode may have."""
    rates: Rates = field(default_factory=lambda: Rates(adamw=5e-4))
    temperature: float = 1.0
    """At which answers are sampled and learned from."""
    reward: Literal["binary", "classes"] = "binary"
    """1 for a solved hand and 0 else, or the exact judge's reward of each class of answer."""
    epochs: int = 1
    """Passes over each batch of episodes."""
    level: losses.Level = "token"
    """Whether probability ratios are of tokens or of whole turns."""
    clip: float = 0.2
    """How far a probability ratio may be from 1; none is, in the first pass."""
    kl: float = 0.0
    """Weight of the divergence from the base; training stops where that is above 3 nats a token."""
    estimator: losses.Estimator = "k3"
    """Of that divergence, from the tokens that were sampled, each weighed by its ratio to the policy that sampled."""
    entropy: float = 0.0
    """Weight of the entropy bonus."""
    gamma: float = 1.0
    """ppo: what a reward of the next answer is worth now."""
    lam: float = 0.95
    """ppo: of the generalised advantages of answers (arXiv 1506.02438)."""
    critic: float = 0.5
    """ppo: weight of the critic's loss beside the policy's."""
    curriculum: bool = False
    """Whether hands with many solutions come first."""
    budget: float = 0.0
    """Operations of all steps together, by which the hands of a step vary; 0 leaves them at the number of prompts."""


def group_advantages(config: RL, rollout: Rollout) -> Tensor:
    """Float["episodes turns"], the same for all turns of an episode: by its return against those of its group."""
    returns = (rollout.rewards(config.reward) * rollout.taken).sum(1)
    grouped = returns.view(-1, rollout.samples)
    passed = rollout.passed.view(-1, rollout.samples)
    found = ALGORITHMS[config.algorithm](grouped, passed)
    return found.reshape(-1, 1).expand(-1, rollout.grades.shape[1])


ALGORITHMS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "grpo": lambda returns, passed: advantages.grpo(returns),
    "dr-grpo": lambda returns, passed: advantages.grpo(returns, scale=False),
    "rloo": lambda returns, passed: advantages.rloo(returns),
    "reinforce": lambda returns, passed: advantages.reinforce(returns, advantages.others(returns)),
    "positive": lambda returns, passed: advantages.signed(passed, negative=0.0),
    "negative": lambda returns, passed: advantages.signed(passed, positive=0.0),
    "w-reinforce": lambda returns, passed: advantages.signed(passed, positive=0.1),
}
"""From returns and successes, each ["prompts samples"], to advantages. `ppo` has a critic instead."""


class Learner(NamedTuple):
    """What a run changes as it goes."""

    policy: Policy
    base: Policy
    """As it was at the start; not changed."""
    critic: nn.Linear
    """The value of a turn, from what the policy computes at the token before it; used by `ppo` alone."""
    optimizers: Optimizers
    ledger: Ledger


def learner(policy: Policy, rates: Rates) -> Learner:
    """A run at its start: the policy is changed in place, a copy of it is kept as the base."""
    critic = nn.Linear(policy.config.width, 1, device=policy.head.weight.device)
    nn.init.zeros_(critic.weight)
    nn.init.zeros_(critic.bias)
    base = deepcopy(policy).requires_grad_(False)
    return Learner(policy, base, critic, Optimizers(nn.ModuleList([policy, critic]), rates), Ledger())


def train(
    run: Learner, config: RL, seed: int, *, begun: int = 0, kept: Container[int] = ()
) -> Iterator[dict[str, Any]]:
    """Reinforce step by step, from the step `begun` on; gives each step's line of the log. Stopped where it fails; the
    line before it says why, as `stopped`, where the policy is lost.

    `kept`: numbers of steps after which the weights are to be kept. They are tried on the next step's hands first.
    """
    ahead: Rollout | None = None
    for step in range(begun, config.steps):
        rollout = ahead or play(run, config, seed, step)
        run.ledger.generated(int(rollout.written.sum()), len(rollout.tokens), generation_flop(run.policy, rollout))
        run.ledger.barren = run.ledger.barren + 1 if alike(config, rollout) else 0
        if run.ledger.barren >= BARREN:
            raise Stopped(
                f"in {BARREN} steps all answers that are compared had one reward, so that nothing can be learned; "
                "begin from a policy that solves some hands, or take easier ones"
            )
        line = {"step": step, **told(rollout), **update(run, config, rollout)}
        why, ahead = far(line["kl"], step), None
        if not why and step + 1 in kept and not (why := broken(run, step + 1)):
            ahead = play(run, config, seed, step + 1)
            why = far(measure(run, config, ahead), step + 1)
        yield from ended({**line, **asdict(run.ledger)}, why)


def ended(line: dict[str, Any], why: str) -> Iterator[dict[str, Any]]:
    """A step's line; if the policy is lost, with the reason, and then Stopped."""
    yield line | ({"stopped": why} if why else {})
    if why:
        raise Stopped(why)


GROUPED = ("grpo", "dr-grpo", "rloo")
"""Algorithms that compare samples of one hand."""
SIGNED = ("positive", "negative", "w-reinforce")
"""Algorithms that know right and wrong alone."""
BARREN = 20
"""Steps in a row whose rewards all agree, after which nothing will be learned."""
FAR = 3.0
"""Nats a token from the base after which the policy is lost."""


def alike(config: RL, rollout: Rollout) -> bool:
    """Whether all returns that are compared with each other are equal: of a hand's samples, or of the whole batch."""
    returns = (rollout.rewards(config.reward) * rollout.taken).sum(1)
    if config.algorithm in SIGNED:
        returns = rollout.passed.float()
    compared = returns.view(-1, rollout.samples) if config.algorithm in GROUPED else returns[None]
    return bool((compared.amax(1) == compared.amin(1)).all())


def play(run: Learner, config: RL, seed: int, step: int) -> Rollout:
    """The episodes that a step learns from."""
    count = affordable(config, run.ledger, step) if step < config.steps else config.prompts
    return roll(
        run.policy, deal(config, seed, step, count), samples=config.samples, rounds=config.rounds,
        temperature=config.temperature, generator=generator_of(run.policy, seed, "sample", step),
    )  # fmt: skip


@torch.no_grad()
def measure(run: Learner, config: RL, rollout: Rollout) -> float:
    """Nats a token that the policy is from its base, on episodes that it played; the ledger does not count it."""
    some = _compared(config, rollout)
    ours = rollout.logprobs[some, 1:][rollout.written[some, 1:]]
    return float(losses.kl(ours, _of_base(run._replace(ledger=Ledger()), config, rollout), "k3").mean())


def far(apart: float, step: int) -> str:
    """Why a policy that has gone FAR from its base is lost; empty for another."""
    if apart <= FAR:
        return ""
    return (
        f"the policy is {apart:.3g} nats a token from its base after step {step}, at most {FAR:g} were expected; lower "
        "--rl.rates.adamw or raise --rl.kl"
    )


def broken(run: Learner, step: int) -> str:
    """Why weights that are not finite are neither tried nor kept; empty for others."""
    if all(bool(torch.isfinite(weight).all()) for weight in (*run.policy.parameters(), *run.critic.parameters())):
        return ""
    return f"weights are not finite after step {step}; lower the learning rate"


def descend(run: Learner, loss: Tensor, parameters: Sequence[Tensor]) -> float:
    """One step down the gradient, clipped to the norm 1; its norm before. Stopped, with all weights as they were, where
    the loss or its gradient is not finite."""
    loss.backward()
    norm = clip(parameters, 1.0)
    if not np.isfinite(norm) or not bool(torch.isfinite(loss)):
        raise Stopped(
            f"the loss is {float(loss.detach()):g} and the norm of its gradient {norm:g}, finite ones were expected; "
            "lower the learning rate"
        )
    run.optimizers.step()
    return norm


def affordable(config: RL, ledger: Ledger, step: int) -> int:
    """Hands of a step: `prompts`, or with a budget half to twice as many, by what an episode has cost so far."""
    if not config.budget or not ledger.episodes:
        return config.prompts
    each = ledger.flop / ledger.episodes * config.samples
    paid = round((config.budget - ledger.flop) / ((config.steps - step) * each))
    return min(max(paid, (config.prompts + 1) // 2), 2 * config.prompts)


def deal(config: RL, seed: int, step: int, count: int) -> Hands:
    """So many hands, of the part `train` under J = Q = K = 10; with the curriculum the easy ones first."""
    rng = stream(seed, "deal", step)
    drawn = count * 4 if config.curriculum else count
    hands = mixture.training_hands(rng, drawn)
    if not config.curriculum:
        return hands
    ways = step_table().count(step_table().hands(hands.values), hands.targets)
    order = np.argsort(-ways, kind="stable")
    begin = round((drawn - count) * step / max(1, config.steps - 1))
    return hands.take(order[begin : begin + count])


def update(run: Learner, config: RL, rollout: Rollout) -> dict[str, Any]:
    """Learn from a batch of episodes; what was measured on the way."""
    reference = _of_base(run, config, rollout)
    judged: Judged | None = None
    measured: dict[str, Any] = {}
    apart: float | None = None
    for _ in range(config.epochs):
        hidden = run.policy.hidden(rollout.tokens[:, :-1])
        judged = judged or _judged(run, config, rollout, hidden.detach())
        loss, measured = _losses(run, config, rollout, hidden, judged, reference)
        measured["norm"] = descend(run, loss, [*run.policy.parameters(), *run.critic.parameters()])
        apart = measured["kl"] if apart is None else apart
        episodes, seq = rollout.tokens.shape
        run.ledger.trained(
            rollout.tokens.numel(), training_flop(run.policy, episodes, seq - 1, int(rollout.written.sum()))
        )
    return measured | {"kl": apart}  # of the first pass: later ones are over answers of another policy


class Judged(NamedTuple):
    """What turns were worth, judged before the first pass over a batch."""

    gains: Tensor
    """Float["episodes turns"]: advantages."""
    returns: Tensor | None = None
    """With a critic: Float["episodes turns"], what it is to tell."""
    values: Tensor | None = None
    """With a critic: Float["episodes turns"], what it told."""


@torch.no_grad()
def _judged(run: Learner, config: RL, rollout: Rollout, hidden: Tensor) -> Judged:
    """From what the policy computes before the first pass, Float["episodes seq-1 width"], which only a critic reads."""
    if config.algorithm != "ppo":
        return Judged(group_advantages(config, rollout))
    values = _values(run, hidden, rollout)
    found, returns = advantages.gae(
        rollout.rewards(config.reward), values, rollout.taken, gamma=config.gamma, lam=config.lam
    )
    return Judged(advantages.whitened(found, rollout.taken), returns, values)


def _values(run: Learner, hidden: Tensor, rollout: Rollout) -> Tensor:
    """Float["episodes turns"]: the critic's, read at the token before each turn's first."""
    first = [int((rollout.turns == turn).nonzero()[0]) for turn in range(rollout.grades.shape[1])]
    before = [at - 1 if turn == 0 else at for turn, at in enumerate(first)]
    return run.critic(hidden[:, before])[..., 0]


@torch.no_grad()
def _of_base(run: Learner, config: RL, rollout: Rollout) -> Tensor:
    """Float["written"]: the base's log-probabilities of the tokens written in `_compared`, which no pass changes."""
    some = _compared(config, rollout)
    rows, mask = rollout.tokens[some], rollout.written[some, 1:]
    run.ledger.trained(0, training_flop(run.base, len(mask), mask.shape[1], int(mask.sum())) / 3)
    logits = run.base.head(run.base.hidden(rows[:, :-1])[mask]) / (config.temperature or 1.0)
    return losses.token_logprobs(logits, rows[:, 1:][mask])


def _compared(config: RL, rollout: Rollout) -> slice:
    """Episodes whose divergence from the base is measured: one of each hand, all where it is in the loss."""
    return slice(None, None, 1 if config.kl else rollout.samples)


def _losses(
    run: Learner, config: RL, rollout: Rollout, hidden: Tensor, judged: Judged, reference: Tensor
) -> tuple[Tensor, dict[str, Any]]:
    """The loss of one pass and what was measured. `hidden`: of all tokens but the last; `reference`: of `_of_base`."""
    mask = rollout.written[:, 1:]
    logits = run.policy.head(hidden[mask]) / (config.temperature or 1.0)
    chosen = rollout.tokens[:, 1:][mask]
    logprobs = torch.zeros(mask.shape, device=mask.device).masked_scatter(mask, losses.token_logprobs(logits, chosen))
    turns = rollout.turns[1:].expand(len(mask), -1)
    loss, held = losses.clipped(
        logprobs, rollout.logprobs[:, 1:], judged.gains, mask, turns, level=config.level, low=config.clip,
        high=config.clip,
    )  # fmt: skip
    measured: dict[str, Any] = {"clipped": float(held)}
    with torch.set_grad_enabled(config.entropy > 0):
        spread = losses.entropy(logits).mean()
    if config.entropy:
        loss = loss - config.entropy * spread
    some = _compared(config, rollout)
    ours = logprobs[some][mask[some]]
    weight = (ours - rollout.logprobs[some, 1:][mask[some]]).exp()  # 1 in the first pass, and its gradient is not
    apart = (weight * losses.kl(ours, reference, "k3")).mean()
    if config.kl:
        loss = loss + config.kl * losses.kl_loss(ours, reference, weight, config.estimator)
    if judged.returns is not None:
        values = _values(run, hidden, rollout)
        loss = loss + config.critic * losses.value_loss(values, judged.returns, rollout.taken, old=judged.values)
    return loss, measured | {
        "loss": float(loss.detach()),
        "entropy": float(spread.detach()),
        "kl": float(apart.detach()),
    }


def told(rollout: Rollout) -> dict[str, Any]:
    """What a batch of episodes shows."""
    passed = rollout.passed.view(-1, rollout.samples)
    share = passed.float().mean(1)
    return {
        "reward": float(rollout.rewards("classes").sum(1).mean()),
        "passed": float(share.mean()),
        f"pass@{rollout.samples}": float(passed.any(1).float().mean()),
        "informative": float(((share > 0) & (share < 1)).float().mean()),
        "recognised": float(rollout.recognised[:, 0].float().mean()),
    }
