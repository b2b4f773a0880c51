"""The page of the study: the exploration report with what drives choices, and published numbers beside ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

from athanor.agents.cognitive import weights_of
from athanor.analysis.arms import Arm
from athanor.analysis.construction import is_by_construction
from athanor.analysis.multiplicity import held_together
from athanor.analysis.random_players import is_random
from athanor.analysis.reading import readings, text
from athanor.analysis.settings import PER_UNIT
from athanor.analysis.weights import ALL, named
from athanor.core.records import Estimate
from athanor.reports.page import Answer, Chapter, report
from athanor.reports.published import published_figure, published_weights
from athanor.reports.text import listed, one_line
from athanor.reports.weights import weights_figure
from athanor.studies.think_too_fast.arms import COGNITIVE, SETTINGS
from athanor.studies.think_too_fast.claims import Agreement, Comparison, interval
from athanor.studies.think_too_fast.exact import place_of
from athanor.studies.think_too_fast.headlines import THINKING, Headline, Verdict
from athanor.studies.think_too_fast.published import GAME, PUBLISHED
from athanor.studies.think_too_fast.study import Found

TERMS = ("uncertainty", "empowerment")
QUESTION = "Do language models think too fast to explore?"
USAGES = {one.quantity for one in PUBLISHED if one.quantity.startswith("usage")}
"""What was published of immediate usage; we have more."""
THINK_LONGER = "Models that think longer before they answer discover more."
LEADING = (
    THINK_LONGER, "Models that do not reason do not beat a random player who never repeats.",
    "Models explore by uncertainty.",
)  # fmt: skip
"""The claims that answer the question, the first of them most of all."""
HELPS: dict[Verdict, str] = {
    "holds here": "Thinking before they answer helped the models that play here.",
    "holds for some here": "Thinking before they answer helped some of the models that play here.",
    "mixed here": "Thinking before they answer helped some of the models here, and made others discover less.",
    "does not hold for some here": "Thinking before they answer made some of the models that play here discover less.",
    "does not hold here": "Thinking before they answer did not help the models that play here: they discovered less.",
    "cannot tell": "Whether thinking before they answer helps the models that play here cannot be told.",
    "not tested here": "Whether thinking before they answer helps was not tested here.",
}
"""The answer by the verdict on the first claim."""


def page(found: Found, folder: Path) -> Path:
    """Write folder/report.html with its figures, and give its path."""
    chapters = [_weights(found), _more(found), _headlines(found), _comparisons(found), _lacking(found)]
    more = found.estimates()[len(found.exploration) :]
    return report([arm.run.path for arm in found.arms], folder, chapters, more, _answer(found))


def _answer(found: Found) -> Answer:
    """What the study's question is answered by: the verdicts on its leading claims in the first world."""
    by = {one.claim: one for one in found.headlines}
    told = [by[claim] for claim in LEADING if claim in by]
    said = HELPS[by[THINK_LONGER].verdict] if THINK_LONGER in by else ""
    where = f" What three claims come to in {found.places[0].name}:" if found.places else ""
    return Answer(
        question=QUESTION, said=f"{said}{where}".strip(),
        points=tuple(f"{one.claim} {one.verdict.capitalize()}. {one.said} {one.sure}".strip() for one in told),
    )  # fmt: skip


def _weights(found: Found) -> Chapter:
    words = []
    for world, estimates in found.worlds:
        if all(is_random(one.group) for one in estimates):
            continue  # the published games, which no arm of the study plays
        lead, *points = [*readings(estimates), *_recovered(estimates)] or ["No weight could be estimated."]
        words.append((f"{world}. {lead}", tuple(points)))
    if held := held_together([one for _, estimates in found.worlds for one in estimates]):
        words.append((held, ()))
    return Chapter(
        name="weights", title="What drives choices", words=tuple(words),
        figure=weights_figure(found.worlds, TERMS, published_weights(TERMS, found.comparisons)),
        note="Empowerment is the table's own where no predicted values were given. Estimates with their methods are in "
        "estimates.jsonl.",
    )  # fmt: skip


def _recovered(estimates: Sequence[Estimate]) -> Iterator[str]:
    """Whether the weights of the agent that was given them are found again."""
    name, true, _ = COGNITIVE[-1]
    for term, weight in weights_of(true):
        for one in estimates:
            if one.group.startswith(name) and one.name == named(term, ALL):
                held = one.low is not None and one.high is not None and one.low <= weight <= one.high
                said = "within" if held else "outside"
                yield f"{name} was given a weight of {term} of {weight:g}: {said} the {text(one)} found."


def _more(found: Found) -> Chapter:
    rows = tuple(
        (world, one_line(one.group, 90), one.name, text(one), str(one.n), one.method)
        for world, estimates in found.worlds for one in estimates
        if one.name == THINKING or one.name in USAGES or PER_UNIT in one.name
    )  # fmt: skip
    without = [arm.short for arm in found.arms if arm.asked and arm.run.manifest.config.get("temperature") is None]
    words = [
        f"{name}: no temperature is sent, for the model's server refuses one, and what is played so is left out of the "
        "regression on temperature." for name in dict.fromkeys(without)
    ]  # fmt: skip
    words += _untested_budgets(found)
    return Chapter(
        name="more", title="Reasoning, temperature and immediate usage", words=tuple((said, ()) for said in words),
        titles=("world", "group", "estimate", "value and interval", "n", "method"), rows=rows,
        note="Usage: of the times that an element joined, how often the very next turn used it, against its children; "
        "of random players who never repeat, by the rules of Brändle et al. in 1,000 turns, since none of the arms is "
        "long enough. More of it is among all estimates in estimates.jsonl.",
    )  # fmt: skip


def _untested_budgets(found: Found) -> Iterator[str]:
    """That the budget of reasoning does not vary here, if it does not; nothing without a model."""
    asked = [arm for arm in found.arms if arm.asked]
    budgets = {arm.run.manifest.config.get("max_tokens") for arm in asked if _reasons_aloud(arm)}
    if not asked or len(budgets) > 1:
        return
    paper = sorted({
        one.options.max_tokens for one in SETTINGS["paper"].arms
        if one.options.condition == "reasoning" and one.options.max_tokens
    })  # fmt: skip
    played = [arm.n for arm in asked if _reasons_aloud(arm)]
    what = (
        f"asking for a thought of at most {next(iter(budgets))} tokens is set beside answering at once, over "
        f"{listed([str(n) for n in played])} episodes, and how long a model thinks is not varied"
        if played else "no arm is asked to reason aloud"
    )  # fmt: skip
    yield (
        f"Not tested here is whether a larger budget of reasoning discovers more: {what}. The setting paper has "
        f"budgets of {listed([f'{one:,}' for one in paper])} tokens."
    )


def _reasons_aloud(arm: Arm) -> bool:
    return arm.run.manifest.config.get("condition") == "reasoning"


def _headlines(found: Found) -> Chapter:
    counts = Counter(one.verdict for one in found.headlines)
    told = [f"“{verdict}” of {counts[verdict]}" for verdict in get_args(Verdict) if counts[verdict]]
    moved = sum(any(there.verdict != one.verdict for there in one.elsewhere) for one in found.headlines)
    others = (
        f" Under a claim stands what the other worlds say: {moved} of the verdicts would be another there. What holds "
        "where names say something, and not in the control where they say nothing, may rest on their meaning."
        if any(one.elsewhere for one in found.headlines) else ""
    )  # fmt: skip
    return Chapter(
        name="headlines", title="What was said in words",
        words=((
            f"{len(found.headlines)} claims of the publications and of the re-analysis, each with what the arms of the "
            f"first world say about it: {listed(told)}. Another model in another world replicates nothing; that a "
            f"claim holds here means that it is not one of that model alone.{others}",
            (),
        ),),
        titles=("claim", "said by", "here", "what tells", "how sure"),
        rows=tuple((one.claim, one.source, one.verdict, one.said, one.sure) for one in found.headlines),
        below=tuple(_elsewhere(one) for one in found.headlines),
        note="The comparisons of a claim are held to be true together: by simultaneous intervals or by Holm, whether "
        "they speak for it or against it. A claim about every arm holds if it surely does for all of them, and does "
        "not if its contrary surely does for all; it is so for some, if of the others nothing can be told, and mixed "
        "if it surely holds for some and its contrary for others. Claims are not corrected for each other.",
    )  # fmt: skip


def _elsewhere(one: Headline) -> str:
    """What the other worlds say of a claim; empty where none says anything."""
    return " ".join(
        f"In {there.world}: {there.verdict.removesuffix(' here')}. {there.said} {there.sure}".strip()
        for there in one.elsewhere
    )


def _comparisons(found: Found) -> Chapter:
    mine = sorted((one for one in found.comparisons if _is_beside(one)), key=lambda one: bool(one.another))
    return Chapter(
        name="published", title="Published numbers beside ours", words=tuple((said, ()) for said in _counts(found)),
        figure=published_figure(found.places[0], place_of(found.places)) if found.places else None,
        titles=("quantity", "of", "published", "ours", "direction", "interval"),
        rows=tuple(_row(one) for one in mine),
        below=tuple(_below(one) for one in mine),
        note="Intervals of published numbers are made from their standard errors, from their deviations over players "
        "where the number of these is known, or from the number of elements behind a correlation. Others stand "
        "alone: no direction of theirs is sure, and their interval agrees where ours has the number in it, else it "
        "cannot be told. By construction: the direction follows from what the number is, or from how the player was "
        "made, whatever is found. What is of the same game comes first.",
    )  # fmt: skip


def _counts(found: Found) -> Iterator[str]:
    """How many numbers have one of ours beside them, and what the two say, those of the same game and stand-ins apart.

    What a fetched table would add is said where it would.
    """
    mine = [one for one in found.comparisons if _is_beside(one)]
    same, others = ([one for one in mine if bool(one.another) == stands_in] for stands_in in (False, True))
    yield f"{len(found.comparisons)} numbers are published or follow from what is; {len(mine)} have ours beside them."
    if same:
        yield (
            f"{len(same)} of ours are of the same model or player, on the same table, by the same rules and in as many "
            f"turns. Their interval {_counted(same)}; their direction {_directions(same)}."
        )
    if found.lacking:
        yield (
            f"{found.lacking} numbers need no model, only the game's own table, which was not fetched. Run `athanor "
            f"fetch {GAME}`, then this study again with --resume: it computes them as they were published."
        )
    if others:
        yield (
            f"{len(others)} are stand-ins, of another model, world or length: such a one replicates nothing. Its "
            "interval is not compared, and its direction only shows how the number is read: it "
            f"{_directions(others)}."
        )


def _is_beside(one: Comparison) -> bool:
    return one.direction not in ("not computed", "not comparable")


def _lacking(found: Found) -> Chapter:
    mine = [one for one in found.comparisons if not _is_beside(one)]
    return Chapter(
        name="lacking", title="Published numbers without ours",
        words=((f"{len(mine)} numbers have none of ours beside them, for the reasons in their rows:", _why(mine)),),
        titles=("quantity", "of", "published", "why there is none of ours", "source"),
        rows=tuple(
            (_quantity(one), one.published.of, _published(one), one.why, one.published.source) for one in mine
        ),
    )  # fmt: skip


def _why(lacking: Sequence[Comparison]) -> tuple[str, ...]:
    """How many numbers have none of ours for the same reason, the most common first."""
    counts = Counter(one.why.partition(": ")[2].partition(" (")[0].removesuffix(".") for one in lacking)
    return tuple(f"{count}: {why}." for why, count in counts.most_common())


VERBS: dict[Agreement, str] = {
    "agrees": "agrees", "differs": "differs", "cannot tell": "cannot be told", "no direction": "does not exist",
    "not comparable": "is not comparable", "by construction": "is given by construction",
}  # fmt: skip


def _counted(those: Sequence[Comparison]) -> str:
    counts = Counter(one.interval for one in those)
    told = [f"{verb} in {counts[kind]}" for kind, verb in VERBS.items() if counts[kind]]
    return listed(told) if told else "is told of none"


def _directions(those: Sequence[Comparison]) -> str:
    """How often directions agree and differ; apart where the published number has no interval."""
    told = []
    for kind, verb in VERBS.items():
        mine = [one for one in those if one.direction == kind]
        unsure = sum(not one.sure for one in mine) if kind in ("agrees", "differs") else 0
        if mine:
            told.append(f"{verb} in {len(mine)}" + (f" ({unsure} of them not sure)" if unsure else ""))
    return listed(told) if told else "is told of none"


def _row(one: Comparison) -> tuple[str, ...]:
    ours = one.ours
    if ours is None or ours.value is None:
        raise ValueError(f"{one.published.quantity} of {one.published.of} has none of ours to be shown")
    shown = _shown_estimate(one.published.quantity, ours)
    unsure = one.direction in ("agrees", "differs") and not one.sure
    beside = f"not comparable: {listed(list(one.another))}" if one.another else one.interval
    return (
        _quantity(one), one.published.of, _published(one), shown, one.direction + (", not sure" if unsure else ""),
        beside,
    )  # fmt: skip


def _below(one: Comparison) -> str:
    """What was compared, in what the two numbers differ in the making, whose ours is and where theirs stands."""
    whose = f" Ours is of {one_line(one.ours.group, 90)}{' (stand-in)' if one.another else ''}." if one.ours else ""
    how = f" How they differ: {one.how}." if one.how else " In how they were made they differ in nothing known."
    others = "".join(
        f" In {there.world}: {_shown_estimate(one.published.quantity, there.ours)}; direction: {there.direction}."
        for there in one.elsewhere if there.ours is not None
    )  # fmt: skip
    return f"{one.why}{how}{whose}{others} Source: {one.published.source.removesuffix('.')}."


def _quantity(one: Comparison) -> str:
    return f"weight of {one.published.quantity}" if one.published.quantity in TERMS else one.published.quantity


def _published(one: Comparison) -> str:
    low, high = interval(one.published)
    return _shown(one.published.quantity, one.published.value, None if low == high else (low, high))


def _shown_estimate(quantity: str, one: Estimate) -> str:
    between = None if one.low is None or one.high is None else (one.low, one.high)
    constructed = ", by construction" if is_by_construction(one) else ""
    return "unknown" if one.value is None else _shown(quantity, one.value, between) + constructed


def _shown(quantity: str, value: float, between: tuple[float, float] | None) -> str:
    """A number with its interval: shares in per cent, else with the digits that it has."""
    share = quantity.startswith("share ")

    def digits(number: float) -> str:
        if share:
            return f"{100 * number:.{2 if 0 < number < 0.001 else 1}f}%"
        return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.3g}"

    return digits(value) + (f" [{digits(between[0])}, {digits(between[1])}]" if between else "")
