"""athanor ask: a question about an image, answered by a unified model."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from athanor.commands.draw import loaded
from athanor.core.errors import UsageError
from athanor.core.image_files import contents, opened
from athanor.core.options import refuse_idle, refuse_outside
from athanor.core.records import Message
from athanor.environments.scenes.asking import DESCRIBE, FORMS, worded
from athanor.environments.scenes.words import WORDS

if TYPE_CHECKING:
    from athanor.models.unified.unified import Unified


@dataclass(frozen=True, kw_only=True)
class Config:
    """Ask a unified model about an image."""

    image: Annotated[Path, tyro.conf.Positional]
    """The image: PNG, JPEG, WebP, GIF, BMP or TIFF."""
    question: Annotated[str, tyro.conf.Positional]
    """The question; <image_placeholder> in it, once for each image, says where the images stand."""
    model: Path | None = None
    """The folder of a unified model, in the layout of its release or of transformers; left out, the package's own."""
    also: tuple[Path, ...] = ()
    """More images, shown after the first."""
    system: str | None = None
    """What the model is told first; that of its template if not given, nothing if empty."""
    most: int = 256
    """Tokens of the answer, at most."""
    temperature: float = 0.0
    """0 takes the likeliest word each time."""
    top_p: float | None = None
    """Draw from the fewest likeliest tokens with this probability only."""
    seed: int = 0
    """Of what is drawn."""
    template: Literal["janus-pro", "janus", "words"] | None = None
    """How the model was taught to converse; janus for a released Janus-1.3B, which does not say it itself."""
    device: str = "auto"
    """Where the model runs, as torch calls it; auto is the first GPU, else the CPU."""
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """In which precision; that of the file if not given, but float32 for float16 on a CPU."""


def run(config: Config) -> int:
    """Print the answer."""
    refuse_outside(config, {"most": (1, inf), "temperature": (0, inf), "seed": (0, 2**63)})
    if not config.question.strip():
        raise UsageError("the question is empty, words were expected; pass some")
    if config.temperature == 0:
        refuse_idle(["--top-p"] if config.top_p is not None else [], "--temperature 0")
    images = tuple(_image(path) for path in (config.image, *config.also))
    first = [] if config.system is None else [Message(role="system", text=config.system)]
    unified = loaded(config)
    asked = [*first, Message(role="user", text=_worded(config, unified), images=images)]
    from athanor.models.unified.answering import Answering, ask
    from athanor.models.unified.sampling import Sampling

    sampling = Sampling(temperature=config.temperature, top_p=config.top_p)
    print(*ask(unified, [asked], Answering(most=config.most, sampling=sampling, seed=config.seed)))
    return 0


def _worded(config: Config, unified: Unified) -> str:
    """The question; of a model of the words of scenes as its training asks, told where that is not as given."""
    from athanor.models.unified.text_tokenizer import WordTokenizer

    words = unified.words
    if config.also or not isinstance(words, WordTokenizer) or not set(WORDS) <= set(words.words):
        return config.question
    found = worded(config.question)
    if found is None:
        words.encode(config.question)  # an error says more
        forms = " ".join((*FORMS, DESCRIBE))
        print(f"note: scenes are not asked about so in training, the answer means little; ask {forms}", file=sys.stderr)
    elif found != config.question:
        print(f"asked as: {found}", file=sys.stderr)
    return found or config.question


def _image(path: Path) -> bytes:
    """A file that is seen to be an image before a model is loaded; an error names it."""
    data = contents(path)
    opened(data, str(path))
    return data
