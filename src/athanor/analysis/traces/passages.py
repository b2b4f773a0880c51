"""From a run folder, from published logs, or from plain texts, to the passages that are labelled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from athanor.analysis.logs.pan2025 import read_reasons
from athanor.analysis.logs.read import FORMS, form_of
from athanor.analysis.traces.labels import Passage
from athanor.analysis.traces.sentences import sentences
from athanor.core.errors import UsageError
from athanor.core.records import Completion
from athanor.core.store import RunFolder

Source = Literal["reasoning", "text"]
"""Where a run's traces are: the hidden reasoning that the server showed, or the answers themselves."""


LOGGED = "logged"
"""Where the traces of published logs are: the `reason` of each record, of which the logs do not say what it is."""


@dataclass(frozen=True, kw_only=True)
class Traces:
    """The traces of a run's whole episodes or of logs, in order of episode and turn."""

    label: str
    """The run's, as reports name it; of logs the file's."""
    source: Source | Literal["logged"]
    passages: tuple[Passage, ...]
    empty: dict[str, int]
    """Turns without a trace, by episode: those that are no passage. Every episode is there."""
    excluded: int
    """Episodes that ended in an error. Those still being played are left out and not counted."""
    groups: dict[str, str]
    """The group (arm, or model with its temperature) of each episode."""

    @property
    def named(self) -> tuple[str, ...]:
        """The groups, each once; the label where there is no episode."""
        return tuple(dict.fromkeys(self.groups.values())) or (self.label,)


def traces_of(path: Path, source: Source | None = None) -> Traces:
    """The traces of a run folder (`traces_of_run`) or of a file of logs (`traces_of_logs`). UsageError for a source
    beside a file, which has one text a turn."""
    if not path.exists():
        raise UsageError(f"{path} does not exist, a run folder or a file of logs was expected; check its name")
    if path.is_dir():
        return traces_of_run(path, source)
    if source:
        raise UsageError(f"--source {source} has no effect with {path}, which has one text a turn; leave it out")
    return traces_of_logs(path)


def traces_of_logs(path: Path) -> Traces:
    """The traces in the published logs of models, a run of a model an episode. Whether one was cut is unknown: the
    logs do not say.

    UsageError for logs of another form, or without a text; DataError for a file that cannot be read.
    """
    form = form_of(path)
    if form != "pan2025":
        raise UsageError(
            f"{path} is {FORMS[form]}, which has no reasoning; pass a run folder, or {FORMS['pan2025']} with `reason` "
            "in the records"
        )
    runs = read_reasons(path)
    passages: list[Passage] = []
    empty: dict[str, int] = {}
    for one in runs:
        found = {trial: sentences(text) for trial, text in one.reasons.items()}
        mine = [
            Passage(key=f"{one.id}/{trial:04d}", episode=one.id, turn=trial, sentences=parts, cut=None)
            for trial, parts in found.items() if parts
        ]  # fmt: skip
        passages += mine
        empty[one.id] = one.played - len(mine)
    if not passages:
        raise UsageError(
            f"{path} has no reasoning: none of its {sum(empty.values())} turns has a text under `reason`; pass the "
            "logs of a condition with reasoning"
        )
    return Traces(
        label=path.name, source=LOGGED, passages=tuple(passages), empty=empty, excluded=0,
        groups={one.id: one.group or path.name for one in runs},
    )  # fmt: skip


def traces_of_run(path: Path, source: Source | None = None) -> Traces:
    """Read the traces of a run. Without a source: the hidden reasoning if there is any, else, in the `reasoning`
    condition, the answers.

    UsageError if it is no run folder, or no model reasoned in it.
    """
    folder: RunFolder[Any] = RunFolder.read(path)
    ended, played = folder.played(dict)
    whole = {key: played.get(key, [])[: line.turns] for key, line in sorted(ended.items()) if line.end != "error"}
    completions = [(key, t.index, t.completion) for key, turns in whole.items() for t in turns if t.completion]
    source = source or _source(path, folder.manifest.config, [completion for *_, completion in completions])
    empty = dict.fromkeys(whole, 0)
    passages: list[Passage] = []
    for key, turn, completion in completions:
        text, tokens = _trace(completion, source)
        found = sentences(text)
        cut = _cut(completion, source)
        if found:
            passages.append(
                Passage(key=f"{key}/{turn:04d}", episode=key, turn=turn, sentences=found, cut=cut, tokens=tokens)
            )
        else:
            empty[key] += 1
    return Traces(
        label=folder.manifest.label,
        source=source,
        passages=tuple(passages),
        empty=empty,
        excluded=len(ended) - len(whole),
        groups=dict.fromkeys(whole, folder.manifest.label),
    )


def passages_of_texts(texts: Iterable[tuple[str, str]]) -> tuple[Passage, ...]:
    """Pairs of a passage's key and its text as passages, each an episode of its own; those without a sentence are
    left out."""
    found = [(key, sentences(text)) for key, text in texts]
    return tuple(Passage(key=key, episode=key, turn=0, sentences=parts) for key, parts in found if parts)


def _source(path: Path, config: dict[str, Any], completions: list[Completion]) -> Source:
    if any(completion.reasoning for completion in completions):
        return "reasoning"
    if config.get("condition") == "reasoning" and completions:
        return "text"
    raise UsageError(
        f"{path} has no reasoning in its {len(completions)} answers of whole episodes, traces were expected; play "
        "with --condition reasoning or a model that shows its reasoning, or take the answers with --source text"
    )


def _trace(completion: Completion, source: Source) -> tuple[str, float | None]:
    """A completion's trace and its tokens, by its share of the characters where only their sum is known."""
    text, other = completion.reasoning, completion.text
    known = completion.reasoning_tokens
    if source == "text":
        text, other = other, text
        known = None if known is None else (completion.completion_tokens or known) - known
    if known is None and completion.completion_tokens is not None and text:
        known = completion.completion_tokens * len(text) / (len(text) + len(other))
    return text, known


def _cut(completion: Completion, source: Source) -> bool:
    """Whether the bound on tokens or bytes fell into the trace: hidden reasoning is whole once an answer follows."""
    return completion.finish in ("length", "cut") and (source == "text" or not completion.text)
