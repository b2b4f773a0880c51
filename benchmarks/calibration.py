"""Whether predicted success comes true: pairs by their predicted probability, and how many of them make something.

    python benchmarks/calibration.py FOLDER [--table little-alchemy-2] [--bins 10]

FOLDER is one of `athanor train empowerment` on the same table. In each row the interval is Clopper and Pearson's, as if
pairs were independent.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy import special

from athanor.environments.alchemy.worlds import FORMS, table
from athanor.values.arrays import TableArrays
from athanor.values.meaning import pair_values
from athanor.values.tables import PairValues


def rows(values: PairValues, bins: int) -> Iterator[tuple[str, int, float, float, str]]:
    """A row a bin that has a pair: its bounds, pairs, mean predicted and share observed, and the share's interval."""
    predicted, success = values.values["success"], values.values["true_success"] > 0
    at = np.minimum((predicted * bins).astype(int), bins - 1)
    for number in np.unique(at).tolist():
        here = at == number
        n, k = int(here.sum()), int(success[here].sum())
        low = special.betaincinv(k, n - k + 1, 0.025) if k else 0.0
        high = special.betaincinv(k + 1, n - k, 0.975) if k < n else 1.0
        bounds = f"{number / bins:g} to {(number + 1) / bins:g}"
        yield bounds, n, float(predicted[here].mean()), k / n, f"[{low:.3f}, {high:.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--table", default="little-alchemy-2", help=FORMS)
    parser.add_argument("--bins", type=int, default=10)
    options = parser.parse_args()
    values = pair_values(str(options.folder), TableArrays(table(options.table)))
    print(f"{'predicted':12}{'pairs':>9}{'mean':>8}{'true':>8}  interval")
    for bounds, count, said, true, interval in rows(values, options.bins):
        print(f"{bounds:12}{count:9,}{said:8.3f}{true:8.3f}  {interval}")


if __name__ == "__main__":
    main()
