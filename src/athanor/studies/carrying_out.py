"""Commands carried out one after the other, for days: what is finished is kept, what failed says why."""

from __future__ import annotations

import fcntl
import os
import shlex
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import IO, Literal

import msgspec

from athanor.core.disk import cannot, write_atomically
from athanor.core.errors import AthanorError, StoreError, UsageError
from athanor.core.progress import progress
from athanor.core.records import Record

TAIL = 20
"""Lines of a failing step's output that are shown."""
PATIENCE = 60.0
"""Seconds that a step has to end in, once it is told to."""


class Step(Record, kw_only=True):
    """One command."""

    name: str
    """Unique: of a training `grpo-0`, of a trial `grpo-0-rule-greedy`."""
    kind: Literal["train", "play"]
    out: str
    """The folder that it makes."""
    command: tuple[str, ...]


class Done(Record, kw_only=True):
    """What is kept of a finished step."""

    command: tuple[str, ...]
    seconds: float
    """Of the run that finished it."""


class StepFailed(AthanorError):
    """A step ended with another exit code than 0."""


def marker(folder: Path, step: Step) -> Path:
    return folder / "done" / f"{step.name}.json"


def finished(folder: Path, step: Step) -> bool:
    return marker(folder, step).exists()


def carry_out(every: Sequence[Step], folder: Path, study: str) -> None:
    """Run every step that is not finished. StepFailed, with what it said, at the first that fails.

    `study`: what the progress is called. What a step says goes to folder/logs/NAME.txt. UsageError while another
    process carries out the same folder's steps, or a step that outlived the study goes on.
    """
    done = sum(finished(folder, step) for step in every)
    for name in ("done", "logs"):
        (folder / name).mkdir(exist_ok=True)
    with _alone(folder) as lock, _ended_by_terminate(), progress(len(every), "step", study, done) as bar:
        for place, step in enumerate(every, 1):
            if finished(folder, step):
                continue
            log = folder / "logs" / f"{step.name}.txt"
            print(f"step {place} of {len(every)}: {step.name}; what it says is in {log}", file=sys.stderr)
            try:
                _carry_out(step, folder, log, lock)
            except OSError as error:
                raise StoreError(cannot("write", folder, error, again="go on with --resume")) from error
            bar.update()


def _carry_out(step: Step, folder: Path, log: Path, lock: int) -> None:
    begun = monotonic()
    with open(log, "ab") as file:
        file.write(f"$ {shlex.join(step.command)}\n".encode())
        file.flush()
        code = _run(step, file, lock)
    if code:
        raise StepFailed(_told(step, log, code))
    done = Done(command=step.command, seconds=round(monotonic() - begun, 1))
    write_atomically(marker(folder, step), msgspec.json.encode(done) + b"\n")


def _run(step: Step, log: IO[bytes], lock: int) -> int:
    """The exit code of a step. It is ended with this process, as far as this process can see its own end."""
    here = Path(sys.executable).parent
    words = step.command
    words = (sys.executable, "-m", *words) if words[0] == "athanor" else words
    found = {**os.environ, "PATH": f"{here}{os.pathsep}{os.environ.get('PATH', '')}", "PYTHONUNBUFFERED": "1"}
    try:
        child = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=found, pass_fds=(lock,)
        )
    except FileNotFoundError as error:
        raise UsageError(f"{words[0]} was not found; install it, or pass another --launch") from error
    try:
        return child.wait()
    except BaseException:
        child.terminate()
        with suppress(subprocess.TimeoutExpired):
            child.wait(PATIENCE)
        child.kill()
        child.wait()
        raise


def _told(step: Step, log: Path, code: int) -> str:
    """What failed, how, and the end of what it said."""
    how = f"was ended by signal {-code}" if code < 0 else f"exited with {code}"
    with open(log, encoding="utf-8", errors="replace") as file:
        end = "".join(deque(file, TAIL)).rstrip()
    said = "\n  ".join(line.rpartition("\r")[2] for line in end.splitlines())
    return (
        f"the step {step.name} {how}; its command was\n  {shlex.join(step.command)}\n"
        f"and the end of {log} is\n  {said}\nPut that right and go on with --resume: what is finished is kept"
    )


@contextmanager
def _alone(folder: Path) -> Iterator[int]:
    """Holds the folder's lock, and gives it: the steps inherit it, so that one that outlives the study still has it."""
    with open(folder / "lock", "wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                f"a study or one of its steps is running in {folder}; wait for it or end it, then pass --resume"
            ) from error
        yield file.fileno()


@contextmanager
def _ended_by_terminate() -> Iterator[None]:
    """Within, being told to terminate ends the running step as an interrupt does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
