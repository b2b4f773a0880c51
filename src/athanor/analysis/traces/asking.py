"""How a model is asked for labels, and how its answer is read: parsed, never evaluated, never guessed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from athanor.analysis.traces.labels import DEFINITIONS, LABELS, Label
from athanor.core.records import Message

INSTRUCTIONS = """Somebody plays a game in which two elements are combined each turn, and thinks aloud before \
choosing. You label what kind of thought each sentence is. The labels:

{labels}

Give every numbered sentence exactly one label, the one that fits best, reading it in its context. Answer with one \
line a sentence and nothing else, in the form
1: {first}
2: {second}""".format(
    labels="\n".join(f"{label}: {meaning}" for label, meaning in DEFINITIONS.items()), first=LABELS[0], second=LABELS[3]
)

SHOWN = 600
"""Characters of a sentence that the labeller sees; of a longer one, the middle is left out."""
CONTEXT = 3
"""Sentences before a block that are shown again, without numbers."""
NAMED = 6
"""Faults that a second request names."""

_LINE = re.compile(r"[\s>*#\-(\[\"'`]*(?:sentence\s+)?([0-9]{1,6})[\])\"'`*]*\s*[:.=)\-–]+(.*)", re.IGNORECASE)
_EDGES = " \t\"'`*[].,;_-"
_LINE_READ = 200
"""Characters of an answer's line that are read; they bound the time that a hostile line can take."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What could be read from an answer."""

    labels: dict[int, Label]
    """Of the sentences that have exactly one known label."""
    wrong: tuple[str, ...]
    """What is wrong with the answer, in words; empty if every sentence that was asked about has its label."""


def blocks(sentences: Sequence[str], size: int) -> Iterator[range]:
    """The numbers (from 1) of the sentences that are asked about in one request, at most `size` of them."""
    for first in range(0, len(sentences), size):
        yield range(first + 1, min(first + size, len(sentences)) + 1)


def question(sentences: Sequence[str], asked: range) -> tuple[Message, ...]:
    """The request for one block of a passage. Numbers run through the passage, in brackets: an echoed sentence must not
    look like an answer."""
    before = sentences[max(0, asked.start - 1 - CONTEXT) : asked.start - 1]
    lines = ["Just before (for context, not to be labelled):", *map(_shown, before), ""] if before else []
    lines += ["Label these sentences:", *(f"[{number}] {_shown(sentences[number - 1])}" for number in asked)]
    return (Message(role="system", text=INSTRUCTIONS), Message(role="user", text="\n".join(lines)))


def objection(answer: str, reading: Reading, missing: Sequence[int]) -> tuple[Message, ...]:
    """What is added to ask once more: the answer, what was wrong with it, and which sentences are still to be done."""
    named = "; ".join(reading.wrong[:NAMED]) + ("; and more" if len(reading.wrong) > NAMED else "")
    text = (
        f"That cannot be used: {named}. Answer once more, for these sentences only: "
        f"{', '.join(map(str, missing))}. One line each, `number: label`, with one of {', '.join(LABELS)}."
    )
    return (Message(role="assistant", text=answer[:2000] or "(no answer)"), Message(role="user", text=text))


def wording() -> str:
    """A digest of all that a labeller is told but the sentences: it changes with the wording of any request."""
    sample = (*question(("x",) * 5, range(5, 6)), *objection("x", Reading(labels={}, wrong=("x",)), [5]))
    return hashlib.sha256("\n".join(message.text for message in sample).encode()).hexdigest()[:12]


def grammar(numbers: Sequence[int]) -> str:
    """GBNF grammar of the answers that label these sentences, each once and in order."""
    root = ' "\\n" '.join(f'"{number}: " label' for number in numbers)
    return f"root ::= {root}\nlabel ::= {' | '.join(json.dumps(label) for label in LABELS)}\n"


def read_answer(text: str, asked: range) -> Reading:
    """Read the labels of the sentences `asked` from an answer: `number: label` lines, or JSON with the same.

    A sentence labelled twice or with an unknown word has no label. An answer that labels sentences which were not
    there has miscounted, and gives none at all. Never raises.
    """
    said: dict[int, list[str]] = {}
    for number, words in _pairs(text.rpartition("</think>")[2]):
        said.setdefault(number, []).append(words)
    if not said:
        return Reading(labels={}, wrong=("it has no line of the form `number: label`",))
    foreign = next((n for n, every in said.items() if n not in asked and any(map(_label, every))), None)
    if foreign is not None:
        return Reading(labels={}, wrong=(f"it labels sentence {foreign}, the last one is {asked[-1]}",))
    labels: dict[int, Label] = {}
    for number in asked:
        every = said.get(number, [])
        label = _label(every[0]) if len(every) == 1 else None
        if label:
            labels[number] = label
    return Reading(labels=labels, wrong=tuple(_fault(n, said.get(n, [])) for n in asked if n not in labels))


def _label(words: str) -> Label | None:
    """The label that words are, whatever their case, quotes and joints, with no more than a remark in brackets."""
    cleaned = "_".join(re.split(r"[\s_-]+", words.partition("(")[0].strip(_EDGES).casefold()))
    return next((label for label in LABELS if label == cleaned), None)


def _fault(number: int, every: list[str]) -> str:
    if not every:
        return f"sentence {number} has no label"
    if len(every) > 1:
        return f"sentence {number} is labelled {len(every)} times"
    return f"sentence {number} is labelled {every[0].strip()[:40]!r}, which is not a label"


def _pairs(text: str) -> Iterator[tuple[int, str]]:
    body = text.strip().removeprefix("```json").strip("`\n ")
    if body[:1] in ("{", "["):
        try:
            yield from _json_pairs(json.loads(body, object_pairs_hook=tuple))
            return
        except (ValueError, RecursionError):
            pass
    for line in text.splitlines():
        if found := _LINE.match(line[:_LINE_READ]):
            yield int(found[1]), found[2]


def _json_pairs(value: Any) -> Iterator[tuple[int, str]]:
    """Pairs of `{"1": "label"}` or `[{"sentence": 1, "label": "label"}]`; objects come as tuples of their members."""
    if isinstance(value, list):
        for item in value:
            members = dict(item) if isinstance(item, tuple) else {}
            number, label = members.get("sentence", members.get("number")), members.get("label")
            if isinstance(number, int) and isinstance(label, str):
                yield number, label
    elif isinstance(value, tuple):
        yield from ((int(k), v) for k, v in value if re.fullmatch(r"[0-9]{1,6}", k) and isinstance(v, str))


def _shown(sentence: str) -> str:
    if len(sentence) <= SHOWN:
        return sentence
    return f"{sentence[: SHOWN // 2]} [...] {sentence[-SHOWN // 2 :]}"
