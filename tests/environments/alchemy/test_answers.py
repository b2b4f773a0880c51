"""Answers of many models' manners, with the pair that each chooses; and answers that choose none."""

from __future__ import annotations

from time import process_time

import pytest

from athanor.core.records import Completion, Unreadable
from athanor.environments.alchemy import RULES, Alchemy, Pair, Table
from athanor.environments.alchemy.text import AlchemyDialogue
from athanor.models.backends.thoughts import part_thoughts

BASE = (
    "water",
    "fire",
    "earth",
    "air",
    "lava",
    "stone",
    "acid rain",
    "jack-o-lantern",
    "salt and pepper",
    "watering can",
)
WORLD = Table(name="w", elements=(*BASE, "steam"), base=BASE, results={("fire", "water"): ("steam",)})
GAME = Alchemy(table=WORLD, rules=RULES["pan2025"])
SIGHT = GAME.observe(GAME.start(next(GAME.tasks("open", 0))))


def heard(reply: str, condition="base", answer="name", cut=False) -> str | None:
    """What is heard, as a model's agent hears it; None if no pair is."""
    said = AlchemyDialogue(environment=GAME, condition=condition, answer=answer)
    pair = said.hear(part_thoughts(Completion(text=reply, model="m")).text, SIGHT, cut)
    assert isinstance(pair, Unreadable) or {type(pair.first), type(pair.second)} == {str}
    return str(pair) if isinstance(pair, Pair) else None


LOOKED_BACK = [
    "Earlier water + fire worked, and fire + fire failed. So now:\nearth + air",
    "earlier water + fire worked, and fire + fire failed. So now:\nearth + air",
    "Water + fire made steam.\nFire + fire made nothing.\n\n**earth + air**",
    "Water + fire has already been tried, so I will combine earth + air.",
    "I already tried water + fire. Next: earth + air",
    "Looking back:\n- water + fire → steam\n- fire + fire → nothing\n\nMy move: **Earth + Air**",
    "What worked so far:\n\n* water + fire\n* lava + fire\n\nearth + air",
    "Past attempts: water + fire (steam), fire + fire (nothing). New combination: earth + air",
    "Already tried:\n1. water + fire\n2. fire + fire\n\nChoice: earth + air",
    "fire + fire did not work. earth + air",
    "We cannot combine fire + fire again, but earth + air is new.",
    "I can't use water + water.\n- earth + air",
    "Not water + fire. Pair: earth + air",
    "Instead of water + fire, I choose earth + air.",
    "In the past, water + fire was good; earth + air could be good too.",
    "Last turn water + fire gave steam. I'd like to try earth + air",
    "Since water + fire worked, let's try earth + air.",
    "I could combine water + lava, but I'll go with earth + air.",
    "**Look back:** water + fire = success, fire + fire = failure.\n**Answer:** earth + air",
    "Water + fire was tried before.\nearth + air, which has not been tried yet",
    "earth + air, since fire + fire failed and water + fire worked",
    "I pick earth + air because water + fire made steam",
    "fire + fire? No, that failed. earth + air!",
    "water + fire -> steam (already found)\n\nearth + air",
    "Success: water + fire makes steam.\nearth + air",
    "water and fire worked before. My next pair is earth and air",
    '{"tried": ["water", "fire"], "next": ["earth", "air"]}',
    '{"thoughts": "water + fire was tried", "combination": "earth + air"}',
    "**Past attempts:**\n- ✅ water + fire → steam\n- ❌ air + air → nothing\n\n**Next combination:** earth + air",
    "Pairs that worked:\nwater + fire\nlava + air\n\nPairs to try:\nearth + air",
    "The following have been tried: water + fire, lava + water. The following has not: earth + air.",
    "We know: water + fire = steam; fire + lava = stone. So let's do earth + air = dust",
    "First I considered water + fire, but that was already done. Then I considered earth + air. Earth + air it is.",
    "1. Review: water + fire succeeded, air + air failed.\n2. Selection: earth + air",
    "### Step 1: Past attempts\n- water + fire: success\n\n### Step 2: Selection\nearth + air",
    "I was going to say water + fire but that's a repeat; earth + air.",
    "It isn't water + fire, it's earth + air",
    "earth + air (I've already tried fire + water)",
    "earth + air rather than water + fire",
    "earth + air\n\nReason for this pair: water + fire made steam.",
    "earth + air, to make something I don't have yet",
    "Thought: water + fire made steam, so heat is good.\nAction: earth + air",
    "Combining earth + air since it worked with water + fire",
    "No success: fire + fire makes nothing.\nWhich two elements do you combine?\nearth + air",
    "Pairs that made something: water + fire -> steam. Pairs that made nothing: fire with fire, air. earth + air",
    "Unlike water + fire, earth + air is promising.",
]


@pytest.mark.parametrize("condition", ["base", "engineered", "reasoning"])
@pytest.mark.parametrize("reply", LOOKED_BACK)
def test_what_an_answer_reports_as_past_or_rejects_is_passed_over(reply, condition):
    assert heard(reply, condition) == "earth + air"


STYLES = [
    ("Earth + Air", "earth + air"),
    ("**Earth + Air**", "earth + air"),
    ("**Earth** + **Air**", "earth + air"),
    ("### Next combination:\n\n**Earth + Air** 🌍💨", "earth + air"),
    ("Sure! Let's combine:\n\n> earth + air\n\nThis may create *dust*.", "earth + air"),
    ("Sure, here's my choice:\n\n```\nearth + air\n```", "earth + air"),
    (
        "Based on the elements, I'd suggest:\n\n**Combination:** Earth + Air\n**Why:** fire + water is known.",
        "earth + air",
    ),
    ("Final answer: earth + air", "earth + air"),
    ("Answer: earth + air\nReason: water + fire was done before.", "earth + air"),
    ("The answer is $\\boxed{\\text{earth} + \\text{air}}$.", "earth + air"),
    ("We have water + fire = steam, so the pair is \\boxed{earth + air}", "earth + air"),
    ("<answer>earth + air</answer>", "earth + air"),
    ("<thoughts>water + fire is known</thoughts>\n<answer>earth + air</answer>", "earth + air"),
    ("<element1>earth</element1>\n<element2>air</element2>", "earth + air"),
    ("<first>earth</first><second>air</second>", "earth + air"),
    ("<think>water + fire? no.</think>earth + air", "earth + air"),
    ("Okay so water + fire?\n</think>\n\nearth + air", "earth + air"),
    ('{"first": "earth", "second": "air"}', "earth + air"),
    ('```json\n{\n  "element_1": "Earth",\n  "element_2": "Air"\n}\n```', "earth + air"),
    ('{"action": "combine", "elements": ["earth", "air"], "reason": "new"}', "earth + air"),
    ('{"answer":"earth + air","why":"water + fire was done"}', "earth + air"),
    ('["earth", "air"]', "earth + air"),
    ("('earth', 'air')", "earth + air"),
    ("combine(earth, air)", "earth + air"),
    ("earth ＋ air", "earth + air"),
    ("答案：earth＋air。", "earth + air"),
    ("earth﹢air", "earth + air"),
    ("earth ➕ air", "earth + air"),
    ("earth plus air", "earth + air"),
    ("earth\nair", "earth + air"),
    ("- earth\n- air", "earth + air"),
    ("1. earth\n2. air", "earth + air"),
    ("**Earth**\n\n**Air**", "earth + air"),
    ("I combine:\n* Earth\n* Air\n\nThey have not met yet.", "earth + air"),
    ("earth +\nair", "earth + air"),
    ("earth\n+ air", "earth + air"),
    ("earth\n+\nair", "earth + air"),
    ("Answer: earth +\n  air", "earth + air"),
    ("Element 1: earth\nElement 2: air", "earth + air"),
    ("**Element A:** earth\n**Element B:** air", "earth + air"),
    ("First: earth, second: air", "earth + air"),
    ("First element: Earth. Second element: Air.", "earth + air"),
    ("The first element is earth and the second element is air.", "earth + air"),
    ("| Element 1 | Element 2 |\n|---|---|\n| earth | air |", "earth + air"),
    ("lava - stone", "lava + stone"),
    ("lava – stone", "lava + stone"),
    ("Lava × Stone", "lava + stone"),
    ("lava x stone", "lava + stone"),
    ("lava & stone", "lava + stone"),
    ("lava/stone", "lava + stone"),
    ("lava, stone", "lava + stone"),
    ("Answer: lava x stone", "lava + stone"),
    ("acid_rain + fire", "acid rain + fire"),
    ("acid-rain + fire", "acid rain + fire"),
    ("Acid‑Rain + fire", "acid rain + fire"),
    ("fire + acid rain.", "fire + acid rain"),
    ("jack-o-lantern + fire", "jack-o-lantern + fire"),
    ("Jack O Lantern + fire", "jack-o-lantern + fire"),
    ("jack_o_lantern - fire", "jack-o-lantern + fire"),
    ("salt and pepper and fire", "salt and pepper + fire"),
    ("salt and pepper + watering can", "salt and pepper + watering can"),
    ("Water + Earth makes mud.", "water + earth"),
    ("You are combining water and earth, which is the only pair.", "water + earth"),
    ("I combined water and earth.", "water + earth"),
    ("Water + earth worked.", "water + earth"),
    ("The elements I combine are water and earth.\n\nI must continue to discover", "water + earth"),
    ("water + earth\nSuccess: water + earth makes mud.\nair + fire", "water + earth"),
    ("I haven't tried water + earth yet.", "water + earth"),
    ("Why not water + earth?", "water + earth"),
    ("water + earth, and nothing else", "water + earth"),
    ("walrus + teapot\nwater + earth", "water + earth"),
    ("Based on my past attempts:\n\n**water + earth**", "water + earth"),
    ("After reviewing my previous attempts: water + earth", "water + earth"),
    ("Pair to be tried: water + earth", "water + earth"),
    ("Elements combined: water, earth", "water + earth"),
    ("You already tried water + earth", "water + earth"),
    ("I don't know, maybe water + earth", "water + earth"),
    ("I have chosen water and earth.", "water + earth"),
    ("<water> + <earth>", "water + earth"),
    ("答案: 「water ＋ earth」", "water + earth"),
    ("water + earth = steam + stone", "water + earth"),
    ("water + earth should not fail", "water + earth"),
    ("Not a repeat: water + earth", "water + earth"),
]


@pytest.mark.parametrize(("reply", "expected"), STYLES)
def test_every_manner_of_telling_a_pair_is_read(reply, expected):
    assert heard(reply) == expected


REASONED = [
    ("Pairs of water work well.\n\nearth + air\n\nI chose it as water + fire made steam.", "earth + air"),
    (
        "Water + fire made steam. Fire + fire failed. I should try earth + air, as water + water was useless.",
        "earth + air",
    ),
    (
        "Water + fire could be tried, or lava + stone.\n\n**Earth + Air**\n\nBecause lava + stone is less likely.",
        "earth + air",
    ),
    ("Answer: water + fire\nWait, that was tried.\nAnswer: earth + air", "earth + air"),
    ("water + fire is good, lava + stone is better.", "lava + stone"),
    ("Options:\n- water + fire\n- lava + stone\n\nI go with earth + air.", "earth + air"),
    ("Water and fire worked.\nI will combine earth and air.", "earth + air"),
    ("water + fire worked. Answer: earth, air", "earth + air"),
    ("I think that it may work.\nAnswer:\nearth + air", "earth + air"),
    ("Final answer: earth + air\n\nExplanation: water + fire was tried, lava + stone might be next.", "earth + air"),
]


@pytest.mark.parametrize(("reply", "expected"), REASONED)
def test_a_reasoned_answer_is_not_read_in_the_explanation_that_trails_it(reply, expected):
    assert heard(reply, "reasoning") == expected


NUMBERED = [
    ("1 + 2", "water + fire"),
    ("#1 + #2", "water + fire"),
    ("water 1 + fire 2", "water + fire"),
    ("1 (water) + 2 (fire)", "water + fire"),
    ("Water (1) + Fire (2)", "water + fire"),
    ("1. water + 2. fire", "water + fire"),
    ("1: water + 2: fire", "water + fire"),
    ("1 and 2", "water + fire"),
    ("1, 2", "water + fire"),
    ("number 1 and number 2", "water + fire"),
    ("The numbers 1 and 2", "water + fire"),
    ("Answer: 1, 2", "water + fire"),
    ("1\n2", "water + fire"),
    ("Element 1: 3\nElement 2: 4", "earth + air"),
    ("1 + 2 was tried before, so 3 + 4", "earth + air"),
    ("acid-rain 7 + 2", "acid rain + fire"),
    ("1 (my favourite) + 2", "water + fire"),
]


@pytest.mark.parametrize(("reply", "expected"), NUMBERED)
def test_an_answer_by_number_is_read_with_and_without_names(reply, expected):
    assert heard(reply, answer="number") == expected


NO_CHOICE = [
    "water, fire, earth, air",
    "Your elements, in the order of their discovery: water, fire, earth, air.",
    "New among your elements: water, fire.",
    "My inventory: water, fire",
    "I have water and fire.",
    "You own:\n- water\n- fire",
    "water\nfire\nearth\nair",
    "+ water\n+ fire\n+ earth",
    "1. water\n2. fire\n3. earth",
    "Element 1: water\nElement 2: fire\nElement 3: earth",
    '{"inventory": ["water", "fire"]}',
    '["water", "fire", "earth"]',
    "water, fire and earth",
    "water and fire, earth and air",
    "Pairs that made something: water + fire -> steam; lava + air -> stone.",
    "Pairs that made something: water + fire -> steam.",
    "Pairs that made nothing: water with water, earth; fire with fire.",
    "Pairs that made nothing: fire with fire.",
    "Past attempts:\n- water + fire\n- fire + fire\n- earth + earth",
    "No success: water + fire makes nothing. You had tried that before.",
    "Success: water + fire makes steam.",
    "That was not a valid turn: it names an element that is not owned (water + steam).",
    "That was not a valid turn: no pair could be read in the answer. The form is two names joined by a plus sign.",
    "Earlier water + fire worked, and fire + fire failed.",
    "You cannot combine water + fire.",
    "I can't combine water and fire because they are opposites.",
    "water + fire is not a valid combination.",
    "I would rather not combine water + fire",
    "fire + fire makes nothing",
    "Not water + fire.",
    "water + fire + earth",
    "Answer: water + fire + earth",
    "water plus fire plus earth",
    "water +\nfire +\nearth",
    "water\n+ fire\n+ earth",
    "I like water + fire.\nAnswer: water + fire + earth",
    "I like water + fire.\nAnswer: earth +",
    "water + fire, earth",
    "water, fire + earth",
    "(water + fire) + earth",
    "The elements that you combine are:\n\n* water\n* fire\n*",
    "A gift for what you have discovered so far: water, fire.",
    "What about water + fire or earth + air?",
    "Combination: +1",
    "The two elements I combined are: water with fire and earth.",
    "water x fire x earth",
    "water - fire - earth",
    "hot water x fire",
    "hot water, fire",
    "hot water\nfire",
    "water / hot fire",
    "water +",
    "+ fire",
    "+",
    "I would combine the elements + the others to get more",
    "Combine two of your elements with a plus sign only.",
    "Two names joined by a plus sign.",
    "earth + oil can",
]


@pytest.mark.parametrize("condition", ["base", "reasoning"])
@pytest.mark.parametrize("reply", NO_CHOICE)
def test_an_answer_that_chooses_no_pair_is_unreadable(reply, condition):
    assert heard(reply, condition) is None


@pytest.mark.parametrize(
    "reply",
    [
        "1 water, 2 fire, 3 earth",
        "1, 2, 3",
        "1 + 2 + 3",
        "Score: 1\nTurns: 2",
        "I have 1 and 2 left",
        "1. water\n2. fire\n3. earth",
    ],
)
def test_a_listing_of_numbers_is_no_choice(reply):
    assert heard(reply, answer="number") is None


UNKNOWN = [
    ("hot water + fire", "hot water + fire"),
    ("hot-water + fire", "hot-water + fire"),
    ("hot_water + fire", "hot_water + fire"),
    ("water-fire + air", "water-fire + air"),
    ("walrus + teapot", "walrus + teapot"),
    ("For example: walrus + teapot", "walrus + teapot"),
    ("Answer: walrus + teapot", "walrus + teapot"),
    ("Element 1: hot water\nElement 2: fire", "hot water + fire"),
    ("hot water + fire\nThis is because water + fire would make steam", "hot water + fire"),
    ("magma +\nfire", "magma + fire"),
]


@pytest.mark.parametrize(("reply", "expected"), UNKNOWN)
def test_an_unknown_name_stays_what_it_is(reply, expected):
    assert heard(reply) == expected


@pytest.mark.parametrize("reply", ["1 (fire) + 3", "fire 1 + 3", "1 fire + 3", "1: fire + 3"])
def test_a_number_with_the_name_of_another_element_is_no_element(reply):
    assert heard(reply, answer="number") not in (None, "water + earth", "fire + earth")


def test_a_name_with_its_words_parted_otherwise_is_ambiguous_where_two_elements_have_it():
    table = Table(name="t", elements=("a-b", "a b", "c"), base=("a-b", "a b", "c"), results={("a b", "c"): ("c",)})
    game = Alchemy(table=table, rules=RULES["strict"])
    sight = game.observe(game.start(next(game.tasks("open", 0))))
    said = AlchemyDialogue(environment=game)
    assert said.hear("a-b + c", sight) == Pair(first="a-b", second="c")
    assert said.hear("a b + c", sight) == Pair(first="a b", second="c")
    assert said.hear("a_b + c", sight) == Pair(first="a_b", second="c")


WORDS = (
    ';water +\n;water + ; and ;water and ;, ;(;[;{";<;answer: ;not ;\n; \n;i will ;element 1: ;- ;x ;water + fire ;+'
)
MORE = (
    "water + fire\n;i would go to ;no to be a ;**;\t;:;-> ;water\n;first: water, ;+ water\n;water (;] [;</a> <b>;plus  "
    ";water or water + ;(water) + ;water + fire = ;water + fire gives ;if that ;next turn ; // ; # "
    ";water with itself ;i'll go "
)
HOSTILE = [piece for piece in f"{WORDS};{MORE}".split(";") if piece]


@pytest.mark.parametrize("answer", ["name", "number"])
@pytest.mark.parametrize("piece", HOSTILE)
def test_a_hostile_answer_takes_no_longer_than_another(piece, answer):
    started = process_time()
    heard(piece * (2_000_000 // len(piece)), answer=answer, cut=answer == "number")
    assert process_time() - started < 2
