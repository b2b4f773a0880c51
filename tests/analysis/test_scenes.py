"""How often arms drew what was asked for, from runs whose every picture is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from athanor.analysis.scenes import (
    UNSEEN,
    arms_of,
    compared,
    estimates,
    passed_within,
    read_run,
    read_runs,
    shown,
    wrong_share,
)  # fmt: skip
from athanor.core.errors import UsageError
from athanor.core.records import Episode, Failure, Turn, Unreadable
from athanor.core.store import Manifest, RunFolder
from athanor.environments.scenes import Look, Picture, Scenes, picture
from athanor.environments.scenes.drawing import png
from athanor.environments.scenes.files import load

GREY = picture(np.full((48, 48, 3), 128, np.uint8))
ASKED = ("cards", "counting")
GAME = Scenes(categories=ASKED)


def run(
    path: Path, *scripts: str, agent: str = "unified", label: str = "mine", attempts: int = 2, seed: int = 1,
    reason: str = "",
) -> Path:  # fmt: skip
    """A run in which each episode's pictures are given by letters: r right, w wrong (nothing on it), u none, b no image
    file; e ends it in an error."""
    config: dict[str, Any] = {
        "environment": "scenes", "split": "test", "style": "aligned", "categories": ASKED, "rules": "strict",
        "attempts": attempts, "agent": agent, "episodes": len(scripts), "seed": seed,
    }  # fmt: skip
    manifest = Manifest(
        kind="play scenes", config=config, build="b", versions={}, hashes={}, label=label, created="2026-01-01T00:00:00"
    )
    folder: RunFolder[Picture] = RunFolder.create(path, manifest)
    look = Look(environment=GAME)
    for number, (task, script) in enumerate(zip(GAME.tasks("test", seed), scripts, strict=False)):
        actions = {
            "r": look.gold(task), "w": GREY, "u": Unreadable(unreadable="no"), "b": Picture(file=b"<script>"),
        }  # fmt: skip
        state, turns, key = GAME.start(task), list[Turn[Picture]](), f"{number:04d}"
        for letter in script.rstrip("e"):
            state = GAME.step(state, actions[letter]).state
            assert state.verdict is not None
            turns.append(Turn(index=len(turns), observation=None, action=actions[letter], verdict=state.verdict))
            folder.turn(key, turns[-1])
        failure = Failure(kind="DataError", message=reason or "broken") if script.endswith("e") else None
        end = "error" if failure else "terminated" if script.endswith("r") else "truncated"
        folder.episode(Episode(
            key=key, task=task, agent=agent, seed=seed, build="b", turns=tuple(turns), end=end, failure=failure
        ))  # fmt: skip
    folder.close()
    return path


def found(paths: Sequence[Path]) -> dict[tuple[str, str], Any]:
    return {(one.group, one.name): one for one in estimates(read_runs(paths))}


SCRIPT = ("r", "wr", "ww", "ub", "e")
"""Cards and counting take turns; the second and the fourth prompt are both four stars."""


def test_shares_passed_are_told_by_category_and_attempt(tmp_path):
    told = found([run(tmp_path / "run", *SCRIPT)])
    values = {name: one.value for (_, name), one in told.items()}
    assert values[passed_within(1)] == 0.25
    assert values[passed_within(2)] == 0.5
    assert (values[passed_within(1, "cards")], values[passed_within(1, "counting")]) == (0.5, 0)
    assert (values[passed_within(2, "cards")], values[passed_within(2, "counting")]) == (0.5, 0.5)
    assert values[wrong_share("present")] == pytest.approx(3 / 7)
    assert values[wrong_share(UNSEEN)] == pytest.approx(2 / 7)
    assert {name for name in values if name.startswith("share of pictures")} == {
        wrong_share("present"), wrong_share(UNSEEN)
    }  # fmt: skip
    assert not [name for name in values if "dense" in name]


def test_prompts_that_ask_for_the_same_are_one_and_errors_are_left_out(tmp_path):
    told = found([run(tmp_path / "run", *SCRIPT)])
    whole, counting = told["mine", passed_within(2)], told["mine", passed_within(2, "counting")]
    assert (whole.n, whole.unit, whole.excluded) == (3, "prompts", 1)
    assert (counting.n, counting.low, counting.high) == (1, None, None)
    assert whole.low is not None
    assert whole.low < 0.5 < whole.high
    assert read_run(tmp_path / "run").episodes["failure"].to_pylist()[4] == "DataError: broken"


def test_arms_are_compared_prompt_by_prompt_with_those_that_were_asked_for_the_same(tmp_path):
    runs = [
        run(tmp_path / "chance", "ww", "ww", "wr", "ww", agent="random", label="random"),
        run(tmp_path / "mine", "r", "wr", "ww", "r"),
        run(tmp_path / "elsewhere", "r", "r", seed=2, label="elsewhere"),
        run(tmp_path / "longer", "wwr", "r", "r", attempts=3, label="longer"),
    ]
    told = found(runs)
    assert told["mine", f"{passed_within(1)} minus random"].value == 0.5
    assert told["mine", f"{passed_within(2)} minus random"].value == 0.5
    longer = told["longer", f"{passed_within(2)} minus mine"]
    assert (longer.value, longer.excluded) == (pytest.approx(0.0), 1)
    assert not [name for group, name in told if group in ("random", "elsewhere") and " minus " in name]
    arms = arms_of(read_runs(runs))
    assert [[name for _, name in compared(arm, arms)] for arm in arms] == [[], ["random"], [], ["random", "mine"]]


def test_the_last_picture_of_each_prompt_is_shown_once_and_only_if_it_is_one(tmp_path):
    made = list(shown(run(tmp_path / "run", "r", "wr", "rw", "r", "ub", "e")))
    assert [(one.category, one.passed) for one in made] == [("cards", True), ("counting", True), ("cards", False)]
    task = next(GAME.tasks("test", 1))
    assert made[0].png == png(load(Look(environment=GAME).gold(task).file))
    assert made[2].png == GREY.file
    assert "present failed" in made[2].reason


def test_a_run_that_is_still_played_is_read_and_others_are_refused(tmp_path):
    path = run(tmp_path / "run", *SCRIPT)
    lines = (path / "episodes.jsonl").read_text().splitlines()
    (path / "episodes.jsonl").write_text("\n".join(lines[:2]) + "\n")
    told = found([path])
    assert told["mine", passed_within(2)].value == 1
    assert told["mine", "episodes not finished"].value == 2
    manifest = path / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"environment": "scenes"', '"environment": "points"'))
    with pytest.raises(UsageError, match="is a run of 'points', a run of 'scenes' was expected"):
        read_run(path)
