"""Points from the command line: played, checked, analysed, reported."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest

from tests.test_cli import athanor, play
from tests.test_cli import world as alchemy_world  # noqa: F401


def points(out: Path, *more: str, agent: str = "random") -> list[str]:
    return [
        "play", "points", "--agent", agent, "--split", "test", "--verifier", "exact", "--rounds", "3", "--episodes",
        "12", "--seed", "1", "--out", str(out), *more,
    ]  # fmt: skip


def test_runs_are_played_checked_analysed_and_reported(capsys, tmp_path):
    for agent in ("gold", "random"):
        code, told, _ = athanor(capsys, *points(tmp_path / agent, "--rule", "10", agent=agent))
        assert (code, told.strip()) == (0, str(tmp_path / agent))
        code, told, _ = athanor(capsys, "check", "run", str(tmp_path / agent))
        assert code == 0
        assert "12 episodes" in told
        assert "differences: 0" in told
    runs = [str(tmp_path / agent) for agent in ("gold", "random")]
    code, told, _ = athanor(capsys, "analyse", *runs, "--json")
    found = {(one["group"], one["name"]): one for one in json.loads(told)}
    assert code == 0
    assert found["gold", "share solved within 1 round"]["value"] == 1.0
    assert found["gold", "share solved within 1 round"]["unit"] == "multisets"
    assert {path.name for path in (tmp_path / "gold").rglob("*.*")} >= {"turns.parquet", "estimates.jsonl"}
    code, told, _ = athanor(capsys, "report", *runs, "--out", str(tmp_path / "page"))
    assert (code, told.strip()) == (0, str(tmp_path / "page" / "report.html"))


def test_a_small_policy_plays_and_its_answers_can_be_read(capsys, tmp_path):
    """At temperature 0 the same answers again; options that it does not heed, and hands it cannot read, are refused."""
    for name in ("one", "other"):
        code, _, _ = athanor(capsys, *points(tmp_path / name, "--shift", "range", "--temperature", "0", agent="policy"))
        assert code == 0
    lines = [(tmp_path / name / "turns.jsonl").read_text().splitlines() for name in ("one", "other")]
    ours, theirs = ([json.loads(line)["action"] for line in some] for some in lines)
    assert ours == theirs
    assert all(one["text"].count(";") == 3 for one in ours)
    manifest = json.loads((tmp_path / "one" / "manifest.json").read_text())
    assert manifest["label"] == "base-points-1, T=0, shift range"
    assert len(manifest["hashes"]["policy"]) == 64
    for more, says in ((["--top-p", "0.5"], "--top-p has no effect"), (["--cards", "3"], "--agent policy reads 4"),
                       (["--model", "nosuch"], "'nosuch' is not one of base-points-1")):  # fmt: skip
        code, _, err = athanor(capsys, *points(tmp_path / "no", "--rule", "10", *more, agent="policy"))
        assert code == 2
        assert says in err
    assert not (tmp_path / "no").exists()


def test_a_changed_verdict_and_a_changed_hand_are_noticed(capsys, tmp_path):
    athanor(capsys, *points(tmp_path / "run", "--shift", "rule"))
    turns, ended = tmp_path / "run" / "turns.jsonl", tmp_path / "run" / "episodes.jsonl"
    turns.write_text(turns.read_text().replace('"reward":-1.0', '"reward":-2.0', 1))
    ended.write_text(re.sub(r'"cards":\["[^"]*"', '"cards":["AS"', ended.read_text(), count=1))
    code, told, err = athanor(capsys, "check", "run", str(tmp_path / "run"))
    assert code == 1
    assert "stored verdict" in err
    assert "stored task" in err


def test_runs_of_two_environments_have_no_analysis_and_no_page(capsys, tmp_path, alchemy_world):  # noqa: F811
    athanor(capsys, *points(tmp_path / "points", "--rule", "10"))
    athanor(capsys, *play(alchemy_world, tmp_path / "alchemy"))
    runs = [str(tmp_path / name) for name in ("points", "alchemy")]
    for command in (["analyse", *runs], ["report", *runs, "--out", str(tmp_path / "page")]):
        code, _, err = athanor(capsys, *command)
        assert code == 2
        assert "runs of one environment were expected" in err
    code, _, err = athanor(capsys, "analyse", runs[0], "--regression", "main")
    assert code == 2
    assert "is a run of 'points', a run of 'alchemy' was expected" in err


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"--temperature": "1"}, "--temperature has no effect with --agent random"),
        ({"--backend": "openai"}, "--backend has no effect with --agent random"),
        ({"--hint": None, "--verifier": "chu2025"}, "--hint has no effect with --verifier"),
        ({"--split": "open"}, "open"),
        ({"--shift": "rule"}, "both --rule and --shift were given"),
        ({"--agent": "language"}, "pass --model"),
    ],
)
def test_wrong_arguments_are_misuse_and_leave_nothing_behind(capsys, tmp_path, change, says):
    arguments = points(tmp_path / "run", "--rule", "10")
    for option, value in change.items():
        if option in arguments:
            arguments[arguments.index(option) + 1] = value
        else:
            arguments += [option, value] if value else [option]
    code, _, err = athanor(capsys, *arguments)
    assert code == 2
    assert says in " ".join(err.split())
    assert not (tmp_path / "run").exists()


def test_a_person_plays_hands_at_the_terminal(capsys, tmp_path, monkeypatch):
    arguments = points(tmp_path / "run", "--rule", "10", agent="human")
    arguments[arguments.index("--episodes") + 1] = "1"
    monkeypatch.setattr("sys.stdin", io.StringIO("what\n1+1\n?\nquit\n"))
    code, _, err = athanor(capsys, *arguments)
    assert code == 130
    assert "type a formula, like this: (10-4)*(3+1)" in err
    assert err.count("Tried: 1+1=24.") == 1
    assert "[turn 2]" in err
    monkeypatch.setattr("sys.stdin", io.StringIO("1+2\n3+4\n"))
    code, _, err = athanor(capsys, *arguments, "--resume")
    assert code == 0
    assert "Tried: 1+1=24." in err
    assert len((tmp_path / "run" / "turns.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize(("words", "says"), [
    ("check points --cards 0", "--cards 0 was given, 1 to 6 was expected"),
    ("check points --cards 7", "--cards 7 was given, 1 to 6 was expected"),
    ("check points --target -5", "--target -5 was given, 0 or more was expected"),
    ("verify points --cards 2,2,K,10 --verifier chu2025 --hint --answer x", "--hint has no effect with --verifier"),
    ("verify points --cards 2,2,K,10,A --verifier chu2025 --answer x", "5 cards were given, the published"),
])  # fmt: skip
def test_what_cannot_be_counted_or_judged_is_refused(capsys, words, says):
    code, _, err = athanor(capsys, *words.split())
    assert code == 2
    assert says in err
