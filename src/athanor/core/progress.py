"""Progress on standard error."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm


def progress(total: int, unit: str, label: str, done: int = 0) -> tqdm[Any]:
    """A bar with an estimate of what is left, shown after two seconds; on a file it is written rarely."""
    quiet = not sys.stderr.isatty()
    return tqdm(
        total=total, initial=done, unit=unit, desc=label, delay=2, file=sys.stderr, mininterval=15 if quiet else 0.2,
        dynamic_ncols=not quiet, leave=False, smoothing=0.1,
    )  # fmt: skip
