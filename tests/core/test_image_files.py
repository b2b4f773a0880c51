"""Image files that anybody may have made: decoded and upright, or a clear error."""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from athanor.core import image_files
from athanor.core.errors import DataError
from athanor.core.image_files import contents, opened


def file(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    written = BytesIO()
    image.save(written, form, **options)
    return written.getvalue()


def test_a_photograph_that_was_turned_is_shown_upright():
    image = Image.new("RGB", (8, 4), (0, 0, 0))
    image.paste((255, 255, 255), (0, 0, 4, 4))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter to the right
    upright = opened(file(image, exif=exif))
    assert upright.size == (4, 8)
    assert upright.getpixel((0, 0)) == (255, 255, 255)
    assert upright.getpixel((0, 7)) == (0, 0, 0)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_torn_image_is_refused(form: str):
    whole = file(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)), form)
    with pytest.raises(DataError, match=r"an image of [\d,]+ bytes"):
        opened(whole[: len(whole) // 2])


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_what_is_no_image_is_refused_by_name(content: bytes):
    with pytest.raises(DataError, match="an image of"):
        opened(content)
    with pytest.raises(DataError, match=r"x\.png"):
        opened(content, "x.png")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"nowhere\.png cannot be read \(No such file"):
        contents(tmp_path / "nowhere.png")
    with pytest.raises(DataError, match="cannot be read"):
        contents(tmp_path)


def test_a_file_is_read_up_to_where_it_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    whole = file(Image.new("RGB", (8, 8)))
    (tmp_path / "x.png").write_bytes(whole)
    assert opened(contents(tmp_path / "x.png")).size == (8, 8)
    monkeypatch.setattr(image_files, "BYTES", len(whole) - 1)
    with pytest.raises(DataError, match=r"more than \d+ bytes"):
        opened(contents(tmp_path / "x.png"))


def test_colours_of_a_profile_are_refused():
    with pytest.raises(DataError, match="LAB"):
        opened(file(Image.new("LAB", (8, 8)), "TIFF"))


@pytest.mark.parametrize("content", [b"Exif\0\0MM\0", b"Exif\0\0MM\0\x2b\0", b"Exif\0\0II*\0\xff\xff\xff\x7f", b"\0"])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_broken_metadata_are_refused_or_passed_over(content: bytes, form: str):
    data = BytesIO()
    Image.new("RGB", (8, 8), (10, 20, 30)).save(data, form, exif=content)
    with suppress(DataError):
        assert opened(data.getvalue()).size == (8, 8)


def test_formats_whose_readers_run_programs_are_not_opened():
    with pytest.raises(DataError, match="PNG, JPEG, WebP, GIF, BMP or TIFF"):
        opened(file(Image.new("RGB", (8, 8)), "EPS"))


def test_an_image_too_large_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch):
    for side in (12_000, 20_000):  # Pillow has a bound of its own, between the two
        with pytest.raises(DataError, match="scale it down"):
            opened(file(Image.new("1", (side, side))))
    with pytest.raises(DataError, match="9 by 7 pixels, at most 8 on each side"):
        opened(file(Image.new("RGB", (9, 7))), side=8)
    assert opened(file(Image.new("RGB", (9, 7))), side=9).size == (9, 7)
    monkeypatch.setattr(image_files, "PIXELS", 80)
    with pytest.raises(DataError, match="9 by 9 pixels, at most 80 in all"):
        opened(file(Image.new("RGB", (9, 9))))
