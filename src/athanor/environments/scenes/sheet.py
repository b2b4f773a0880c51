"""Pictures beside each other, each over its prompt: to look at."""

from __future__ import annotations

import io
from collections.abc import Sequence
from textwrap import wrap

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from athanor.environments.scenes.drawing import Images

LINE = 11
"""Height of a line of text, in pixels."""
PAPER, INK = (255, 255, 255), (40, 40, 40)


def sheet(rows: Sequence[tuple[str, Sequence[tuple[Images, str]]]], *, width: int = 144, lines: int = 4) -> bytes:
    """PNG of rows of pictures, each (name, [(UInt8["side side 3"], text under it)]), `width` pixels wide each."""
    font, wide = ImageFont.load_default(10), max(len(row) for _, row in rows) * (width + 8) + 8
    high = 22 + width + lines * LINE + 4
    whole = Image.new("RGB", (wide, high * len(rows) + 4), PAPER)
    pen = ImageDraw.Draw(whole)
    for number, (name, row) in enumerate(rows):
        top = number * high
        pen.text((8, top + 6), name, font=ImageFont.load_default(12), fill=INK)
        for column, (image, text) in enumerate(row):
            left = 8 + column * (width + 8)
            shown = Image.fromarray(np.ascontiguousarray(image)).resize((width, width), Image.Resampling.NEAREST)
            whole.paste(shown, (left, top + 22))
            for k, line in enumerate(wrap(text, width // 5)[:lines]):
                pen.text((left, top + 24 + width + k * LINE), line, font=font, fill=INK)
    out = io.BytesIO()
    whole.save(out, "PNG", optimize=True)
    return out.getvalue()
