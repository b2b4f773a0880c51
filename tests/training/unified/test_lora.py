"""Low-rank adapters in a unified model, and added into checkpoints of both layouts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from athanor.core.errors import DataError, UsageError
from athanor.models.unified import checkpoints, names
from athanor.models.unified.drawing import Drawing, draw_codes
from athanor.models.unified.losses import drawing_logprobs
from athanor.models.unified.reading import weights_of
from athanor.models.unified.sampling import Sampling
from athanor.models.unified.unified import Unified
from athanor.training.unified.lora import absent, adapt, added, matrices, merged, save, trained, write_merged
from athanor.training.unified.settings import Lora
from tests.models.unified.small import published, saved

PARTS = ("backbone", "code_adaptor", "code_head", "encoder")
LORA = Lora(rank=3, alpha=5.0)
PROMPTS = ["two red circles", "a"]


def adapted(*, changed: bool = True) -> Unified:
    unified = published()
    adapt(unified.model, LORA, PARTS, 1)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in unified.model.named_parameters():
            if changed and "lora_B" in name:
                weight.copy_(0.3 * torch.randn(weight.shape, generator=generator))
    return unified


def scored(unified: Unified) -> torch.Tensor:
    codes = torch.arange(2 * unified.layout.codes).view(2, -1) % 64
    return drawing_logprobs(unified, PROMPTS, codes, guidance=2, sampling=Sampling()).detach()


def test_adapters_are_all_that_is_trained_and_add_nothing_at_first():
    unified = adapted(changed=False)
    assert torch.equal(scored(unified), scored(published()))
    linears = [n for n, m in published().model.named_modules() if isinstance(m, nn.Linear) and n.split(".")[0] in PARTS]
    assert len(trained(unified.model)) == len(matrices(unified.model)) == 2 * len(linears)
    assert all("lora" in name for name in trained(unified.model))
    other = adapted(changed=False)
    assert all(torch.equal(a, matrices(other.model)[n]) for n, a in matrices(unified.model).items())
    again = published()
    adapt(again.model, LORA, PARTS, 2)
    assert not torch.equal(next(iter(matrices(again.model).values())), next(iter(matrices(other.model).values())))


def test_an_adapted_model_draws_with_its_adapters_and_gets_its_weights_back():
    unified = adapted()
    before = {name: tensor.clone() for name, tensor in unified.model.state_dict().items()}
    score = scored(unified)
    with merged(unified.model):
        assert torch.allclose(scored(unified), score, atol=1e-4)
        codes = draw_codes(unified, PROMPTS, [0], Drawing(guidance=2))
    assert all(torch.equal(tensor, before[name]) for name, tensor in unified.model.state_dict().items())
    assert torch.equal(scored(unified), score)
    assert not torch.equal(codes, draw_codes(published(), PROMPTS, [0], Drawing(guidance=2)))
    with absent(unified.model):
        assert torch.equal(scored(unified), scored(published()))
    assert torch.equal(scored(unified), score)
    assert all(weight.requires_grad for weight in trained(unified.model).values())


def test_weights_come_back_where_drawing_fails():
    unified = adapted()
    before = {name: tensor.clone() for name, tensor in unified.model.state_dict().items()}
    with pytest.raises(UsageError), merged(unified.model):
        draw_codes(unified, [], [0])
    assert all(torch.equal(tensor, before[name]) for name, tensor in unified.model.state_dict().items())


@pytest.mark.parametrize(
    ("dtype", "layout", "into"),
    [
        (torch.float32, "original", "huggingface"),
        (torch.bfloat16, "huggingface", "original"),
        (torch.bfloat16, "original", "original"),
        (torch.float32, "huggingface", "huggingface"),
    ],
)
def test_adapters_are_added_into_a_checkpoint_and_the_rest_keeps_every_bit(tmp_path: Path, dtype, layout, into):
    unified = adapted()
    checkpoints.write(tmp_path / "base", published(), layout, dtype)
    save(tmp_path / "adapter.safetensors", matrices(unified.model), LORA)
    write_merged(tmp_path / "base", tmp_path / "adapter.safetensors", tmp_path / "out", layout=into)
    assert checkpoints.layout_of(tmp_path / "out") == into
    written, base = checkpoints.stored(tmp_path / "out"), checkpoints.stored(tmp_path / "base")
    adapters = matrices(unified.model)
    new, old = written.model.state_dict(), base.model.state_dict()
    for name, tensor in old.items():
        layer = name.removesuffix(".weight")
        wanted = tensor
        if f"{layer}/A" in adapters:
            wanted = added(tensor, adapters[f"{layer}/A"], adapters[f"{layer}/B"], 5 / 3).to(dtype)
            assert not torch.equal(new[name], tensor)
        assert new[name].dtype == dtype
        assert torch.equal(new[name], wanted), name
    if dtype == torch.float32:
        assert torch.allclose(scored(checkpoints.read(tmp_path / "out")), scored(unified), atol=1e-4)
    held, stored = weights_of(tmp_path / "out"), names.written(new, into)
    assert all(torch.equal(held.load(name), tensor) for name, tensor in stored.items())


def test_adapters_of_another_model_or_torn_ones_are_refused(tmp_path: Path):
    base, unified = saved(tmp_path / "base", published()), adapted()
    tensors = matrices(unified.model)
    path = tmp_path / "adapter.safetensors"
    wrong = {
        "no B": {n: t for n, t in tensors.items() if n != "code_head.out/B"},
        "no such layer": {f"x{n}": t for n, t in tensors.items()},
        "another shape": {n: t[:, :-1] if n.endswith("/A") else t for n, t in tensors.items()},
    }
    for content in wrong.values():
        save(path, content, LORA)
        with pytest.raises(DataError, match="does not fit the model"):
            write_merged(base, path, tmp_path / "out")
        assert not (tmp_path / "out").exists()
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match="no whole safetensors"):
        write_merged(base, path, tmp_path / "out")


def test_adapters_of_nothing_are_refused():
    with pytest.raises(UsageError, match="adapters of rank 0 in"):
        adapt(published().model, Lora(), PARTS, 1)
    with pytest.raises(UsageError, match="in 0 layers of nowhere"):
        adapt(published().model, LORA, ("nowhere",), 1)
