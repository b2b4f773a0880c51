"""DPG-Bench's score from answers: every row, every picture, parents before children, every category under its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from athanor.analysis.intervals import SHARE, Interval, clustered, mean
from athanor.core.records import Estimate
from athanor.evals.dpg.answering import heard
from athanor.evals.dpg.asking import Answer, Key
from athanor.evals.dpg.table import Item

SCORE = "score"
"""Of 100, as published."""
WORST = "score, missing images 0"
BEST = "score, answers neither yes nor no as yes"


def held(item: Item, answers: Mapping[int, bool | None]) -> dict[int, bool | None]:
    """Whether each question's answer counts as yes: not where one that it depends on is no. None is unknown: an answer
    that failed, or a yes to a question whose parent is unknown. In the order of the item's questions.
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


def neither(answers: Iterable[Answer]) -> list[Answer]:
    """Those that were given and are neither yes nor no."""
    return [one for one in answers if not one.failure and heard(one.text) is None]


def estimates(items: Sequence[Item], answers: Mapping[Key, Answer], each: int, group: str) -> tuple[Estimate, ...]:
    """The score, its categories broad and detailed, and what is unknown.

    An answer that is neither yes nor no counts as no, as published; if there are any, a further score says what it
    would be if they were yes. A picture's score is the share of yes among its known answers, a prompt's the mean of its
    pictures', the score 100 times the mean over prompts. A category's is 100 times the share over all its questions and
    all pictures. `n` counts prompts; `excluded` prompts without a known answer, in categories answers that are unknown.
    """
    pictures = [[mine for picture in range(each) if (mine := _of(item, answers, picture))] for item in items]
    told = [[held(item, _yes(mine, False)) for mine in some] for item, some in zip(items, pictures, strict=True)]
    asked = [one for some in pictures for mine in some for one in mine.values()]
    unread, scores = len(neither(asked)), _scores(told)
    lost = len(items) - len(scores)
    found = [scaled(group, SCORE, mean(scores, within=SHARE, unit="prompts"), lost)]
    if unread:
        best = [[held(item, _yes(mine, True)) for mine in some] for item, some in zip(items, pictures, strict=True)]
        found.append(scaled(group, BEST, mean(_scores(best), within=SHARE, unit="prompts"), lost))
    if lost:
        found.append(scaled(group, WORST, mean([*scores, *[0.0] * lost], within=SHARE, unit="prompts"), 0))
    rows = [
        (one.detailed, number, mine[one.id])
        for number, (item, some) in enumerate(zip(items, told, strict=True)) for mine in some for one in item.questions
    ]  # fmt: skip
    counts = {"number of prompts without a score": lost, "number of answers neither yes nor no": unread,
              "number of answers that failed": sum(bool(one.failure) for one in asked)}  # fmt: skip
    return (*found, *categories(group, rows), *[_count(group, name, n) for name, n in counts.items()])


def _of(item: Item, answers: Mapping[Key, Answer], picture: int) -> dict[int, Answer]:
    """What was answered about one picture, by question."""
    found = {one.id: answers.get((item.name, picture, one.id)) for one in item.questions}
    return {number: one for number, one in found.items() if one is not None}


def _yes(answers: Mapping[int, Answer], otherwise: bool) -> dict[int, bool | None]:
    """Whether each answer is yes; `otherwise` where it is neither yes nor no, None where it failed."""
    heads = {number: heard(one.text) for number, one in answers.items()}
    return {
        number: None if one.failure else otherwise if heads[number] is None else heads[number]
        for number, one in answers.items()
    }


def _scores(told: Sequence[Sequence[Mapping[int, bool | None]]]) -> list[float]:
    """Of each prompt that has a known answer, the mean of its pictures' shares of yes."""
    known = [[[float(one) for one in mine.values() if one is not None] for mine in some] for some in told]
    shares = [[sum(mine) / len(mine) for mine in some if mine] for some in known]
    return [sum(some) / len(some) for some in shares if some]


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
