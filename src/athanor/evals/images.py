"""Images of a benchmark's prompts, drawn by a unified model and laid as the benchmark's judge expects them."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from PIL.Image import Image

from athanor.core.disk import write_atomically
from athanor.core.progress import progress
from athanor.core.seeds import stream
from athanor.core.store import Manifest
from athanor.environments.scenes.prompts import prompts
from athanor.environments.scenes.propositions import rows
from athanor.environments.scenes.scene import STYLES
from athanor.environments.scenes.spec import Spec
from athanor.environments.scenes.splits import split_of
from athanor.evals.dpg.pictures import grid
from athanor.evals.dpg.table import COLUMNS, Item
from athanor.evals.geneval.folder import laid, sample

if TYPE_CHECKING:
    from athanor.models.unified.drawing import Drawing
    from athanor.models.unified.unified import Unified

DRAWN = "eval draw"
"""Kind of the manifest of a folder of images."""
STYLE = "aligned"
"""Of the scenes whose prompts are drawn; in others prompts tell sizes and textures too."""


class Job(NamedTuple):
    """One prompt, and where its images go."""

    prompt: str
    done: Path
    """Written last: where it is there, the prompt is drawn."""
    files: Callable[[Sequence[Image]], Iterable[tuple[Path, bytes]]]


def of_geneval(folder: Path, specs: Sequence[Spec], each: int) -> list[Job]:
    """A numbered folder for each prompt."""

    def job(number: int, spec: Spec) -> Job:
        return Job(spec.prompt, sample(folder, number, each - 1), lambda images: laid(folder, number, spec, images))

    return [job(number, spec) for number, spec in enumerate(specs)]


def of_dpg(folder: Path, items: Sequence[Item]) -> list[Job]:
    """A file for each prompt: one picture, or up to four in a grid."""

    def job(item: Item) -> Job:
        file = folder / f"{item.name}.png"
        return Job(item.text, file, lambda images: [(file, grid(images))])

    return [job(item) for item in items]


def draw_all(unified: Unified, jobs: Sequence[Job], seeds: Sequence[int], how: Drawing) -> None:
    """Draw what is not there yet, one image of every prompt for each seed. Gone on with, it gives the same bytes.

    UsageError, before anything is drawn, if a prompt cannot be written in the model's words or is too long.
    """
    from athanor.models.unified.drawing import draw
    from athanor.models.unified.pictures import to_images

    for job in jobs:
        unified.layout.prompt(job.prompt)
    many = max(1, how.batch // len(seeds))
    parts = [jobs[k : k + many] for k in range(0, len(jobs), many)]
    whole = [all(job.done.exists() for job in part) for part in parts]
    with progress(len(parts), "batch", "images", sum(whole)) as bar:
        for part in (part for part, there in zip(parts, whole, strict=True) if not there):
            pixels = draw(unified, [job.prompt for job in part], seeds, how).pixels
            for job, mine in zip(part, pixels, strict=True):
                if not job.done.exists():
                    write(job.files(to_images(mine)))
            bar.update()


def write(files: Iterable[tuple[Path, bytes]]) -> None:
    for path, data in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data)


def of_scenes(many: int, categories: Sequence[str], seed: int) -> tuple[Spec, ...]:
    """Different held-out prompts of each category, so many as far as there are."""
    found = list[Spec]()
    for category in categories:
        rng = stream(seed, "prompts to be drawn", category)
        some = {one.prompt: one for one in prompts(category, STYLES[STYLE], split_of("test"), rng, 8 * many)}
        found += list(some.values())[:many]
    return tuple(found)


def table_of(specs: Sequence[Spec]) -> bytes:
    """Prompts of scenes with their questions, as DPG-Bench's CSV file."""
    text = io.StringIO(newline="")
    lines = csv.DictWriter(text, list[str](COLUMNS))
    lines.writeheader()
    for number, spec in enumerate(specs):
        lines.writerows(rows(f"{spec.tag}{number:04d}", spec))
    return text.getvalue().encode()


def drawn_with(folder: Path) -> dict[str, str]:
    """The digest of the manifest that images were drawn with, for the manifest of who judges them; none if they have
    none."""
    file = folder / "manifest.json"
    return {"drawn": hashlib.sha256(file.read_bytes()).hexdigest()} if file.is_file() else {}


def drawn_each(folder: Path) -> int | None:
    """How many images of each prompt were drawn, by the manifest of `athanor eval draw`; None if there is no such."""
    try:
        manifest = msgspec.json.decode((folder / "manifest.json").read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError):  # images of another program may have any file of that name
        return None
    each = manifest.config.get("each") if manifest.kind == DRAWN else None
    return each if isinstance(each, int) else None
