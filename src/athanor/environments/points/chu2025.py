"""The published judge of Chu et al. 2025, defects included; each difference from the exact one is pinned by a test.

It reads the text of an answer in its own way, adds up a penalty for every violation without bound, takes correctness
from floating-point arithmetic, gives hints out of the list of solutions, and lets the attempt after the last judged
one pass ungraded at -1. Source: specification of `general_points_oneline.py` and `utils_rl.py` of the public code.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import permutations, product
from typing import Any

import numpy as np
from msgspec.structs import replace
from numba import njit

from athanor.core.records import Unreadable
from athanor.environments.points.cards import rank_of
from athanor.environments.points.judge import recognised
from athanor.environments.points.solver import solutions
from athanor.environments.points.state import Answer, Hand, Judgement

LAYOUTS = ("{}{}{}{}{}{}{}", "({}{}{}){}{}{}{}", "({}{}{}{}{}){}{}", "{}{}({}{}{}){}{}", "{}{}({}{}{}{}{})",
           "{}{}{}{}({}{}{})", "({}{}{}){}({}{}{})")  # fmt: skip
"""The seven ways in which its search of four numbers sets brackets, none of them nested."""
CARDS = 4
"""Of the hands that it judges."""
READ = 16_000
"""Characters of an answer that are read. The published code reads all, in a time that grows with their square."""
PENALTY = {"wrong value": -1.0, "step limit": -1.0, "vision": -1.5, "numbers": -2.0, "form": -3.0}
_TOKEN = re.compile(r"\d+|[-+*/()]")


@dataclass(frozen=True, kw_only=True)
class Chu2025:
    """Judges as the published code does.

    Parts: `classes`, every violation in order; `formula`, as it was read; and, which the published code does not tell,
    `cards` and `numbers` as with `Exact`: whether what was said of them is right, read leniently. A class is one of OK,
    PARTIAL, FLOAT_MISS, WRONG_VALUE, STEP_LIMIT, VISION, NUM_INVALID, NUM_OVERUSED, NUM_MISSING, ILLEGAL_CHAR, SEQ_NUM,
    SEQ_OP, SEQ_OPEN, SEQ_CLOSE, UNMATCHED_CLOSE. Where the published code dies of a TypeError (a JSON number as the
    formula), the formula is taken to be unread.
    """

    vision: bool = False
    rounds: int = 5
    """Answers that are graded; the next one is not."""
    name: str = "chu2025"

    def judge(self, hand: Hand, action: Answer | Unreadable) -> Judgement:
        found = self._judged(hand, action)
        said = {} if isinstance(action, Unreadable) else recognised(hand, action)
        return replace(found, parts={**found.parts, **said}) if said else found

    def _judged(self, hand: Hand, action: Answer | Unreadable) -> Judgement:
        if hand.attempts >= self.rounds:
            return _judged(["STEP_LIMIT"], PENALTY["step limit"], ["the last attempt is not graded"], "")
        text = "" if isinstance(action, Unreadable) else (action.text or action.formula)[:READ]
        if self.vision and sorted(_cards(text)) != sorted(map(rank_of, hand.cards)):
            return _judged(["VISION"], PENALTY["vision"], ["the cards are wrong"], "")
        formula = _formula(text) if isinstance(action, Unreadable) or action.text else action.formula.split("=")[0]
        tokens = _TOKEN.findall(formula)
        if "".join(tokens) != formula:
            return _judged(
                ["ILLEGAL_CHAR"], PENALTY["form"], ["the formula has a character that is not allowed"], formula
            )
        found = _order(tokens)
        penalty = PENALTY["form"] * len(found)
        counted = _numbers(tokens, hand.values)
        found += counted
        penalty += PENALTY["numbers"] * len(counted)
        if found:
            return _judged([kind for kind, _ in found], penalty, [why for _, why in found], formula)
        return self._valued(hand, formula, tokens)

    def _valued(self, hand: Hand, formula: str, tokens: list[str]) -> Judgement:
        listed = listed_solutions(hand.values, hand.target)
        try:
            if float_value(tokens) == hand.target:
                return _judged(["OK"], 5.0, ["correct"], formula)
        except ArithmeticError:
            if any(one.startswith(formula) for one in listed):
                return _judged(["PARTIAL"], 1.0, ["a solution begins so"], formula)
        prefixes = ["".join(tokens[: k + 1]) for k in range(len(tokens))]
        shared = [prefix for prefix in prefixes if any(one.startswith(prefix) for one in listed)]
        if len(shared) == len(prefixes):
            return _judged(["FLOAT_MISS"], 0.0, ["."], formula)
        hint = f"{shared[-1]} is partially right" if shared else "no solution begins so"
        return _judged(["WRONG_VALUE"], PENALTY["wrong value"], [f"the value is wrong; {hint}"], formula)

    def gold(self, hand: Hand) -> Answer | None:
        """A listed formula that floating-point arithmetic finds right, written so that it is read in both modes."""
        for formula in (*listed_solutions(hand.values, hand.target), *solutions(hand.values, hand.target)):
            answer = Answer(formula=formula, text=written(hand, formula))
            if self.judge(hand, answer).passed:
                return answer
        return None


def written(hand: Hand, formula: str) -> str:
    """An answer in the published form. It is not JSON: with JSON the published vision mode finds every card wrong."""
    cards = ", ".join(f"'{rank_of(card)}'" for card in hand.cards)
    numbers = ", ".join(map(str, hand.values))
    return f'{{\n  "cards": [{cards}],\n  "number": [{numbers}],\n  "formula": "{formula}={hand.target}",\n}}'


def _judged(classes: list[str], reward: float, reasons: list[str], formula: str) -> Judgement:
    parts: dict[str, Any] = {"classes": classes, "formula": formula[:400]}
    return Judgement(kind=classes[0], reward=reward, passed=classes == ["OK"], reason="; ".join(reasons), parts=parts)


def _field(text: str, key: str) -> Any:
    """A field of the whole text as JSON; else what the published pattern finds; else the text `None`."""
    try:
        return json.loads(text)[key]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        pass
    pattern = r'"%s": "(.*?)"' if key == "formula" else r'"%s": \[(.*?)\]'
    found = re.search(pattern % key, text)
    return found[1] if found else None


def _formula(text: str) -> str:
    found = _field(text, "formula")
    return found.split("=")[0] if isinstance(found, str) else "None"


def _cards(text: str) -> list[str]:
    """The cards that were told, as the published cleaner leaves them: nothing of a real list, or of digits alone."""
    found = _field(text, "cards")
    if not isinstance(found, str) or all(re.fullmatch(r"\s*-?\d+\s*", item) for item in found.split(", ")):
        return []
    items = re.sub(r"[\[\]' ]", "", found).split(",")
    return items if len(items) == 4 else []


def _order(tokens: list[str]) -> list[tuple[str, str]]:
    """Violations of the order of signs. A bracket that is never closed is none of them."""
    found: list[tuple[str, str]] = []
    before, depth = "start", 0
    for token in tokens:
        kind = "number" if token.isdigit() else token if token in "()" else "operator"
        opens = before in ("start", "operator", "(")
        if kind == "number" and not opens:
            found.append(("SEQ_NUM", f"{token} stands where no number may"))
        elif kind == "operator" and opens:
            found.append(("SEQ_OP", f"{token} stands where no operator may"))
        elif kind == "(":
            depth += 1
            if not opens:
                found.append(("SEQ_OPEN", "( stands where it may not"))
        elif kind == ")":
            if opens:
                found.append(("SEQ_CLOSE", ") stands where it may not"))
            if depth == 0:
                found.append(("UNMATCHED_CLOSE", ") has no ("))
            depth = max(0, depth - 1)
        before = kind
    return found


def _numbers(tokens: list[str], values: tuple[int, ...]) -> list[tuple[str, str]]:
    """Violations in the numbers: foreign ones, else ones used too often; and beside either, ones used too rarely."""
    used, held = Counter(int(token[:40]) for token in tokens if token.isdigit()), Counter(values)
    foreign = [number for number in used if number not in held]
    over = [number for number in used if used[number] > held[number]]
    under = [number for number in held if used[number] < held[number]]
    found = [("NUM_INVALID", f"{foreign[:8]} are not in the hand")] if foreign else []
    found += [("NUM_OVERUSED", f"{over} are used too often")] if over and not foreign else []
    return found + ([("NUM_MISSING", f"{under} are used too rarely")] if under else [])


def float_value(tokens: list[str]) -> float:
    """The value in the arithmetic of the published code: whole numbers stay whole until a division makes them floats.

    ArithmeticError where its evaluation raises: a bracket that is not closed, an operator at the end, a number with a
    leading zero, a division by zero.
    """
    values: list[float] = []
    waiting: list[str] = []

    def settle(tightness: int) -> None:
        while waiting and waiting[-1] != "(" and _tight(waiting[-1]) >= tightness:
            operator = waiting.pop()
            if len(values) < 2:
                raise ArithmeticError
            right, left = values.pop(), values.pop()
            values.append(_applied(operator, left, right))

    for token in tokens:
        if token.isdigit():
            if token[0] == "0" and token.strip("0"):
                raise ArithmeticError
            values.append(int(token))
        elif token == "(":
            waiting.append(token)
        elif token == ")":
            settle(0)
            waiting.pop()
        else:
            settle(_tight(token))
            waiting.append(token)
    settle(0)
    if waiting or len(values) != 1:
        raise ArithmeticError
    return values[0]


def _tight(operator: str) -> int:
    return 2 if operator in "*/" else 1


def _applied(operator: str, left: float, right: float) -> float:
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case _:
            return left / right


def listed_solutions(values: tuple[int, ...], target: int) -> tuple[str, ...]:
    """Every string that the published search finds for four numbers, each once; none for another count of cards.

    Distinct orders of the numbers, three operators, LAYOUTS; exact arithmetic.
    """
    return _listed(tuple(sorted(values)), target) if len(values) == 4 else ()


@lru_cache(maxsize=20_000)
def _listed(values: tuple[int, ...], target: int) -> tuple[str, ...]:
    orders = np.array(sorted(set(permutations(values))), dtype=np.int64)
    programs, templates = _programs()
    hits = _search(orders, programs, target)
    found = {templates[program].format(*map(str, orders[order].tolist())) for order, program in hits.tolist()}
    return tuple(sorted(found))


@cache
def _programs() -> tuple[np.ndarray, tuple[str, ...]]:
    """Every layout with every three operators: Int["programs 7"] in postfix order (0 to 3 the numbers, 4 to 7 + - * /),
    and the same as a template of four numbers."""
    programs, templates = [], []
    for layout, operators in product(LAYOUTS, product("+-*/", repeat=3)):
        names = ["a", operators[0], "b", operators[1], "c", operators[2], "d"]
        programs.append(_postfix(layout.format(*names)))
        templates.append(layout.format("{0}", operators[0], "{1}", operators[1], "{2}", operators[2], "{3}"))
    return np.array(programs, dtype=np.int64), tuple(templates)


def _postfix(formula: str) -> list[int]:
    done: list[int] = []
    waiting: list[str] = []
    for sign in formula:
        if sign in "abcd":
            done.append("abcd".index(sign))
        elif sign == "(":
            waiting.append(sign)
        else:
            while waiting and waiting[-1] != "(" and (sign == ")" or _tight(waiting[-1]) >= _tight(sign)):
                done.append(4 + "+-*/".index(waiting.pop()))
            if sign == ")":
                waiting.pop()
            else:
                waiting.append(sign)
    return done + [4 + "+-*/".index(sign) for sign in reversed(waiting)]


@njit(cache=True)
def _search(orders, programs, target):
    """Int["hits 2"]: order and program of every formula that makes the target exactly."""
    hits = np.zeros((len(orders) * len(programs), 2), np.int64)
    count = 0
    num, den = np.zeros(4, np.int64), np.zeros(4, np.int64)
    for o in range(len(orders)):
        for p in range(len(programs)):
            top = 0
            for code in programs[p]:
                if code < 4:
                    num[top], den[top] = orders[o, code], 1
                    top += 1
                    continue
                a, b, c, d = num[top - 2], den[top - 2], num[top - 1], den[top - 1]
                if code == 4:
                    num[top - 2], den[top - 2] = a * d + c * b, b * d
                elif code == 5:
                    num[top - 2], den[top - 2] = a * d - c * b, b * d
                elif code == 6:
                    num[top - 2], den[top - 2] = a * c, b * d
                else:
                    num[top - 2], den[top - 2] = a * d, b * c
                if d == 0:
                    den[top - 2] = 0
                top -= 1
            if den[0] != 0 and num[0] == target * den[0]:
                hits[count, 0], hits[count, 1] = o, p
                count += 1
    return hits[:count]
