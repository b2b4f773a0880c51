"""The tables of docs/little-alchemy-2.md, from the runs that examples/little_alchemy_2.sh makes.

python benchmarks/little_alchemy_2.py OUT         print them
python benchmarks/little_alchemy_2.py OUT PAGE    put them into the page, between its two markers
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from athanor.analysis.arms import arms_of
from athanor.analysis.exploration import CUT, FINAL, estimates_of, interval_text, value_text
from athanor.analysis.tables import read_runs
from athanor.environments.alchemy import CATEGORIES

COLUMNS = {
    "final inventory": FINAL,
    "discoveries": "discoveries",
    **{category.replace("-", ", "): f"share {category}" for category in CATEGORIES},
    "cut at the token bound": CUT,
    "minus random": f"{FINAL} minus random",
    "minus random-never-repeat": f"{FINAL} minus random-never-repeat",
}
BEGIN, END = "<!-- tables begin -->", "<!-- tables end -->"


def tables(paths: Sequence[Path]) -> str:
    """A table for each rules: a row an arm, a cell a value with its interval, a dash where there is none to give."""
    arms = sorted(arms_of(read_runs(paths)), key=lambda arm: (arm.world.rules, arm.baseline is not None))
    found = {(e.group, e.name): e for e in estimates_of(arms)}
    lines: list[str] = []
    for rules in dict.fromkeys(arm.world.rules for arm in arms):
        here = [arm for arm in arms if arm.world.rules == rules]
        used = {title: name for title, name in COLUMNS.items() if any((arm.name, name) in found for arm in here)}
        lines += [
            "",
            f"Under `{rules}`:",
            "",
            f"| arm | episodes | {' | '.join(used)} |",
            "|---" * (len(used) + 2) + "|",
        ]
        for arm in here:
            cells = [found.get((arm.name, name)) for name in used.values()]
            said = ["–" if e is None else f"{value_text(e)} {interval_text(e)}".strip() for e in cells]
            lines.append(f"| {arm.short} | {arm.n} | {' | '.join(said)} |")
    return "\n".join(lines[1:]) + "\n"


def put(page: Path, text: str) -> None:
    """Replace what stands between the page's markers."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("pass the folder of the runs, and the page if it is to be written")
    text = tables([path.parent for path in sorted(Path(sys.argv[1]).glob("*/manifest.json"))])
    print(text, end="")
    if len(sys.argv) == 3:
        put(Path(sys.argv[2]), text)
