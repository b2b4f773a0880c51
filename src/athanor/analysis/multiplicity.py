"""Several comparisons at once: p-values and intervals that hold for all of them together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace

from athanor.analysis.contrasts import MINUS
from athanor.analysis.intervals import t_quantile
from athanor.analysis.nulls import is_p
from athanor.analysis.random_players import is_random
from athanor.core.errors import UsageError
from athanor.core.records import Estimate

ALL_HOLD = "all together"
"""Behind a difference's name: the same with an interval that holds together with those of all other differences."""
HOLM = "p by Holm"
"""What begins the name of an adjusted p-value, in the place of `p`."""
P = "p of "
"""What begins the name of a p-value."""
NULL_TESTS = "null tests"
"""The family of all tests by null choices."""
SURE = 0.05
"""The p-value below which something is called found."""


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p-values that control the chance of any false finding, under any dependence (Holm 1979).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p, dtype=np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise UsageError(f"p-values lie between 0 and 1, found {values.tolist()}; leave out what is unknown")
    order = np.argsort(values, kind="stable")
    adjusted = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    found = np.empty(len(values))
    found[order] = np.minimum(adjusted, 1.0)
    return found.tolist()


def bonferroni(level: float, comparisons: int) -> float:
    """The level of each interval at which all of them hold together with at least `level`.

    >>> round(bonferroni(0.95, 5), 4)
    0.99
    """
    if comparisons < 1 or not 0 < level < 1:
        raise UsageError(f"level {level} for {comparisons} comparisons; a level between 0 and 1 and one or more needed")
    return 1.0 - (1.0 - level) / comparisons


def holm_of(p_name: str) -> str:
    """What the adjusted p-value of a test is called.

    >>> holm_of("p of weight of uncertainty (null)")
    'p by Holm of weight of uncertainty (null)'
    """
    return HOLM + p_name.removeprefix("p")


def with_adjusted(*parts: Sequence[Estimate]) -> list[tuple[Estimate, ...]]:
    """The estimates, of each world for example; behind each p-value the one that Holm makes of it for its family, over
    all parts together.

    All null tests are one family. Any other test, such as that of empowerment minus uncertainty by one kind of fit, is
    one with those of its name, of other groups and worlds: other kinds ask the same question again. A single p-value
    stays alone. So do one that is unknown, and those of simulated random players, who are nobody's finding.
    """
    families = _families([one for part in parts for one in part])
    adjusted = {family: iter(holm(_values(tests))) for family, tests in families.items()}

    def both(one: Estimate) -> tuple[Estimate, ...]:
        family = _family(one)
        if family not in families:
            return (one,)
        those = f"{len(families[family])} {family if family == NULL_TESTS else 'such tests'}"
        method = f"{one.method}; Holm's over {those}"
        return one, replace(one, name=holm_of(one.name), value=next(adjusted[family]), method=method)

    return [tuple(each for one in part for each in both(one)) for part in parts]


def differences_held(found: Sequence[Estimate]) -> str:
    """How many differences leave zero out one by one, and how many by their simultaneous intervals, as a sentence;
    empty where no difference has one."""
    alone = {(one.group, one.name): one for one in found}
    together = [one for one in found if one.name.endswith(f", {ALL_HOLD}")]
    if not together:
        return ""
    single = sum(excludes_zero(alone[one.group, one.name.removesuffix(f", {ALL_HOLD}")]) for one in together)
    held = sum(excludes_zero(one) for one in together)
    return (
        f"Of {len(together)} comparisons with players who do not know the table, {single} {_leave(single)} zero out "
        f"one by one, and {held} {_hold(held)} together (simultaneous intervals, Bonferroni)."
    )


def simultaneous(one: Estimate, comparisons: int) -> Estimate:
    """An estimate with the interval that holds together with those of so many comparisons (Bonferroni).

    The interval is taken to be symmetric about the value, by Student's t with one degree of freedom less than units;
    where it was made with more, the wider one is too wide, never too narrow. Unknown stays unknown.

    >>> narrow = Estimate(name="w", value=1.0, low=0.0, high=2.0, level=0.95, n=9, unit="players", method="m")
    >>> round(simultaneous(narrow, 4).low, 3), simultaneous(narrow, 1).low
    (-0.39, 0.0)
    """
    if comparisons < 2 or one.value is None or one.low is None or one.high is None or one.level is None:
        return one
    df, level = max(1, one.n - 1), bonferroni(one.level, comparisons)
    wider = t_quantile(df, level) / t_quantile(df, one.level)
    method = f"{one.method}, simultaneous over {comparisons} comparisons (Bonferroni)"
    low, high = (one.value + wider * (end - one.value) for end in (one.low, one.high))
    return replace(one, low=low, high=high, level=level, method=method)


def excludes_zero(one: Estimate) -> bool:
    """Whether an interval is known and leaves zero out."""
    return one.low is not None and one.high is not None and not one.low <= 0 <= one.high


def held_together(found: Sequence[Estimate]) -> str:
    """How many null tests find something one by one, and how many hold together, as a sentence; and of the tests of a
    contrast, kind by kind. Empty where no family has two.

    p-values of null tests cannot be smaller than their draws let them: where all of these are too few, it is said.
    """
    said = []
    for family, tests in _families(found).items():
        each = _values(tests)
        alone, together = (sum(p < SURE for p in those) for those in (each, holm(each)))
        what = "comparisons with null choices" if family == NULL_TESTS else f"tests of {family}"
        counted = (
            f"Of {len(tests)} {what}, {alone} {_have(alone)} p below {SURE} one by one, and {together} "
            f"{_hold(together)} together (Holm)."
        )
        if family == NULL_TESTS:
            said.insert(0, counted + _too_coarse(max(one.n for one in tests), len(tests)))
        elif family.startswith(MINUS):
            said.append(counted)
    return " ".join(said)


def _too_coarse(draws: int, tests: int) -> str:
    """That no p-value of so many draws can hold among so many tests; empty if one can."""
    needed = round(tests / SURE)
    if draws >= needed:
        return ""
    return (
        f" With {draws} draws no p is below {1 / (draws + 1):.2g}, too coarse for {tests} of them: for one "
        f"alone to hold among them it takes {needed} draws (--nulls {needed})."
    )


def _families(found: Sequence[Estimate]) -> dict[str, list[Estimate]]:
    """The tests by family, in order; only families of two or more."""
    families: dict[str, list[Estimate]] = {}
    for one in found:
        if family := _family(one):
            families.setdefault(family, []).append(one)
    return {family: tests for family, tests in families.items() if len(tests) > 1}


def _values(tests: Sequence[Estimate]) -> list[float]:
    return [one.value for one in tests if one.value is not None]


def _family(one: Estimate) -> str:
    """The family of tests that a p-value belongs to; empty for other estimates, and where there is no comparison."""
    if not one.name.startswith(P) or one.value is None or is_random(one.group):
        return ""
    return NULL_TESTS if is_p(one.name) else one.name.removeprefix(P)


def _have(number: int) -> str:
    return "has" if number == 1 else "have"


def _leave(number: int) -> str:
    return "leaves" if number == 1 else "leave"


def _hold(number: int) -> str:
    return "holds" if number == 1 else "hold"
