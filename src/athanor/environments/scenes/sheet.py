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


def sheet(rows: Sequence[tuple[str, Sequence[tuple[Images, str]]]], *, width: int = 144) -> bytes:
    """PNG of rows of pictures, each (name, [(UInt8["side side 3"], text under it)]), `width` pixels wide each."""
    font, wide = ImageFont.load_default(10), max(len(row) for _, row in rows) * (width + 8) + 8
    told = [[wrap(text, width // 5) for _, text in row] for _, row in rows]
    heights = [22 + width + max(map(len, texts)) * LINE + 10 for texts in told]
    whole = Image.new("RGB", (wide, sum(heights)), PAPER)
    pen, top = ImageDraw.Draw(whole), 0
    for (name, row), texts, high in zip(rows, told, heights, strict=True):
        pen.text((8, top + 6), name, font=ImageFont.load_default(12), fill=INK)
        for column, ((image, _), lines) in enumerate(zip(row, texts, strict=True)):
            left = 8 + column * (width + 8)
            shown = Image.fromarray(np.ascontiguousarray(image)).resize((width, width), Image.Resampling.NEAREST)
            whole.paste(shown, (left, top + 22))
            for k, line in enumerate(lines):
                pen.text((left, top + 24 + width + k * LINE), line, font=font, fill=INK)
        top += high
    out = io.BytesIO()
    whole.save(out, "PNG", optimize=True)
    return out.getvalue()
