"""What Chu et al. 2025 (arXiv 2501.17161) print for GeneralPoints and navigation, with intervals of our making.

Success counts are those that the printed percentages leave with the number of episodes in the public evaluation
scripts; the paper states no number.
"""

from __future__ import annotations

from typing import NamedTuple

from athanor.analysis.intervals import SHARE, bounds

EPISODES = 234
"""Of each number on GeneralPoints (evaluation scripts, `num_traj`)."""


class Published(NamedTuple):
    """A printed share."""

    task: str
    """GP-L and GP-VL: GeneralPoints in words and in pictures. V-IRL-L and V-IRL-VL: navigation."""
    shift: str
    of: str
    percent: float
    n: int | None
    """Episodes; None where the share is of steps, whose number is not known."""
    source: str = "final values out of distribution"

    @property
    def successes(self) -> int | None:
        return None if self.n is None else round(self.percent * self.n / 100)

    def interval(self) -> tuple[float, float] | None:
        """Clopper and Pearson's at 95%."""
        import numpy as np

        if self.n is None or self.successes is None:
            return None
        shares = np.zeros((self.n, 1))
        shares[: self.successes] = 1
        low, high = bounds(shares, SHARE)
        return float(low[0]), float(high[0])


PUBLISHED: tuple[Published, ...] = tuple(
    Published(task, shift, of, percent, n)
    for task, shift, n, percents in (
        ("GP-L", "rule", EPISODES, (11.5, 3.4, 15.0)),
        ("GP-VL", "rule", EPISODES, (11.2, 5.6, 14.2)),
        ("V-IRL-L", "rule, per step", None, (80.8, 1.3, 91.8)),
        ("V-IRL-VL", "rule, per step", None, (35.7, 2.5, 45.0)),
        ("GP-VL", "visual", EPISODES, (23.6, 13.7, 41.2)),
        ("V-IRL-VL", "visual, 18 routes", 18, (16.7, 11.1, 77.8)),
    )
    for of, percent in zip(("before", "SFT", "RL"), percents, strict=True)
)
ANSWERS = 5
"""Rounds of verification in the published training and evaluation on GeneralPoints."""
ROUNDS = {1: 0.48, 3: 2.15, 5: 2.99, 10: 5.99}
"""Points gained under the shifted rule by RL with so many verification rounds, at equal compute (GP-L, the ablation of
verification iterations)."""
