"""What the publications, and the re-analysis of them, say in words: each claim with what our run says about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from athanor.analysis.arms import Arm
from athanor.analysis.exploration import FINAL
from athanor.analysis.multiplicity import ALL_HOLD, excludes_zero, simultaneous
from athanor.analysis.random_players import NEVER_REPEATS
from athanor.analysis.reading import text
from athanor.analysis.settings import PER_UNIT
from athanor.analysis.weights import PUBLISHED, TOGETHER, named
from athanor.core.records import Estimate, Record
from athanor.studies.think_too_fast import published
from athanor.studies.think_too_fast.claims import interval
from athanor.studies.think_too_fast.claims_of_people import (
    most_below_people,
    people_by_both,
    people_go_on,
    people_use,
    people_who_stay,
)
from athanor.studies.think_too_fast.claims_of_uncertainty import confounded, driven_by_uncertainty
from athanor.studies.think_too_fast.comparisons import is_model
from athanor.studies.think_too_fast.people import People, together
from athanor.studies.think_too_fast.places import Place
from athanor.studies.think_too_fast.published import REASONING
from athanor.studies.think_too_fast.verdicts import (
    Answer,
    Run,
    Verdict,
    able,
    arms_in_words,
    at_once,
    by_sign,
    judged,
    lies_above,
    over_arms,
    reasons,
    rest_in_words,
    side_of_zero,
    span_in_words,
)

THINKING = "final inventory, reasoning minus base"
"""The name of the difference that reasoning makes."""
NOTHING = 0.15
"""A correlation of usage and children within this of zero counts as none: about a third of that of people (0.47)."""
_PAN, _BRANDLE, _AGAIN = "Pan et al. 2025", "Brändle et al. 2023", "re-analysis"


class Elsewhere(Record, kw_only=True):
    """What another world says of a claim."""

    world: str
    verdict: Verdict
    said: str
    sure: str


class Headline(Record, kw_only=True, omit_defaults=False):
    """A claim in words, and what our run says about it."""

    claim: str
    source: str
    verdict: Verdict
    said: str
    """What of ours tells, or why nothing can, as sentences."""
    sure: str
    """How sure that is, in words; empty where nothing was tested."""
    elsewhere: tuple[Elsewhere, ...] = ()
    """What the study's other worlds say of it, control worlds among them; nothing where it is tested in none."""


def headlines(places: Sequence[Place], people: Sequence[People] = ()) -> tuple[Headline, ...]:
    """Every claim with what the study's first world says about it, and behind it what the others say."""
    first, *others = [(place.called, _run_of(place, people)) for place in places] or [("", _NOTHING)]
    found = []
    for claim, source, test in _CLAIMS:
        verdict, said, sure = test(first[1])
        there = [(name, test(run)) for name, run in others if run.arms or test(run)[0] != "not tested here"]
        found.append(Headline(
            claim=claim, source=source, verdict=verdict, said=said, sure=sure,
            elsewhere=tuple(
                Elsewhere(world=name, verdict=answer[0], said=answer[1], sure=answer[2])
                for name, answer in there if (answer[0], verdict) != ("not tested here", "not tested here")
            ),
        ))  # fmt: skip
    return tuple(found)


_NOTHING = Run(arms=(), by={}, table="")


def _run_of(place: Place, people: Sequence[People]) -> Run:
    models = tuple(arm for arm in place.arms if arm.run.manifest.config.get("agent") == "language")
    return Run(
        arms=models, by=place.by, table=place.table, turns=max((arm.world.turns for arm in models), default=0),
        people=together([one for one in people if one.how.table == place.table]),
    )  # fmt: skip


def _untested(why: str) -> Callable[[Run], Answer]:
    return lambda run: ("not tested here", why, "")


def _below_people(run: Run) -> Answer:
    """Models' weights of empowerment against that of people."""
    people = next(one for one in published.PUBLISHED if (one.quantity, one.of) == ("empowerment", "people"))
    if run.table != "little-alchemy-2":
        why = f"People have a weight on the game's own table, and none in {run.table}, nor does a person play here."
        return "not tested here", why, ""
    low, high = interval(people)
    mine = [
        (arm, one) for arm in able(run) if not is_model("o1", arm.run.manifest.config["model"])
        and (one := run.by.get((arm.short, named("empowerment", PUBLISHED)))) and one.low is not None
        and one.high is not None
    ]  # fmt: skip
    if not mine:
        return "not tested here", "No arm has a weight of empowerment with an interval.", ""
    wide = [simultaneous(one, len(mine)) for _, one in mine]
    below = [one for one in wide if one.high is not None and one.high < low]
    above = [one for one in wide if one.low is not None and one.low > high]
    said = (
        f"Of {arms_in_words(len(mine))} {len(below)} lie below the {people.value:g} of people, {len(above)} above it."
    )
    verdict = over_arms(len(below), len(above), len(mine))
    sure = f"{at_once(len(mine))} The weight of people is of another regression and of longer games."
    return verdict, said, sure


def _warmer(run: Run) -> Answer:
    """What a unit of temperature adds to the weight of uncertainty."""
    effect = run.by.get((TOGETHER, named("uncertainty", PER_UNIT)))
    if effect is None:
        return "not tested here", "No regression on temperature could be fitted: it takes a model at two or more.", ""
    if effect.value is None:
        return "cannot tell", f"It has no finite estimate ({effect.method.rpartition('; ')[2]}).", ""
    said = f"A unit of temperature adds {text(effect)} to it, over {effect.n} players."
    sure = "The 95% interval of one regression." if excludes_zero(effect) else "The 95% interval has zero in it."
    return by_sign(effect), said, sure


def _o1_highest(run: Run) -> Answer:
    """The weights of o1 against those of every other model."""
    weights = [
        (term, is_model("o1", arm.run.manifest.config["model"]), one)
        for term in ("uncertainty", "empowerment") for arm in run.arms
        if (one := run.by.get((arm.short, named(term, PUBLISHED)))) and one.low is not None
    ]  # fmt: skip
    weights = [(term, is_o1, simultaneous(one, len(weights))) for term, is_o1, one in weights]
    first = [(term, one) for term, is_o1, one in weights if is_o1]
    others = [(term, one) for term, is_o1, one in weights if not is_o1]
    if not first or not others:
        return "not tested here", "o1 and another model, both with weights that have intervals, do not play here.", ""
    pairs = [(one, other) for term, one in first for same, other in others if term == same]
    above = sum(lies_above(one, other) for one, other in pairs)
    below = sum(lies_above(other, one) for one, other in pairs)
    verdict = judged(above == len(pairs), below > 0)
    said = f"The intervals of o1 lie above those of others in {above} of {len(pairs)} comparisons, below in {below}."
    return verdict, said, at_once(len(weights))


def _beaten(agent: str) -> Callable[[Run], Answer]:
    """Whether models that do not reason fail to discover more than a random player."""

    def test(run: Run) -> Answer:
        mine = [arm for arm in able(run) if not reasons(arm)]
        return _against(run, mine, agent, expect_more=False)

    return test


def _reasoning_beats(run: Run) -> Answer:
    """o1 and R1 against the random player who never repeats."""
    mine = [arm for arm in able(run) if any(is_model(n, arm.run.manifest.config["model"]) for n in REASONING)]
    if not mine:
        return "not tested here", "Neither o1 nor R1 plays here.", ""
    return _against(run, mine, "random-never-repeat", expect_more=True)


def _against(run: Run, arms: Sequence[Arm], agent: str, *, expect_more: bool) -> Answer:
    """Final inventories of arms against a random player's, by the intervals that hold for all comparisons at once."""
    found = [(arm, *_difference(run, arm, agent)) for arm in arms]
    known = [(arm.name, raw, wide) for arm, raw, wide in found if raw is not None and raw.low is not None]
    if not known:
        return "not tested here", "No arm that made a valid attempt has a difference with an interval.", ""
    more, less = (
        [arm for arm, raw, _ in known if raw is not None and side_of_zero(raw) == side] for side in (1, -1)
    )  # fmt: skip
    sure = [arm for arm, _, wide in known if wide is not None and excludes_zero(wide)]
    those, rest = arms_in_words(len(known)), rest_in_words(len(known) - len(more) - len(less))
    said = f"Of {those} {len(more)} discovered more and {len(less)} less than it{rest}."
    those_more, those_less = (sum(arm in sure for arm in side) for side in (more, less))
    counts = (those_more, those_less) if expect_more else (those_less, those_more)
    verdict = over_arms(counts[0], counts[1], len(known))
    held = f"{those_more} more and {those_less} less hold among all comparisons of the page"
    episodes = sorted({arm.n for arm, raw, _ in found if raw is not None and raw.low is not None})
    return verdict, said, f"95% intervals of {span_in_words(episodes)} episodes an arm; {held}."


def _difference(run: Run, arm: Arm, agent: str) -> tuple[Estimate | None, Estimate | None]:
    """A difference and its simultaneous form, the same where there is one comparison only."""
    raw = run.by.get((arm.name, f"{FINAL} minus {agent}"))
    return raw, run.by.get((arm.name, f"{FINAL} minus {agent}, {ALL_HOLD}"), raw)


def _between(run: Run) -> Answer:
    """The engineered prompt between the two random players."""
    mine = [arm for arm in able(run) if arm.run.manifest.config["condition"] == "engineered" and not reasons(arm)]
    found = [
        (arm, above, below) for arm in mine if (above := _difference(run, arm, "random")[1])
        and (below := _difference(run, arm, "random-never-repeat")[1]) and above.low is not None
        and below.low is not None
    ]  # fmt: skip
    if not found:
        return "not tested here", "No arm with the engineered prompt has differences with intervals.", ""
    said = "; ".join(
        f"{arm.short} ends {text(above)} elements from the memoryless random player, {text(below)} from the other"
        for arm, above, below in found
    )
    inside = sum(side_of_zero(above) == 1 and side_of_zero(below) == -1 for _, above, below in found)
    outside = sum(side_of_zero(above) == -1 or side_of_zero(below) == 1 for _, above, below in found)
    verdict = over_arms(inside, outside, len(found))
    episodes = span_in_words(sorted({arm.n for arm, _, _ in found}))
    return verdict, f"{said}.", f"95% intervals of {episodes} episodes that hold among all comparisons of the page."


def _thinking(run: Run) -> Answer:
    """The difference that asking for reasoning makes."""
    attempted = {arm.short for arm in able(run)}
    found = [
        one for (group, name), one in run.by.items() if name == THINKING and group in attempted and one.low is not None
    ]
    if not found:
        return "not tested here", "No reasoning arm stands beside one like it that answers at once.", ""
    found = [simultaneous(one, len(found)) for one in found]
    sides = [side_of_zero(one) for one in found]
    verdict = over_arms(sides.count(1), sides.count(-1), len(found))
    said = "; ".join(f"{one.group}: {text(one)} elements more" for one in found)
    episodes = span_in_words(sorted({one.n for one in found}))
    budgets = {arm.run.manifest.config.get("max_tokens") for arm in able(run) if arm.short in {e.group for e in found}}
    alone = "" if len(budgets) > 1 else " At one budget of reasoning: longer and shorter thoughts are not compared."
    return verdict, f"{said}.", f"{at_once(len(found))} Over {episodes} episodes.{alone}"


def _random_usage(run: Run) -> Answer:
    """Whether the immediate usage of random players has as good as nothing to do with what opens up more."""
    one = run.by.get((NEVER_REPEATS, "usage: r of usage and children"))
    if one is None or one.low is None or one.high is None:
        return "not tested here", "The correlation has no interval here.", ""
    said = f"The correlation of immediate usage and children is {text(one)} over {one.n} elements."
    within = one.low > -NOTHING and one.high < NOTHING
    beyond = one.low > NOTHING or one.high < -NOTHING
    how = "lies within" if within else "lies beyond" if beyond else "reaches over an end of"
    told = f"The 95% interval {how} -{NOTHING:g} to {NOTHING:g}, which counts as nothing beside the 0.47 of people."
    return judged(within, beyond), said, told


def _claims() -> Iterator[tuple[str, str, Callable[[Run], Answer]]]:
    figure = f"{_PAN}, figure captions"
    yield "All models but o1 weigh empowerment less than people do.", figure, _below_people
    yield "A model's weight of uncertainty rises with its temperature.", figure, _warmer
    yield "o1 has the highest weights of all models.", figure, _o1_highest
    yield "Models explore by uncertainty.", _PAN, driven_by_uncertainty
    yield "Models that think longer before they answer discover more.", _PAN, _thinking
    yield "Most models discover less than people, and o1 and R1 more.", _PAN, most_below_people
    yield (
        "Without the latent of uncertainty a model's weight of it turns negative; without that of empowerment little "
        "changes.", _PAN, _untested("It needs sparse autoencoders, of which this study trains none."),
    )  # fmt: skip
    yield "People explore by empowerment and by uncertainty, and more by the first.", _BRANDLE, people_by_both
    yield "People go on while what they find is of use.", f"{_BRANDLE}, stopping", people_go_on
    yield "People use at once what opens up more.", f"{_BRANDLE}, immediate usage", people_use
    yield "Random players use what is new whatever it opens up.", f"{_BRANDLE}, immediate usage", _random_usage
    yield (
        "Never repeating a pair gives a weight of uncertainty that looks like a preference, repeating by chance none.",
        _AGAIN, confounded,
    )  # fmt: skip
    yield "Models that do not reason do not beat a memoryless random player.", _AGAIN, _beaten("random")
    never = "Models that do not reason do not beat a random player who never repeats."
    yield never, _AGAIN, _beaten("random-never-repeat")
    yield "o1 and R1 beat a random player who never repeats.", _AGAIN, _reasoning_beats
    yield "The engineered prompt lies between the two random players.", _AGAIN, _between
    yield (
        "People who reach 500 trials hold more than twice the pooled mean, for most stop early.", _AGAIN,
        people_who_stay,
    )  # fmt: skip
    yield (
        "An answer of three tokens leaves most elements out of reach.", _AGAIN,
        _untested("No arm is bounded to three tokens, and the vocabulary is no part of the laboratory."),
    )  # fmt: skip


_CLAIMS = tuple(_claims())
