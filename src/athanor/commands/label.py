"""athanor label: the kinds of thought in the reasoning traces of a run or of published logs."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import tyro

from athanor.analysis.exploration import table_text, write_estimates
from athanor.analysis.traces.agreement import agreement, confusion, confusion_table
from athanor.analysis.traces.files import LabelFile, label_all
from athanor.analysis.traces.gold import gold, gold_passages
from athanor.analysis.traces.labeller import Labeller
from athanor.analysis.traces.labels import Labelled
from athanor.analysis.traces.measures import estimates, position_table, sentence_table, trace_table
from athanor.analysis.traces.passages import Source, Traces, traces_of
from athanor.analysis.traces.sequences import ngram_table, transition_table
from athanor.core.build import build_name, versions
from athanor.core.disk import write_atomically
from athanor.core.lines import open_folder
from athanor.core.options import refuse_idle
from athanor.core.progress import progress
from athanor.core.records import Estimate
from athanor.core.store import Manifest
from athanor.models.backends import BACKENDS, BackendConfig, answering, execution_of, idle, model_hash

NGRAMS = (2, 3, 5, 10, 15, 20)
"""Lengths of the n-grams in the table: those published for GPT-4o (2, 3) and DeepSeek-R1 (5, 10, 15, 20)."""
TOP = 10


@dataclass(frozen=True, kw_only=True)
class Config:
    """Label the kinds of thought in reasoning traces, after a trial of the labeller on the gold set."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run folder whose traces are labelled, or a JSON file of published logs with reasoning; it is only read."""
    model: str
    """Who labels. llamacpp: smollm2-135m-instruct or a GGUF file; openai: the server's name; scripted: a file."""
    out: Path
    """The folder to make; refused if it exists, unless --resume is given."""
    source: Source | None = None
    """Where a run's traces are: hidden reasoning, or the answers' text; left out, what the run has."""
    resume: bool = False
    """Go on in --out, if it is there; traces on which the backend failed are tried again."""
    constrained: bool = False
    """Decode only well-formed labels (a grammar), where the backend takes one."""
    block: int = 40
    """Sentences in one request, at most."""
    temperature: float | None = 0.0
    """Sampling temperature of the labeller; None sends none, for models that take none."""
    max_tokens: int | None = None
    """Bound on an answer's tokens; left out, what the labels take. A model that reasons first needs more."""
    concurrency: int = 0
    """Traces labelled at once; 0 is as many as the backend can work on."""
    seed: int = 0
    """Seed of the labeller's sampling."""
    json: bool = False
    """Print JSON on standard output instead of a table."""
    backend: Annotated[BackendConfig, tyro.conf.arg(name="")] = field(default_factory=BackendConfig)


def run(config: Config) -> int:
    """Label, write tables and estimates, and print the estimates; 1 if the backend failed on any trace."""
    refuse_idle(idle(config.backend), f"--backend {config.backend.backend}")
    traces = traces_of(config.run, config.source)
    trial, lines = asyncio.run(_label(config, traces))
    counts = confusion(trial, gold())
    who = next((line.model for line in trial.values()), config.model)
    found = (
        *agreement(counts, f"{who} on the gold set"),
        *(one for group, mine in by_group(traces, lines.values()) for one in _estimates(traces, group, mine)),
    )
    _write(config.out, {"confusion": confusion_table(counts), **_tables(traces, lines.values())}, found)
    print(msgspec.json.format(msgspec.json.encode(found), indent=1).decode() if config.json else table_text(found))
    return _told(config, [*trial.values(), *lines.values()])


async def _label(config: Config, traces: Traces) -> tuple[dict[str, Labelled], dict[str, Labelled]]:
    """The labelled gold set and the labelled traces. The backend is made first: if it cannot be, no folder is left."""
    backend = BACKENDS[config.backend.backend](config.model, config.backend)
    try:
        labeller = Labeller(
            backend=backend, block=config.block, constrained=config.constrained, max_tokens=config.max_tokens,
            temperature=config.temperature, seed=config.seed,
        )  # fmt: skip
        open_folder(config.out, _manifest(config, labeller, traces), resume=config.resume, work="a labelling")
        jobs = {"gold.jsonl": gold_passages(), "labels.jsonl": traces.passages}
        done: list[dict[str, Labelled]] = []
        for name, passages in jobs.items():
            with LabelFile(config.out / name) as file, progress(len(passages), "trace", name) as bar:
                done.append(
                    await label_all(
                        passages, labeller, file, concurrency=config.concurrency, each=lambda _, bar=bar: bar.update()
                    )
                )
        return done[0], done[1]
    finally:
        await backend.close()


def _manifest(config: Config, labeller: Labeller, traces: Traces) -> Manifest:
    """What the labelling is. The traces may become more as the run goes on; each one's sentences must stay."""
    return Manifest(
        kind="label",
        config={**labeller.settings, **answering(config.backend), "source": traces.source},
        execution={
            "run": str(config.run), "concurrency": config.concurrency, **execution_of(config.backend),
            "command": " ".join(["athanor", *sys.argv[1:]]),
        },
        build=build_name(), versions=versions(), hashes=model_hash(config.model, config.backend), label=traces.label,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip


def by_group(traces: Traces, lines: Iterable[Labelled]) -> list[tuple[str, list[Labelled]]]:
    """The labelled traces of each group; one without any is there, too."""
    found: dict[str, list[Labelled]] = {group: [] for group in traces.named}
    for line in lines:
        found[traces.groups[line.episode]].append(line)
    return list(found.items())


def _estimates(traces: Traces, group: str, mine: list[Labelled]) -> tuple[Estimate, ...]:
    empty = {key: count for key, count in traces.empty.items() if traces.groups[key] == group}
    return estimates(mine, group, excluded=traces.excluded, empty=empty)


def _tables(traces: Traces, lines: Iterable[Labelled]) -> dict[str, pa.Table]:
    """The tables of the traces, group after group, which the first column names."""
    makers: dict[str, Callable[[list[Labelled]], pa.Table]] = {
        "sentences": sentence_table,
        "traces": trace_table,
        "transitions": transition_table,
        "ngrams": lambda mine: ngram_table(mine, NGRAMS, TOP),
        "positions": position_table,
    }
    grouped = by_group(traces, lines)
    return {
        name: pa.concat_tables([_named(make(mine), group) for group, mine in grouped]) for name, make in makers.items()
    }


def _named(table: pa.Table, group: str) -> pa.Table:
    return table.add_column(0, "group", pa.array([group] * table.num_rows, pa.string()))


def _write(out: Path, tables: dict[str, pa.Table], found: tuple[Estimate, ...]) -> None:
    """Write out/tables/*.parquet and out/estimates.jsonl, each whole or not at all."""
    (out / "tables").mkdir(exist_ok=True)
    for name, table in tables.items():
        buffer = pa.BufferOutputStream()
        pq.write_table(table, buffer, compression="zstd")
        write_atomically(out / "tables" / f"{name}.parquet", buffer.getvalue().to_pybytes())
    write_estimates(out / "estimates.jsonl", found)


def _told(config: Config, lines: list[Labelled]) -> int:
    """Say on standard error on which traces the backend failed, and why; 1 if on any."""
    failed = {line.cause: line.passage for line in lines if line.failed}
    if not failed:
        return 0
    print(f"the backend failed on {sum(line.failed for line in lines)} of {len(lines)} traces:", file=sys.stderr)
    for cause, passage in list(failed.items())[:5]:
        print(f"  {passage}: {cause[:500]}", file=sys.stderr)
    print(f"try them again with --resume --out {config.out}", file=sys.stderr)
    return 1
