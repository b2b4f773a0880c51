"""Files that anybody may have made: the right pixels or a clear error."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from athanor.core.errors import DataError, UsageError
from athanor.core.records import Task
from athanor.environments.scenes import Judge, Look, Picture, Scene, Scenes, Thing, picture, read
from athanor.environments.scenes.drawing import draw, png
from athanor.environments.scenes.files import load

BESIDE = Scene(things=(Thing(shape="circle", colour="red", cell=3), Thing(shape="square", colour="blue", cell=5)))
IMAGE = Image.fromarray(draw(BESIDE, 192))
PROMPT = read("a red circle left of a blue square")


def saved(image: Image.Image, kind: str = "PNG", **more) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **more)
    return out.getvalue()


def passes(data: bytes) -> bool:
    return Judge().judged(load(data), PROMPT).passed


def see_through() -> Image.Image:
    """The things alone, on nothing."""
    pixels = np.array(IMAGE.convert("RGBA"))
    pixels[(pixels[..., :3] == 128).all(-1)] = (0, 0, 0, 0)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("data", [
    saved(IMAGE), saved(IMAGE, "JPEG", quality=90), saved(IMAGE.convert("CMYK"), "JPEG", quality=95),
    saved(IMAGE, "BMP"), saved(IMAGE, "WEBP", quality=90), saved(IMAGE.convert("P"), "PNG"), saved(see_through()),
    saved(IMAGE, "TIFF"),
    saved(IMAGE.quantize(32), "GIF"), saved(IMAGE.convert("CMYK"), "TIFF"), saved(IMAGE.resize((192, 190))),
    saved(IMAGE, "GIF", save_all=True, append_images=[Image.new("RGB", (192, 192))]),
], ids=["png", "jpeg", "cmyk", "bmp", "webp", "palette", "transparent", "tiff", "gif", "cmyk tiff",
        "nearly square", "frames"])  # fmt: skip
def test_a_true_picture_passes_in_any_format(data):
    assert passes(data)


def test_a_picture_rotated_by_its_exif_is_judged_upright():
    turned = IMAGE.transpose(Image.Transpose.ROTATE_90)  # counter-clockwise; orientation 6 turns it back
    exif = Image.Exif()
    exif[0x0112] = 6
    assert passes(saved(turned, "JPEG", exif=exif, quality=95))
    assert passes(saved(turned, "PNG", exif=exif))
    assert not passes(saved(turned))


def test_greys_are_read_as_greys():
    deep = Image.fromarray(np.asarray(IMAGE.convert("L"), np.uint16) * 257)
    for grey in (IMAGE.convert("L"), IMAGE.convert("LA"), IMAGE.convert("1"), deep):
        image = load(saved(grey))
        assert image.shape == (192, 192, 3)
        assert (image[..., 0] == image[..., 2]).all()
        assert not Judge().judged(image, PROMPT).passed
    assert abs(load(saved(deep)).astype(int) - np.asarray(IMAGE.convert("L"))[..., None]).max() <= 1


def huge() -> bytes:
    """A PNG whose head says 100,000 by 100,000 pixels."""
    head = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("data", "told"), [
    (b"", "empty"), (b"a red circle", "formats"), (b"\x89PNG\r\n\x1a\n", "picture"), (saved(IMAGE)[:-400], "decoded"),
    (saved(IMAGE, "JPEG")[:900], "decoded"), (huge(), "more pixels"), (saved(Image.new("RGB", (20, 20))), "20 by 20"),
    (saved(Image.new("RGB", (200, 100))), "square"), (saved(Image.new("RGB", (5_000, 5_000))), "5000"),
    (b"GIF89a" + b"\xff" * 100, "picture"), (b"\x00" * 65_000_000, "bytes"), (b"%PDF-1.4", "formats"),
    (saved(IMAGE, "WEBP")[:300], "picture"), (saved(IMAGE, "TIFF")[:300], "picture"),
])  # fmt: skip
def test_a_file_that_is_no_whole_picture_is_refused_and_says_why(data, told):
    with pytest.raises(DataError, match=told) as found:
        load(data)
    assert "0x" not in str(found.value)


def test_a_picture_with_any_bytes_changed_never_breaks_the_environment():
    """2,000 files with bytes changed at random: a picture or a clear error, the same when asked again."""
    rng, whole = np.random.default_rng(0), np.frombuffer(saved(Image.fromarray(draw(BESIDE))), np.uint8)
    for _ in range(2_000):
        broken = whole.copy()
        broken[rng.integers(0, len(whole), rng.integers(1, 12))] = rng.integers(0, 256)
        first, again = tried(broken.tobytes()), tried(broken.tobytes())
        assert first == again


def tried(data: bytes) -> str:
    """The error, or nothing."""
    try:
        load(data)
    except DataError as error:
        return str(error)
    return ""


def test_an_unreadable_picture_is_a_failed_answer_and_ends_nothing():
    environment = Scenes()
    verifier = Look(environment=environment)
    task = next(environment.tasks("test", 0))
    start = environment.start(task)
    step = environment.step(start, Picture(file=b"nothing"))
    assert not step.terminated
    verdict = verifier.verify(task, start, Picture(file=b"nothing"), step.state)
    assert (verdict.reward, verdict.passed) == (0, False)
    assert "formats" in verdict.reason
    again = environment.step(step.state, verifier.gold(task))
    assert again.terminated
    assert again.state.attempts == 2
    with pytest.raises(DataError, match="drawn"):
        verifier.verify(task, start, Picture(file=b""), start)
    with pytest.raises(DataError, match="scenes"):
        environment.start(
            Task(environment="scenes", split="all", key="k", content={"spec": {"tag": "x", "include": []}})
        )


def test_an_array_is_an_answer_and_anything_else_is_refused():
    image = draw(BESIDE)
    assert np.array_equal(load(picture(image).file), image)
    assert picture(image).file == png(image)
    for wrong in (image.astype(float), image[..., 0], image[None]):
        with pytest.raises(UsageError, match="uint8"):
            picture(wrong)
