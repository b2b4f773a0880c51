"""athanor eval dpg: a folder of images, scored by DPG-Bench's questions."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import tyro

from athanor.analysis.exploration import table_text, write_estimates
from athanor.core.build import build_name, versions
from athanor.core.errors import UsageError
from athanor.core.lines import open_folder
from athanor.core.options import changed, refuse_idle, refuse_outside, refuse_without
from athanor.core.protocols import Backend
from athanor.core.records import Sampling
from athanor.core.store import Manifest
from athanor.evals.dpg import legacy, scoring, table
from athanor.evals.dpg.answering import ASKED, Asked, Exact
from athanor.evals.dpg.asking import Answer, Asking, ask_all
from athanor.evals.dpg.asking import Asked as Answers
from athanor.evals.dpg.pictures import files
from athanor.evals.images import drawn_each, drawn_with
from athanor.models.backends import BACKENDS, BackendConfig, answering, execution_of, idle, model_hash, refuse
from athanor.models.unified.embedded import folder_of

READABLE = 0.5
"""Share of answers that must be yes or no: with fewer, what was measured is not what was drawn."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Score drawn images by DPG-Bench's questions, correctly or as the published script does."""

    images: Path
    """The images: a file for each prompt, named by its item_id, with --each pictures in it."""
    questions: Path
    """The benchmark's CSV file, or one with the same columns."""
    out: Path
    """The folder to make: answers and estimates; refused if it exists, unless --resume is given."""
    model: str = ""
    """Who is asked. openai: the server's name; unified: a folder, left out the package's own; scripted: a file."""
    answerer: Literal["model", "exact"] = "model"
    """model: the one behind --backend; exact: the checker of scenes, for pictures and questions of scenes."""
    each: int = 4
    """Pictures in a file: 1, or up to 4 in a grid of 2 by 2, from top left to bottom right."""
    resolution: int | None = None
    """Pixels of a picture's side; left out, what the file says. With --legacy pictures are cut to it unchecked."""
    legacy: bool = False
    """Cut, ask and score as the published script does; the correct score of the same answers is printed beside."""
    processes: int = 1
    """With --legacy: processes among which the script is run, which mix its categories; its launcher has 8."""
    wording: str | None = None
    """What is asked, {question} standing for the question; with --legacy the bare question if left out."""
    max_tokens: int = 16
    """Bound on an answer's tokens. A model that reasons first needs more."""
    temperature: float | None = 0.0
    """Sampling temperature; None sends none, for models that take none."""
    concurrency: int = 0
    """Questions asked at once; 0 is as many as the backend can work on."""
    seed: int = 0
    """Of the answers' sampling, and of the order of categories with --processes."""
    resume: bool = False
    """Go on in --out, if it is there; answers that failed are asked for again."""
    json: bool = False
    """Print JSON on standard output instead of a table."""
    backend: Annotated[BackendConfig, tyro.conf.arg(name="")] = field(default_factory=BackendConfig)


def run(config: Config) -> int:
    """Ask, score, write, print the estimates; 1 if an image is missing, an answer failed, or most are unreadable."""
    config = _resolved(config)
    _check(config)
    rows = table.read(config.questions)
    items = table.checked(table.items(rows))
    if not config.images.is_dir():
        raise UsageError(f"{config.images} is no folder, one of images named by item_id was expected; pass such")
    if (drawn := drawn_each(config.images)) not in (None, config.each):
        raise UsageError(
            f"--each {config.each} was given, {config.images} was drawn with --each {drawn} by its "
            f"manifest.json; pass --each {drawn}"
        )
    there = files(config.images)
    asked = asyncio.run(_ask(config, rows, items, there))
    found = _scores(config, rows, items, asked)
    write_estimates(config.out / "estimates.jsonl", found)
    print(msgspec.json.format(msgspec.json.encode(found), indent=1).decode() if config.json else table_text(found))
    return _told(items, there, asked)


def _resolved(config: Config) -> Config:
    """With the package's model where a unified one answers and none is named; it is asked the bare question, for it
    knows the words of scenes alone."""
    if config.answerer != "model" or config.backend.backend != "unified" or config.model:
        return config
    return replace(config, model=str(folder_of(None)), wording=config.wording or "{question}")


def _check(config: Config) -> None:
    ranges = {"each": (1, 4), "resolution": (1, 4096), "processes": (1, 1000), "max_tokens": (1, inf)}
    refuse_outside(config, {**ranges, "concurrency": (0, inf), "temperature": (0, inf)})
    if not config.legacy:
        refuse_without(["--processes"] if config.processes != 1 else [], "--legacy")
    if config.answerer == "exact":
        plain = {"--model": config.model != "", "--wording": config.wording is not None}
        given = [
            *changed(config.backend, but=("llama", "http", "torch", "unified")),
            *idle(config.backend, asked=False),
        ]
        refuse_idle([*[name for name, is_given in plain.items() if is_given], *given], "--answerer exact")
        return
    if not config.model:
        raise UsageError("--model was not given, who is asked was expected; pass one, or --answerer exact for scenes")
    if config.wording is not None and "{question}" not in config.wording:
        raise UsageError(f"--wording {config.wording!r} has no {{question}}, its place was expected; add it")
    refuse_idle(idle(config.backend), f"--backend {config.backend.backend}")
    sampling = Sampling(max_tokens=config.max_tokens, temperature=config.temperature, seed=config.seed)
    refuse(config.backend, sampling, images=config.backend.backend != "scripted")


async def _ask(
    config: Config, rows: Sequence[table.Question], items: Sequence[table.Item], there: dict[str, Path]
) -> Answers:  # fmt: skip
    """The backend is made first: if it cannot be, no folder is left."""
    backend: Backend | None = None
    if config.answerer == "model":
        backend = BACKENDS[config.backend.backend](config.model, config.backend)
    try:
        who = Exact() if backend is None else Asked(
            backend=backend, wording=_wording(config), max_tokens=config.max_tokens, temperature=config.temperature,
            seed=config.seed,
        )  # fmt: skip
        open_folder(config.out, _manifest(config, who.name, rows), resume=config.resume, work="asking")
        how = Asking(
            each=config.each, side=config.resolution, legacy=config.legacy, concurrency=config.concurrency
        )  # fmt: skip
        return await ask_all(items, there, who, how, config.out)
    finally:
        if backend is not None:
            await backend.close()


def _wording(config: Config) -> str:
    return config.wording or ("{question}" if config.legacy else ASKED)


def _manifest(config: Config, who: str, rows: Sequence[table.Question]) -> Manifest:
    """What the answers depend on; how they are scored may change when the run is gone on with."""
    science: dict[str, Any] = {
        "answerer": config.answerer, "model": who, "each": config.each, "resolution": config.resolution,
        "legacy": config.legacy,
    }  # fmt: skip
    execution: dict[str, Any] = {
        "images": str(config.images), "concurrency": config.concurrency, "processes": config.processes,
        "command": " ".join(["athanor", *sys.argv[1:]]),
    }  # fmt: skip
    hashes = {"questions": table.digest(rows), **drawn_with(config.images)}
    if config.answerer == "model":
        science |= {"wording": _wording(config), "max_tokens": config.max_tokens, "temperature": config.temperature,
                    "seed": config.seed, **answering(config.backend)}  # fmt: skip
        execution |= execution_of(config.backend)
        hashes |= model_hash(config.model, config.backend)
    return Manifest(
        kind="eval dpg", config=science, execution=execution, build=build_name(), versions=versions(), hashes=hashes,
        label=config.images.name, created=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip


def _scores(
    config: Config, rows: Sequence[table.Question], items: Sequence[table.Item], asked: Answers
) -> tuple[Any, ...]:  # fmt: skip
    correct = "correct score of the same answers" if config.legacy else "correct"
    found = scoring.estimates(items, asked.answers, config.each, correct)
    if not config.legacy:
        return found
    group = "legacy" if config.processes == 1 else f"legacy, {config.processes} processes"
    return (
        *legacy.estimates(rows, asked.answers, config.each, group, processes=config.processes, seed=config.seed),
        *found,
    )  # fmt: skip


def _told(items: Sequence[table.Item], there: dict[str, Path], asked: Answers) -> int:
    """Say on standard error what is missing, what could not be read, which answers failed, what no prompt asks for."""
    missing = [item.name for item in items if item.name not in there]
    failed = {one.failure: key for key, one in asked.answers.items() if one.failure}
    if missing:
        print(f"the images of {len(missing)} of {len(items)} prompts are missing: {', '.join(missing[:5])}"
              f"{', ...' if len(missing) > 5 else ''}; draw them", file=sys.stderr)  # fmt: skip
    for name, why in list(asked.unread.items())[:5]:
        print(f"the image of {name} could not be used: {why}", file=sys.stderr)
    if failed:
        count = sum(bool(one.failure) for one in asked.answers.values())
        print(f"{count} of {len(asked.answers)} answers failed; ask again with --resume:", file=sys.stderr)
        for why, key in list(failed.items())[:5]:
            print(f"  {key[0]}, picture {key[1] + 1}, question {key[2]}: {why[:500]}", file=sys.stderr)
    unreadable = _unreadable([one for one in asked.answers.values() if not one.failure])
    if strangers := sorted(set(there) - {item.name for item in items}):
        print(f"no prompt has the name of {len(strangers)} images: {', '.join(strangers[:5])}", file=sys.stderr)
    return 1 if missing or failed or asked.unread or unreadable else 0


def _unreadable(given: Sequence[Answer]) -> bool:
    """Say how many answers are neither yes nor no; whether too many are for a score to be one."""
    lost = scoring.neither(given)
    if not lost:
        return False
    most = len(lost) > (1 - READABLE) * len(given)
    todo = "; this is no score of the images: pass another --wording, more --max-tokens or another --model"
    told = f"{len(lost)} of {len(given)} answers are neither yes nor no and count as no"
    print(f"{told}{todo if most else ''}; the first are:", file=sys.stderr)
    for one in lost[:5]:
        print(f"  {one.item}, picture {one.picture + 1}, question {one.question}: {one.text[:80]!r}", file=sys.stderr)
    return most
