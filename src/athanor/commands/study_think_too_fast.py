"""athanor study think-too-fast: do language models think too fast to explore?"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import tyro

from athanor.commands.studying import tell
from athanor.core.lines import refuse_taken
from athanor.core.options import refuse_idle
from athanor.models.backends import BackendConfig, idle
from athanor.models.backends.llamacpp import SMOLLM2, LlamaConfig

if TYPE_CHECKING:
    from athanor.studies.think_too_fast.study import Asked

ALONE = LlamaConfig(slots=1)
"""One episode at a time: only so does a seed give the same answers again on the same machine."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Play, analyse and compare with Pan et al. 2025 and Brändle et al. 2023; ends with a report."""

    out: Path
    """The study's folder: runs/, estimates.jsonl, comparisons.jsonl, figures/, report.html."""
    setting: Literal["smoke", "laptop", "paper"] = "laptop"
    """smoke: under a minute; laptop: under 15 minutes on two cores; paper: the published sizes, hours to days."""
    model: str = SMOLLM2
    """The model that plays; further models join a folder by further calls with --resume."""
    resume: bool = False
    """Go on with the study in --out; what is played is kept."""
    seed: int = 1
    """All randomness follows from it."""
    pair_values: str = "learned"
    """Empowerment: learned (not in smoke), true (the tables' own), or a folder of `train empowerment` folders."""
    nulls: int = 1000
    """Draws of null choices for each arm."""
    nagq: Literal[0, 1] = 1
    """Mixed models by full Laplace approximation (1), or as the publications fitted them (0), theirs beside it."""
    answer_tokens: int | None = None
    """Bound on answers not asked to reason; left out: 50 in paper, as published, but for models known to reason."""
    people: tuple[Path, ...] = ()
    """Logs of people, as `athanor analyse` reads them, or their run folders, to be compared beside the models."""
    people_rules: Literal["strict", "pan2025", "brandle2023"] = "brandle2023"
    """Rules by which the logs of --people are replayed, on the table of the setting's first world."""
    allow_excluded: float = 0.1
    """Share of an arm's turns, invalid answers mostly, that may be left out before its weights are withheld."""
    dry_run: bool = False
    """Play nothing: print every arm with its turns, calls, tokens and cost, expected and at most."""
    json: bool = False
    """Print the estimates (with --dry-run, the costs) as JSON on standard output instead of text."""
    backend: Annotated[BackendConfig, tyro.conf.arg(name="")] = field(
        default_factory=lambda: BackendConfig(llama=ALONE)
    )


def run(config: Config) -> int:
    """Play, analyse, write the report; print its path, or the estimates. 1 if any episode ended in an error."""
    from athanor.reports.think_too_fast import page
    from athanor.studies.think_too_fast.study import Asked, analyse
    from athanor.studies.think_too_fast.study import run as play

    given = [one for one in idle(config.backend) if one != "--llama.slots" or config.backend.llama.slots != ALONE.slots]
    refuse_idle(given, f"--backend {config.backend.backend}")
    asked = Asked(
        setting=config.setting, model=config.model, backend=config.backend, seed=config.seed,
        pair_values=config.pair_values, nulls=config.nulls, threads=len(os.sched_getaffinity(0)),
        allow_excluded=config.allow_excluded, nagq=config.nagq, answer_tokens=config.answer_tokens,
        people=config.people, people_rules=config.people_rules,
    )  # fmt: skip
    if config.dry_run:
        return _dry(asked, as_json=config.json)
    refuse_taken(config.out, resume=config.resume, work="a study")
    failed = play(asked, config.out)
    found = analyse(asked, config.out)
    tell(found.estimates(), page(found, config.out), json=config.json)
    return failed


def _dry(asked: Asked, *, as_json: bool) -> int:
    """Print what would be asked for; nothing is made. A model, a key and logs of people are not looked at."""
    from athanor.studies.think_too_fast.budget import costs, costs_text
    from athanor.studies.think_too_fast.study import planned

    found = costs(planned(asked), asked.model, asked.backend, asked.seed)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=1).decode())
    else:
        print(costs_text(found), end="")
    return 0
