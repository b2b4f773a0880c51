"""Batches of hands and of right answers in tokens: what a base policy learns from, and what post-training deals.

All is drawn in arrays, from hands of one part of the split; see `tokens` for the layout.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Literal, NamedTuple

import numpy as np

from athanor.environments.points import tokens
from athanor.environments.points.cards import NAMED_VALUES, TENS
from athanor.environments.points.deal import part_of
from athanor.environments.points.steps import HIGHEST, LARGEST, StepTable, step_table
from athanor.environments.points.tokens import Hands


class Lesson(NamedTuple):
    """Sequences to learn from."""

    tokens: np.ndarray
    """Int["rows length"]."""
    learned: np.ndarray
    """Bool["rows length"]: whether a token is to be predicted from those before it."""


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """What a base policy learns from: at 24 from hands of one part alone, at other targets from hands of all."""

    part: str = "base"
    at_24: float = 0.2
    """Share of hands with the target 24; the others have another of 1 to `targets`."""
    targets: int = 60
    wide: float = 0.15
    """Share of hands with a number above 13, which no part has: J, Q and K count 1 to `widest` in them."""
    widest: int = 30
    published_rules: float = 0.4
    """Share of hands under J = Q = K = 10 or 11, 12, 13, half each; the others draw the three from 1 to 13."""
    arithmetic: float = 0.08
    """Share of batches of single steps."""
    revisions: float = 0.12
    """Share of batches in which wrong answers are put right at a further attempt."""
    attempts: int = 1
    """Wrong answers before the right one, at most; each number of them is half as frequent as the one before."""


PUBLISHED = (TENS.faces, NAMED_VALUES.faces)


@cache
def parts() -> dict[str, np.ndarray]:
    """By part: Bool["14 14 14 14"], whether four numbers (in order) belong to it."""
    found = {name: np.zeros((HIGHEST + 1,) * 4, dtype=bool) for name in ("base", "train", "test")}
    for values in product(range(1, HIGHEST + 1), repeat=4):
        if list(values) == sorted(values):
            found[part_of(values)][values] = True
    return found


def deal(
    rng: np.random.Generator,
    count: int,
    faces: np.ndarray,
    targets: np.ndarray,
    part: str | None,
    *,
    need_face: bool = False,
    ranks: int = 13,
) -> Hands:
    """Hands from a deck of 52 that steps can solve, one for each row of `faces` and `targets`.

    `faces`: Int["count 3"]; `targets`: Int["count"]; drawn again until solvable and of the part. `need_face`: with at
    least one J, Q or K. `ranks`: how many of the ranks are in the deck; 10 has no faces.
    """  # fmt: skip
    table, chosen = step_table(), np.empty((count, 4), dtype=np.int64)
    left = np.arange(count)
    while len(left):
        drawn = rng.integers(0, 4 * ranks, (len(left), 4))
        ordered = np.sort(drawn, axis=1)
        hands = Hands(drawn % ranks, faces[left], targets[left])
        kept = (ordered[:, 1:] != ordered[:, :-1]).all(axis=1)
        if need_face:
            kept &= (hands.ranks > 9).any(axis=1)
        values = np.sort(hands.values, axis=1)
        if part:
            kept &= parts()[part][tuple(values.T)]
        kept &= table.count(table.hand_of[tuple(values.T)], hands.targets) > 0
        chosen[left[kept]] = hands.ranks[kept]
        left = left[~kept]
    return Hands(chosen, faces, targets)


Rules = Literal["one", "many"]
"""one: J = Q = K = 10. many: each of them means a number of 1 to 10, drawn anew for every hand; none above 10."""


def training_hands(rng: np.random.Generator, count: int, rules: Rules = "one") -> Hands:
    """What post-training deals: hands of the part `train` with the target 24."""
    faces = np.tile(TENS.faces, (count, 1)) if rules == "one" else rng.integers(1, 11, (count, 3))
    return deal(rng, count, faces, np.full(count, 24), "train")


def solutions(rng: np.random.Generator, hands: Hands, which: str = "random") -> np.ndarray:
    """Int["hands 16"]: a right answer to each; `random`, or the `first` of the table, the same each time."""
    table: StepTable = step_table()
    numbers = hands.values
    rows = table.hands(numbers)
    ways = table.count(rows, hands.targets)
    pick = (rng.random(len(rows)) * ways).astype(np.int64) if which == "random" else np.zeros(len(rows), dtype=np.int64)
    return tokens.answers(numbers, table.rows[table.starts[rows, hands.targets] + pick])


def lesson(rng: np.random.Generator, rows: int, mixture: Mixture) -> Lesson:
    """A batch of one kind: hands with their answers, revisions, or single steps."""
    kind = rng.random()
    if kind < mixture.arithmetic:
        return arithmetic(rng, rows)
    hands, answered = problems(rng, rows, mixture)
    asked = tokens.prompts(hands)
    if kind < mixture.arithmetic + mixture.revisions:
        many = int(rng.choice(mixture.attempts, p=_halving(mixture.attempts))) + 1
        fewer = max(1, rows * (tokens.PROMPT + 2 * tokens.TURN - 1) // (tokens.PROMPT + (1 + many) * tokens.TURN - 1))
        return revised(rng, hands.take(np.arange(fewer)), asked[:fewer], answered[:fewer], many)
    return Lesson(np.concatenate([asked, answered], axis=1), learned(rows, tokens.PROMPT, tokens.ANSWER))


def problems(rng: np.random.Generator, rows: int, mixture: Mixture) -> tuple[Hands, np.ndarray]:
    """Hands of the mixture and a right answer to each, Int["rows 16"]."""
    wide = int(rng.binomial(rows, mixture.wide))
    hands = drawn(rng, rows - wide, mixture)
    if not wide:
        return hands, solutions(rng, hands)
    beyond, further = _wide(rng, wide, mixture)
    both = Hands(*(np.concatenate(pair) for pair in zip(hands, beyond, strict=True)))
    return both, np.concatenate([solutions(rng, hands), further])


def _wide(rng: np.random.Generator, rows: int, mixture: Mixture) -> tuple[Hands, np.ndarray]:
    """Hands with a number above HIGHEST, and an answer made forwards: random steps, whose last result is the target."""
    ours = int(rng.binomial(rows, mixture.at_24))
    found: list[tuple[Hands, np.ndarray]] = []
    for wanted, is_24 in ((ours, True), (rows - ours, False)):
        while wanted > 0:
            block = 64 * rows
            faces = rng.integers(1, mixture.widest + 1, (block, 3))
            ranks = np.where(
                rng.random((block, 4)) < 0.5, rng.integers(10, 13, (block, 4)), rng.integers(0, 10, (block, 4))
            )
            hands = Hands(ranks, faces, np.zeros(block, dtype=np.int64))
            steps, made = _forwards(rng, hands.values)
            kept = (hands.values.max(axis=1) > HIGHEST) & ((made == 24) if is_24 else (made > 0) & (made != 24))
            kept &= made <= mixture.targets
            chosen = np.flatnonzero(kept)[:wanted]
            wanted -= len(chosen)
            hands = Hands(ranks, faces, made).take(chosen)
            found.append((hands, tokens.answers(hands.values, steps[chosen])))
    hands = Hands(*(np.concatenate(parts) for parts in zip(*(one for one, _ in found), strict=True)))
    return hands, np.concatenate([answered for _, answered in found])


def _forwards(rng: np.random.Generator, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Three random steps over each row of numbers, Int["rows 12"], and what they make, -1 where a step is none."""
    rows = len(values)
    pool = rng.permuted(values, axis=1)
    steps, good = np.zeros((rows, 12), dtype=np.int64), np.ones(rows, dtype=bool)
    for k in range(3):
        pool = rng.permuted(pool, axis=1)
        high, low = pool[:, :2].max(axis=1), pool[:, :2].min(axis=1)
        operator = rng.integers(0, 4, rows)
        exact = (low > 0) & (high % np.maximum(low, 1) == 0)
        made = np.select(
            [operator == 0, operator == 1, operator == 2],
            [high + low, high - low, high * low],
            high // np.maximum(low, 1),
        )
        good &= (made <= LARGEST) & ((operator < 3) | exact)
        made = np.where(good, made, 0)
        steps[:, 4 * k : 4 * k + 4] = np.stack([high, operator, low, made], axis=1)
        pool = np.concatenate([made[:, None], pool[:, 2:]], axis=1)
    return steps, np.where(good, steps[:, 11], -1)


def drawn(rng: np.random.Generator, rows: int, mixture: Mixture) -> Hands:
    """Hands with rules and targets of the mixture."""
    faces = rng.integers(1, HIGHEST + 1, (rows, 3))
    published = rng.random(rows)
    for k, told in enumerate(PUBLISHED):
        share = mixture.published_rules / 2
        faces[(published >= k * share) & (published < (k + 1) * share)] = told
    targets = rng.integers(1, mixture.targets, rows)
    targets += targets >= 24  # another than 24
    ours = rng.random(rows) < mixture.at_24
    targets[ours] = 24
    ranks = np.empty((rows, 4), dtype=np.int64)
    for some, part in ((ours, mixture.part), (~ours, None)):
        ranks[some] = deal(rng, int(some.sum()), faces[some], targets[some], part).ranks
    return Hands(ranks, faces, targets)


def _halving(many: int) -> np.ndarray:
    """Float["many"], the shares of 1, 2, ...: each half of the one before."""
    shares = 0.5 ** np.arange(many)
    return shares / shares.sum()


def revised(
    rng: np.random.Generator, hands: Hands, asked: np.ndarray, answered: np.ndarray, attempts: int = 1
) -> Lesson:
    """Wrong answers, each with what it was, and a right one: only the last is learned."""
    parts = [asked]
    for _ in range(attempts):
        wrong, graded = _wrong(rng, hands)
        parts += [wrong, (tokens.FEEDBACK + graded)[:, None]]
    before = tokens.PROMPT + attempts * tokens.TURN
    return Lesson(np.concatenate([*parts, answered], axis=1), learned(len(asked), before, tokens.ANSWER))


def _wrong(rng: np.random.Generator, hands: Hands) -> tuple[np.ndarray, np.ndarray]:
    """Int["hands 16"], answers as a policy fails, and Int["hands"], their classes.

    They are made from the numbers and not from a right answer, which nothing of them gives away: a policy that learns
    to put right what was damaged copies, and copies its own mistakes too.
    """
    wrong, graded = np.empty((len(hands.ranks), tokens.ANSWER), dtype=np.int64), np.zeros(len(hands.ranks), np.int64)
    while (graded == 0).any():
        again = np.flatnonzero(graded == 0)
        some = hands.take(again)
        wrong[again] = _tried(rng, some)
        graded[again] = tokens.grade(wrong[again], some)
    return wrong, graded


def _tried(rng: np.random.Generator, hands: Hands) -> np.ndarray:
    """Int["hands 16"]: legal steps from the numbers, which mostly miss the target; in half of them a false result, most
    often the target; in a few a number that was not dealt, or a step that is none."""
    rows = np.arange(len(hands.ranks))
    steps, made = _forwards(rng, hands.values)
    while (made < 0).any():
        again = np.flatnonzero(made < 0)
        steps[again], made[again] = _forwards(rng, hands.values[again])
    tried = tokens.answers(hands.values, steps)
    kind = rng.random(len(rows))
    claimed, other = kind < 0.35, (kind >= 0.35) & (kind < 0.5)
    tried[claimed, 15] = hands.targets[claimed]
    column = rng.choice([7, 11, 15], len(rows))
    tried[rows[other], column[other]] += rng.integers(1, 4, int(other.sum()))
    strange, torn = (kind >= 0.5) & (kind < 0.6), kind >= 0.97
    tried[rows[strange], rng.choice([4, 6], len(rows))[strange]] = rng.integers(1, 30, int(strange.sum()))
    tried[rows[torn], rng.integers(4, tokens.ANSWER, len(rows))[torn]] = rng.integers(0, tokens.RANK, int(torn.sum()))
    return tried


def arithmetic(rng: np.random.Generator, rows: int) -> Lesson:
    """Five single steps a row, each after its task's token; the results are learned."""
    facts = 5 * rows
    low, operator = rng.integers(1, 40, facts), rng.integers(0, 4, facts)
    other = rng.integers(1, 40, facts)
    small = np.minimum(rng.integers(1, HIGHEST + 1, facts), LARGEST // np.maximum(low, other))
    high = np.select([operator < 2, operator == 2], [np.maximum(low, other), np.maximum(low, small)], low * small)
    below = np.select([operator < 2, operator == 2], [np.minimum(low, other), np.minimum(low, small)], low)
    made = np.select([operator == 0, operator == 1, operator == 2], [high + below, high - below, high * below], small)
    facts_made = np.stack([np.full(facts, tokens.ARITHMETIC), high, operator + tokens.OPERATOR, below, made], axis=1)
    learned = np.zeros((rows, 25), dtype=bool)
    learned[:, 4::5] = True
    return Lesson(facts_made.reshape(rows, 25), learned)


def learned(rows: int, before: int, length: int) -> np.ndarray:
    """Bool["rows before+length"]: the last `length` tokens."""
    found = np.zeros((rows, before + length), dtype=bool)
    found[:, before:] = True
    return found
