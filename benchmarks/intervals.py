"""How often each interval holds the true value, and how wide it is: the tables of docs/intervals.md."""

from __future__ import annotations

from itertools import islice

import numpy as np
from scipy import special

from athanor.analysis.intervals import AMOUNT, LEVEL, SHARE, bounds, clustered, difference, mean
from athanor.environments.points import Points

REPEATS = 4000
AMOUNT_REPEATS = 1500
SHARES = (0.02, 0.1, 0.5, 0.9, 0.98)
EPISODES = (3, 5, 20, 100)
BETWEEN = (0.0, 0.01, 0.1, 0.3, 0.6, 1.0)
"""Part of the greatest variance between episodes that a share allows: none, or all of it (each episode 0 or 1)."""
TURNS = (1, 20, 500)
DEALT = 40_000
"""Hands of the test part from which those of a run of points are drawn."""
HAND_REPEATS = 1000


def episodes(rng: np.random.Generator, share: float, between: float, n: int, turns: int) -> np.ndarray:
    """Float["episodes repeats"]: the share in each episode, whose own probability is drawn from a beta distribution."""
    if between == 0:
        own = np.full((n, REPEATS), share)
    elif between == 1:
        own = (rng.random((n, REPEATS)) < share) * 1.0
    else:
        size = 1 / between - 1
        own = rng.beta(share * size, (1 - share) * size, (n, REPEATS))
    return rng.binomial(turns, own) / turns


def student(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Student's t interval clipped to between 0 and 1, without width where all are the same, to compare with."""
    n = len(values)
    half = special.stdtrit(n - 1, 0.5 + LEVEL / 2) * values.std(axis=0, ddof=1) / np.sqrt(n)
    return np.maximum(values.mean(axis=0) - half, 0), np.minimum(values.mean(axis=0) + half, 1)


def shares(rng: np.random.Generator) -> None:
    print(
        "| share | episodes | covered, least | covered, mean | width, mean | Student t: covered, least | width, mean |"
    )
    print("|---|---|---|---|---|---|---|")
    for p in SHARES:
        for n in EPISODES:
            found = []
            for between in BETWEEN:
                for turns in TURNS:
                    values = episodes(rng, p, between, n, turns)
                    for low, high in (bounds(values), student(values)):
                        found += [(((low <= p) & (p <= high)).mean(), (high - low).mean())]
            ours, theirs = np.array(found[::2]), np.array(found[1::2])
            print(
                f"| {p:g} | {n} | {ours[:, 0].min():.3f} | {ours[:, 0].mean():.3f} | {ours[:, 1].mean():.2f} "
                f"| {theirs[:, 0].min():.3f} | {theirs[:, 1].mean():.2f} |"
            )


AMOUNTS = {
    "Poisson, mean 0.2": (lambda rng, n: rng.poisson(0.2, n), 0.2),
    "Poisson, mean 1": (lambda rng, n: rng.poisson(1.0, n), 1.0),
    "Poisson, mean 10": (lambda rng, n: rng.poisson(10.0, n), 10.0),
    "10 in one of ten episodes, else 0": (lambda rng, n: 10.0 * (rng.random(n) < 0.1), 1.0),
    "10 in three of ten episodes, else 0": (lambda rng, n: 10.0 * (rng.random(n) < 0.3), 3.0),
}


def amounts(rng: np.random.Generator) -> None:
    print("| discoveries | episodes | mean: given | covered, if given | difference: given | covered, if given |")
    print("|---|---|---|---|---|---|")
    for name, (draw, true) in AMOUNTS.items():
        for n in EPISODES:
            cells = []
            for kind in ("mean", "difference"):
                given = held = 0
                for _ in range(AMOUNT_REPEATS):
                    ours = draw(rng, n).tolist()
                    if kind == "mean":
                        found, wanted = mean(ours, within=AMOUNT), true
                    else:
                        found, wanted = difference(ours, rng.poisson(8.0, 50).tolist()), true - 8
                    if found.low is not None and found.high is not None:
                        given += 1
                        held += found.low <= wanted <= found.high
                cells += [f"{given / AMOUNT_REPEATS:.2f}", f"{held / given:.3f}" if given else "–"]
            print(f"| {name} | {n} | {' | '.join(cells)} |")


def hands(rng: np.random.Generator) -> None:
    """Hands of points as they are dealt, each multiset of numbers with its own probability of being solved."""
    game, found = Points(), {}
    dealt = [tuple(sorted(game.start(task).values)) for task in islice(game.tasks("test", 1), DEALT)]
    numbers = np.array([found.setdefault(values, len(found)) for values in dealt])
    print("| solved | hands | alike | covered | width | as if hands were independent: covered | width |")
    print("|---|---|---|---|---|---|---|")
    for p in SHARES[:-1]:
        for n in (20, 100, 500):
            for alike in (0.0, 0.3, 1.0):
                cells = []
                for _ in range(HAND_REPEATS):
                    some = rng.choice(numbers, n)
                    if alike in (0.0, 1.0):
                        own = np.where(alike, rng.random(len(found)) < p, p)
                    else:
                        own = rng.beta(p * (1 / alike - 1), (1 - p) * (1 / alike - 1), len(found))
                    solved = (rng.random(n) < own[some]).astype(float).tolist()
                    for one in (
                        clustered(solved, some.tolist(), within=SHARE),
                        clustered(solved, range(n), within=SHARE),
                    ):
                        low, high = one.low or 0.0, one.high or 0.0
                        cells.append((low <= p <= high, high - low))
                ours, theirs = np.mean(cells[::2], axis=0), np.mean(cells[1::2], axis=0)
                print(
                    f"| {p:g} | {n} | {alike:g} | {ours[0]:.3f} | {ours[1]:.2f} | {theirs[0]:.3f} | {theirs[1]:.2f} |"
                )


if __name__ == "__main__":
    shares(np.random.default_rng(1))
    print()
    amounts(np.random.default_rng(2))
    print()
    hands(np.random.default_rng(3))
