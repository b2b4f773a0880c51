"""The rates of docs/values.md: how often players are taken for ones who explore by uncertainty.

    python benchmarks/null_choices.py [--table generated:opaque:3] [--groups 200] [--nulls 199]

Groups of 10 players of 20 turns who choose by a softmax of values, with the weights and at the temperature written
beside them. By the regression on empowerment and uncertainty (the table's own empowerment): in how many groups null
choices give p below 0.05 for uncertainty, in how many the 95% interval among all pairs leaves 0 out, and in how many
both say so. The last column is of null choices that keep no other value: the regression on uncertainty alone.
"""

from __future__ import annotations

import argparse
import asyncio

import numpy as np

from athanor.agents.cognitive import Cognitive
from athanor.analysis.choice import full_choice
from athanor.analysis.multiplicity import SURE, excludes_zero
from athanor.analysis.null_choices import null_choices
from athanor.analysis.nulls import null_estimates
from athanor.core.play import Planned, play
from athanor.core.progress import progress
from athanor.core.seeds import stream
from athanor.environments.alchemy import RULES, Alchemy, Discovery, Pair
from athanor.environments.alchemy.worlds import table
from athanor.values.arrays import TableArrays
from athanor.values.games import Choices, Games, replay
from athanor.values.tables import PairValues
from athanor.values.turns import MARKS

PLAYERS, TURNS = 10, 20
OTHER = "true_empowerment"
KINDS: tuple[tuple[dict[str, float], float], ...] = (
    ({OTHER: 1.0}, 1.0), ({OTHER: 1.0}, 0.1), ({OTHER: 1.0, "uncertainty": 0.3}, 1.0), ({"uncertainty": 1.0}, 1.0),
    ({"uncertainty": 1.0}, 0.1),
)  # fmt: skip
"""Weights and temperature."""


def games(world: TableArrays, weights: dict[str, float], temperature: float, seed: int) -> Games:
    """One group's games; no player repeats a pair."""
    environment = Alchemy(table=world.table, rules=RULES["strict"])
    agent = Cognitive(values=PairValues.true(world), weights=tuple(weights.items()), temperature=temperature)
    task, judge = next(environment.tasks("open", 0)), Discovery(environment=environment)

    async def played() -> list[tuple[str, str]]:
        planned = [Planned(key=f"{player:04d}", task=task) for player in range(PLAYERS)]
        episodes = [await play(environment, judge, agent, one, seed=seed, turns=TURNS) for one in planned]
        actions = [turn.action for episode in episodes for turn in episode.turns]
        return [(action.first, action.second) for action in actions if isinstance(action, Pair)]

    pairs = asyncio.run(played())
    first, second = (world.indices([pair[side] for pair in pairs]) for side in (0, 1))
    return replay(world, RULES["strict"], Choices(np.arange(PLAYERS + 1) * TURNS, first, second))


def p_value(one: Games, fixed: PairValues, others: list[str], nulls: int, seed: int) -> float:
    """Of the null test of uncertainty, where the others keep their weights."""
    rng = stream(seed, "null")
    found = null_choices(one, fixed, "uncertainty", others, draws=nulls, rng=rng)
    _, p = null_estimates("", found.observed, found.drawn, "", group="", excluded=0)
    return 1.0 if p.value is None else p.value


def main() -> None:
    """Print a row for each kind of player."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--table", default="generated:opaque:3")
    parser.add_argument("--groups", type=int, default=200)
    parser.add_argument("--nulls", type=int, default=199)
    asked = parser.parse_args()
    world = TableArrays(table(asked.table))
    fixed = PairValues.true(world)
    print("| weights | temperature | null choices | interval | both | null choices, nothing kept |")
    print("|---|---|---|---|---|---|")
    for weights, temperature in KINDS:
        counts = np.zeros(4)
        told = ", ".join(f"{name} {weight:g}" for name, weight in weights.items())
        with progress(asked.groups, "group", told) as bar:
            for seed in range(asked.groups):
                one = games(world, weights, temperature, seed)
                by_null = p_value(one, fixed, [OTHER], asked.nulls, seed) < SURE
                fit = full_choice(one, fixed, [OTHER, "uncertainty", *MARKS])
                interval = excludes_zero(fit.estimates()[1])
                alone = p_value(one, fixed, [], asked.nulls, seed) < SURE
                counts += by_null, interval, by_null and interval, alone
                bar.update()
        shares = " | ".join(f"{100 * count / asked.groups:.1f}%" for count in counts)
        print(f"| {told} | {temperature:g} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
