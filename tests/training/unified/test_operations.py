"""What a step costs: counted by hand, and compared with what is really done."""

from __future__ import annotations

from dataclasses import replace

import pytest
from torch.utils.flop_counter import FlopCounterMode

from athanor.models.unified.unified import understanding
from athanor.studies.see_and_draw.arms import MIDDLE
from athanor.training.unified.drawing_rl import forward_flop
from athanor.training.unified.joint import Trainer
from athanor.training.unified.operations import (
    Lengths,
    drawn_flop,
    encoder_flop,
    lengths,
    reinforcement_flop,
    stage_flop,
)
from athanor.training.unified.recipes import ADAPTORS, EVERYTHING, LANGUAGE
from athanor.training.unified.run import begun
from athanor.training.unified.scenes import Scenes
from athanor.training.unified.stages import Stage
from athanor.training.unified.teaching import Dose
from tests.training.unified.micro import micro

LONG = Lengths(90.0, 40.0, 50.0)


def stage(trained, ratio=(5, 1, 4), samples=10) -> Stage:
    return Stage(name="x", steps=1, dose=Dose(samples=samples, ratio=ratio), trained=trained, rate=1e-3)


@pytest.fixture(scope="module")
def unified():
    return begun(micro(1), "cpu")


def test_a_backbone_that_learns_costs_three_passes_and_one_that_does_not_two(unified):
    def of_tokens(passes: float) -> float:
        return passes * sum(n * forward_flop(unified, 1, int(long)) for n, long in zip((5, 1, 4), LONG, strict=True))

    seen = 5 * encoder_flop(unified)
    assert stage_flop(unified, stage(ADAPTORS), LONG) == pytest.approx(of_tokens(2) + seen)
    assert stage_flop(unified, stage(LANGUAGE), LONG) == pytest.approx(of_tokens(3) + seen)
    assert stage_flop(unified, stage(EVERYTHING), LONG) == pytest.approx(of_tokens(3) + 3 * seen)


def test_pictures_that_are_understood_by_codes_cost_no_encoder(unified):
    before = stage_flop(unified, stage(EVERYTHING), LONG)
    after = stage_flop(understanding(unified, "codes"), stage(EVERYTHING), LONG)
    understanding(unified, "encoder")
    assert before - after == pytest.approx(15 * encoder_flop(unified))


def test_a_task_that_is_left_out_costs_nothing(unified):
    alone = stage_flop(unified, stage(LANGUAGE, ratio=(0, 0, 1), samples=4), LONG)
    assert alone == pytest.approx(12 * forward_flop(unified, 1, 50))


def test_reinforcement_draws_and_learns_in_as_many_branches_as_it_is_told(unified):
    one = forward_flop(unified, 8, 50)
    assert drawn_flop(unified, 8, 50, guided=True) == pytest.approx(2 * one)
    assert reinforcement_flop(unified, 8, 50, guided=True, learned_guided=True) == pytest.approx(8 * one)
    assert reinforcement_flop(unified, 8, 50, guided=True, learned_guided=False) == pytest.approx(5 * one)


@pytest.mark.slow
@pytest.mark.parametrize(("trained", "ratio"), [(ADAPTORS, (1, 0, 3)), (EVERYTHING, (5, 1, 4))])
def test_what_is_counted_is_what_is_done(trained, ratio):
    """PyTorch counts the multiplications of a step in the parts that we count; it takes no attention as causal."""
    unified = begun(replace(micro(1), shape=MIDDLE), "cpu")
    examples = Scenes(seed=1)
    one = stage(trained, ratio, samples=20)
    trainer = Trainer(unified, one, examples, 0)
    with FlopCounterMode(display=False) as counter:
        trainer.step(0)
    done = counter.get_flop_counts()
    parts = sum(sum(done[name].values()) for name in ("LlamaModel", "SiglipVisionModel", "CodeHead"))
    told = stage_flop(unified, one, lengths(unified, examples, many=40))
    assert told == pytest.approx(parts, rel=0.12)
