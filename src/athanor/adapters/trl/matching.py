"""How many steps of one training cost what another training cost."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from athanor.adapters.trl.data import Data, answered, picture, rows
from athanor.adapters.trl.own import Own
from athanor.adapters.trl.settings import Config, given, judge_of
from athanor.analysis.spending import FORWARD, forwards, pass_cost, spent
from athanor.core.errors import DataError, UsageError

TRIED = 512
"""Hands whose answers are counted in tokens, to know what a step costs."""


def matched(config: Config, tokenizer: Any, own: Own | None = None) -> int:
    """Steps of a resolved configuration, at least one, that cost as many operations as the training in `match`.

    `own`: the model's own answers that are taught, which are paid for too. UsageError if that training is not finished,
    or does not let the cost be told beforehand; DataError if it does not tell what it cost.
    """
    other = Path(config.match)
    if not (other / "final" / "config.json").is_file():
        raise UsageError(f"--match {other} is no finished training; finish it, or pass --steps")
    whole = spent(other).operations
    if config.method != "sft":
        return max(1, round(whole / _reinforced_step(config, tokenizer, other)))
    if own is not None:
        if own.tokens is None:
            raise UsageError(f"{config.data.answers} does not tell its tokens, which --match counts; pass --steps")
        whole -= FORWARD * own.tokens
    step = given(config.optim.batch) * _tokens(config, tokenizer, own.taught if own else None)
    return max(1, round(whole / (pass_cost(asdict(config)) * step)))


def _tokens(config: Config, tokenizer: Any, taught: list[dict[str, Any]] | None) -> float:
    """Tokens of a taught conversation, prompt and pictures included, on average."""
    if taught is None:
        judge = judge_of(config)
        dealt = rows(config.data, config.rule, judge, config.split, config.seed, config.data.hands or TRIED)
        taught = answered(config.data, judge, dealt, config.seed)
    return float(np.mean([length(config.data, tokenizer, [*one["prompt"], *one["completion"]], one) for one in taught]))


def length(data: Data, tokenizer: Any, said: list[dict[str, Any]], row: dict[str, Any]) -> int:
    """Tokens of a conversation, with those of the picture of the row's hand where it is drawn."""
    if "cards" not in row:
        inner = getattr(tokenizer, "tokenizer", tokenizer)
        return len(inner.apply_chat_template(said, tokenize=True, return_dict=False))
    first = next(number for number, message in enumerate(said) if message["role"] == "user")
    image = [{"type": "image"}]
    said = [
        {**one, "content": [*(image if number == first else ()), {"type": "text", "text": one["content"]}]}
        for number, one in enumerate(said)
    ]
    text = tokenizer.apply_chat_template(said, tokenize=False)
    return len(tokenizer(text=[text], images=[[picture(data, row["cards"])]])["input_ids"][0])


class Played(NamedTuple):
    """What episodes of a training by reinforcement were like, on average."""

    prompt: float
    answer: float
    """Tokens of one answer."""
    told: float
    """Tokens in which the verifier says what was wrong, between two answers."""
    wrong: float
    """Share of answers after which another may follow."""

    def tokens(self, rounds: int) -> float:
        """Of an episode that may have so many answers."""
        turns = _turns(self.wrong, rounds)
        return self.prompt + turns * self.answer + (turns - 1) * self.told


def _turns(wrong: float, rounds: int) -> float:
    """Answers of an episode, where each is followed by another with a probability.

    >>> _turns(0.5, 3)
    1.75
    """
    return sum(wrong**k for k in range(rounds))


def _reinforced_step(config: Config, tokenizer: Any, other: Path) -> float:
    """Operations of a step by reinforcement, for each weight, by what episodes of another training were like."""
    played = _played(config, tokenizer, other)
    whole, vllm = asdict(config), config.vllm.mode != "off"
    tokens = played.tokens(given(config.rl.rounds))
    sampled = FORWARD * forwards(whole, vllm=vllm) / given(config.rl.epochs)
    return given(config.optim.batch) * tokens * (sampled + pass_cost(whole))


def _played(config: Config, tokenizer: Any, other: Path) -> Played:
    """By the log of another training. UsageError if it did not sample."""
    theirs = json.loads((other / "manifest.json").read_bytes())["config"]
    lines = [json.loads(line) for line in (other / "log.jsonl").read_bytes().splitlines()]
    lines = [line for line in lines if "completions/mean_length" in line]
    cost = spent(other)
    if theirs["method"] == "sft" or not lines:
        raise UsageError(f"--match {other} is fine-tuning, reinforcement was expected; pass --steps")

    def mean(name: str, without: float) -> float:
        return float(np.mean([line.get(name, without) for line in lines]))

    turns, told = mean("turns", 1.0), mean("told", 0.0)
    written = mean("completions/mean_length", 0.0)
    between = told / (turns - 1) if turns > 1 else _told(config, tokenizer)
    wrong = _share(turns, theirs["rl"]["rounds"]) if theirs["rl"]["rounds"] > 1 else 1 - mean("passed", 0.0)
    prompt = cost.tokens_sampled / cost.sampled - written - told
    if prompt <= 0:
        raise DataError(f"the log of {other} has more tokens of answers than of episodes; pass --steps")
    return Played(prompt, written / turns, between, wrong)


def _share(turns: float, rounds: int) -> float:
    """The share of answers that another follows, from how many answers there were on average.

    >>> round(_share(1.75, 3), 3)
    0.5
    """
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if _turns(middle, rounds) < turns else (low, middle)
    return (low + high) / 2


def _told(config: Config, tokenizer: Any) -> float:
    """Tokens in which the verifier says what was wrong, of answers made by chance."""
    judge = judge_of(config)
    data = replace(config.data, turns=2, solutions="canonical")
    taught = answered(data, judge, rows(data, config.rule, judge, config.split, config.seed, 16), config.seed)
    found = [length(data, tokenizer, one["prompt"], one) - length(data, tokenizer, one["prompt"][:-1], one)
             for one in taught if len(one["prompt"]) > 2]  # fmt: skip
    return float(np.mean(found))
