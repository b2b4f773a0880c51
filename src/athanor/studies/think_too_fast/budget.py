"""What a setting would ask of a model, before it is asked: calls, and tokens at most."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from math import ceil
from pathlib import Path

from athanor.agents.baselines import RandomNeverRepeat
from athanor.agents.registry import make_dialogue, max_tokens_of
from athanor.core.play import play
from athanor.core.records import Record
from athanor.environments.alchemy import RULES, Alchemy, Discovery
from athanor.environments.alchemy.text import ECHOED, AlchemyDialogue
from athanor.environments.alchemy.worlds import table
from athanor.models.backends import BackendConfig
from athanor.studies.playing.alchemy import Config as Play
from athanor.studies.playing.alchemy import planned
from athanor.studies.think_too_fast.arms import Setting, arms

BYTES_A_TOKEN = 3
"""Of English text, at least: the tokenisers of current models make about four."""
FRAME = 8
"""Tokens that a chat template puts around a message, at most."""


class Cost(Record, kw_only=True, omit_defaults=False):
    """What an arm asks for."""

    world: str
    arm: str
    episodes: int
    turns: int
    """Of all episodes, at most."""
    calls: int
    """Of a model, failed attempts aside; 0 where none is asked."""
    prompt: int
    """Tokens of all prompts at most, none of them cached."""
    answer: int
    """Tokens of all answers at most."""


def costs(setting: Setting, model: str, backend: BackendConfig, seed: int) -> tuple[Cost, ...]:
    """The cost of every arm, played whole from the start. No model is loaded and no server asked."""
    return tuple(_cost(one) for one in arms(setting, Path(), model, backend, seed, lambda table: "true"))


def _cost(asked: Play) -> Cost:
    turns = asked.episodes * asked.turns
    asks = asked.agent == "language"
    bound = max_tokens_of(asked.language, server=asked.backend.backend == "openai")
    return Cost(
        world=f"{asked.table}, {asked.rules} rules", arm=asked.label or asked.agent, episodes=asked.episodes,
        turns=turns, calls=turns if asks else 0, prompt=asked.episodes * _prompts(asked, bound) if asks else 0,
        answer=turns * bound if asks else 0,
    )  # fmt: skip


def _prompts(asked: Play, bound: int) -> int:
    """Tokens of the prompts of an episode: the rules, and before every turn all that was said before.

    Every message is taken to be as long as the longest in a game of a random player, and every answer that is
    remembered as long as its bound and what is remembered of one let it be.
    """
    environment = Alchemy(table=table(asked.table), rules=RULES[asked.rules])
    dialogue = make_dialogue(environment, asked.language)
    said = max(_tokens(text) for text in _said(environment, dialogue, asked))
    answer = FRAME + min(bound, ceil(ECHOED / BYTES_A_TOKEN))
    pairs = asked.turns * (asked.turns - 1) // 2
    return asked.turns * (_tokens(dialogue.rules()) + said) + pairs * (said + answer)


def _said(environment: Alchemy, dialogue: AlchemyDialogue, asked: Play) -> Iterator[str]:
    """What a player who never repeats is told before each turn of one game."""
    first = planned(environment, asked.split, asked.seed, 1)[0]
    judge, player = Discovery(environment=environment), RandomNeverRepeat()
    game = asyncio.run(play(environment, judge, player, first, seed=asked.seed, turns=asked.turns))
    last = None
    for turn in game.turns:
        yield dialogue.say(turn.observation, last)
        last = turn


def _tokens(text: str) -> int:
    return FRAME + ceil(len(text.encode()) / BYTES_A_TOKEN)


def costs_text(found: Sequence[Cost]) -> str:
    """The costs as an aligned table in plain text, a line an arm, with their sums."""
    total = Cost(world="all", arm="", **{name: sum(getattr(one, name) for one in found) for name in _NUMBERS})
    rows = [("world", "arm", *_HEADS)]
    rows += [(one.world, one.arm, *(f"{getattr(one, name):,}" for name in _NUMBERS)) for one in (*found, total)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(w) if k < 2 else cell.rjust(w) for k, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join((*lines, "", _NOTE)) + "\n"


_NUMBERS = ("episodes", "turns", "calls", "prompt", "answer")
_HEADS = ("episodes", "turns", "calls", "prompt tokens", "answer tokens")
_NOTE = (
    f"Turns, calls and tokens are upper bounds: {BYTES_A_TOKEN} bytes of text a token, every answer as long as it may "
    "be, no prompt cached, no failed request tried again."
)
