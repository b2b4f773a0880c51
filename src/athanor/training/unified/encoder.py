"""The encoder's training: pictures and their descriptions told apart from others' (SigLIP, Zhai et al. 2023).

Every picture of a batch is compared with every description; a pair that belongs together is to score high, all others
low, each for itself. The tower of the words is thrown away afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import SiglipVisionModel

from athanor.models.unified.text_tokenizer import TextTokenizer
from athanor.training.unified.scenes import EVENLY, Weights


@dataclass(frozen=True, kw_only=True)
class EncoderRecipe:
    """How the encoder is trained."""

    steps: int
    batch: int = 64
    """Pictures of a step, each with its description."""
    rate: float = 1e-3
    """Of AdamW."""
    muon: float | None = None
    """Of Muon, for the matrices of both towers' blocks; None leaves them to AdamW."""
    share: float = 1.0
    """Of both rates, for the encoder: less than 1 where it begins from what it knows and the tower of words is new."""
    weights: Weights = EVENLY
    """How often each category of scenes comes among the pictures."""
    layers: int = 2
    """Of the tower of words."""
    scale: float = 10.0
    """Of the products at the start (the published one)."""
    bias: float = -10.0
    """Added to them at the start (the published one)."""
    longest: int | None = None
    """Tokens that are read of a description; left out, as many as the model's context has."""


class Words(nn.Module):
    """The tower of words: a small transformer without order of its own but for learned places; all tokens' mean."""

    def __init__(self, vocabulary: int, width: int, layers: int, heads: int, longest: int) -> None:
        super().__init__()
        self.table, self.places = nn.Embedding(vocabulary, width), nn.Parameter(0.1 * torch.randn(longest, width))
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)

    def forward(self, tokens: Tensor, there: Tensor) -> Tensor:
        """Float["batch width"] of Int["batch seq"], where Bool["batch seq"] says that there is a token."""
        x = self.table(tokens) + self.places[: tokens.shape[1]]
        x = self.layers(x, src_key_padding_mask=~there)
        return (x * there[..., None]).sum(1) / there.sum(1, keepdim=True)


class Pair(nn.Module):
    """Both towers, what brings them to one width, and the scale and bias of the products."""

    def __init__(self, encoder: SiglipVisionModel, vocabulary: int, recipe: EncoderRecipe, longest: int) -> None:
        super().__init__()
        width, heads = encoder.config.hidden_size, encoder.config.num_attention_heads
        self.encoder = encoder
        self.words = Words(vocabulary, width, recipe.layers, heads, longest)
        self.of_picture, self.of_words = nn.Linear(width, width), nn.Linear(width, width)
        self.scale = nn.Parameter(torch.tensor(recipe.scale).log())
        self.bias = nn.Parameter(torch.tensor(recipe.bias))

    def vectors(self, pixels: Tensor, tokens: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
        """Float["batch width"] of pictures and of descriptions, of unit length."""
        seen = cast("Tensor", self.encoder(pixel_values=pixels).last_hidden_state).mean(1)
        read = self.words(tokens, there)
        return F.normalize(self.of_picture(seen), dim=-1), F.normalize(self.of_words(read), dim=-1)

    def products(self, seen: Tensor, read: Tensor) -> Tensor:
        """Float["pictures descriptions"]: logits that they belong together, of their `vectors`."""
        return self.scale.exp() * seen @ read.T + self.bias


def sigmoid_loss(logits: Tensor) -> Tensor:
    """Float[""], nats a picture: over all pairs of Float["pictures descriptions"], those of one index belong together
    (Zhai et al. 2023, equation 1)."""
    signs = 2 * torch.eye(len(logits), device=logits.device) - 1
    return -F.logsigmoid(signs * logits).sum() / len(logits)


def retrieved(logits: Tensor) -> tuple[int, int]:
    """How many pictures find their description first, and how many descriptions their picture."""
    own = torch.arange(len(logits), device=logits.device)
    return int((logits.argmax(1) == own).sum()), int((logits.argmax(0) == own).sum())


def padded(words: TextTokenizer, texts: Sequence[str], longest: int) -> tuple[Tensor, Tensor]:
    """Int["batch seq"] and Bool["batch seq"], where there is a token; of each text `longest` at most."""
    rows = [torch.tensor(words.encode(text)[:longest]) for text in texts]
    tokens = nn.utils.rnn.pad_sequence(rows, batch_first=True)
    return tokens, torch.arange(tokens.shape[1]) < torch.tensor([len(row) for row in rows])[:, None]
