"""The search against brute force, published counts, and closed forms."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations_with_replacement, permutations, product

import pytest

from athanor.core.errors import UsageError
from athanor.core.seeds import stream
from athanor.environments.points import NAMED_VALUES, TENS, rule
from athanor.environments.points.checks import counts
from athanor.environments.points.formula import Sum, read
from athanor.environments.points.solver import solutions, solvable


def reachable(values: tuple[int, ...]) -> set[Fraction]:
    """Every number that the values make, by the definition: two are replaced by what they make, in every order."""
    if len(values) == 1:
        return {Fraction(values[0])}
    found: set[Fraction] = set()

    def join(left: list[Fraction]) -> None:
        if len(left) == 1:
            found.add(left[0])
        for i, j in permutations(range(len(left)), 2):
            rest = [value for k, value in enumerate(left) if k not in (i, j)]
            a, b = left[i], left[j]
            for made in (a + b, a - b, a * b, *([a / b] if b else [])):
                join([*rest, made])

    join(list(map(Fraction, values)))
    return found


def test_what_can_be_made_is_what_brute_force_makes():
    rng = stream(0, "hands")
    for _ in range(25):
        values = tuple(int(value) for value in rng.integers(1, 14, size=4))
        makes = reachable(values)
        assert {t for t in range(41) if solvable(values, t)} == {t for t in range(41) if Fraction(t) in makes}, values


@pytest.mark.parametrize(("told", "hands", "with_face", "by_faces"), [
    (TENS, 1236, 670, (566, 486, 174, 10, 0)), (NAMED_VALUES, 1362, 796, (566, 503, 234, 47, 12)),
])  # fmt: skip
def test_the_counts_at_24_are_the_known_ones(told, hands, with_face, by_faces):
    found = counts(4, told, 24)
    assert (found.hands, found.with_face, found.solvable) == (1820, 1105, hands)
    assert (found.solvable_with_face, found.solvable_without_face) == (with_face, 566)
    assert found.solvable_by_faces == by_faces
    assert sum(found.multisets_by_part.values()) == found.multisets


@pytest.mark.parametrize(("target", "tens", "named"), [
    (20, 1612, 1372), (36, 1187, 1270), (48, 943, 1139), (100, 950, 654),
])  # fmt: skip
def test_other_targets(target, tens, named):
    hands = list(combinations_with_replacement(range(13), 4))
    for told, count in ((TENS, tens), (NAMED_VALUES, named)):
        assert sum(solvable(tuple(told.values[rank] for rank in hand), target) for hand in hands) == count


def test_every_solution_is_right_written_once_and_uses_the_hand():
    for hand in combinations_with_replacement(range(1, 14, 2), 4):
        found = solutions(hand, 24)
        assert bool(found) == solvable(hand, 24)
        assert len(set(found)) == len(found)
        for formula in found:
            made = read(formula)
            assert isinstance(made, Sum)
            assert made.value
            assert Fraction(*made.value) == 24
            assert sorted(made.numbers) == sorted(hand)


def test_what_differs_by_order_brackets_or_cancelling_signs_is_one_solution():
    assert solutions((6, 6, 6, 6), 24) == ("6*6-6-6", "6+6+6+6")
    assert solutions((1, 5, 5, 5), 24) == ("(5-1/5)*5",)
    assert solutions((3, 3, 8, 8), 24) == ("8/(3-8/3)",)
    assert solutions((1, 1, 2, 3), 0)  # zero has no sign to cancel
    both = solutions((1, 7, 2, 6), 24)  # (7-1)*(6-2) is (1-7)*(2-6)
    assert sum("-" in formula and formula.count("(") == 2 for formula in both) == len({
        frozenset(formula.split("*")) for formula in both if "-" in formula and formula.count("(") == 2
    })  # fmt: skip


def test_any_number_of_cards():
    assert solutions((24,), 24) == ("24",)
    assert not solvable((7,), 24)
    assert solutions((4, 6), 24) == ("6*4",) or solutions((4, 6), 24) == ("4*6",)
    values = (3, 5, 7, 11, 13)
    some = solutions(values, 24)
    assert len(some) == 16
    assert all(isinstance(one := read(f), Sum) and Fraction(*one.value or (0, 1)) == 24 for f in some)
    assert solvable((2, 3, 5, 7, 11, 13), 24)
    assert not solvable((1, 1, 1, 1, 1, 1), 720)


@pytest.mark.parametrize("values", [(), (1,) * 7, (10**9,) * 4, (-1, 2, 3, 4)])
def test_hands_out_of_reach_are_refused(values):
    with pytest.raises(UsageError):
        solvable(values, 24)


def test_rules_by_name():
    assert rule("10").values == (*range(1, 11), 10, 10, 10)
    assert rule("11-12-13").values == tuple(range(1, 14))
    assert rule("7-8-9").name == "7-8-9"
    for wrong in ("", "ten", "1-2", "0", "11-12-13-14", "-1", "9999", "11,12,13"):
        with pytest.raises(UsageError, match="--rule"):
            rule(wrong)


def test_formula_reading_agrees_with_fractions_over_all_shapes():
    numbers = (3, 8, 2, 7)
    shapes = ("{}{}{}{}{}{}{}", "({}{}{}){}{}{}{}", "{}{}({}{}{}{}{})", "({}{}{}){}({}{}{})", "{}{}({}{}({}{}{}))")
    for shape, signs in product(shapes, product("+-*/", repeat=3)):
        formula = shape.format(3, signs[0], 8, signs[1], 2, signs[2], 7)
        found = read(formula)
        assert isinstance(found, Sum)
        assert found.numbers == numbers
        exact = eval("".join(f"Fraction({c})" if c.isdigit() else c for c in formula), {"Fraction": Fraction})
        assert found.value
        assert Fraction(*found.value) == exact
