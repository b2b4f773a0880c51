"""New prompt tokens that a language turn evaluates, early and late in an episode, with each kind of memory.

    python benchmarks/prompt_cache.py [--turns 205] [--json]

Prints the mean over the ten turns around turn 20 and around the last turns, and the ratio of what was evaluated
to what the prompts hold: 1 without a prompt cache.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from statistics import mean
from typing import Literal

from athanor.agents.language import Language, Memory
from athanor.core.play import Planned, play
from athanor.environments.alchemy import RULES, Alchemy, Discovery
from athanor.environments.alchemy.text import AlchemyDialogue
from athanor.environments.alchemy.worlds import table
from athanor.models.backends.llamacpp import SMOLLM2, LlamaConfig, LlamaCpp

KINDS: tuple[Literal["whole", "window", "tried"], ...] = ("whole", "window", "tried")


async def measure(kind: Literal["whole", "window", "tried"], turns: int) -> dict[str, float | str]:
    """One episode of SmolLM2, constrained, on the bundled world."""
    world = Alchemy(table=table("atelier"), rules=RULES["strict"])
    backend = LlamaCpp(SMOLLM2, LlamaConfig(slots=1))
    agent = Language(
        backend=backend,
        dialogue=AlchemyDialogue(environment=world),
        max_tokens=16,
        memory=Memory(kind=kind),
        temperature=1.0,
        constrained=True,
    )
    planned = Planned(key="0000", task=next(world.tasks("open", 0)))
    episode = await play(world, Discovery(environment=world), agent, planned, seed=0, turns=turns)
    await backend.close()
    asked = [turn.completion for turn in episode.turns if turn.completion]
    held = [completion.prompt_tokens or 0 for completion in asked]
    new = [all_ - (completion.cached_tokens or 0) for all_, completion in zip(held, asked, strict=True)]
    return {
        "history": kind,
        "turns": len(asked),
        "new tokens at turn 20": new[20],
        "new tokens at turn 200": new[200] if len(new) > 200 else float("nan"),
        "mean of turns 15-24": mean(new[15:25]),
        "mean of the last 10": mean(new[-10:]),
        "mean of all": mean(new),
        "prompt tokens at the end": held[-1],
        "evaluated / held": sum(new) / sum(held),
        "seconds per turn": mean(turn.seconds for turn in episode.turns),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=205)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    for kind in KINDS:  # each is printed as it is done: an episode takes minutes
        rows.append(asyncio.run(measure(kind, options.turns)))
        if not options.json:
            print(
                "\n".join(f"{name:<26}{shown(value):>10}" for name, value in rows[-1].items()), end="\n\n", flush=True
            )
    if options.json:
        print(json.dumps(rows, indent=1))


def shown(value: float | str) -> str:
    """A number with three digits, a word as it is."""
    return value if isinstance(value, str) else f"{value:.3g}"


if __name__ == "__main__":
    main()
