"""Questions about drawings: what they should be answered, by the picture and by the prompt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from athanor.analysis.trials import Measured
from athanor.environments.scenes.drawing import draw
from athanor.environments.scenes.rules import sight_of
from athanor.environments.scenes.scene import Placed, Scene, Thing
from athanor.environments.scenes.seeing import Sight, see
from athanor.environments.scenes.spec import Entry, Spec, tell
from athanor.studies.see_and_draw import consistency, trial
from athanor.studies.see_and_draw.consistency import (
    ACCEPTED,
    AGREES,
    ALONE,
    AMONG,
    OWN,
    PASSED,
    SAME,
    TOLD,
    TOLD_OWN,
    TOLD_SAME,
    TRULY,
    Check,
    checks,
    follows,
    of_own,
    scene_of,
)
from athanor.studies.see_and_draw.tasks import SEEN, Many, Wanted, tasks

RED, BLUE = Entry(kind="circle", colour="red"), Entry(kind="circle", colour="blue")
ONE = Scene(things=(Thing(shape="circle", colour="blue", cell=4),))


@pytest.mark.parametrize(
    "scene",
    [
        Scene(things=(Thing(shape="circle", colour="red", cell=0, dx=1), Thing(shape="star", colour="blue", cell=8))),
        Scene(things=(Thing(shape="ring", colour="white", cell=5, size="small", texture="striped", dy=-1),)),
        Scene(cards=(Placed(card="QH", cell=0), Placed(card="2C", cell=3))),
    ],
)
def test_what_is_seen_in_a_true_picture_is_its_scene(scene: Scene):
    assert scene_of(see(draw(scene))) == scene
    assert scene_of(sight_of(scene)) == scene


def test_what_is_no_scene_is_not_asked_about():
    sight = see(draw(ONE))
    assert scene_of(Sight(found=())) is None
    assert scene_of(Sight(found=sight.found, unclear=1)) is None
    assert scene_of(Sight(found=(*sight.found, *sight.found))) is None
    card = see(draw(Scene(cards=(Placed(card="QH", cell=3),))))
    assert scene_of(Sight(found=(*sight.found, *card.found))) is None


def test_the_prompts_answers_and_the_pictures():
    told = checks(Spec(tag="colors", include=(RED,)), ONE)
    assert told == [
        Check("how many circles are there?", "one", "one"), Check("is there a red circle?", "yes", "no"),
        Check("what color is the circle?", "red", "blue"),
    ]  # fmt: skip
    two = Scene(things=(*ONE.things, Thing(shape="circle", colour="red", cell=0)))
    assert checks(Spec(tag="colors", include=(RED,)), two) == [
        Check("how many circles are there?", "one", "two"), Check("is there a red circle?", "yes", "yes"),
        Check("what color is the circle?", "red", None),
    ]  # fmt: skip
    assert {check.by_picture for check in checks(Spec(tag="colors", include=(RED,)), None)} == {None}


@pytest.mark.parametrize(("cells", "holds"), [((3, 5), "yes"), ((5, 3), "no"), ((0, 8), None), ((1, 7), None)])
def test_a_relation_is_answered_where_it_or_its_converse_mainly_holds(cells, holds):
    scene = Scene(things=tuple(sorted(
        (Thing(shape="circle", colour="red", cell=cells[0]), Thing(shape="star", colour="red", cell=cells[1])),
        key=lambda one: one.cell,
    )))  # fmt: skip
    spec = Spec(tag="position", include=(Entry(kind="star"), Entry(kind="circle", position=("left of", 0))))
    assert checks(spec, scene)[-1] == Check("is the circle left of the star?", "yes", holds)


def test_a_card_has_a_rank_and_a_suit():
    spec = Spec(tag="cards", include=(Entry(kind="card", card="QH"),))
    found = checks(spec, Scene(cards=(Placed(card="2H", cell=0),)))
    assert [(one.by_prompt, one.by_picture) for one in found] == [("queen", "two"), ("hearts", "hearts")]
    assert [one.by_picture for one in checks(spec, ONE)] == [None, None]


# A model that answers by rule in place of one that was trained


@pytest.fixture(scope="module")
def those():
    return replace(tasks(Many(prompts=1, questions=1, pictures=1), "aligned", 0, 48), wanted=())


def drawn(spec: Spec, scene: Scene) -> trial.Drawn:
    image = draw(scene)
    spec = Spec(tag=spec.tag, include=spec.include, prompt=tell(spec))
    wanted = Wanted(category=spec.tag, spec=spec, part=SEEN, images=1)
    return trial.Drawn(wanted, image, trial.JUDGE.judged(image, spec))


def tried(monkeypatch, those, answer) -> dict[str, Measured]:
    """Measures of consistency of a model that says `answer(image, text)`, about a wrong and a right drawing."""
    monkeypatch.setattr(
        consistency, "answers", lambda unified, asked, **more: tuple(answer(image, text) for image, text in asked)
    )
    both = [drawn(Spec(tag="colors", include=(RED,)), ONE), drawn(Spec(tag="colors", include=(BLUE,)), ONE)]
    return {one.of: one for one in of_own(None, both, those, 0)}  # type: ignore[arg-type]


def share(one: Measured) -> float | None:
    return sum(one.tops) / sum(one.bottoms) if sum(one.bottoms) else None


def test_a_model_that_sees_what_is_there_accepts_right_drawings_alone(those, monkeypatch):
    def sees(image: np.ndarray, text: str) -> str:
        if text == "describe the picture":
            return "a blue circle at the middle"
        asked = text.rpartition(". ")[2]
        table = {"is there a red circle?": "no", "is there a blue circle?": "yes", "what color is the circle?": "blue",
                 "how many circles are there?": "one"}  # fmt: skip
        return table.get(asked, "?")

    found = tried(monkeypatch, those, sees)
    assert (share(found[PASSED]), share(found[ACCEPTED]), share(found[AMONG]), share(found[AGREES])) == (0.5, 0.5, 1, 1)
    for how in (ALONE, TOLD, TRULY):
        assert share(found[follows("picture", how)]) == 1
        assert share(found[follows("prompt", how)]) == 0
        assert sum(found[follows("picture", how)].bottoms) == 2
    assert share(found[TOLD_OWN]) == share(found[TOLD_SAME]) == 1


def test_a_model_that_is_tempted_follows_the_prompt_where_it_is_told(those, monkeypatch):
    def tempted(image: np.ndarray, text: str) -> str:
        if text.startswith("a photo of"):
            return "red" if "color" in text else "yes"
        return {"what color is the circle?": "blue", "is there a red circle?": "no"}.get(text, "yes")

    found = tried(monkeypatch, those, tempted)
    assert share(found[follows("picture", ALONE)]) == 1
    assert share(found[follows("prompt", TOLD)]) == 1
    assert share(found[follows("picture", TOLD)]) == 0
    assert share(found[TOLD_OWN]) == 0  # nothing that can be read


def test_own_drawings_and_true_pictures_are_asked_the_same(those, monkeypatch):
    asked: list[tuple[bytes, str]] = []

    def records(image: np.ndarray, text: str) -> str:
        asked.append((image.tobytes(), text))
        return "yes"

    found = tried(monkeypatch, those, records)
    assert found[OWN].bottoms == found[SAME].bottoms == (2.0, 2.0)
    texts = [text for _, text in asked[:8]]
    assert texts[:4] == texts[4:]


def test_no_drawing_that_is_a_scene_gives_measures_of_nothing(those, monkeypatch):
    monkeypatch.setattr(consistency, "answers", lambda unified, asked, **more: ("no",) * len(asked))
    noise = np.random.default_rng(0).integers(0, 255, (48, 48, 3), np.uint8)
    spec = Spec(tag="colors", include=(RED,), prompt="a red circle")
    wanted = Wanted(category="colors", spec=spec, part=SEEN, images=1)
    one = trial.Drawn(wanted, noise, trial.JUDGE.judged(noise, spec))
    found = {one.of: one for one in of_own(None, [one], those, 0)}  # type: ignore[arg-type]
    assert share(found[OWN]) is None
    assert share(found[PASSED]) == 0
