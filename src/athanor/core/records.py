"""The words of the laboratory as values: what is played, said, judged and kept.

Every record is a frozen, keyword-only `msgspec.Struct`: it behaves like a frozen dataclass with slots,
is created about six times faster, and is written to and read from JSON without further code.
`frozen` is inherited; `kw_only` is not, so every record says it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import msgspec
from typing_extensions import dataclass_transform

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

S = TypeVar("S")
A = TypeVar("A")


if TYPE_CHECKING:

    @dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(msgspec.field,))
    class _Records(type(msgspec.Struct)): ...
else:  # a metaclass written in Python costs every call that makes a record 0.5 us on Python 3.11
    _Records = type(msgspec.Struct)


class Record(msgspec.Struct, metaclass=_Records, frozen=True, omit_defaults=True, gc=False):
    """A frozen value with named fields. Fields at their default are left out of its JSON.

    The garbage collector does not follow records (`gc=False`: less to make and to scan), so one that holds a
    dictionary must not be put into that dictionary: the circle would never be freed.
    """


Unread = Literal["unreadable", "filtered", "refused"]
"""Why no action was read: nothing could be; a server's content filter withheld the answer; the model declined."""


class Unreadable(Record, kw_only=True):
    """An answer in which no action could be read. It costs a turn; what else it costs, the environment says."""

    unreadable: str
    """Why nothing could be read, in words."""
    cause: Unread = "unreadable"


class Task(Record, kw_only=True):
    """One thing to be done in an environment, small enough to be written beside every episode."""

    environment: str
    split: str
    key: str
    """Unique within the environment and split."""
    content: dict[str, Any]
    """What the environment needs to start, as JSON values."""


class Step(Record, Generic[S], kw_only=True):
    """What an action led to: the next state, and whether the environment itself has ended the episode."""

    state: S
    terminated: bool = False


class Verdict(Record, kw_only=True):
    """The judgement of one transition."""

    reward: float
    """Of this turn alone; an episode's return is their sum."""
    passed: bool
    """Whether the turn did what the task asks."""
    reason: str
    """One clause that a person can read."""
    parts: dict[str, Any] = {}
    """What the judgement is made of, as JSON values; the environment documents its keys."""


class TokenLogprob(Record, kw_only=True):
    """One generated token with its log-probability in nats, and the alternatives the backend offered."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


class Completion(Record, kw_only=True):
    """What a model answered, and what it cost. Unknown is None, never zero."""

    text: str
    model: str
    reasoning: str = ""
    """Hidden reasoning text, where the backend shows it; not part of the answer."""
    finish: str = "stop"
    """`stop`, `length` (cut by the token bound), `content_filter` (withheld or cut by the server's filter), `refusal`
    (the model declined) or the backend's own word."""
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    """Prompt tokens that came from a cache and were not evaluated again."""
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost: float | None = None
    """In the currency of the configured prices (US dollars by default)."""
    seconds: float = 0.0
    attempts: int = 1
    """Requests made, failed ones included."""
    logprobs: tuple[TokenLogprob, ...] = ()


class Decision(Record, Generic[A], kw_only=True):
    """What an agent chose, and the completion it was read from if a model was asked."""

    action: A | Unreadable
    completion: Completion | None = None


class Turn(Record, Generic[A], kw_only=True):
    """One turn of an episode. The observation is kept in memory only: replay derives it again."""

    index: int
    observation: Any
    action: A | Unreadable
    verdict: Verdict
    completion: Completion | None = None
    seconds: float = 0.0


class Failure(Record, kw_only=True):
    """Why an agent could not answer. It is recorded and never counted as a wrong answer."""

    kind: str
    message: str


End = Literal["terminated", "truncated", "error"]


class Episode(Record, Generic[A], kw_only=True):
    """One task played once, from start to end."""

    key: str
    task: Task
    agent: str
    seed: int
    build: str
    """Version and source digest of the program that played it."""
    turns: tuple[Turn[A], ...]
    end: End
    failure: Failure | None = None

    @property
    def total(self) -> float:
        """The return: the sum of the turns' rewards."""
        return sum(turn.verdict.reward for turn in self.turns)


class Message(Record, kw_only=True):
    """One message of a conversation with a model."""

    role: Literal["system", "user", "assistant"]
    text: str
    images: tuple[bytes, ...] = ()
    """PNG or JPEG files, shown before the text."""


class Sampling(Record, kw_only=True):
    """How a completion is to be sampled. None leaves the choice to the backend."""

    max_tokens: int
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    grammar: str | None = None
    """GBNF grammar that the answer must follow."""
    top_logprobs: int = 0
    """Alternatives per token to ask for; 0 asks for no log-probabilities."""
    reasoning_effort: str | None = None
    conversation: str = ""
    """Requests with the same name share a growing prompt, so a backend can keep its cache for them."""


class Estimate(Record, omit_defaults=False, kw_only=True):
    """A number with its uncertainty. An interval that cannot be given is None, never zero width or NaN."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    level: float | None
    """Confidence level of the interval, for example 0.95."""
    n: int
    """Independent units behind the number (episodes, players, items)."""
    unit: str
    method: str
    excluded: int = 0
    """Units left out because they are unknown (for example episodes that ended in an error)."""
    group: str = ""
    """Which run or arm the number belongs to."""
