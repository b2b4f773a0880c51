"""Hosts of understanding benchmarks ask a unified model; the hosts here are stand-ins for what is not installed."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from athanor.adapters.understanding import Understanding
from athanor.core.errors import UsageError
from athanor.core.records import Message
from athanor.models.unified.answering import Answering, ask
from athanor.models.unified.checkpoints import read, write
from tests.evals.drawn import png
from tests.models.unified.small import unified


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("unified") / "model"
    write(path, unified())
    return path


def host(monkeypatch: pytest.MonkeyPatch, **modules: dict[str, Any]) -> None:
    """Modules that can be imported, by their names with __ for a dot."""
    for name, held in modules.items():
        parts = name.split("__")
        for n in range(1, len(parts) + 1):
            monkeypatch.setitem(sys.modules, ".".join(parts[:n]), ModuleType(".".join(parts[:n])))
        for key, value in held.items():
            setattr(sys.modules[".".join(parts)], key, value)


def direct(folder: Path, text: str, most: int) -> str:
    message = Message(role="user", text=text, images=(png(200),))
    return ask(read(folder), [(Message(role="system", text=""), message)], Answering(most=most))[0]


class Lmms:
    def __init__(self) -> None:
        self.task_dict: dict[str, Any] = {}
        self.cached: list[str] = []
        self.cache_hook = SimpleNamespace(add_partial=lambda attr, req, res: self.cached.append(res))


@pytest.fixture
def lmms(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Any:
    host(monkeypatch, lmms_eval__api__model={"lmms": Lmms})
    plugin = "athanor.adapters.lmms_eval.models"  # as the host finds it, by LMMS_EVAL_PLUGINS
    (name,) = import_module(plugin).AVAILABLE_MODELS
    monkeypatch.delitem(sys.modules, f"{plugin}.{name}", raising=False)
    made = getattr(import_module(f"{plugin}.{name}"), import_module(plugin).AVAILABLE_MODELS[name])
    model = made(model=str(folder), device="cpu", batch_size=2, max_batch_size=None)
    model.task_dict = {"t": {"test": {n: {"n": n} for n in range(4)}}}
    return model


def request(text: str, doc: int = 0, visual: Any = None, **settings: Any) -> SimpleNamespace:
    shown = visual or (lambda doc: [Image.new("RGB", (32, 32), (200, 0, 0))])
    return SimpleNamespace(args=(text, settings, shown, doc, "t", "test"))


def test_lmms_eval_gets_the_answers_that_the_model_gives_in_the_order_of_its_requests(lmms: Any, folder: Path) -> None:
    asked = [request("how many circles ?", max_new_tokens=5), request("what colour ?", max_new_tokens=3),
             request("is the circle red ?", max_new_tokens=5)]  # fmt: skip
    texts = ["how many circles ?", "what colour ?", "is the circle red ?"]
    found = lmms.generate_until(asked)
    assert found == [direct(folder, text, most) for text, most in zip(texts, (5, 3, 5), strict=True)]
    assert sorted(lmms.cached) == sorted(found)


def test_an_answer_ends_at_the_words_that_the_task_names(lmms: Any, folder: Path) -> None:
    whole = direct(folder, "how many circles ?", 6)
    word = whole.split()[-1]
    (cut,) = lmms.generate_until([request("how many circles ?", max_new_tokens=6, until=[word, "never"])])
    assert cut == whole[: whole.index(word)]


def test_what_the_model_cannot_do_is_told_to_lmms_eval(lmms: Any, folder: Path) -> None:
    for method in (lmms.loglikelihood, lmms.generate_until_multi_round):
        with pytest.raises(UsageError, match="pass"):
            method([])
    with pytest.raises(UsageError, match="shows a str, an image was expected"):
        lmms.generate_until([request("how many ?", visual=lambda doc: ["film.mp4"])])
    with pytest.raises(UsageError, match="model_args has colour"):
        type(lmms)(model=str(folder), device="cpu", colour="red")


def test_vlmevalkit_asks_by_messages_and_knows_the_model_by_its_name(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path
) -> None:
    class BaseModel: ...

    known: dict[str, Any] = {}
    host(monkeypatch, vlmeval__vlm__base={"BaseModel": BaseModel})
    host(monkeypatch, vlmeval__config={"supported_VLM": known})
    host(monkeypatch, vlmeval__vlm__base={"BaseModel": BaseModel})
    sys.modules["vlmeval.config"].supported_VLM = known  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.delitem(sys.modules, "athanor.adapters.vlmevalkit", raising=False)
    import_module("athanor.adapters.vlmevalkit").register("mine", str(folder), most=4, device="cpu")
    (tmp_path / "a.png").write_bytes(png(200))
    image, text = {"type": "image", "value": str(tmp_path / "a.png")}, {"type": "text", "value": "how many circles ?"}
    model = known["mine"]()
    assert model.generate_inner([image, text], dataset="MMBench") == direct(folder, "how many circles ?", 4)
    assert isinstance(model.generate_inner([text, image, text, image]), str)


def test_images_after_text_stand_where_they_come(folder: Path) -> None:
    made = Understanding(str(folder), device="cpu")
    picture = Image.new("RGB", (32, 32))
    message = made._message(["a", picture, "b"])
    assert message.text.split() == ["a", "<image_placeholder>", "b"]
    assert len(message.images) == 1
    assert made._message([picture, picture, "a"]).text == "a"
    with pytest.raises(UsageError, match="dtype 'int8'"):
        Understanding(str(folder), dtype="int8")
    with pytest.raises(UsageError, match="cannot be read"):
        made.answers([[folder / "none.png", "a"]])
