"""Colours of things by CLIP (Radford et al. 2021) as GenEval names them, with the activation the weights were made for.

OpenAI's weights were trained with the quick form of GELU, x * sigmoid(1.702 x). GenEval's pinned library used it for
these weights whatever the model's name; newer versions of that library use the exact GELU under the same name and warn,
which moves scores. Here weights whose configuration names another activation are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image
from torch import Tensor

from athanor.core.errors import DataError
from athanor.evals.geneval.detecting import Thing
from athanor.evals.geneval.prompts import COLOURS
from athanor.evals.geneval.weights import loaded
from athanor.models.backends.pretrained import device_of, locate

DEFAULT = "openai/clip-vit-large-patch14"
TEMPLATES = ("a photo of a {colour} {kind}", "a photo of a {colour}-colored {kind}", "a photo of a {colour} object")
ACTIVATION = "quick_gelu"
HIDDEN = (0x99, 0x99, 0x99)
"""RGB of what is not the thing."""
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


class Clip:
    """Chooses among GenEval's ten colours."""

    colours = COLOURS

    def __init__(self, model: str, *, device: str = "auto", download: bool = False) -> None:
        """`model`: see `pretrained.locate`. DataError if its folder is no CLIP, or has another activation."""
        path = locate(model, download=download)
        self.path = path
        self.name = f"clip {path.resolve().name if path == Path(model) else model}"
        self._device = device_of(device)
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(path, local_files_only=True)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{path} has no tokenizer that can be read ({error}); copy the whole model again"
            ) from error
        self._model = loaded(transformers.CLIPModel, path, what="CLIP").to(self._device)
        refuse_activation(self._model.config, path)
        self._side = self._model.config.vision_config.image_size
        self._known: dict[str, Tensor] = {}

    @torch.inference_mode()
    def named(self, image: Image.Image, things: Sequence[Thing], kind: str) -> tuple[str | None, ...]:
        if not things:
            return ()
        pixels = torch.stack([prepared(cut(image, thing), self._side) for thing in things]).to(self._device)
        seen = _unit(_embedding(self._model.get_image_features(pixel_values=pixels)))
        return tuple(COLOURS[best] for best in (seen @ self._words(kind).T).argmax(-1).tolist())

    def _words(self, kind: str) -> Tensor:
        """Float["colours width"], of length 1: the mean of each colour's sentences."""
        if kind not in self._known:
            rows = []
            for colour in COLOURS:
                said = [template.format(colour=colour, kind=kind) for template in TEMPLATES]
                tokens = self._tokenizer(said, padding=True, return_tensors="pt").to(self._device)
                found = _unit(_embedding(self._model.get_text_features(**tokens)))
                rows.append(_unit(found.mean(0)))
            self._known[kind] = torch.stack(rows)
        return self._known[kind]


def refuse_activation(config: Any, path: Path) -> None:
    """DataError unless both towers use the activation that the weights were trained with."""
    for part in (config.vision_config, config.text_config):
        if part.hidden_act != ACTIVATION:
            raise DataError(
                f"{path} has the activation {part.hidden_act!r}, {ACTIVATION!r} was expected, with which OpenAI's CLIP "
                f"was trained; pass {DEFAULT}, or write it into config.json if these are those weights"
            )


def _embedding(found: Any) -> Tensor:
    """A tower's embedding, which versions of transformers give alone or within a record."""
    return found if isinstance(found, Tensor) else found.pooler_output


def _unit(vectors: Tensor) -> Tensor:
    return vectors / vectors.norm(dim=-1, keepdim=True)


def cut(image: Image.Image, thing: Thing) -> Image.Image:
    """A thing alone: pixels outside its mask are grey, and the picture is cut to its box."""
    if thing.mask is not None:
        if thing.mask.shape != (image.height, image.width):
            raise DataError(
                f"a mask of {thing.mask.shape[1]} by {thing.mask.shape[0]} pixels was found in a picture of "
                f"{image.width} by {image.height}, the same size was expected; correct the detector"
            )
        image = Image.composite(image, Image.new("RGB", image.size, HIDDEN), Image.fromarray(thing.mask))
    left, top, right, bottom = map(round, thing.box)
    return image.crop((left, top, max(right, left + 1), max(bottom, top + 1)))


def prepared(image: Image.Image, side: int) -> Tensor:
    """Float["3 side side"]: the shorter side is scaled to `side`, and the middle is kept."""
    wide, high = image.size
    least = min(wide, high)
    size = side * wide // least, side * high // least
    scaled = image.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    left, top = (round((one - side) / 2) for one in size)
    pixels = np.array(scaled.crop((left, top, left + side, top + side)), np.float32) / 255
    return ((torch.from_numpy(pixels) - torch.tensor(MEAN)) / torch.tensor(STD)).permute(2, 0, 1)
