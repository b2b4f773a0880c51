"""Scenes: pictures of shapes and cards with exact truth, prompts, questions, and drawing as a task with a verifier."""

from athanor.environments.scenes.environment import Asked, Drawing, Look, Picture, Scenes, picture
from athanor.environments.scenes.judge import Judge, Judged
from athanor.environments.scenes.reading import read
from athanor.environments.scenes.scene import STYLES, Placed, Scene, Style, Thing
from athanor.environments.scenes.spec import CATEGORIES, GENEVAL, Entry, Spec, tell
from athanor.environments.scenes.splits import KINDS, PARTS, Split, split_of

__all__ = [
    "CATEGORIES", "GENEVAL", "KINDS", "PARTS", "STYLES", "Asked", "Drawing", "Entry", "Judge", "Judged", "Look",
    "Picture", "Placed", "Scene", "Scenes", "Spec", "Split", "Style", "Thing", "picture", "read", "split_of", "tell",
]  # fmt: skip
