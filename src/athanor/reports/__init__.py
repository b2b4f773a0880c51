"""One page that compares runs: figures, tables, and what was said, in a file that opens anywhere."""

from athanor.reports.page import report

__all__ = ["report"]
