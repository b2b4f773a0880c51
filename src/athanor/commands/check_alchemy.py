"""athanor check alchemy: a table's statistics, and its verifier tried from both sides."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import msgspec

from athanor.environments.alchemy import RULES, Alchemy
from athanor.environments.alchemy.checks import complaints
from athanor.environments.alchemy.rules import RulesName
from athanor.environments.alchemy.statistics import Statistics, statistics
from athanor.environments.alchemy.worlds import table


@dataclass(frozen=True, kw_only=True)
class Config:
    """Print a table's statistics and try its verifier."""

    table: str
    """atelier, little-alchemy-2, wordcraft, generated:words:SEED, generated:opaque:SEED, renamed:SEED:TABLE, a file."""
    rules: RulesName = "strict"
    """The rules under which the verifier is tried."""
    seed: int = 0
    """Draws the targeted tasks on which it is tried."""
    json: bool = False
    """Print JSON on standard output instead of text."""


def run(config: Config) -> int:
    """Print; 1 if the verifier failed on any answer."""
    world = table(config.table)
    count = statistics(world)
    tried, failed = complaints(Alchemy(table=world, rules=RULES[config.rules]), config.seed)
    if config.json:
        found = {"tasks": tried, "complaints": msgspec.to_builtins(failed)}
        whole = {"table": world.name, **msgspec.to_builtins(count), "validate": {"rules": config.rules, **found}}
        print(msgspec.json.format(msgspec.json.encode(whole), indent=2).decode())
    else:
        print(_text(world.name, count))
        print(f"verifier under {config.rules}: {tried} tasks tried, complaints: {len(failed)}")
    for complaint in failed[:10]:
        print(f"{complaint.answer} on {complaint.task}: {complaint.verdict.reason}", file=sys.stderr)
    return 1 if failed else 0


def _text(name: str, count: Statistics) -> str:
    lines = [f"table {name} (SHA-256 of its content {count.digest[:12]}...)"]
    lines += [f"  note: {note}" for note in count.notes]
    by_results = ", ".join(f"{pairs} with {size}" for size, pairs in count.pairs_by_results.items())
    lines += [
        f"  elements {count.elements}, of them {count.finals} final, {count.unmakeable} that no recipe makes",
        f"  pairs that make something {count.pairs} of {count.possible_pairs} ({count.success_share:.3%}), "
        f"{count.self_pairs} of them self-pairs",
        f"  results: {by_results}; {count.rows} rows, {count.returning_rows} return an ingredient",
        f"  uses per combinable element: Gini {count.uses_gini:.2f}; most children: "
        + ", ".join(f"{element} {children}" for element, children in count.most_children[:5]),
    ]
    for gifts, sizes in count.closures.items():
        left = count.unreachable[gifts]
        tail = f"; out of reach: {', '.join(left[:5])}{' ...' if len(left) > 5 else ''}" if left else ""
        lines.append(f"  gifts {gifts}: {count.generations[gifts]} generations, {' '.join(map(str, sizes))}{tail}")
    return "\n".join(lines)
