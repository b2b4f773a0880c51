"""Folders of images, estimates worked out by hand, and the command."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from athanor.cli import main
from athanor.commands import eval_geneval
from athanor.core.errors import DataError, UsageError
from athanor.core.records import Estimate
from athanor.environments.scenes.spec import GENEVAL, Entry, Spec, tell
from athanor.evals.geneval.folder import Images, read
from athanor.evals.geneval.judging import Judgement, Looked
from athanor.evals.geneval.looking import look_at_all
from athanor.evals.geneval.prompts import line, told, written
from athanor.evals.geneval.scoring import MEAN, WORST, estimates
from tests.evals.drawn import BENCH, CLOCKS, PINK, Finds, Names, lay, png, thing

BEDS = told("single_object", Entry(kind="bed"))


def looks(*passed: tuple[int, bool | None]) -> list[Looked]:
    """Images of BENCH (0), BEDS (1) and CLOCKS (2) that pass, do not, or could not be looked at."""
    finds = {0: [thing("bench").found], 1: [thing("bed").found], 2: [thing("clock").found] * 2}
    return [
        Looked(prompt=prompt, sample=str(k), digest="", found=tuple(finds[prompt] if ok else ()),
               failure="torn" if ok is None else "")
        for k, (prompt, ok) in enumerate(passed)
    ]  # fmt: skip


def named(found: tuple[Estimate, ...], rules: str = "published") -> dict[str, Estimate]:
    return {one.name: one for one in found if one.group == rules}


def test_the_score_is_the_mean_of_categories_and_not_of_images() -> None:
    looked = looks((0, True), (0, True), (1, True), (1, False), (2, False), (2, False))
    found = named(estimates(looked, [BENCH, BEDS, CLOCKS], [0, 0, 0]))
    assert found["share single_object"].value == 0.75
    assert found["share single_object"].n == 2
    assert found["share counting"].value == 0
    assert found[MEAN].value == pytest.approx(0.375)
    assert found["share of images"].value == pytest.approx(0.5)
    assert found["share of prompts with an image that passes"].value == pytest.approx(2 / 3)
    assert WORST not in found


def test_intervals_count_prompts_and_not_images() -> None:
    alike = looks(*[(prompt, prompt == 0) for prompt in (0, 1) for _ in range(50)])
    one = named(estimates(alike, [BENCH, BEDS], [0, 0]))["share single_object"]
    assert one.value == 0.5
    assert one.low is not None
    assert one.high is not None
    assert one.high - one.low > 0.9


def test_missing_and_torn_images_are_counted_and_never_dropped_in_silence() -> None:
    looked = looks((0, True), (0, None), (2, True))
    found = named(estimates(looked, [BENCH, BEDS, CLOCKS], [0, 2, 1]))
    assert found["share single_object"].value == 1
    assert found["share single_object"].excluded == 3
    assert found["share counting"].excluded == 1
    assert found[MEAN].excluded == 4
    assert found["number of images missing"].value == 3
    assert found["number of images not looked at"].value == 1
    assert found[WORST].value == pytest.approx((1 / 4 + 1 / 2) / 2)


def test_a_category_without_an_image_leaves_the_score_unknown() -> None:
    found = named(estimates(looks((0, True)), [BENCH, CLOCKS], [0, 4]))
    assert found["share counting"].value is None
    assert found[MEAN].value is None
    assert found[WORST].value == pytest.approx(0.5)


def test_a_folder_is_read_in_the_published_layout(tmp_path: Path) -> None:
    lay(tmp_path, [BENCH, CLOCKS, PINK], [[png()] * 4, [png()] * 2, []])
    (tmp_path / "00000" / "samples" / "notes.txt").write_text("mine")
    (tmp_path / "00000" / "samples" / "x1.png").write_bytes(png())
    (tmp_path / "00007").mkdir()
    found = read(tmp_path, [BENCH, CLOCKS, PINK], 4)
    assert [(one.prompt, one.name) for one in found.samples] == [
        *[(0, f"0000{k}") for k in range(4)], (1, "00000"), (1, "00001")
    ]  # fmt: skip
    assert found.missing == (0, 2, 4)
    assert found.strangers == ("00007",)


def test_images_drawn_for_another_prompt_are_refused(tmp_path: Path) -> None:
    lay(tmp_path, [BENCH], [[png()]])
    with pytest.raises(DataError, match="is not the line of prompt 0"):
        read(tmp_path, [BEDS], 1)
    (tmp_path / "00000" / "metadata.jsonl").write_text("{")
    with pytest.raises(DataError, match="is no prompt"):
        read(tmp_path, [BENCH], 1)


def test_one_number_twice_is_refused(tmp_path: Path) -> None:
    lay(tmp_path, [BENCH], [[png()]])
    (tmp_path / "00000" / "samples" / "0.jpg").write_bytes(png())
    with pytest.raises(DataError, match="number of another file"):
        read(tmp_path, [BENCH], 1)


@pytest.mark.parametrize("name", ["", "none"])
def test_a_folder_without_images_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="expected"):
        read(tmp_path / name, [BENCH], 1)


def test_every_image_is_looked_at_once_and_changed_ones_again(tmp_path: Path) -> None:
    lay(tmp_path / "images", [BENCH], [[png(0), png(1), b"torn"]])
    (tmp_path / "out").mkdir()
    finds, images = Finds([thing("bench")], []), read(tmp_path / "images", [BENCH], 3)

    def looked(images: Images) -> list[tuple[int, bool]]:
        return [(len(x.found), bool(x.failure)) for x in look_at_all(images, [BENCH], finds, Names(), tmp_path / "out")]

    assert looked(images) == [(1, False), (0, False), (0, True)]
    assert finds.seen == 2
    (tmp_path / "images" / "00000" / "samples" / "00002.png").write_bytes(png(0))
    assert looked(images) == [(1, False), (0, False), (1, False)]
    assert finds.seen == 3
    (tmp_path / "images" / "00000" / "samples" / "00000.png").write_bytes(png(1))
    assert looked(images)[0] == (0, False)
    assert finds.seen == 4


def test_a_rotated_image_is_seen_upright(tmp_path: Path) -> None:
    """The published detector reads the raw file and its colours the upright one, which fails for such files."""
    data, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 40)).save(data, "PNG", exif=exif)
    lay(tmp_path, [BENCH], [[data.getvalue()]])
    sizes = []

    class Sizes(Finds):
        def see(self, image: Image.Image):
            sizes.append(image.size)
            return super().see(image)

    look_at_all(read(tmp_path, [BENCH], 1), [BENCH], Sizes([thing("bench")]), Names(), tmp_path)
    assert sizes == [(40, 60)]


def test_prompts_that_no_detector_can_find_are_refused(tmp_path: Path) -> None:
    circle, gold = told("single_object", Entry(kind="circle")), told("colors", Entry(kind="car", colour="gold"))
    for spec, said in ((circle, "circle, which the detector fake does not find"), (gold, "gold, which is no colour")):
        lay(tmp_path / said[:4], [spec], [[png()]])
        with pytest.raises(UsageError, match=said):
            look_at_all(read(tmp_path / said[:4], [spec], 1), [spec], Finds(), Names(), tmp_path)


def drawn(tmp_path: Path) -> tuple[Path, Path, list[Spec]]:
    """Scenes of GenEval's six categories as their prompts ask, and the file of prompts."""
    from athanor.environments.scenes import STYLES
    from athanor.environments.scenes.checks import examples

    specs, images = list[Spec](), list[list[bytes]]()
    for category in GENEVAL:
        mine, pictures, _ = examples(category, STYLES["jittered"], 2, 5)
        for spec, pixels in zip(mine, pictures, strict=True):
            specs.append(msgspec.structs.replace(spec, prompt=tell(spec)))
            data = io.BytesIO()
            Image.fromarray(np.asarray(pixels)).save(data, "PNG")
            images.append([data.getvalue()])
    (tmp_path / "prompts.jsonl").write_bytes(written(specs))
    return lay(tmp_path / "images", specs, images), tmp_path / "prompts.jsonl", specs


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as end:
        main(["eval", "geneval", *map(str, words)])
    assert isinstance(end.value.code, int)
    return end.value.code


def test_true_scenes_pass_in_every_category_by_both_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images, prompts, _ = drawn(tmp_path)
    words = ["--images", images, "--prompts", prompts, "--detector", "exact", "--each", 1, "--out", tmp_path / "out"]
    assert run(*words, "--json") == 0
    found = msgspec.json.decode(capsys.readouterr().out, type=tuple[Estimate, ...])
    assert {one.value for one in found if one.name.startswith("share")} == {1.0}
    stored = (tmp_path / "out" / "estimates.jsonl").read_bytes().splitlines()
    assert [msgspec.json.decode(one, type=Estimate) for one in stored] == list(found)
    verdicts = (tmp_path / "out" / "verdicts.jsonl").read_bytes().splitlines()
    assert len(verdicts) == 24
    assert msgspec.json.decode(verdicts[0], type=Judgement).passed
    assert run(*words) == 2
    assert "already holds something" in capsys.readouterr().err
    assert run(*words, "--resume") == 0
    assert "mean of categories" in capsys.readouterr().out


def test_scenes_of_other_prompts_fail_and_what_is_missing_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, prompts, specs = drawn(tmp_path)
    (images / "00000" / "samples" / "00000.png").unlink()
    (images / "00001" / "samples" / "00000.png").write_bytes(b"\x89PNG torn")
    for a, b in ((2, 4), (6, 8)):
        one, other = (images / f"{n:05d}" / "samples" / "00000.png" for n in (a, b))
        data = one.read_bytes()
        one.write_bytes(other.read_bytes())
        other.write_bytes(data)
    words = ["--images", images, "--prompts", prompts, "--detector", "exact", "--each", 1, "--out", tmp_path / "out"]
    assert run(*words, "--json") == 1
    out, err = capsys.readouterr()
    assert "1 images of 1 prompts are missing: 00000" in err
    assert "00001/samples/00000: the picture" in err
    found = named(msgspec.json.decode(out, type=tuple[Estimate, ...]), "strict")
    assert found["share single_object"].value is None
    assert found["share two_object"].value == 0.5
    assert found["share colors"].value == 0.5
    assert found["share position"].value == 0.5


@pytest.mark.parametrize("detector", ["yolo", "hf:", "hf:nowhere"])
def test_a_detector_that_is_none_is_refused_before_anything_is_made(tmp_path: Path, detector: str) -> None:
    images, prompts, _ = drawn(tmp_path)
    out = tmp_path / "out"
    assert run("--images", images, "--prompts", prompts, "--detector", detector, "--out", out) == 2
    assert not out.exists()


def test_options_that_do_nothing_are_refused(tmp_path: Path) -> None:
    config = eval_geneval.Config(images=tmp_path, out=tmp_path / "o", detector="exact", clip="mine")
    with pytest.raises(UsageError, match="--clip has no effect with --detector exact"):
        eval_geneval.run(config)


def test_an_image_that_is_not_square_is_no_scene_and_is_told(tmp_path: Path) -> None:
    spec = Spec(tag="single_object", include=(Entry(kind="circle"),), prompt="a photo of a circle")
    lay(tmp_path / "images", [spec], [[png(size=(64, 96))]])
    (tmp_path / "p.jsonl").write_text(line(spec))
    code = run("--images", tmp_path / "images", "--prompts", tmp_path / "p.jsonl", "--detector", "exact", "--each", 1,
               "--out", tmp_path / "out")  # fmt: skip
    assert code == 1
    assert "a square one was expected" in (tmp_path / "out" / "looked.jsonl").read_text()
