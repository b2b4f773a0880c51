"""The stages train what their table says and nothing else; a step is the sum of the tasks' means."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from athanor.core.errors import Stopped, UsageError
from athanor.models.unified import losses
from athanor.models.unified.config import Mean
from athanor.models.unified.layout import TASKS, collate
from athanor.models.unified.unified import Unified
from athanor.training.unified.joint import Trainer, backward, freeze, module_of
from athanor.training.unified.recipes import ADAPTORS, EVERYTHING, JANUS, JANUS_PRO, LANGUAGE, tiny
from athanor.training.unified.run import begun
from athanor.training.unified.scenes import Scenes
from athanor.training.unified.stages import MODULES, Stage
from athanor.training.unified.teaching import Dose, lesson, packed, passes
from tests.training.unified.micro import micro

EXAMPLES = Scenes(seed=3)


def unified() -> Unified:
    return begun(micro(), "cpu")


@pytest.mark.parametrize("stage", micro().stages, ids=lambda stage: stage.name)
def test_what_a_stage_freezes_stays_equal_bit_for_bit_and_all_else_moves(stage: Stage) -> None:
    of = unified()
    before = {name: weight.clone() for name, weight in of.model.named_parameters()}
    trainer = Trainer(of, replace(stage, weight_decay=0.1), EXAMPLES, seed=1)
    for step in range(2):
        trainer.step(step)
    moved = {module_of(name) for name, weight in of.model.named_parameters() if not torch.equal(weight, before[name])}
    assert moved == set(stage.trained)


@pytest.mark.parametrize("stage", micro().stages, ids=lambda stage: stage.name)
def test_gradients_reach_every_module_of_the_table_and_no_other(stage: Stage) -> None:
    of = unified()
    freeze(of.model, stage)
    backward(of.model, passes(lesson(of, EXAMPLES, stage.dose, 1, 0), stage.dose))
    reached = {module_of(name) for name, w in of.model.named_parameters() if w.grad is not None and bool(w.grad.any())}
    assert reached == set(stage.trained)


def test_the_published_table_is_that_of_the_papers() -> None:
    assert [set(stage.trained) for stage in JANUS_PRO] == [set(ADAPTORS), set(LANGUAGE), set(EVERYTHING)]
    assert [stage.dose.ratio for stage in JANUS_PRO] == [(1, 0, 3), (2, 3, 5), (5, 1, 4)]
    assert [stage.dose.ratio for stage in JANUS] == [(1, 0, 1), (2, 3, 5), (7, 3, 10)]
    assert [(s.rate, s.steps, s.dose.samples, s.warm) for s in JANUS_PRO] == [
        (1e-3, 20_000, 256, 600), (1e-4, 270_000, 512, 5_000), (4e-5, 80_000, 128, 0)
    ]  # fmt: skip
    assert [(s.rate, s.steps, s.dose.samples, s.warm) for s in JANUS] == [
        (1e-3, 10_000, 256, 300), (1e-4, 180_000, 512, 5_000), (2e-5, 24_000, 256, 0)
    ]  # fmt: skip
    assert [s.weight_decay for s in JANUS] == [0, 0, 0.1]
    assert all("visual_tokenizer" in stage.frozen for stage in (*JANUS, *JANUS_PRO, *tiny(1).stages))
    assert {stage.mean for stage in (*JANUS, *JANUS_PRO)} == {"token"}
    assert {stage.mean for stage in tiny(1).stages} == {"task"}


def test_a_gradient_that_is_not_finite_stops_training_before_weights_are_spoilt() -> None:
    of = unified()
    trainer = Trainer(of, micro().stages[-1], EXAMPLES, 1)
    with torch.no_grad():
        of.model.text_head.weight.mul_(float("inf"))
    before = of.model.code_head.out.weight.detach().clone()
    with pytest.raises(Stopped, match="not finite at step 0"):
        trainer.step(0)
    assert torch.equal(of.model.code_head.out.weight, before)


def test_the_document_tells_the_default_s_stages_as_they_are() -> None:
    """The table's rows, and by how much its rates differ from the published."""
    text = (Path(__file__).parents[3] / "docs" / "unified-training.md").read_text()
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in text.splitlines() if line[:1] == "|"]
    first = next(k for k, row in enumerate(rows) if row[0].startswith("**`tiny`**"))
    mine = [stage for stage in tiny(1).stages if stage.name != "language"]
    ratios, rates, steps = (row[1:] for row in rows[first : first + 3])
    assert ratios == [" : ".join(f"{share:g}" for share in stage.dose.ratio) for stage in mine]
    told = [(float(rate), schedule, int(warm)) for rate, schedule, warm in (cell.split(", ") for cell in rates)]
    assert told == [(pytest.approx(stage.rate), stage.schedule, stage.warm) for stage in mine]
    assert steps == [f"{stage.steps:,}, {stage.dose.samples}" for stage in mine]
    times = [f"{stage.rate / published.rate:g}" for stage, published in zip(mine, JANUS_PRO, strict=True)]
    flat = " ".join(text.split())
    assert f"Rates are {times[0]}, {times[1]} and {times[2]} times as high" in flat
    assert f"Stage II has {ratios[1]}, not {' : '.join(map(str, JANUS_PRO[1].dose.ratio))}" in flat
    assert [stage.muon for stage in mine] == [None, 0.006, pytest.approx(0.0006)]
    assert (mine[1].hold, mine[1].words, [stage.described for stage in mine]) == (0.3, 0.1, [1.0, 0.3, 0.1])
    assert [stage.veiled for stage in mine[1:]] == [0.5, 0.5]
    assert [stage.dose.packed for stage in mine] == [None] * 3
    assert mine[2].trained["encoder"] == 1 / 20


@pytest.mark.parametrize("over", ["task", "token"])
def test_passes_of_one_task_each_and_packed_rows_have_the_gradient_of_the_loss(over: Mean) -> None:
    of = unified()
    dose = Dose(samples=12, ratio=(1, 1, 2), rows=3)
    samples = lesson(of, EXAMPLES, dose, 1, 0)
    together = losses.losses(of.model, collate([[one] for task in samples for one in task]))
    whole = losses.total(together, over)
    if over == "token":
        tokens = sum(one.tokens for one in together.values())
        by_hand = sum(float(one.mean.detach()) * one.tokens for one in together.values()) / tokens
        assert float(whole.detach()) == pytest.approx(by_hand)
    whole.backward()
    expected = {name: weight.grad.clone() for name, weight in of.model.named_parameters() if weight.grad is not None}
    for other in (dose, replace(dose, packed=256)):
        of.model.zero_grad()
        nats = backward(of.model, passes(samples, other), over)
        for name, mean in zip(TASKS, nats, strict=True):
            assert mean == pytest.approx(float(together[name].mean.detach()), rel=1e-5)
        for name, grad in expected.items():
            torch.testing.assert_close(of.model.get_parameter(name).grad, grad, rtol=1e-3, atol=1e-6)


def test_text_that_passes_through_nothing_that_learns_is_measured_and_changes_no_gradient() -> None:
    of = unified()
    stage = replace(micro().stages[1], trained=ADAPTORS)
    freeze(of.model, stage)
    found = lesson(of, EXAMPLES, Dose(samples=8, ratio=(1, 1, 2)), 1, 0)
    backward(of.model, passes([found[0], [], found[2]], stage.dose))
    expected = {name: weight.grad.clone() for name, weight in of.model.named_parameters() if weight.grad is not None}
    of.model.zero_grad()
    nats = backward(of.model, passes(found, stage.dose))
    assert None not in nats
    assert {module_of(name) for name in expected} == set(ADAPTORS)
    for name, grad in expected.items():
        torch.testing.assert_close(of.model.get_parameter(name).grad, grad)


def test_every_step_mixes_all_tasks_in_their_ratio() -> None:
    assert Dose(samples=40, ratio=(5, 1, 4)).counts == (20, 4, 16)
    assert Dose(samples=4, ratio=(10, 0, 0.1)).counts == (4, 0, 1)
    found = lesson(unified(), EXAMPLES, Dose(samples=10, ratio=(5, 1, 4)), 1, 0)
    assert list(map(len, found)) == [5, 1, 4]


def test_a_tenth_of_the_prompts_is_replaced_by_padding() -> None:
    of = unified()
    pad = of.words.special.pad
    dose = Dose(samples=200, ratio=(0, 0, 1))
    blank = [pad in one.tokens[one.kinds == 0] for one in lesson(of, EXAMPLES, dose, 1, 0)[2]]
    assert 8 <= sum(blank) <= 36  # binomial, 200 at 0.1, to 4 standard deviations


def test_rows_are_packed_full_and_no_sample_is_lost_or_cut() -> None:
    of = unified()
    samples = [one for task in lesson(of, EXAMPLES, Dose(samples=30, ratio=(1, 1, 2)), 1, 0) for one in task]
    rows = packed(samples, 200)
    assert sorted(map(id, samples)) == sorted(id(one) for row in rows for one in row)
    assert all(sum(map(len, row)) <= 200 for row in rows)
    assert sum(map(len, samples)) > 0.8 * 200 * len(rows)
    with pytest.raises(UsageError, match="pass longer rows"):
        packed(samples, 20)


def test_rates_rise_and_fall_as_the_schedule_says() -> None:
    base = replace(tiny(1).stages[0], steps=100, warm=10)
    held = replace(base, schedule="linear", hold=0.5)
    assert [round(held.share(step), 2) for step in (0, 9, 50, 75, 99)] == [0.1, 1.0, 1.0, 0.5, 0.02]
    assert [round(replace(base, schedule="cosine", warm=0).share(step), 2) for step in (0, 50, 100)] == [1.0, 0.5, 0.0]
    assert replace(base, schedule="constant").share(99) == 1.0


def test_a_stage_or_a_step_that_cannot_be_is_refused() -> None:
    stage = tiny(1).stages[0]
    for wrong in ({"trained": {"heart": 1.0}}, {"steps": -1}, {"rate": 0.0}, {"trained": {"backbone": 0.0}}):
        with pytest.raises(UsageError, match="were expected"):
            replace(stage, **wrong)
    for wrong in ({"samples": 0}, {"ratio": (0, 0, 0)}, {"ratio": (1, -1, 1)}, {"rows": 0}):
        with pytest.raises(UsageError, match="was asked for"):
            replace(stage.dose, **wrong)
    assert set(stage.frozen) | set(stage.trained) == set(MODULES)
