"""GeneralPoints: make a target out of the numbers of a hand of cards."""

from athanor.environments.points.cards import NAMED_VALUES, TENS, Rule, rule
from athanor.environments.points.chu2025 import Chu2025
from athanor.environments.points.deal import SHARES, Deal
from athanor.environments.points.environment import Grade, Points
from athanor.environments.points.judge import REWARDS, Exact
from athanor.environments.points.state import Answer, Hand, Seen

__all__ = [
    "NAMED_VALUES", "REWARDS", "SHARES", "TENS", "Answer", "Chu2025", "Deal", "Exact", "Grade", "Hand", "Points",
    "Rule", "Seen", "rule",
]  # fmt: skip
