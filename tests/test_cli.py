from __future__ import annotations

import dataclasses
import io
import json
import os
import re
import shutil
from dataclasses import is_dataclass
from importlib import import_module
from pathlib import Path

import docstring_parser
import pytest

from athanor.cli import COMMANDS, main
from athanor.environments.alchemy import worlds
from athanor.environments.alchemy.loaders import to_own
from tests.conftest import shared


@pytest.fixture
def world(tmp_path: Path, small) -> str:
    (tmp_path / "small.json").write_bytes(to_own(small))
    return str(tmp_path / "small.json")


def athanor(capsys, *arguments: str | Path) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return int(stopped.value.code or 0), said.out, said.err


def play(world: str, out: Path, *more: str, agent: str = "random", turns: int = 6) -> list[str]:
    return [
        "play", "alchemy", "--table", world, "--rules", "strict", "--agent", agent, "--episodes", "3",
        "--turns", str(turns), "--seed", "1", "--out", str(out), *more,
    ]  # fmt: skip


def test_a_run_is_played_replayed_and_analysed(capsys, tmp_path, world):
    out = tmp_path / "run"
    code, told, _ = athanor(capsys, *play(world, out))
    assert (code, told.strip()) == (0, str(out))
    assert len((out / "turns.jsonl").read_text().splitlines()) <= 18
    code, told, _ = athanor(capsys, "check", "run", str(out))
    assert code == 0
    assert "differences: 0" in told
    code, told, _ = athanor(capsys, "analyse", str(out), "--json")
    assert code == 0
    estimates = json.loads(told)
    wanted = {"name", "value", "low", "high", "level", "n", "unit", "method", "excluded"}
    assert all(wanted <= set(estimate) for estimate in estimates)
    assert {estimate["n"] for estimate in estimates if estimate["name"] == "final inventory"} == {3}


def test_a_run_is_the_same_whatever_its_concurrency_and_differs_by_seed(capsys, tmp_path, world):
    runs = {}
    for name, more in {"a": [], "b": ["--concurrency", "1"], "c": ["--seed", "2"]}.items():
        arguments = play(world, tmp_path / name)
        if more[:1] == ["--seed"]:
            arguments[arguments.index("--seed") + 1] = more[1]
        else:
            arguments += more
        assert athanor(capsys, *arguments)[0] == 0
        lines = (tmp_path / name / "turns.jsonl").read_text().splitlines()
        runs[name] = sorted(json.dumps({**json.loads(line), "seconds": 0}) for line in lines)
    assert runs["a"] == runs["b"] != runs["c"]


def test_an_existing_run_is_refused_and_resumed(capsys, tmp_path, world):
    assert athanor(capsys, *play(world, tmp_path / "run"))[0] == 0
    before = (tmp_path / "run" / "turns.jsonl").read_bytes()
    code, _, err = athanor(capsys, *play(world, tmp_path / "run"))
    assert code == 2
    assert "already holds an existing run" in err
    assert athanor(capsys, *play(world, tmp_path / "run", "--resume"))[0] == 0
    assert (tmp_path / "run" / "turns.jsonl").read_bytes() == before
    code, _, err = athanor(capsys, *play(world, tmp_path / "run", "--resume", turns=7))
    assert code == 2
    assert "turns was 6 and is now 7" in err


def stored(run: Path) -> list[tuple[str, list[bytes], dict]]:
    """What is in a run folder, timings and the account of how it was carried out aside."""
    manifest = json.loads((run / "manifest.json").read_text())
    lines = [
        re.sub(rb'"seconds":[0-9.e-]+', b"", (run / f"{name}.jsonl").read_bytes()) for name in ("turns", "episodes")
    ]
    kept = {key: value for key, value in manifest.items() if key not in ("created", "execution", "resumptions")}
    return [("lines", lines, kept)]


def episodes(arguments: list[str], number: int) -> list[str]:
    at = arguments.index("--episodes") + 1
    return [*arguments[:at], str(number), *arguments[at + 1 :]]


def test_a_run_is_extended_by_resuming_it_with_more_episodes(capsys, tmp_path, world):
    assert athanor(capsys, *episodes(play(world, tmp_path / "whole"), 20))[0] == 0
    for number in (10, 20):
        assert athanor(capsys, *episodes(play(world, tmp_path / "grown", "--resume"), number))[0] == 0
    assert stored(tmp_path / "grown") == stored(tmp_path / "whole")
    assert athanor(capsys, "check", "run", str(tmp_path / "grown"))[0] == 0
    code, _, err = athanor(capsys, *episodes(play(world, tmp_path / "grown", "--resume"), 10))
    assert code == 2
    assert "is a run of 20 episodes, 10 were asked for; pass --episodes 20 or more" in err
    assert stored(tmp_path / "grown") == stored(tmp_path / "whole")


SCRIPTED = {"--agent": "language", "--backend": "scripted", "--model": "SCRIPT"}
SERVER = {"--agent": "language", "--backend": "openai", "--model": "m", "--http.base-url": "http://127.0.0.1:1/v1"}


@pytest.mark.parametrize(
    ("change", "says", "code"),
    [
        ({"--table": "nope"}, "table 'nope' is not known; pass atelier", 2),
        ({"--table": "missing.json"}, "does not exist", 1),
        ({"--rules": "lenient"}, "lenient", 2),
        ({"--agent": "genius"}, "genius", 2),
        ({"--episodes": "0"}, "--episodes 0 was given, 1 or more was expected", 2),
        ({"--turns": "-1"}, "--turns -1 was given, 1 or more was expected", 2),
        ({"--seed": "x"}, "x", 2),
        ({"--agent": "language"}, "pass --model", 2),
        ({"--concurrency": "-1"}, "--concurrency -1 was given, 0 or more was expected", 2),
        ({**SCRIPTED, "--history": "window", "--window": "0"}, "--window 0 was given", 2),
        ({**SCRIPTED, "--max-tokens": "-3"}, "--max-tokens -3 was given, 1 or more was expected", 2),
        ({**SCRIPTED, "--max-tokens": "0"}, "--max-tokens 0 was given", 2),
        ({**SCRIPTED, "--temperature": "-1"}, "--temperature -1.0 was given, 0 or more was expected", 2),
        ({**SCRIPTED, "--temperature": "nan"}, "--temperature nan was given", 2),
        ({**SCRIPTED, "--top-p": "7"}, "--top-p 7.0 was given, 0 to 1 was expected", 2),
        ({**SCRIPTED, "--top-logprobs": "-1"}, "--top-logprobs -1 was given", 2),
        ({**SERVER, "--constrained": None}, "--http.grammar-parameter is empty", 2),
        ({**SERVER, "--http.timeout": "0"}, "--http.timeout 0.0 was given, 0.001 or more was expected", 2),
        ({**SERVER, "--http.price-prompt": "-1"}, "--http.price-prompt -1.0 was given", 2),
        ({**SERVER, "--http.base-url": "localhost:1"}, "--http.base-url 'localhost:1' was given", 2),
        ({"--agent": "language", "--model": "x.gguf", "--llama.slots": "0"}, "--llama.slots 0 was given", 2),
        ({"--agent": "cognitive", "--temperature": "0"}, "--temperature 0.0 was given, more than 0 was expected", 2),
        ({"--model": "x", "--temperature": "2"}, "--model, --temperature have no effect with --agent random", 2),
        ({"--http.timeout": "9"}, "--http.timeout has no effect with --agent random", 2),
        ({"--backend": "openai"}, "--backend has no effect with --agent random", 2),
        ({"--weights": "value=1"}, "--weights has no effect with --agent random", 2),
        (
            {"--agent": "human", "--model": "x", "--condition": "reasoning"},
            "--model has no effect with --agent human",
            2,
        ),
        ({"--agent": "cognitive", "--max-tokens": "9"}, "--max-tokens has no effect with --agent cognitive", 2),
        ({**SCRIPTED, "--memory": "none"}, "--memory has no effect with --agent language", 2),
        ({**SCRIPTED, "--llama.slots": "3"}, "--llama.slots has no effect with --backend scripted", 2),
        ({**SCRIPTED, "--window": "9"}, "--window has no effect with --history whole", 2),
        ({"--agent": "language", "--model": "x.gguf", "--reasoning-effort": "low"}, "leave --reasoning-effort out", 2),
    ],
)
def test_wrong_arguments_are_misuse_and_leave_nothing_behind(capsys, tmp_path, world, change, says, code):
    arguments = play(world, tmp_path / "run")
    (tmp_path / "script.json").write_text('{"replies": ["ink + pen"]}')
    for option, value in change.items():
        value = value and value.replace("SCRIPT", str(tmp_path / "script.json"))
        if option in arguments:
            arguments[arguments.index(option) + 1] = value
        else:
            arguments += [option, value] if value else [option]
    stopped, _, err = athanor(capsys, *arguments)
    assert stopped == code
    assert says in " ".join(err.split())
    assert not (tmp_path / "run").exists()


def test_a_model_that_is_not_there_leaves_nothing_behind(capsys, tmp_path, world):
    for model, says in (("nope", "is neither smollm2-135m-instruct nor a file"), (world, "is not a GGUF file")):
        code, _, err = athanor(capsys, *play(world, tmp_path / "run", "--model", model, agent="language"))
        assert code in (1, 2)
        assert says in err
        assert not (tmp_path / "run").exists()


def test_a_language_agent_plays_from_a_script(capsys, tmp_path, world):
    (tmp_path / "script.json").write_text(json.dumps({"replies": ["ink + pen", "line + line", "hm"]}))
    more = ["--backend", "scripted", "--model", str(tmp_path / "script.json"), "--condition", "engineered"]
    assert athanor(capsys, *play(world, tmp_path / "run", *more, agent="language"))[0] == 0
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["label"] == "script, engineered"
    assert manifest["config"]["condition"] == "engineered"
    assert manifest["hashes"]["table"]


def test_a_person_plays_at_the_terminal_stops_and_goes_on(capsys, tmp_path, world, monkeypatch):
    arguments = play(world, tmp_path / "run", agent="human", turns=2)
    arguments[arguments.index("--episodes") + 1] = "1"
    monkeypatch.setattr("sys.stdin", io.StringIO("what\nink + pen\nquit\n"))
    code, _, err = athanor(capsys, *arguments)
    assert code == 130
    assert "type two elements" in err
    monkeypatch.setattr("sys.stdin", io.StringIO("line + line\n"))
    code, _, err = athanor(capsys, *arguments, "--resume")
    assert code == 0
    assert "ink + pen makes line, dot" in err
    assert len((tmp_path / "run" / "turns.jsonl").read_text().splitlines()) == 2


def test_a_person_who_comes_back_sees_the_rules_and_what_is_owned_and_can_list_it(capsys, tmp_path, world, monkeypatch):
    arguments = play(world, tmp_path / "run", agent="human", turns=2)
    arguments[arguments.index("--episodes") + 1] = "1"
    monkeypatch.setattr("sys.stdin", io.StringIO("ink + pen\nquit\n"))
    athanor(capsys, *arguments)
    monkeypatch.setattr("sys.stdin", io.StringIO("quit\n"))
    _, _, err = athanor(capsys, *arguments, "--resume")
    assert err.count("You are playing a game of discovery") == 1
    assert err.count("in the order of their discovery: ink, pen, line, dot") == 1
    assert "Pairs that made something: ink + pen -> line, dot" in err
    monkeypatch.setattr("sys.stdin", io.StringIO("list\n?\nline + line\n"))
    code, _, err = athanor(capsys, *arguments, "--resume")
    assert code == 0
    assert err.count("in the order of their discovery: ink, pen, line, dot") == 3
    turns = [json.loads(line) for line in (tmp_path / "run" / "turns.jsonl").read_text().splitlines()]
    assert [turn["action"]["first"] for turn in turns] == ["ink", "line"]


def test_the_manifest_has_the_prompt_and_a_run_with_another_is_not_gone_on_with(capsys, tmp_path, world, monkeypatch):
    (tmp_path / "script.json").write_text(json.dumps({"replies": ["ink + pen"]}))
    more = ["--backend", "scripted", "--model", str(tmp_path / "script.json")]
    arguments = play(world, tmp_path / "run", *more, agent="language")
    assert athanor(capsys, *arguments)[0] == 0
    config = json.loads((tmp_path / "run" / "manifest.json").read_text())["config"]
    assert config["prompt_rules"].startswith("You are playing a game of discovery")
    assert config["prompt_first"].startswith("Your elements, in the order of their discovery: ink, pen.")
    monkeypatch.setattr("athanor.environments.alchemy.text._GAME", "Another game. {further} {results}")
    code, _, err = athanor(capsys, *arguments, "--resume")
    assert code == 2
    assert "prompt_rules was 'You are playing a game of discovery" in err
    assert len(err) < 700


def test_every_resumption_is_in_the_manifest(capsys, tmp_path, world):
    arguments = play(world, tmp_path / "run")
    athanor(capsys, *arguments)
    for concurrency in ("2", "3"):
        assert athanor(capsys, *arguments, "--resume", "--concurrency", concurrency)[0] == 0
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["execution"]["concurrency"] == 0
    assert [one["execution"]["concurrency"] for one in manifest["resumptions"]] == [2, 3]
    assert all(one["at"] and one["build"] and one["versions"] for one in manifest["resumptions"])


def test_a_changed_run_or_table_is_noticed_on_replay(capsys, tmp_path, world, small):
    out = tmp_path / "run"
    athanor(capsys, *play(world, out))
    turns = (out / "turns.jsonl").read_text()
    (out / "turns.jsonl").write_text(turns.replace('"reward":0.0', '"reward":1.0', 1))
    code, told, err = athanor(capsys, "check", "run", str(out))
    assert code == 1
    assert "differences: 1" in told
    Path(world).write_bytes(to_own(small).replace(b'["ink", "pen", "dot"],\n', b""))
    code, _, err = athanor(capsys, "check", "run", str(out))
    assert code == 1
    assert "is not the one that" in err


def test_check_alchemy_prints_statistics_and_tries_the_verifier(capsys, world):
    code, told, _ = athanor(capsys, "check", "alchemy", "--table", "atelier", "--json")
    assert code == 0
    found = json.loads(told)
    assert found["elements"] >= 300
    assert found["rows"] >= 1000
    assert found["generations"]["none"] >= 12
    assert found["pairs_by_results"]["2"] >= 1
    assert found["pairs_by_results"]["3"] >= 1
    assert found["finals"] > 0
    assert found["validate"]["complaints"] == []
    code, told, _ = athanor(capsys, "check", "alchemy", "--table", world)
    assert code == 0
    assert "complaints: 0" in told


def test_the_bundled_world_shares_next_to_nothing_with_the_game():
    ours = worlds.table("atelier")
    game = worlds.load(shared("little-alchemy-2-official.json"))
    assert len(set(ours.elements) & set(game.elements)) <= 0.08 * len(ours.elements)
    assert not set(ours.base) & set(game.elements)
    rows = {(pair, result) for pair, made in ours.results.items() for result in made}
    assert not rows & {(pair, result) for pair, made in game.results.items() for result in made}


def test_fetch_checks_what_it_is_given(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(worlds, "data_folder", lambda: tmp_path / "data")
    (tmp_path / "fake.json").write_text("{}")
    code, _, err = athanor(capsys, "fetch", "little-alchemy-2", "--from", str(tmp_path / "fake.json"))
    assert code == 1
    assert "was expected" in err
    assert not (tmp_path / "data").exists()
    code, _, err = athanor(capsys, "fetch", "little-alchemy-2", "--from", str(tmp_path / "none.json"))
    assert code == 1
    assert "cannot be read" in err
    source = shared("little-alchemy-2-official.json")
    shutil.copy(source, tmp_path / "copy.json")
    code, told, _ = athanor(capsys, "fetch", "little-alchemy-2", "--from", str(tmp_path / "copy.json"))
    assert code == 0
    assert Path(told.strip()).read_bytes() == source.read_bytes()


@pytest.mark.parametrize("arguments", [[], ["dance"], ["play"], ["play", "chess"], ["--version!"]])
def test_an_unknown_command_lists_the_commands(capsys, arguments):
    code, out, err = athanor(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert "play alchemy" in err


@pytest.mark.parametrize(
    ("word", "listed", "left"), [("play", "play alchemy", "check run"), ("check", "check run", "tour")]
)
def test_the_first_word_of_a_command_lists_those_that_begin_with_it(capsys, word, listed, left):
    code, out, err = athanor(capsys, word)
    assert (code, out, listed in err, left in err) == (2, "", True, False)
    assert "is not a command" not in err
    code, out, err = athanor(capsys, word, "--help")
    assert (code, err, listed in out, left in out) == (0, "", True, False)
    code, _, err = athanor(capsys, word, "chess")
    assert (code, f"'{word} chess' is not a command" in err, listed in err) == (2, True, True)


def test_help_is_data(capsys):
    code, out, _ = athanor(capsys, "--help")
    assert code == 0
    assert "check alchemy" in out
    code, out, _ = athanor(capsys, "play", "alchemy", "--help")
    assert code == 0
    for option in (
        "--table",
        "--rules",
        "--agent",
        "--model",
        "--condition",
        "--temperature",
        "--episodes",
        "--resume",
    ):
        assert option in out


def test_nothing_is_written_outside_out(capsys, tmp_path, world, monkeypatch):
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    athanor(capsys, *play(world, tmp_path / "run"))
    assert os.listdir(tmp_path / "cwd") == []


def test_the_version_is_told(capsys):
    code, told, _ = athanor(capsys, "--version")
    assert code == 0
    assert told.startswith("athanor 0.")


def test_what_is_left_out_of_a_regression_is_told_cause_by_cause(tmp_path, capsys):
    lines = ["player,trial,first,second"]
    lines += [
        f"{p},{t},{a},{b}"
        for p in "xy"
        for t, (a, b) in enumerate([("line", "tone"), ("tone", "tone"), ("sun", "line")])
    ]
    (tmp_path / "log.csv").write_text("\n".join(lines) + "\n")
    asked = [
        "analyse",
        str(tmp_path / "log.csv"),
        "--table",
        "atelier",
        "--rules",
        "strict",
        "--regression",
        "uncertainty",
    ]
    with pytest.raises(SystemExit) as ended:
        main([*asked, "--columns", "player=player,trial=trial,first=first,second=second", "--allow-excluded", "0.5"])
    assert ended.value.code == 0
    assert "left out 2 un" in capsys.readouterr().out


def settings(config: type) -> list[type]:
    """A command's configuration and those within it."""
    inner = [field.default_factory for field in dataclasses.fields(config) if is_dataclass(field.default_factory)]
    return [config, *(one for each in inner for one in settings(each))]


@pytest.mark.parametrize("module", COMMANDS.values())
def test_what_help_says_of_an_option_is_one_line_of_source_so_that_it_is_wrapped_as_one_text(module):
    for config in settings(import_module(f"athanor.commands.{module}").Config):
        said = {param.arg_name: param.description or "" for param in docstring_parser.parse_from_object(config).params}
        assert said
        assert [name for name, text in said.items() if not text or "\n" in text] == []


def test_the_temperature_that_a_cognitive_agent_has_by_default_is_kept(capsys, tmp_path, world):
    assert athanor(capsys, *play(world, tmp_path / "run", agent="cognitive"))[0] == 0
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["config"]["temperature"] == 0.1
