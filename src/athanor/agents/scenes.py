"""Painters that need no model: one that draws what it is asked for, and chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from athanor.core.errors import UsageError
from athanor.core.history import History
from athanor.core.records import Decision, Unreadable
from athanor.core.seeds import below
from athanor.environments.scenes import Scenes, read
from athanor.environments.scenes.drawing import draw, roughen
from athanor.environments.scenes.entropy import scene_for
from athanor.environments.scenes.environment import Asked, Picture, picture
from athanor.environments.scenes.prompts import prompts
from athanor.environments.scenes.spec import Spec
from athanor.environments.scenes.splits import split_of


@dataclass(frozen=True)
class Gold:
    """Reads the prompt and draws a scene that fits."""

    environment: Scenes
    name: str = "gold"

    async def act(self, observation: Asked, history: History[Picture], rng: np.random.Generator) -> Decision[Picture]:
        try:
            spec = read(observation.prompt)
        except UsageError as error:
            return Decision(action=Unreadable(unreadable=str(error)))
        return Decision(action=painted(self.environment, spec, rng))


@dataclass(frozen=True)
class RandomScene:
    """Draws what a random prompt of the same category would ask for, whatever was asked: what chance passes. It
    remembers nothing."""

    environment: Scenes
    name: str = "random"

    async def act(self, observation: Asked, history: History[Picture], rng: np.random.Generator) -> Decision[Picture]:
        environment = self.environment
        try:
            category = read(observation.prompt).tag
        except UsageError as error:
            return Decision(action=Unreadable(unreadable=str(error)))
        if category not in environment.categories:  # as a few of `mixed` read, which could be of another
            category = environment.categories[below(rng, len(environment.categories))]
        (spec,) = prompts(category, environment.style, split_of("all", environment.kinds), rng, 1)
        return Decision(action=painted(environment, spec, rng))


def painted(environment: Scenes, spec: Spec, rng: np.random.Generator) -> Picture:
    """A true picture of a scene that fits."""
    scene = scene_for(spec, environment.style, split_of("all", environment.kinds), rng)
    return picture(roughen(draw(scene, environment.pixels)[None], environment.style, rng)[0])


PAINTERS: dict[str, Callable[[Scenes], Gold | RandomScene]] = {"gold": Gold, "random": RandomScene}
"""By name."""
