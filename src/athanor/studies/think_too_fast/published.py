"""The numbers that the two publications report, each with whose it is and where it stands.

Sources: Pan, Xie and Wilson 2025 (arXiv 2501.18009) and its public code; Brändle et al. 2023, its public code and the
figures in it, from which a number was read where it is printed nowhere. Numbers "derived" or of a "re-analysis" stand
in neither: they follow from what does, and the publications lack them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from msgspec.structs import replace

from athanor.analysis.regressions import REGRESSIONS
from athanor.core.records import Record
from athanor.studies.think_too_fast.how import How


class Published(Record, kw_only=True):
    """One published number."""

    quantity: str
    """What it is, by the name that our estimate of it has; a weight or usage estimate's prefix aside."""
    of: str
    """Whose it is: a model with its setting, people, or an agent."""
    value: float
    spread: float | None = None
    """What the source gives beside the value: a standard error, or a standard deviation over players."""
    kind: Literal["se", "sd", "r", ""] = ""
    """What `spread` is; "r" for a correlation, whose interval follows from `n`."""
    n: int | None = None
    """What is behind it: players, or elements for a number of usage."""
    source: str
    how: How = How()
    """How it was made, as far as the source says, where something of ours can stand beside it."""


BOUND = "final inventory at most, by its share success-new"
"""Start, and one element for each turn that was a new success: what rules that give one element a turn allow."""
CATEGORIES = ("failure-new", "success-new", "success-existing", "failure-existing", "invalid")
"""In the order of the source."""
REASONING = ("o1", "deepseek-r1")
"""Models that reason before they answer."""
NAMES = {
    "llama-3.1-8b": "(meta-)?llama-3.1-8b-instruct",
    "llama-3.1-70b": "(meta-)?llama-3.1-70b-instruct",
    "gpt-4o": "gpt-4o",
    "o1": "o1",
    "deepseek-r1": "deepseek-(r1|reasoner)",
}
"""What each published model is called by those who serve it, as regular expressions; dates and formats aside."""

RANDOM, NEVER, ORACLE = "random player", "random player who never repeats", "oracle"
"""The players of the re-analysis, under the rules of Pan et al. on the game's own table, for 500 turns."""
RAW_LOGS, TRIED_ONCE = "people, raw logs", "people, memory logs"
"""People's logs as they are, and without the pairs that a player had combined before."""

_PAN, _BRANDLE = "Pan et al. 2025", "Brändle et al. 2023"
_AGAIN = "re-analysis: 400 simulated players of 500 turns under the rules of Pan et al."
_PLAYERS = (
    (RANDOM, (0.538, 0.0871, 0.071, 0.304), 0.0130),
    (NEVER, (0.884, 0.1162, 0.0, 0.0), 0.0117),
)
"""Their shares by CATEGORIES, and the deviation of the share success-new over players."""


_UNSAID = How()
GAME = "little-alchemy-2"
"""The table of the game that people and models played."""
_PLAYED = How(table=GAME, rules="pan2025", turns="500")
_FASTTEXT = "predicted from fastText vectors in 10 folds"
_TEMPERATURES = "free, temperatures 0, 0.3, 0.7 and 1 pooled"
_ASKED = {
    "llama-3.1-8b": "free, raw text without a chat template, T=1, 3 tokens",
    "llama-3.1-70b": "free, raw text without a chat template, T=1, 3 tokens",
    "gpt-4o": "free, base prompt, temperature not said, 50 tokens",
    "gpt-4o, engineered": "free, engineered prompt, temperature not said, 50 tokens",
    "o1": "free, base prompt, no temperature",
    "deepseek-r1": "free, temperature without effect, 500 tokens",
}
"""How each model was asked, by its name with its condition."""
_FITTED = How(
    table=GAME, rules="pan2025", turns="500", fit="pooled over all models, then the mean over a model's players",
    formula=REGRESSIONS["main"].formula, nagq="0", scaled="all models", empowerment=_FASTTEXT,
)  # fmt: skip
_RECOVERED = How(
    table=GAME, rules="brandle2023", turns="200", fit="the arm alone", formula=REGRESSIONS["recovery"].formula,
    nagq="0", scaled="the arm", empowerment=_FASTTEXT,
)  # fmt: skip
_REPLICATED = How(
    table=GAME, rules="brandle2023", turns="200", fit="the arm alone", formula=REGRESSIONS["uncertainty"].formula,
    nagq="1", scaled="the arm",
)  # fmt: skip


def _asked(of: str, how: How = _PLAYED) -> How:
    """How a number of a model was made, with how it was asked."""
    return replace(how, asked=_ASKED.get(of.removesuffix(", T=1"), ""))


def _each(
    quantity: str, source: str, rows: Iterable[tuple[str, float]], n: int | None = None, how: How = _UNSAID
) -> Iterator[Published]:
    """One quantity of several."""
    for of, value in rows:
        yield Published(quantity=quantity, of=of, value=value, n=n, source=source, how=_asked(of, how))


def _spread(
    quantity: str, of: str, value: float, spread: float, kind: Literal["se", "sd"], source: str, n: int | None = None,
    how: How = _UNSAID,
) -> Published:  # fmt: skip
    return Published(quantity=quantity, of=of, value=value, spread=spread, kind=kind, n=n, source=source, how=how)


_SHARES: tuple[tuple[str, int | None, tuple[float, ...], tuple[float, ...]], ...] = (
    ("llama-3.1-8b, T=1", 5, (3.64, 2.04, 17.60, 24.16, 52.56), (2.15, 1.69, 11.40, 14.24, 26.41)),
    ("llama-3.1-70b, T=1", 5, (17.96, 7.44, 29.92, 29.92, 14.76), (2.03, 0.61, 1.15, 3.36, 4.36)),
    ("gpt-4o", 5, (35.08, 7.96, 16.68, 37.80, 2.48), (2.99, 0.62, 1.79, 4.99, 0.81)),
    ("gpt-4o, engineered", 5, (42.80, 9.64, 10.84, 28.64, 8.08), (5.45, 2.45, 1.85, 8.03, 11.48)),
    ("o1", 5, (61.24, 38.36, 0.04, 0.36, 0.0), (6.13, 6.13)),
    ("deepseek-r1", 5, (77.04, 19.80, 0.64, 0.72, 1.80), (5.72, 6.68)),
    ("people, 500 trials", None, (39.63, 43.21, 6.58, 10.59, 0.0), (16.95, 24.29, 6.69, 9.78)),
    ("people", 29_493, (42.82, 38.36, 7.17, 11.65, 0.0), ()),
)
"""Per cent of trials by CATEGORIES, and deviations over players as far as they are given."""


def _shares() -> Iterator[Published]:
    source = f"{_PAN}, data_analysis.py lines 597-625 (behaviour, % of trials)"
    for of, n, values, spreads in _SHARES:
        for category, value, spread in zip(CATEGORIES, values, (*spreads, *[None] * 5), strict=False):
            yield Published(
                quantity=f"share {category}", of=of, value=round(value / 100, 6),
                spread=None if spread is None else round(spread / 100, 6), kind="" if spread is None else "sd", n=n,
                source=source, how=_asked(of),
            )  # fmt: skip


def _bounds() -> Iterator[Published]:
    shares = [(of, values[1]) for of, _, values, _ in _SHARES if not of.startswith("people")]
    for of, share in (*shares, *((of, 100 * values[1]) for of, values, _ in _PLAYERS)):
        source = f"derived from {_AGAIN if of in (RANDOM, NEVER) else _PAN}: 4 + 500 x the share success-new"
        yield Published(quantity=BOUND, of=of, value=round(4 + 5 * share, 2), source=source, how=_asked(of))


def _inventories() -> Iterator[Published]:
    rows = (
        ("people, 500 trials", 42.0), ("gpt-4o", 35.0), ("o1", 177.0), ("llama-3.1-8b", 9.0), ("llama-3.1-70b", 25.0),
        ("deepseek-r1", 85.0),
    )  # fmt: skip
    source = f"{_PAN}, figure of inventories over 500 trials (recalled, not verified)"
    for one in _each("final inventory", source, rows, how=_PLAYED):
        pooled = one.of in ("gpt-4o", "llama-3.1-8b", "llama-3.1-70b")
        yield replace(one, how=replace(one.how, asked=_TEMPERATURES)) if pooled else one


def _people() -> Iterator[Published]:
    """How far people come, and how many of them: most stop early."""
    figures = f"{_BRANDLE}, figures of trials and inventories (read from the SVG files)"
    yield from _each(
        "share of players with at most 500 trials", f"{_PAN}, data_analysis.py line 62", [("people", 0.912)]
    )
    yield from _each("players", figures, [("people", 29_493)])
    yield from _each("final inventory", figures, [("people", 50.91)], n=29_493)
    logs = (RAW_LOGS, TRIED_ONCE)
    for quantity, values in (
        ("last trial's number, from 0", (209.65, 158.06)),
        ("players with at least 100 trials", (12_100, 10_132)),
        ("inventory after 100 turns, still playing", (35.96, 41.93)),
        ("inventory after 500 turns, still playing", (110, 142)),
    ):
        yield from _each(quantity, figures, zip(logs, values, strict=True))
    yield from _each("trials in all", f"derived from {figures}", [(logs[1], 4_691_000)])
    sizes = f"{_BRANDLE}, behavior_trial_and_inventory_sizes.R"
    reached = ((10, 24_719), (50, 15_622), (100, 9_949), (500, 1_785), (1_000, 563), (10_000, 16))
    for number, players in reached:
        yield from _each(f"players with a trial numbered beyond {number:,}", sizes, [(logs[1], players)])
    owned = (
        (10, 24_317), (20, 18_167), (50, 7_845), (100, 3_206), (200, 1_247), (300, 628), (400, 352), (500, 177),
        (600, 88), (700, 33),
    )  # fmt: skip
    for number, players in owned:
        yield from _each(f"players with more than {number} elements", sizes, [("people", players)])
    yield from _each("players with all 720 elements", sizes, [("people", 9)])
    for of, n, value in (("people, Tiny Alchemy", 97, 89.07), ("people, Tiny Pixels", 98, 27.50)):
        yield from _each(
            "final inventory", f"{_BRANDLE}, figures of the tiny games (read from the SVG files)", [(of, value)], n
        )


def _weights() -> Iterator[Published]:
    source = f"{_BRANDLE}, estimates_visualization (empowerment and uncertainty together)"
    for of, n, rows in (
        ("people", 29_493, ((0.3780, 0.0010), (0.2232, 0.0011))),
        ("people, Tiny Alchemy", 97, ((0.302234, 0.010184), (0.090041, 0.010168))),
        ("people, Tiny Pixels", 98, ((-0.045266, 0.016705), (0.085747, 0.020103))),
    ):
        for quantity, (value, spread) in zip(("empowerment", "uncertainty"), rows, strict=True):
            yield _spread(quantity, of, value, spread, "se", source, n)
    source = f"{_BRANDLE}, recovery of simulated agents"
    yield _spread("uncertainty", "random agent", 0.4558, 0.0050, "se", source, how=_RECOVERED)
    yield _spread("empowerment", "random agent", -0.0294, 0.0046, "se", source, how=_RECOVERED)
    for of, empowerment, uncertainty in (("uncertainty agent", -0.075, 22.57), ("empowerment agent", 3.296, 0.700)):
        yield from _each("empowerment", source, [(of, empowerment)], how=_RECOVERED)
        yield from _each("uncertainty", source, [(of, uncertainty)], how=_RECOVERED)
    source = f"{_PAN}, regression-visualization.py lines 154-164"
    for of, empowerment, uncertainty in (
        ("llama-3.1-8b, T=1", -0.074, 0.241),
        ("llama-3.1-8b, T=1, empowerment ablated", -0.238, 0.559),
        ("llama-3.1-8b, T=1, uncertainty ablated", -0.140, -1.082),
        ("llama-3.1-70b, T=1", 0.150, 1.814),
        ("llama-3.1-70b, T=1, empowerment ablated", 0.039, 1.547),
    ):
        yield from _each("empowerment", source, [(of, empowerment)], n=5, how=_FITTED)
        yield from _each("uncertainty", source, [(of, uncertainty)], n=5, how=_FITTED)
    source = "re-analysis: the published regression on simulated players of the game's own table"
    yield _spread("uncertainty", NEVER, 0.467, 0.005, "se", source, how=_REPLICATED)
    yield _spread("uncertainty", RANDOM, 0.004, 0.0045, "se", source, how=_REPLICATED)


def _stopping() -> Iterator[Published]:
    for of, script, rows in (
        ("people", "when_to_stop_la2.r", ((0.41545, 0.009721), (-0.31173, 0.009506))),
        ("people, Tiny Alchemy", "when_to_stop_tatp.r", ((0.6431, 0.2394), (-0.1213, 0.1415))),
        ("people, Tiny Pixels", "when_to_stop_tatp.r", ((0.2686, 0.3432), (0.5173, 0.2868))),
    ):
        for quantity, (value, spread) in zip(("empowerment", "success"), rows, strict=True):
            yield _spread(f"stopping: {quantity}", of, value, spread, "se", f"{_BRANDLE}, {script} (both together)")


def _usage() -> Iterator[Published]:
    source = f"{_BRANDLE}, figure of immediate usage (computed again from the points of its SVG file)"
    for of, n, r, r_log, intercept, slope in (
        ("people", 531, 0.4703, 0.5910, 31.84, 13.82), ("random agent", 334, 0.0418, None, 6.33, 0.70),
    ):  # fmt: skip
        for quantity, value in (
            ("r of usage and children", r), ("r of usage and ln(1 + children)", r_log),
            ("usage % at ln(1 + children) = 0", intercept), ("usage % by ln(1 + children)", slope),
        ):  # fmt: skip
            if value is not None:
                yield Published(
                    quantity=f"usage: {quantity}", of=of, value=value, kind="r" if quantity.startswith("r ") else "",
                    n=n, source=source, how=How(table=GAME, rules="brandle2023", turns="1000"),
                )  # fmt: skip


def _latents() -> Iterator[Published]:
    """In which layer a latent of the sparse autoencoder goes most with each."""
    for of, layers in (("llama-3.1-70b", (2, 1, 72)), ("llama-3.1-8b", (7, 15, 22))):
        for what, layer in zip(("uncertainty", "choices", "empowerment"), layers, strict=True):
            yield from _each(f"layer of the latent nearest {what}", f"{_PAN}, figure captions", [(of, layer)])


def _again() -> Iterator[Published]:
    """What the publications lack: random players, the oracle, and what an answer of three tokens can say."""
    yield _spread("final inventory", RANDOM, 39.1, 5.1, "sd", _AGAIN, 400, _PLAYED)
    yield _spread("final inventory", NEVER, 48.3, 4.6, "sd", _AGAIN, 400, _PLAYED)
    yield _spread(
        "final inventory", ORACLE, 508, 1, "sd", "re-analysis: the greedy player under the rules of Pan et al.",
        how=_PLAYED,
    )  # fmt: skip
    for of, values, spread in _PLAYERS:
        for category, value in zip(CATEGORIES, values, strict=False):
            known = spread if category == "success-new" else None
            yield Published(
                quantity=f"share {category}", of=of, value=value, spread=known, kind="sd" if known else "", n=400,
                source=_AGAIN, how=_PLAYED,
            )  # fmt: skip
    yield from _each("inventory after 100 turns", _AGAIN, [(RANDOM, 20.1), (NEVER, 23.2)], how=_PLAYED)
    tokens = "re-analysis: names as cl100k tokens, the published bound of three"
    for quantity, value in (
        ("names of one token, first in the answer", 225), ("names of one token, second in the answer", 436),
        ("pairs that succeed and fit in some order", 2_299), ("elements within reach", 139),
        ("elements within reach, with gifts", 144), ("elements within reach, a blank before the answer", 145),
        ("elements within reach, a blank and gifts", 199),
    ):  # fmt: skip
        yield from _each(f"three tokens: {quantity}", tokens, [("llama-3.1", value)])


_PARTS = (_inventories, _shares, _bounds, _people, _weights, _stopping, _usage, _latents, _again)
PUBLISHED: tuple[Published, ...] = tuple(one for part in _PARTS for one in part())
