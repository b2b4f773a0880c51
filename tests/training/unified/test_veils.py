"""Prompts that leave words out tell nothing that is held out, and tell as much as they can."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from athanor.environments.points.cards import DECK
from athanor.environments.scenes.spec import Entry, Spec, tell
from athanor.environments.scenes.splits import combinations_of, held
from athanor.environments.scenes.words import COLOURS, SHAPES, article
from athanor.training.unified.veils import crossings, veiled

PAIR = next(one for one in combinations_of("pair") if held("pair", *one))
FREE = next(one for one in combinations_of("pair") if not held("pair", *one))
OFTEN, TIMES = 0.5, 400


def told(*entries: Entry, tag: str = "colors") -> Counter[tuple[str, ...]]:
    spec = Spec(tag=tag, include=entries)
    return Counter(tuple(veiled(spec, np.random.default_rng(seed), OFTEN)) for seed in range(TIMES))


def test_a_held_out_pair_is_told_by_one_side_or_the_other() -> None:
    shape, colour = map(str, PAIR)
    found = {words for (words,) in told(Entry(kind=shape, colour=colour))}
    assert {one.split(" ", 1)[1] for one in found} == {shape, f"{colour} thing"}


def test_what_is_not_held_out_is_told_whole_as_often_as_not() -> None:
    shape, colour = map(str, FREE)
    found = told(Entry(kind=shape, colour=colour))
    whole = sum(n for (words,), n in found.items() if words.endswith(f"{colour} {shape}"))
    assert abs(whole / TIMES - (1 - OFTEN)) < 4 * (OFTEN * (1 - OFTEN) / TIMES) ** 0.5


def test_numbers_and_couples_and_relations_lose_a_shape() -> None:
    shape, many = next(one for one in combinations_of("count") if held("count", *one))
    found = told(Entry(kind=str(shape), count=int(many)), tag="counting")
    assert len(found) == 1
    assert next(iter(found))[0].endswith(" things")
    a, b = map(str, next(one for one in combinations_of("couple") if held("couple", *one)))
    for first, second in told(Entry(kind=a), Entry(kind=b), tag="two_object"):
        assert "thing" in first + second
    c, relation, d = next(one for one in combinations_of("relation") if held("relation", *one))
    beside = told(Entry(kind=str(d)), Entry(kind=str(c), position=(str(relation), 0)), tag="position")
    assert all("thing" in first + second for first, second in beside)


def test_a_card_loses_its_rank_or_its_suit() -> None:
    card = next(str(one[0]) for one in combinations_of("card") if held("card", *one))
    found = {words for (words,) in told(Entry(kind="card", card=card), tag="cards")}
    assert len(found) == 2
    assert not any(words.startswith("the ") for words in found)


def test_words_of_what_is_held_out_are_not_said_of_two_things_either() -> None:
    """Else where both words are, the things are others: what is held out would be told not to be."""
    shape, colour = map(str, PAIR)
    other, mine = next(
        (other, mine) for other in SHAPES for mine in COLOURS if other != shape and mine != colour
        and not any(held("pair", a, b) for a, b in ((other, colour), (shape, mine), (other, mine)))
        and not held("couple", shape, other)
    )  # fmt: skip
    spec = Spec(tag="color_attr", include=(Entry(kind=shape, colour=mine), Entry(kind=other, colour=colour)))
    assert crossings(spec, [set(), set()]) == [((0, "shape"), (1, "colour"))]
    for seed in range(40):
        one, two = veiled(spec, np.random.default_rng(seed), 0.0)
        assert (shape in one) + (colour in two) == 1
        assert (mine in one, other in two) == (True, True)
    whole = [f"{article(mine)} {mine} {shape}", f"{article(colour)} {colour} {other}"]
    assert veiled(spec, np.random.default_rng(0), 0.0, apart=False) == whole


def test_ranks_and_suits_of_a_held_out_card_are_not_said_of_two_cards_either() -> None:
    card = next(str(one[0]) for one in combinations_of("card") if held("card", *one))
    one, two = next(
        (a, b) for a in DECK for b in DECK if a[:-1] == card[:-1] and b[-1] == card[-1] and not held("card", a)
        and not held("card", b) and not held("card", b[:-1] + a[-1])
    )  # fmt: skip
    spec = Spec(tag="cards", include=(Entry(kind="card", card=one), Entry(kind="card", card=two)))
    for seed in range(20):
        words = veiled(spec, np.random.default_rng(seed), 0.0)
        assert sum(said.startswith("the ") for said in words) == 1


@pytest.mark.parametrize("wording", [0, 3])
def test_words_are_told_in_the_place_of_phrases(wording: int) -> None:
    two = Spec(tag="position", include=(Entry(kind="square"), Entry(kind="circle", position=("left of", 0))))
    assert tell(two, wording, ["a thing", "two things"]).endswith("two things left of a thing")


def test_only_what_is_held_out_leaves_a_word_out_where_no_more_is_asked_for() -> None:
    shape, colour = map(str, FREE)
    spec = Spec(tag="colors", include=(Entry(kind=shape, colour=colour),))
    assert {veiled(spec, np.random.default_rng(seed), 0.0)[0].split(" ", 1)[1] for seed in range(20)} == {
        f"{colour} {shape}"
    }
    card = next(str(one[0]) for one in combinations_of("card") if held("card", *one))
    placed = Spec(tag="dense", include=(Entry(kind="card", card=card, place="top left"),))
    assert all(veiled(placed, np.random.default_rng(seed), 0.0)[0].endswith(" at the top left") for seed in range(20))
