"""A backbone made ready to write: prompts are read once, and every step reads one token a row.

Rows that continue one prompt share its keys and values and attend to them as one matrix; what is kept for each row is
its own tokens. It computes what `LlamaModel` computes, with less around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import LlamaModel

from athanor.models.unified.projections import projections


class Prefix(NamedTuple):
    """Prompts that were read."""

    keys: Tensor
    """Float["layers prompts kv_heads seq size"], rotated."""
    values: Tensor
    """Float["layers prompts kv_heads seq size"]."""
    lengths: Tensor
    """Int["prompts"]: tokens of each; what stands after them is not attended to."""

    def of(self, prompts: Tensor) -> Prefix:
        """Those of some prompts, Int["chosen"], in that order."""
        return Prefix(self.keys[:, prompts], self.values[:, prompts], self.lengths[prompts])


class Past:
    """What rows attend to: the prompts, shared by the samples of each, and the tokens that each row wrote itself.

    Where a prompt has one sample, its keys and values are put before the row's own instead, at the right end of their
    room, so that a step attends to one matrix.
    """

    def __init__(self, prefix: Prefix, samples: int, capacity: int, *, fixed: bool = False) -> None:
        """Rows are prompts times samples, the samples of a prompt side by side, each with room for `capacity` more.

        `fixed` attends to the whole room at every step, with what is not yet written masked: more arithmetic, and no
        shape that changes from step to step, which `torch.compile` needs.
        """
        depth, prompts, heads, seq, size = prefix.keys.shape
        lengths = prefix.lengths
        self.heads = heads
        self.places = lengths.repeat_interleave(samples)
        """Int["rows"]: the position of the next token of each."""
        self.shared: tuple[Tensor, Tensor] | None = None
        self.bias: Tensor | None = None
        """Float["prompts 1 seq"], of prompts: -inf where there is nothing to attend to; None if there is everywhere."""
        ragged = bool((lengths != seq).any())
        place = torch.arange(seq, device=lengths.device)
        if samples > 1:
            self.shared = prefix.keys.flatten(1, 2), prefix.values.flatten(1, 2)
            self.filled = 0
            absent = place >= lengths[:, None]
        else:
            self.filled = seq
            absent = place < seq - lengths[:, None]
        if ragged:
            floor = prefix.keys.new_zeros(prompts, 1, seq).masked_fill(absent[:, None], -torch.inf)
            self.bias = floor.repeat_interleave(heads, 0)
        shape = (prompts * samples * heads, self.filled + capacity, size)
        self.keys, self.values = ([prefix.keys.new_zeros(shape) for _ in range(depth)] for _ in range(2))
        """Float["rows*kv_heads room size"] of each layer."""
        if samples == 1:
            turns = [seq - length for length in lengths.tolist()]  # a prompt's tokens come last, what is no token first
            for kept, read in ((self.keys, prefix.keys), (self.values, prefix.values)):
                for own, layer in zip(kept, read, strict=True):
                    rows = own.view(prompts, heads, -1, size)
                    for i, turn in enumerate(turns):
                        rows[i, :, :seq] = layer[i].roll(turn, 1)
        self.unwritten: Tensor | None = None
        """Float["room"], if fixed: -inf where nothing is written yet."""
        if fixed:
            self.unwritten = prefix.keys.new_full((self.room,), -torch.inf)
            self.unwritten[: self.filled] = 0

    @property
    def room(self) -> int:
        """Tokens of its own, or with its prompt, that a row has room for."""
        return self.keys[0].shape[1]

    def begin(self) -> int:
        """Open the place of the next token; gives how many places it attends to."""
        if self.unwritten is None:
            return self.filled + 1
        self.unwritten[self.filled] = 0
        return self.room

    def next(self) -> None:
        """Go on to the next token; its room grows by doubling."""
        self.filled += 1
        self.places = self.places + 1
        if self.filled >= self.room:
            more = self.room
            if self.unwritten is not None:
                self.unwritten = F.pad(self.unwritten, (0, more), value=-torch.inf)
            self.keys, self.values = (
                [F.pad(own, (0, 0, 0, more)) for own in kept] for kept in (self.keys, self.values)
            )

    def keep(self, rows: Tensor) -> None:
        """Go on with some rows alone, Int["kept"], where each has a prompt of its own."""
        assert self.shared is None
        cut = (rows[:, None] * self.heads + torch.arange(self.heads, device=rows.device)).flatten()
        self.keys, self.values = ([own[cut] for own in kept] for kept in (self.keys, self.values))
        self.places = self.places[rows]
        self.bias = None if self.bias is None else self.bias[cut]


class Decoder:
    """Reads prompts and goes on from them. It may hold copies of the backbone's weights: make a new one after
    training."""

    def __init__(self, backbone: LlamaModel, length: int, *, compiled: bool = False) -> None:
        """For sequences of up to `length` tokens. `compiled` gives the step to `torch.compile`."""
        config = backbone.config
        self.heads, self.kv_heads = int(config.num_attention_heads), int(config.num_key_value_heads or 0)
        self.size, self.eps = int(config.head_dim or 0), float(config.rms_norm_eps)
        self.scale = 1 / sqrt(self.size)
        self.layers = projections(backbone, packed=not compiled)
        self.norm = backbone.norm.weight.detach()
        places = torch.arange(length, device=self.norm.device)[None]
        cos, sin = (table[0] for table in backbone.rotary_emb(self.norm, places))
        sign = torch.ones_like(sin)
        sign[:, : self.size // 2] = -1
        self.cos, self.sin = cos, sin * sign
        self.compiled = compiled
        self._run = torch.compile(self._through) if compiled else self._through

    def past(self, prefix: Prefix, samples: int, capacity: int) -> Past:
        """What `samples` rows of each prompt attend to, with room for `capacity` tokens more."""
        return Past(prefix, samples, capacity, fixed=self.compiled)

    def read(self, x: Tensor, lengths: Tensor) -> tuple[Prefix, Tensor]:
        """Prompts of embeddings, Float["prompts seq width"], padded on the right, of Int["prompts"] tokens each: what
        was read, and the last token's state, Float["prompts width"], normalised."""
        count, seq, _ = x.shape
        cos, sin = self.cos[:seq, None], self.sin[:seq, None]
        keys, values = [], []
        for layer in self.layers:
            turned, v = self._turned(layer.into(x), cos, sin)
            q, k = (part.transpose(1, 2) for part in turned.split((self.heads, self.kv_heads), -2))
            v = v.transpose(1, 2)
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=self.heads != self.kv_heads)
            x = layer.network(layer.out(mixed.transpose(1, 2).reshape(count, seq, -1), x))
            keys.append(k)
            values.append(v)
        last = x[torch.arange(count, device=x.device), lengths - 1]
        return Prefix(torch.stack(keys), torch.stack(values), lengths), self._normed(last)

    def step(self, x: Tensor, past: Past) -> Tensor:
        """Float["rows width"], normalised: the state after one more token of each row, Float["rows width"]."""
        cos, sin = self.cos[past.places][:, None], self.sin[past.places][:, None]
        at, seen = torch.tensor([past.filled], device=x.device), past.begin()
        hidden = self._run(
            x, cos, sin, past.shared, past.bias, past.keys, past.values, at, seen, past.unwritten
        )  # fmt: skip
        past.next()
        return hidden

    def _through(
        self, x: Tensor, cos: Tensor, sin: Tensor, shared: tuple[Tensor, Tensor] | None, bias: Tensor | None,
        keys: Sequence[Tensor], values: Sequence[Tensor], at: Tensor, seen: int, unwritten: Tensor | None,
    ) -> Tensor:  # fmt: skip
        rows, groups = len(x), self.heads // self.kv_heads
        for i, layer in enumerate(self.layers):
            turned, v = self._turned(layer.into(x), cos, sin)
            for own, new in ((keys[i], turned[:, self.heads :]), (values[i], v)):
                own.index_copy_(1, at, new.reshape(-1, 1, self.size))
            q = turned[:, : self.heads].reshape(-1, groups, self.size)
            own_k, own_v = keys[i][:, :seen], values[i][:, :seen]
            if shared is None:
                mixed = self._attend(q, own_k, own_v, bias, unwritten)
            else:
                mixed = self._attend_shared(q, own_k, own_v, shared[0][i], shared[1][i], bias, unwritten)
            x = layer.network(layer.out(mixed.reshape(rows, -1), x))
        return self._normed(x)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, unwritten: Tensor | None) -> Tensor:
        """Float["rows*kv_heads groups size"] of one query a row, over keys and values, Float["rows*kv_heads seq size"];
        `bias` is of the first of them, `unwritten` of all."""
        weights = torch.baddbmm(q.new_empty(()), q, k.transpose(1, 2), beta=0, alpha=self.scale)
        if bias is not None:
            weights[:, :, : bias.shape[2]] += bias
        if unwritten is not None:
            weights = weights + unwritten
        return torch.bmm(weights.softmax(-1), v)

    def _attend_shared(
        self, q: Tensor, k: Tensor, v: Tensor, k0: Tensor, v0: Tensor, bias: Tensor | None, unwritten: Tensor | None
    ) -> Tensor:
        """As `_attend`, where samples of a prompt attend to `k0` and `v0`, Float["prompts*kv_heads seq size"], too;
        `bias` is of these, `unwritten` of the others."""
        seq, shape = k0.shape[1], q.shape

        def by_prompt(x: Tensor) -> Tensor:
            """Float["prompts*kv_heads samples*groups ..."] of Float["rows*kv_heads groups ..."]."""
            apart = x.view(len(k0) // self.kv_heads, -1, self.kv_heads, shape[1], x.shape[2])
            return apart.transpose(1, 2).reshape(len(k0), -1, x.shape[2])

        def by_row(x: Tensor) -> Tensor:
            apart = x.view(len(k0) // self.kv_heads, self.kv_heads, -1, shape[1], x.shape[2])
            return apart.transpose(1, 2).reshape(shape[0], shape[1], x.shape[2])

        told = torch.baddbmm(q.new_empty(()), by_prompt(q), k0.transpose(1, 2), beta=0, alpha=self.scale)
        if bias is not None:
            told += bias
        own = torch.baddbmm(q.new_empty(()), q, k.transpose(1, 2), beta=0, alpha=self.scale)
        if unwritten is not None:
            own = own + unwritten
        weights = torch.cat([by_row(told), own], -1).softmax(-1)
        return by_row(torch.bmm(by_prompt(weights[..., :seq]), v0)) + torch.bmm(weights[..., seq:], v)

    def _turned(self, joined: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
        """Queries and keys at their positions, Float["... heads+kv_heads size"], values, Float["... kv_heads size"].

        Rotary positions: the first half of a head turns against the second; the sign of it is in `sin`.
        """
        heads = joined.unflatten(-1, (-1, self.size))
        both, v = heads.split((self.heads + self.kv_heads, self.kv_heads), -2)
        first, second = both.chunk(2, -1)
        return torch.addcmul(both * cos, torch.cat([second, first], -1), sin), v

    def _normed(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.norm.shape, self.norm, self.eps)
