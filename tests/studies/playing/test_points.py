"""Points as it is played into a run folder: by a script, against a server, and what is refused before anything is."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from athanor.agents.asking import ModelOptions
from athanor.core.errors import UsageError
from athanor.core.replay import check_episode
from athanor.core.store import RunFolder
from athanor.environments.points import Answer, Chu2025, Deal, Exact, Rule
from athanor.environments.points.drawing import LOOKS, draw
from athanor.environments.points.shifts import SHIFTS
from athanor.models.backends import BackendConfig
from athanor.models.backends.openai_http import HttpConfig
from athanor.studies.playing.again import again
from athanor.studies.playing.points import Config, HandOptions, environment_of, hands_of, match_of, play
from tests.models.fake_server import (
    FakeServer,
    apart,  # noqa: F401
    by_seed,
    good,
    run,
)

pytestmark = pytest.mark.usefixtures("apart")
REPLIES = ['{"cards": ["4"], "formula": "4*3+2+10=24"}', "no idea", "", "(1+2)*8 = 24", "12+12", "2*3*4"]


def config(path: Path, **change: Any) -> Config:
    (path / "script.json").write_text(json.dumps({"replies": REPLIES}))
    given: dict[str, Any] = {
        "agent": "language", "split": "test", "verifier": "exact", "rounds": 3, "episodes": 6, "seed": 1,
        "out": path / "run", "hands": HandOptions(rule="10"), "backend": BackendConfig(backend="scripted"),
        "language": ModelOptions(model=str(path / "script.json")),
    }  # fmt: skip
    return Config(**{**given, **change})


def lines(path: Path) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (path / "turns.jsonl").read_text().splitlines()]
    return sorted(
        ({**turn, "seconds": 0, "completion": turn["completion"]["text"]} for turn in found),
        key=lambda turn: (turn["episode"], turn["index"]),
    )


def test_a_run_is_played_and_every_verdict_is_derived_again(tmp_path):
    ended = play(config(tmp_path))
    assert set(ended.values()) == {None}
    folder: RunFolder[Answer] = RunFolder.read(tmp_path / "run")
    played = again(folder)
    episodes = list(folder.episodes(Answer))
    assert [check_episode(played.environment, played.verifier, episode) for episode in episodes] == [()] * 6
    assert [each.task for each in played.plan] == [episode.task for episode in episodes]
    manifest = folder.manifest
    assert (manifest.kind, manifest.label) == ("play points", "script")
    assert manifest.config["prompt_first"].startswith("You are given 4 playing cards")
    assert manifest.config["max_tokens"] == 256


def test_a_run_that_was_cut_off_goes_on_to_the_same_answers_and_to_more_hands(tmp_path):
    (tmp_path / "whole").mkdir()
    play(config(tmp_path / "whole", episodes=9))
    play(config(tmp_path, episodes=5))
    turns = tmp_path / "run" / "turns.jsonl"
    kept = turns.read_text().splitlines(keepends=True)[:7]
    turns.write_text("".join(kept) + '{"torn')
    (tmp_path / "run" / "episodes.jsonl").write_text("")
    script = ModelOptions(model=str(tmp_path / "whole" / "script.json"))
    with pytest.raises(UsageError, match="was made with other settings: model was"):
        play(config(tmp_path, resume=True, language=script))
    play(config(tmp_path, resume=True, episodes=9))
    assert lines(tmp_path / "run") == lines(tmp_path / "whole" / "run")
    with pytest.raises(UsageError, match="rounds was 3 and is now 4"):
        play(config(tmp_path, resume=True, episodes=9, rounds=4))


@pytest.mark.parametrize(("verifier", "most"), [("exact", 2), ("chu2025", 3)])
def test_the_published_verifier_lets_one_more_answer_pass_ungraded(tmp_path, verifier, most):
    play(config(tmp_path, verifier=verifier, rounds=2))
    last = max(turn["index"] for turn in lines(tmp_path / "run"))
    assert last + 1 == most
    kinds = {turn["verdict"]["parts"]["class"] for turn in lines(tmp_path / "run") if turn["index"] == 2}
    assert kinds == ({"STEP_LIMIT"} if verifier == "chu2025" else set())


@pytest.mark.parametrize("name", SHIFTS)
def test_every_shift_is_played_and_made_again_from_the_manifest(tmp_path, name):
    asked = config(tmp_path, agent="gold", language=ModelOptions(), hands=HandOptions(shift=name), episodes=3)
    assert set(play(asked).values()) == {None}
    folder: RunFolder[Answer] = RunFolder.read(tmp_path / "run")
    made, shift = environment_of(folder.manifest.config), SHIFTS[name]
    assert (made.rule, made.deal, made.judge) == (shift.rule, shift.deal, Exact(vision=shift.look is not None))
    assert folder.manifest.config["printed"] == shift.printed
    assert all(line.total == 5.0 for line in folder.ended().values())
    assert again(folder).plan == match_of(asked).plan


def test_options_of_the_hands_become_the_environment(tmp_path):
    asked = config(tmp_path, verifier="chu2025", hands=HandOptions(rule="7-8-9", target=20, look="grid"))
    match = match_of(asked)
    made = environment_of(match.science)
    assert (made.rule, made.target, made.deal) == (Rule(jack=7, queen=8, king=9), 20, Deal())
    assert made.judge == Chu2025(vision=True, rounds=3)
    assert match.images
    assert hands_of(HandOptions(shift="rule", vision=True)).look == LOOKS["plain"]
    assert environment_of(match_of(config(tmp_path, hint=True)).science).judge == Exact(hint=True)


def test_a_vision_model_behind_a_server_is_sent_the_picture(tmp_path):
    async def main() -> FakeServer:
        async with FakeServer(good('{"cards": ["A"], "formula": "12+12=24"}')) as server:
            backend = BackendConfig(backend="openai", http=HttpConfig(base_url=server.url, attempts=1, timeout=5.0))
            options = ModelOptions(model="sees")
            hands = HandOptions(shift="black suits")
            asked = config(tmp_path, hands=hands, language=options, backend=backend, rounds=2, episodes=1)
            await asyncio.to_thread(play, asked)
            return server

    requests = run(main()).requests
    assert [len(request.body["messages"]) for request in requests] == [2, 4]
    (picture, words) = requests[1].body["messages"][1]["content"]
    shown = base64.b64decode(picture["image_url"]["url"].removeprefix("data:image/png;base64,"))
    task = next(iter(RunFolder.read(tmp_path / "run").ended().values())).task
    assert shown == draw(tuple(task.content["cards"]), LOOKS["plain"])
    assert "in the picture" in words["text"]
    assert requests[0].body["max_tokens"] == 4096
    assert isinstance(requests[1].body["messages"][3]["content"], str)


@pytest.mark.parametrize("verifier", ["exact", "chu2025"])
def test_what_a_model_says_of_the_cards_it_was_shown_is_in_the_record(tmp_path, verifier):
    """A script that tells the cards of one of the hands, or of none, whichever it is shown."""
    hands = HandOptions(shift="none", look="grid", suits="HD")
    asked = config(tmp_path, verifier=verifier, hands=hands, rounds=1, episodes=12)
    plan = match_of(asked).plan
    assert {card[-1] for one in plan for card in one.task.content["cards"]} == {"H", "D"}
    replies = [json.dumps({"cards": [card[:-1] for card in one.task.content["cards"]][::-1]}) for one in plan[:3]]
    (tmp_path / "script.json").write_text(json.dumps({"replies": [*replies, "cards: [A, 2]", "I see nothing."]}))
    play(replace(asked, language=ModelOptions(model=str(tmp_path / "script.json"))))
    folder: RunFolder[Answer] = RunFolder.read(tmp_path / "run")
    told = {key: line.task.content["cards"] for key, line in folder.ended().items()}
    found = []
    for turn in lines(tmp_path / "run"):
        said = turn["completion"]
        cards = json.loads(said)["cards"] if said.startswith("{") else ["A", "2"] if "cards" in said else None
        right = None if cards is None else sorted(cards) == sorted(card[:-1] for card in told[turn["episode"]])
        assert turn["verdict"]["parts"].get("cards") == right
        found.append(right)
    assert {True, False, None} <= set(found)


def test_the_same_hands_are_played_whatever_the_agent_and_the_verifier(tmp_path):
    plan = match_of(config(tmp_path)).plan
    for change in ({"agent": "random"}, {"verifier": "chu2025"}, {"hint": True}, {"rounds": 9}):
        assert match_of(config(tmp_path, **change)).plan == plan
    assert match_of(config(tmp_path, episodes=3)).plan == plan[:3]
    assert match_of(config(tmp_path, seed=2)).plan != plan


REFUSED = {
    "--rule or --shift": ({"hands": HandOptions()}, "neither --rule nor --shift was given"),
    "both": ({"hands": HandOptions(rule="10", shift="rule")}, "both --rule and --shift were given"),
    "shift": ({"hands": HandOptions(shift="rules")}, "is not one of none, mapping, range, rule"),
    "rule": ({"hands": HandOptions(rule="ten")}, "rule 'ten' was given"),
    "look": ({"hands": HandOptions(rule="10", look="fine")}, "--look 'fine' is not one of plain, large"),
    "two looks": ({"hands": HandOptions(shift="look grid", vision=True)}, "has its own way of drawing"),
    "printed": ({"hands": HandOptions(shift="range", vision=True)}, "prints numbers on the cards"),
    "cards": ({"hands": HandOptions(rule="10", cards=7)}, "--cards 7 was given, 1 to 6 was expected"),
    "published cards": (
        {"hands": HandOptions(rule="10", cards=5), "verifier": "chu2025"}, "chu2025 judges hands of four cards"
    ),
    "rounds": ({"rounds": 11}, "--rounds 11 was given, 1 to 10 was expected"),
    "two kinds of suits": ({"hands": HandOptions(shift="red suits", suits="SC")}, "has its own suits"),
    "no suit": ({"hands": HandOptions(rule="10", suits="X")}, "suits 'X' were given"),
    "a grammar that tells the cards": (
        {"hands": HandOptions(rule="10", vision=True), "language": ModelOptions(model="m", constrained=True)},
        "which the picture is to tell",
    ),
    "a person": ({"hands": HandOptions(rule="10", vision=True), "agent": "human"}, "is shown no picture"),
    "no hand": ({"hands": HandOptions(rule="10", cards=1, target=23)}, "no hand of 1 cards was found"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_played_is_refused_before_anything_is_written(tmp_path, name):
    change, says = REFUSED[name]
    with pytest.raises(UsageError, match=says):
        play(config(tmp_path, **change))
    assert not (tmp_path / "run").exists()


def test_pictures_are_refused_of_a_model_in_this_process(tmp_path):
    asked = config(tmp_path, hands=HandOptions(rule="10", vision=True), backend=BackendConfig(backend="llamacpp"))
    with pytest.raises(UsageError, match="the backend llamacpp takes text only"):
        play(replace(asked, language=ModelOptions(model="x.gguf")))


def test_answers_that_were_cut_before_a_formula_are_told(tmp_path, capsys):
    async def main() -> None:
        async with FakeServer(good("Let me think about", finish="length")) as server:
            backend = BackendConfig(backend="openai", http=HttpConfig(base_url=server.url, attempts=1, timeout=5.0))
            await asyncio.to_thread(play, config(tmp_path, language=ModelOptions(model="m"), backend=backend, rounds=1))

    run(main())
    assert "6 of 6 answers were cut at the bound of 4096 tokens, and 6 of those could not be read" in (
        capsys.readouterr().err
    )


def test_a_server_answers_by_the_seed_it_is_sent(tmp_path):
    async def main(path: Path) -> list[dict[str, Any]]:
        path.mkdir()
        async with FakeServer(by_seed(REPLIES)) as server:
            backend = BackendConfig(backend="openai", http=HttpConfig(base_url=server.url, attempts=1, timeout=5.0))
            await asyncio.to_thread(play, config(path, language=ModelOptions(model="m"), backend=backend))
        return lines(path / "run")

    assert run(main(tmp_path / "one")) == run(main(tmp_path / "two"))
