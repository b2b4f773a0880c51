"""Images drawn a second, beside transformers' own class with the same weights: python benchmarks/unified_drawing.py

Sixteen prompts of different lengths at once, guidance 5, greedily, so that the same runs show that both draw the same
codes; one thread, the codes alone (the decoder that paints them is the same work for both). Seconds are of the
processor, the best of `--times` runs that take turns. `--dtype` is of both; `--compiled` gives our step to
torch.compile, whose time to compile is left out.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path
from time import process_time
from typing import Any

import torch

from athanor.models.unified.checkpoints import write
from athanor.models.unified.config import TINY, BackboneConfig, EncoderConfig, UnifiedConfig, VisualTokenizerConfig
from athanor.models.unified.drawing import Drawing, draw_codes
from athanor.models.unified.initial import initialise
from athanor.models.unified.model import UnifiedModel
from athanor.models.unified.sampling import Sampling
from athanor.models.unified.text_tokenizer import WordTokenizer
from athanor.models.unified.unified import Unified, fresh

TEXT = "a red blue green circle square star left of right and the big small two three :"
WORDS = WordTokenizer(tuple(TEXT.split()))
PROMPTS = tuple(" ".join(WORDS.words[(i * 5 + j) % 16] for j in range(4 + i % 6)) for i in range(16))


def shapes(grid: int | None) -> dict[str, UnifiedConfig]:
    """The default's backbone, and one of about 100M parameters, with visual tokenizers that both classes can hold;
    images are `grid` codes a side, or the default's 6 and the published 24."""
    big = BackboneConfig(vocabulary=4096, width=768, inner=2048, layers=12, heads=12, kv_heads=12, context=1024)
    tiny = replace(TINY.backbone, context=1024)
    made = {}
    for name, backbone, side, codes in (("tiny", tiny, grid or 6, 512), ("100M", big, grid or 24, 16_384)):
        tower = EncoderConfig(image_size=8 * side, patch=8, width=32, inner=64, layers=1, heads=2)
        tokenizer = VisualTokenizerConfig(
            image_size=8 * side, multipliers=(1, 1, 1, 1), codes=codes, channels=32, residual_blocks=1, latent=32
        )
        made[name] = UnifiedConfig(backbone=backbone, encoder=tower, tokenizer=tokenizer)
    return made


def peer(unified: Unified) -> Any:
    """The same weights in transformers' class."""
    from transformers import JanusForConditionalGeneration

    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "model", unified, "huggingface")
        return JanusForConditionalGeneration.from_pretrained(Path(folder) / "model").eval()


def peer_draws(theirs: Any, unified: Unified) -> torch.Tensor:
    """Int["images codes"] of the prompts, padded on the left as that class asks for."""
    rows = [unified.layout.prompt(prompt) for prompt in PROMPTS]
    longest = max(map(len, rows))
    pad = unified.words.special.pad
    ids = torch.tensor([[pad] * (longest - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
    return theirs.generate(
        ids, attention_mask=mask, generation_mode="image", do_sample=False, guidance_scale=5,
        pad_token_id=pad, bos_token_id=unified.words.special.begin,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=2)
    parser.add_argument("--size", choices=("tiny", "100M"), nargs="*", default=["tiny", "100M"])
    parser.add_argument("--grid", type=int, default=None, help="codes a side")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--compiled", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for name in asked.size:
        told = measured(name, shapes(asked.grid)[name], asked.times, getattr(torch, asked.dtype), asked.compiled)
        print(told, flush=True)


def measured(name: str, config: UnifiedConfig, times: int, dtype: torch.dtype, compiled: bool) -> str:
    """The line of one size."""
    unified = fresh(initialise(UnifiedModel(config), torch.Generator().manual_seed(0)).eval(), WORDS)
    theirs, greedy = peer(unified).to(dtype), Drawing(sampling=Sampling(temperature=0), compiled=compiled)
    unified.model.to(dtype)
    if compiled:
        draw_codes(unified, PROMPTS, how=greedy)
    ways = (lambda: draw_codes(unified, PROMPTS, how=greedy)[:, 0], lambda: peer_draws(theirs, unified))
    seconds, codes = [float("inf")] * 2, [torch.empty(0)] * 2
    for _ in range(times):
        for i, way in enumerate(ways):
            begun = process_time()
            codes[i] = way()
            seconds[i] = min(seconds[i], process_time() - begun)
    same = codes[0] == codes[1]
    ours, other = (len(PROMPTS) / one for one in seconds)
    parameters = sum(weight.numel() for weight in unified.model.parameters())
    how = f"{str(dtype).removeprefix('torch.')}{', ours compiled' if compiled else ''}"
    return (
        f"{name}: {parameters / 1e6:.1f}M parameters, {config.tokenizer.tokens} codes an image, {how}, {ours:.2f} "
        f"images/s here, {other:.2f} images/s in transformers, {ours / other:.1f} times; {same.float().mean():.1%} of "
        "greedy codes equal"
    )


if __name__ == "__main__":
    main()
