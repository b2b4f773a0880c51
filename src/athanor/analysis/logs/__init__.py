"""Logged play as turn tables: own runs, the published logs of models and people, and plain tables."""

from athanor.analysis.logs.checks import checked, left_out
from athanor.analysis.logs.read import FORMS, read_logs
from athanor.analysis.logs.records import PLAYERS, TURNS, Exclusion, Logs
from athanor.analysis.logs.runs import from_arms, from_runs
from athanor.analysis.logs.tabular import columns_of
from athanor.analysis.logs.validation import RATINGS, read_ratings

__all__ = [
    "FORMS",
    "PLAYERS",
    "RATINGS",
    "TURNS",
    "Exclusion",
    "Logs",
    "checked",
    "columns_of",
    "from_arms",
    "from_runs",
    "left_out",
    "read_logs",
    "read_ratings",
]
