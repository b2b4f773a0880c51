"""DPG-Bench's score from answers: every row, every picture, parents before children, every category under its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from athanor.analysis.intervals import SHARE, Interval, clustered, mean
from athanor.core.records import Estimate
from athanor.evals.dpg.answering import heard
from athanor.evals.dpg.asking import Answer, Key
from athanor.evals.dpg.table import Item

SCORE = "score"
"""Of 100, as published."""
WORST = "score, missing images 0"


def held(item: Item, answers: Mapping[int, bool | None]) -> dict[int, bool | None]:
    """Whether each question's answer counts as yes: not where one that it depends on is no. None is unknown: an answer
    that was neither, or a yes to a question whose parent is unknown. In the order of the item's questions.
    """
    found: dict[int, bool | None] = {}
    for index in item.order:
        one = item.questions[index]
        above = [found[parent] for parent in one.parents]
        mine = answers.get(one.id)
        if any(held is not None and not held for held in (mine, *above)):
            found[one.id] = False
        else:
            found[one.id] = None if mine is None or None in above else True
    return {one.id: found[one.id] for one in item.questions}


def estimates(items: Sequence[Item], answers: Mapping[Key, Answer], each: int, group: str) -> tuple[Estimate, ...]:
    """The score, its categories broad and detailed, and what is unknown.

    A picture's score is the share of yes among its known answers, a prompt's the mean of its pictures', the score 100
    times the mean over prompts. A category's is 100 times the share over all its questions and all pictures. `n`
    counts prompts; `excluded` prompts without a known answer, in categories answers that are unknown.
    """
    scores, rows, unread, failed = list[float](), list[tuple[str, int, bool | None]](), 0, 0
    for number, item in enumerate(items):
        pictures = list[float]()
        for picture in range(each):
            mine = {one.id: answers.get((item.name, picture, one.id)) for one in item.questions}
            if all(one is None for one in mine.values()):
                continue
            unread += sum(one is not None and not one.failure and heard(one.text) is None for one in mine.values())
            failed += sum(one is not None and bool(one.failure) for one in mine.values())
            told = held(item, {k: heard(one.text) if one and not one.failure else None for k, one in mine.items()})
            rows += [(one.detailed, number, told[one.id]) for one in item.questions]
            known = [float(one) for one in told.values() if one is not None]
            pictures += [sum(known) / len(known)] if known else []
        scores += [sum(pictures) / len(pictures)] if pictures else []
    lost = len(items) - len(scores)
    found = [scaled(group, SCORE, mean(scores, within=SHARE, unit="prompts"), lost)]
    if lost:
        found.append(scaled(group, WORST, mean([*scores, *[0.0] * lost], within=SHARE, unit="prompts"), 0))
    counts = {"number of prompts without a score": lost, "number of answers neither yes nor no": unread,
              "number of answers that failed": failed}  # fmt: skip
    return (*found, *categories(group, rows), *[_count(group, name, n) for name, n in counts.items()])


def categories(group: str, rows: Sequence[tuple[str, int, bool | None]]) -> list[Estimate]:
    """The score of each category, broad ones first, in the order of their names. `rows`: of each answer, the detailed
    category, the prompt's number, and whether it is yes."""
    detailed = sorted({name for name, _, _ in rows})
    broad = dict.fromkeys(name.partition("-")[0].strip() for name in detailed)
    wanted = [(name, [row for row in rows if row[0].partition("-")[0].strip() == name]) for name in broad]
    wanted += [(name, [row for row in rows if row[0] == name]) for name in detailed if name not in broad]
    found = []
    for name, mine in wanted:
        known = [(float(yes), prompt) for _, prompt, yes in mine if yes is not None]
        share = clustered(
            [x for x, _ in known], [prompt for _, prompt in known], within=SHARE, of="answers", unit="prompts"
        )  # fmt: skip
        found.append(scaled(group, f"{SCORE} {name}", share, len(mine) - len(known)))
    return found


def scaled(group: str, name: str, share: Interval, excluded: int) -> Estimate:
    value, low, high = (None if one is None else 100 * one for one in (share.value, share.low, share.high))
    return Estimate(
        name=name, value=value, low=low, high=high, level=None if low is None else share.level, n=share.n,
        unit="prompts", method=f"100 times the {share.method}", excluded=excluded, group=group,
    )  # fmt: skip


def _count(group: str, name: str, n: int) -> Estimate:
    return Estimate(name=name, value=float(n), low=None, high=None, level=None, n=n, unit="prompts", method="count",
                    group=group)  # fmt: skip
