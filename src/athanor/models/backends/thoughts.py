"""Reasoning that a server left in the answer, told apart from the answer."""

from __future__ import annotations

import re

from msgspec.structs import replace

from athanor.core.records import Completion, TokenLogprob

_TAG = "(?:think|thinking|thought|reasoning)"
_OPEN = re.compile(rf"<{_TAG}>|◁think▷|<\|channel\|>analysis<\|message\|>", re.IGNORECASE)
_CLOSE = re.compile(rf"</{_TAG}>|◁/think▷|<\|channel\|>final<\|message\|>", re.IGNORECASE)
"""Tags, Kimi's marks, and the channels of the harmony format."""


def part_thoughts(completion: Completion) -> Completion:
    """The completion with what stands before its last `</think>`, or the like, as `reasoning` where it has none yet.

    An opening tag need not be there: some chat templates put it into the prompt. What follows one that is never
    closed is reasoning too: the answer was not reached. The log-probabilities of the reasoning go with it, where the
    tokens spell the text.

    >>> part_thoughts(Completion(text="<think>hm</think>ink + pen", model="m")).text
    'ink + pen'
    """
    text = completion.text
    closed = max((match.end() for match in _CLOSE.finditer(text)), default=0)
    opened = _OPEN.search(text, closed)
    end = opened.start() if opened else len(text)
    if not closed and not opened:
        return completion
    thought = _OPEN.sub("", _CLOSE.sub("", text[:closed] + text[end:])).strip()
    return replace(
        completion,
        text=text[closed:end].strip(),
        reasoning=completion.reasoning or thought,
        logprobs=_within(completion.logprobs, text, closed, end),
    )


def _within(tokens: tuple[TokenLogprob, ...], text: str, start: int, end: int) -> tuple[TokenLogprob, ...]:
    """The tokens that begin within a part of the text; all of them if together they are not the text."""
    if "".join(token.token for token in tokens) != text:
        return tokens
    kept, at = [], 0
    for token in tokens:
        if start <= at < end:
            kept.append(token)
        at += len(token.token)
    return tuple(kept)
