"""What the bases had seen of each rule before post-training, by the recipes that their files keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from athanor.environments.points.cards import NAMED_VALUES, OTHER_VALUES
from athanor.environments.points.mixture import PUBLISHED
from athanor.environments.points.steps import HIGHEST
from athanor.models.policy.embedded import path_of
from athanor.training.checkpoint import read_policy


def recipe_of(base: str) -> Mapping[str, Any] | None:
    """The mixture that a base learned from; None where its file does not tell."""
    about = read_policy(path_of(base))[1]
    return about.get("recipe", {}).get("mixture")


def knows_rule(bases: Sequence[str]) -> bool:
    """Whether a base is known to have learned hands in which J, Q, K count 11, 12, 13."""
    told = [mixture for base in bases if (mixture := recipe_of(base)) is not None]
    return NAMED_VALUES.faces in PUBLISHED and any(mixture.get("published_rules", 0) > 0 for mixture in told)


def seen_by(bases: Sequence[str]) -> str:
    """What they have seen of the rules that policies are tried under, in words."""
    mixtures = [recipe_of(base) for base in bases]
    one = mixtures[0]
    if one is None or any(mixture != one for mixture in mixtures):
        return "What the bases had seen of each rule is not told, or not the same for all."
    share, wide = one.get("published_rules", 0.0) / len(PUBLISHED), one.get("wide", 0.0)
    ways, named = HIGHEST**3, ", ".join(map(str, NAMED_VALUES.faces))
    other = ", ".join(map(str, OTHER_VALUES.faces))
    return (
        "What the bases had seen of each rule before post-training, at the target 24 always with numbers of other "
        f"hands: of their hands with no number above {HIGHEST} ({1 - wide:.0%} of all) {share:.0%} had J = Q = K = 10, "
        f"{share:.0%} J, Q, K = {named} (rule), and the others three numbers of 1 to {HIGHEST}, drawn anew each time: "
        f"{other} (mapping) came in 1 of {ways:,} of these, as often as any other three. So {named} is no new rule: "
        "what is told of it is how much post-training keeps or loses of what was learned under it. A printed number in "
        "the place of a card (range) was never shown."
    )
