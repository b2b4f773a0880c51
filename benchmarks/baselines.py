"""Turns per second of the baselines on one core, from `play` to lines in a run folder.

    python benchmarks/baselines.py [--table atelier] [--episodes 6] [--turns 500] [--json]

Times are of the process, user and system, the best of three repetitions. Machines differ, so each is also given as a
multiple of two yardsticks taken beside it in the same run: encoding one stored turn and writing it unbuffered to the
same folder, and calling a Python function that does nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time

import msgspec

from athanor.agents.baselines import Random, RandomNeverRepeat, Uncertainty
from athanor.core.build import build_name
from athanor.core.play import Planned, play
from athanor.core.store import Manifest, RunFolder, TurnLine
from athanor.environments.alchemy import RULES, Alchemy, Discovery, Pair
from athanor.environments.alchemy.table import Table
from athanor.environments.alchemy.worlds import FORMS, table

REPETITIONS = 3
YARDSTICK = 20_000
"""Lines written, and calls made, for one timing of a yardstick."""


class Measured(msgspec.Struct):
    """Microseconds of process time, each the best of the repetitions."""

    turn: float = float("inf")
    line: float = float("inf")
    call: float = float("inf")


def measure(
    table: Table, rules: str, agent: Random | RandomNeverRepeat | Uncertainty, episodes: int, turns: int
) -> Measured:
    """Play the same episodes at each repetition, the yardsticks between them."""
    world, best = Alchemy(table=table, rules=RULES[rules]), Measured()
    task, verifier = next(world.tasks("open", 0)), Discovery(environment=world)

    async def episode(key: str, sink: RunFolder[Pair]) -> int:
        played = await play(world, verifier, agent, Planned(key=key, task=task), seed=0, turns=turns, sink=sink)
        return len(played.turns)

    async def several(sink: RunFolder[Pair]) -> int:
        return sum([await episode(f"{number:04d}", sink) for number in range(episodes)])

    for _ in range(REPETITIONS):
        with tempfile.TemporaryDirectory() as name:
            sink: RunFolder[Pair] = RunFolder.create(Path(name) / "run", _manifest(world))
            asyncio.run(episode("warm", sink))
            started = process_time()
            count = asyncio.run(several(sink))
            best.turn = min(best.turn, (process_time() - started) / count * 1e6)
            sink.close()
            best.line = min(best.line, _line(sink.path))
            best.call = min(best.call, _each(lambda: None))
    return best


def _line(run: Path) -> float:
    """The run's last turn, encoded again and written again."""
    turn = msgspec.json.decode((run / "turns.jsonl").read_bytes().splitlines()[-1], type=TurnLine)
    encode = msgspec.json.Encoder().encode
    with open(run / "yardstick.jsonl", "ab", buffering=0) as file:
        return _each(lambda: file.write(encode(turn) + b"\n"))


def _each(call: Callable[[], object]) -> float:
    started = process_time()
    for _ in range(YARDSTICK):
        call()
    return (process_time() - started) / YARDSTICK * 1e6


def _manifest(world: Alchemy) -> Manifest:
    hashes = {world.table.name: world.table.digest}
    return Manifest(
        kind="benchmark", config={}, build=build_name(), versions={}, hashes=hashes, label="benchmark", created=""
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", default="atelier", help=FORMS)
    parser.add_argument("--episodes", type=int, default=6, help="episodes a repetition")
    parser.add_argument("--turns", type=int, default=500, help="turns an episode, at most")
    parser.add_argument("--json", action="store_true", help="one JSON line a baseline instead of a table")
    options = parser.parse_args()
    world = table(options.table)
    if not options.json:
        titles = (f"{title:>9}" for title in ("turns/s", "us/turn", "us/line", "us/call", "/line", "/call"))
        print(f"{'rules':9}{'agent':21}", *titles, sep="")
    for rules in ("strict", "pan2025"):
        for agent in (Random(), RandomNeverRepeat(), Uncertainty()):
            best = measure(world, rules, agent, options.episodes, options.turns)
            lines, calls = best.turn / best.line, best.turn / best.call
            if options.json:
                row = {"rules": rules, "agent": agent.name, "turns per second": 1e6 / best.turn}
                row |= {"us per turn": best.turn, "us per line": best.line, "us per call": best.call}
                print(json.dumps({**row, "turn / line": lines, "turn / call": calls}), flush=True)
            else:
                print(
                    f"{rules:9}{agent.name:21}{1e6 / best.turn:9,.0f}{best.turn:9.1f}{best.line:9.2f}{best.call:9.3f}"
                    f"{lines:9.1f}{calls:9.0f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
