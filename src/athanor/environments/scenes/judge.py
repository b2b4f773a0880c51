"""The exact judge of a drawn picture: what it shows, which rules hold, and a reward in 0 to 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from athanor.core.records import Record, Verdict
from athanor.environments.scenes.drawing import Images
from athanor.environments.scenes.rules import Fact, lenient, strict
from athanor.environments.scenes.seeing import Sight, see
from athanor.environments.scenes.spec import Spec

PARTIAL = 0.9
"""Reward of a picture in which all but the last thing is right, at most."""
RULES = {"strict": strict, "lenient": lenient}


class Judged(Record, kw_only=True):
    """A picture under one set of rules."""

    rules: str
    passed: bool
    facts: tuple[Fact, ...]
    sight: Sight

    @property
    def share(self) -> float:
        """Of the facts, those that hold; 0 where nothing was found at all."""
        return sum(fact.held for fact in self.facts) / len(self.facts) if self.sight.found else 0.0


@dataclass(frozen=True, kw_only=True)
class Judge:
    """Judges a picture by its prompt."""

    rules: Literal["strict", "lenient"] = "strict"
    """strict: what was asked for and nothing else; lenient: as GenEval judges, which lets more things be there."""
    graded: bool = True
    """Whether a picture that fails is paid for the share of the facts that hold (PARTIAL times it), or nothing."""

    def judged(self, image: Images, spec: Spec) -> Judged:
        """`image`: UInt8["side side 3"], 48 pixels or more."""
        return self.weighed(see(image), spec)

    def weighed(self, sight: Sight, spec: Spec) -> Judged:
        facts = RULES[self.rules](spec, sight)
        return Judged(rules=self.rules, passed=all(fact.held for fact in facts), facts=facts, sight=sight)

    def verdict(self, judged: Judged) -> Verdict:
        """Parts: `rules`; `found`, what the picture shows; `unclear` and `stray`, what it shows beside; `failed`, the
        rules that do not hold, each with its entry and what was asked for and found; `facts`, how many there are."""
        failed = [fact for fact in judged.facts if not fact.held]
        reward = 1.0 if judged.passed else PARTIAL * judged.share * self.graded
        parts = {
            "rules": judged.rules, "found": as_json(judged.sight.found), "unclear": judged.sight.unclear,
            "stray": round(judged.sight.stray, 6), "failed": as_json(failed), "facts": len(judged.facts),
        }  # fmt: skip
        reason = "everything asked for was found" if judged.passed else f"{failed[0].rule} failed: {failed[0].told}"
        return Verdict(reward=reward, passed=judged.passed, reason=reason, parts=parts)


def as_json(value: Any) -> Any:
    """Records as JSON values: lists where they have tuples, fields under their names in files."""
    return msgspec.json.decode(msgspec.json.encode(value))
