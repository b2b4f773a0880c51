"""athanor check scenes: how many prompts there are, what is held out, and the checker tried on pictures it draws."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
from tqdm import tqdm

from athanor.core.disk import cannot, write_atomically
from athanor.core.errors import StoreError
from athanor.core.options import refuse_outside
from athanor.environments.scenes import CATEGORIES, STYLES, split_of
from athanor.environments.scenes.checks import Counted, Tried, complaints, counted, examples, held_out, tried
from athanor.environments.scenes.drawing import LARGEST, SMALLEST
from athanor.environments.scenes.sheet import sheet


@dataclass(frozen=True, kw_only=True)
class Config:
    """Count the prompts of scenes and what is held out, and try the checker on true pictures and near misses."""

    style: Literal["aligned", "jittered", "textured"] = "textured"
    """How scenes vary beside what a prompt tells: aligned with patches; jitter and two sizes; textures too."""
    pixels: int = SMALLEST
    """Side of the pictures."""
    prompts: int = 200
    """Prompts of each category on which the checker is tried."""
    seed: int = 0
    """Draws them."""
    picture: Path | None = None
    """Write a PNG here with examples of every category in every style."""
    json: bool = False
    """Print JSON on standard output instead of text."""


def run(config: Config) -> int:
    """Print; 1 if the checker or the verifier failed on any picture."""
    refuse_outside(config, {"pixels": (SMALLEST, LARGEST), "prompts": (1, 100_000), "seed": (0, 2**63)})
    style, whole = STYLES[config.style], split_of("all")
    if config.picture is not None:
        _write(config.picture, config.seed)
    bar = tqdm(CATEGORIES, desc="pictures", file=sys.stderr, disable=None)
    tests = [tried(name, style, config.pixels, config.prompts, config.seed, whole) for name in bar]
    counts = [counted(name, style) for name in CATEGORIES]
    tasks, complained = complaints(style, config.seed)
    failed = len(complained) + sum(
        2 * one.pictures - one.passed_strict - one.passed_lenient + sum(one.accepted.values()) for one in tests
    )
    for complaint in complained[:3]:
        print(f"{complaint.answer} on {complaint.task}: {complaint.verdict.reason}", file=sys.stderr)
    if config.json:
        held = {kind: {"combinations": every, "held out": names} for kind, (every, names) in held_out().items()}
        told = {
            "style": config.style, "pixels": config.pixels, "counts": counts, "held out": held, "checker": tests,
            "validate": {"tasks": tasks, "complaints": complained},
        }  # fmt: skip
        print(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())
    else:
        print(_text(counts, tests))
        print(f"verifier: {tasks} tasks tried, complaints: {len(complained)}")
    return 1 if failed else 0


def _text(counts: list[Counted], tests: list[Tried]) -> str:
    lines = [f"{'category':<14}{'prompts: train':>15}{'test':>8}{'all':>8}{'nats of a scene: train':>24}{'test':>7}"]
    for one in counts:
        numbers = "".join(
            f"{'-' if (n := one.prompts[part]) is None else f'{n:,}':>{15 if part == 'train' else 8}}"
            for part in one.prompts
        )
        nats = ["-" if (nat := one.nats[part]) is None else f"{nat[1]:.2f}" for part in ("train", "test")]
        lines.append(f"{one.category:<14}{numbers}{nats[0]:>24}{nats[1]:>7}")
    lines += [
        f"held out: {kind} {len(names)} of {every} ({', '.join(names)})" for kind, (every, names) in held_out().items()
    ]
    lines.append(f"{'checker':<14}{'pictures':>9}{'strict':>8}{'lenient':>8}{'near misses':>12}{'accepted':>9}")
    lines += [
        f"{one.category:<14}{one.pictures:>9}{one.passed_strict:>8}{one.passed_lenient:>8}{one.near_misses:>12}"
        f"{sum(one.accepted.values()):>9}"
        for one in tests
    ]
    total, wrong = sum(one.near_misses for one in tests), sum(sum(one.accepted.values()) for one in tests)
    return "\n".join([*lines, f"near misses accepted: {wrong} of {total:,}"])


def _write(path: Path, seed: int) -> None:
    """Two pictures of each style, by category."""
    rows = []
    for category in CATEGORIES:
        row = []
        for style in STYLES.values():
            specs, images, _ = examples(category, style, 2, seed)
            row += [(image, spec.prompt) for image, spec in zip(images, specs, strict=True)]
        rows.append((category, row))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, sheet(rows))
    except OSError as error:
        raise StoreError(cannot("write", path, error, elsewhere="pass a --picture that can be written")) from error
