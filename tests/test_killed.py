"""A process killed at any moment loses nothing, and goes on to the same episodes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from athanor.core.seeds import stream
from athanor.core.store import RunFolder
from athanor.environments.alchemy import Pair
from athanor.environments.alchemy.loaders import to_own

REPLIES = [
    "ink + pen", "line + line", "dot + line", "I think ink + ink", "no idea", "text + text", "luck + pen", "gold + pen",
    "pen + pen", "text + line",
]  # fmt: skip


def command(folder: Path, out: Path) -> list[str]:
    return [
        sys.executable, "-m", "athanor", "play", "alchemy", "--table", str(folder / "small.json"), "--rules", "strict",
        "--agent", "language", "--backend", "scripted", "--model", str(folder / "script.json"), "--episodes", "5",
        "--turns", "40", "--seed", "3", "--out", str(out), "--resume", "--concurrency", "3",
    ]  # fmt: skip


def timeless(out: Path) -> list[bytes]:
    """The episodes of a run as JSON, without seconds."""

    def cleaned(value):
        if isinstance(value, dict):
            return {key: cleaned(inner) for key, inner in value.items() if key != "seconds"}
        return [cleaned(inner) for inner in value] if isinstance(value, list | tuple) else value

    episodes = RunFolder.read(out).episodes(Pair)
    return [msgspec.json.encode(cleaned(msgspec.to_builtins(episode))) for episode in episodes]


def test_a_run_killed_at_random_moments_gives_the_undisturbed_episodes(tmp_path: Path, small):
    kill_and_compare(tmp_path, small, 2)


@pytest.mark.slow
def test_a_run_killed_ten_times_gives_the_undisturbed_episodes(tmp_path: Path, small):
    kill_and_compare(tmp_path, small, 10)


def kill_and_compare(tmp_path: Path, small, kills: int) -> None:
    (tmp_path / "small.json").write_bytes(to_own(small))
    (tmp_path / "script.json").write_text(json.dumps({"replies": REPLIES, "delay": 0.02}))
    subprocess.run(command(tmp_path, tmp_path / "whole"), check=True, capture_output=True)
    moments = stream(0, "kills").random(kills)
    killed = 0
    for kill in range(kills):
        process = subprocess.Popen(
            command(tmp_path, tmp_path / "torn"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        turns = tmp_path / "torn" / "turns.jsonl"
        began, size = time.monotonic(), turns.stat().st_size if turns.exists() else 0
        while process.poll() is None and (not turns.exists() or turns.stat().st_size == size):
            assert time.monotonic() - began < 60
            time.sleep(0.001)
        time.sleep(float(moments[kill]) * 0.12)
        killed += process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert killed == kills, "the run ended before all kills; make it longer"
    subprocess.run(command(tmp_path, tmp_path / "torn"), check=True, capture_output=True)
    assert timeless(tmp_path / "torn") == timeless(tmp_path / "whole")
    assert len(timeless(tmp_path / "torn")) == 5
