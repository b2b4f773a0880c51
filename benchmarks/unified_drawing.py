"""Images drawn a second, beside transformers' own class with the same weights: python benchmarks/unified_drawing.py

Sixteen prompts of different lengths at once, guidance 5, every code drawn from the whole distribution, one thread, the
codes alone (the decoder that paints them is the same work for both). First greedily, to see that both draw the same
codes. Seconds are of the processor, the best of `--times` runs that take turns.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Callable
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
TOWER = EncoderConfig(image_size=48, patch=8, width=32, inner=64, layers=1, heads=2)
TOKENIZER: dict[str, Any] = {"channels": 32, "residual_blocks": 1, "latent": 32}


def shapes(grid: int) -> dict[str, UnifiedConfig]:
    """The default's backbone, and one of about 100M parameters, with visual tokenizers that both classes can hold;
    the latter's images are `grid` codes a side."""
    big = BackboneConfig(vocabulary=4096, width=768, inner=2048, layers=12, heads=12, kv_heads=12, context=512)
    few = VisualTokenizerConfig(image_size=48, multipliers=(1, 1, 1, 1), codes=512, **TOKENIZER)
    many = VisualTokenizerConfig(image_size=8 * grid, multipliers=(1, 1, 1, 1), codes=16_384, **TOKENIZER)
    wide = EncoderConfig(image_size=8 * grid, patch=8, width=32, inner=64, layers=1, heads=2)
    return {
        "tiny": UnifiedConfig(backbone=TINY.backbone, encoder=TOWER, tokenizer=few),
        "100M": UnifiedConfig(backbone=big, encoder=wide, tokenizer=many),
    }


def peer(unified: Unified) -> Any:
    """The same weights in transformers' class."""
    from transformers import JanusForConditionalGeneration

    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "model", unified, "huggingface")
        return JanusForConditionalGeneration.from_pretrained(Path(folder) / "model").eval()


def peer_draws(theirs: Any, unified: Unified, sample: bool) -> torch.Tensor:
    """Int["images codes"] of the prompts, padded on the left as that class asks for."""
    rows = [unified.layout.prompt(prompt) for prompt in PROMPTS]
    longest = max(map(len, rows))
    pad = unified.words.special.pad
    ids = torch.tensor([[pad] * (longest - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
    return theirs.generate(
        ids, attention_mask=mask, generation_mode="image", do_sample=sample, guidance_scale=5, top_k=None,
        pad_token_id=pad, bos_token_id=unified.words.special.begin,
    )  # fmt: skip


def best(times: int, *runs: Callable[[], object]) -> list[float]:
    """Processor seconds of each, the least of several turns."""
    least = [float("inf")] * len(runs)
    for _ in range(times):
        for i, run in enumerate(runs):
            begun = process_time()
            run()
            least[i] = min(least[i], process_time() - begun)
    return least


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=2)
    parser.add_argument("--size", choices=("tiny", "100M"), nargs="*", default=["tiny", "100M"])
    parser.add_argument("--grid", type=int, default=12)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for name in asked.size:
        print(measured(name, shapes(asked.grid)[name], asked.times), flush=True)


def measured(name: str, config: UnifiedConfig, times: int) -> str:
    """The line of one size."""
    unified = fresh(initialise(UnifiedModel(config), torch.Generator().manual_seed(0)).eval(), WORDS)
    theirs, greedy = peer(unified), Drawing(sampling=Sampling(temperature=0))
    same = draw_codes(unified, PROMPTS, how=greedy)[:, 0] == peer_draws(theirs, unified, False)
    seconds = best(times, lambda: draw_codes(unified, PROMPTS), lambda: peer_draws(theirs, unified, True))
    ours, other = (len(PROMPTS) / one for one in seconds)
    parameters = sum(weight.numel() for weight in unified.model.parameters())
    return (
        f"{name}: {parameters / 1e6:.1f}M parameters, {config.tokenizer.tokens} codes an image, {ours:.2f} images/s "
        f"here, {other:.2f} images/s in transformers, {ours / other:.1f} times; {same.float().mean():.1%} of greedy "
        "codes equal"
    )


if __name__ == "__main__":
    main()
