"""Hands of points a second, on one core: python benchmarks/points.py

Dealt from a deck, parted by their numbers, and judged exactly. In records: a task and a state of the environment, an
answer in words, a verdict. In tokens: whole batches of hands for the policies of the project's own. Formulas are read
by the compiled loop, as always, and by the loop that is there to be read (`formula.read_by_loop`), in turns within the
same run: the ratio says what compiling gave. Answers that are judged are ready ones; reading them out of what a model
writes, by rows of their own, takes longer than judging.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice
from statistics import median
from time import process_time

import numpy as np

from athanor.agents.points import random_formula
from athanor.core.seeds import stream
from athanor.environments.points import Answer, Exact, Grade, Hand, Points, formula, judge, mixture, tokens
from athanor.environments.points.cards import rank_of
from athanor.environments.points.deal import Deal, hands
from athanor.environments.points.judge import gold
from athanor.environments.points.solver import solutions, solvable
from athanor.environments.points.state import hand
from athanor.environments.points.text import PointsDialogue

HANDS = 100_000


def main() -> None:
    environment = Points()
    grade, rule = Grade(environment=environment), environment.rule
    list(islice(environment.tasks("all", 0), 5_000))  # compiled, and every multiset searched
    rows = [
        ("dealt as tasks", lambda: sum(1 for _ in islice(environment.tasks("all", 1), HANDS))),
        ("dealt as cards", lambda: sum(1 for _ in islice(hands(Deal(), rule, 24, None, stream(1, "x")), HANDS))),
    ]
    told = {}
    for name, deal in rows:
        begun = process_time()
        deal()
        told[name] = HANDS / (process_time() - begun)
    dealt = [hand(cards, rule, 24) for cards in islice(hands(Deal(), rule, 24, None, stream(1, "x")), HANDS)]
    answers = [gold(one, solutions(one.values, 24)[-1]) for one in dealt]
    rng = stream(1, "wrong")
    wrong = [Answer(formula=random_formula(one.values, rng), numbers=one.values) for one in dealt]
    broken = [Answer(formula=f"{answer.formula[:-3]})") for answer in answers]
    ratios = {}
    for name, those in (("", answers), (", random formulas", wrong), (", a bracket too many", broken)):
        told[f"judged exactly{name}"], ratios[name], passed = judged(dealt, those)
        if not name:
            print(f"all {passed:,} gold answers passed" if passed == HANDS else f"{HANDS - passed} FAILED")
    tasks = list(islice(environment.tasks("all", 1), HANDS))
    begun = process_time()
    for task, answer in zip(tasks, answers, strict=True):
        grade.verdict(environment.step(environment.start(task), answer).state)
    told["played as tasks, with records"] = HANDS / (process_time() - begun)
    both = 1 / (1 / told["dealt as cards"] + 1 / told["judged exactly"])
    told["dealt as cards and judged exactly"] = both
    told |= read_from(dealt, answers)
    told |= in_tokens()
    for name, rate in told.items():
        print(f"{name:42} {rate:12,.0f} hands/s")
    for name, ratio in ratios.items():
        print(f"judged exactly{name}: {ratio:.2f} times as many as by the loop that is there to be read")
    fresh = [tuple(sorted(map(int, row))) for row in stream(2, "new").integers(1, 200, (2_000, 4))]
    begun = process_time()
    for values in fresh:
        solvable(values, 24)
    print(f"a hand not met before is searched in {(process_time() - begun) / len(fresh) * 1e6:.0f} us")


PARTS = 10
"""Parts of the hands after each of which the two ways of reading change."""


def judged(dealt: Sequence[Hand], answers: Sequence[Answer]) -> tuple[float, float, int]:
    """Hands judged a second, how many times as many as by the loop to read (the median over PARTS), and how many
    passed."""
    by_loop, whole, ratios, passed, size = Exact(), 0.0, [], 0, len(dealt) // PARTS
    compiled = judge.read
    for part in range(PARTS):
        some = list(zip(dealt[part * size :][:size], answers[part * size :][:size], strict=True))
        begun = process_time()
        passed += sum(by_loop.judge(one, answer).passed for one, answer in some)
        now = process_time()
        judge.read = formula.read_by_loop
        again = sum(by_loop.judge(one, answer).passed for one, answer in some)
        judge.read = compiled
        ratios.append((process_time() - now) / (now - begun))
        whole += now - begun
        assert again == sum(by_loop.judge(one, answer).passed for one, answer in some)
    return size * PARTS / whole, median(ratios), passed


READ = 10_000
"""Answers that are read of each kind."""


def read_from(dealt: Sequence[Hand], answers: Sequence[Answer]) -> dict[str, float]:
    """Answers read and judged a second, as a model writes them: the JSON asked for, a line, and a line after words."""
    environment, dialogue, exact = Points(), PointsDialogue(), Exact()
    said = "The largest card is the last one, so that I take the others first and see what is left over. "
    rates = {}
    for kind, of in (
        ("the JSON asked for", lambda one, text: json.dumps({"cards": [*map(rank_of, one.cards)], "number": one.values,
                                                             "formula": f"{text}=24"})),
        ("a line", lambda one, text: f"{text}=24"),
        ("a line after 5 sentences", lambda one, text: f"{said * 5}\n{text}=24"),
    ):  # fmt: skip
        pairs = zip(dealt[:READ], answers[:READ], strict=True)
        wrote = [(one, environment.observe(one), of(one, ready.formula)) for one, ready in pairs]
        begun = process_time()
        heard = [(one, dialogue.hear(text, seen)) for one, seen, text in wrote]
        passed = sum(exact.judge(one, found).passed for one, found in heard if isinstance(found, Answer))
        rates[f"read and judged: {kind}"] = READ / (process_time() - begun)
        assert passed == READ, (kind, passed)
    return rates


def in_tokens() -> dict[str, float]:
    faces, targets = np.full((HANDS, 3), 10), np.full(HANDS, 24)
    mixture.deal(stream(0, "warm"), 1_000, faces[:1_000], targets[:1_000], "train")
    begun = process_time()
    dealt = mixture.deal(stream(1, "deal"), HANDS, faces, targets, None)
    rate = HANDS / (process_time() - begun)
    answered = mixture.solutions(stream(1, "solve"), dealt)
    tokens.grade(answered[:10], dealt.take(np.arange(10)))
    begun = process_time()
    assert (tokens.grade(answered, dealt) == 0).all()
    judged = HANDS / (process_time() - begun)
    return {"in tokens: dealt": rate, "in tokens: judged": judged, "in tokens: both": 1 / (1 / rate + 1 / judged)}


if __name__ == "__main__":
    main()
