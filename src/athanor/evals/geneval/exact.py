"""The checker of scenes as a detector: for pictures of shapes and cards, where it does not err."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace
from PIL import Image

from athanor.environments.scenes.files import squared
from athanor.environments.scenes.seeing import Found, see
from athanor.environments.scenes.words import CARD, SHAPES
from athanor.evals.geneval.detecting import Seen, Thing


class Exact:
    """Finds shapes and cards. What it finds is sure: its agreement with a template only orders things."""

    name = "exact checker of scenes"
    classes = (*SHAPES, CARD)
    whole = True

    def see(self, image: Image.Image) -> Seen:
        """DataError for a picture that is not square or smaller than a scene can be."""
        pixels = np.asarray(squared(image))
        sight = see(pixels)
        things = tuple(_thing(one, image.size) for one in sight.found)
        return Seen(things=things, unclear=sight.unclear, stray=sight.stray)


def _thing(found: Found, size: tuple[int, int]) -> Thing:
    left, top, right, bottom = (share * size[k % 2] for k, share in enumerate(found.box))
    return Thing(found=replace(found, box=(left, top, right, bottom), confidence=1.0))
