"""athanor eval geneval: a folder of images, judged by GenEval's rules and by strict ones."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Any

import msgspec

from athanor.analysis.exploration import table_text, write_estimates
from athanor.core.build import build_name, versions
from athanor.core.disk import write_atomically
from athanor.core.errors import UsageError
from athanor.core.lines import open_folder
from athanor.core.options import refuse_idle, refuse_outside
from athanor.core.store import Manifest
from athanor.environments.scenes.spec import Spec
from athanor.environments.scenes.words import COLOUR_NAMES
from athanor.evals.geneval import folder, prompts
from athanor.evals.geneval.detecting import Colours, Detector, Told
from athanor.evals.geneval.exact import Exact
from athanor.evals.geneval.judging import RULES, Looked, judged
from athanor.evals.geneval.looking import look_at_all
from athanor.evals.geneval.scoring import estimates
from athanor.evals.images import drawn_with

HF = "hf:"
"""Before the folder or the name of a detector's weights."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Judge drawn images by GenEval's rules, as published and strictly."""

    images: Path
    """The images as GenEval lays them: IMAGES/00000/samples/0000.png, a numbered folder for each prompt."""
    out: Path
    """The folder to make: what was found, verdicts, estimates; refused if it exists, unless --resume is given."""
    prompts: Path | None = None
    """Prompts in GenEval's form, one JSON object a line; left out, the 553 published ones."""
    detector: str = "hf:facebook/mask2former-swin-small-coco-instance"
    """hf: and a folder, or a name on the hub, of Mask2Former's weights; exact: the checker of scenes."""
    clip: str = "openai/clip-vit-large-patch14"
    """Weights of CLIP, which names the colours of what hf: finds."""
    each: int = 4
    """Images expected of each prompt; fewer are reported, more are judged too."""
    download: bool = False
    """Fetch weights that are named OWNER/NAME and not in the local cache."""
    device: str = "auto"
    """Where the models run, as torch calls it; auto is the first GPU, else the CPU."""
    resume: bool = False
    """Go on in --out, if it is there; images that could not be looked at are tried again."""
    json: bool = False
    """Print JSON on standard output instead of a table."""


def run(config: Config) -> int:
    """Look, judge, write, and print the estimates; 1 if images are missing or could not be looked at."""
    refuse_outside(config, {"each": (1, inf)})
    if config.detector == "exact":
        plain = {"--clip": Config.clip, "--download": False, "--device": "auto"}
        given = {"--clip": config.clip, "--download": config.download, "--device": config.device}
        refuse_idle([name for name in plain if given[name] != plain[name]], "--detector exact")
    specs = prompts.published() if config.prompts is None else prompts.read(config.prompts)
    images = folder.read(config.images, specs, config.each)
    detector, colours, hashes = _eyes(config)
    open_folder(config.out, _manifest(config, specs, detector, colours, hashes), resume=config.resume, work="looking")
    looked = look_at_all(images, specs, detector, colours, config.out)
    found = estimates(looked, specs, images.missing)
    verdicts = [judged(one, specs[one.prompt], rules) for rules in RULES for one in looked]
    write_atomically(config.out / "verdicts.jsonl", b"".join(msgspec.json.encode(one) + b"\n" for one in verdicts))
    write_estimates(config.out / "estimates.jsonl", found)
    print(msgspec.json.format(msgspec.json.encode(found), indent=1).decode() if config.json else table_text(found))
    return _told(config, images, looked)


def _eyes(config: Config) -> tuple[Detector, Colours, dict[str, str]]:
    """The detector, who names colours, and the digests of their weights."""
    if config.detector == "exact":
        return Exact(), Told(colours=COLOUR_NAMES), {}
    if not config.detector.startswith(HF) or config.detector == HF:
        raise UsageError(
            f"--detector {config.detector!r} was given, exact or {HF} with a folder of weights was expected; pass one"
        )
    try:
        from athanor.evals.geneval.colours import Clip
        from athanor.evals.geneval.mask2former import Mask2Former
        from athanor.models.backends.pretrained import digest_of
    except ImportError as error:
        raise UsageError("torch and transformers are not installed; run `pip install 'athanor-lab[torch]'`") from error
    detector = Mask2Former(config.detector.removeprefix(HF), device=config.device, download=config.download)
    clip = Clip(config.clip, device=config.device, download=config.download)
    return detector, clip, {"detector": digest_of(detector.path), "clip": digest_of(clip.path)}


def _manifest(
    config: Config, specs: Sequence[Spec], detector: Detector, colours: Colours, hashes: dict[str, str]
) -> Manifest:  # fmt: skip
    settings: dict[str, Any] = {"detector": detector.name, "colours": colours.name, "each": config.each}
    return Manifest(
        kind="eval geneval", config=settings,
        execution={
            "images": str(config.images), "device": config.device, "command": " ".join(["athanor", *sys.argv[1:]]),
        },
        build=build_name(), versions=versions(),
        hashes={"prompts": prompts.digest(specs), **hashes, **drawn_with(config.images)},
        label=config.images.name, created=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip


def _told(config: Config, images: folder.Images, looked: Sequence[Looked]) -> int:
    """Say on standard error what is missing, what could not be looked at, and what no prompt asks for."""
    failed = [one for one in looked if one.failure]
    lacking = [prompt for prompt, n in enumerate(images.missing) if n]
    if lacking:
        names = ", ".join(f"{prompt:0{folder.DIGITS}d}" for prompt in lacking[:5])
        print(f"{sum(images.missing)} images of {len(lacking)} prompts are missing: {names}"
              f"{', ...' if len(lacking) > 5 else ''}; draw them, or pass another --each", file=sys.stderr)  # fmt: skip
    if failed:
        print(f"{len(failed)} of {len(looked)} images could not be looked at:", file=sys.stderr)
        for one in failed[:5]:
            print(f"  {one.prompt:0{folder.DIGITS}d}/samples/{one.sample}: {one.failure}", file=sys.stderr)
    if images.strangers:
        print(f"no prompt has the number of {len(images.strangers)} folders: {', '.join(images.strangers[:5])}",
              file=sys.stderr)  # fmt: skip
    return 1 if lacking or failed else 0
