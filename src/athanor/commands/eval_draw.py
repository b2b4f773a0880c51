"""athanor eval draw: the images that eval geneval and eval dpg judge."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from athanor.commands.draw import loaded
from athanor.core.build import build_name, versions
from athanor.core.disk import cannot
from athanor.core.errors import StoreError, UsageError
from athanor.core.lines import open_folder
from athanor.core.options import refuse_outside
from athanor.core.store import Manifest
from athanor.environments.scenes.spec import CATEGORIES, GENEVAL, Spec
from athanor.evals.dpg import table
from athanor.evals.geneval import prompts
from athanor.evals.images import DRAWN, Job, draw_all, of_dpg, of_geneval, of_scenes, table_of, write
from athanor.models.unified.embedded import folder_of, usual

if TYPE_CHECKING:
    from athanor.models.unified.unified import Unified
    from athanor.models.unified.usual import Usual

GENEVAL_FILE, DPG_FILE = "prompts.jsonl", "questions.csv"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Draw the prompts of GenEval or DPG-Bench with a unified model, laid as eval geneval and eval dpg expect it."""

    benchmark: Literal["geneval", "dpg"]
    """Whose layout: geneval, a folder for each prompt; dpg, a file for each, with a grid of its images."""
    out: Path
    """The folder of images to make; refused if it exists, unless --resume is given."""
    model: Path | None = None
    """The folder of a unified model, in the layout of its release or of transformers; left out, the package's own."""
    prompts: Path | None = None
    """GenEval's prompts, one JSON object a line, or DPG-Bench's CSV; left out, GenEval's 553 published ones."""
    scenes: int = 0
    """In place of a benchmark's prompts so many held-out ones of scenes of each category; for --detector exact."""
    each: int = 4
    """Images of each prompt; of dpg up to 4."""
    seed: int = 0
    """Of the first image of every prompt; the others have the numbers after it. Prompts of --scenes follow from it."""
    guidance: float | None = None
    """Weight of classifier-free guidance; 1 is none, and half the work; left out, the model's own, or 5."""
    temperature: float | None = None
    """0 takes the likeliest code each time; left out, the model's own, or 1."""
    top_k: int | None = None
    """Draw from the k likeliest codes only."""
    top_p: float | None = None
    """Draw from the fewest likeliest codes with this probability only."""
    batch: int = 16
    """Images drawn at once."""
    template: Literal["janus-pro", "janus", "words"] | None = None
    """How the model was taught to converse; janus for a released Janus-1.3B, which does not say it itself."""
    device: str = "auto"
    """Where the model runs, as torch calls it; auto is the first GPU, else the CPU."""
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """In which precision; that of the file if not given, but float32 for float16 on a CPU."""
    compile: bool = False
    """Compile the step first: a minute, then faster on a GPU."""
    resume: bool = False
    """Go on in --out, if it is there; images that are there are kept."""


def run(config: Config) -> int:
    """Draw, and print the folder."""
    _refuse(config)
    jobs, asked = _jobs(config)
    unified = loaded(config)
    from athanor.models.backends.pretrained import digest_of
    from athanor.models.unified.drawing import Drawing
    from athanor.models.unified.sampling import Sampling

    ours = usual(config.model, config.guidance, config.temperature)
    sampling = Sampling(temperature=ours.temperature, top_k=config.top_k, top_p=config.top_p)
    how = Drawing(guidance=ours.guidance, sampling=sampling, batch=config.batch, compiled=config.compile)
    _refuse_prompts(config, unified, jobs)  # before a folder is made
    hashes = {"model": digest_of(folder_of(config.model), ("*.bin",)), "prompts": asked.digest}
    open_folder(config.out, _manifest(config, ours, hashes), resume=config.resume, work="drawing")
    try:
        write([(config.out / asked.name, asked.data)] if asked.data else [])
        draw_all(unified, jobs, range(config.seed, config.seed + config.each), how)
    except OSError as error:
        raise StoreError(cannot("write", config.out, error, again="go on with --resume")) from error
    print(config.out)
    return 0


def _refuse(config: Config) -> None:
    most = 4 if config.benchmark == "dpg" else inf
    refuse_outside(config, {"each": (1, most), "scenes": (0, inf), "batch": (1, inf)})
    if config.scenes and config.prompts:
        raise UsageError("--scenes and --prompts were given, one of them was expected; leave one out")
    if config.benchmark == "dpg" and not config.scenes and config.prompts is None:
        raise UsageError("--prompts was not given, DPG-Bench's CSV file was expected; pass it, or --scenes")
    if not (folder_of(config.model) / "config.json").is_file():
        raise UsageError(f"{config.model} holds no model, a folder with config.json was expected; pass such a --model")


def _refuse_prompts(config: Config, unified: Unified, jobs: Sequence[Job]) -> None:
    """UsageError for a prompt that the model cannot be given; of the package's own, which knows scenes, with the way
    out."""
    for job in jobs:
        try:
            unified.layout.prompt(job.prompt)
        except UsageError as error:
            if config.model is not None or config.scenes:
                raise
            raise UsageError(f"{error}; the package's model draws scenes: pass --scenes 50, or a --model") from error


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What is drawn."""

    digest: str
    name: str = ""
    data: bytes = b""
    """Of a file of it, to be judged by; empty where the user has one."""


def _jobs(config: Config) -> tuple[Sequence[Job], _Asked]:
    """Every prompt with where its images go."""
    specs: Sequence[Spec]
    if config.benchmark == "geneval":
        if config.scenes:
            specs = of_scenes(config.scenes, GENEVAL, config.seed)
        else:
            specs = prompts.published() if config.prompts is None else prompts.read(config.prompts)
        asked = _Asked(digest=prompts.digest(specs), name=GENEVAL_FILE, data=prompts.written(specs))
        return of_geneval(config.out, specs, config.each), asked
    if config.prompts is not None:
        rows = table.read(config.prompts)
        return of_dpg(config.out, table.checked(table.items(rows))), _Asked(digest=table.digest(rows))
    data = table_of(of_scenes(config.scenes, CATEGORIES, config.seed))
    rows = table.parsed(data, DPG_FILE)
    return of_dpg(config.out, table.items(rows)), _Asked(digest=table.digest(rows), name=DPG_FILE, data=data)


def _manifest(config: Config, ours: Usual, hashes: dict[str, str]) -> Manifest:
    left = ("model", "out", "prompts", "device", "compile", "resume")
    science: dict[str, Any] = {name: value for name, value in vars(config).items() if name not in left}
    science |= msgspec.to_builtins(ours)
    model = folder_of(config.model)
    return Manifest(
        kind=DRAWN, config=science,
        execution={
            "model": str(model), "prompts": str(config.prompts), "device": config.device,
            "compile": config.compile, "command": " ".join(["athanor", *sys.argv[1:]]),
        },
        build=build_name(), versions=versions(), hashes=hashes, label=model.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip
