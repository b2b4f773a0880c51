"""How far and how each arm explored, as estimates over episodes."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

import msgspec
import numpy as np

from athanor.analysis.arms import BASELINES, Arm, arms_of
from athanor.analysis.construction import constructed, is_by_construction, zero_by_construction
from athanor.analysis.intervals import AMOUNT, BOUNDED, LEVEL, SHARE, Interval, Range, difference, mean
from athanor.analysis.multiplicity import ALL_HOLD, HOLM, bonferroni
from athanor.analysis.tables import Run
from athanor.core.disk import write_atomically
from athanor.core.records import Estimate
from athanor.environments.alchemy import CATEGORIES
from athanor.environments.alchemy.rules import Cause

CAUSES: tuple[Cause, ...] = get_args(Cause)
"""Why an answer was invalid, as the verifier says it."""

FINAL = "final inventory"
UNFINISHED = "episodes not finished"
CUT = "share of answers cut at the token bound"
WITHHELD: dict[str, str] = {
    "filtered": "answers withheld by the server's filter",
    "refused": "answers refused by the model",
}
"""Causes of invalid turns that only a model's answer can have, and what their count is called."""
SHARED = "several episodes were played at once and shared the model's time, so their seconds are not independent"

ONE_GAME = "the oracle's games are one game played several times, and no sample"

LEVEL_TEXT = f"{LEVEL:.0%}"


def estimates(runs: Sequence[Run]) -> tuple[Estimate, ...]:
    """Every estimate of every run, grouped by arm (`arms_of` says how arms are named and worlds told apart).

    `n` counts kept episodes and `excluded` the others that ended: in an error, or without a turn in which the
    measure is known. Episodes still being played are neither; how many there are is an estimate of its own. Where
    several tasks were played and some more than once, `n` counts tasks, each the mean of its episodes (`excluded`
    still counts episodes). The value's own unit is in the name; `unit` is what `n` counts.
    """
    return estimates_of(arms_of(runs))


def estimates_of(arms: Sequence[Arm]) -> tuple[Estimate, ...]:
    """`estimates`, for arms already named.

    Behind each difference from a player who does not know the table stands the same with the interval that holds for
    all such differences here at once (Bonferroni), if there are several.
    """
    comparisons = sum(
        e.low is not None for arm in arms for other, _, e in _differences(arm, arms) if not other.knows_table
    )
    return tuple(e for arm in arms for e in (*_measures(arm), *_compared(arm, arms, comparisons)))


def write_estimates(path: Path, found: Sequence[Estimate]) -> None:
    """Write estimates to a file, one JSON line each, whole or not at all."""
    write_atomically(path, lines_of(found))


def lines_of(found: Sequence[Estimate]) -> bytes:
    """Estimates as they are kept: one JSON line each."""
    return b"".join(msgspec.json.encode(estimate) + b"\n" for estimate in found)


def _measures(arm: Arm) -> Iterator[Estimate]:
    """The arm's own estimates. What a model takes is left out where none was asked, differences where none can be."""
    if arm.unfinished:
        yield count_of(arm, UNFINISHED, arm.unfinished)
    start = arm.by_unit(arm.episodes("start"))
    yield _mean(arm, FINAL, arm.episodes("inventory"), within=(float(start.mean()) if len(start) else 0.0, math.inf))
    yield _mean(arm, "discoveries", arm.episodes("return"))
    if arm.world.split != "open":
        yield _mean(arm, "share of episodes that made the goal", arm.episodes("passed"), within=SHARE)
    known = zero_by_construction(arm)
    alone = ONE_GAME if arm.one_game else ""
    for name, values in share_columns(arm).items():
        share = _mean(arm, name, arm.by_episode(values), within=SHARE, dependent=alone)
        yield constructed(share, known[name]) if name in known else share
    for cause, name in WITHHELD.items():
        if count := arm.run.turns["cause"].to_pylist().count(cause):
            yield count_of(arm, name, count, "count over all turns stored")
    for name, values in spending_columns(arm).items():
        dependent = SHARED if name == "seconds" and arm.shared else ""
        by_episode = arm.by_episode(values)
        yield _mean(arm, f"{name} per turn", by_episode, within=spending_range(arm, name, values), dependent=dependent)
    if arm.asked:
        yield total_cost(arm)


def share_columns(arm: Arm) -> dict[str, np.ndarray]:
    """Each share as Float["turns"]: 1 where a turn is of the kind, 0 where not, NaN where it is out of the question."""
    category = {name: arm.turns_with("category", name) for name in CATEGORIES}
    fresh = arm.turns_with("category", "success-new", "failure-new") == 1
    foreign = np.maximum(arm.turns_with("cause", "unowned"), arm.turns_with("foreign", "unowned"))
    causes = [cause for cause in CAUSES if arm.asked or cause not in WITHHELD]
    asked = {CUT: np.where(np.isnan(arm.turns("attempts")), np.nan, arm.turns_with("finish", "length"))}
    return {
        **{f"share {name}": values for name, values in category.items()},
        **{f"share invalid: {cause}": arm.turns_with("cause", cause) for cause in causes},
        "share of repeated pairs among read": arm.turns("repeated"),
        "share of successes among new pairs": np.where(fresh, category["success-new"], np.nan),
        "share naming an element not owned": foreign,
        **(asked if arm.asked else {}),
    }


def spending_columns(arm: Arm) -> dict[str, np.ndarray]:
    """What a turn took, as Float["turns"], NaN where unknown: seconds, and what a model that was asked says."""
    if not arm.asked:
        return {"seconds": arm.turns("seconds")}
    prompt, cached = arm.turns("prompt_tokens"), arm.turns("cached_tokens")
    return {
        "prompt tokens": prompt,
        "cached prompt tokens": cached,
        "newly evaluated prompt tokens": prompt - cached,
        "completion tokens": arm.turns("completion_tokens"),
        "reasoning tokens": arm.turns("reasoning_tokens"),
        "seconds": arm.turns("seconds"),
        "cost": arm.turns("cost"),
    }


def spending_range(arm: Arm, name: str, values: np.ndarray) -> Range:
    """What the mean of a spending column can be: tokens that are said are bounded where no turn broke the bound."""
    bound = arm.run.manifest.config.get("max_tokens")
    if name not in ("completion tokens", "reasoning tokens") or not isinstance(bound, int):
        return AMOUNT
    return AMOUNT if np.any(values > bound) else (0.0, float(bound))


def _mean(
    arm: Arm, name: str, by_episode: np.ndarray, *, within: Range = AMOUNT, dependent: str = ""
) -> Estimate:  # fmt: skip
    """The mean over units; without an interval where episodes are `dependent`, which says why."""
    units = arm.by_unit(by_episode)
    known = units[~np.isnan(units)]
    over = arm.units if arm.units == "episodes" else f"{arm.units}, each the mean of its episodes"
    interval = mean(known.tolist(), within=within, unit=over)
    if dependent and interval.low is not None:
        method = f"mean over {over}, no interval: {dependent}"
        interval = msgspec.structs.replace(interval, low=None, high=None, method=method)
    return _estimate(arm, name, interval, arm.errors + int(np.isnan(by_episode).sum()))


def _estimate(arm: Arm, name: str, interval: Interval, excluded: int, unit: str = "") -> Estimate:
    return Estimate(
        name=name, value=interval.value, low=interval.low, high=interval.high,
        level=None if interval.low is None else interval.level, n=interval.n, unit=unit or arm.units,
        method=interval.method, excluded=excluded, group=arm.name,
    )  # fmt: skip


def count_of(arm: Arm, name: str, value: int, method: str = "count of the episodes begun") -> Estimate:
    """A number of episodes, or of what `method` says, which needs no interval."""
    return Estimate(
        name=name, value=value, low=None, high=None, level=None, n=arm.run.episodes.num_rows, unit="episodes",
        method=method, group=arm.name,
    )  # fmt: skip


def total_cost(arm: Arm) -> Estimate:
    """What the whole run has cost so far, failed and unfinished episodes included; None if a turn's cost is unknown."""
    cost = arm.run.turns["cost"]
    asked = len(cost) - arm.run.turns["attempts"].null_count
    unknown = asked - (len(cost) - cost.null_count)
    method = "sum over all turns stored, those of failed and unfinished episodes included"
    value = sum(cost.drop_null().to_pylist()) if asked and not unknown else None
    if unknown:
        method = f"the cost of {unknown} of {asked} turns is unknown, so no sum is given: {_unpriced(arm)}"
    return Estimate(
        name="cost in total", value=value, low=None, high=None, level=None, n=arm.run.episodes.num_rows,
        unit="episodes", method=method, excluded=0, group=arm.name,
    )  # fmt: skip


def _unpriced(arm: Arm) -> str:
    """Why a turn has no cost, as the manifest has it."""
    manifest = arm.run.manifest
    if manifest.config.get("backend") != "openai":
        return "the model was not asked over HTTP, and only then are there prices"
    prices = manifest.execution.get("http") or {}
    if prices.get("price_prompt") is None or prices.get("price_completion") is None:
        return "no prices were set; pass --http.price-prompt and --http.price-completion when playing"
    return "the server did not tell its tokens"


def _compared(arm: Arm, arms: Sequence[Arm], comparisons: int) -> Iterator[Estimate]:
    """The differences, each with its simultaneous interval behind it where that is another."""
    together = [] if comparisons < 2 else list(_differences(arm, arms, bonferroni(LEVEL, comparisons)))
    for k, (other, _, one) in enumerate(_differences(arm, arms)):
        yield one
        if together and one.low is not None and not other.knows_table:
            method = f"{one.method}, simultaneous over {comparisons} comparisons (Bonferroni)"
            wide = together[k][2]
            yield msgspec.structs.replace(wide, name=f"{one.name}, {ALL_HOLD}", level=LEVEL, method=method)


def _differences(arm: Arm, arms: Sequence[Arm], level: float = LEVEL) -> Iterator[tuple[Arm, str, Estimate]]:
    """Final inventory against every baseline of the same world, with what the baseline is called.

    Baselines are not compared with each other.
    """
    if arm.baseline or not arm.n:
        return
    ours = arm.by_unit(arm.episodes("inventory"))
    for other, name in baselines_of(arm, arms):
        theirs = other.by_unit(other.episodes("inventory"))
        unit = arm.units if arm.units == other.units else "episodes or tasks"
        interval = difference(ours.tolist(), theirs.tolist(), level=level, unit=unit)
        yield other, name, _estimate(arm, f"{FINAL} minus {name}", interval, arm.errors + other.errors, unit)


def baselines_of(arm: Arm, arms: Sequence[Arm]) -> list[tuple[Arm, str]]:
    """The baselines of an arm's world in the order of BASELINES, each with its agent's name (its own if not unique)."""
    here = [other for other in arms if other.baseline and other.world == arm.world and other.n]
    here.sort(key=lambda other: BASELINES.index(other.baseline or ""))
    agents = [other.baseline for other in here]
    return [(o, o.baseline if o.baseline and agents.count(o.baseline) == 1 else o.name) for o in here]


SHARES = ("share", "solved: ", "recognised: ", "misreasoned: ", "pass@", "arithmetic told right")
"""How names of shares begin."""


def decimals(name: str, value: float, unit: str = "") -> str:
    """A value as text, as exactly as its name warrants: shares and what they differ by in percent, seconds to the
    millisecond."""
    of_hands = unit in ("multisets", "hands") and " minus " in name and not name.startswith("return")
    if name.startswith(SHARES) or of_hands:
        return f"{100 * value:.1f}%"
    if name in (UNFINISHED, *WITHHELD.values()):
        return f"{value:.0f}"
    if name.startswith("seconds"):
        return "<0.001" if 0 < value < 0.0005 else f"{value:.3f}" if value < 10 else f"{value:,.1f}"
    if name.startswith(("kappa", "weight", "r of", "log", "scaled", "rating")):
        return f"{value:.2f}"
    if name.startswith(("p of", HOLM, "R2")):
        return f"{value:.2g}"
    if name.startswith(("turns left out", "number of")):
        return f"{value:.0f}"
    if name.startswith("cost"):
        return f"{value:,.2f}" if value >= 1 else _three_digits(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.1f}"


def _three_digits(value: float) -> str:
    return np.format_float_positional(value, precision=3, unique=False, fractional=False, trim="k") if value else "0"


def interval_text(estimate: Estimate) -> str:
    """An interval as text; `unknown` when there is none, and nothing for sums, counts and p-values, which have none.

    What is 0 by construction is said to be."""
    if is_by_construction(estimate):
        return "by construction"
    if estimate.low is None or estimate.high is None:
        without = estimate.method.startswith(("sum", "count")) or estimate.name.startswith(("p of", HOLM))
        return "" if without and estimate.value is not None else "unknown"
    low, high = (decimals(estimate.name, end, estimate.unit) for end in (estimate.low, estimate.high))
    return f"[{low}, {high}]"


def value_text(estimate: Estimate) -> str:
    """A value as text, `unknown` when there is none."""
    return "unknown" if estimate.value is None else decimals(estimate.name, estimate.value, estimate.unit)


def table_text(found: Sequence[Estimate]) -> str:
    """The estimates as an aligned table in plain text, an arm after the other; lines end without blanks.

    Below an arm's rows stands why a value or an interval is unknown, below all how sure intervals are.
    """
    lines: list[str] = []
    for group in dict.fromkeys(estimate.group for estimate in found):
        mine = [e for e in found if e.group == group]
        unfinished = sum(int(e.value or 0) for e in mine if e.name == UNFINISHED)
        lines += ["", _printable(group)]
        if FINAL in (e.name for e in mine) and all(e.value is None for e in mine if e.name != UNFINISHED):
            errors = max(e.excluded for e in mine)
            lines.append(f"  no episode has ended whole: {errors} ended in an error, {unfinished} not finished")
            continue
        lines += [*_rows_text(mine), *_unknowns_text(mine)]
    if any(BOUNDED in estimate.method for estimate in found):
        lines += ["", f"Intervals of shares hold at least {LEVEL_TEXT} of the time, others about as often."]
    return "\n".join(lines[1:]) + "\n" if lines else "no run was given\n"


def _rows_text(mine: Sequence[Estimate]) -> Iterator[str]:
    units = {e.unit for e in mine}
    head = ("", "value", f"{LEVEL_TEXT} interval", units.pop() if len(units) == 1 else "n", "excluded")
    rows = [(e.name, value_text(e), interval_text(e), str(e.n), str(e.excluded)) for e in mine]
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    for row in (head, *rows):
        cells = [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
        yield "  " + "  ".join(cells).rstrip()


def _unknowns_text(mine: Sequence[Estimate]) -> Iterator[str]:
    """Why something is unknown, or its interval alone is, the names of the same reason together."""
    names: dict[tuple[str, str], list[str]] = {}
    for e in mine:
        if "unknown" in (value_text(e), interval_text(e)):
            what = "unknown" if e.value is None else "interval unknown"
            names.setdefault((what, e.method), []).append(e.name)
    for (what, method), those in names.items():
        said = f"{what}: {', '.join(those)} ({method})"
        yield from textwrap.wrap(said, 110, initial_indent="  ", subsequent_indent="    ")


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
