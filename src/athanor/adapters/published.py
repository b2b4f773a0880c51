"""The words in which the published understanding scores of Janus and Janus-Pro were asked for.

The papers tell none. They are facts of the authors' own model in VLMEvalKit (pull request 541, `vlmeval/vlm/janus.py`):
roles User and Assistant, for Janus-Pro too; an empty system message but for MM-Vet; images, then a line's end, then
the question, with nothing else between. On MMBench the form is worth 13 points: Janus-Pro-7B has 79.2 so, and 66 in
the form of lmms-eval.
"""

from __future__ import annotations

from collections.abc import Mapping
from string import ascii_uppercase
from typing import Any

ROLES = "janus"
"""Name of the template with their roles."""
STEP_BY_STEP = (
    "You are a helpful assistant. Please answer truthfully and write out your thinking step by step to be sure you get "
    "the right answer."
)
"""The system message of MM-Vet."""
ASKED = ("Y/N", "MCQ")
"""Kinds of data sets, as the kit calls them, whose questions are put so."""
MMVET = "MMVet"
SHORT, LETTER, DIRECT = (
    "Answer the question using a single word or phrase.",
    "Answer with the option's letter from the given choices directly.", "Answer the question directly. ",
)  # fmt: skip


def asked(kind: str, dataset: str) -> bool:
    """Whether questions of a data set are put in these words; others are put in the host's."""
    return kind in ASKED or dataset == MMVET


def system(dataset: str) -> str:
    """The system message."""
    return STEP_BY_STEP if MMVET in dataset else ""


def question(kind: str, dataset: str, row: Mapping[str, Any]) -> str:
    """What follows the images. `row`: of the kit's table, with `question`, `hint` and options under capital letters,
    some of them absent.

    >>> question("Y/N", "POPE", {"question": "Is there a dog? Please answer yes or no."})
    '\\nIs there a dog?\\nAnswer the question using a single word or phrase.'
    """
    text = str(row["question"])
    if kind == "Y/N":
        text = text.replace(" Please answer yes or no.", "") if dataset == "POPE" else text
        return f"\n{text}\n{SHORT}"
    if kind != "MCQ":
        return f"\n{text}"
    hint = f"Hint: {row['hint']}\n" if _there(row, "hint") else ""
    options = "".join(f"{letter}. {row[letter]}\n" for letter in ascii_uppercase if _there(row, letter))
    return f"\n{hint}{text}\n{options}" + (f"\n{LETTER}" if options else DIRECT)


def _there(row: Mapping[str, Any], name: str) -> bool:
    """Whether a row has something in a column; what is missing is not equal to itself."""
    return name in row and row[name] is not None and row[name] == row[name]
