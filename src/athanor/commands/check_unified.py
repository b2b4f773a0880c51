"""athanor check unified: what a unified model draws and answers, tried as the study of seeing and drawing does."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec
import numpy as np
from PIL import Image

from athanor.commands.draw import loaded
from athanor.core.build import build_name, versions
from athanor.core.disk import cannot, write_atomically
from athanor.core.errors import StoreError, UsageError
from athanor.core.lines import open_folder, read_lines
from athanor.core.options import refuse_outside
from athanor.core.records import Estimate
from athanor.core.store import Manifest
from athanor.environments.scenes.drawing import SMALLEST, Images
from athanor.environments.scenes.scene import STYLES
from athanor.environments.scenes.sheet import sheet
from athanor.environments.scenes.spec import CATEGORIES
from athanor.models.unified.embedded import folder_of, usual

if TYPE_CHECKING:
    from athanor.analysis.trials import Measured

RANGES = {"prompts": (1, math.inf), "questions": (1, math.inf), "pictures": (1, math.inf), "number": (0, math.inf)}


@dataclass(frozen=True, kw_only=True)
class Config:
    """Try a unified model on scenes: prompts, seen and unseen, drawn and checked exactly, and questions of pictures."""

    out: Path
    """The folder to make: trial.jsonl, drawings.jsonl; refused if it exists, unless --resume is given."""
    model: Path | None = None
    """The folder of a unified model, in the layout of its release or of transformers; left out, the package's own."""
    tries: Literal["both", "drawing", "understanding", "controls"] = "both"
    """What the model has learned. controls: the tokenizer alone, and answers without pictures."""
    guidance: tuple[float, ...] | None = None
    """Weights of classifier-free guidance; 1 is none, the published is 5; left out, 1 and the model's own, or 5."""
    shown: float | None = None
    """Weight at which drawings are kept and asked about; left out, the last of --guidance."""
    temperature: float | None = None
    """Of drawing; left out, the model's own, or 1."""
    prompts: int = 80
    """Images of each category."""
    questions: int = 60
    """Of each kind."""
    pictures: int = 24
    """Of each category, for nats under true and other prompts."""
    style: str = "aligned"
    """Of the pictures: aligned, jittered, textured."""
    seed: int = 1
    """Prompts, questions and pictures follow from it."""
    number: int = 0
    """Drawings follow from it: trainings of one number are compared with the same random numbers."""
    template: Literal["janus-pro", "janus", "words"] | None = None
    """How the model was taught to converse; janus for a released Janus-1.3B, which does not say it itself."""
    device: str = "auto"
    """Where the model runs, as torch calls it; auto is the first GPU, else the CPU."""
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """In which precision; that of the file if not given, but float32 for float16 on a CPU."""
    threads: int = 1
    """Threads of PyTorch on a CPU."""
    resume: bool = False
    """Go on in --out, if it is there; a trial that is finished is printed again."""
    picture: Path | None = None
    """A PNG file to write: the first drawings of each category, with the checker's verdict under each."""
    json: bool = False
    """Print JSON on standard output instead of text."""


class _How(NamedTuple):
    """How is drawn: what is asked for, and else what the model's folder says."""

    guidance: tuple[float, ...]
    shown: float
    temperature: float


def run(config: Config) -> int:
    """Try, write what every item gave, and print the estimates."""
    import torch

    _refuse(config)
    ours = usual(config.model, temperature=config.temperature)
    weights = tuple(dict.fromkeys((1.0, ours.guidance))) if config.guidance is None else config.guidance
    shown = weights[-1] if config.shown is None else config.shown
    how = _How(weights, shown, ours.temperature)
    torch.set_num_threads(config.threads)
    open_folder(config.out, _manifest(config, how), resume=config.resume, work="a trial")
    if not (config.out / "trial.jsonl").exists():
        _try(config, how)
    from athanor.analysis.trials import read

    if config.picture is not None:
        _write(config.picture, config.out / "drawings.jsonl")
    found = list(estimates(folder_of(config.model).name, read(config.out / "trial.jsonl")))
    if config.json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=1).decode())
        return 0
    for one in found:
        scale, unit = (1.0, "") if "nats" in one.name else (100.0, "%")
        ends = "" if one.low is None or one.high is None else f"[{scale * one.low:.1f}, {scale * one.high:.1f}]"
        print(f"  {one.name:62} {scale * (one.value or 0.0):6.1f}{unit} {ends:16} {one.n} {one.unit}")
    return 0


def _refuse(config: Config) -> None:
    refuse_outside(config, RANGES)
    if not (folder_of(config.model) / "config.json").is_file():
        raise UsageError(f"{config.model} holds no model, a folder with config.json was expected; pass such a --model")
    if config.style not in STYLES:
        raise UsageError(f"--style {config.style!r} is not one of {', '.join(STYLES)}; pass one of them")
    weights = (1.0,) if config.guidance is None else config.guidance
    if not weights or not all(0 <= weight < math.inf for weight in weights):
        told = " ".join(map(str, weights)) or "nothing"
        raise UsageError(f"--guidance {told} was given, numbers of 0 or more were expected; pass such")


def _manifest(config: Config, how: _How) -> Manifest:
    from athanor.models.backends.pretrained import digest_of

    model, left = folder_of(config.model), ("model", "out", "resume", "json", "picture", "device", "threads")
    science: dict[str, Any] = {name: value for name, value in vars(config).items() if name not in left}
    science |= how._asdict()
    return Manifest(
        kind="check unified", config=msgspec.json.decode(msgspec.json.encode(science)),
        execution={"model": str(model), "device": config.device}, build=build_name(), versions=versions(),
        hashes={"model": digest_of(model, ("*.bin",))}, label=model.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip


def _try(config: Config, how: _How) -> None:
    from athanor.studies.see_and_draw import trial
    from athanor.studies.see_and_draw.study import try_model
    from athanor.studies.see_and_draw.tasks import Many, tasks

    unified = loaded(config)
    pixels = unified.model.config.tokenizer.image_size
    if pixels < SMALLEST:
        raise UsageError(
            f"the model draws {pixels} pixels a side, the checker sees {SMALLEST} or more; pass another model"
        )
    many = Many(prompts=config.prompts, questions=config.questions, pictures=config.pictures)
    those = tasks(many, config.style, config.seed, pixels)
    if config.tries == "controls":
        trial.write(config.out, trial.of_tokenizer(unified, those, config.seed), [])
        return
    trial.write(config.out, *try_model(
        unified, those, config.number, how.guidance, shown=how.shown, temperature=how.temperature,
        draws=config.tries != "understanding", answers=config.tries != "drawing",
    ))  # fmt: skip


def _write(path: Path, drawings: Path) -> None:
    """The drawings of a trial as one picture."""
    from athanor.analysis.trials import Shown
    from athanor.reports.gallery import called, in_words

    shown = list(read_lines(drawings, Shown))
    if not shown:
        raise UsageError("--picture was given and nothing was drawn; leave it out, or pass --tries both or drawing")
    rows: dict[str, list[tuple[Images, str]]] = {}
    for one in sorted(shown, key=lambda one: CATEGORIES.index(one.category)):
        said = "right" if one.passed else in_words(one.reason)
        image = np.asarray(Image.open(BytesIO(one.png)))
        rows.setdefault(called(one.category), []).append((image, f"{one.prompt}: {said}"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, sheet(list(rows.items())))
    except OSError as error:
        raise StoreError(cannot("write", path, error, elsewhere="pass a --picture that can be written")) from error


def estimates(name: str, measured: dict[str, Measured]) -> Iterator[Estimate]:
    """Each measure, in all, of what training may have told and of what it does not, and by stratum, with intervals over
    items."""
    from athanor.analysis.trials import Of, Tried, score

    tried: Sequence[Tried] = [Tried(arm=name, number=0, measured=measured)]
    for measure, one in measured.items():
        strata, parts = tuple(dict.fromkeys(one.strata)), sorted(set(one.parts))
        of = [Of(measure), *(Of(measure, "", part) for part in parts if len(parts) > 1)]
        for each in (*of, *(Of(measure, stratum) for stratum in strata if len(strata) > 1)):
            found = score(tried, name, each)
            if found.value is not None:
                yield found
