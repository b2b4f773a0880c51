"""Published numbers as rows of figures, and the figure of them beside ours."""

from __future__ import annotations

from collections.abc import Sequence

from athanor.analysis.exploration import FINAL, LEVEL_TEXT
from athanor.core.records import Estimate
from athanor.reports.drawing import COLOURS, to_png, to_svg
from athanor.reports.figures import Figure
from athanor.reports.forest import GREY, Row, forest
from athanor.reports.weights import labels_of, said_of_labels
from athanor.studies.think_too_fast.claims import Comparison, has_interval, interval
from athanor.studies.think_too_fast.comparisons import needs_no_model
from athanor.studies.think_too_fast.places import Place
from athanor.studies.think_too_fast.published import NEVER, ORACLE, PUBLISHED, RANDOM, Published

BLACK = COLOURS[5]
"""Of published numbers, in every figure."""
PANELS = {
    FINAL: "Final inventory", "share success-new": "New successes", "share failure-new": "New failures",
    "share invalid": "Invalid answers",
}  # fmt: skip
"""What is shown beside ours, and what its panel is called."""
INVENTORIES = (3, 10, 30, 100, 300)
"""Ticks of the axis of inventories."""
SAME_GAME = "here, the same game"
"""Behind the name of a random player of ours who played the published game."""
_OF_THE_SAME = (
    f" “{SAME_GAME}”: random players and the oracle by the published rules, in as many turns, on the game's own table; "
    "these are to be compared number by number."
)
_PLAYERS = {NEVER: "random-never-repeat", RANDOM: "random", ORACLE: "oracle"}
_SOURCES = {"Pan": "Pan et al.", "Brändle": "Brändle et al.", "re-analysis:": "re-analysis"}


def published_weights(terms: Sequence[str], found: Sequence[Comparison] = ()) -> dict[str, list[Row]]:
    """By term the published weights of players that this laboratory has, or could have, and, of `found`, below each
    ours where it is of the same player in the same game."""
    ours = {(one.published.quantity, one.published.of): one.ours for one in found if not one.another}
    rows: dict[str, list[Row]] = {term: [] for term in terms}
    for one in PUBLISHED:
        if one.quantity in rows and "ablated" not in one.of and "Tiny" not in one.of:
            rows[one.quantity].append(Row(label_of(one), estimate_of(one), BLACK))
            if needs_no_model(one) and (mine := ours.get((one.quantity, one.of))):
                rows[one.quantity].append(Row(f"{label_of(one).rpartition(' (')[0]} ({SAME_GAME})", mine, GREY))
    return rows


def label_of(one: Published) -> str:
    """Whose a published number is and who says so.

    >>> label_of(next(one for one in PUBLISHED if one.of == NEVER))
    'random-never-repeat (re-analysis)'
    """
    begin = one.source.removeprefix("derived from ").partition(" ")[0]
    return f"{_PLAYERS.get(one.of, one.of).removesuffix(', T=1')} ({_SOURCES[begin]})"


def estimate_of(one: Published) -> Estimate:
    """A published number as an estimate, with its interval where the source gives what one is made from."""
    low, high = interval(one) if has_interval(one) else (None, None)
    return Estimate(
        name=one.quantity, value=one.value, low=low, high=high, level=None if low is None else 0.95, n=one.n or 0,
        unit="players", method=one.source, group=one.of,
    )  # fmt: skip


def published_figure(place: Place, exact: Place | None = None) -> Figure | None:
    """What was discovered and how turns went, published above ours; None where ours has nothing of it.

    `exact`: where random players and the oracle played the published games; they stand between the two.
    """
    shown = [one for one in PUBLISHED if one.quantity in PANELS and one.of != "people" and "Tiny" not in one.of]
    theirs = {(label_of(one), one.quantity): estimate_of(one) for one in shown}
    arms = sorted(place.arms, key=lambda arm: arm.baseline is not None)
    players, there = (exact.arms, exact.by) if exact else ((), {})
    shorts = [arm.short for arm in arms]
    names = labels_of(shorts)
    if not any((arm.name, quantity) in place.by for arm in arms for quantity in PANELS):
        return None
    panels = []
    for quantity, title in PANELS.items():
        rows = [Row(label, theirs.get((label, quantity)), BLACK) for label in dict.fromkeys(k for k, _ in theirs)]
        rows += [
            Row(f"{arm.short.partition(' (')[0]} ({SAME_GAME})", there.get((arm.name, quantity)), GREY)
            for arm in players
        ]  # fmt: skip
        rows += [
            Row(f"{names[arm.short]} (here)", place.by.get((arm.name, quantity)), GREY if arm.baseline else COLOURS[0])
            for arm in arms
        ]  # fmt: skip
        share = quantity != FINAL
        panels.append(forest(
            rows, title=title, x_title="share of turns" if share else "elements", labels=not panels, width=140,
            zero=False, percent=share, scale="linear" if share else "logarithmic", ticks=INVENTORIES,
        ))  # fmt: skip
    caption = (
        "Published numbers in black, ours in blue (random players and the oracle in grey), "
        f"each with its {LEVEL_TEXT} interval where there is one to be made. Published: 500 turns of Little Alchemy 2; "
        f"ours: {max((arm.world.turns for arm in arms), default=0)} turns of {place.name}. Of other lengths and worlds "
        "only the order is to be compared, each with the random players of its own. Llama's shares are of temperature "
        "1, its inventories of all temperatures. Inventories stand on a logarithmic scale. "
        f"{said_of_labels(shorts).strip()}"
        f"{_OF_THE_SAME if exact else ''}"
    )
    svg = to_svg([{"hconcat": panels, "spacing": 12}])
    return Figure(name="published", title="Published numbers beside ours", svg=svg, png=to_png(svg), caption=caption)
