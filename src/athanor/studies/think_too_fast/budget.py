"""What a setting would ask of a model, before it is asked: calls, tokens and their cost, expected and at most."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import accumulate
from math import ceil
from pathlib import Path

from athanor.agents.baselines import RandomNeverRepeat
from athanor.agents.registry import make_dialogue, max_tokens_of
from athanor.core.play import play
from athanor.core.records import Record, Turn
from athanor.environments.alchemy import RULES, Alchemy, Discovery, Pair
from athanor.environments.alchemy.text import ECHOED, AlchemyDialogue
from athanor.environments.alchemy.worlds import is_here, table
from athanor.models.backends import BackendConfig
from athanor.models.backends.openai_http import HttpConfig
from athanor.models.backends.openai_http import cost as price
from athanor.models.backends.openai_wire import Usage
from athanor.studies.playing.alchemy import Config as Play
from athanor.studies.playing.alchemy import planned
from athanor.studies.think_too_fast.arms import Setting, arms, reasons
from athanor.studies.think_too_fast.published import GAME

BYTES_A_TOKEN, FRAME = 3, 8
"""Bytes of English text in a token, at least, and tokens that a chat template puts around a message, at most."""
USUAL_BYTES, USUAL_FRAME = 4, 4
"""The same as they usually are: SmolLM2's tokeniser makes tokens of 4.1 to 4.5 bytes of the messages in `atelier`."""
A_THOUGHT = 100
"""Tokens of the few sentences that the prompt for reasoning asks for, beside the pair: a guess, which no model is
bound to."""
STAND_IN = "atelier"
"""The table whose texts take the place of those of the game's own table where it was not fetched."""


class Cost(Record, kw_only=True, omit_defaults=False):
    """What an arm asks for."""

    world: str
    arm: str
    episodes: int
    turns: int
    """Of all episodes, at most."""
    calls: int
    """Of a model, failed attempts aside; 0 where none is asked."""
    prompt_expected: int
    """Tokens of all prompts, if messages are as in a game of a random player and answers a pair."""
    cached_expected: int
    """Of these, what stood in the prompt before, which a server can keep."""
    prompt: int
    """Tokens of all prompts at most, none of them cached."""
    answer_expected: int
    """Tokens of all answers, if each is a pair, with A_THOUGHT where that is asked for; of who reasons unasked, at
    most."""
    answer: int
    """Tokens of all answers at most."""
    cost_expected: float | None
    """Of the expected tokens, in the currency of the configured prices, those cached at theirs if it is given; None
    where no price is."""
    cost: float | None
    """Of the tokens at most."""


class Texts(Record, kw_only=True):
    """What is said in one game of a player who never repeats."""

    rules: str
    said: tuple[str, ...]
    """To the player, turn by turn."""
    echoed: tuple[str, ...]
    """The player's answers, as they are remembered."""


def costs(setting: Setting, model: str, backend: BackendConfig, seed: int) -> tuple[Cost, ...]:
    """The cost of every arm, played whole from the start. No model is loaded and no server asked."""
    return tuple(_cost(one) for one in arms(setting, Path(), model, backend, seed, lambda table: "true"))


def _cost(asked: Play) -> Cost:
    turns = asked.episodes * asked.turns
    asks = asked.agent == "language"
    bound = max_tokens_of(asked.language, server=asked.backend.backend == "openai")
    names = ("prompt_expected", "cached_expected", "prompt", "answer_expected", "answer")
    numbers, http = dict.fromkeys(names, 0), asked.backend.http
    if asks:
        texts, n = _texts(asked), asked.episodes
        prompts = _expected(texts)
        thought = A_THOUGHT if asked.language.condition == "reasoning" else 0
        answers = sum(min(bound, thought + _usual(text)) for text in texts.echoed)
        numbers = dict(zip(names, (
            n * sum(prompts), n * sum(prompts[:-1]), n * _at_most(texts, bound),
            turns * bound if reasons(asked.language.model) else n * answers, turns * bound,
        ), strict=True))  # fmt: skip
    cached = numbers["cached_expected"] if http.price_cached is not None else 0
    return Cost(
        world=f"{asked.table}, {asked.rules} rules", arm=asked.label or asked.agent, episodes=asked.episodes,
        turns=turns, calls=turns if asks else 0, **numbers,
        cost_expected=_priced(http, numbers["prompt_expected"], numbers["answer_expected"], cached) if asks else 0.0,
        cost=_priced(http, numbers["prompt"], numbers["answer"]) if asks else 0.0,
    )  # fmt: skip


def _priced(http: HttpConfig, prompt: int, answer: int, cached: int = 0) -> float | None:
    return price(http, Usage(prompt_tokens=prompt, completion_tokens=answer, prompt_cache_hit_tokens=cached))


def _expected(texts: Texts) -> list[int]:
    """Tokens of every prompt of an episode like this one: before every turn, all that was said before and is now."""
    rules = USUAL_FRAME + _usual(texts.rules)
    told = accumulate(USUAL_FRAME + _usual(text) for text in texts.said)
    heard = accumulate((USUAL_FRAME + _usual(text) for text in texts.echoed[:-1]), initial=0)
    return [rules + mine + theirs for mine, theirs in zip(told, heard, strict=True)]


def _at_most(texts: Texts, bound: int) -> int:
    """The same, every message as long as the longest, and every answer that is remembered as long as its bound and
    what is remembered of one let it be."""
    turns = len(texts.said)
    said = max(_tokens(text) for text in texts.said)
    answer = FRAME + min(bound, ceil(ECHOED / BYTES_A_TOKEN))
    pairs = turns * (turns - 1) // 2
    return turns * (_tokens(texts.rules) + said) + pairs * (said + answer)


def _texts(asked: Play) -> Texts:
    environment = Alchemy(table=table(_measured_on(asked.table)), rules=RULES[asked.rules])
    dialogue = make_dialogue(environment, asked.language)
    first = planned(environment, asked.split, asked.seed, 1)[0]
    judge, player = Discovery(environment=environment), RandomNeverRepeat()
    game = asyncio.run(play(environment, judge, player, first, seed=asked.seed, turns=asked.turns))
    return _told(dialogue, game.turns)


def _told(dialogue: AlchemyDialogue, turns: Sequence[Turn[Pair]]) -> Texts:
    before = (None, *turns[:-1])
    return Texts(
        rules=dialogue.rules(),
        said=tuple(dialogue.say(turn.observation, last) for turn, last in zip(turns, before, strict=True)),
        echoed=tuple(map(dialogue.echo, turns)),
    )


def _measured_on(named: str) -> str:
    """The table itself, or what stands in for one that was not fetched."""
    return STAND_IN if named == GAME and not is_here(GAME) else named


def _tokens(text: str) -> int:
    return FRAME + ceil(len(text.encode()) / BYTES_A_TOKEN)


def _usual(text: str) -> int:
    return ceil(len(text.encode()) / USUAL_BYTES)


def costs_text(found: Sequence[Cost]) -> str:
    """The costs as an aligned table in plain text, a line an arm, with their sums."""
    priced = any(one.cost for one in found)
    heads = _HEADS if priced else {name: head for name, head in _HEADS.items() if not name.startswith("cost")}
    total = ("all", "", *(_shown(sum(getattr(one, name) for one in found)) for name in heads))
    rows = [("world", "arm", *heads.values())]
    rows += [(one.world, one.arm, *(_shown(getattr(one, name)) for name in heads)) for one in found] + [total]
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(w) if k < 2 else cell.rjust(w) for k, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    notes = [_NOTE, _PRICED if priced else _UNPRICED]
    if any(one.world.startswith(f"{GAME},") and one.calls for one in found) and not is_here(GAME):
        notes.append(f"{GAME} is not here (athanor fetch {GAME}): its texts are taken to be as long as {STAND_IN}'s.")
    return "\n".join((*lines, "", *notes)) + "\n"


def _shown(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


_HEADS = {
    "episodes": "episodes", "turns": "turns", "calls": "calls", "prompt_expected": "prompt tokens expected",
    "prompt": "at most", "answer_expected": "answer tokens expected", "answer": "at most",
    "cost_expected": "cost expected", "cost": "at most",
}  # fmt: skip
_NOTE = (
    f"Expected: {USUAL_BYTES} bytes of text a token, messages as in a game of a random player, an answer a pair, and "
    f"{A_THOUGHT} tokens more where a thought is asked for; of a model that reasons unasked, its bound. At most: "
    f"{BYTES_A_TOKEN} bytes a token, every message as long as the longest, every answer as long as it may be. Turns "
    "and calls are at most; no request is repeated."
)
_PRICED = (
    "Cost: in the currency of the prices of a million tokens, no prompt cached; what is expected has cached what stood "
    "in the prompt before, if --http.price-cached is given."
)
_UNPRICED = "No cost is given without --http.price-prompt and --http.price-completion."
