"""The matrices of a backbone's layer, with what stands directly before and after each.

Two renderings of one computation: one with the module's own weights, for any device and dtype, and one for few rows on
a CPU in float32, whose copies of the weights lie in the order in which the processor's matrix product reads them (it
would otherwise put them so at every call, which with few rows takes longer than the product itself), with the gains of
the normalisations multiplied in, and with activation, product and residual sum done inside the products.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import LlamaModel

PACKED_MOST = 1_000_000_000
"""Parameters up to which a backbone's matrices are copied for speed."""


class Projections(Protocol):
    """One layer but for its attention. All tensors but those of `into` are Float["... width"]."""

    def into(self, x: Tensor) -> Tensor:
        """Queries, keys and values side by side, Float["... (heads + 2 kv_heads)*size"], of the residual stream."""
        ...

    def out(self, mixed: Tensor, x: Tensor) -> Tensor:
        """The residual stream after attention that mixed `mixed`, Float["... heads*size"]."""
        ...

    def network(self, x: Tensor) -> Tensor:
        """The residual stream after the gated network."""
        ...


class Plain:
    """With the weights of the module itself."""

    def __init__(self, layer: Any) -> None:
        self.layer = layer
        self.eps = layer.input_layernorm.variance_epsilon

    def into(self, x: Tensor) -> Tensor:
        attention = self.layer.self_attn
        normed = self._normed(x, self.layer.input_layernorm.weight)
        return torch.cat([project(normed) for project in (attention.q_proj, attention.k_proj, attention.v_proj)], -1)

    def out(self, mixed: Tensor, x: Tensor) -> Tensor:
        return x + self.layer.self_attn.o_proj(mixed)

    def network(self, x: Tensor) -> Tensor:
        mlp = self.layer.mlp
        normed = self._normed(x, self.layer.post_attention_layernorm.weight)
        return x + mlp.down_proj(F.silu(mlp.gate_proj(normed)) * mlp.up_proj(normed))

    def _normed(self, x: Tensor, weight: Tensor) -> Tensor:
        return F.rms_norm(x, weight.shape, weight, self.eps)


class Packed:
    """With copies of the weights, for oneDNN."""

    def __init__(self, layer: Any) -> None:
        attention, mlp = layer.self_attn, layer.mlp
        width = len(layer.input_layernorm.weight)
        self.floor = torch.tensor(sqrt(width * layer.input_layernorm.variance_epsilon))
        first, second = (norm.weight * sqrt(width) for norm in (layer.input_layernorm, layer.post_attention_layernorm))
        joined = torch.cat([module.weight for module in (attention.q_proj, attention.k_proj, attention.v_proj)])
        self.qkv, self.o = _ordered(joined * first), _ordered(attention.o_proj.weight)
        self.gate, self.up = _ordered(mlp.gate_proj.weight * second), _ordered(mlp.up_proj.weight * second)
        self.down = _ordered(mlp.down_proj.weight)

    def into(self, x: Tensor) -> Tensor:
        return _product(self._unit(x), self.qkv)

    def out(self, mixed: Tensor, x: Tensor) -> Tensor:
        return _product_with(mixed, x, self.o, "add")

    def network(self, x: Tensor) -> Tensor:
        unit = self._unit(x)
        opened = _product_with(unit, _product(unit, self.gate, "swish"), self.up, "mul")
        return _product_with(opened, x, self.down, "add")

    def _unit(self, x: Tensor) -> Tensor:
        """At the length that, but for the square root of the width, RMSNorm gives it: |x|^2 + width eps is 1."""
        return x / torch.hypot(torch.linalg.vector_norm(x, dim=-1, keepdim=True), self.floor)


def _ordered(weight: Tensor) -> Tensor:
    return torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous())


def _product(x: Tensor, weight: Tensor, after: str = "none") -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, weight, None, after, [], "")


def _product_with(x: Tensor, other: Tensor, weight: Tensor, how: str) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise.binary(x, other, weight, None, how)


def packable(weight: Tensor) -> bool:
    """Whether weights like this one can be packed."""
    plain = weight.device.type == "cpu" and weight.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    return plain and torch.backends.mkldnn.is_available()


def projections(backbone: LlamaModel, *, packed: bool) -> list[Projections]:
    """Those of every layer; `packed` where that is possible and the copies are not too large."""
    few = sum(parameter.numel() for parameter in backbone.parameters()) <= PACKED_MOST
    kind = Packed if packed and few and packable(backbone.embed_tokens.weight) else Plain
    with torch.no_grad():
        return [kind(layer) for layer in backbone.layers]


def chained(linears: Sequence[nn.Linear], *, packed: bool) -> Callable[[Tensor], Tensor]:
    """Linear layers with GELU between them: Float["... in"] to Float["... out"]."""
    last = len(linears) - 1
    if not (packed and packable(linears[0].weight)):

        def plain(x: Tensor) -> Tensor:
            for i, one in enumerate(linears):
                x = one(F.gelu(x) if i else x)
            return x

        return plain
    ordered = [(_ordered(one.weight), None if one.bias is None else one.bias.detach()) for one in linears]

    def fused(x: Tensor) -> Tensor:
        for i, (weight, bias) in enumerate(ordered):
            after = "none" if i == last else "gelu"
            x = torch.ops.mkldnn._linear_pointwise(x, weight, bias, after, [], "none" if i < last else "")
        return x

    return fused
