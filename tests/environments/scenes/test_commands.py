"""The commands: what they print, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from athanor.cli import main
from athanor.environments.scenes import Scene, Thing
from athanor.environments.scenes.drawing import draw, png

SCENE = Scene(things=(Thing(shape="circle", colour="red", cell=3), Thing(shape="square", colour="blue", cell=5)))


def ran(capsys, *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main(list(words))
    told = capsys.readouterr()
    return int(left.value.code or 0), told.out, told.err


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "one.png"
    path.write_bytes(png(draw(SCENE)))
    return str(path)


def test_the_checker_is_tried_and_told_as_json_with_pictures(capsys, tmp_path):
    path = tmp_path / "new" / "all.png"
    code, out, _ = ran(
        capsys, "check", "scenes", "--prompts", "4", "--style", "jittered", "--json", "--picture", str(path)
    )
    told = json.loads(out)
    assert code == 0
    assert {one["category"] for one in told["checker"]} == {one["category"] for one in told["counts"]}
    assert all(one["passed_strict"] == 4 and not one["accepted"] for one in told["checker"])
    assert told["held out"]["pair"]["combinations"] == 48
    assert told["validate"]["complaints"] == []
    with Image.open(path) as shown:
        assert shown.width > 800
    code, out, _ = ran(capsys, "check", "scenes", "--prompts", "2", "--style", "aligned")
    assert code == 0
    assert "near misses accepted: 0 of" in out
    assert ran(capsys, "check", "scenes", "--prompts", "0")[0] == 2


def test_a_picture_is_judged_by_a_prompt_or_by_json(capsys, image):
    code, out, _ = ran(capsys, "verify", "scenes", "--prompt", "a red circle left of a blue square", "--image", image)
    assert (code, out) == (0, "passed, reward 1: everything asked for was found\n")
    spec = '{"tag": "colors", "include": [{"class": "circle", "count": 1, "color": "blue"}]}'
    code, out, _ = ran(capsys, "verify", "scenes", "--spec", spec, "--image", image, "--rules", "lenient", "--json")
    told = json.loads(out)
    assert (code, told["passed"]) == (0, False)
    assert told["parts"]["failed"][0]["rule"] == "color"
    assert told["asked"] == "a photo of a blue circle"
    assert told["dpg"] == 0.5
    assert [one["yes"] for one in told["questions"]] == [True, False]
    assert {"class": "circle", "color": "red"}.items() <= next(
        one for one in told["parts"]["found"] if one["class"] == "circle"
    ).items()


@pytest.mark.parametrize(("words", "code", "told"), [
    (["--prompt", "a dog"], 2, "not understood"), (["--prompt", ""], 2, "empty"), ([], 2, "--spec"),
    (["--prompt", "a circle", "--spec", "{}"], 2, "one of"), (["--spec", "{"], 2, "JSON"),
])  # fmt: skip
def test_a_prompt_that_is_none_is_refused(capsys, image, words, code, told):
    found, _, err = ran(capsys, "verify", "scenes", "--image", image, *words)
    assert found == code
    assert told in err


def test_a_picture_that_is_none_is_refused(capsys, tmp_path, image):
    torn = tmp_path / "torn.png"
    torn.write_bytes(Path(image).read_bytes()[:60])
    for path, told in ((tmp_path / "none.png", "cannot be read"), (tmp_path, "cannot be read"), (torn, "picture")):
        code, _, err = ran(capsys, "verify", "scenes", "--prompt", "a circle", "--image", str(path))
        assert code == 1
        assert told in err
