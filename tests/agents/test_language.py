from __future__ import annotations

import asyncio

import pytest

from athanor.agents.language import Language, Memory
from athanor.core.play import Planned, play
from athanor.core.records import Completion, TokenLogprob, Unreadable
from athanor.environments.alchemy import Discovery
from athanor.environments.alchemy.text import AlchemyDialogue
from athanor.environments.points import Exact, Grade, Points
from athanor.environments.points.drawing import LOOKS, draw
from athanor.environments.points.text import PointsDialogue
from athanor.models.backends.thoughts import part_thoughts


class Remembers:
    """A backend that answers from a list by the turn, and keeps what it was asked."""

    name, slots = "fake", 1

    def __init__(self, *replies: str, finish: str = "stop") -> None:
        self.replies, self.finish = replies, finish
        self.asked: list = []
        self.samplings: list = []

    async def complete(self, messages, sampling):
        self.asked.append(messages)
        self.samplings.append(sampling)
        text = self.replies[(len(self.asked) - 1) % len(self.replies)]
        return Completion(text=text, model="fake", finish=self.finish)

    async def close(self) -> None: ...


def played(environment, backend, turns=4, past=(), **options):
    agent = Language(backend=backend, dialogue=AlchemyDialogue(environment=environment), max_tokens=8, **options)
    planned = Planned(key="0000", task=next(environment.tasks("open", 0)), past=past)
    return asyncio.run(play(environment, Discovery(environment=environment), agent, planned, seed=0, turns=turns))


def test_a_reply_becomes_a_turn_with_its_completion(strict):
    episode = played(strict, Remembers("ink + pen", "nonsense"), turns=2)
    assert [turn.verdict.parts["category"] for turn in episode.turns] == ["success-new", "invalid"]
    assert [turn.completion.text for turn in episode.turns] == ["ink + pen", "nonsense"]


def test_each_prompt_with_the_whole_past_begins_with_the_one_before(strict):
    backend = Remembers("ink + pen", "ink + ink", "what?", "line + line", "dot + line")
    played(strict, backend, turns=12)
    for shorter, longer in zip(backend.asked, backend.asked[1:], strict=False):
        assert longer[: len(shorter)] == shorter
        assert len(longer) == len(shorter) + 2


def test_a_window_drops_old_turns_in_blocks(strict):
    backend = Remembers("ink + pen", "ink + ink", "pen + pen")
    played(strict, backend, turns=40, memory=Memory(kind="window", window=10))
    shown = [(len(messages) - 2) // 2 for messages in backend.asked]
    assert max(shown) == 10
    assert min(shown[10:]) >= 5
    kept = [
        longer[: len(shorter)] == shorter for shorter, longer in zip(backend.asked, backend.asked[1:], strict=False)
    ]
    assert kept.count(False) == 6  # a drop every five turns from the tenth on: 11, 16, ... 36
    for messages in backend.asked:
        assert "Your elements, in the order of their discovery" in messages[1].text


@pytest.mark.parametrize("window", [1, 2, 3, 50])
def test_a_window_of_any_size_shows_no_more_than_it_says(window):
    memory = Memory(kind="window", window=window)
    for turns in range(200):
        assert 0 <= turns - memory.first(turns) <= window
        assert memory.first(turns) <= memory.first(turns + 1)


def test_a_summary_of_the_past_is_one_message(strict):
    backend = Remembers("ink + pen", "ink + ink")
    played(strict, backend, turns=4, memory=Memory(kind="tried"))
    assert [len(messages) for messages in backend.asked] == [2, 2, 2, 2]
    assert "ink + pen -> line, dot" in backend.asked[-1][1].text


def test_an_answer_cut_at_the_token_bound_says_so(strict):
    episode = played(strict, Remembers("I think that", finish="length"), turns=1)
    action = episode.turns[0].action
    assert isinstance(action, Unreadable)
    assert "cut at 8 tokens" in action.unreadable


@pytest.mark.parametrize(("finish", "heard"), [("stop", "ink + pe"), ("length", None)])
def test_a_name_cut_at_the_token_bound_is_unreadable_and_not_unknown(strict, finish, heard):
    (turn,) = played(strict, Remembers("ink + pe", finish=finish), turns=1).turns
    assert turn.verdict.parts["cause"] == ("unknown" if heard else "unreadable")
    assert str(turn.action) == heard if heard else "was cut before its pair" in turn.action.unreadable


@pytest.mark.parametrize(
    ("finish", "cause", "whose"),
    [
        ("content_filter", "filtered", "the server's content filter withheld the answer"),
        ("refusal", "refused", "the model refused to answer"),
    ],
)
def test_an_answer_withheld_or_refused_is_not_read_and_has_a_cause_of_its_own(strict, finish, cause, whose):
    for reply in ("", "ink + pen"):  # what a filter left over is no choice
        (turn,) = played(strict, Remembers(reply, finish=finish), turns=1).turns
        assert (turn.verdict.parts["category"], turn.verdict.parts["cause"]) == ("invalid", cause)
        assert turn.verdict.reason.startswith(f"{whose}: it ended as '{finish}'")
        assert turn.verdict.reward == 0
        assert turn.completion.text == reply


def test_a_resumed_episode_asks_exactly_what_it_would_have_asked(strict):
    replies = ("ink + pen", "what?", "line + line", "dot + line", "ink + ink", "pen + pen")
    whole = Remembers(*replies)
    episode = played(strict, whole, turns=6)
    rest = Remembers(*replies[3:])
    played(strict, rest, turns=6, past=episode.turns[:3])
    assert rest.asked == whole.asked[3:]
    assert rest.samplings == whole.samplings[3:]


def test_turns_are_sampled_with_different_seeds_and_one_conversation(strict):
    backend = Remembers("ink + pen")
    played(strict, backend, turns=5, temperature=0.7)
    assert len({sampling.seed for sampling in backend.samplings}) == 5
    assert {sampling.conversation for sampling in backend.samplings} == {"0000"}
    assert {sampling.temperature for sampling in backend.samplings} == {0.7}


def test_constrained_decoding_passes_the_grammar_of_what_is_combinable_now(strict):
    backend = Remembers("ink + pen")
    played(strict, backend, turns=2, constrained=True)
    assert '"line"' not in backend.samplings[0].grammar
    assert '"line"' in backend.samplings[1].grammar


@pytest.mark.parametrize(
    ("reply", "reasoning"),
    [
        ("<think>ink + ink? no, dot + dot</think>\n\nink + pen", "ink + ink? no, dot + dot"),
        ("ink + ink? no</think>ink + pen", "ink + ink? no"),
        ("<think></think>ink + pen", ""),
        ("<think>a</think>pen + pen<THINK>b</think>ink + pen", "apen + penb"),
    ],
)
def test_thoughts_left_in_the_answer_are_its_reasoning(strict, reply, reasoning):
    turn = played(strict, Remembers(reply), turns=1).turns[0]
    assert str(turn.action) == "ink + pen"
    assert (turn.completion.text, turn.completion.reasoning) == ("ink + pen", reasoning)


def test_thoughts_that_never_end_are_unreadable_and_say_so(strict):
    turn = played(strict, Remembers("<think>ink + pen would", finish="length"), turns=1).turns[0]
    assert turn.action == Unreadable(
        unreadable="the answer is empty; the model was still reasoning; it was cut at 8 tokens"
    )
    assert turn.completion.reasoning == "ink + pen would"


def test_thoughts_without_an_answer_that_were_not_cut_are_not_called_unfinished(strict):
    turn = played(strict, Remembers("<think>ink + pen would"), turns=1).turns[0]
    assert turn.action == Unreadable(unreadable="the answer is empty")


def test_the_reasoning_a_backend_gave_itself_is_kept():
    given = Completion(text="<think>x</think>ink + pen", model="m", reasoning="hidden")
    assert part_thoughts(given).reasoning == "hidden"
    assert part_thoughts(given).text == "ink + pen"


def test_the_log_probabilities_are_those_of_the_answer():
    tokens = tuple(TokenLogprob(token=token, logprob=-1.0) for token in ("<think>", "x", "</think>", "ink", " + pen"))
    parted = part_thoughts(Completion(text="<think>x</think>ink + pen", model="m", logprobs=tokens))
    assert [token.token for token in parted.logprobs] == ["ink", " + pen"]


@pytest.mark.parametrize(
    "text",
    [
        "<thought>pen + pen?</thought>ink + pen",
        "<reasoning>pen + pen?</reasoning>\nink + pen",
        "◁think▷pen + pen?◁/think▷ink + pen",
        "<|channel|>analysis<|message|>pen + pen?<|end|><|start|>assistant<|channel|>final<|message|>ink + pen",
    ],
)
def test_thoughts_are_told_apart_in_every_form_that_servers_leave_them(text):
    parted = part_thoughts(Completion(text=text, model="m"))
    assert parted.text == "ink + pen"
    assert "pen + pen?" in parted.reasoning


@pytest.mark.parametrize(
    ("kind", "shown"), [("whole", [0, 1, 0, 0, 0, 0]), ("tried", [0, 1]), ("window", [0, 1, 0, 0])]
)
def test_a_model_is_shown_the_picture_beside_the_message_that_tells_the_hand(kind, shown):
    environment, look = Points(judge=Exact(vision=True)), LOOKS["plain"]
    backend = Remembers("no")
    agent = Language(
        backend=backend, dialogue=PointsDialogue(look=look), max_tokens=8, memory=Memory(kind=kind, window=1)
    )
    task = next(environment.tasks("test", 0))
    planned = Planned(key="0000", task=task)
    asyncio.run(play(environment, Grade(environment=environment), agent, planned, seed=0, turns=3))
    assert [len(message.images) for message in backend.asked[-1]] == shown
    assert backend.asked[-1][1].images == (draw(environment.start(task).cards, look),)


def test_a_game_told_in_words_alone_shows_no_picture(strict):
    backend = Remembers("ink + pen")
    played(strict, backend, turns=2)
    assert not [message for messages in backend.asked for message in messages if message.images]
