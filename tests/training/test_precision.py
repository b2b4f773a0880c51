"""Products in bfloat16: where they are asked for, and what stays in float32."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import torch

from athanor.training.precision import halves, mixed
from athanor.training.unified.joint import Trainer
from athanor.training.unified.run import begun
from athanor.training.unified.scenes import Scenes
from tests.training.unified.micro import micro


def test_products_are_in_bfloat16_inside_and_nowhere_else() -> None:
    a, cpu = torch.randn(4, 4), torch.device("cpu")
    with mixed(cpu, on=True):
        assert (a @ a).dtype == torch.bfloat16
    with mixed(cpu, on=False):
        assert (a @ a).dtype == torch.float32
    assert (a @ a).dtype == torch.float32


def test_a_cpu_without_instructions_for_bfloat16_is_not_faster_at_it(monkeypatch) -> None:
    for can, fast in (({"avx2": True}, False), ({"avx512_bf16": True}, True), ({"amx_bf16": True}, True)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda can=can: can)
        assert halves("cpu") == fast


def test_a_step_in_half_precision_learns_nearly_what_one_in_full_does_and_keeps_weights_in_float32() -> None:
    unified = begun(micro(), "cpu")
    stage = replace(micro().stages[2], steps=10)
    found = {}
    for half in (False, True):
        mine = replace(unified, model=deepcopy(unified.model))
        trainer = Trainer(mine, stage, Scenes(seed=3), 1, half=half)
        told = [trainer.step(step)["drawing"] for step in range(3)]
        assert {w.dtype for w in mine.model.parameters()} == {torch.float32}
        found[half] = told
    assert found[True] != found[False]
    torch.testing.assert_close(torch.tensor(found[True]), torch.tensor(found[False]), rtol=2e-2, atol=0)
