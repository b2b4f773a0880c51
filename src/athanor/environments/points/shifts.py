"""What changes between training and testing, one thing at a time where that can be told apart.

The published shift of rules changes two things at once: what the letters J, Q and K mean, and the range of the numbers
(none above 10 is ever computed with in training). Here each has a shift of its own beside the published one.
"""

from __future__ import annotations

from athanor.core.records import Record
from athanor.environments.points.cards import NAMED_VALUES, OTHER_VALUES, TENS, Rule
from athanor.environments.points.deal import Deal
from athanor.environments.points.drawing import LOOKS, Look

BLACK, RED = "SC", "HD"


class Shift(Record, kw_only=True):
    """A setting in which a trained model is tested."""

    rule: Rule = TENS
    deal: Deal = Deal()
    printed: bool = False
    """Whether cards carry their numbers in place of letters."""
    look: Look | None = None
    """How the cards are drawn; None tells them in words."""
    about: str


SHIFTS: dict[str, Shift] = {
    "none": Shift(about="the rule of training, on hands of the part asked for"),
    "mapping": Shift(
        rule=OTHER_VALUES, deal=Deal(faces="some"),
        about="J, Q and K mean other numbers, all of which were computed with in training",
    ),
    "range": Shift(
        rule=NAMED_VALUES, deal=Deal(values="large"), printed=True,
        about="numbers above 10, printed on the cards: nothing new is to be read, but larger numbers are computed with",
    ),
    "rule": Shift(
        rule=NAMED_VALUES, deal=Deal(faces="some"),
        about="J, Q and K mean 11, 12 and 13, as published: another mapping and another range at once",
    ),
    "published rule": Shift(
        rule=NAMED_VALUES, deal=Deal(faces="some", replacement=True),
        about="the same, dealt as the published code deals: with replacement",
    ),
    "black suits": Shift(deal=Deal(suits=BLACK), look=LOOKS["plain"], about="pictures as in training"),
    "red suits": Shift(deal=Deal(suits=RED), look=LOOKS["plain"], about="the published visual shift"),
    **{
        f"look {name}": Shift(deal=Deal(suits=BLACK), look=look, about=f"the cards are drawn as {name}")
        for name, look in LOOKS.items() if name != "plain"
    },
}  # fmt: skip
