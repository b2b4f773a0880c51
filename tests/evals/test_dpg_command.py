"""Tables of questions, image files, answerers and the command."""

from __future__ import annotations

import asyncio
import csv
import io
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from athanor.cli import main
from athanor.core.errors import BackendError, DataError, UsageError
from athanor.core.records import Completion, Estimate, Message, Sampling
from athanor.core.store import Manifest
from athanor.environments.scenes import STYLES
from athanor.environments.scenes.checks import examples
from athanor.environments.scenes.propositions import rows as scene_rows
from athanor.environments.scenes.spec import tell
from athanor.evals.dpg.answering import Asked, Exact
from athanor.evals.dpg.asking import Answer, Asking, ask_all
from athanor.evals.dpg.pictures import cut, files
from athanor.evals.dpg.table import COLUMNS, Question, checked, items, read
from athanor.models.unified.embedded import NAME
from tests.evals.drawn import png


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    with open(path, "w", newline="", encoding="utf-8") as file:
        lines = csv.DictWriter(file, list(map(str, COLUMNS)))
        lines.writeheader()
        lines.writerows(rows)
    return path


def line(**other: str) -> dict[str, str]:
    plain = dict.fromkeys(COLUMNS, "x") | {"item_id": "a", "proposition_id": "1", "dependency": "0"}
    return plain | {"tuple": "attribute - color (dog, red)", **other}


def test_a_row_is_read_with_its_category_and_its_parents(tmp_path: Path) -> None:
    path = write(tmp_path / "q.csv", [line(), line(proposition_id="2", dependency="1, 0"), line(item_id="b")])
    found = read(path)
    assert [(one.item, one.id, one.parents) for one in found] == [("a", 1, ()), ("a", 2, (1,)), ("b", 1, ())]
    assert (found[0].detailed, found[0].broad) == ("attribute - color", "attribute")
    assert [len(one.questions) for one in checked(items(found))] == [2, 1]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"proposition_id": "one"}, "a number and numbers between commas"),
        ({"dependency": "1;2"}, "a number and numbers between commas"),
        ({"question_natural_language": " "}, "has nothing in question_natural_language"),
        ({"item_id": "../a"}, "a name of a file was expected"),
        ({"item_id": ".."}, "a name of a file was expected"),
    ],
)
def test_a_row_that_is_wrong_is_told_with_its_line(tmp_path: Path, wrong: dict[str, str], said: str) -> None:
    path = write(tmp_path / "q.csv", [line(), line(**wrong)])
    with pytest.raises(DataError, match=f"q.csv:3 .*{said}"):
        read(path)


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"a,b\n1,2\n", "has no column"), (b"\xff\xfe\x00", "no CSV"), (b"", "has no column"), (None, "cannot be read")],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, data: bytes | None, said: str) -> None:
    if data is not None:
        (tmp_path / "q.csv").write_bytes(data)
    with pytest.raises(DataError, match=said):
        read(tmp_path / "q.csv")


@pytest.mark.parametrize(
    ("dependencies", "said"), [(("2", "1"), "in a circle"), (("9", "0"), "depends on 9"), (("1", "0"), "in a circle")]
)
def test_questions_that_wait_for_each_other_are_refused(
    tmp_path: Path, dependencies: tuple[str, str], said: str
) -> None:
    rows = [line(proposition_id=str(n), dependency=one) for n, one in enumerate(dependencies, 1)]
    with pytest.raises(DataError, match=said):
        checked(items(read(write(tmp_path / "q.csv", rows))))
    with pytest.raises(DataError, match="question 1 twice"):
        checked(items(read(write(tmp_path / "q.csv", [line(), line()]))))
    with pytest.raises(DataError, match="has no question"):
        checked(())


def grid(side: int = 16) -> bytes:
    """Four pictures whose red is 10, 20, 30, 40."""
    image = Image.new("RGB", (2 * side, 2 * side))
    for n, (x, y) in enumerate(((0, 0), (side, 0), (0, side), (side, side)), 1):
        image.paste((10 * n, 0, 0), (x, y, x + side, y + side))
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


def reds(pictures: tuple[bytes, ...]) -> list[int]:
    return [int(np.asarray(Image.open(io.BytesIO(one)))[-1, -1, 0]) for one in pictures]


def test_a_grid_is_cut_from_top_left_to_bottom_right() -> None:
    assert reds(cut(grid(), 4, None)) == [10, 20, 30, 40]
    assert reds(cut(grid(), 2, 16)) == [10, 20]
    assert len(cut(grid(), 1, None)) == 1


def test_a_wrong_resolution_is_an_error_and_black_as_the_script_cuts() -> None:
    with pytest.raises(DataError, match="32 by 32 pixels, a grid of 2 by 2 pictures of 20 pixels"):
        cut(grid(), 4, 20)
    with pytest.raises(DataError, match="20 by 20 was expected"):
        cut(grid(), 1, 20)
    with pytest.raises(DataError, match="a grid of 2 by 2 pictures of the same size"):
        cut(png(size=(33, 32)), 4, None)
    assert reds(cut(grid(), 4, 40, legacy=True)) == [0, 0, 0, 0]
    assert reds(cut(grid(), 1, 16, legacy=True)) == [10]


def test_two_files_of_one_prompt_are_refused_and_texts_are_no_images(tmp_path: Path) -> None:
    for name in ("a.png", "a.txt", "b.c.jpg"):
        (tmp_path / name).write_bytes(png())
    assert set(files(tmp_path)) == {"a", "b.c"}
    (tmp_path / "a.webp").write_bytes(png())
    with pytest.raises(DataError, match="are of one prompt"):
        files(tmp_path)


class Sees:
    """A backend that says yes to bright pictures; fails as often as told."""

    name, slots = "fake", 3

    def __init__(self, failures: int = 0) -> None:
        self.asked: list[str] = []
        self.failures = failures

    async def complete(self, messages: tuple[Message, ...], sampling: Sampling) -> Completion:
        self.asked.append(messages[0].text)
        await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            raise BackendError("the server is down")
        return Completion(text="yes" if reds(messages[0].images)[0] >= 30 else "no", model=self.name)

    async def close(self) -> None: ...


QUESTION = Question(item="a", text="t", id=1, parents=(), detailed="entity", question="Is it red?")


def test_answers_are_written_as_they_come_and_asked_for_once(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(grid())
    sees, there = Sees(failures=1), {"a": tmp_path / "a.png"}

    def ask() -> list[tuple[str, bool]]:
        asked = asyncio.run(ask_all(items([QUESTION]), there, Asked(backend=sees), Asking(each=4), tmp_path))
        return [(one.text, bool(one.failure)) for _, one in sorted(asked.answers.items())]

    assert ask() == [("", True), ("no", False), ("yes", False), ("yes", False)]
    assert ask() == [("no", False), ("no", False), ("yes", False), ("yes", False)]
    assert len(sees.asked) == 5
    assert sees.asked[0] == "Is it red? Answer with yes or no."
    (tmp_path / "a.png").write_bytes(grid(18))
    ask()
    assert len(sees.asked) == 9


def test_a_torn_image_is_told_and_the_others_are_asked_about(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"torn")
    (tmp_path / "b.png").write_bytes(grid())
    other = msgspec.structs.replace(QUESTION, item="b")
    there = {name: tmp_path / f"{name}.png" for name in "ab"}
    who = Asked(backend=Sees())
    asked = asyncio.run(ask_all(items([QUESTION, other]), there, who, Asking(each=4), tmp_path))
    assert set(asked.unread) == {"a"}
    assert len(asked.answers) == 4


def test_questions_that_are_no_scene_s_are_not_answered_by_the_checker() -> None:
    with pytest.raises(UsageError, match="no prompt of a scene"):
        asyncio.run(Exact().answer(grid(), QUESTION))
    odd = msgspec.structs.replace(QUESTION, text="a red circle")
    with pytest.raises(DataError, match="not one of its scene's"):
        asyncio.run(Exact().answer(grid(), odd))


def scenes(folder: Path) -> tuple[Path, Path]:
    """Six scenes with their questions, each as a grid of four of it."""
    table = []
    (folder / "images").mkdir()
    for category in ("two_object", "color_attr", "position"):
        specs, pictures, _ = examples(category, STYLES["jittered"], 2, 7)
        for n, (spec, pixels) in enumerate(zip(specs, pictures, strict=True)):
            name = f"{category}{n}"
            table += scene_rows(name, msgspec.structs.replace(spec, prompt=tell(spec)))
            tile = np.asarray(pixels)
            Image.fromarray(np.tile(tile, (2, 2, 1))).save(folder / "images" / f"{name}.png")
    return folder / "images", write(folder / "q.csv", table)


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as end:
        main(["eval", "dpg", *map(str, words)])
    assert isinstance(end.value.code, int)
    return end.value.code


def test_true_scenes_have_the_whole_score(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images, table = scenes(tmp_path)
    words = ["--images", images, "--questions", table, "--answerer", "exact", "--out", tmp_path / "out"]
    assert run(*words, "--json") == 0
    found = msgspec.json.decode(capsys.readouterr().out, type=tuple[Estimate, ...])
    assert {one.value for one in found if one.name.startswith("score")} == {100.0}
    assert {one.group for one in found} == {"correct"}
    assert run(*words) == 2
    assert run(*words, "--resume") == 0


def test_the_legacy_score_stands_beside_the_correct_one_of_the_same_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, table = scenes(tmp_path)
    (images / "stray.png").write_bytes(png())
    (images / "position1.png").unlink()
    words = ["--images", images, "--questions", table, "--answerer", "exact", "--out", tmp_path / "out", "--legacy"]
    assert run(*words, "--processes", 8, "--json") == 1
    out, err = capsys.readouterr()
    assert "1 of 6 prompts are missing: position1" in err
    assert "the name of 1 images: stray" in err
    found = msgspec.json.decode(out, type=tuple[Estimate, ...])
    assert {one.group for one in found} == {"legacy, 8 processes", "correct score of the same answers"}
    scores = {one.group: one for one in found if one.name == "score"}
    assert scores["legacy, 8 processes"].value == 100
    assert scores["legacy, 8 processes"].excluded == 1 + (scores["legacy, 8 processes"].n < 5)


def test_a_script_of_replies_answers_without_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images, table = scenes(tmp_path)
    (tmp_path / "replies.json").write_text('{"replies": ["Yes."]}')
    words = ["--images", images, "--questions", table, "--backend", "scripted", "--model", tmp_path / "replies.json"]
    assert run(*words, "--out", tmp_path / "out", "--legacy", "--json") == 0
    found = msgspec.json.decode(capsys.readouterr().out, type=tuple[Estimate, ...])
    assert [one.value for one in found if one.name == "score"] == [0, 100]  # the script takes `yes` alone


def test_the_package_s_model_answers_where_a_unified_one_is_asked_for_and_none_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    images, table = scenes(tmp_path)
    words = ["--images", images, "--questions", table, "--backend", "unified", "--unified.device", "cpu"]
    assert run(*words, "--out", tmp_path / "out", "--json") == 0
    found = {one.name: one.value for one in msgspec.json.decode(capsys.readouterr().out, type=tuple[Estimate, ...])}
    assert found["number of answers neither yes nor no"] == 0
    about = msgspec.json.decode((tmp_path / "out" / "manifest.json").read_bytes(), type=Manifest)
    assert (about.config["model"], about.config["wording"]) == (NAME, "{question}")


def test_a_folder_is_cut_as_its_own_manifest_says_that_it_was_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, table = scenes(tmp_path)
    plain = Manifest(kind="eval draw", config={"each": 4}, execution={}, build="", versions={}, hashes={}, label="",
                     created="")  # fmt: skip
    words = ["--images", images, "--questions", table, "--answerer", "exact", "--out", tmp_path / "out"]
    file = images / "manifest.json"
    file.write_bytes(msgspec.json.encode(plain))
    assert run(*words, "--each", 1) == 2
    assert f"--each 1 was given, {images} was drawn with --each 4 by its manifest.json" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert run(*words) == 0
    for other in (b"[", msgspec.json.encode(msgspec.structs.replace(plain, kind="play"))):
        file.write_bytes(other)
        assert run(*words[:-1], tmp_path / f"out{len(other)}", "--each", 1) != 2


@pytest.mark.parametrize(("share", "code"), [(4, 0), (1, 1)])
def test_answers_that_are_neither_are_told_and_most_of_them_fail(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], share: int, code: int
) -> None:
    """One in `share` of the stored answers is made evasive; they are not asked for again."""
    images, table = scenes(tmp_path)
    (tmp_path / "replies.json").write_text('{"replies": ["yes"]}')
    words = ["--images", images, "--questions", table, "--backend", "scripted", "--model", tmp_path / "replies.json"]
    words += ["--out", tmp_path / "out", "--json"]
    assert run(*words) == 0
    capsys.readouterr()
    file = tmp_path / "out" / "answers.jsonl"
    stored = [msgspec.json.decode(line, type=Answer) for line in file.read_bytes().splitlines()]
    evasive = [msgspec.structs.replace(one, text="maybe") if n % share == 0 else one for n, one in enumerate(stored)]
    file.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in evasive))
    assert run(*words, "--resume") == code
    out, err = capsys.readouterr()
    lost = len(stored) // share
    assert f"{lost} of {len(stored)} answers are neither yes nor no and count as no" in err
    assert ("this is no score of the images: pass another --wording" in err) == bool(code)
    assert "question 1: 'maybe'" in err
    found = {one.name: one.value for one in msgspec.json.decode(out, type=tuple[Estimate, ...])}
    assert found["number of answers neither yes nor no"] == lost
    assert (found["score"] == 0) == bool(code)
    assert found["score, answers neither yes nor no as yes"] == 100


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--model was not given"),
        (["--model", "m", "--backend", "llamacpp"], "takes text only"),
        (["--answerer", "exact", "--model", "m"], "--model has no effect"),
        (["--answerer", "exact", "--http.timeout", "3"], "--http.timeout has no effect"),
        (["--answerer", "exact", "--processes", "8"], "--processes has no effect without --legacy"),
        (["--model", "m", "--backend", "openai", "--wording", "what?"], "has no {question}"),
        (["--answerer", "exact", "--each", "5"], "1 to 4 was expected"),
    ],
)
def test_misuse_is_told_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert run("--images", tmp_path, "--questions", "q.csv", "--out", tmp_path / "out", *words) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
