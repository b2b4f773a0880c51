"""What the study is asked: it is refused early, resumed from anywhere, and its cost is told before it is paid."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from athanor.agents.registry import LanguageOptions
from athanor.analysis.regressions import REGRESSIONS, group
from athanor.analysis.weights import named
from athanor.core.errors import UsageError
from athanor.environments.alchemy.rules import RULES
from athanor.environments.alchemy.worlds import table
from athanor.models.backends import BackendConfig
from athanor.models.backends.llamacpp import SMOLLM2
from athanor.models.backends.openai_http import HttpConfig
from athanor.studies.think_too_fast import study
from athanor.studies.think_too_fast.allowance import LEFT_OUT_OF_WEIGHTS, allowed
from athanor.studies.think_too_fast.arms import SETTINGS, Asking, arms, bounded
from athanor.studies.think_too_fast.budget import costs
from athanor.studies.think_too_fast.study import Asked, run
from athanor.values.arrays import TableArrays
from athanor.values.games import simulate
from athanor.values.meaning import pair_values
from tests.test_cli import athanor


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """The smoke setting with a scripted model."""
    one = Asking(options=LanguageOptions(max_tokens=12, temperature=1.0), episodes=1)
    monkeypatch.setitem(SETTINGS, "tiny", replace(SETTINGS["smoke"], random=2, oracle=1, arms=(one,)))
    a, b, *_ = table("generated:opaque:1").base
    (tmp_path / "script.json").write_text(json.dumps({"replies": [f"{a} + {b}"]}))
    return Asked(
        setting="tiny", model=str(tmp_path / "script.json"), backend=BackendConfig(backend="scripted"), seed=1,
        pair_values="true", nulls=0, threads=1,
    )  # fmt: skip


@pytest.fixture
def values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a folder of values for the smoke setting's world, as far as playing by them goes."""
    world = TableArrays(table("generated:opaque:1"))
    made = pair_values("true", world)
    monkeypatch.setattr("athanor.values.meaning.pair_values", lambda named, world: made)
    folder = tmp_path / "made" / world.table.name
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    return tmp_path / "made"


def turns(out: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in out.glob("runs/*/turns.jsonl")}


def test_a_study_is_gone_on_with_by_another_path_and_after_a_move(
    asked: Asked, values: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    given = replace(asked, pair_values="made")
    assert run(given, Path("s")) == 0
    assert run(replace(given, pair_values=str(values)), tmp_path / "s") == 0
    shutil.move(tmp_path / "s", tmp_path / "moved")
    shutil.move(values, tmp_path / "elsewhere")
    assert run(replace(given, pair_values="elsewhere"), Path("moved")) == 0
    (tmp_path / "elsewhere" / table("generated:opaque:1").name / "manifest.json").write_text("{ }")
    with pytest.raises(UsageError, match="was made from other data"):
        run(replace(given, pair_values="elsewhere"), Path("moved"))


def test_other_values_are_refused_by_the_study_itself(asked: Asked, tmp_path: Path):
    run(replace(asked, pair_values="learned"), tmp_path / "s")
    before = turns(tmp_path / "s")
    with pytest.raises(UsageError, match="pair_values was 'learned' and is now 'true'"):
        run(asked, tmp_path / "s")
    assert turns(tmp_path / "s") == before


def test_a_server_without_a_key_is_refused_before_anything_is_made(
    asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    server = replace(asked, model="gpt-4o", backend=BackendConfig(backend="openai"))
    with pytest.raises(UsageError, match="OPENAI_API_KEY is not set"):
        run(server, tmp_path / "s")
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("setting", ["smoke", "laptop"])
def test_every_setting_can_be_rehearsed_on_a_server_that_takes_no_grammar(setting: str, tmp_path: Path):
    def bound(backend: BackendConfig) -> list[bool]:
        planned = arms(SETTINGS[setting], tmp_path, "m", backend, 1, lambda table: "true")
        return [one.language.constrained for one in planned if one.agent == "language"]

    assert any(bound(BackendConfig()))
    assert any(bound(BackendConfig(backend="openai", http=HttpConfig(grammar_parameter="grammar"))))
    assert bound(BackendConfig(backend="openai"))
    assert not any(bound(BackendConfig(backend="openai")))


def test_the_arms_of_paper_cross_conditions_with_temperatures_and_laptop_has_few_of_many_episodes():
    crossed = [
        (one.options.condition, one.options.temperature)
        for one in SETTINGS["paper"].arms if one.options.condition != "reasoning" or one.options.max_tokens is None
    ]  # fmt: skip
    assert sorted(crossed) == sorted((c, t) for c in ("base", "engineered", "reasoning") for t in (0.0, 0.3, 0.7, 1.0))
    small = [(one.episodes, one.worlds) for one in SETTINGS["laptop"].arms]
    assert small == [(10, 1), (10, 2), (10, 1), (4, 1), (4, 1)]


def test_the_cost_of_a_study_bounds_what_it_asks(asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shown: list[int] = []
    complete = study.playing.running.BACKENDS["scripted"](asked.model, asked.backend).complete

    async def counting(self, messages, sampling):
        shown.append(sum(len(one.text) for one in messages))
        return await complete(messages, sampling)

    monkeypatch.setattr("athanor.models.backends.scripted.Scripted.complete", counting)
    run(asked, tmp_path / "s")
    found = costs(SETTINGS["tiny"], asked.model, asked.backend, 1)
    (mine,) = [one for one in found if one.calls]
    assert (mine.calls, mine.turns, mine.answer) == (len(shown), 8, 8 * 12)
    assert sum(shown) / 4 < mine.prompt < sum(shown)  # of four characters a token, as tokenisers make of English
    assert sum(shown) / 4.5 < mine.prompt_expected < mine.prompt
    assert 8 < mine.answer_expected < mine.answer
    assert (mine.cost, mine.cost_expected) == (None, None)
    assert sum(one.turns for one in found) == sum(text.count(b"\n") for text in turns(tmp_path / "s").values())


def test_a_dry_run_asks_and_makes_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    ask = ["study", "think-too-fast", "--setting", "smoke", "--out", str(tmp_path / "s"), "--dry-run"]
    code, out, _ = athanor(capsys, *ask, "--backend", "openai", "--model", "gpt-4o", "--json")
    assert (code, (tmp_path / "s").exists()) == (0, False)
    assert [one["calls"] for one in json.loads(out) if one["arm"] == "gpt-4o, base, T=1"] == [16]
    assert " ".join(athanor(capsys, *ask)[1].splitlines()[0].split()) == (
        "world arm episodes turns calls prompt tokens expected at most answer tokens expected at most"
    )


def test_the_expected_tokens_are_those_that_a_small_model_counted_in_the_study_within_a_tenth():
    """The sums of four games of 20 turns in `atelier` by SmolLM2's tokeniser, in a run of the setting laptop."""
    planned = costs(SETTINGS["laptop"], SMOLLM2, BackendConfig(), 1)
    found = {one.arm: one for one in planned if one.world.startswith("atelier")}
    for way, prompts, answers in (("base", 50_011, 346), ("engineered", 54_389, 330)):
        mine = found[f"{SMOLLM2}, {way}, T=1, constrained"]
        games = mine.episodes / 4
        assert mine.prompt_expected / games == pytest.approx(prompts, rel=0.1)
        assert mine.answer_expected / games == pytest.approx(answers, rel=0.25)
    thinking = found[f"{SMOLLM2}, reasoning, T=1, constrained, 96 tokens"]
    assert thinking.answer_expected == thinking.answer  # a thought of a few sentences is longer than its bound


def test_prices_make_a_cost_of_the_tokens(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    ask = ["study", "think-too-fast", "--setting", "smoke", "--out", str(tmp_path / "s"), "--dry-run"]
    ask += ["--backend", "openai", "--model", "gpt-4o"]
    prices = ["--http.price-prompt", "2.5", "--http.price-completion", "10"]
    (mine,) = [one for one in json.loads(athanor(capsys, *ask, *prices, "--json")[1]) if one["calls"]]
    assert mine["cost"] == pytest.approx((2.5 * mine["prompt"] + 10 * mine["answer"]) / 1e6)
    assert mine["cost_expected"] == pytest.approx((2.5 * mine["prompt_expected"] + 10 * mine["answer_expected"]) / 1e6)
    prices += ["--http.price-cached", "0.5"]
    (kept,) = [one for one in json.loads(athanor(capsys, *ask, *prices, "--json")[1]) if one["calls"]]
    assert (kept["cost"], kept["cached_expected"]) == (mine["cost"], mine["cached_expected"])
    assert kept["cost_expected"] == pytest.approx(mine["cost_expected"] - 2 * mine["cached_expected"] / 1e6)
    assert 0.7 * mine["prompt_expected"] < mine["cached_expected"] < mine["prompt_expected"]
    mine = kept
    out = athanor(capsys, *ask, *prices)[1]
    assert "cost expected" in out.splitlines()[0]
    assert f"{mine['cost_expected']:,.2f}  {mine['cost']:>7,.2f}" in out
    assert "No cost is given without --http.price-prompt and --http.price-completion" in athanor(capsys, *ask)[1]


def test_a_dry_run_of_a_game_that_is_not_here_measures_another_ones_texts_and_says_so(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    paper = replace(SETTINGS["paper"], turns=20, arms=SETTINGS["paper"].arms[:1])
    monkeypatch.setitem(SETTINGS, "paper", paper)
    ask = ["study", "think-too-fast", "--setting", "paper", "--out", str(tmp_path / "s"), "--dry-run"]
    code, out, _ = athanor(capsys, *ask)
    assert (code, "little-alchemy-2 is not here (athanor fetch little-alchemy-2)" in out) == (0, True)
    short = replace(paper, worlds=(("atelier", "pan2025"),))
    same, other = (costs(one, "m", BackendConfig(), 1) for one in (paper, short))
    assert [one.prompt for one in same] == [one.prompt for one in other]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--nulls", "-5"], "-5 null choices were asked for"),
        (["--allow-excluded", "2"], "--allow-excluded 2.0 was given, a share from 0 to 1"),
        (["--pair-values", "no/such"], "no/such is no folder"),
        (["--answer-tokens", "0"], "--answer-tokens 0 was given, 1 or more was expected"),
        (["--backend", "openai", "--http.price-prompt", "-2"], "--http.price-prompt -2.0 was given, 0 or more"),
    ],
)
def test_a_dry_run_refuses_what_the_run_refuses(capsys: pytest.CaptureFixture[str], tmp_path: Path, more, says):
    ask = ["study", "think-too-fast", "--setting", "smoke", "--out", str(tmp_path / "s"), *more]
    for kind in ([], ["--dry-run"]):
        code, out, err = athanor(capsys, *ask, *kind)
        assert (code, out, says in err) == (2, "", True)


def test_answers_of_paper_are_bound_as_published_but_for_models_that_reason_and_as_asked(tmp_path: Path):
    def bounds(model: str, tokens: int | None) -> dict[str, set[int | None]]:
        setting = bounded(SETTINGS["paper"], model, tokens)
        planned = arms(setting, tmp_path, model, BackendConfig(), 1, lambda table: "true")
        found: dict[str, set[int | None]] = {}
        for one in planned:
            if one.agent == "language":
                found.setdefault(one.language.condition, set()).add(one.language.max_tokens)
        return found

    reasoning = {None, 50, 1000, 4000}
    assert bounds("gpt-4o", None) == {"base": {50}, "engineered": {50}, "reasoning": reasoning}
    assert bounds("deepseek-r1", None) == {"base": {4096}, "engineered": {4096}, "reasoning": reasoning}
    assert bounds("o1", None) == {"base": {4096}, "engineered": {4096}}
    assert bounds("deepseek-r1", 500) == {"base": {500}, "engineered": {500}, "reasoning": reasoning}


def test_the_weights_of_an_arm_that_mostly_answers_invalidly_are_withheld_and_that_is_told(capsys):
    world = TableArrays(table("atelier"))
    fixed = pair_values("true", world)
    games = simulate(world, RULES["strict"], np.full(3, 10), 1, never_repeats=False)
    few, many = (group(name, games, fixed, seed=1, excluded=n) for name, n in (("few", 2), ("many", 30)))
    kept, found = allowed([few, many], REGRESSIONS["main"], 0.1)
    assert [one.name for one in kept] == ["few"]
    shares = {one.group: one.value for one in found if one.name == LEFT_OUT_OF_WEIGHTS}
    assert shares == {"few": 2 / 32, "many": 0.5}
    withheld = [one for one in found if one.value is None]
    assert {one.group for one in withheld} == {"many"}
    assert named("uncertainty", "published") in {one.name for one in withheld}
    assert withheld[0].method.startswith("withheld: 30 of 60 turns (50.0%) are left out")
    assert "many: its weights are withheld" in capsys.readouterr().err
    assert len(allowed([few, many], REGRESSIONS["main"], 1.0)[0]) == 2


def test_a_share_that_is_none_is_refused_before_anything_is_made(asked: Asked, tmp_path: Path):
    with pytest.raises(UsageError, match="--allow-excluded 3 was given, a share from 0 to 1"):
        run(replace(asked, allow_excluded=3), tmp_path / "s")
    assert not (tmp_path / "s").exists()
