"""Dealing: from a deck, parted by numbers."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, islice

import pytest

from athanor.core.errors import DataError, UsageError
from athanor.core.records import Task
from athanor.core.seeds import stream
from athanor.environments.points import NAMED_VALUES, SHARES, TENS, Deal, Points, Rule
from athanor.environments.points.cards import cards_of, read_rank, values_of
from athanor.environments.points.deal import hands, multisets, part_of
from athanor.environments.points.shifts import SHIFTS
from athanor.environments.points.solver import solvable


def dealt(count: int, deal: Deal, told: Rule = TENS, part: str | None = None, seed: int = 0):
    return list(islice(hands(deal, told, 24, part, stream(seed, "test")), count))


def test_no_card_is_dealt_twice_and_some_are_with_replacement():
    assert all(len(set(cards)) == 4 for cards in dealt(20_000, Deal()))
    twice = sum(len(set(cards)) < 4 for cards in dealt(20_000, Deal(replacement=True, unsolvable=True))) / 20_000
    assert abs(twice - 0.111) < 0.01  # Chu et al.: 11.1% of raw deals in four suits


def test_acceptance_is_that_of_a_deck():
    """201,956 of 270,725 hands of a deck can be solved with J, Q and K as 10."""
    some = dealt(40_000, Deal(unsolvable=True))
    share = sum(solvable(values_of(cards, TENS), 24) for cards in some) / len(some)
    assert abs(share - 201_956 / 270_725) < 0.01


def test_every_hand_is_as_asked():
    for cards in dealt(2_000, Deal(faces="some"), NAMED_VALUES):
        assert any(card[0] in "JQK" for card in cards)
    for cards in dealt(2_000, Deal(faces="none", suits="HD")):
        assert not any(card[0] in "JQK" for card in cards)
        assert {card[-1] for card in cards} <= set("HD")
    for cards in dealt(2_000, Deal(values="large"), NAMED_VALUES):
        assert max(values_of(cards, NAMED_VALUES)) > 10
    for cards in dealt(2_000, Deal(values="small"), NAMED_VALUES):
        assert max(values_of(cards, NAMED_VALUES)) <= 10
    assert {len(cards) for cards in dealt(100, Deal(cards=5))} == {5}


def test_published_hands_with_a_face_have_it_where_the_code_puts_it():
    """Three cards of any rank and one of J, Q, K: 4,815 of 6,591 such deals can be solved under 11-12-13."""
    some = dealt(40_000, Deal(faces="some", replacement=True, unsolvable=True), NAMED_VALUES)
    faces = Counter(sum(card[0] in "JQK" for card in cards) for cards in some)
    assert abs(faces[1] / len(some) - (10 / 13) ** 3) < 0.01
    share = sum(solvable(values_of(cards, NAMED_VALUES), 24) for cards in some) / len(some)
    assert abs(share - 4_815 / 6_591) < 0.01


def test_parts_share_no_multiset_of_numbers_whatever_the_rule():
    def numbers(part: str, told: Rule) -> set[tuple[int, ...]]:
        return {tuple(sorted(values_of(cards, told))) for cards in dealt(3_000, Deal(), told, part)}

    seen = {part: numbers(part, TENS) | numbers(part, NAMED_VALUES) for part in SHARES}
    assert all(len(found) > 100 for found in seen.values())
    for one, other in combinations(SHARES, 2):
        assert not seen[one] & seen[other]
    shares = Counter(part_of(tuple(row)) for row in multisets(4))
    assert all(abs(shares[part] / 1_820 - share) < 0.03 for part, share in SHARES.items())


def test_the_same_seed_deals_the_same_hands_and_another_does_not():
    first, again, other = (list(islice(Points().tasks("train", seed), 50)) for seed in (1, 1, 2))
    assert first == again
    assert [task.content for task in first] != [task.content for task in other]


@pytest.mark.parametrize("deal", [
    Deal(cards=0), Deal(cards=7), Deal(suits=""), Deal(suits="SX"), Deal(suits="SS"), Deal(values="large"),
    Deal(cards=1, faces="none"),
])  # fmt: skip
def test_a_deal_without_hands_is_refused(deal):
    with pytest.raises(UsageError):
        dealt(1, deal)


def test_a_task_of_another_kind_is_refused():
    for content in ({}, {"cards": ["XX"], "rule": "10", "target": 24}, {"cards": [], "rule": "10", "target": 24}):
        with pytest.raises(DataError, match="points|deck"):
            Points().start(Task(environment="points", split="all", key="k", content=content))


@pytest.mark.parametrize(("name", "rank"), [
    ("A", "A"), ("ace", "A"), (1, "A"), ("10", "10"), ("T", "10"), ("10♠", "10"), ("Ks", "K"), ("king of hearts", "K"),
    (13, "K"), ("Queen", "Q"), ("joker", None), ("", None), (None, None), (True, None), (2.5, None), ("14", None),
])  # fmt: skip
def test_ranks_as_models_name_them(name, rank):
    assert read_rank(name) == rank


def test_cards_on_the_command_line():
    assert cards_of("4, 3h,10,TD,k") == ("4S", "3H", "10S", "10D", "KS")
    for wrong in ("", "4,", "1", "KK", "4;3"):
        with pytest.raises(UsageError, match="--cards"):
            cards_of(wrong)


def test_every_shift_has_hands_and_says_what_it_is():
    for name, shift in SHIFTS.items():
        part = "test"
        for cards in dealt(20, shift.deal, shift.rule, part):
            assert part_of(values_of(cards, shift.rule)) == part
        assert shift.about, name
    assert set(SHIFTS["mapping"].rule.values) <= set(TENS.values)
