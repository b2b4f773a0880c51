"""Where the published rules differ from the exact ones, each difference by itself."""

from __future__ import annotations

import pytest

from athanor.core.errors import DataError
from athanor.core.records import Unreadable
from athanor.environments.alchemy import RULES, Alchemy, Discovery, Gift, Pair, Table


def after(table: Table, rules: str, *pairs: str):
    """Verdicts of a list of turns, and the state at their end."""
    environment = Alchemy(table=table, rules=RULES[rules])
    verifier = Discovery(environment=environment)
    task = next(environment.tasks("open", 0))
    state, verdicts = environment.start(task), []
    for text in pairs:
        first, second = text.split("+") if "+" in text else ("", "")
        action = Pair(first=first, second=second) if first else Unreadable(unreadable=text)
        following = environment.step(state, action).state
        verdicts.append(verifier.verify(task, state, action, following))
        state = following
    return verdicts, state, environment.observe(state)


def test_strict_gives_every_result_at_once_and_pan2025_one_a_turn_in_index_order(small):
    _, state, _ = after(small, "strict", "ink+pen")
    assert state.owned[:4] == ("ink", "pen", "line", "dot")
    verdicts, state, _ = after(small, "pan2025", "pen+ink", "ink+pen")
    assert [v.parts.get("new") for v in verdicts] == [["line"], ["dot"]]
    assert [v.parts["category"] for v in verdicts] == ["success-new", "success-existing"]


def test_strict_enforces_ownership_and_pan2025_looks_any_names_up(small):
    verdicts, state, _ = after(small, "strict", "line+line", "gold+pen", "line+gold")
    assert [v.parts["cause"] for v in verdicts] == ["unowned", "unknown", "unknown"]
    assert state.owned == ("ink", "pen")
    verdicts, state, _ = after(small, "pan2025", "line+line", "gold+pen")
    assert verdicts[0].parts == {"category": "success-new", "new": ["text"], "foreign": "unowned"}
    assert verdicts[1].parts == {"category": "failure-new", "foreign": "unknown"}
    assert "text" in state.known


def test_brandle2023_enforces_ownership_too(small):
    verdicts, state, _ = after(small, "brandle2023", "line+line")
    assert verdicts[0].parts == {"category": "invalid", "cause": "unowned"}


def test_finals_are_kept_but_combine_only_under_pan2025(small):
    book = ("ink+pen", "line+line", "text+text", "book+pen")
    for rules in ("strict", "brandle2023"):
        verdicts, state, sight = after(small, rules, *book)
        assert verdicts[-1].parts == {"category": "invalid", "cause": "final"}
        assert "book" in sight.owned
        assert "book" not in sight.combinable
    verdicts, _, sight = after(small, "pan2025", *book)
    assert verdicts[-1].parts["category"] == "failure-new"
    assert "book" in sight.combinable


def test_a_gift_that_earns_a_gift_comes_at_once_or_a_turn_later_or_never():
    gifts = (Gift(element="g1", size=3), Gift(element="g2", count=2, of=("c", "g1")), Gift(element="g3", size=5))
    table = Table(
        name="chain",
        elements=("a", "b", "c", "g1", "g2", "g3"),
        base=("a", "b"),
        results={("a", "b"): ("c",)},
        gifts=gifts,
    )
    verdicts, state, _ = after(table, "strict", "a+b")
    assert state.gifts == ("g1", "g2", "g3")
    _, first, _ = after(table, "brandle2023", "a+b")
    _, second, _ = after(table, "brandle2023", "a+b", "a+a")
    _, third, _ = after(table, "brandle2023", "a+b", "a+a", "a+a")
    assert [s.gifts for s in (first, second, third)] == [("g1",), ("g1", "g2"), ("g1", "g2", "g3")]
    verdicts, state, sight = after(table, "pan2025", "a+b", "a+a", "a+a")
    assert state.gifts == ("g1",)  # by size only: g2 is by set, so five are never owned


def ladder(*gifts: Gift) -> Table:
    """Two base elements that make a third; the gifts make nothing of their own accord."""
    elements = ("a", "b", "c", *(gift.element for gift in gifts))
    return Table(name="ladder", elements=elements, base=("a", "b"), results={("a", "b"): ("c",)}, gifts=gifts)


def test_a_gift_that_lifts_the_inventory_to_the_next_size_earns_it_a_turn_later_under_pan2025():
    table = ladder(Gift(element="g1", size=3), Gift(element="g2", size=4), Gift(element="g3", size=5))
    turns = [("a+b", ()), ("b+b", ("g1",)), ("what?", ("g2",)), ("a+a", ("g3",)), ("a+a", ())]
    verdicts, state, _ = after(table, "pan2025", *(said for said, _ in turns))
    assert [tuple(v.parts.get("gifts", ())) for v in verdicts] == [given for _, given in turns]
    assert state.owned == ("a", "b", "c", "g1", "g2", "g3")


def test_a_base_that_earns_a_gift_by_itself_has_it_in_the_first_turn_without_a_discovery():
    table = ladder(Gift(element="g1", size=2), Gift(element="g2", size=3), Gift(element="late", size=9))
    for rules, start, seen, first, second in (
        ("strict", ("a", "b", "g1", "g2"), ("a", "b", "g1", "g2"), (), ()),
        ("pan2025", ("a", "b"), ("a", "b", "g1"), ("g1",), ("g2",)),
        ("brandle2023", ("a", "b"), ("a", "b"), ("g1",), ("g2",)),
    ):
        environment = Alchemy(table=table, rules=RULES[rules])
        task = next(environment.tasks("open", 0))
        state = environment.start(task)
        assert (tuple(task.content["start"]), state.owned) == (start, start)
        assert environment.observe(state).owned == seen
        verdicts, _, _ = after(table, rules, "a+a", "a+a")
        assert [tuple(v.parts.get("gifts", ())) for v in verdicts] == [first, second]


def test_a_base_that_is_all_final_is_refused_where_finals_do_not_combine():
    table = Table(name="stuck", elements=("a", "b", "c"), base=("a",), results={("b", "b"): ("c",)})
    for rules in ("strict", "brandle2023"):
        with pytest.raises(DataError, match=f"stuck leaves nothing to combine under the rules {rules}"):
            Alchemy(table=table, rules=RULES[rules])
    assert Alchemy(table=table, rules=RULES["pan2025"])


def test_pan2025_gives_gifts_unseen_at_the_start_of_the_next_turn(small):
    verdicts, state, sight = after(small, "pan2025", "ink+pen", "ink+pen", "line+line")
    assert state.owned == ("ink", "pen", "line", "dot", "text")  # what the published log holds after the turn
    assert sight.owned == ("ink", "pen", "line", "dot", "text", "luck")  # what the next prompt shows
    assert "gifts" not in verdicts[-1].parts
    verdicts, state, _ = after(small, "pan2025", "ink+pen", "ink+pen", "line+line", "luck+pen")
    assert verdicts[-1].parts == {"category": "success-new", "new": ["book"], "gifts": ["luck"]}


def test_an_unreadable_turn_under_pan2025_still_lets_gifts_come(small):
    verdicts, state, _ = after(small, "pan2025", "ink+pen", "ink+pen", "line+line", "what?")
    assert state.gifts == ("luck",)
    assert verdicts[-1].parts == {"category": "invalid", "cause": "unreadable", "gifts": ["luck"]}


def test_base_elements_and_finals_count_for_gifts_by_size(small):
    _, state, _ = after(small, "strict", "ink+pen", "line+line")
    assert "luck" in state.known  # ink pen line dot text
    assert "fame" in state.known


def test_the_game_ends_when_exhausted_only_under_strict():
    results = {("a", "a"): ("c",), ("a", "b"): ("c",)}
    table = Table(name="tiny", elements=("a", "b", "c"), base=("a", "b"), results=results)
    for rules, over in (("strict", True), ("brandle2023", False), ("pan2025", False)):
        environment = Alchemy(table=table, rules=RULES[rules])
        state = environment.start(next(environment.tasks("open", 0)))
        steps = []
        for first, second in ("aa", "ab", "bb"):
            step = environment.step(state, Pair(first=first, second=second))
            state = step.state
            steps.append(step.terminated)
        assert steps == [False, False, over]


@pytest.mark.parametrize("rules", list(RULES))
def test_categories_follow_the_pair_not_the_order_of_its_names(small, rules):
    verdicts, _, _ = after(small, rules, "ink+pen", "pen+ink", "ink+ink", "ink+ink", "nonsense")
    assert [v.parts["category"] for v in verdicts] == [
        "success-new",
        "success-existing",
        "failure-new",
        "failure-existing",
        "invalid",
    ]
    assert all(v.reason for v in verdicts)


def test_a_recipe_that_returns_its_ingredient_is_a_success_without_reward():
    table = Table(name="t", elements=("a", "b"), base=("a", "b"), results={("a", "b"): ("a",)})
    verdicts, _, _ = after(table, "strict", "a+b")
    assert (verdicts[0].parts["category"], verdicts[0].reward, verdicts[0].passed) == ("success-new", 0.0, False)
    assert "already owned" in verdicts[0].reason


def test_a_step_changes_nothing_that_it_was_given(small):
    environment = Alchemy(table=small, rules=RULES["strict"])
    state = environment.start(next(environment.tasks("open", 0)))
    before = (state.owned, state.known, state.combinable, len(state.tried), state.gifts)
    environment.step(state, Pair(first="ink", second="pen"))
    assert (state.owned, state.known, state.combinable, len(state.tried), state.gifts) == before
