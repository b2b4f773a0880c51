"""DPG-Bench's score as the published script comes to it, with its defects, to stand beside published numbers.

The script drops the table's first row after its header; a prompt on which anything fails is left out without a word, so
that one whose question depends on the row dropped is; an answer counts only if it is exactly `yes`; a question is set
to no if one that it depends on is no at that moment, in the order of the file; categories are counted before that, from
the last picture alone; and where several processes share the work, each gathers its categories in the order of a set
of strings, which differs between them, so that the first puts the others' answers under the wrong names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from athanor.analysis.intervals import SHARE, mean
from athanor.core.records import Estimate
from athanor.core.seeds import stream
from athanor.evals.dpg.asking import Answer, Key
from athanor.evals.dpg.scoring import SCORE, categories, scaled
from athanor.evals.dpg.table import Item, Question, items

YES = "yes"
Row = tuple[str, int, bool | None]
"""Detailed category, number of the prompt, whether the answer is yes."""


def kept(rows: Sequence[Question]) -> tuple[Item, ...]:
    """The prompts as the script reads them: without the first row."""
    return items(rows[1:])


def scored(item: Item, answers: Mapping[Key, Answer], each: int) -> tuple[float, list[bool]] | None:
    """A prompt's score, and the answers from which its categories are made; None where the script drops it."""
    pictures = []
    raw = dict[int, bool]()
    for picture in range(each):
        mine = [answers.get((item.name, picture, one.id)) for one in item.questions]
        if any(one is None or one.failure for one in mine):
            return None
        raw = {one.id: said.text == YES for one, said in zip(item.questions, mine, strict=True) if said is not None}
        now = dict(raw)
        for one in item.questions:
            if any(parent not in now for parent in one.parents):
                return None
            if not all(now[parent] for parent in one.parents):
                now[one.id] = False
        pictures.append(sum(now.values()) / len(now))
    return sum(pictures) / len(pictures), [raw[one.id] for one in item.questions]


def estimates(
    rows: Sequence[Question], answers: Mapping[Key, Answer], each: int, group: str, *, processes: int = 1, seed: int = 0
) -> tuple[Estimate, ...]:
    """The score and its categories. `processes` above 1 mixes the categories as that many processes would, the order
    of each process's set drawn by `seed`; the score itself does not depend on it.
    """
    found = list[float]()
    told = list[list[Row]]()
    for number, item in enumerate(kept(rows)):
        one = scored(item, answers, each)
        if one is not None:
            found.append(one[0])
            pairs = zip(item.questions, one[1], strict=True)
            told.append([(question.detailed, number, yes) for question, yes in pairs])
    lost = len(items(rows)) - len(found)
    score = scaled(group, SCORE, mean(found, within=SHARE, unit="prompts"), lost)
    return (score, *categories(group, mixed(told, processes, seed)))


def mixed(told: Sequence[Sequence[Row]], processes: int, seed: int) -> list[Row]:
    """The rows of prompts as the first process labels them.

    Prompts are parted among processes in runs of equal length. In the k-th round of gathering each gives what it has
    under the k-th name of its own order, and all of it goes under the first process's k-th name.
    """
    names = sorted({name for rows in told for name, _, _ in rows})
    parts = np.array_split(np.arange(len(told)), processes)
    orders = [stream(seed, "order of a set", rank).permutation(len(names)).tolist() for rank in range(processes)]
    found = list[Row]()
    for place in range(len(names)):
        label = names[orders[0][place]]
        for rank, part in enumerate(parts):
            mine = names[orders[rank][place]]
            found += [(label, n, yes) for k in part.tolist() for name, n, yes in told[k] if name == mine]
    return found
