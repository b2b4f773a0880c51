"""A small policy of the project's own plays points: it reads and writes its own tokens, not words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from athanor.core.errors import UsageError
from athanor.core.history import History
from athanor.core.records import Decision, Unreadable
from athanor.environments.points import Answer, Seen, tokens
from athanor.environments.points.cards import RANKS, rank_of
from athanor.environments.points.steps import OPERATORS

if TYPE_CHECKING:
    from athanor.models.policy.transformer import Policy

CARDS = 4
"""Of a hand that such a policy can read."""


@dataclass(frozen=True)
class SmallPolicy:
    """Answers as a policy writes: sampled at a temperature, or the likeliest at 0."""

    policy: Policy
    temperature: float = 1.0
    printed: bool = False
    """Whether hands have 11, 12 and 13 printed on them in place of J, Q and K."""
    name: str = "policy"

    async def act(self, observation: Seen, history: History[Answer], rng: np.random.Generator) -> Decision[Answer]:
        import torch

        from athanor.models.policy.generate import sample

        if tokens.PROMPT + len(history) * tokens.TURN + tokens.ANSWER > self.policy.config.context + 1:
            return Decision(action=Unreadable(unreadable=f"the policy has no room for answer {len(history) + 1}"))
        hands = hands_of(observation, printed=self.printed)
        asked = [tokens.prompts(hands)[0]]
        for turn in history:
            written = written_of(turn.action)
            asked += [written, tokens.FEEDBACK + tokens.grade(written[None], hands)]
        told = np.concatenate(asked)
        generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        made = sample(self.policy, torch.from_numpy(told[None]), 1, tokens.ANSWER, temperature=self.temperature,
                      generator=generator)  # fmt: skip
        return Decision(action=answer_of(made.tokens[0, 0].numpy()))


def hands_of(seen: Seen, *, printed: bool) -> tokens.Hands:
    """A hand as policies read it. UsageError for one of other than four cards, and for numbers that are no tokens."""
    values = [seen.rule.value(card) for card in seen.cards]
    ranks = [RANKS.index(rank_of(card)) for card in seen.cards]
    if printed:
        ranks = [rank if value < tokens.TOLD[0] else tokens.PRINTED + value - int(tokens.TOLD[0])
                 for rank, value in zip(ranks, values, strict=True)]  # fmt: skip
    if len(ranks) != CARDS or max(*values, seen.target) > tokens.OPERATOR - 1:
        raise UsageError(
            f"a hand of {len(ranks)} cards that count {', '.join(map(str, values))} with the target {seen.target} was "
            f"given, --agent policy reads {CARDS} cards and numbers up to {tokens.OPERATOR - 1}; pass such --cards, "
            "--rule and --target"
        )
    faces = np.array([seen.rule.faces]) if not printed else np.array([[10, 10, 10]])
    return tokens.Hands(np.array([ranks]), faces, np.array([seen.target]))


def answer_of(written: np.ndarray) -> Answer:
    """What was written, Int["16"], as an answer whose text has every token.

    >>> answer_of(np.array([4, 3, 2, 10, 4, 202, 3, 12, 12, 200, 2, 14, 14, 200, 10, 24])).text
    '4 3 2 10; 4 * 3 = 12; 12 + 2 = 14; 14 + 10 = 24'
    """
    words = [WORDS[int(token)] for token in written]
    steps = ["{} {} {} = {}".format(*words[at : at + 4]) for at in range(4, len(words), 4)]
    found = tokens.answer_of(written)
    return Answer(formula=found.formula, numbers=found.numbers, text="; ".join([" ".join(words[:4]), *steps]))


def written_of(action: Answer | Unreadable) -> np.ndarray:
    """The tokens of an answer that `answer_of` made, Int["16"]."""
    words = action.text.replace(";", " ").replace("=", " ").split() if isinstance(action, Answer) else []
    return np.array([TOKENS[word] for word in words], dtype=np.int64)


def _word(token: int) -> str:
    """A token as a word without a blank."""
    if token < tokens.OPERATOR:
        return str(token)
    if token < tokens.RANK:
        return OPERATORS[token - tokens.OPERATOR]
    return RANKS[token - tokens.RANK] + "'" if token < tokens.POINTS else f"<{token}>"


WORDS = tuple(map(_word, range(tokens.VOCABULARY)))
TOKENS = {word: token for token, word in enumerate(WORDS)}
