"""How many steps of supervised fine-tuning cost what another training cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from athanor.adapters.trl.data import answered, rows
from athanor.adapters.trl.settings import Config, given, judge_of
from athanor.analysis.spending import pass_cost, spent
from athanor.core.errors import UsageError

TRIED = 512
"""Hands whose answers are counted in tokens, to know what a step costs."""


def matched(config: Config, tokenizer: Any) -> int:
    """Steps of a resolved configuration, at least one, that cost as many operations as the training in `match`.

    UsageError if that one is not finished; DataError if it does not tell what it cost.
    """
    other = Path(config.match)
    if config.data.look:
        raise UsageError("--match counts the tokens of words, and --data.look shows pictures; pass --steps")
    if not (other / "final" / "config.json").is_file():
        raise UsageError(f"--match {other} is no finished training; finish it, or pass --steps")
    step = given(config.optim.batch) * _tokens(config, getattr(tokenizer, "tokenizer", tokenizer))
    each = pass_cost({"lora": {"rank": config.lora.rank}})
    return max(1, round(spent(other).operations / (each * step)))


def _tokens(config: Config, tokenizer: Any) -> float:
    """Tokens of a taught conversation, prompt included, on average."""
    judge = judge_of(config)
    dealt = rows(config.data, config.rule, judge, config.split, config.seed, config.data.hands or TRIED)
    taught = answered(config.data, config.rule, judge, dealt, config.seed)
    options: dict[str, Any] = {"tokenize": True, "return_dict": False}
    lengths = [len(tokenizer.apply_chat_template([*one["prompt"], *one["completion"]], **options)) for one in taught]
    return sum(lengths) / len(lengths)
