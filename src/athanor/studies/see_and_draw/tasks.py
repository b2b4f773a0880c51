"""What every model of the study is tried on: prompts to draw, questions about true pictures, pictures for their nats.

They follow from the study's seed alone, so that all models have the same. Prompts are of all combinations; `unseen` are
those that tell one that is kept out of training.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from athanor.core.errors import UsageError
from athanor.core.seeds import digest, stream
from athanor.environments.scenes.batches import Source, batch, entropies
from athanor.environments.scenes.drawing import Images, render, roughen
from athanor.environments.scenes.entropy import scene_for
from athanor.environments.scenes.prompts import drawn, prompts
from athanor.environments.scenes.questions import CARD_KINDS, DRAWS, KINDS, Question, ask
from athanor.environments.scenes.scene import STYLES, Style, grids, scenes
from athanor.environments.scenes.spec import CATEGORIES, Spec
from athanor.environments.scenes.splits import split_of, told_held
from athanor.training.unified.lessons import Example

SEEN, UNSEEN = "seen", "unseen"
TOGETHER = 256
"""Pictures that questions are asked of at once."""
PATIENCE = 200
"""Batches without enough questions of each kind after which there are taken to be none."""
TRAINING = 1_000
"""Questions of training about scenes of each category whose answers are counted."""
OFTEN = 5
"""Times that a question must have been asked for its own usual answer to be taken, and not that of its kind."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A prompt that is drawn."""

    category: str
    spec: Spec
    part: str
    images: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Queried:
    """A question about a true picture."""

    image: Images
    question: Question
    usual: str
    """What is answered most often in training to such a question, whatever the picture."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Tasks:
    """All of it."""

    style: Style
    pixels: int
    """Of a picture's side."""
    wanted: tuple[Wanted, ...]
    queried: tuple[Queried, ...]
    pictures: tuple[Example, ...]
    """With prompts, for nats."""


@dataclass(frozen=True, kw_only=True)
class Many:
    """How many tasks there are."""

    prompts: int
    """Images of each category; different prompts, as far as there are so many."""
    questions: int
    """Of each kind."""
    pictures: int
    """Of each category."""


def tasks(many: Many, style: str, seed: int, pixels: int) -> Tasks:
    """UsageError if a style has no questions of a kind."""
    look = STYLES[style]
    return Tasks(
        style=look, pixels=pixels, wanted=tuple(wanted(many.prompts, look, seed)),
        queried=tuple(queried(many.questions, look, seed, pixels)),
        pictures=tuple(pictures(many.pictures, look, seed, pixels)),
    )  # fmt: skip


def wanted(many: int, style: Style, seed: int) -> list[Wanted]:
    """Different prompts of each category, as many as there are up to `many`, each drawn as often as makes up for it.
    What is a prompt of two categories (`a star above a ring` may be one of `mixed`) is one of the first alone, so that
    a drawing is known by its prompt."""
    found, taken = list[Wanted](), set[str]()
    for category in CATEGORIES:
        rng = stream(seed, "tried prompts", category)
        some = {spec.prompt: spec for spec in prompts(category, style, split_of("all"), rng, 6 * many)}
        chosen = [spec for prompt, spec in some.items() if prompt not in taken][:many]
        taken |= {spec.prompt for spec in chosen}
        images = -(-many // len(chosen))
        found += [
            Wanted(category=category, spec=spec, part=UNSEEN if told_held(spec) else SEEN, images=images)
            for spec in chosen
        ]  # fmt: skip
    return found


def queried(many: int, style: Style, seed: int, pixels: int) -> list[Queried]:
    """So many questions of each kind, each about a picture of its own."""
    kinds = [*KINDS, *(["size"] if len(style.sizes) > 1 else []), *(["texture"] if len(style.textures) > 1 else [])]
    kinds = list(dict.fromkeys([*kinds, *CARD_KINDS]))
    source = Source(style=style, split=split_of("all"), pixels=pixels)
    usual, asked = _usual(style, seed), dict[str, list[Queried]]({kind: [] for kind in kinds})
    for index in range(PATIENCE):
        some = batch(source, digest(seed, "tried questions"), index, TOGETHER)
        for image, one in zip(some.images, some.questions, strict=True):
            if len(asked[one.kind]) < many:
                asked[one.kind].append(Queried(image=image, question=one, usual=usual(one)))
        if all(len(those) == many for those in asked.values()):
            return [one for those in asked.values() for one in those]
    few = [kind for kind, those in asked.items() if len(those) < many]
    raise UsageError(f"{many} questions of the kinds {', '.join(few)} were not found; ask for fewer")


def _usual(style: Style, seed: int) -> Callable[[Question], str]:
    """What is answered most often in training to a question with the same words or, where it is rare, of its kind."""
    by_text, by_kind = dict[str, Counter[str]](), dict[str, Counter[str]]()
    for category in CATEGORIES:
        rng = stream(seed, "usual answers", category)
        for scene in scenes(drawn(category, style, split_of("train"), rng, TRAINING)[1]):
            one = ask(scene, style, split_of("train"), rng.random(DRAWS).tolist())
            by_text.setdefault(one.text, Counter())[one.answer] += 1
            by_kind.setdefault(one.kind, Counter())[one.answer] += 1

    def answer(question: Question) -> str:
        same = by_text.get(question.text, Counter())
        chosen = same if same.total() >= OFTEN else by_kind.get(question.kind, same)
        return chosen.most_common(1)[0][0] if chosen else ""

    return answer


def pictures(many: int, style: Style, seed: int, pixels: int) -> list[Example]:
    """So many pictures of each category, with their prompts and the nats of the scene that these leave open."""
    source = Source(style=style, split=split_of("all"), pixels=pixels)
    found = []
    for category in CATEGORIES:
        some = batch(replace(source, weights=((category, 1.0),)), digest(seed, "tried pictures", category), 0, many)
        found += [
            Example(picture=image, prompt=prompt, category=category, entropy=nats)
            for image, prompt, nats in zip(some.images, some.captions, entropies(source, some), strict=True)
        ]
    return found


def true_pictures(those: Tasks, seed: int) -> list[tuple[Wanted, Images]]:
    """A picture of each prompt as the generator draws it, as often as the prompt is drawn."""
    found = []
    for one in those.wanted:
        rng = stream(seed, "true pictures", one.spec.prompt)
        for _ in range(one.images):
            scene = scene_for(one.spec, those.style, split_of("all"), rng)
            found.append((one, roughen(render(grids([scene]), those.pixels), those.style, rng)[0]))
    return found
