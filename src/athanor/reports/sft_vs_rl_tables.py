"""The tables of the study's page: ablations, pass@k, published numbers, and what each arm is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from athanor.analysis.generalization import BASE, Key, two_proportions
from athanor.analysis.intervals import difference as gap
from athanor.core.records import Estimate
from athanor.reports.page import Chapter
from athanor.reports.shares import points, share
from athanor.studies.sft_vs_rl.arms import REFERENCE_SFT
from athanor.studies.sft_vs_rl.findings import Cost, Found
from athanor.studies.sft_vs_rl.published import ANSWERS, EPISODES, PUBLISHED, ROUNDS
from athanor.training.evaluate import ON_THE_WAY


def ablations(found: Found) -> Iterator[Chapter]:
    """Rounds of verification, and what comes before reinforcement; nothing where none was trained."""
    by, names = found.by, {arm.name for arm in found.arms}
    rounds = {k: arm for k, arm in found.rounds.arms.items() if arm in names}
    if len(rounds) > 1:
        k = within(found)
        keys, against = [Key("rule", 1.0, 1), Key("rule", 0.0, 1)], found.rounds.against
        keys += [Key("rule", 1.0, k)] if k > 1 else []
        rows = []
        for number, arm in rounds.items():
            gains = [by.get((arm, f"{arm} minus {against}: {key}")) for key in keys]
            told = f"+{ROUNDS[number]:.2f} points" if number in ROUNDS else ""
            rows.append((str(number), *(points(one) if one else "" for one in gains), told))
        titles = ("one answer, T = 1", "one answer, greedy", f"within {k}, T = 1")[: len(keys)]
        yield Chapter(
            name="rounds", title="Rounds of verification", rows=tuple(rows),
            titles=("rounds in training", *titles, "published"),
            note=f"Gain over {against} under 11, 12, 13, at equal compute; published: Chu et al. 2025, ablation of "
            f"verification iterations on GP-L, {', '.join(f'{ROUNDS[n]:+.2f} with {n}' for n in ROUNDS)}; one training "
            "each, no error.",
        )  # fmt: skip
    after = [name for name in found.first if name in names]
    if len(after) > 1:
        keys = [Key("seen", 1.0, 1), Key("unseen", 1.0, 1), Key("rule", 1.0, 1), Key("rule", 0.0, 1)]
        rows = [(name, *(share(by.get((name, f"solved: {key}"))) for key in keys)) for name in (*after, REFERENCE_SFT)]
        has = " The base here has the format already." if found.start == BASE else ""
        yield Chapter(
            name="first", title="What comes before reinforcement", rows=tuple(rows),
            titles=("arm", *(str(key) for key in keys)),
            note="The publication begins RL from a fine-tuned model, since its base cannot keep to the format (success "
            f"stays below 0.5% without), and finds that RL does not recover from too much of it.{has}",
        )  # fmt: skip


def passes(found: Found) -> Iterator[Chapter]:
    """Hands solved by at least one of k samples; nothing where none were drawn."""
    by, rows = found.by, []
    ks = next((one.passes[n].ks for one in found.trained for n in one.passes), ())
    for name in ON_THE_WAY:
        for arm in (BASE, *(arm.name for arm in found.arms)):
            if (arm, f"pass@1: {name}") in by:
                rows.append((name, arm, *(share(by.get((arm, f"pass@{k}: {name}"))) for k in ks)))
                if arm != BASE:
                    more = (by.get((arm, f"{arm} minus {BASE}: pass@{k}: {name}")) for k in ks)
                    rows.append((name, f"{arm} minus base", *(points(one) if one else "" for one in more)))
    if rows:
        yield Chapter(
            name="passes", title="One of k samples", titles=("condition", "arm", *(f"pass@{k}" for k in ks)),
            rows=tuple(rows), note="The same hands for every policy, at temperature 1; unbiased (Chen et al. 2021), "
            "intervals over trainings and hands, one hand of each multiset. pass@1 is of many answers to each of these "
            "hands, the shares above of one answer to each of more hands: they differ by draws. Training that only "
            "sharpens raises the left columns and lowers the right ones.",
        )  # fmt: skip


def within(found: Found, condition: str = "rule") -> int:
    """The most answers to a hand of a condition that were played, up to those of the publication."""
    tried = {key.rounds for one in found.trained for key in one.scores if key.condition == condition}
    return max((rounds for rounds in tried if rounds <= ANSWERS), default=1)


def beside_published(found: Found) -> str:
    """Published numbers of the shifted rule, and of red suits where hands were shown in pictures, with their
    differences, beside ours of as many answers as were played."""
    told = [_beside(found, "rule", "rule", "J, Q, K = 11, 12, 13")]
    if "red suits" in found.conditions:
        told.append(_beside(found, "visual", "red suits", "red suits"))
    return " ".join(told)


def task_of(found: Found) -> str:
    """What the publication calls what was played."""
    return "GP-VL" if found.pictures else "GP-L"


def _beside(found: Found, shift: str, condition: str, what: str) -> str:
    task = task_of(found)
    theirs = {one.of: one for one in PUBLISHED if (one.task, one.shift) == (task, shift)}
    said, k = [], within(found, condition)
    key, names = Key(condition, 1.0, k), {"before": found.start, "SFT": REFERENCE_SFT, "RL": found.rl}
    for one, other in (("RL", "SFT"), ("RL", "before"), ("SFT", "before")):
        samples = [[1.0] * (p.successes or 0) + [0.0] * ((p.n or 0) - (p.successes or 0))
                   for p in (theirs[one], theirs[other])]  # fmt: skip
        made = gap(*samples)
        told = Estimate(name="", value=made.value, low=made.low, high=made.high, level=made.level, n=made.n,
                        unit="episodes", method=made.method)  # fmt: skip
        ours = found.by.get((names[one], f"{names[one]} minus {names[other]}: {key}"))
        said.append(f"{one} minus {other} {points(told)}, ours {points(ours) if ours else 'unknown'}")
    shares = ", ".join(f"{of} {one.percent:.1f}%" for of, one in theirs.items())
    answers = f"within {k} answers" if k > 1 else "with one answer"
    return (
        f"Published beside it (Chu et al. 2025, {task}, {what}, within {ANSWERS} answers, {EPISODES} "
        f"hands, one training each): {shares}. Differences, ours at temperature 1 {answers}: {'; '.join(said)}. "
        "The published intervals are over episodes alone (Welch), made here from the printed shares."
    )


def published(found: Found) -> Chapter:
    """What Chu et al. print, with the intervals that it leaves out, beside ours where there is such a condition."""
    rows, ours_of = [], {"before": found.start, "SFT": REFERENCE_SFT, "RL": found.rl}
    tried, ours_in = within(found), {"rule": "rule", "visual": "red suits"}
    answers = sorted({tried, 1}, reverse=True)
    before = {(one.task, one.shift): one for one in PUBLISHED if one.of == "before"}
    for one in PUBLISHED:
        ends = one.interval()
        interval = f" [{100 * ends[0]:.1f}, {100 * ends[1]:.1f}]" if ends else ""
        first, p = before[one.task, one.shift], ""
        if one.n and one.of != "before" and one.successes is not None and first.successes is not None:
            p = f"p = {two_proportions(one.successes, one.n, first.successes, one.n)[1]:.2g} against before"
        keys = [Key(ours_in.get(one.shift, ""), 1.0, k) for k in answers]
        mine = one.task == task_of(found)
        ours = [found.by.get((ours_of[one.of], f"solved: {key}")) if mine else None for key in keys]
        told = [share(estimate) if estimate else "" for estimate in ours]
        rows.append((one.task, one.shift, one.of, f"{one.percent:.1f}%{interval}", p, *told, one.source))
    return Chapter(
        name="published", title="Published numbers, with their intervals", rows=tuple(rows),
        titles=("task", "shift", "of", f"published, within {ANSWERS}", "test",
                *(f"ours, within {k}" if k > 1 else "ours, one answer" for k in answers), "source"),
        note=f"Chu et al. 2025 (arXiv:2501.17161): {EPISODES} episodes a number on GeneralPoints by public scripts, "
        "one training each; intervals by Clopper and Pearson, tests of two shares, both ours. From 11.5 to 15.0% is 27 "
        f"to 35 of 234 hands. Ours are of {found.about}, at temperature 1; the published "
        f"count as solved what is solved within {ANSWERS} answers, and so does the first column of ours"
        f"{'' if tried == ANSWERS else f', within {tried}, the most that were played'}.",
    )  # fmt: skip


def listed_arms(found: Found) -> Chapter:
    """What each arm is, what it cost, and what its policies still know."""
    called = _known(found)
    known = [name for name in called if any((arm, name) in found.by for arm in (BASE, *(a.name for a in found.arms)))]
    rows = [("base", "not trained", "", "", *_knows(found, BASE, known))]
    for arm in found.arms:
        mine = [one for one in found.trained if one.arm == arm.name]
        flop = float(np.mean([max(one.flop.values()) for one in mine if one.flop] or [np.nan]))
        stopped = sum(bool(one.stopped) for one in mine)
        about = f"{arm.about}; stopped early, and counted as last tried, if ever: {stopped}" if stopped else arm.about
        rows.append((arm.name, about, str(len(mine)), f"{flop:.2g}", *_knows(found, arm.name, known)))
    return Chapter(
        name="arms", title="The arms", rows=tuple(rows),
        titles=("arm", "what is trained", "trainings", "operations", *(called[name] for name in known)),
        note="Operations of a training, generation included, that of fine-tuning before it not. "
        f"{'Cards' if found.pictures else 'Numbers'} read right: of first answers at temperature 1, whatever was then "
        f"made of them{'' if found.pictures else ': whether the rule was read'}.",
    )  # fmt: skip


def _known(found: Found) -> dict[str, str]:
    """Estimates of what policies still know, and what they are called."""
    return {
        "arithmetic told right": "arithmetic kept",
        f"recognised: {Key('unseen', 1.0, 1)}": f"{'cards' if found.pictures else 'numbers'} read right",
        f"recognised: {Key('rule', 1.0, 1)}": "the same under 11, 12, 13",
        f"recognised: {Key('red suits', 1.0, 1)}": "the same of red suits",
    }


MEASURES = ("recognised", "misreasoned", "solved")


def seeing(found: Found) -> Iterator[Chapter]:
    """Of hands in pictures: what was misread, and what was read right and not solved."""
    if not found.pictures:
        return
    rows = []
    for condition in found.conditions:
        for arm in (BASE, *(arm.name for arm in found.arms if not arm.of)):
            told: list[str] = []
            for temperature in (1.0, 0.0):
                names = (f"{what}: {Key(condition, temperature, 1)}" for what in MEASURES)
                told += [share(found.by.get((arm, name))) for name in names]
            rows.append((condition, arm, *told))
    columns = ("cards read right", "read right, not solved", "solved")
    yield Chapter(
        name="seeing", title="Recognition and reasoning", rows=tuple(rows),
        titles=("condition", "arm", *(f"{one}, T = 1" for one in columns), *(f"{one}, greedy" for one in columns)),
        note="Of first answers. The cards are read right where an answer says what they are, and they are those that "
        "were shown, in any order; one that says nothing of them has not read them. What was neither read right nor "
        "solved is an error of recognition, what was read right and not solved one of reasoning.",
    )  # fmt: skip


def _knows(found: Found, arm: str, known: list[str]) -> tuple[str, ...]:
    return tuple(share(found.by.get((arm, name))) for name in known)


def costs(found: Found) -> Iterator[Chapter]:
    """What each training cost, where their logs tell."""
    rows = [
        (f"{one.arm} {one.number}", f"{one.spent.steps:,}", f"{one.spent.sampled:,}", f"{one.spent.tokens_sampled:,}",
         f"{one.spent.tokens_learned:,}", f"{one.operations:.3g}", _ratio(found, one))
        for one in found.costs
    ]  # fmt: skip
    if rows:
        how = "had as many steps as cost what reinforcement cost" if found.matched else "had a given number of steps"
        yield Chapter(
            name="costs", title="What each training cost", rows=tuple(rows),
            titles=("training", "steps", "answers sampled", "tokens sampled", "tokens learned from", "operations",
                    f"share of {found.rl}'s operations"),
            note=f"Fine-tuning (sft) {how}. Operations: 2 a weight and token forward and 4 backward (2 where adapters "
            "alone are trained), attention left out; reinforcement samples an episode, scores it, and learns from it "
            "once a pass. A sampled token is paid for once; the publication's measure, in which the past is computed "
            "again for each, makes reinforcement cost more.",
        )  # fmt: skip


def _ratio(found: Found, one: Cost) -> str:
    """An arm's operations as a share of those of reinforcement of the same seed."""
    theirs = [other.operations for other in found.costs if (other.arm, other.number) == (found.rl, one.number)]
    return f"{one.operations / theirs[0]:.2f}" if theirs and theirs[0] else ""
