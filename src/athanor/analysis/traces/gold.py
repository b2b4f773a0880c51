"""The gold set: sentences written for this project with the labels that their writer gave them.

A labeller is tried on it before its tables are read. It is small: it tells a useless labeller from a useful one, and
does not rank two useful ones.
"""

from __future__ import annotations

from importlib.resources import as_file, files

from athanor.analysis.traces.files import read_labels
from athanor.analysis.traces.labels import Labelled, Passage


def gold() -> dict[str, Labelled]:
    """The gold passages by key, each an episode of its own."""
    with as_file(files("athanor.analysis.traces") / "data" / "gold.jsonl") as path:
        return read_labels(path)


def gold_passages() -> tuple[Passage, ...]:
    """The gold passages without their labels: what a labeller is tried on."""
    return tuple(
        Passage(key=line.passage, episode=line.episode, turn=line.turn, sentences=line.sentences)
        for line in gold().values()
    )
