"""Images to pixels and back."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from athanor.core.errors import UsageError
from athanor.core.image_files import opened
from athanor.models.unified.pictures import Preparation, rgb, to_draw, to_images

SIDES = Preparation(size=384)


def file(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    written = BytesIO()
    image.save(written, form, **options)
    return written.getvalue()


@pytest.mark.parametrize(
    ("width", "height", "inner"),
    [(384, 384, (384, 384)), (1000, 333, (384, 127)), (333, 1000, (127, 384)), (5000, 10, (384, 14)),
     (1, 1, (384, 384)),
     (10, 7, (384, 268))],
)  # fmt: skip
def test_the_longer_side_fills_the_square_and_the_rest_is_padded_in_the_middle(
    width: int, height: int, inner: tuple[int, int]
):
    pixels = SIDES.seen(Image.new("RGB", (width, height), (255, 255, 255)))
    assert pixels.shape == (3, 384, 384)
    white = pixels[0] > 0.999
    assert (int(white.any(0).sum()), int(white.any(1).sum())) == inner
    first = int(white.any(1).nonzero()[0])
    assert first == (384 - inner[1]) // 2


def test_padding_is_127_which_is_just_below_the_middle():
    pixels = SIDES.seen(Image.new("RGB", (384, 100), (255, 255, 255)))
    assert pixels[:, 0, 0].tolist() == pytest.approx([(127 / 255 - 0.5) / 0.5] * 3)
    assert pixels[0, 0, 0].item() == pytest.approx(-0.003922, abs=1e-6)
    clip = Preparation(size=384, mean=(0.48145466, 0.4578275, 0.40821073), std=(1.0, 1.0, 1.0))
    shown = clip.seen(Image.new("RGB", (384, 100)))[:, 0, 0] + torch.tensor(clip.mean)
    assert (shown * 255).tolist() == pytest.approx([122, 116, 104], abs=1e-4)


def test_an_image_to_draw_is_scaled_by_its_shorter_side_and_cut_on_both_ends():
    image = Image.new("RGB", (40, 20), (0, 0, 0))
    image.paste((255, 255, 255), (10, 0, 30, 20))
    pixels = to_draw(image, 20)
    assert pixels.shape == (3, 20, 20)
    assert pixels.eq(1).all()
    assert to_draw(Image.new("L", (3, 500), 0), 16).eq(-1).all()


def test_pixels_become_images_by_cutting_off_and_dropping_fractions():
    values = torch.tensor([-3.0, -1.0, 0.0, 0.999, 1.0, 7.0])
    (image,) = to_images(values.view(1, 1, 1, 6).expand(1, 3, 1, 6))
    assert [image.getpixel((i, 0))[0] for i in range(6)] == [0, 0, 127, 254, 255, 255]


def test_a_drawing_survives_the_way_into_a_file_and_back():
    array = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    again = opened(file(to_images(to_draw(Image.fromarray(array), 16)[None])[0]))
    assert np.abs(np.array(again).astype(int) - array).max() <= 1


@pytest.mark.parametrize(
    ("image", "form"),
    [
        (Image.new("L", (9, 9), 200), "PNG"),
        (Image.new("1", (9, 9), 1), "PNG"),
        (Image.new("LA", (9, 9), (200, 0)), "PNG"),
        (Image.new("RGBA", (9, 9), (200, 200, 200, 0)), "PNG"),
        (Image.new("P", (9, 9)), "GIF"),
        (Image.new("CMYK", (9, 9), (0, 0, 0, 55)), "JPEG"),
        (Image.fromarray(np.full((9, 9), 51_400, np.uint16)), "PNG"),
    ],
    ids=["grey", "black and white", "grey and alpha", "alpha", "palette", "CMYK", "16 bits"],
)
def test_every_kind_of_image_becomes_red_green_and_blue(image: Image.Image, form: str):
    pixels = np.array(rgb(opened(file(image, form))))
    assert pixels.shape == (9, 9, 3)
    if image.mode not in ("1", "P"):
        assert np.abs(pixels.astype(int) - 200).max() <= 2
    assert SIDES.seen(opened(file(image, form))).isfinite().all()


def test_a_palette_with_a_transparent_colour_is_read_without_a_warning():
    image = Image.new("P", (4, 4))
    image.putpalette([10, 20, 30] * 256)
    assert np.array(rgb(opened(file(image, transparency=bytes([0] * 256))))).tolist() == [[[10, 20, 30]] * 4] * 4


def test_an_image_whose_white_is_unknown_is_refused():
    with pytest.raises(UsageError, match="white is unknown"):
        rgb(Image.fromarray(np.zeros((4, 4), np.float32)))
