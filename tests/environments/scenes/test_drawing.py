"""Pictures of scenes: the same for the same scene, smooth, and apart from each other."""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256

import numpy as np
import pytest
from PIL import Image

from athanor.core.errors import UsageError
from athanor.core.seeds import stream
from athanor.environments.points.drawing import LOOKS, face
from athanor.environments.scenes.drawing import CARD_LOOK, card_width, draw, render, roughen
from athanor.environments.scenes.sample import dense
from athanor.environments.scenes.scene import STYLES, Placed, Scene, Style, Thing, grids, refuse, scenes
from athanor.environments.scenes.seeing import see
from athanor.environments.scenes.splits import split_of
from athanor.environments.scenes.sprites import sprite
from athanor.environments.scenes.words import COLOURS, SHAPES, SIZES

ALL = split_of("all")


def test_a_scene_is_drawn_alike_alone_in_a_batch_and_by_another_process():
    made = dense(STYLES["jittered"], ALL, stream(0, "t"), 40, most=9)
    together = render(made)
    for image, scene in zip(together, scenes(made), strict=True):
        assert np.array_equal(image, draw(scene))
    program = (
        "from hashlib import sha256; from athanor.environments.scenes.batches import Source, batch;"
        "from athanor.environments.scenes.scene import STYLES;"
        "b = batch(Source(style=STYLES['textured']), 3, 5, 64);"
        "print(sha256(b.images.tobytes() + repr((b.captions, b.dense, b.questions)).encode()).hexdigest())"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
            | {name: value for name, value in __import__("os").environ.items() if name != "PYTHONHASHSEED"},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(told) == 1
    assert len(sha256().hexdigest()) + 1 == len(told.pop())


def test_numbers_and_records_are_the_same_scenes():
    made = dense(STYLES["textured"], ALL, stream(1, "t"), 200, most=9)
    again = grids(scenes(made))
    for name in ("shape", "card", "background"):
        assert np.array_equal(getattr(made, name), getattr(again, name))
    assert scenes(again) == scenes(made)
    assert np.array_equal(render(made), render(again))


@pytest.mark.parametrize("pixels", [48, 64, 100, 384])
def test_edges_are_smooth_and_areas_right_at_any_resolution(pixels):
    step = pixels / 48
    for name, area in (("circle", np.pi), ("square", 1.68**2), ("ring", np.pi * 0.75)):
        whole = sprite(SHAPES.index(name), 1, 0, pixels, (pixels, pixels), (pixels / 2 + 0.3, pixels / 2))
        assert abs(whole.sum() - area * (SIZES["large"] * step) ** 2) < 0.02 * whole.sum()
        assert ((whole > 0.01) & (whole < 0.99)).any()
    image = draw(Scene(things=(Thing(shape="star", colour="blue", cell=4),)), pixels)
    assert image.shape == (pixels, pixels, 3)
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 4


def test_a_thing_without_jitter_is_drawn_alike_in_every_cell_of_patches_of_eight():
    images = [draw(Scene(things=(Thing(shape="star", colour="red", cell=cell),))) for cell in range(9)]
    cells = {
        images[k][16 * (k // 3) : 16 * (k // 3) + 16, 16 * (k % 3) : 16 * (k % 3) + 16].tobytes() for k in range(9)
    }
    assert len(cells) == 1
    off = draw(Scene(things=(Thing(shape="star", colour="red", cell=4, dx=1, dy=-1),)))
    assert np.array_equal(np.roll(images[4], (-1, 1), (0, 1)), off)


def test_a_mixture_of_a_colour_with_the_background_is_never_nearest_to_a_third_colour():
    palette = np.array([(128, 128, 128), *COLOURS.values()], float)
    for index in range(1, len(palette)):
        for share in np.linspace(0, 1, 101):
            mixed = (1 - share) * palette[0] + share * palette[index]
            assert ((palette - mixed) ** 2).sum(1).argmin() in (0, index)


def test_cards_are_those_of_general_points():
    image = draw(Scene(cards=(Placed(card="QH", cell=3),)), 384)
    wide = card_width(384)
    one = face("QH", wide, CARD_LOOK).convert("RGB")
    left, top = round(384 * 0.75 - wide / 2), round(384 * 0.75 - one.height / 2)
    inside = slice(9, -9), slice(9, -9)
    assert np.array_equal(image[top : top + one.height, left : left + wide][inside], np.asarray(one)[inside])
    assert face("QH", 60, LOOKS["plain"]).tobytes() != face("QH", 60, CARD_LOOK).tobytes()


def test_grain_and_shade_stay_within_their_bounds():
    style = Style(grain=10, shade=8)
    image = np.full((50, 48, 48, 3), 128, np.uint8)
    rough = roughen(image, style, stream(0, "t")).astype(int) - 128
    assert rough.min() >= -18
    assert rough.max() <= 18
    assert rough.std() > 4
    assert (rough[..., 0] == rough[..., 2]).all()
    assert np.array_equal(roughen(image, Style(), stream(0, "t")), image)


@pytest.mark.parametrize("scene", [
    Scene(things=(Thing(shape="dog", colour="red", cell=0),)),
    Scene(things=(Thing(shape="star", colour="red", cell=9),)),
    Scene(things=(Thing(shape="star", colour="red", cell=-1),)),
    Scene(things=(Thing(shape="star", colour="red", cell=0), Thing(shape="ring", colour="red", cell=0))),
    Scene(things=(Thing(shape="star", colour="red", cell=0, dx=2),)),
    Scene(cards=(Placed(card="1X", cell=0),)),
    Scene(cards=(Placed(card="AS", cell=0),), things=(Thing(shape="star", colour="red", cell=8),)),
])  # fmt: skip
def test_a_scene_that_cannot_be_is_refused(scene):
    with pytest.raises(UsageError):
        draw(scene)


@pytest.mark.parametrize("style", [
    Style(jitter=2), Style(jitter=-1), Style(colours=()), Style(shapes=("dog",)), Style(backgrounds=(0,)),
    Style(grain=99),
])  # fmt: skip
def test_a_style_whose_things_could_touch_or_be_lost_is_refused(style):
    with pytest.raises(UsageError):
        refuse(style)
    refuse(Style(jitter=3, sizes=("small",)))


@pytest.mark.parametrize("pixels", [0, 47, 4_000])
def test_a_resolution_that_shows_nothing_is_refused(pixels):
    with pytest.raises(UsageError, match="pixels"):
        draw(Scene(), pixels)


def test_a_picture_made_smaller_shows_the_same():
    scene = scenes(dense(STYLES["jittered"], ALL, stream(5, "t"), 1, fewest=6))[0]
    small = np.asarray(Image.fromarray(draw(scene, 384)).resize((64, 64), Image.Resampling.BOX))
    told = [(one.place, one.kind, one.colour, one.size) for one in see(small).found]
    assert sorted(told) == sorted((one.place, one.kind, one.colour, one.size) for one in see(draw(scene)).found)
