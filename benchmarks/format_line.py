"""What a last line that asks for the form of an answer does to SmolLM2 (free, T=0.7): causes and categories by line.

python benchmarks/format_line.py --table atelier [--episodes 3] [--turns 12] [--seed 1] [--show]
"""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter
from dataclasses import dataclass

from athanor.agents.language import Language
from athanor.core.play import Planned, play
from athanor.environments.alchemy import RULES, Alchemy, Discovery
from athanor.environments.alchemy.text import AlchemyDialogue
from athanor.environments.alchemy.worlds import table
from athanor.models.backends.llamacpp import SMOLLM2, LlamaConfig, LlamaCpp

QUESTION = "Which two elements do you combine?"
FORM = "Answer with two names joined by a plus sign only."
LINES = {  # the last line of each turn
    "question": QUESTION,
    "question, form": f"{QUESTION} {FORM}",
    "form": FORM,
    "form, question": f"{FORM} {QUESTION}",
}


@dataclass(frozen=True, kw_only=True)
class Closed(AlchemyDialogue):
    """The dialogue with another closing line."""

    line: str

    def _question(self) -> str:
        return self.line


async def main(arguments: argparse.Namespace) -> None:
    world = Alchemy(table=table(arguments.table), rules=RULES["strict"])
    backend = LlamaCpp(SMOLLM2, LlamaConfig(slots=1, threads=1))
    task = next(world.tasks("open", arguments.seed))
    for name, line in LINES.items():
        dialogue = Closed(environment=world, line=line)
        agent = Language(backend=backend, dialogue=dialogue, max_tokens=24, temperature=0.7)
        found: Counter[str] = Counter()
        for episode in range(arguments.episodes):
            planned = Planned(key=f"{episode:04d}", task=task)
            judge = Discovery(environment=world)
            played = await play(world, judge, agent, planned, seed=arguments.seed, turns=arguments.turns)
            for turn in played.turns:
                found[turn.verdict.parts.get("cause", turn.verdict.parts["category"])] += 1
                if arguments.show:
                    print(f"    {turn.completion.text!r}"[:110], "->", turn.action)
            found["discoveries"] += int(played.total)
        print(f"{arguments.table}, {name}: {dict(sorted(found.items()))}", flush=True)
    await backend.close()


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--table", default="atelier")
parser.add_argument("--episodes", type=int, default=3)
parser.add_argument("--turns", type=int, default=12)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--show", action="store_true")
asyncio.run(main(parser.parse_args()))
