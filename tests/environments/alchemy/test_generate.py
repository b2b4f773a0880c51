from __future__ import annotations

import signal
from dataclasses import replace

import pytest

from athanor.core.errors import UsageError
from athanor.core.seeds import stream
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


def test_a_world_matched_to_a_table_has_no_element_with_more_children():
    world = generate(spec_of(table("atelier")), 1, "opaque")
    assert statistics(world).most_children[0][1] <= statistics(table("atelier")).most_children[0][1]
    capped = generate(replace(SMALL, most_children=14), 0, "opaque")
    assert statistics(capped).most_children[0][1] <= 14 < statistics(generate(SMALL, 0, "opaque")).most_children[0][1]


@pytest.fixture
def patience():
    """A generation that goes on for ever fails instead."""

    def enough(*_):
        raise TimeoutError

    signal.signal(signal.SIGALRM, enough)
    signal.alarm(60)
    yield
    signal.alarm(0)


def test_whatever_is_asked_for_is_made_as_asked_or_refused(patience):
    """Random specifications, most of which no world has: what is made is exact, and every draw comes to an end."""
    rng, made = stream(0, "specifications"), 0
    for seed in range(40):
        n, (base, depth, two, selfs) = int(rng.integers(8, 30)), rng.integers(1, 5, size=4).tolist()
        spec = WorldSpec(
            elements=n, base=base, pairs=int(rng.integers(n, 2 * n)), two_results=two - 1, three_results=two // 3,
            self_pairs=selfs - 1, finals=int(rng.integers(0, n // 2)), gini=float(rng.uniform(0.2, 0.7)),
            generations=tuple(rng.integers(1, 9, size=depth).tolist()), size_gifts=(), set_gifts=(),
        )  # fmt: skip
        try:
            count = statistics(generate(spec, seed, "opaque"))
        except UsageError as error:
            assert "no world has these statistics" in str(error)  # noqa: PT017
            continue
        made += 1
        found = (count.elements, count.pairs, count.self_pairs, count.finals, count.generations["none"])
        assert found == (n, spec.pairs, spec.self_pairs, spec.finals, depth)
        sizes = count.pairs_by_results
        assert (sizes.get("2", 0), sizes.get("3", 0)) == (spec.two_results, spec.three_results)
        assert not count.unreachable["none"]
        assert count.uses_gini == pytest.approx(spec.gini, abs=0.05)
    assert made > 2


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"elements": 2, "base": 1, "finals": 0, "generations": (1,), "pairs": 1, "self_pairs": 1}, "nothing that it"),
        ({"gini": 0.05}, "a Gini coefficient of 0.05 was expected, the nearest found is 0"),
        (
            {"most_children": 2},
            "8 elements .* in generation 1, and the 10 pairs .* used up; .*, or raise most_children",
        ),
        ({"generations": (1,)}, "86 elements were expected in generation 1, .* used up; make generation 1 smaller, or"),
        ({"two_results": -1}, "two_results is -1, 0 or more was expected; raise two_results"),
        ({"size_gifts": (5,) * 90}, "91 gifts, at most the 86 elements beside the base were expected; name fewer"),
        ({"set_gifts": ((3, 87),)}, r"\(3, 87\)"),
        ({"elements": 10**9}, "at most 100000 was expected; lower elements"),
        ({"finals": 85}, "85 finals leave 5 of 90 elements to combine, at least 10 were expected: .*; lower finals"),
        ({"pairs": 20}, "20 pairs have 36 results, at least 86, .*; raise pairs"),
    ],
)
def test_what_cannot_be_reached_is_refused_with_the_gap(patience, wrong, says):
    few = {"two_results": 0, "three_results": 0, "size_gifts": (), "set_gifts": ()} if "elements" in wrong else {}
    with pytest.raises(UsageError, match=f"no world has these statistics: .*({says})"):
        generate(replace(SMALL, **{**few, **wrong}), 0, "opaque")


def test_a_world_is_fixed_by_its_seed():
    assert generate(SMALL, 0, "opaque").digest.startswith("d2980c3de580930e")
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
