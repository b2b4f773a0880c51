"""athanor study sft-vs-rl: does post-training generalize, or memorize?"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec


@dataclass(frozen=True, kw_only=True)
class Config:
    """Post-train small policies on GeneralPoints, supervised and by reinforcement, and compare them on the same hands;
    ends with a report beside the numbers of Chu et al. 2025."""

    out: Path
    """The study's folder: runs/, bases/, estimates.jsonl, claims.jsonl, figures/, report.html."""
    setting: Literal["smoke", "laptop", "paper"] = "laptop"
    """smoke: under a minute; laptop: within an hour on two cores; paper: how to run it at the published size."""
    quick: bool = False
    """Two arms, two seeds, from one base, in five minutes on two cores."""
    bases: tuple[str, ...] = ()
    """Base policies to train from, files of `train base-points`; those of the package if none is given."""
    resume: bool = False
    """Go on with the study in --out; what is trained is kept."""
    seed: int = 1
    """All randomness follows from it."""
    processes: int = 0
    """Trainings at once, each on one thread; 0 is one for each core."""
    json: bool = False
    """Print the estimates as JSON on standard output instead of the report's path."""


def run(config: Config) -> int:
    """Train, compare, write the report; print its path, or the estimates. 1 if a training was stopped."""
    from athanor.core.errors import UsageError

    if config.quick and config.setting != "laptop":
        raise UsageError(f"--quick and --setting {config.setting} were given; pass one of them")
    if config.processes < 0:
        raise UsageError(f"--processes {config.processes} was given, 0 or more were expected; pass such a number")
    if config.out.is_dir() and any(config.out.iterdir()) and not config.resume:
        raise UsageError(f"{config.out} already holds something; pass --resume to go on with a study, or another --out")
    from athanor.reports.sft_vs_rl import page
    from athanor.studies.sft_vs_rl.findings import find
    from athanor.studies.sft_vs_rl.study import Asked
    from athanor.studies.sft_vs_rl.study import run as train

    setting = "quick" if config.quick else config.setting
    asked = Asked(setting=setting, seed=config.seed, processes=config.processes, bases=config.bases)
    stopped = train(asked, config.out)
    found = find(asked, config.out)
    written = page(found, config.out)
    if config.json:
        print(msgspec.json.format(msgspec.json.encode(found.estimates), indent=1).decode())
    print(written.resolve(), file=sys.stderr if config.json else sys.stdout)
    return stopped
