"""Kinds of thought, and a trace whose sentences have been labelled with them."""

from __future__ import annotations

from typing import Literal, get_args

from athanor.core.records import Record

Label = Literal[
    "state_goal", "check_current_inventory", "past_trial_analysis", "element_property_reasoning",
    "combination_analysis", "outcome_prediction", "final_choice",
]  # fmt: skip
LABELS: tuple[Label, ...] = get_args(Label)
"""The seven kinds of thought of Pan, Xie and Wilson 2025 (arXiv 2501.18009), under their names."""

DEFINITIONS: dict[Label, str] = {
    "state_goal": "says what is to be achieved or how to go about it in general, without a particular element or pair",
    "check_current_inventory": "lists, counts or checks what is owned at present",
    "past_trial_analysis": "recalls a particular earlier attempt or a known outcome, or draws a lesson from one",
    "element_property_reasoning": "considers what an element is, what it is like or what it is good for",
    "combination_analysis": "raises or weighs a pair as an idea; only if no other label fits better",
    "outcome_prediction": "says what a pair would or might make, or how likely it is to work",
    "final_choice": "commits to the pair to be combined in this turn",
}
"""What each kind means, in our words."""

UNLABELLED = "unlabelled"
"""What tables and counts call a sentence without a label."""


class Passage(Record, kw_only=True):
    """The trace of one turn, cut into sentences: what a labeller is given."""

    key: str
    """Unique in its collection; of a run `EPISODE/TURN`."""
    episode: str
    """The cluster that it belongs to: intervals are over episodes, never over sentences."""
    turn: int
    sentences: tuple[str, ...]
    cut: bool | None = False
    """Whether the trace was cut by the bound on tokens (or bytes), so that its end is unknown; None where nobody says.
    """
    tokens: float | None = None
    """Tokens of the trace as the model's server counted them; where it counts only a whole completion, the trace's
    share of the characters in it."""


class Labelled(Record, kw_only=True):
    """A passage with its labels: one line of a label file. People may write such lines, too."""

    passage: str
    episode: str
    turn: int = 0
    sentences: tuple[str, ...]
    labels: tuple[Label | None, ...]
    """One a sentence; None where the labeller gave none that could be read."""
    cut: bool | None = False
    tokens: float | None = None
    cause: str = ""
    """Why sentences are unlabelled."""
    failed: bool = False
    """Whether the labeller's backend failed: the passage is labelled anew on resume."""
    model: str = ""
    """Who labelled, as the server names itself."""
    calls: int = 0
    """Answers the labeller gave for this passage."""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost: float | None = None
    seconds: float = 0.0
    """Summed over the calls, as the backend counts them."""

    @property
    def unlabelled(self) -> int:
        return self.labels.count(None)

    @property
    def characters(self) -> tuple[int, ...]:
        """Characters of each sentence."""
        return tuple(len(sentence) for sentence in self.sentences)
