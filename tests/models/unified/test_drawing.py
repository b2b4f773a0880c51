"""From prompts to images."""

from __future__ import annotations

from dataclasses import replace
from shutil import which

import pytest
import torch
from torch import Tensor

from athanor.core.errors import UsageError
from athanor.core.seeds import stream
from athanor.models.unified import drawing
from athanor.models.unified.config import UnifiedConfig
from athanor.models.unified.decoding import Decoder, Past
from athanor.models.unified.drawing import Drawing, draw, draw_codes
from athanor.models.unified.losses import drawing_logprobs
from athanor.models.unified.model import CODE, TEXT
from athanor.models.unified.projections import Packed, Plain, chained
from athanor.models.unified.sampling import Sampling, drawn, guided
from athanor.models.unified.unified import Unified
from tests.models.unified.small import JANUS, OTHER, published, unified

GREEDY = Sampling(temperature=0)
PROMPTS = ("two red circles", "a blue square left of the red circle", "")


@pytest.fixture(scope="module")
def small() -> Unified:
    return unified()


@torch.no_grad()
def slowly(
    content: Unified, prompt: str, weight: float, sampling: Sampling, seed: int = 0, codes: int = 12
) -> list[int]:
    """The specified algorithm for one image: both branches read from the beginning at every code."""
    model, layout = content.model, content.layout
    tokens = layout.prompt(prompt)
    bare = [tokens[0], *[content.words.special.pad] * (len(tokens) - 2), tokens[-1]]
    numbers = stream(seed, "drawing", prompt).random(layout.codes)
    made: list[int] = []
    for step in range(codes):
        rows = torch.tensor([tokens + made, bare + made])
        kinds = torch.tensor([TEXT] * len(tokens) + [CODE] * step).expand(2, -1)
        x = model.embed(rows, kinds, torch.empty(0, 3, 1, 1))
        hidden = model.backbone(inputs_embeds=x, use_cache=False).last_hidden_state[:, -1]
        logits = model.code_head(hidden)
        one = guided(logits[:1], logits[1:], weight)
        made.append(int(drawn(one, torch.from_numpy(numbers[step : step + 1]), sampling)))
    return made


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("sampling", [GREEDY, Sampling(), Sampling(temperature=0.7, top_k=9, top_p=0.8)])
def test_codes_of_a_cached_batch_are_those_of_one_prompt_read_again_at_every_code(
    small: Unified, weight: float, sampling: Sampling
):
    found = draw_codes(small, PROMPTS, [0], Drawing(guidance=weight, sampling=sampling))
    for prompt, codes in zip(PROMPTS, found[:, 0].tolist(), strict=True):
        assert codes[:12] == slowly(small, prompt, weight, sampling)


def test_greedy_codes_are_those_of_the_uncached_loop_to_the_end_and_in_the_published_shape():
    content = published()
    found = draw_codes(content, ["two red circles", "a"], [0], Drawing(sampling=GREEDY))
    for prompt, codes in zip(("two red circles", "a"), found[:, 0].tolist(), strict=True):
        assert codes == slowly(content, prompt, 5.0, GREEDY, codes=content.layout.codes)


@pytest.mark.parametrize(
    "batch", [pytest.param(1, marks=pytest.mark.slow), 5, pytest.param(16, marks=pytest.mark.slow)]
)
def test_an_image_depends_on_its_prompt_and_seed_and_not_on_its_company(small: Unified, batch: int):
    seeds = [4, 11]
    together = draw_codes(small, PROMPTS, seeds, Drawing(guidance=2, batch=batch))
    for i, prompt in enumerate(PROMPTS):
        for j, seed in enumerate(seeds):
            assert torch.equal(draw_codes(small, [prompt], [seed], Drawing(guidance=2))[0, 0], together[i, j])
    assert len({tuple(codes.tolist()) for codes in together.flatten(0, 1)}) == 6


def test_samples_of_a_prompt_are_drawn_from_one_reading_of_it(small: Unified, monkeypatch: pytest.MonkeyPatch):
    read: list[tuple[int, ...]] = []
    whole = Decoder.read
    monkeypatch.setattr(
        Decoder, "read", lambda self, x, lengths: read.append(tuple(lengths)) or whole(self, x, lengths)
    )
    draw_codes(small, ["two", "red", "two red circles"], range(4), Drawing(batch=12))
    assert [[int(length) for length in lengths] for lengths in read] == [[4, 4, 6, 4, 6]]  # bare prompts once a length


def test_without_guidance_the_bare_prompt_is_not_read(small: Unified, monkeypatch: pytest.MonkeyPatch):
    rows: list[int] = []
    step = Decoder.step
    monkeypatch.setattr(Decoder, "step", lambda self, x, past: rows.append(len(x)) or step(self, x, past))
    draw_codes(small, ["two"], [0, 1], Drawing(guidance=1))
    assert set(rows) == {2}
    draw_codes(small, ["two"], [0, 1], Drawing(guidance=3))
    assert set(rows) == {2, 4}


def test_the_last_code_is_drawn_and_not_read(small: Unified, monkeypatch: pytest.MonkeyPatch):
    steps: list[int] = []
    step = Decoder.step
    monkeypatch.setattr(Decoder, "step", lambda self, x, past: steps.append(len(x)) or step(self, x, past))
    assert draw_codes(small, ["two"]).shape == (1, 1, 100)
    assert len(steps) == 99


def test_images_are_painted_from_the_codes(small: Unified):
    found = draw(small, ["two", "red"], [0, 1], Drawing(batch=3))
    assert found.pixels.shape == (2, 2, 3, 40, 40)
    painted = small.model.visual_tokenizer.decode(found.codes[1, :1])
    assert torch.allclose(found.pixels[1, :1], painted, atol=1e-5)


def test_a_prompt_that_cannot_be_drawn_stops_everything_before_anything_is_drawn(
    small: Unified, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(drawing, "_read", None)
    for wrong, said in (
        ("an elephant", "does not know"),
        ("red " * 5000, "shorten it"),
        ("red <end_of_image>", "mark"),
    ):
        with pytest.raises(UsageError, match=said):
            draw(small, ["two", wrong])
    with pytest.raises(UsageError, match="nothing to draw"):
        draw(small, [])
    with pytest.raises(UsageError, match="batch is 0"):
        Drawing(batch=0)
    with pytest.raises(UsageError, match="guidance is nan"):
        Drawing(guidance=float("nan"))


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_codes_are_scored_under_the_distribution_that_they_were_drawn_from(small: Unified, guidance: float):
    sampling = Sampling(temperature=0.8, top_k=20)
    prompts = ("two red circles", "a")
    codes = draw_codes(small, prompts, [0], Drawing(guidance=guidance, sampling=sampling))[:, 0]
    logprobs = drawing_logprobs(small, prompts, codes, guidance=guidance, sampling=sampling)
    assert logprobs.shape == codes.shape
    assert logprobs.isfinite().all()
    other = drawing_logprobs(small, prompts, codes, guidance=guidance + 1, sampling=Sampling())
    assert not torch.allclose(other, logprobs, atol=1e-2)
    logprobs.sum().backward()
    assert small.model.code_head.out.weight.grad is not None
    small.model.zero_grad()


CONFIGS = (OTHER, JANUS, replace(OTHER, backbone=replace(OTHER.backbone, kv_heads=1, rope_base=500.0)))


@torch.no_grad()
@pytest.mark.parametrize("config", CONFIGS, ids=["shared heads", "published", "one head of keys"])
@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("lengths", [[7, 2, 5], [4, 4, 4]])
def test_the_decoder_computes_what_the_backbone_computes(config: UnifiedConfig, samples: int, lengths: list[int]):
    backbone = unified(replace(config, backbone=replace(config.backbone, vocabulary=40))).model.backbone
    generator = torch.Generator().manual_seed(0)
    prompts = torch.randn(3, max(lengths), config.backbone.width, generator=generator)
    own = torch.randn(3 * samples, 6, config.backbone.width, generator=generator)
    decoder = Decoder(backbone, 20)
    prefix, last = decoder.read(prompts, torch.tensor(lengths))
    past = Past(prefix, samples, 2)  # too little room: it must grow

    def whole(row: int, steps: int) -> Tensor:
        prompt = row // samples
        x = torch.cat([prompts[prompt, : lengths[prompt]], own[row, :steps]])[None]
        return backbone(inputs_embeds=x, use_cache=False).last_hidden_state[0, -1]

    assert torch.allclose(last, torch.stack([whole(i * samples, 0) for i in range(3)]), atol=1e-5)
    for step in range(6):
        found = decoder.step(own[:, step], past)
        assert torch.allclose(found, torch.stack([whole(i, step + 1) for i in range(3 * samples)]), atol=1e-5)


@torch.no_grad()
def test_packed_and_plain_projections_compute_the_same(small: Unified):
    layer = small.model.backbone.layers[0]
    packed, plain, x = Packed(layer), Plain(layer), torch.randn(5, 32)
    mixed = torch.randn(5, 32)
    assert torch.allclose(packed.into(x), plain.into(x), atol=1e-5)
    assert torch.allclose(packed.out(mixed, x), plain.out(mixed, x), atol=1e-5)
    assert torch.allclose(packed.network(x), plain.network(x), atol=1e-5)
    zero = torch.zeros(1, 32)
    assert torch.equal(packed.network(zero), zero)
    head = [small.model.code_head.into, small.model.code_head.out]
    assert torch.allclose(chained(head, packed=True)(x), chained(head, packed=False)(x), atol=1e-5)


def test_half_precision_draws_with_positions_that_are_not_rounded():
    content = unified().to("cpu", torch.bfloat16)
    assert content.model.backbone.rotary_emb.inv_freq.dtype == torch.float32
    found = draw(content, ["two red circles", ""], [0, 1])
    assert found.pixels.isfinite().all()
    assert found.pixels.dtype == torch.float32


@pytest.mark.slow
@pytest.mark.skipif(
    not any(map(which, ("c++", "g++", "clang++"))), reason="torch.compile needs a C++ compiler on a CPU"
)
@pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")
def test_a_compiled_step_draws_the_same_codes(small: Unified):
    how = Drawing(guidance=2, sampling=GREEDY)
    plain = draw_codes(small, PROMPTS, [0], how)
    assert torch.equal(draw_codes(small, PROMPTS, [0], replace(how, compiled=True)), plain)
