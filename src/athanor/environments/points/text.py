"""The hand in words or as a picture: what a model is told, and how its answer is read."""

from __future__ import annotations

import json
from dataclasses import dataclass

from athanor.core.history import History
from athanor.core.records import Turn, Unreadable
from athanor.environments.points.answers import read, unfinished, without_formula
from athanor.environments.points.cards import Rule, rank_of
from athanor.environments.points.drawing import Look, draw
from athanor.environments.points.state import Answer, Seen

_TASK = """You are given {count} playing cards{where}. {rule} Combine their numbers into a formula that makes \
{target}: use every card's number exactly once, the operations + - * / and brackets, and nothing else."""
_ANSWER = """Answer with one JSON object that has three fields: "cards", the ranks of the cards as a list of texts; \
"number", the number of each card as a list; and "formula", a text that ends in ={target}."""
_ECHOED = 600
"""Characters that are remembered of an answer, from its end."""


@dataclass(frozen=True, kw_only=True)
class PointsDialogue:
    """Text skin of `Points`; with a `look`, the cards are shown as a picture and not named."""

    look: Look | None = None
    printed: bool = False
    """Whether a face card is shown as the number it stands for: then no rule has to be read, only larger numbers."""

    def rules(self) -> str:
        return "You solve arithmetic puzzles with playing cards. Every answer is checked exactly."

    def say(self, observation: Seen, last: Turn[Answer] | None) -> str:
        """The first message has the hand; the later ones only what was wrong."""
        if last is not None:
            return f"That does not solve it: {last.verdict.reason[:300]}. Try again, in the same form."
        where = " in the picture" if self.look else f": {', '.join(self.shown(observation))}"
        told = _TASK.format(
            count=len(observation.cards), where=where, rule=self._rule(observation.rule), target=observation.target
        )
        return f"{told}\n{_ANSWER.format(target=observation.target)}"

    def show(self, observation: Seen, last: Turn[Answer] | None) -> tuple[bytes, ...]:
        """The picture of the hand, as PNG, beside the first message."""
        return (draw(observation.cards, self.look),) if self.look and last is None else ()

    def recall(self, observation: Seen, history: History[Answer]) -> str:
        said = [self.say(observation, None)]
        for turn in history:
            formula = turn.action.formula if isinstance(turn.action, Answer) else "no formula"
            said.append(f"Tried: {formula[:120]}. {turn.verdict.reason[:200]}.")
        return "\n".join(said)

    def echo(self, turn: Turn[Answer]) -> str:
        said = turn.completion.text if turn.completion else turn.action.text if isinstance(turn.action, Answer) else ""
        return said[-_ECHOED:].strip() or "(no answer)"

    def hear(self, reply: str, observation: Seen, cut: bool = False) -> Answer | Unreadable:
        found = read(reply)
        if cut and isinstance(found, Answer) and unfinished(found.formula, reply, observation.target):
            return without_formula(reply)
        return without_formula(reply) if isinstance(found, Unreadable) and reply.strip() else found

    def grammar(self, observation: Seen) -> str:
        """JSON in the form asked for; a formula of the numbers, which need not be each used once."""
        cards = " | ".join(json.dumps(f'"{name}"') for name in dict.fromkeys(self.shown(observation)))
        numbers = sorted({observation.rule.value(card) for card in observation.cards})
        count = len(observation.cards)
        listed = ' ", " '.join
        more = f"{{1,{count - 1}}}" if count > 1 else "{0}"
        lines = (
            f'root ::= "{{\\"cards\\": [" {listed(["card"] * count)} "], \\"number\\": [" '
            f'{listed(["number"] * count)} "], \\"formula\\": \\"" formula "={observation.target}\\"}}"',
            f"card ::= {cards}",
            f"number ::= {' | '.join(json.dumps(str(number)) for number in numbers)}",
            f"formula ::= part ([-+*/] part){more}",
            f'part ::= number | "(" number ([-+*/] inner){more} ")"',
            f'inner ::= number | "(" number ([-+*/] number){more} ")"',
        )
        return "\n".join(lines) + "\n"

    def shown(self, observation: Seen) -> tuple[str, ...]:
        """The cards by name: ranks, or the numbers that are printed on them."""
        if self.printed:
            return tuple(str(observation.rule.value(card)) for card in observation.cards)
        return tuple(map(rank_of, observation.cards))

    def _rule(self, rule: Rule) -> str:
        if self.printed:
            return "Each counts as its number."
        if len(set(rule.faces)) == 1:
            faces = f"J, Q and K count as {rule.jack} each"
        else:
            faces = f"J counts as {rule.jack}, Q as {rule.queen} and K as {rule.king}"
        return f"A counts as 1, the other number cards as their number, and {faces}."
