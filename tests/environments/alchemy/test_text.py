from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from athanor.core.history import History
from athanor.core.records import Completion, Turn, Unreadable
from athanor.environments.alchemy import RULES, Alchemy, Discovery, Pair, Table
from athanor.environments.alchemy.text import AlchemyDialogue

WORLD = Table(
    name="w",
    elements=("ink", "old pen", "pen", "line", "dot!", "jack-o-lantern", "book"),
    base=("ink", "old pen", "pen"),
    results={("ink", "pen"): ("line", "dot!"), ("line", "line"): ("book",), ("dot!", "line"): ("jack-o-lantern",)},
)
STRICT = Alchemy(table=WORLD, rules=RULES["strict"])
START = STRICT.start(next(STRICT.tasks("open", 0)))
SIGHT = STRICT.observe(START)


def dialogue(**options) -> AlchemyDialogue:
    return AlchemyDialogue(environment=STRICT, **options)


@pytest.mark.parametrize(
    ("reply", "first", "second"),
    [
        ("ink + pen", "ink", "pen"),
        ("Ink+PEN", "ink", "pen"),
        ("  **ink** + `pen`.\n", "ink", "pen"),
        ("I combine ink + pen to see what happens", "ink", "pen"),
        ("I would try old pen + ink.", "old pen", "ink"),
        ("ink + pen = line", "ink", "pen"),
        ("ink + pen -> line\nline + line -> book", "ink", "pen"),
        ("Answer: ink + old pen", "ink", "old pen"),
        ("ink + ink is boring.\nFinal answer: old pen + pen", "old pen", "pen"),
        ("ink and pen", "ink", "pen"),
        ("ink, pen", "ink", "pen"),
        ("I will combine ink with old pen.", "ink", "old pen"),
        ("The two elements that I combine are ink and old pen.", "ink", "old pen"),
        ("You are combining ink and pen, which is the only pair.", "ink", "pen"),
        ("I choose to combine ink with old pen, but the order is not specified.", "ink", "old pen"),
        ("dot + line", "dot!", "line"),
        ("jack-o-lantern + Jack-O-Lantern!", "jack-o-lantern", "jack-o-lantern"),
        ("“ink” + ‘pen’", "ink", "pen"),
        ("ink + gold", "ink", "gold"),
        ("Answer:ink + pen", "ink", "pen"),
        ("ink + the old pen", "ink", "old pen"),
        ("the ink + a pen", "ink", "pen"),
        ("1. ink + pen", "ink", "pen"),
        ("ink ＋ pen", "ink", "pen"),
        ("ink plus pen", "ink", "pen"),
        ("$\\boxed{\\text{ink} + \\text{pen}}$", "ink", "pen"),
        ('{"first": "ink", "second": "old pen"}', "ink", "old pen"),
        ('```json\n["ink", "pen"]\n```', "ink", "pen"),
        ('{"reason": "new", "first": "ink", "second": "gold leaf"}', "ink", "gold leaf"),
        ("<answer>ink + pen</answer>", "ink", "pen"),
        ("I combine the ink + pen to make a line", "ink", "pen"),
        ("I will choose old pen + ink.", "old pen", "ink"),
        ("ink (base) + pen (base)", "ink", "pen"),
        ("ink + pen (which makes a line) or pen + pen", "ink", "pen"),
        ("ink + pen, pen + pen", "ink", "pen"),
        ("I think the best is blue ink + red pen", "blue ink", "red pen"),
    ],
)
def test_a_name_answer_is_read_leniently(reply, first, second):
    assert dialogue().hear(reply, SIGHT) == Pair(first=first, second=second)


@pytest.mark.parametrize(
    "reply", ["**Ink + Pen** 🎨", "**Ink** 🌋 + **Pen** 🪨", "ink + pen ✅", "✨ ink ➕ pen ✨", "ink\u200b + pen\x1b"]
)
def test_pictures_and_invisible_characters_are_no_part_of_a_name(reply):
    assert dialogue().hear(reply, SIGHT) == Pair(first="ink", second="pen")


@pytest.mark.parametrize(
    ("reply", "first", "second"),
    [
        ("hot ink + pen", "hot ink", "pen"),
        ("deep ink + pen ball", "deep ink", "pen ball"),
        ("purple line + unicorn pen truck", "purple line", "unicorn pen truck"),
        ("I combine very old pen + ink", "very old pen", "ink"),
        ("ink + pen to nowhere", "ink", "pen to nowhere"),
    ],
)
def test_a_name_that_is_no_element_is_not_mended_into_one(reply, first, second):
    heard = dialogue().hear(reply, SIGHT)
    assert heard == Pair(first=first, second=second)
    after = STRICT.step(START, heard).state
    verdict = Discovery(environment=STRICT).verify(next(STRICT.tasks("open", 0)), START, heard, after)
    assert verdict.parts["cause"] == "unknown"


@pytest.mark.parametrize(
    "reply",
    [
        "You already combined a +1 element with Fiber",
        "That was not a valid turn: no pair could be read: no two elements joined by + were found.",
        "Combining elements gives +5 points",
        "a very long and winding name + pen",
        "ink + pen or pen + pen",
        "hot ink and pen",
        "I have ink and pen.",
        "ink + pen doesn't work here",
        "ink + rather than pen",
    ],
)
def test_a_sentence_is_unreadable_and_not_a_pair_of_names(reply):
    assert isinstance(dialogue().hear(reply, SIGHT), Unreadable)


def test_a_chain_of_three_names_is_no_answer():
    heard = dialogue().hear("ink + pen + ink", SIGHT)
    assert heard == Unreadable(unreadable="more than two names are joined by +")


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "  \n ",
        "ink",
        "I do not know.",
        "+",
        "ink +",
        "+ pen",
        "?? + !!",
        "ink pen line, dot, pen",
        "In order: ink, old pen, pen",
        "The elements of the order of ink, old pen and pen.",
        "A pen and a half",
    ],
)
def test_an_answer_without_two_elements_is_unreadable_with_its_reason(reply):
    heard = dialogue().hear(reply, SIGHT)
    assert isinstance(heard, Unreadable)
    assert heard.unreadable


def test_a_thoughtful_answer_is_read_at_its_end():
    reply = "ink + ink was tried before. Pens write with ink, so:\nold pen + ink looks good\nAnswer: pen + ink"
    assert dialogue(condition="reasoning").hear(reply, SIGHT) == Pair(first="pen", second="ink")
    assert dialogue(condition="reasoning").hear("not ink + ink\nbut ink + pen", SIGHT) == Pair(
        first="ink", second="pen"
    )
    assert dialogue().hear("ink + ink\nink + pen", SIGHT) == Pair(first="ink", second="ink")


@pytest.mark.parametrize(
    ("reply", "heard"),
    [
        ("1 + 3", Pair(first="ink", second="pen")),
        ("Answer: 2 + 2", Pair(first="old pen", second="old pen")),
        ("ink + 3", Pair(first="ink", second="pen")),
        ("1 + 99", Pair(first="ink", second="number 99")),
        ("0 + 1", Pair(first="number 0", second="ink")),
        ("number 1 + #3", Pair(first="ink", second="pen")),
        ("1 ink + 3 pen", Pair(first="ink", second="pen")),
        ("[1, 3]", Pair(first="ink", second="pen")),
        ("1 pen + 3", Pair(first="1 pen", second="pen")),
    ],
)
def test_a_number_answer_counts_in_the_order_of_discovery(reply, heard):
    assert dialogue(answer="number").hear(reply, SIGHT) == heard


def test_a_huge_answer_is_read_at_its_ends_and_kept_short():
    huge = "x" * 2_000_000
    assert dialogue().hear(f"ink + pen\n{huge}", SIGHT) == Pair(first="ink", second="pen")
    assert dialogue().hear(f"{huge}\nAnswer: ink + pen", SIGHT) == Pair(first="ink", second="pen")
    heard = dialogue().hear(f"{huge} + {huge}", SIGHT)
    assert isinstance(heard, Unreadable) or max(len(heard.first), len(heard.second)) <= 60


PIECES = st.sampled_from(
    [
        "ink",
        "pen",
        "old pen",
        "line",
        " + ",
        "+",
        "\n",
        "Answer:",
        "=",
        " and ",
        "1",
        "99",
        "{",
        "<|im_end|>",
        "\x00",
        "->",
        "__import__('os')",
        " ",
    ]
)
ANSWERS = st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=12).map("".join))


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    replies=st.lists(ANSWERS, min_size=20, max_size=20),
    rules=st.sampled_from(["strict", "brandle2023", "pan2025"]),
    condition=st.sampled_from(["base", "reasoning"]),
)
def test_ten_thousand_answers_never_crash_and_change_the_inventory_only_when_legal(replies, rules, condition):
    environment = Alchemy(table=WORLD, rules=RULES[rules])
    task = next(environment.tasks("open", 0))
    before = environment.start(task)
    for number, reply in enumerate(replies):
        answer = "number" if number % 2 else "name"
        said = AlchemyDialogue(environment=environment, answer=answer, condition=condition)
        heard = said.hear(reply, environment.observe(before), cut=number % 4 > 1)
        after = environment.step(before, heard).state
        verdict = Discovery(environment=environment).verify(task, before, heard, after)
        legal = isinstance(heard, Pair) and (
            rules == "pan2025" or {heard.first, heard.second} <= set(before.combinable)
        )  # which looks up what is not owned, or is no element, like any other pair
        assert (verdict.parts["category"] != "invalid") == legal
        if after.owned != before.owned:
            assert isinstance(heard, Pair)
            assert tuple(sorted((heard.first, heard.second))) in WORLD.results
        assert verdict.reward == len(after.owned) - len(before.owned)


def conversation(said: AlchemyDialogue, *actions: Pair | Unreadable) -> tuple[History[Pair], object]:
    history: History[Pair] = History("0")
    state, task = START, next(STRICT.tasks("open", 0))
    for index, action in enumerate(actions):
        after = STRICT.step(state, action).state
        history.append(
            Turn(
                index=index,
                observation=STRICT.observe(state),
                action=action,
                verdict=Discovery(environment=STRICT).verify(task, state, action, after),
                completion=Completion(text="raw <|im_start|> words", model="m"),
            )
        )
        state = after
    return history, STRICT.observe(state)


MADE = Pair(first="ink", second="pen")


def test_the_first_message_tells_all_and_the_next_ones_what_is_new():
    said = dialogue()
    history, now = conversation(said, MADE)
    assert "ink, old pen, pen." in said.say(SIGHT, None)
    news = said.say(now, history[0])
    assert "ink + pen makes line, dot!" in news
    assert "New among your elements: line, dot!." in news
    assert "old pen" not in news
    assert "old pen" in dialogue(inventory="restated").say(now, history[0])


def test_finals_are_told_apart_where_they_cannot_be_combined():
    said = dialogue()
    history, now = conversation(said, MADE, Pair(first="line", second="line"))
    assert "Final, and not to be combined: book." in said.say(now, history[1])
    assert "Final, and not to be combined any more: old pen, book." in said.say(now, None)


def test_a_failed_an_invalid_and_a_repeated_turn_are_told_apart():
    said = dialogue()
    actions = [Pair(first="ink", second="ink"), Pair(first="ink", second="ink"), Pair(first="book", second="ink")]
    history, _ = conversation(said, *actions, Unreadable(unreadable="no pair"))
    told = [said.say(SIGHT, turn) for turn in history]
    assert told[0].startswith("No success: ink + ink makes nothing.\n")
    assert "You had tried that before." in told[1]
    assert told[2].startswith("That was not a valid turn: it names an element that is not owned (book + ink).")
    said_again = "no pair could be read in the answer. The form is two names joined by a plus sign."
    assert told[3].startswith(f"That was not a valid turn: {said_again}\n")


def test_the_message_after_an_unreadable_answer_does_not_tell_the_diagnosis():
    diagnosis = "no two elements joined by + were found; the model was still reasoning; it was cut at 16 tokens"
    history, now = conversation(dialogue(), Unreadable(unreadable=diagnosis))
    assert diagnosis in history[0].verdict.reason
    for answer in ("name", "number"):
        for text in (dialogue(answer=answer).say(now, history[0]), dialogue(answer=answer).recall(now, history)):
            assert f"The form is two {answer}s joined by a plus sign." in text
            assert not any(word in text for word in ("found", "cut", "tokens", "reasoning"))


def test_a_past_turn_is_remembered_by_its_answer_without_control_words():
    said = dialogue()
    history, _ = conversation(said, MADE, Unreadable(unreadable="?"))
    assert said.echo(history[0]) == "ink + pen"
    assert dialogue(answer="number").echo(history[0]) == "1 + 3"
    assert dialogue(condition="reasoning").echo(history[0]) == "Answer: ink + pen"
    assert "<|" not in said.echo(history[1])


def test_a_misread_pair_is_remembered_in_the_models_own_words():
    said = dialogue()
    history, _ = conversation(said, Pair(first="hot ink of an unheard-of kind that goes on", second="pen"))
    assert said.echo(history[0]) == "raw   words"
    assert dialogue(answer="number").echo(history[0]) == "raw   words"
    long = Turn(
        index=0,
        observation=SIGHT,
        action=Unreadable(unreadable="?"),
        verdict=history[0].verdict,
        completion=Completion(text="a" * 300 + "z" * 150, model="m"),
    )
    assert said.echo(long) == "a" * 200
    assert dialogue(condition="reasoning").echo(long) == "a" * 50 + "z" * 150


@pytest.mark.parametrize("inventory", ["announced", "restated"])
@pytest.mark.parametrize(
    ("rules", "gifts"), [("strict", ["fame, luck"]), ("brandle2023", ["fame", "luck"]), ("pan2025", [])]
)
def test_the_turn_that_receives_a_gift_says_so_unless_gifts_come_unseen(small, rules, gifts, inventory):
    environment = Alchemy(table=small, rules=RULES[rules])
    said = AlchemyDialogue(environment=environment, inventory=inventory)
    task = next(environment.tasks("open", 0))
    state, history, told = environment.start(task), History[Pair]("0"), []
    pairs = [("ink", "pen")] * 2 + [("line", "line"), ("text", "text"), ("ink", "ink"), ("ink", "ink")]
    for index, (first, second) in enumerate(pairs):
        sight, action = environment.observe(state), Pair(first=first, second=second)
        told.append((said.say(sight, history[-1] if history else None), said.recall(sight, history)))
        after = environment.step(state, action).state
        verdict = Discovery(environment=environment).verify(task, state, action, after)
        history.append(Turn(index=index, observation=sight, action=action, verdict=verdict))
        state = after
    for way in zip(*told, strict=True):
        lines = [line for text in way for line in text.split("\n") if "gift" in line]
        assert lines == [f"A gift for what you have discovered so far: {names}." for names in gifts]


@pytest.mark.parametrize("condition", ["base", "engineered", "reasoning"])
def test_every_turn_repeats_the_form_of_an_answer(condition):
    for last in (None, conversation(dialogue(), MADE)[0][0]):
        assert "two names joined by a plus sign" in dialogue(condition=condition).say(SIGHT, last)
        told = dialogue(condition=condition, answer="number").say(SIGHT, last)
        assert "two numbers joined by a plus sign" in told
        assert "such as 11 + 12." in told


def test_the_example_of_a_number_is_the_number_of_no_element():
    said = dialogue(answer="number")
    assert "the numbers of two of your elements" in said.rules()
    assert said.hear("11 + 12", SIGHT) == Pair(first="number 11", second="number 12")


def test_the_rules_say_truly_whether_final_elements_combine():
    assert "unless you are told that it is final" in dialogue().rules()
    published = AlchemyDialogue(environment=Alchemy(table=WORLD, rules=RULES["pan2025"]))
    assert "can be combined like any other" in published.rules()
    assert "like any other" not in dialogue().rules()


def test_the_summary_names_every_tried_pair_once():
    said = dialogue()
    nothing = Pair(first="pen", second="pen")
    history, now = conversation(said, MADE, nothing, nothing, MADE, Unreadable(unreadable="?"))
    text = said.recall(now, history)
    assert "Pairs that made something: ink + pen -> line, dot!." in text
    assert "Pairs that made nothing: pen with pen." in text


def test_the_rules_make_no_false_claim_about_pairs_with_several_results():
    assert "two or three elements at once" in dialogue().rules()
    published = Alchemy(table=WORLD, rules=RULES["pan2025"])
    text = AlchemyDialogue(environment=published).rules()
    assert "give the next when repeated" in text
    for condition in ("base", "engineered", "reasoning"):
        assert "only one" not in dialogue(condition=condition).rules()
    assert len({dialogue(condition=c).rules() for c in ("base", "engineered", "reasoning")}) == 3


def test_the_prompts_own_words_are_never_heard_as_a_legal_answer():
    for answer in ("name", "number"):
        for condition in ("base", "engineered", "reasoning"):
            said = dialogue(answer=answer, condition=condition)
            heard = said.hear(f"{said.rules()}\n{said.say(SIGHT, None)}", SIGHT)
            assert isinstance(heard, Unreadable) or not {heard.first, heard.second} <= set(SIGHT.owned)


def test_the_grammar_names_the_combinable_elements_alone():
    _, now = conversation(dialogue(), MADE, Pair(first="line", second="line"))
    grammar = dialogue().grammar(now)
    assert 'element ::= "ink" | "pen" | "line" | "dot!"\n' in grammar
    assert 'element ::= "1" | "3" | "4" | "5"\n' in dialogue(answer="number").grammar(now)
