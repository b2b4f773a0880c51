"""How many hands a policy solves: the same hands for every policy, from every multiset of numbers alike."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch

from athanor.core.seeds import stream
from athanor.environments.points import mixture, tokens
from athanor.environments.points.cards import NAMED_VALUES, OTHER_VALUES, TENS, Rule
from athanor.environments.points.steps import step_table
from athanor.environments.points.tokens import Hands
from athanor.models.policy.generate import sample
from athanor.models.policy.transformer import Policy
from athanor.training.rl import Learner
from athanor.training.rollouts import generator_of, roll

CHUNK = 2_048
"""Hands that are played at once."""


@dataclass(frozen=True, kw_only=True)
class Condition:
    """Hands on which policies are compared."""

    rule: Rule
    part: str
    need_face: bool = False
    printed: bool = False
    """Whether 11, 12 and 13 are printed on the cards in place of J, Q and K, which are told to mean 10."""
    about: str


CONDITIONS: dict[str, Condition] = {
    "seen": Condition(rule=TENS, part="train", about="hands of the part that post-training deals from"),
    "unseen": Condition(rule=TENS, part="test", about="the training rule, numbers that were never dealt"),
    "mapping": Condition(rule=OTHER_VALUES, part="test", need_face=True, about="J, Q, K mean 7, 8, 9; unseen numbers"),
    "range": Condition(
        rule=NAMED_VALUES,
        part="test",
        need_face=True,
        printed=True,
        about="the hands of rule with 11, 12, 13 printed: larger numbers, no letters",
    ),
    "rule": Condition(rule=NAMED_VALUES, part="test", need_face=True, about="J, Q, K mean 11, 12, 13; unseen numbers"),
    "old": Condition(rule=TENS, part="base", about="hands that the base had learned from"),
}
EACH = 6
"""Hands of each multiset, at most."""


class Play(NamedTuple):
    """One way to play a condition."""

    temperature: float
    rounds: int


PLAYS = (Play(1.0, 1), Play(0.0, 1), Play(1.0, 5))
SHARPER = (Play(0.7, 1), Play(0.5, 1), Play(0.3, 1))
"""For the base alone: what lower temperatures do without any training."""


ON_THE_WAY = ("unseen", "rule")
"""Conditions tried during training, and with several rounds at its end."""


class Solved(NamedTuple):
    """Of each multiset, how many hands were played and solved."""

    multisets: np.ndarray
    """Int["multisets"], rows of the step table."""
    hands: np.ndarray
    solved: np.ndarray
    recognised: np.ndarray
    """Hands whose four numbers the first answer read right."""

    @property
    def share(self) -> float:
        """Mean over multisets of the share of hands that were solved."""
        return float((self.solved / self.hands).mean())


@lru_cache(maxsize=16)
def hands_of(condition: Condition, each: int = EACH) -> Hands:
    """Up to `each` hands of every multiset that steps can solve: the same in every process. Those that a deck hardly
    ever deals (less than once in 60,000 hands) are left out."""
    many = 60_000
    rng = stream(0, "evaluation", condition.part, str(condition.rule.faces))
    faces = np.tile(condition.rule.faces, (many, 1))
    dealt = mixture.deal(rng, many, faces, np.full(many, 24), condition.part, need_face=condition.need_face)
    owner = step_table().hands(dealt.values)
    order = np.argsort(owner, kind="stable")
    place = np.arange(many) - np.searchsorted(owner[order], owner[order])
    kept = dealt.take(np.sort(order[place < each]))
    if not condition.printed:
        return kept
    letters = kept.ranks >= tokens.PRINTED - 3
    return kept._replace(ranks=kept.ranks + 3 * letters, faces=np.tile(TENS.faces, (len(kept.ranks), 1)))


@torch.no_grad()
def evaluate(policy: Policy, condition: Condition, play: Play, seed: int, each: int = EACH) -> Solved:
    """Play every hand of a condition once."""
    hands = hands_of(condition, each)
    passed, read = [], []
    for begin in range(0, len(hands.ranks), CHUNK):
        generator = generator_of(policy, seed, "evaluate", begin)
        part = hands.take(np.arange(begin, min(begin + CHUNK, len(hands.ranks))))
        made = roll(policy, part, samples=1, rounds=play.rounds, temperature=play.temperature, generator=generator)
        passed.append(made.passed.cpu().numpy())
        read.append(made.recognised[:, 0].cpu().numpy())
    multisets, owner = np.unique(step_table().hands(hands.values), return_inverse=True)
    solved, recognised = (
        np.bincount(owner, np.concatenate(those), len(multisets)).astype(np.int64) for those in (passed, read)
    )
    return Solved(multisets, np.bincount(owner), solved, recognised)


@torch.no_grad()
def arithmetic(policy: Policy, seed: int, rows: int = 400) -> float:
    """Share of single steps whose result is told right, greedily: what else the policy still knows."""
    facts = mixture.arithmetic(stream(seed, "arithmetic"), rows).tokens.reshape(-1, 5)
    asked = torch.from_numpy(facts[:, :4]).to(policy.head.weight.device)
    generator = torch.Generator(asked.device)
    made = sample(policy, asked, 1, 1, temperature=0.0, generator=generator)
    return float((made.tokens[:, 0, 0].cpu().numpy() == facts[:, 4]).mean())


PASS_HANDS, PASS_SAMPLES = 128, 32
"""Hands of a condition, each of another multiset, that are answered many times, and how many times."""


def pass_at(policy: Policy, condition: Condition, seed: int) -> dict[str, Any]:
    """How many of PASS_SAMPLES answers at temperature 1 solve each of PASS_HANDS hands, one of a multiset: of the same
    hands for every policy and seed."""
    every = hands_of(condition)
    _, first = np.unique(step_table().hands(every.values), return_index=True)
    rows = stream(0, "evaluation", "pass").permutation(first)[:PASS_HANDS]
    generator = generator_of(policy, seed, "pass")
    with torch.no_grad():
        made = roll(policy, every.take(rows), samples=PASS_SAMPLES, rounds=1, temperature=1.0, generator=generator)
    right = made.passed.view(-1, PASS_SAMPLES).sum(1).cpu().numpy()
    return {"samples": PASS_SAMPLES, "right": right.astype(int).tolist(), "hands": rows.tolist()}


def tried(run: Learner, step: int, *, each: int, seed: int, last: int) -> list[dict[str, Any]]:
    """What a policy solves, at temperature 1 and greedily: on the way of some conditions, and half as many hands.

    At the end of all, with several rounds too, with one of k samples, and single steps of arithmetic.
    """
    if step < last:
        on_the_way = [(name, play) for name in ON_THE_WAY for play in PLAYS if play.rounds == 1]
        return [_tried(run, name, play, seed, max(1, each // 2)) for name, play in on_the_way]
    found = [
        _tried(run, name, play, seed, each)
        for name in CONDITIONS for play in PLAYS if play.rounds == 1 or name in ON_THE_WAY
    ]  # fmt: skip
    found += [{"condition": name, "pass": pass_at(run.policy, CONDITIONS[name], seed)} for name in ON_THE_WAY]
    return [*found, {"condition": "arithmetic", "share": arithmetic(run.policy, seed)}]


def _tried(run: Learner, name: str, play: Play, seed: int, each: int) -> dict[str, Any]:
    solved = evaluate(run.policy, CONDITIONS[name], play, seed, each)
    return line(name, play, solved, run.ledger.flop, run.ledger.episodes)


def line(name: str, play: Play, solved: Solved, flop: float, episodes: int) -> dict[str, Any]:
    return {
        "condition": name, "temperature": play.temperature, "rounds": play.rounds, "share": solved.share, "flop": flop,
        "episodes": episodes, "hands": solved.hands.tolist(), "solved": solved.solved.tolist(),
        "recognised": solved.recognised.tolist(),
    }  # fmt: skip
