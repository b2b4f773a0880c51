"""A model's own right answers, out of a run folder of `play points`: rejection sampling, as in arXiv:2510.18874."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from athanor.adapters.trl.data import Data, Row, dialogue_of, environment_of, passes, shown
from athanor.core.errors import DataError, UsageError
from athanor.core.records import Turn
from athanor.core.store import RunFolder
from athanor.environments.points import Answer
from athanor.environments.points.drawing import LOOKS
from athanor.environments.points.judge import Judge


class Own(NamedTuple):
    """What a model answered."""

    taught: list[dict[str, Any]]
    """Right answers, each once a hand: `prompt` and `completion`."""
    hands: int
    """How many were played for them."""
    tokens: int | None
    """Of the prompts and first answers to those hands; None where the run does not tell them."""


def own_answers(data: Data, rule: str, judge: Judge, split: str) -> Own:
    """The right ones among the first answers of a run, to its first `data.hands` hands or to all. Cut ones are not
    taught.

    UsageError for a run of other hands than are asked for; DataError for one with too few, or with no right answer.
    """
    folder: RunFolder[Answer] = RunFolder.read(Path(data.answers))
    _refuse_other(folder, data, rule, judge, split)
    ended, played = folder.played(Answer)
    whole = [key for key in ended if ended[key].end != "error"]
    keys = sorted(whole, key=lambda key: (len(key), key))  # as they were dealt: 9999 before 10000
    wanted = len(keys) if data.hands is None else data.hands
    if len(keys) < wanted:
        raise DataError(f"{folder.path} has {len(keys)} hands that ended well, {wanted} were expected; play it on")
    taught: dict[tuple[str, ...], dict[str, Any]] = {}
    tokens: int | None = 0
    environment, dialogue = environment_of(data, rule, judge), dialogue_of(data)
    for key in keys[:wanted]:
        turn, task = played[key][0], ended[key].task
        tokens = _added(tokens, turn)
        seen = environment.observe(environment.start(task))
        said = dialogue.say(seen, None)
        prompt = [{"role": "system", "content": dialogue.rules()}, {"role": "user", "content": said}]
        text = _text(turn)
        if text and passes(data, environment, Row(task, seen, prompt), text):
            known = (said, text, *(seen.cards if data.look else ()))
            completion = [{"role": "assistant", "content": text}]
            taught.setdefault(known, {"prompt": prompt, "completion": completion, **shown(data, seen)})
    if not taught:
        raise DataError(
            f"of {wanted} hands in {folder.path} none was solved by its first answer; play more, begin from a model "
            "that solves some, or leave --data.answers out"
        )
    return Own(list(taught.values()), wanted, tokens)


def _refuse_other(folder: RunFolder[Answer], data: Data, rule: str, judge: Judge, split: str) -> None:
    """UsageError unless the run has hands of the part, the rule, the judge and the look that are asked for."""
    look = msgspec.structs.asdict(LOOKS[data.look]) if data.look else None
    look, told = msgspec.json.decode(msgspec.json.encode(look)), folder.manifest.config  # as a manifest has it
    asked = {
        "environment": "points",
        "split": split,
        "rule": rule,
        "verifier": judge.name,
        "printed": False,
        "target": data.target,
    }
    differ = [f"{name} {told.get(name)}" for name, value in asked.items() if told.get(name) != value]
    dealt = told.get("deal", {}).get("cards")
    differ += [f"{dealt} cards"] if dealt != data.cards else []
    if differ or told.get("look") != look:
        raise UsageError(
            f"--data.answers {folder.path} is a run of {', '.join(differ) or 'another look'}; a run of `play points` "
            f"with --rule {rule}, --split {split}, --verifier {judge.name}, --target {data.target}, "
            f"--cards {data.cards} and {f'--look {data.look}' if data.look else 'cards in words'} was expected; pass "
            "such a one"
        )


def _text(turn: Turn[Answer]) -> str:
    """What the model wrote, without what it thought; empty where it was cut."""
    one = turn.completion
    return "" if one is None or one.finish == "length" else one.text.strip()


def _added(tokens: int | None, turn: Turn[Answer]) -> int | None:
    one = turn.completion
    if tokens is None or one is None or one.prompt_tokens is None or one.completion_tokens is None:
        return None
    return tokens + one.prompt_tokens + one.completion_tokens
