"""What the page of the post-training study has beside its estimates: logs, its command, and panels on one scale."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from athanor.analysis.training_logs import read_logged
from athanor.core.errors import DataError
from athanor.reports.sft_vs_rl import command_of, grid
from athanor.reports.sft_vs_rl_tables import beside_published
from athanor.studies.sft_vs_rl.findings import Found


def test_panels_of_differences_are_on_one_scale_three_to_a_row():
    made = grid([{"title": str(k)} for k in range(5)], "all")
    assert [len(row["hconcat"]) for row in made["vconcat"]] == [3, 2]
    assert all(part["resolve"] == {"scale": {"x": "shared"}} for part in (made, *made["vconcat"]))


def test_the_page_has_the_command_as_it_was_given_or_else_what_makes_the_same_study():
    given = {"execution": {"command": "athanor study sft-vs-rl --quick --out x"}, "config": {}}
    assert command_of(given, Path("x")) == "athanor study sft-vs-rl --quick --out x"
    asked = {"execution": {}, "config": {"setting": "quick", "seed": 3}}
    assert command_of(asked, Path("a b")) == "athanor study sft-vs-rl --quick --seed 3 --out 'a b'"


def test_a_log_is_read_step_by_step_and_what_was_not_measured_is_unknown(tmp_path: Path):
    lines = [{"flop_generated": 1.0, "flop_trained": 2.0, "kl": 0.1}, {"flop_generated": 2.0, "flop_trained": 4.0}]
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = read_logged(path, "sft", "b", 0)
    assert found.flop.tolist() == [3, 6]
    assert np.isnan(found.values["reward"]).all()
    assert np.isnan(found.at_the_end("kl"))
    assert found.at_the_end("kl", 1.0) == pytest.approx(0.1)
    for torn in ("", "{", '{"kl": 1}'):
        path.write_text(torn)
        with pytest.raises(DataError, match=r"log\.jsonl"):
            read_logged(path, "sft", "b", 0)


def test_published_differences_stand_with_their_intervals_and_the_answers_of_ours():
    nothing = Found(bases=("b",), arms=(), trained=(), estimates=(), missing=(), about="")
    told = beside_published(nothing)
    assert "before 11.5%, SFT 3.4%, RL 15.0%" in told
    assert "RL minus before +3.4 points [\N{MINUS SIGN}2.7 to +9.6]" in told
    assert "ours unknown" in told
    assert "with one answer" in told
