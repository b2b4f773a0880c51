"""The numbers that the two publications report, each with what it is of and where it stands.

Sources: Pan, Xie and Wilson 2025 (arXiv 2501.18009) and its code; Brändle et al. 2023 and its code. `spread` is what
the source gives beside the value: a standard error, or a standard deviation over players.
"""

from __future__ import annotations

from typing import Literal

from athanor.core.records import Record


class Published(Record, kw_only=True):
    """One published number."""

    quantity: str
    """Which of our estimates it is set beside, by `claims`."""
    of: str
    """Whose it is: a model with its setting, people, or an agent."""
    value: float
    spread: float | None = None
    kind: Literal["se", "sd", ""] = ""
    n: int | None = None
    """Players behind it."""
    source: str


_PAN = "Pan et al. 2025"
_CATEGORIES = "Pan et al. 2025, data_analysis (categories, % of trials)"
_BRANDLE = "Brändle et al. 2023, Little Alchemy 2"
_RECOVERY = "Brändle et al. 2023, recovery"


REASONING = ("o1", "deepseek-r1")
"""Models that reason before they answer."""


def _shares() -> tuple[Published, ...]:
    """Success with something new, and invalid, as shares of trials."""
    rows = (
        ("llama-3.1-8b, T=1", 5, (2.04, 1.69), (52.56, 26.41)),
        ("llama-3.1-70b, T=1", 5, (7.44, 0.61), (14.76, 4.36)),
        ("gpt-4o", 5, (7.96, 0.62), (2.48, 0.81)),
        ("gpt-4o, engineered", 5, (9.64, 2.45), (8.08, 11.48)),
        ("o1", 5, (38.36, 6.13), (0.0, None)),
        ("deepseek-r1", 5, (19.80, 6.68), (1.80, None)),
        ("people, 500 trials", None, (43.21, 24.29), (0.0, None)),
    )
    found = []
    for of, n, new, invalid in rows:
        for quantity, (value, spread) in (("share success-new", new), ("share invalid", invalid)):
            found.append(Published(
                quantity=quantity, of=of, value=value / 100, spread=None if spread is None else spread / 100,
                kind="" if spread is None else "sd", n=n, source=_CATEGORIES,
            ))  # fmt: skip
    return tuple(found)


PUBLISHED: tuple[Published, ...] = (
    *(
        Published(quantity="final inventory", of=of, value=value, source=f"{_PAN} (recalled from the paper)")
        for of, value in (
            ("people, 500 trials", 42), ("gpt-4o", 35), ("o1", 177), ("llama-3.1-8b", 9), ("llama-3.1-70b", 25),
            ("deepseek-r1", 85),
        )
    ),
    *_shares(),
    Published(quantity="empowerment", of="people", value=0.3780, spread=0.0010, kind="se", n=29_493, source=_BRANDLE),
    Published(quantity="uncertainty", of="people", value=0.2232, spread=0.0011, kind="se", n=29_493, source=_BRANDLE),
    Published(quantity="uncertainty", of="random agent", value=0.4558, spread=0.0050, kind="se", source=_RECOVERY),
    Published(quantity="empowerment", of="random agent", value=-0.0294, spread=0.0046, kind="se", source=_RECOVERY),
    Published(quantity="uncertainty", of="uncertainty agent", value=22.57, source=_RECOVERY),
    Published(quantity="empowerment", of="uncertainty agent", value=-0.075, source=_RECOVERY),
    Published(quantity="uncertainty", of="empowerment agent", value=0.700, source=_RECOVERY),
    Published(quantity="empowerment", of="empowerment agent", value=3.296, source=_RECOVERY),
    Published(quantity="uncertainty", of="llama-3.1-8b, T=1", value=0.241, n=5, source=_PAN),
    Published(quantity="empowerment", of="llama-3.1-8b, T=1", value=-0.074, n=5, source=_PAN),
    Published(quantity="uncertainty", of="llama-3.1-70b, T=1", value=1.814, n=5, source=_PAN),
    Published(quantity="empowerment", of="llama-3.1-70b, T=1", value=0.150, n=5, source=_PAN),
    Published(quantity="stopping: empowerment", of="people", value=0.4154, spread=0.0097, kind="se", source=_BRANDLE),
    Published(quantity="stopping: success", of="people", value=-0.3117, spread=0.0095, kind="se", source=_BRANDLE),
    Published(quantity="usage: r of usage and ln(1 + children)", of="people", value=0.5910, n=531, source=_BRANDLE),
    Published(quantity="usage: r of usage and children", of="people", value=0.4703, n=531, source=_BRANDLE),
    Published(quantity="usage: r of usage and children", of="random agent", value=0.0418, n=334, source=_BRANDLE),
    Published(quantity="usage: usage % by ln(1 + children)", of="people", value=13.82, n=531, source=_BRANDLE),
    Published(quantity="usage: usage % by ln(1 + children)", of="random agent", value=0.70, n=334, source=_BRANDLE),
)  # fmt: skip
