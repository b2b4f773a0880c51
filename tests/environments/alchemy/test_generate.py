from __future__ import annotations

from dataclasses import replace

import pytest

from athanor.core.errors import UsageError
from athanor.environments.alchemy.generate import WorldSpec, everyday_words, generate, make_names, rename, spec_of
from athanor.environments.alchemy.statistics import statistics
from athanor.environments.alchemy.worlds import table

SMALL = WorldSpec(
    elements=90, pairs=260, two_results=12, three_results=2, self_pairs=14, finals=22,
    generations=(8, 10, 15, 20, 15, 10, 8), gini=0.45, size_gifts=(20, 40), set_gifts=((3, 6),),
)  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_a_generated_world_has_the_statistics_it_was_asked_for(seed):
    world = generate(SMALL, seed, "opaque")
    count = statistics(world)
    assert (count.elements, count.pairs, count.self_pairs, count.finals) == (90, 260, 14, 22)
    assert count.pairs_by_results == {"1": 246, "2": 12, "3": 2}
    assert count.generations["none"] == 7
    assert count.unreachable == {"none": (), "by size": (), "all": ()}
    assert count.uses_gini == pytest.approx(0.45, abs=0.05)
    assert count.returning_rows == 0
    assert [g.size for g in world.gifts] == [20, 40, 0]


def test_the_default_world_is_matched_to_little_alchemy_2():
    count = statistics(generate(WorldSpec(), 1, "words"))
    assert (count.elements, count.pairs, count.self_pairs, count.finals) == (720, 3308, 137, 185)
    assert count.pairs_by_results == {"1": 3171, "2": 130, "3": 7}
    assert count.generations["none"] == 16
    assert count.uses_gini == pytest.approx(0.58, abs=0.03)


def test_a_world_can_be_matched_to_any_table():
    model = statistics(table("atelier"))
    count = statistics(generate(spec_of(table("atelier")), 0, "opaque"))
    assert (count.elements, count.pairs, count.self_pairs, count.finals, count.pairs_by_results) == (
        model.elements, model.pairs, model.self_pairs, model.finals, model.pairs_by_results,
    )  # fmt: skip
    assert count.uses_gini == pytest.approx(model.uses_gini, abs=0.05)


def test_a_world_is_fixed_by_its_seed():
    assert generate(SMALL, 3, "opaque").digest == generate(SMALL, 3, "opaque").digest
    assert generate(SMALL, 3, "opaque").digest != generate(SMALL, 4, "opaque").digest


def test_names_are_distinct_and_opaque_ones_are_no_words():
    opaque = make_names(720, 0, "opaque")
    assert len(set(opaque)) == 720
    assert not set(opaque) & set(everyday_words())
    assert set(make_names(720, 0, "words")) <= set(everyday_words())
    with pytest.raises(UsageError, match="use opaque names"):
        make_names(100_000, 0, "words")


def test_a_renamed_world_has_the_same_structure_and_no_name_in_common():
    old = table("atelier")
    new = rename(old, 7)
    names = dict(zip(old.elements, new.elements, strict=True))
    back = {
        tuple(sorted(pair)): set(made)
        for pair, made in (((names[a], names[b]), [names[e] for e in m]) for (a, b), m in old.results.items())
    }
    assert back == {pair: set(made) for pair, made in new.results.items()}
    assert not set(old.elements) & set(new.elements)
    for field in ("pairs", "rows", "finals", "closures", "uses_gini", "pairs_by_results"):
        assert getattr(statistics(old), field) == getattr(statistics(new), field)


def test_a_renamed_world_has_no_notes_that_could_leak_a_name():
    noted = replace(table("atelier"), notes=("1 rows that came twice merged: ink + pen -> line",))
    assert rename(noted, 1).notes == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"finals": 88},
        {"generations": ()},
        {"generations": (1,) * 200},
        {"self_pairs": 80},
        {"pairs": 3000},
        {"pairs": 20, "two_results": 0, "three_results": 0, "self_pairs": 1},
        {"two_results": 300},
        {"gini": 1.5},
        {"base": 0},
        {"base": 1, "self_pairs": 0, "generations": (60, 10, 10)},
    ],
)
def test_statistics_that_contradict_one_another_are_refused(wrong):
    with pytest.raises(UsageError, match="no world has these statistics"):
        generate(replace(SMALL, **wrong), 0, "opaque")
