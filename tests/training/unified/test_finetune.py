"""Fine-tuning on shards: to draw and to understand, all weights and adapters, in both layouts, and gone on with."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from athanor.cli import main
from athanor.core.errors import DataError, Stopped, UsageError
from athanor.models.unified import checkpoints
from athanor.models.unified.layout import TASKS
from athanor.models.unified.losses import drawing_logprobs
from athanor.models.unified.sampling import Sampling
from athanor.models.unified.unified import fresh
from athanor.training import checkpoint
from athanor.training.unified import finetune as module
from athanor.training.unified import kept
from athanor.training.unified.finetune import Tuning, Work, finetune, fitting, stage_of
from athanor.training.unified.lessons import Example, Exchange
from athanor.training.unified.many import Many
from athanor.training.unified.recipes import JANUS as PUBLISHED
from athanor.training.unified.recipes import JANUS_PRO
from athanor.training.unified.scenes import Scenes
from athanor.training.unified.settings import Lora
from athanor.training.unified.stages import MODULES
from athanor.training.unified.tars import scan, write
from athanor.training.unified.teaching import Dose, counted, lesson, passes, pixels_of
from tests.models.unified.small import JANUS, fast, model, published, saved

LORA = Lora(rank=2)
HOW = Work(every=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards of scenes with captions, questions and answers, and models in both layouts."""
    path = tmp_path_factory.mktemp("finetune")
    scenes = Scenes(seed=1)
    captioned, asked = scenes.take("drawing", 0, 12), scenes.take("understanding", 0, 12)
    both = [replace(a, questions=(Exchange("what?", "it is so."),)) for a in captioned]
    write(path / "data", [*both[:9], replace(both[9], prompt="red " * 400), *both[10:]], each=6)
    write(path / "asked", asked)
    for layout in ("original", "huggingface"):
        saved(path / layout, published(), layout)
    return path


def tuning(folder: Path, purpose="drawing", **more) -> Tuning:
    return Tuning(**{"data": (folder / "data",), "purpose": purpose, "steps": 4, "samples": 4, "rate": 1e-2, **more})


def lines(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def changed(base: Path, out: Path) -> set[str]:
    """Names of the tensors that are others."""
    one, other = (checkpoints.stored(path).model.state_dict() for path in (base, out))
    return {name for name, tensor in one.items() if not torch.equal(tensor, other[name])}


@pytest.mark.parametrize(
    ("purpose", "layout", "lora", "dtype"),
    [
        ("drawing", "original", Lora(), torch.float32),
        ("understanding", "huggingface", Lora(), torch.bfloat16),
        ("drawing", "huggingface", LORA, torch.bfloat16),
        ("both", "original", LORA, torch.float32),
    ],
)
def test_a_model_learns_and_what_is_not_trained_keeps_every_bit(
    tmp_path: Path, folder: Path, purpose, layout, lora, dtype
):
    base, asked = tmp_path / "base", tuning(folder, purpose, steps=6, rate=2e-2 if lora.rank else 5e-3)
    checkpoints.write(base, published(), layout, dtype)
    made = finetune(asked, base, tmp_path / "out", 1, HOW, lora=lora)
    told = lines(tmp_path / "out")
    for task in {"drawing": ["drawing"], "understanding": ["understanding"]}.get(purpose, ["drawing", "understanding"]):
        assert told[-1][task] < told[0][task] - 0.1
        assert set(told[0]) & set(TASKS) == {task} or purpose == "both"
    assert checkpoints.layout_of(made) == layout
    names = changed(base, made)
    modules = {name.split(".")[0] for name in names}
    assert modules <= set(stage_of(asked, lora, 8).trained)
    assert "backbone" in modules
    if lora.rank:
        assert all(name.endswith(".weight") and "norm" not in name and "embed" not in name for name in names)
        tensors, about = checkpoint.read(tmp_path / "out" / "adapter.safetensors")
        assert about["rank"] == 2
        assert {f"{name.removesuffix('.weight')}/A" for name in names} == {n for n in tensors if n.endswith("/A")}
    assert {t.dtype for t in checkpoints.stored(made).model.state_dict().values()} == {dtype}
    assert checkpoints.stored(made).template == "janus-pro"


@pytest.mark.parametrize("lora", [Lora(), LORA])
def test_a_model_can_be_taught_to_understand_by_codes(tmp_path: Path, folder: Path, lora: Lora):
    base, asked = tmp_path / "base", tuning(folder, "both", steps=2, rate=5e-3, understanding="codes")
    checkpoints.write(base, published())
    made = finetune(asked, base, tmp_path / "out", 1, HOW, lora=lora)
    assert checkpoints.stored(made).model.config.understanding == "codes"
    modules = {name.split(".")[0] for name in changed(base, made)}
    assert "code_adaptor" in modules
    assert not modules & {"encoder", "encoder_adaptor"}


def test_codes_are_refused_where_the_layout_cannot_hold_them(tmp_path: Path, folder: Path):
    base, asked = tmp_path / "base", tuning(folder, "both", steps=1, understanding="codes")
    checkpoints.write(base, published(), "huggingface")
    with pytest.raises(UsageError, match="by their codes"):
        finetune(asked, base, tmp_path / "out", 1, HOW)


@pytest.mark.parametrize(
    ("ratio", "codes", "left"),
    [
        ((5, 1, 0), False, {"encoder", "encoder_adaptor", "backbone", "text_head"}),
        ((5, 1, 0), True, {"code_embedding", "code_adaptor", "backbone", "text_head"}),
        ((0, 1, 4), False, {"code_embedding", "code_adaptor", "code_head", "backbone", "text_head"}),
        ((7, 3, 10), False, {*MODULES} - {"visual_tokenizer"}),
    ],
)
def test_modules_of_a_task_that_is_left_out_are_not_trained(ratio, codes, left):
    asked = Tuning(stage="janus-pro-III", ratio=ratio, understanding="codes" if codes else None)
    stage = stage_of(asked, Lora(), 8)
    assert set(stage.trained) == left
    assert stage.dose.ratio == ratio


def test_what_was_learned_to_draw_is_drawn(tmp_path: Path):
    write(tmp_path / "data", Scenes(seed=1).take("drawing", 0, 2))
    base = saved(tmp_path / "base", published())
    asked = Tuning(data=(tmp_path / "data",), purpose="drawing", steps=20, samples=2, rate=1e-2, unconditional=0.0)
    after = checkpoints.read(finetune(asked, base, tmp_path / "out", 1, Work(every=20), lora=Lora(rank=4)))
    examples = Scenes(seed=1).take("drawing", 0, 2)
    source = module.sources(asked, published(), tmp_path / "index", 1)
    pictures = source.take("drawing", 0, 2)
    pixels = pixels_of([one.picture for one in pictures if one.picture is not None])
    codes = published().model.visual_tokenizer.encode(pixels)
    prompts = [one.prompt or "" for one in pictures]
    assert sorted(prompts) == sorted(one.prompt or "" for one in examples)
    before, learned = (
        float(drawing_logprobs(model, prompts, codes, guidance=1, sampling=Sampling()).detach().mean())
        for model in (checkpoints.read(base), after)
    )
    assert learned > before + 1


@pytest.mark.parametrize(("lora", "scenes"), [(LORA, 0.0), pytest.param(Lora(), 0.5, marks=pytest.mark.slow)])
def test_an_interrupted_training_goes_on_bit_for_bit(
    tmp_path: Path, folder: Path, lora: Lora, scenes: float, monkeypatch
):
    asked, base = tuning(folder, "both", steps=4, scenes=scenes, parts=2), tmp_path / "base"
    larger = replace(
        JANUS, encoder=replace(JANUS.encoder, image_size=48), tokenizer=replace(JANUS.tokenizer, image_size=48),
        backbone=replace(JANUS.backbone, context=512),
    )  # fmt: skip
    saved(base, replace(fresh(model(larger if scenes else JANUS), fast()), template="janus-pro"))
    how = replace(HOW, held=(folder / "data",))
    whole = finetune(asked, base, tmp_path / "whole", 1, how, lora=lora)

    class Killed(Exception): ...

    real = Many.step

    def killed(many: Many, step: int) -> dict[str, float]:
        if step == 3:
            raise Killed
        return real(many, step)

    out = tmp_path / "cut"
    monkeypatch.setattr(Many, "step", killed)
    with pytest.raises(Killed):
        finetune(asked, base, out, 1, how, lora=lora)
    monkeypatch.setattr(Many, "step", real)
    (out / "log.jsonl").write_text((out / "log.jsonl").read_text() + '{"step": 2, "torn')
    (out / "checkpoint-0000003").mkdir()
    (out / "checkpoint-0000003" / "part-1-of-2.safetensors").write_bytes(b"torn")  # of which the rest was not written
    with pytest.raises(UsageError, match="--resume"):
        finetune(asked, base, out, 1, how, lora=lora)
    with pytest.raises(UsageError, match="other settings"):
        finetune(replace(asked, warm=3), base, out, 1, how, lora=lora, resume=True)
    again = finetune(asked, base, out, 1, how, lora=lora, resume=True)
    assert (again / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    drop = lambda line: {k: v for k, v in line.items() if k not in ("read", "unusable", "lacking", "faults")}
    assert list(map(drop, lines(out))) == list(map(drop, lines(tmp_path / "whole")))
    assert [line["step"] for line in lines(out)] == [0, 1, 2, 3]
    assert all("held drawing" in line for line in lines(out)[1::2])
    assert finetune(asked, base, out, 1, how, lora=lora, resume=True) == again  # nothing is left to do


def test_a_checkpoint_of_other_parts_or_of_another_model_is_refused(tmp_path: Path, folder: Path):
    asked, base, out = tuning(folder, steps=1, parts=None), folder / "original", tmp_path / "out"
    finetune(asked, base, out, 1, HOW)
    (out / "model" / "config.json").unlink()
    (path,) = out.glob("checkpoint-*/part-0-of-1.safetensors")
    tensors, about = checkpoint.read(path)
    checkpoint.write(path, tensors, about | {"parts": 2})
    with pytest.raises(DataError, match="have 2 parts, 1 were asked for"):
        finetune(asked, base, out, 1, HOW, resume=True)
    checkpoint.write(path, {name: t for name, t in tensors.items() if "norm" not in name}, about)
    with pytest.raises(DataError, match="another model or training"):
        finetune(asked, base, out, 1, HOW, resume=True)
    path.rename(path.with_name("part-0-of-2.safetensors"))
    path.with_name("part-1-of-2.safetensors").write_bytes(b"")
    assert kept.newest(out) == path.parent
    with pytest.raises(DataError, match="as many processes as before"):
        finetune(asked, base, out, 1, HOW, resume=True)


def test_samples_that_do_not_fit_are_passed_over_and_told(tmp_path: Path, folder: Path):
    finetune(tuning(folder, steps=2, samples=12), folder / "original", tmp_path / "out", 1, HOW)
    told = lines(tmp_path / "out")[-1]
    assert 1 <= told["unusable"] < told["read"]
    assert told["read"] >= 25
    assert "does not fit the model: sample 3 of" in told["faults"]
    assert "takes 4" in told["faults"]


def test_a_torn_shard_is_named_in_the_log_though_no_sample_is_unusable(tmp_path: Path, folder: Path):
    whole, torn = folder / "data" / "000000.tar", tmp_path / "torn.tar"
    last = scan(whole).place(4, "picture")
    assert last is not None
    torn.write_bytes(whole.read_bytes()[: last.offset + 20])
    finetune(tuning(folder, steps=1, data=(torn,)), folder / "original", tmp_path / "out", 1, HOW)
    told = lines(tmp_path / "out")[-1]
    assert told["unusable"] == 0
    assert f"of 1 shards 1 are at fault: {torn} (it ends within a member)" in told["faults"]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_processes_that_read_beside_change_nothing(tmp_path: Path, folder: Path):
    models = [
        finetune(tuning(folder, "both", steps=2, parts=2), folder / "original", tmp_path / f"{workers}", 1,
                 replace(HOW, workers=workers))
        for workers in (0, 2)
    ]  # fmt: skip
    one, other = ((model / "model.safetensors").read_bytes() for model in models)
    assert one == other


def test_a_model_is_written_in_the_layout_that_is_asked_for(tmp_path: Path, folder: Path):
    how = replace(HOW, layout="huggingface")
    out = finetune(tuning(folder, steps=1), folder / "original", tmp_path / "out", 1, how)
    same = finetune(tuning(folder, steps=1), folder / "huggingface", tmp_path / "same", 1, HOW)
    assert checkpoints.layout_of(out) == "huggingface"
    one, other = (checkpoints.stored(path).model.state_dict() for path in (out, same))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"encoder": True}, "does nothing to drawing"),
        ({"question": "what?"}, "does nothing to drawing"),
        ({"scenes": 1.5}, "0 to 1 was expected"),
        ({"scenes": 1.0}, "pass shards, or --tune.scenes 1 without any"),
        ({"data": ()}, "pass shards, or --tune.scenes 1 without any"),
        ({"rows": 2}, "--tune.samples 4 and --tune.rows 2 were given"),
        ({"ratio": (float("nan"), 0.0, 1.0)}, "1 or more, and numbers from 0 on"),
        ({"samples": 3, "parts": 2}, "cannot be done by 1"),
        ({"data": (Path("nowhere"),)}, "cannot be read"),
        ({"purpose": "understanding", "data": ("asked-text",)}, "no sample for understanding"),
        ({"stage": "janus-pro-II", "warm": 3}, "--tune.purpose, --tune.warm have no effect with --tune.stage"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, folder: Path, change, said):
    write(tmp_path / "text", Scenes(seed=1).take("text", 0, 3))
    change = {k: (tmp_path / "text",) if v == ("asked-text",) else v for k, v in change.items()}
    with pytest.raises((UsageError, DataError), match=said):
        finetune(tuning(folder, **change), folder / "original", tmp_path / "out", 1, HOW)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("device", ["cuda", "banana", "cpu:0"])
def test_a_device_that_is_not_there_is_not_replaced_by_another(tmp_path: Path, folder: Path, device: str):
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(UsageError, match=f"{device}.*(cannot be used|a kind of devices was expected)"):
        finetune(tuning(folder), folder / "original", tmp_path / "out", 1, HOW, device=device)
    assert not (tmp_path / "out").exists()


def test_rows_are_filled_by_samples_of_the_length_that_there_is():
    shape = replace(
        JANUS, encoder=replace(JANUS.encoder, image_size=48), tokenizer=replace(JANUS.tokenizer, image_size=48),
        backbone=replace(JANUS.backbone, context=512),
    )  # fmt: skip
    unified, scenes = fresh(model(shape), fast()), Scenes(seed=3)
    dose = Dose(samples=6, ratio=(5, 1, 4), packed=512, by_rows=True)
    found = counted(unified, scenes, dose, parts=2)
    assert found.samples % 20 == 0
    assert found == replace(dose, samples=found.samples, by_rows=False)
    packed = sum(len(batch.tokens) for batch in passes(lesson(unified, scenes, found, 1, 5), found))
    assert packed == pytest.approx(6, abs=2)
    assert counted(unified, scenes, found) == found
    with pytest.raises(UsageError, match="no length of a row"):
        Dose(samples=6, ratio=(1, 1, 1), by_rows=True)


def test_activations_that_are_computed_twice_change_nothing(tmp_path: Path, folder: Path):
    for lora in (Lora(), LORA):
        kept, saved_memory = (
            finetune(
                tuning(folder, "both", steps=2), folder / "original", tmp_path / f"{lora.rank}-{twice}", 1,
                replace(HOW, checkpointing=twice), lora=lora,
            ) for twice in (False, True)
        )  # fmt: skip
        one, other = (checkpoints.stored(path).model.state_dict() for path in (kept, saved_memory))
        for name, tensor in one.items():
            torch.testing.assert_close(tensor, other[name])


def test_a_published_stage_is_trained_as_it_is_written(tmp_path: Path, folder: Path):
    write(tmp_path / "text", Scenes(seed=1).take("text", 0, 8))
    for name, stage in (("janus-pro-I", JANUS_PRO[0]), ("janus-III", PUBLISHED[2])):
        whole = stage_of(Tuning(stage=name), Lora(), 8)
        assert replace(whole, dose=stage.dose) == stage
        assert whole.dose == replace(stage.dose, rows=8)
    asked = Tuning(data=(folder / "data", tmp_path / "text"), stage="janus-pro-III", steps=2, samples=10, rate=1e-2)
    model = finetune(asked, folder / "original", tmp_path / "out", 1, HOW)
    assert {name for name in lines(tmp_path / "out")[0] if name in TASKS} == set(TASKS)
    found = {name.split(".")[0] for name in changed(folder / "original", model)}
    assert found == set(JANUS_PRO[2].trained)


def athanor(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def test_the_command_trains_a_model_further(capsys, tmp_path: Path, folder: Path):
    words = [
        "train",
        "unified",
        "--init",
        folder / "original",
        "--out",
        tmp_path / "out",
        "--tune.data",
        folder / "data",
    ]
    words += ["--tune.purpose", "drawing", "--tune.steps", 2, "--tune.samples", 2, "--lora.rank", 2, "--threads", 1]
    code, out, _ = athanor(capsys, *words)
    assert (code, Path(out.strip())) == (0, (tmp_path / "out" / "model").resolve())
    assert changed(folder / "original", Path(out.strip()))
    code, _, err = athanor(capsys, *words)
    assert (code, "--resume" in err) == (2, True)
    for more, said in (
        (("--quick",), "--quick has no effect with --tune.data"),
        (("--tune.unconditional", 2), "--tune.unconditional 2.0 was given, 0 to 1 was expected"),
    ):
        code, _, err = athanor(capsys, *words, *more)
        assert (code, said in " ".join(err.split())) == (2, True)
    code, _, err = athanor(capsys, *words[:2], *words[4:])
    assert (code, "pass --init" in err) == (2, True)
    code, _, err = athanor(capsys, "train", "unified", "--out", tmp_path / "x", "--lora.rank", 2)
    assert (code, "--lora.rank has no effect" in err) == (2, True)


def test_training_that_fails_stops_with_a_reason(tmp_path: Path, folder: Path):
    with pytest.raises(Stopped, match="train at a lower rate"):
        finetune(tuning(folder, rate=1e9, steps=9), folder / "original", tmp_path / "out", 1, HOW)


def test_an_example_that_spells_a_mark_of_the_model_does_not_fit():
    fits = fitting(published().layout)
    picture = Scenes(seed=1, pixels=48).take("pictures", 0, 1)[0].picture
    assert fits("drawing", Example(picture=picture, prompt="a dog")) == ""
    assert "is a mark of the model" in fits("drawing", Example(picture=picture, prompt="a <end_of_image> dog"))
    asked = (Exchange("what <image_placeholder> is it?", "a dog"),)
    assert fits("understanding", Example(picture=picture, questions=(Exchange("what?", "a dog"),))) == ""
    assert fits("understanding", Example(picture=picture, questions=asked * 2))


def test_a_model_whose_images_are_prepared_otherwise_is_refused(tmp_path: Path, folder: Path):
    content = published()
    saved(tmp_path / "base", replace(content, preparation=replace(content.preparation, mean=(0.48, 0.46, 0.41))))
    with pytest.raises(UsageError, match="0.5 everywhere was expected"):
        finetune(tuning(folder, "understanding"), tmp_path / "base", tmp_path / "out", 1, HOW)
