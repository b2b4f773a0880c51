"""What the tensors of a unified model are called in the two published layouts of its weights, and how they are cut.

`original` is that of the released checkpoints (deepseek-ai/Janus), `huggingface` that of `transformers`' Janus classes.
One table serves reading and writing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from athanor.core.errors import DataError

ASSEMBLED = "assembled.json"
"""Beside a model that was put together of parts: which they were."""
LayoutName = Literal["original", "huggingface"]


class Source(NamedTuple):
    """Where a tensor of the model lies in a file."""

    name: str
    part: int | None = None
    """Which third of the file's tensor, along its first axis; None for all of it."""
    batched: bool = False
    """Whether the file's tensor has a first axis of length 1 more."""


_TOWER = "vision_model.vision_tower."
_BLOCK = r"encoder\.encoder\.layers\.(\d+)\."
_ORIGINAL: tuple[tuple[str, str], ...] = (
    (r"encoder\.embeddings\.patch_embedding\.", _TOWER + "patch_embed.proj."),
    (_BLOCK + r"layer_norm([12])\.", _TOWER + r"blocks.\1.norm\2."),
    (_BLOCK + r"self_attn\.out_proj\.", _TOWER + r"blocks.\1.attn.proj."),
    (_BLOCK + r"mlp\.", _TOWER + r"blocks.\1.mlp."),
    (r"encoder\.post_layernorm\.", _TOWER + "norm."),
    (r"encoder_adaptor\.layers\.(\d+)\.", r"aligner.layers.<2*\1>."),
    (r"visual_tokenizer\.", "gen_vision_model."),
    (r"code_embedding\.", "gen_embed."),
    (r"code_adaptor\.layers\.(\d+)\.", r"gen_aligner.layers.<2*\1>."),
    (r"code_head\.into\.", "gen_head.output_mlp_projector."),
    (r"code_head\.out\.", "gen_head.vision_head."),
    (r"backbone\.", "language_model.model."),
    (r"text_head\.", "language_model.lm_head."),
)
_HUGGINGFACE: tuple[tuple[str, str], ...] = (
    (_BLOCK + r"self_attn\.out_proj\.", r"model.vision_model.encoder.layers.\1.self_attn.projection_layer."),
    (r"encoder\.", "model.vision_model."),
    (r"encoder_adaptor\.layers\.0\.", "model.aligner.fc1."),
    (r"encoder_adaptor\.layers\.(\d+)\.", r"model.aligner.hidden_layers.<\1-1>."),
    (r"visual_tokenizer\.encoder\.conv_blocks\.(\d+)\.res\.", r"model.vqmodel.encoder.down.\1.block."),
    (r"visual_tokenizer\.encoder\.conv_blocks\.", "model.vqmodel.encoder.down."),
    (r"visual_tokenizer\.decoder\.conv_blocks\.(\d+)\.res\.", r"model.vqmodel.decoder.up.\1.block."),
    (r"visual_tokenizer\.decoder\.conv_blocks\.", "model.vqmodel.decoder.up."),
    (r"visual_tokenizer\.(encoder|decoder)\.mid\.0\.", r"model.vqmodel.\1.mid.block_1."),
    (r"visual_tokenizer\.(encoder|decoder)\.mid\.1\.", r"model.vqmodel.\1.mid.attn_1."),
    (r"visual_tokenizer\.(encoder|decoder)\.mid\.2\.", r"model.vqmodel.\1.mid.block_2."),
    (r"visual_tokenizer\.", "model.vqmodel."),
    (r"code_embedding\.", "model.generation_embeddings."),
    (r"code_adaptor\.layers\.0\.", "model.generation_aligner.fc1."),
    (r"code_adaptor\.layers\.(\d+)\.", r"model.generation_aligner.hidden_layers.<\1-1>."),
    (r"code_head\.into\.", "model.generation_head.proj_out."),
    (r"code_head\.out\.", "model.generation_head.vision_head."),
    (r"backbone\.", "model.language_model."),
    (r"text_head\.", "lm_head."),
)
_RULES: Mapping[str, tuple[tuple[re.Pattern[str], str], ...]] = {
    layout: tuple((re.compile(ours), theirs) for ours, theirs in rules)
    for layout, rules in (("original", _ORIGINAL), ("huggingface", _HUGGINGFACE))
}
_UNUSED = (_TOWER + "attn_pool.", "gen_vision_model.quantize.codebook_used")
"""What the original checkpoints hold and nothing runs: a head that pools, a buffer that counts codes."""
_SUM = re.compile(r"<(\d+)([*-])(\d+)>")


def source(name: str, layout: LayoutName) -> Source:
    """Where a tensor of the model, by its name in `UnifiedModel.state_dict()`, lies in a layout."""
    if layout == "original":
        if name == "encoder.embeddings.position_embedding.weight":
            return Source(_TOWER + "pos_embed", batched=True)
        qkv = re.fullmatch(_BLOCK + r"self_attn\.([qkv])_proj\.(weight|bias)", name)
        if qkv:
            return Source(f"{_TOWER}blocks.{qkv[1]}.attn.qkv.{qkv[3]}", part="qkv".index(qkv[2]))
    for ours, theirs in _RULES[layout]:
        found, count = ours.subn(theirs, name, count=1) if ours.match(name) else (name, 0)
        if count:
            return Source(_SUM.sub(_reckoned, found))
    raise AssertionError(f"no rule names {name} in the layout {layout}")  # a test holds every name against the rules


def _reckoned(sum_: re.Match[str]) -> str:
    first, second = int(sum_[1]), int(sum_[3])
    return str(first * second if sum_[2] == "*" else first - second)


def layout_of(names: set[str]) -> LayoutName | None:
    """The layout of a file's tensors by their names, if it is one of the two."""
    if any(name.startswith("gen_vision_model.") for name in names):
        return "original"
    return "huggingface" if any(name.startswith("model.vqmodel.") for name in names) else None


def unused(names: set[str]) -> set[str]:
    """Which of a file's tensors no model runs."""
    return {name for name in names if name.startswith(_UNUSED)}


def read(
    shapes: Mapping[str, torch.Size], names: set[str], layout: LayoutName, load: Callable[[str], Tensor], where: str
) -> dict[str, Tensor]:
    """The model's tensors, by the model's own names, of a file with `names` that `load` reads one by one.

    DataError if one is missing, is not known, or has another shape than the model's.
    """
    sources = {ours: source(ours, layout) for ours in shapes}
    wanted = {one.name for one in sources.values()}
    missing, extra = sorted(wanted - names), sorted(names - wanted - unused(names))
    if missing or extra:
        found = f"lacks {_some(missing)}" if missing else f"holds {_some(extra)}, which the model has not"
        raise DataError(
            f"{where} {found}; its config.json describes another model: pass the files of one checkpoint together"
        )
    made: dict[str, Tensor] = {}
    whole: tuple[str, Tensor] | None = None
    for ours, one in sorted(sources.items(), key=lambda item: item[1].name):
        if whole is None or whole[0] != one.name:
            whole = one.name, load(one.name)
        tensor, shape = whole[1], shapes[ours]
        refuse_quantised(tensor, one.name, where)
        expected = (3 * shape[0], *shape[1:]) if one.part is not None else (1, *shape) if one.batched else tuple(shape)
        if tuple(tensor.shape) != expected:
            raise DataError(
                f"{where} has {one.name} of shape {list(tensor.shape)}, config.json says {list(expected)}; pass the "
                "files of one checkpoint together"
            )
        made[ours] = tensor.chunk(3)[one.part].clone() if one.part is not None else tensor.view(shape)
    return made


def refuse_quantised(tensor: Tensor, name: str, where: str) -> None:
    """DataError for a tensor of whole numbers."""
    if not tensor.is_floating_point():
        raise DataError(
            f"{where} has {name} in {str(tensor.dtype).removeprefix('torch.')}, as quantised models do; pass weights "
            "in float32, bfloat16 or float16"
        )


def written(tensors: Mapping[str, Tensor], layout: LayoutName) -> dict[str, Tensor]:
    """The model's tensors as a file of a layout holds them."""
    parts: dict[str, dict[int, Tensor]] = {}
    made: dict[str, Tensor] = {}
    for ours, tensor in tensors.items():
        one = source(ours, layout)
        if one.part is None:
            made[one.name] = tensor[None] if one.batched else tensor
        else:
            parts.setdefault(one.name, {})[one.part] = tensor
    return made | {name: torch.cat([thirds[i] for i in range(3)]) for name, thirds in parts.items()}


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
