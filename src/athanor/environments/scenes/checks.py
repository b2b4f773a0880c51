"""How many prompts there are and what is held out, and the checker tried from both sides on pictures it draws."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from functools import lru_cache
from itertools import islice, permutations, product

import numpy as np

from athanor.core.records import Record, Unreadable
from athanor.core.replay import Complaint, validate
from athanor.core.seeds import stream
from athanor.environments.scenes.drawing import draw, render, roughen
from athanor.environments.scenes.entropy import entropy
from athanor.environments.scenes.environment import Look, Scenes, picture
from athanor.environments.scenes.judge import Judge
from athanor.environments.scenes.prompts import drawn, worded
from athanor.environments.scenes.sample import TOGETHER, Plans, has_room, kept
from athanor.environments.scenes.scene import Scene, Style, scenes
from athanor.environments.scenes.spec import CATEGORIES, Spec, key
from athanor.environments.scenes.splits import KINDS, PARTS, Kind, Split, combinations_of, held, split_of
from athanor.environments.scenes.swaps import near_misses
from athanor.environments.scenes.words import COLOUR_NAMES, RELATIONS, SHAPES

TASKS = 20
"""Tasks of each category on which the environment's verifier is tried."""


class Counted(Record, kw_only=True):
    """Prompts of a category."""

    category: str
    prompts: dict[str, int | None]
    """By part: how many different things can be asked for, whatever the words; None for dense prompts, which are as
    many as scenes."""
    nats: dict[str, tuple[float, float, float] | None]
    """By part: the least, mean and most entropy of a scene given its prompt."""


class Tried(Record, kw_only=True):
    """The checker on pictures of known scenes."""

    category: str
    pictures: int
    passed_strict: int
    passed_lenient: int
    near_misses: int
    """Pictures of scenes that just miss the prompt."""
    accepted: dict[str, int]
    """Of those, the ones that passed the strict rules, by what was changed; empty if none did."""


def held_out(kinds: tuple[Kind, ...] = KINDS) -> dict[str, tuple[int, list[str]]]:
    """By kind: how many combinations there are, and which are held out."""
    return {
        kind: (len(every := combinations_of(kind)), [" ".join(map(str, one)) for one in every if held(kind, *one)])
        for kind in kinds
    }


def counted(category: str, style: Style, kinds: tuple[Kind, ...] = KINDS) -> Counted:
    """Counts over every prompt; entropies over those of 500 drawn ones, and for dense prompts likewise."""
    numbers: dict[str, int | None] = dict.fromkeys(PARTS)
    nats: dict[str, tuple[float, float, float] | None] = {}
    for part in PARTS:
        split = split_of(part, kinds)
        if category != "dense":
            every = _every(category)
            rows = np.flatnonzero(kept(category, every, split))
            numbers[part] = len(np.unique(_codes(every)[rows]))
        drawn_ones = drawn(category, style, split, stream(0, "entropy", category, part), 500)[0]
        some = [nat for spec in drawn_ones if (nat := entropy(spec, style, split)) is not None]
        nats[part] = (min(some), float(np.mean(some)), max(some)) if some else None
    return Counted(category=category, prompts=numbers, nats=nats)


def _codes(plans: Plans) -> np.ndarray:
    """Int["batch"], the same for plans that ask for the same: whatever the order of the groups, and the side from which
    a relation is told."""
    one, other = (
        ((plans.shape[:, k] * 16 + plans.colour[:, k] + 1) * 16 + plans.count[:, k]) * 64 + plans.card[:, k] + 1
        for k in (0, 1)
    )
    back = np.isin(plans.relation, [RELATIONS.index("right of"), RELATIONS.index("below")])
    turned = np.where(plans.relation < 0, one > other, back)
    first, second = np.where(turned, other, one), np.where(turned, one, other)
    return (first * 2**20 + second) * 8 + plans.relation + 1 - back


@lru_cache(maxsize=16)
def _every(category: str) -> Plans:
    """All plans of a category."""
    n = range(len(SHAPES))
    colours, two = range(len(COLOUR_NAMES)), list(permutations(range(len(COLOUR_NAMES)), 2))
    pairs, none, one = list(permutations(n, 2)), (-1, -1), (1, 1)
    rows: list[tuple] = []
    if category == "cards":
        rows = [
            (none, none, (0, 0), -1, cards) for cards in [(k, -1) for k in range(52)] + list(permutations(range(52), 2))
        ]
    elif category in ("single_object", "counting", "colors"):
        counts = range(2, 5) if category == "counting" else (1,)
        inks = colours if category == "colors" else (-1,)
        rows = [((s, -1), (c, -1), (k, 0), -1, none) for s in n for c in inks for k in counts]
    elif category == "two_object":
        rows = [(pair, none, one, -1, none) for pair in pairs]
    elif category == "position":
        rows = [(pair, none, one, r, none) for pair in pairs for r in range(len(RELATIONS))]
    elif category == "color_attr":
        rows = [(pair, inks, one, -1, none) for pair in pairs for inks in two]
    else:
        some = [none, *two, *((c, -1) for c in colours), *((-1, c) for c in colours)]
        sizes, ways = list(product(range(1, TOGETHER + 1), repeat=2)), range(-1, len(RELATIONS))
        rows = [(pair, inks, k, r, none) for pair in pairs for inks in some for k in sizes for r in ways]
    shape, colour, count, relation, card = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    plans = Plans(shape=shape, colour=colour, count=count, relation=relation, card=card)
    if category != "mixed":
        return plans
    room = has_room(plans.count, plans.relation)
    return Plans(**{f.name: getattr(plans, f.name)[room] for f in fields(Plans)})


def tried(
    category: str, style: Style, pixels: int, prompts: int, seed: int, split: Split, *, misses: int | None = None
) -> Tried:
    """True pictures of so many prompts, and of near misses of them (at most `misses`)."""
    rng = stream(seed, "tried", category, pixels)
    asked, made = drawn(category, style, split, rng, prompts)
    images = roughen(render(made, pixels), style, rng)
    strict, lenient = Judge(), Judge(rules="lenient")
    passed = [(strict.judged(image, spec).passed, lenient.judged(image, spec).passed)
              for image, spec in zip(images, asked, strict=True)]  # fmt: skip
    wrong = [
        (what, spec, scene) for spec, truth in zip(asked, scenes(made), strict=True)
        for what, scene in near_misses(spec, truth)
    ][:misses]  # fmt: skip
    accepted: Counter[str] = Counter()
    for what, spec, scene in wrong:
        image = roughen(draw(scene, pixels)[None], style, rng)[0]
        accepted[what] += strict.judged(image, spec).passed
    return Tried(
        category=category, pictures=prompts, passed_strict=sum(one for one, _ in passed),
        passed_lenient=sum(one for _, one in passed), near_misses=len(wrong), accepted=dict(+accepted),
    )  # fmt: skip


def complaints(style: Style, seed: int) -> tuple[int, tuple[Complaint, ...]]:
    """Tasks tried, and the answers on which the environment's verifier failed. Tasks of one category ask for different
    things; `mixed`, where one thing asked for may hold of another's picture, is left out. The constant answer is an
    empty picture."""
    found, many = [], 0
    for category in CATEGORIES:
        if category == "mixed":
            continue
        environment = Scenes(style=style, categories=(category,))
        tasks, seen = [], set()
        for task in islice(environment.tasks("all", seed), 4 * TASKS):
            asked = key(environment.start(task).spec)
            if asked not in seen and len(tasks) < TASKS:
                seen.add(asked)
                tasks.append(task)
        constant = picture(draw(Scene()))
        echoed = [Unreadable(unreadable="the prompt is no picture")] * len(tasks)
        many += len(tasks)
        found += validate(environment, Look(environment=environment), tasks, constant=constant, echoed=echoed)
    return many, tuple(found)


def examples(category: str, style: Style, many: int, seed: int) -> tuple[list[Spec], np.ndarray, list[Scene]]:
    """Prompts in words, their pictures UInt8["many 48 48 3"], and their scenes."""
    rng = stream(seed, "examples", category)
    asked, made = drawn(category, style, split_of("all"), rng, many)
    return worded(asked), roughen(render(made), style, rng), scenes(made)
