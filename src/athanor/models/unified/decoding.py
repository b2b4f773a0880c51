"""A backbone made ready to write: prompts are read once, and every step reads one token a row.

Rows that continue one prompt share its keys and values and attend to them as one matrix; what is kept for each row is
its own tokens. It computes what `LlamaModel` computes, with less around it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import LlamaModel

Linear = Callable[[Tensor], Tensor]
PACKED_MOST = 1_000_000_000
"""Parameters up to which a backbone's matrices are copied for speed."""


class _Layer(NamedTuple):
    before_attention: Tensor
    into: Linear
    """Queries, keys and values, side by side."""
    out: Linear
    before_network: Tensor
    opened: Linear
    """The gate and what it lets through, side by side."""
    closed: Linear


class Prefix(NamedTuple):
    """Prompts that were read."""

    keys: Tensor
    """Float["layers prompts kv_heads seq size"], rotated; values likewise."""
    values: Tensor
    lengths: Tensor
    """Int["prompts"]: tokens of each; what stands after them is not attended to."""

    def of(self, prompts: Tensor) -> Prefix:
        """Those of some prompts, Int["chosen"], in that order."""
        return Prefix(self.keys[:, prompts], self.values[:, prompts], self.lengths[prompts])


class Past:
    """Keys and values of what the rows have written themselves."""

    def __init__(self, decoder: Decoder, rows: int, capacity: int) -> None:
        shape = (decoder.depth, rows, decoder.kv_heads, capacity, decoder.size)
        self.keys, self.values = decoder.empty(shape), decoder.empty(shape)

    def room(self, length: int) -> None:
        """Let there be room for `length` tokens; it grows by doubling."""
        capacity = self.keys.shape[3]
        if length > capacity:
            more = max(length, 2 * capacity) - capacity
            self.keys, self.values = (F.pad(kept, (0, 0, 0, more)) for kept in (self.keys, self.values))

    def keep(self, rows: Tensor) -> None:
        """Go on with some rows alone, Int["kept"]."""
        self.keys, self.values = self.keys[:, rows], self.values[:, rows]


class Decoder:
    """Reads prompts and goes on from them. It holds the backbone's weights of now: make a new one after training."""

    def __init__(self, backbone: LlamaModel, length: int, *, compiled: bool = False) -> None:
        """For sequences of up to `length` tokens. `compiled` gives the step to `torch.compile`."""
        config = backbone.config
        self.heads, self.kv_heads = int(config.num_attention_heads), int(config.num_key_value_heads or 0)
        self.size, self.depth, self.eps = int(config.head_dim or 0), int(config.num_hidden_layers), config.rms_norm_eps
        weight = backbone.embed_tokens.weight
        self.like = weight.detach()[:0]
        few = sum(parameter.numel() for parameter in backbone.parameters()) <= PACKED_MOST
        packed = weight.device.type == "cpu" and weight.dtype == torch.float32 and few and not compiled
        self.layers = [_layer(layer, packed) for layer in cast("Any", backbone.layers)]
        self.norm = backbone.norm.weight.detach()
        cos, sin = backbone.rotary_emb(self.like, torch.arange(length, device=weight.device)[None])
        self.cos, self.sin = cos[0], sin[0]
        self._run = torch.compile(self._through, dynamic=True) if compiled else self._through

    def empty(self, shape: Sequence[int]) -> Tensor:
        """A tensor of the backbone's dtype, on its device."""
        return self.like.new_empty(tuple(shape))

    def read(self, x: Tensor, lengths: Tensor) -> tuple[Prefix, Tensor]:
        """Prompts of embeddings, Float["prompts seq width"], padded on the right, of Int["prompts"] tokens each: what
        was read, and the last token's state, Float["prompts width"], normalised."""
        count, seq, _ = x.shape
        cos, sin = self.cos[:seq], self.sin[:seq]
        keys, values = (self.empty((self.depth, count, self.kv_heads, seq, self.size)) for _ in range(2))
        for i, layer in enumerate(self.layers):
            q, k, v = self._split(layer.into(self._normed(x, layer.before_attention)), (count, seq))
            q, k, v = (part.transpose(1, 2) for part in (q, k, v))
            keys[i], values[i] = _rotated(k, cos, sin), v
            mixed = F.scaled_dot_product_attention(
                _rotated(q, cos, sin), keys[i], values[i], is_causal=True, enable_gqa=self.heads != self.kv_heads
            )
            x = x + layer.out(mixed.transpose(1, 2).reshape(count, seq, -1))
            x = x + self._network(layer, x)
        last = x[torch.arange(count, device=x.device), lengths - 1]
        return Prefix(keys, values, lengths), self._normed(last, self.norm)

    def step(self, x: Tensor, prefix: Prefix, past: Past, at: int) -> Tensor:
        """Float["rows width"], normalised: the state after one more token of each row, Float["rows width"], its `at`-th
        own. Rows are prompts times samples, the samples of a prompt side by side."""
        past.room(at + 1)
        samples = len(x) // len(prefix.lengths)
        places = (prefix.lengths + at).repeat_interleave(samples)
        shut = torch.arange(prefix.keys.shape[3], device=x.device) >= prefix.lengths[:, None]
        bias = x.new_zeros(shut.shape).masked_fill(shut, -torch.inf)[:, None, None]
        return self._run(x, prefix.keys, prefix.values, bias, past.keys, past.values, places, at)

    def _through(
        self, x: Tensor, k0: Tensor, v0: Tensor, bias: Tensor, keys: Tensor, values: Tensor, places: Tensor, at: int
    ) -> Tensor:
        cos, sin = self.cos[places][:, None], self.sin[places][:, None]
        for i, layer in enumerate(self.layers):
            q, k, v = self._split(layer.into(self._normed(x, layer.before_attention)), (len(x),))
            keys[i, :, :, at], values[i, :, :, at] = _rotated(k, cos, sin), v
            own = keys[i, :, :, : at + 1], values[i, :, :, : at + 1]
            x = x + layer.out(self._attend(_rotated(q, cos, sin), k0[i], v0[i], bias, own))
            x = x + self._network(layer, x)
        return self._normed(x, self.norm)

    def _attend(self, q: Tensor, k0: Tensor, v0: Tensor, bias: Tensor, own: tuple[Tensor, Tensor]) -> Tensor:
        """Float["rows heads*size"] of one query a row, Float["rows heads size"], over its prompt and its own tokens.

        `k0` and `v0` are Float["prompts kv_heads seq size"], `own` Float["rows kv_heads steps size"] each.
        """
        prompts, seq, rows = len(k0), k0.shape[2], len(q)
        shared = rows // prompts * self.heads // self.kv_heads
        q = (q * (1 / sqrt(self.size))).view(rows, self.kv_heads, -1, self.size)
        grouped = q.view(prompts, -1, *q.shape[1:]).transpose(1, 2).reshape(prompts, self.kv_heads, shared, self.size)
        told = grouped @ k0.transpose(2, 3) + bias
        told = told.view(prompts, self.kv_heads, -1, q.shape[2], seq).transpose(1, 2).reshape(*q.shape[:3], seq)
        weights = torch.cat([told, q @ own[0].transpose(2, 3)], -1).softmax(-1)
        first = weights[..., :seq].view(prompts, -1, *weights.shape[1:3], seq).transpose(1, 2)
        first = first.reshape(prompts, self.kv_heads, shared, seq) @ v0
        first = first.view(prompts, self.kv_heads, -1, *q.shape[2:]).transpose(1, 2).reshape(q.shape)
        return (first + weights[..., seq:] @ own[1]).reshape(rows, -1)

    def _split(self, joined: Tensor, leading: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
        heads = joined.view(*leading, self.heads + 2 * self.kv_heads, self.size)
        q, k, v = heads.split((self.heads, self.kv_heads, self.kv_heads), dim=-2)
        return q, k, v

    def _network(self, layer: _Layer, x: Tensor) -> Tensor:
        gate, up = layer.opened(self._normed(x, layer.before_network)).chunk(2, -1)
        return layer.closed(F.silu(gate) * up)

    def _normed(self, x: Tensor, weight: Tensor) -> Tensor:
        return F.rms_norm(x, weight.shape, weight, self.eps)


def _rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions on Float["... size"]: the first half of a head turns against the second."""
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat([-second, first], -1) * sin


def _layer(layer: Any, packed: bool) -> _Layer:
    attention, network = layer.self_attn, layer.mlp
    return _Layer(
        before_attention=layer.input_layernorm.weight.detach(),
        into=linear([attention.q_proj, attention.k_proj, attention.v_proj], packed),
        out=linear([attention.o_proj], packed),
        before_network=layer.post_attention_layernorm.weight.detach(),
        opened=linear([network.gate_proj, network.up_proj], packed),
        closed=linear([network.down_proj], packed),
    )


def linear(modules: Sequence[torch.nn.Linear], packed: bool) -> Linear:
    """What linear layers make of one input, side by side.

    `packed` copies their weights once into the order in which the CPU's matrix product reads them, which it would
    otherwise do at every call: with few rows that takes longer than the product itself.
    """
    weights = [module.weight.detach() for module in modules]
    biases = None if modules[0].bias is None else torch.cat([module.bias.detach() for module in modules])
    if packed and torch.backends.mkldnn.is_available():
        ordered = torch.ops.mkldnn._reorder_linear_weight(torch.cat(weights))
        return lambda x: torch.ops.mkldnn._linear_pointwise(x, ordered, biases, "none", [], "")
    if len(weights) == 1:
        return lambda x: F.linear(x, weights[0], biases)
    return lambda x: torch.cat([F.linear(x, weight) for weight in weights], -1)
