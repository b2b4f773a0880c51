"""The hand in a closed vocabulary, for policies of the project's own: 9 tokens ask, 16 answer.

A prompt is the task, the numbers of J, Q and K, four cards and the target. An answer is the four numbers as read, then
three steps of larger number, operator, smaller number and result. After a wrong answer its class follows as one token,
and the policy answers again. Everything here works on whole batches of hands; a test shows that `grade` says of every
answer what the exact judge says of its formula.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from athanor.environments.points.cards import RANKS
from athanor.environments.points.state import Answer
from athanor.environments.points.steps import LARGEST, OPERATORS

OPERATOR = LARGEST + 1
"""The first of the operators' tokens; below are the numbers, each its own token."""
RANK = OPERATOR + len(OPERATORS)
"""The first of the ranks' tokens."""
POINTS = RANK + len(RANKS)
ARITHMETIC = POINTS + 1
"""Before the three tokens of a step, whose result is to be told."""
FEEDBACK = ARITHMETIC + 1
"""The first of the tokens that tell what an answer was: one for each of CLASSES."""
CLASSES = ("solved", "value", "numbers", "form")
PRINTED = len(RANKS)
"""Ranks from here on are no letters: cards on which 11, 12 and 13 are printed, as number tokens."""
VOCABULARY = 224
PROMPT, ANSWER = 9, 16
TURN = ANSWER + 1
"""Tokens of a further attempt: what the one before was, and an answer."""
TOLD = np.array((11, 12, 13))
"""The numbers that are printed."""


class Hands(NamedTuple):
    """A batch of hands."""

    ranks: np.ndarray
    """Int["hands 4"], 0 for an ace to 12 for a king; from PRINTED on printed numbers."""
    faces: np.ndarray
    """Int["hands 3"], what J, Q and K count as."""
    targets: np.ndarray
    """Int["hands"]."""

    @property
    def values(self) -> np.ndarray:
        """Int["hands 4"]."""
        rows = len(self.ranks)
        low, printed = (np.broadcast_to(numbers, (rows, len(numbers))) for numbers in (np.arange(1, 11), TOLD))
        numbers = np.concatenate([low, self.faces, printed], axis=1)
        return np.take_along_axis(numbers, self.ranks, axis=1)

    def take(self, rows: np.ndarray) -> Hands:
        return Hands(self.ranks[rows], self.faces[rows], self.targets[rows])


def prompts(hands: Hands) -> np.ndarray:
    """Int["hands 9"]."""
    task = np.full((len(hands.ranks), 1), POINTS)
    cards = np.where(hands.ranks < PRINTED, hands.ranks + RANK, hands.values)
    return np.concatenate([task, hands.faces, cards, hands.targets[:, None]], axis=1)


def answers(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Int["hands 16"]: right answers, from numbers as dealt and rows of the step table."""
    steps = rows.astype(np.int64)
    steps[:, 1::4] += OPERATOR
    return np.concatenate([values, steps], axis=1)


def grade(written: np.ndarray, hands: Hands) -> np.ndarray:
    """Int["hands"], positions in CLASSES, of answers Int["hands 16"]."""
    return _grade(written.astype(np.int64), hands.values.astype(np.int64), hands.targets.astype(np.int64))


def recognised(written: np.ndarray, hands: Hands) -> np.ndarray:
    """Bool["hands"]: whether the four numbers were read right, in order."""
    return (written[:, :4] == hands.values).all(axis=1)


def answer_of(written: np.ndarray) -> Answer:
    """One answer, Int["16"], as a formula: a number that an earlier step gave stands for that step.

    The last step that gave a number is meant where there are several, else a card; what neither gave stands for
    itself. An answer whose tokens are out of order has no formula.
    """
    told = written[:4].tolist()
    said = tuple(told) if max(told) <= LARGEST else None
    steps: list[tuple[int, str]] = []
    for k in range(3):
        high, operator, low, made = written[4 + 4 * k : 8 + 4 * k].tolist()
        if max(high, low, made) > LARGEST or not 0 <= operator - OPERATOR < len(OPERATORS):
            return Answer(formula="", numbers=said)
        sides = []
        for number in (high, low):
            place = next((p for p in reversed(range(len(steps))) if steps[p][0] == number), None)
            sides.append(str(number) if place is None else f"({steps.pop(place)[1]})")
        steps.append((made, f"{sides[0]}{OPERATORS[operator - OPERATOR]}{sides[1]}"))
    return Answer(formula=steps[-1][1], numbers=said)


@njit(cache=True)
def _grade(written, values, targets):
    grades = np.empty(len(written), np.int64)
    stated, num, den = np.empty(3, np.int64), np.empty(3, np.int64), np.empty(3, np.int64)
    used, cards = np.empty((3, 4), np.int64), np.empty(3, np.int64)
    for row in range(len(written)):
        steps, grade = 0, 1
        for k in range(3):
            at = 4 + 4 * k
            operator = written[row, at + 1] - OPERATOR
            numbers = max(written[row, at], written[row, at + 2], written[row, at + 3])
            if numbers > LARGEST or operator < 0 or operator > 3:
                grade = 3
                break
            side_num, side_den = np.empty(2, np.int64), np.empty(2, np.int64)
            mine, held = np.empty(4, np.int64), 0
            for side in range(2):
                number = written[row, at + 2 * side]
                place = -1
                for p in range(steps):
                    if stated[p] == number:
                        place = p
                if place < 0:
                    side_num[side], side_den[side] = number, 1
                    mine[held] = number
                    held += 1
                    continue
                side_num[side], side_den[side] = num[place], den[place]
                for c in range(cards[place]):
                    mine[held] = used[place, c]
                    held += 1
                steps -= 1
                for p in range(place, steps):
                    stated[p], num[p], den[p], cards[p] = stated[p + 1], num[p + 1], den[p + 1], cards[p + 1]
                    used[p] = used[p + 1]
            a, b, c, d = side_num[0], side_den[0], side_num[1], side_den[1]
            if operator == 0:
                num[steps], den[steps] = a * d + c * b, b * d
            elif operator == 1:
                num[steps], den[steps] = a * d - c * b, b * d
            elif operator == 2:
                num[steps], den[steps] = a * c, b * d
            else:
                num[steps], den[steps] = a * d, b * c
            if d == 0 or b == 0:
                den[steps] = 0
            stated[steps], cards[steps] = written[row, at + 3], held
            used[steps, :held] = mine[:held]
            steps += 1
        if grade != 3:
            last = steps - 1
            if cards[last] != 4 or not (np.sort(used[last]) == np.sort(values[row])).all():
                grade = 2
            elif den[last] != 0 and num[last] == targets[row] * den[last]:
                grade = 0
        grades[row] = grade
    return grades
