"""Shares and their differences in words."""

from __future__ import annotations

from athanor.core.records import Estimate


def points(one: Estimate) -> str:
    """A difference of shares in percentage points with its interval."""
    if one.value is None:
        return "unknown"
    ends = "no interval" if one.low is None or one.high is None else f"{100 * one.low:+.1f} to {100 * one.high:+.1f}"
    return f"{100 * one.value:+.1f} points [{ends}]".replace("-", "\N{MINUS SIGN}")


def share(one: Estimate | None) -> str:
    """A share in per cent with its interval."""
    if one is None or one.value is None:
        return "unknown"
    ends = "" if one.low is None or one.high is None else f" [{100 * one.low:.1f}, {100 * one.high:.1f}]"
    return f"{100 * one.value:.1f}%{ends}"
