"""A tiny vision-language model of random weights, post-trained on hands in pictures and asked again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from athanor.adapters.trl.data import Data, picture
from athanor.adapters.trl.matching import length
from athanor.adapters.trl.post import train
from athanor.adapters.trl.settings import Lora, Reinforcement
from athanor.analysis.spending import spent
from athanor.core.records import Message, Sampling
from athanor.environments.points.drawing import LOOKS, draw
from athanor.models.backends.pretrained import processor_of
from athanor.models.backends.torch_local import TorchBackend, TorchConfig
from tests import tiny_model
from tests.adapters.test_trl_training import SMALL, config, lines, losses, same, weights

pytestmark = pytest.mark.skipif(not find_spec("trl"), reason="trl is not installed")
SEEN = Data(look="plain", suits="SC")
SAMPLED = Reinforcement(samples=8, max_tokens=24, reward="classes", learn_cut=True)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.write_seeing(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def begun(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model after it has seen the form of an answer, so that its own answers are not all judged alike."""
    optim = replace(SMALL, batch=16, micro=16, every=100, learning_rate=2e-2)
    out = tmp_path_factory.mktemp("told") / "run"
    return train(config(model, out, steps=25, optim=optim, data=replace(SEEN, hands=1)))


def test_a_picture_counts_as_the_tokens_that_the_processor_makes_of_it(model: Path):
    processor = processor_of(model)
    said = [{"role": "user", "content": "Which?"}]
    row: dict[str, Any] = {"cards": ["AS", "2S", "3S", "4S"]}
    assert length(SEEN, processor, said, row) == length(SEEN, processor, said, {}) + 16
    assert picture(SEEN, row["cards"]).size == (448, 448)


@pytest.mark.slow
def test_fine_tuning_on_pictures_changes_how_they_are_read(model: Path, tmp_path: Path):
    out = tmp_path / "run"
    final = train(config(model, out, data=SEEN, steps=6))
    assert losses(out)[-1] < losses(out)[0] - 0.1
    changed = {name for name, value in weights(final).items() if not value.equal(weights(model)[name])}
    assert any("vision" in name for name in changed)  # pictures go through the gradient
    assert any("language" in name for name in changed)

    async def main() -> str:
        backend = TorchBackend(str(final), TorchConfig(device="cpu"))
        asked = (Message(role="user", text="?", images=(draw(("AS", "2S", "3S", "4S"), LOOKS["plain"]),)),)
        found = await backend.complete(asked, Sampling(max_tokens=8, temperature=0.0, seed=0))
        await backend.close()
        return found.finish

    assert asyncio.run(main()) in ("stop", "length")
    two = train(config(model, tmp_path / "two", data=replace(SEEN, turns=2), steps=1))
    assert (two / "processor_config.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["grpo", "ppo"])
def test_reinforcement_on_pictures_changes_the_weights_and_fine_tuning_can_cost_as_much(
    model: Path, begun: Path, tmp_path: Path, method: Any
):
    out, wide = tmp_path / "run", replace(SMALL, batch=16, micro=8, learning_rate=1e-3)
    final = train(config(begun, out, method=method, data=SEEN, rl=SAMPLED, optim=wide, steps=3))
    logged = [line for line in lines(out) if "reward" in line]
    assert any(line["grad_norm"] > 0 for line in logged)
    assert not same(final, begun)
    train(config(model, tmp_path / "sft", data=SEEN, steps=None, match=str(out)))
    assert spent(tmp_path / "sft").operations == pytest.approx(spent(out).operations, rel=0.2)


@pytest.mark.slow
def test_a_model_that_sees_is_held_near_itself_and_adapted(model: Path, tmp_path: Path):
    out = tmp_path / "run"
    optim = replace(SMALL, kl=1.0)
    final = train(config(model, out, data=SEEN, steps=2, optim=optim, lora=Lora(rank=4)))
    assert all("kl" in line for line in lines(out) if "loss" in line)
    assert not same(final, model)
