"""Mask2Former (Cheng et al. 2022) as a detector, on transformers: the published detector without mmdet.

GenEval was published with the weights of Swin-S, trained on COCO's instances. The Hugging Face folder of the same
training is facebook/mask2former-swin-small-coco-instance. How a picture is prepared and how masks become things is
that of the published configuration: the shorter side is scaled to 800 pixels unless the longer would pass 1,333, and of
all pairs of a query and a class the 100 most likely are things, whose confidence is the class's probability times how
sure the mask is of its own pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import transformers
from PIL import Image
from torch import Tensor
from torch.nn import functional

from athanor.core.errors import DataError
from athanor.environments.scenes.seeing import Found
from athanor.evals.geneval.detecting import THRESHOLD, Seen, Thing
from athanor.evals.geneval.prompts import CLASSES
from athanor.evals.geneval.weights import loaded
from athanor.models.backends.pretrained import device_of, locate

DEFAULT = "facebook/mask2former-swin-small-coco-instance"
SHORTER, LONGER, MULTIPLE = 800, 1333, 32
"""Pixels to which a picture is scaled, and of whose multiple its sides are padded."""
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
"""Of red, green and blue, 0 to 255."""
THINGS = 100
"""Of a picture, at most."""


class Mask2Former:
    """Finds the 80 classes of COCO."""

    classes = CLASSES
    whole = False

    def __init__(self, model: str, *, device: str = "auto", download: bool = False) -> None:
        """`model`: see `pretrained.locate`. DataError if its folder holds something else, or other classes."""
        path = locate(model, download=download)
        self.path = path
        self.name = f"mask2former {path.resolve().name if path == Path(model) else model}"
        self._device = device_of(device)
        kind = transformers.Mask2FormerForUniversalSegmentation
        self._model = loaded(kind, path, what="Mask2Former", spare=("criterion.",)).to(self._device)
        if self._model.config.num_labels != len(CLASSES):
            raise DataError(
                f"{path} tells {self._model.config.num_labels} classes apart, COCO's {len(CLASSES)} things were "
                f"expected; pass weights trained on its instances, such as {DEFAULT}"
            )

    @torch.inference_mode()
    def see(self, image: Image.Image) -> Seen:
        pixels, (high, wide) = prepared(image)
        mask = torch.zeros(pixels.shape[-2:], dtype=torch.long)
        mask[:high, :wide] = 1
        out = self._model(pixel_values=pixels[None].to(self._device), pixel_mask=mask[None].to(self._device))
        classes, masks = out.class_queries_logits[0].float(), out.masks_queries_logits[0].float()

        def grown(mask: Tensor) -> Tensor:
            whole = functional.interpolate(mask[None, None], pixels.shape[-2:], mode="bilinear", align_corners=False)
            size = (image.height, image.width)
            return functional.interpolate(whole[:, :, :high, :wide], size, mode="bilinear", align_corners=False)[0, 0]

        return Seen(things=things(classes, masks, grown))


def scaled(wide: int, high: int) -> tuple[int, int]:
    """Width and height to which a picture is scaled.

    >>> scaled(512, 512), scaled(1000, 400)
    ((800, 800), (1333, 533))
    """
    factor = min(LONGER / max(wide, high), SHORTER / min(wide, high))
    return int(wide * factor + 0.5), int(high * factor + 0.5)


def prepared(image: Image.Image) -> tuple[Tensor, tuple[int, int]]:
    """Float["3 height width"], padded on the right and below, and the height and width before that."""
    wide, high = scaled(*image.size)
    raw = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).float()
    sized = functional.interpolate(raw[None], (high, wide), mode="bilinear", align_corners=False)[0]
    pixels = (sized - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    return functional.pad(pixels, (0, -wide % MULTIPLE, 0, -high % MULTIPLE)), (high, wide)


def things(classes: Tensor, masks: Tensor, grown: Callable[[Tensor], Tensor] = lambda mask: mask) -> tuple[Thing, ...]:
    """What queries found. `classes`: Float["queries classes+1"], logits, the last of nothing. `masks`:
    Float["queries height width"], logits; `grown` brings one of them to the picture's size, one at a time, since a
    hundred of a large picture would not fit into memory."""
    likely = classes.softmax(-1)[:, :-1]
    top = likely.flatten().topk(min(THINGS, likely.numel()))
    found = []
    for chance, at in zip(top.values.tolist(), top.indices.tolist(), strict=True):
        if chance <= THRESHOLD:  # the confidence is no more than this
            break
        query, kind = divmod(at, likely.shape[1])
        logits = grown(masks[query])
        mask = logits > 0
        area = int(mask.sum())
        if not area:
            continue
        sure = float((logits.sigmoid() * mask).sum() / (area + 1e-6))
        inside = mask.cpu().numpy()
        found.append(Thing(found=Found(kind=CLASSES[kind], box=box_of(inside), confidence=chance * sure), mask=inside))
    return tuple(found)


def box_of(mask: np.ndarray) -> tuple[float, float, float, float]:
    """The least box around a mask's pixels, its right and lower end the first pixel outside.

    >>> box_of(np.array([[False, True, True], [False, False, True]]))
    (1.0, 0.0, 3.0, 2.0)
    """
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)
