import asyncio
from pathlib import Path
from time import perf_counter

import pytest

from athanor.core.errors import DataError, UsageError
from athanor.core.records import Message, Sampling
from athanor.models.backends.scripted import Scripted

ASKED = (Message(role="user", text="what now?"),)


def answer(backend: Scripted, seed: int | None) -> str:
    return asyncio.run(backend.complete(ASKED, Sampling(max_tokens=8, seed=seed))).text


def test_the_reply_is_chosen_by_the_seed_alone() -> None:
    backend = Scripted(("a", "b", "c"))
    assert [answer(backend, seed) for seed in (0, 1, 2, 3, 7, 1)] == ["a", "b", "c", "a", "b", "b"]


def test_without_a_seed_the_first_reply_is_given() -> None:
    assert answer(Scripted(("a", "b")), None) == "a"


def test_the_completion_names_its_model_and_leaves_counts_unknown() -> None:
    completion = asyncio.run(Scripted(("a",), name="puppet").complete(ASKED, Sampling(max_tokens=8)))
    assert (completion.model, completion.finish, completion.prompt_tokens, completion.cost) == (
        "puppet", "stop", None, None,
    )  # fmt: skip


def test_it_waits_as_long_as_it_was_told() -> None:
    started = perf_counter()
    completion = asyncio.run(Scripted(("a",), delay=0.05).complete(ASKED, Sampling(max_tokens=8)))
    assert 0.05 <= completion.seconds <= perf_counter() - started


@pytest.mark.parametrize(("replies", "delay"), [((), 0.0), (("a",), -1.0), (("a",), float("nan"))])
def test_what_cannot_be_meant_is_refused(replies: tuple[str, ...], delay: float) -> None:
    with pytest.raises(UsageError, match="expected"):
        Scripted(replies, delay)


def test_a_script_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "script.json"
    file.write_text('{"replies": ["a", "b"], "delay": 0.03}')
    backend = Scripted.from_file(file)
    completion = asyncio.run(backend.complete(ASKED, Sampling(max_tokens=8, seed=1)))
    assert completion.text == "b"
    assert completion.seconds >= 0.03


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not a script"),
        ('{"replies": "a"}', "array"),
        ('{"replies": [1]}', "str"),
        ('{"delay": 1}', "replies"),
        ('{"replies": ["a"], "pause": 1}', "pause"),
        ('{"replies": []}', "at least one"),
        ('{"replies": ["a"], "delay": -1}', "delay -1"),
        (b'{"replies": ["\xff"]}', "not a script"),
    ],
)
def test_a_file_that_is_no_script_is_refused_by_name(tmp_path: Path, text: str | bytes, said: str) -> None:
    file = tmp_path / "script.json"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=said) as caught:
        Scripted.from_file(file)
    assert "script.json" in str(caught.value)
    assert "expected" in str(caught.value)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.json cannot be read"):
        Scripted.from_file(tmp_path / "nowhere.json")
