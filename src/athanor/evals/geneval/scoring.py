"""From verdicts to estimates: categories, their mean, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence

from athanor.analysis.intervals import SHARE, Interval, clustered, mean, mean_of_means
from athanor.core.records import Estimate
from athanor.environments.scenes.spec import Spec
from athanor.evals.geneval.judging import RULES, Judgement, Looked, Rules, judged
from athanor.evals.geneval.prompts import tags

MEAN = "share, mean of categories"
"""GenEval's overall score."""
WORST = "share, mean of categories, missing images wrong"


def estimates(looked: Sequence[Looked], specs: Sequence[Spec], missing: Sequence[int]) -> tuple[Estimate, ...]:
    """By rules: each category's share of images that pass, their mean with equal weights (GenEval's score), the share
    of all images, and of prompts with one image that passes, as the published script prints them too.

    `missing`: images of each prompt that were expected and are not there. They and those that could not be looked at
    are in no share; they are counted, and a further mean says what the score would be if all of them were wrong.
    `n` counts prompts, of which the images are alike.
    """
    return tuple(one for rules in RULES for one in _of(rules, [judged(x, specs[x.prompt], rules) for x in looked],
                                                       specs, missing))  # fmt: skip


def _of(rules: Rules, verdicts: Sequence[Judgement], specs: Sequence[Spec], missing: Sequence[int]) -> list[Estimate]:
    found, parts, worst = list[Estimate](), list[Interval](), list[Interval]()
    lost_of: dict[str, int] = {}
    for tag in tags(specs):
        mine = [one for one in verdicts if one.tag == tag]
        lacking = [(prompt, 0.0) for prompt, n in enumerate(missing) if specs[prompt].tag == tag for _ in range(n)]
        known = [(one.prompt, float(one.passed)) for one in mine if one.passed is not None]
        failed = [(one.prompt, 0.0) for one in mine if one.passed is None]
        lost_of[tag] = len(lacking) + len(failed)
        parts.append(_share(known))
        worst.append(_share([*known, *failed, *lacking]))
        found.append(_estimate(rules, f"share {tag}", parts[-1], lost_of[tag]))
    lost = sum(lost_of.values())
    found.append(_estimate(rules, MEAN, mean_of_means(parts, of="categories"), lost))
    if lost:
        found.append(_estimate(rules, WORST, mean_of_means(worst, of="categories"), 0))
    found.append(_estimate(rules, "share of images", _share([(x.prompt, float(x.passed)) for x in verdicts
                                                             if x.passed is not None]), lost))  # fmt: skip
    best: dict[int, float] = {}
    for one in verdicts:
        if one.passed is not None:
            best[one.prompt] = max(best.get(one.prompt, 0.0), float(one.passed))
    prompts = mean(list(best.values()), within=SHARE, unit="prompts")
    found.append(_estimate(rules, "share of prompts with an image that passes", prompts, len(specs) - len(best)))
    return [*found, _count(rules, "number of images missing", sum(missing)),
            _count(rules, "number of images not looked at", lost - sum(missing))]  # fmt: skip


def _share(values: Sequence[tuple[int, float]]) -> Interval:
    """The share of images that pass, of values with their prompt."""
    return clustered(
        [x for _, x in values], [prompt for prompt, _ in values], within=SHARE, of="images", unit="prompts"
    )


def _estimate(rules: Rules, name: str, found: Interval, excluded: int) -> Estimate:
    return Estimate(
        name=name, value=found.value, low=found.low, high=found.high, level=None if found.low is None else found.level,
        n=found.n, unit="prompts", method=found.method, excluded=excluded, group=rules,
    )  # fmt: skip


def _count(rules: Rules, name: str, n: int) -> Estimate:
    return Estimate(
        name=name, value=float(n), low=None, high=None, level=None, n=n, unit="images", method="count", group=rules
    )
