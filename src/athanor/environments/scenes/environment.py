"""Drawing as an environment: a prompt, and pictures as answers until one shows what it asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
import numpy as np

from athanor.core.errors import DataError, UsageError
from athanor.core.records import Record, Step, Task, Unreadable, Verdict
from athanor.core.seeds import stream
from athanor.environments.scenes.drawing import SMALLEST, Images, draw, png, roughen
from athanor.environments.scenes.entropy import scene_for
from athanor.environments.scenes.files import load
from athanor.environments.scenes.judge import Judge, as_json
from athanor.environments.scenes.prompts import prompts
from athanor.environments.scenes.scene import STYLES, Style
from athanor.environments.scenes.spec import CATEGORIES, Spec, checked
from athanor.environments.scenes.splits import KINDS, PARTS, Kind, split_of

TOGETHER = 64
"""Prompts that are drawn at once."""


class Picture(Record, kw_only=True):
    """A drawn picture."""

    file: bytes
    """PNG, JPEG, WEBP, BMP, GIF or TIFF, square, 48 to 4,096 pixels a side."""


class Drawing(Record, kw_only=True):
    """The state: what is to be drawn, and what the last picture was."""

    spec: Spec
    attempts: int = 0
    verdict: Verdict | None = None
    """Of the last picture."""


class Asked(Record, kw_only=True):
    """What a painter is told."""

    prompt: str


class Content(Record, kw_only=True):
    """A prompt as a task."""

    spec: Spec


@dataclass(frozen=True, kw_only=True)
class Scenes:
    """Draw what a prompt asks for.

    Splits are the parts of `splits.py`, endless; categories take turns. An episode ends when a picture passes.
    """

    categories: tuple[str, ...] = CATEGORIES
    style: Style = STYLES["aligned"]
    """What gold pictures look like, and what dense prompts tell of sizes and textures."""
    judge: Judge = field(default_factory=Judge)
    kinds: tuple[Kind, ...] = KINDS
    """Which combinations part train and test."""
    pixels: int = SMALLEST
    """Side of gold pictures."""
    name: str = "scenes"
    action_type: type[Picture] = Picture
    splits: tuple[str, ...] = PARTS

    def tasks(self, split: str, seed: int) -> Iterator[Task]:
        part = split_of(split, self.kinds)
        if not self.categories or not set(self.categories) <= set(CATEGORIES):
            raise UsageError(f"categories {self.categories} were given, some of {', '.join(CATEGORIES)} were expected")
        rng, number = stream(seed, "prompts", split), 0
        while True:
            columns = [prompts(category, self.style, part, rng, TOGETHER) for category in self.categories]
            for row in zip(*columns, strict=True):
                for spec in row:
                    content = {"spec": as_json(spec)}
                    yield Task(environment="scenes", split=split, key=f"{split}-{seed}-{number}", content=content)
                    number += 1

    def start(self, task: Task) -> Drawing:
        try:
            return Drawing(spec=checked(msgspec.convert(task.content, Content).spec))
        except (msgspec.ValidationError, UsageError) as error:
            raise DataError(
                f"task {task.key} is not a prompt of scenes ({error}); play it with its environment"
            ) from error

    def observe(self, state: Drawing) -> Asked:
        return Asked(prompt=state.spec.prompt)

    def step(self, state: Drawing, action: Picture | Unreadable) -> Step[Drawing]:
        verdict = self._verdict(state.spec, action)
        after = Drawing(spec=state.spec, attempts=state.attempts + 1, verdict=verdict)
        return Step(state=after, terminated=verdict.passed)

    def _verdict(self, spec: Spec, action: Picture | Unreadable) -> Verdict:
        if isinstance(action, Unreadable):
            return Verdict(reward=0.0, passed=False, reason=action.unreadable)
        try:
            image = load(action.file)
        except DataError as error:
            return Verdict(reward=0.0, passed=False, reason=str(error))
        return self.judge.verdict(self.judge.judged(image, spec))


@dataclass(frozen=True, kw_only=True)
class Look:
    """The verifier of `Scenes`: looks at the picture with the environment's judge."""

    environment: Scenes

    def verify(self, task: Task, before: Drawing, action: Picture | Unreadable, after: Drawing) -> Verdict:
        if after.verdict is None:
            raise DataError("nothing was drawn yet; pass the state that followed a picture")
        return after.verdict

    def gold(self, task: Task) -> Picture:
        """A true picture of a scene that fits, the same for the same task."""
        environment = self.environment
        rng = stream(0, "gold", task.split, task.key)
        spec = environment.start(task).spec
        scene = scene_for(spec, environment.style, split_of(task.split, environment.kinds), rng)
        return picture(roughen(draw(scene, environment.pixels)[None], environment.style, rng)[0])


def picture(image: Images) -> Picture:
    """An array, UInt8["side side 3"], as an answer."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise UsageError(
            f"an array of {image.dtype} and shape {image.shape} was given, uint8 [side side 3] was expected"
        )
    return Picture(file=png(image))
