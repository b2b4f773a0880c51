"""The run folder: a manifest written first, then turns and episodes appended as they happen.

Each turn is one `write` to a file opened for appending, so a killed process loses at most the turn in
flight. A torn last line (a kill half way through) is recognised by its missing newline and dropped. A line that a full
disk took only in part is cut off at once, and nothing more is written, by whatever episode.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Generic, TypeVar

import msgspec

from athanor.core.differences import refuse_differences
from athanor.core.disk import all_or_nothing, cannot, write_atomically
from athanor.core.errors import DataError, StoreError, UsageError
from athanor.core.records import Completion, End, Episode, Failure, Record, Task, Turn, Unreadable, Verdict

A = TypeVar("A")

SCHEMA = 1


class Manifest(Record, omit_defaults=False, kw_only=True):
    """What a run is: enough to make it again."""

    schema: int = SCHEMA
    kind: str
    """What made it, for example `play alchemy`."""
    config: dict[str, Any]
    """The resolved configuration; a resumed run must have the same, but that there may be more episodes."""
    execution: dict[str, Any] = {}
    """How it was carried out (threads, timeouts, concurrency); may change from one resumption to the next."""
    build: str
    versions: dict[str, str]
    hashes: dict[str, str]
    """SHA-256 of the tables and data the run reads."""
    label: str
    """How reports name this arm."""
    created: str
    """UTC, ISO 8601."""
    resumptions: tuple[dict[str, Any], ...] = ()
    """When the run was gone on with, by which build and versions, and how that was carried out; oldest first."""


class TurnLine(Record, kw_only=True):
    """A turn as it is stored: a `Turn` with its episode and without the observation."""

    episode: str
    index: int
    action: Any
    verdict: Verdict
    completion: Completion | None = None
    seconds: float = 0.0


class EpisodeLine(Record, kw_only=True):
    """An ended episode as it is stored. The last line of a key counts: a retried error has more than one."""

    episode: str
    task: Task
    agent: str
    seed: int
    build: str
    turns: int
    end: End
    total: float = msgspec.field(name="return")
    failure: Failure | None = None


_encode = msgspec.json.Encoder().encode


class _StoredTurn(Record, kw_only=True):
    episode: str
    index: int
    action: msgspec.Raw
    verdict: Verdict
    completion: Completion | None = None
    seconds: float = 0.0


class RunFolder(Generic[A]):
    """A run on disk. `create` and `resume` open it for writing, `read` for reading; it is a `Sink` for `play`."""

    def __init__(self, path: Path, manifest: Manifest, files: tuple[IO[bytes], IO[bytes]] | None) -> None:
        self.path = path
        self.manifest = manifest
        self._files = files
        self._failed = ""
        """Why nothing more is written, once a line could not be."""

    @classmethod
    def create(cls, path: Path, manifest: Manifest) -> RunFolder[A]:
        """A new run folder. UsageError if something is already there."""
        if path.exists() and (not path.is_dir() or any(not _unfinished(file) for file in path.iterdir())):
            what = "an existing run" if (path / "manifest.json").exists() else "something else"
            raise UsageError(
                f"{path} already holds {what}, an empty or new folder was expected; "
                "pass --resume to go on with a run, or another --out"
            )
        try:
            with all_or_nothing() as write:
                write(path / "manifest.json", msgspec.json.format(_encode(manifest), indent=2) + b"\n")
                for name in _LINES:
                    write(path / name, b"")
                return cls(path, manifest, _open_for_writing(path))
        except OSError as error:
            raise StoreError(cannot("create", path, error)) from error

    @classmethod
    def resume(cls, path: Path, manifest: Manifest, *, grows: str = "") -> RunFolder[A]:
        """An existing run to go on with. UsageError if its configuration or its data differ from `manifest`.

        `grows`: the name of a number in the configuration that may be larger than it was.
        """
        stored = _grown(path, cls.read(path).manifest, manifest, grows)
        refuse_differences(path, stored, manifest)
        files = _open_for_writing(path)
        for file in files:
            drop_torn_line(file)
        return cls(path, gone_on_with(path, stored, manifest), files)

    @classmethod
    def read(cls, path: Path) -> RunFolder[A]:
        """A run for reading; it may still be in the writing."""
        file = path / "manifest.json"
        if not path.is_dir():
            what = "is a file" if path.exists() else "does not exist"
            raise UsageError(f"{path} {what}, a run folder was expected; pass a folder made by --out")
        if not file.is_file():
            raise UsageError(f"{path} has no manifest.json, a run folder was expected; {_runs_below(path)}")
        try:
            manifest = msgspec.json.decode(file.read_bytes(), type=Manifest)
        except OSError as error:
            raise StoreError(cannot("read", path, error, elsewhere=_READABLE)) from error
        except msgspec.MsgspecError as error:
            raise DataError(f"{file} is not a manifest of this program ({error}); restore it or play again") from error
        if manifest.schema != SCHEMA:
            raise DataError(
                f"{file} has schema {manifest.schema}, this program reads schema {SCHEMA}; "
                f"read it with the version that wrote it ({manifest.build})"
            )
        return cls(path, manifest, None)

    def turn(self, episode: str, turn: Turn[A]) -> None:
        """Append one turn, at once."""
        line = TurnLine(
            episode=episode,
            index=turn.index,
            action=turn.action,
            verdict=turn.verdict,
            completion=turn.completion,
            seconds=round(turn.seconds * 1e6) / 1e6,
        )
        self._append(0, line)

    def episode(self, episode: Episode[A]) -> None:
        """Append one ended episode, at once."""
        line = EpisodeLine(
            episode=episode.key,
            task=episode.task,
            agent=episode.agent,
            seed=episode.seed,
            build=episode.build,
            turns=len(episode.turns),
            end=episode.end,
            total=episode.total,
            failure=episode.failure,
        )
        self._append(1, line)

    def _append(self, which: int, line: Record) -> None:
        if self._files is None:
            closed = f"{self.path} is not open for writing; open it with RunFolder.create or RunFolder.resume"
            raise StoreError(self._failed or closed)
        data = _encode(line) + b"\n"
        try:
            written = self._files[which].write(data)
            if written != len(data):  # the disk filled up half way through the line
                raise OSError(errno.ENOSPC, f"it took only {written} of {len(data)} bytes, the disk is full")
        except OSError as error:
            self._failed = cannot("write", self.path, error, again=_RESUME, elsewhere=f"make it writable and {_RESUME}")
            with suppress(OSError):  # where even that fails, the next resume cuts it off
                drop_torn_line(self._files[which])
            self.close()
            raise StoreError(self._failed) from error

    def close(self) -> None:
        """Close the files and let another process write."""
        for file in self._files or ():
            file.close()
        self._files = None

    def ended(self) -> dict[str, EpisodeLine]:
        """The last line of every ended episode, by key, in order of first ending."""
        return {key: lines[-1] for key, lines in self.endings().items()}

    def endings(self) -> dict[str, list[EpisodeLine]]:
        """All lines of every ended episode: several where one that ended in an error was tried again."""
        found: dict[str, list[EpisodeLine]] = {}
        decoder = msgspec.json.Decoder(EpisodeLine)
        for number, raw in whole_lines(self.path / "episodes.jsonl"):
            line = _decoded(decoder, raw, self.path / "episodes.jsonl", number)
            found.setdefault(line.episode, []).append(line)
        return found

    def turns(self, action_type: type[A]) -> dict[str, list[Turn[A]]]:
        """The turns of every episode, by key, in order. The observations are left None; replay derives them."""
        found: dict[str, list[Turn[A]]] = {}
        decoder = msgspec.json.Decoder(_StoredTurn)
        readers: tuple[msgspec.json.Decoder[Any], ...]
        readers = msgspec.json.Decoder(action_type), msgspec.json.Decoder(Unreadable)
        path = self.path / "turns.jsonl"
        for number, raw in whole_lines(path):
            line = _decoded(decoder, raw, path, number)
            reader = readers[bytes(line.action).startswith(b'{"unreadable"')]
            episode = found.setdefault(line.episode, [])
            if line.index != len(episode):
                raise DataError(
                    f"{path}:{number} has turn {line.index} of episode {line.episode}, turn {len(episode)} was "
                    "expected; the file was changed by hand or by two processes: play the run again"
                )
            episode.append(
                Turn(
                    index=line.index,
                    observation=None,
                    action=_decoded(reader, bytes(line.action), path, number),
                    verdict=line.verdict,
                    completion=line.completion,
                    seconds=line.seconds,
                )
            )
        return found

    def played(self, action_type: type[A]) -> tuple[dict[str, EpisodeLine], dict[str, list[Turn[A]]]]:
        """`ended` and `turns` together; DataError if an ended episode lacks turns.

        The endings are read first: what a process writes meanwhile can then only add turns.
        """
        ended = self.ended()
        turns = self.turns(action_type)
        for key, line in ended.items():
            found = len(turns.get(key, ()))
            if found < line.turns:
                raise DataError(
                    f"{self.path}/turns.jsonl has {found} turns of episode {key}, {line.turns} were expected; "
                    "the file is not whole: play the run again"
                )
        return ended, turns

    def episodes(self, action_type: type[A]) -> Iterator[Episode[A]]:
        """Every ended episode with its turns, sorted by key. The observations are left None."""
        ended, turns = self.played(action_type)
        for key, line in sorted(ended.items()):
            yield Episode(
                key=key,
                task=line.task,
                agent=line.agent,
                seed=line.seed,
                build=line.build,
                turns=tuple(turns.get(key, [])[: line.turns]),  # more are there while a failed one is played on
                end=line.end,
                failure=line.failure,
            )


def _runs_below(path: Path) -> str:
    """What to pass instead of a folder that is no run."""
    found = sorted(str(file.parent) for depth in ("*", "*/*", "*/*/*") for file in path.glob(f"{depth}/manifest.json"))
    if not found:
        return "pass a folder made by --out"
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    return f"leave it out, or pass the runs below it: {', '.join(found[:5])}{more}"


def _unfinished(file: Path) -> bool:
    """Whether a file is what a process killed while writing the manifest leaves behind."""
    return file.name.startswith(".manifest.json.")


def _grown(path: Path, stored: Manifest, asked: Manifest, name: str) -> Manifest:
    """The stored manifest with a number of its configuration as it is asked for now. UsageError if that is smaller."""
    was, now = stored.config.get(name), asked.config.get(name)
    if not isinstance(was, int) or not isinstance(now, int):
        return stored
    if now < was:
        raise UsageError(f"{path} is a run of {was} {name}, {now} were asked for; pass --{name} {was} or more")
    return msgspec.structs.replace(stored, config={**stored.config, name: now})


def gone_on_with(path: Path, stored: Manifest, now: Manifest) -> Manifest:
    """The stored manifest with this resumption added to it, on disk too."""
    resumption = {"at": now.created, "build": now.build, "versions": now.versions, "execution": now.execution}
    manifest = msgspec.structs.replace(stored, resumptions=(*stored.resumptions, resumption))
    try:
        write_atomically(path / "manifest.json", msgspec.json.format(_encode(manifest), indent=2) + b"\n")
    except OSError as error:
        raise StoreError(cannot("write", path / "manifest.json", error)) from error
    return manifest


_LINES = ("turns.jsonl", "episodes.jsonl")
_RESUME = "go on with --resume: every whole turn is kept"
_READABLE = "make it readable, or pass another run"


def _open_for_writing(path: Path) -> tuple[IO[bytes], IO[bytes]]:
    try:
        files = (open(path / _LINES[0], "ab", buffering=0), open(path / _LINES[1], "ab", buffering=0))
    except OSError as error:
        raise StoreError(cannot("open", path, error)) from error
    try:
        fcntl.flock(files[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        for file in files:
            file.close()
        raise UsageError(f"another process is writing to {path}; wait for it, or pass another --out") from error
    return files


def drop_torn_line(file: IO[bytes]) -> None:
    """Cut what follows the last newline."""
    size = os.fstat(file.fileno()).st_size
    with open(file.name, "rb") as reader:
        end, block = size, 1 << 16
        while end:
            start = max(0, end - block)
            reader.seek(start)
            found = reader.read(end - start).rfind(b"\n")
            if found >= 0:
                end = start + found + 1
                break
            end = start
    if end != size:
        os.truncate(file.name, end)


def whole_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The whole lines of a file with their numbers from 1; a torn last one is left out, a missing file is empty."""
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                if line.endswith(b"\n"):
                    yield number, line
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(cannot("read", path, error, elsewhere=_READABLE)) from error


D = TypeVar("D")


def _decoded(decoder: msgspec.json.Decoder[D], raw: bytes, path: Path, number: int) -> D:
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DataError(f"{path}:{number} is not a line of this program ({error}); restore it or play again") from error
