"""What the commands of studies share: what they print, and a study whose every step is a command of its own."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from athanor.core.errors import DataError, UsageError

if TYPE_CHECKING:
    from athanor.core.records import Estimate
    from athanor.studies.carrying_out import Step


def tell(estimates: Sequence[Estimate], page: Path, *, json: bool) -> None:
    """Print the estimates as JSON, with the page's path on standard error; or the path alone."""
    if json:
        print(msgspec.json.format(msgspec.json.encode(estimates), indent=1).decode())
    print(page.resolve(), file=sys.stderr if json else sys.stdout)


def tell_steps(every: Iterable[Step]) -> None:
    """Print the command of every step, one a line."""
    for step in every:
        print(shlex.join(step.command))


def carry_out_plan(every: Sequence[Step], folder: Path, study: str, page: Callable[[], Path]) -> None:
    """Carry out every step, after they are written down as a plan. Where one fails or is interrupted, `page` is called
    for what is finished, and its path printed, before the error goes on."""
    from athanor.core.disk import write_atomically
    from athanor.studies.carrying_out import StepFailed, carry_out

    write_atomically(folder / "plan.jsonl", b"".join(msgspec.json.encode(step) + b"\n" for step in every))
    try:
        carry_out(every, folder, study)
    except (StepFailed, KeyboardInterrupt):
        with suppress(DataError):  # nothing is finished that a page could be about
            print(page().resolve(), file=sys.stderr)
        raise


def words_in(option: str, text: str) -> tuple[str, ...]:
    """The words in an option's text. UsageError if they cannot be told apart."""
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError(
            f"{option} {text!r} cannot be read ({error}); put it in one pair of quotation marks"
        ) from error


def launcher(text: str) -> tuple[str, ...]:
    """The words before a training's command. UsageError if they run no module."""
    words = words_in("--launch", text)
    if words and words[-1] not in ("-m", "--module"):
        raise UsageError(
            f"--launch {text!r} was given, a launcher that ends in -m was expected, since the module athanor follows; "
            'pass for example "accelerate launch -m"'
        )
    return words
