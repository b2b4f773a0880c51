"""A unified model asked like any other backend."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from athanor.core.errors import BackendError, UsageError
from athanor.core.records import Message, Sampling
from athanor.models.backends import BACKENDS, BackendConfig, answering, execution_of, idle, model_hash, refuse
from athanor.models.backends.unified_local import UnifiedBackend, UnifiedConfig
from athanor.models.unified.answering import Answering, ask
from athanor.models.unified.checkpoints import read, write
from tests.evals.drawn import png
from tests.models.unified.small import unified


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("unified") / "model"
    write(path, unified())
    return path


CONFIG = BackendConfig(backend="unified", unified=UnifiedConfig(device="cpu", batch=3))


def asked(text: str, *images: bytes) -> tuple[Message, ...]:
    return (Message(role="user", text=text, images=images),)


def test_requests_that_come_together_are_answered_as_one_by_one(folder: Path) -> None:
    texts = ["how many circles ?", "what colour ?", "is the circle red ?", "how many ?", "left of the square ?"]

    async def all_of_them() -> list[str]:
        backend = BACKENDS["unified"](str(folder), CONFIG)
        assert (backend.name, backend.slots) == ("model", 3)
        sampling = [Sampling(max_tokens=5, seed=0), Sampling(max_tokens=3, seed=0)]
        work = [backend.complete(asked(text, png(99)), sampling[n % 2]) for n, text in enumerate(texts)]
        found = [one.text for one in await asyncio.gather(*work)]
        await backend.close()
        return found

    model = read(folder)
    alone = [ask(model, [asked(t, png(99))], Answering(most=(5, 3)[n % 2]))[0] for n, t in enumerate(texts)]
    assert asyncio.run(all_of_them()) == alone


def test_a_request_that_cannot_be_answered_fails_alone(folder: Path) -> None:
    async def both() -> list[object]:
        backend = UnifiedBackend(str(folder), CONFIG.unified)
        work = [backend.complete(asked("how many ?", image), Sampling(max_tokens=2)) for image in (png(), b"torn")]
        found = await asyncio.gather(*work, return_exceptions=True)
        await backend.close()
        return list(found)

    good, bad = asyncio.run(both())
    assert not isinstance(good, Exception)
    assert isinstance(bad, BackendError)
    assert "none of the formats" in str(bad)


def test_it_takes_images_and_no_grammar(folder: Path) -> None:
    refuse(CONFIG, Sampling(max_tokens=1), images=True)
    with pytest.raises(UsageError, match="a grammar"):
        refuse(CONFIG, Sampling(max_tokens=1, grammar="x"))
    with pytest.raises(UsageError, match="is no folder"):
        UnifiedBackend(str(folder / "none"), CONFIG.unified)


def test_what_can_change_its_answers_is_told_apart(folder: Path) -> None:
    assert answering(CONFIG) == {"backend": "unified", "dtype": "float32", "template": None}
    assert execution_of(CONFIG)["unified"] == {"device": "cpu", "batch": 3}
    assert len(model_hash(str(folder), CONFIG)["model"]) == 64
    assert idle(BackendConfig(unified=UnifiedConfig(batch=3))) == ["--unified.batch"]
