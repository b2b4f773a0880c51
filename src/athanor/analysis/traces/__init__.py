"""Reasoning traces: which kinds of thought a model has before it chooses, and how they follow one another."""

from athanor.analysis.traces.agreement import agreement, confusion, confusion_table
from athanor.analysis.traces.files import LabelFile, label_all, read_labels
from athanor.analysis.traces.gold import gold, gold_passages
from athanor.analysis.traces.labeller import Labeller
from athanor.analysis.traces.labels import DEFINITIONS, LABELS, Label, Labelled, Passage
from athanor.analysis.traces.measures import estimates, position_table, sentence_table, trace_table
from athanor.analysis.traces.passages import Traces, passages_of_texts, traces_of, traces_of_logs, traces_of_run
from athanor.analysis.traces.sentences import sentences
from athanor.analysis.traces.sequences import READINGS, STATES, ngram_table, transition_counts, transition_table

__all__ = [
    "DEFINITIONS", "LABELS", "READINGS", "STATES", "Label", "LabelFile", "Labelled", "Labeller", "Passage", "Traces",
    "agreement", "confusion", "confusion_table", "estimates", "gold", "gold_passages", "label_all", "ngram_table",
    "passages_of_texts", "position_table", "read_labels", "sentence_table", "sentences", "trace_table",
    "traces_of", "traces_of_logs", "traces_of_run", "transition_counts", "transition_table",
]  # fmt: skip
