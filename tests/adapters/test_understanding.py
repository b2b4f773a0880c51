"""Hosts of understanding benchmarks ask a unified model; the hosts here are stand-ins for what is not installed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from athanor.adapters import understanding as adapter
from athanor.adapters.understanding import Understanding
from athanor.core.errors import UsageError
from athanor.core.records import Message
from athanor.models.unified.answering import Answering, ask
from athanor.models.unified.checkpoints import read, write
from athanor.models.unified.templates import TEMPLATES
from athanor.models.unified.unified import Unified
from tests.evals.drawn import png
from tests.models.unified.small import published, saved, unified


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


def test_a_whole_benchmark_is_prepared_a_part_at_a_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [[Image.new("RGB", (32, 32), (n * 40, 0, 0)), "how many circles ?"] for n in range(5)]
    model = Understanding(str(folder), device="cpu")
    expected = model.answers(asked, most=4)
    together: list[int] = []
    monkeypatch.setattr(adapter, "TOGETHER", 2)
    monkeypatch.setattr(adapter, "ask", lambda *given: together.append(len(given[1])) or ask(*given))
    assert model.answers(asked, most=4) == expected
    assert together == [2, 2, 1]


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


@pytest.fixture
def kit(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """VLMEvalKit's list of models, the adapter imported."""

    class BaseModel:
        def dump_image(self, line: Any, dataset: str) -> list[str]:
            return [line["image_path"]]

    kinds = {"POPE": "Y/N", "MME": "Y/N", "MMBench": "MCQ", "MMVet": "VQA", "COCO": "Caption"}
    known: dict[str, Any] = {}
    host(monkeypatch, vlmeval__vlm__base={"BaseModel": BaseModel})
    for name, part in (("config", {"supported_VLM": known}), ("dataset", {"DATASET_TYPE": kinds.__getitem__})):
        made = ModuleType(f"vlmeval.{name}")
        vars(made).update(part)
        monkeypatch.setitem(sys.modules, f"vlmeval.{name}", made)
    monkeypatch.delitem(sys.modules, "athanor.adapters.vlmevalkit", raising=False)
    return known


def test_vlmevalkit_asks_by_messages_and_knows_the_model_by_its_name(
    kit: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    import_module("athanor.adapters.vlmevalkit").register("mine", str(folder), prompts="host", most=4, device="cpu")
    (tmp_path / "a.png").write_bytes(png(200))
    image, text = {"type": "image", "value": str(tmp_path / "a.png")}, {"type": "text", "value": "how many circles ?"}
    model = kit["mine"]()
    assert model.generate_inner([image, text], dataset="MMBench") == direct(folder, "how many circles ?", 4)
    assert isinstance(model.generate_inner([text, image, text, image]), str)
    assert not model.use_custom_prompt("MMBench")


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """In the shape of a release, with a tokenizer as it has."""
    return saved(tmp_path / "release", published())


def test_vlmevalkit_asks_in_the_words_of_the_published_evaluation(
    kit: dict[str, Any], released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_module("athanor.adapters.vlmevalkit").register("pro", str(released), most=2, device="cpu")
    model, seen = kit["pro"](), list[str]()

    def listen(of: Unified, asked: Sequence[Sequence[Message]], how: Answering) -> list[str]:
        seen.extend(told(of, one) for one in asked)
        return [""] * len(asked)

    monkeypatch.setattr("athanor.adapters.understanding.ask", listen)
    (tmp_path / "a.png").write_bytes(png(200))
    row = {"image_path": str(tmp_path / "a.png"), "question": "Is there a dog? Please answer yes or no."}
    for dataset, more in (
        ("POPE", {}), ("MME", {}),
        ("MMBench", {"hint": float("nan"), "A": "a cat", "B": "a dog", "C": float("nan"), "D": None}),
        ("MMBench", {"hint": "Look.", "A": float("nan")}), ("MMVet", {}),
    ):  # fmt: skip
        assert model.use_custom_prompt(dataset)
        model.generate_inner(model.build_prompt({**row, **more}, dataset), dataset)
    asked = "Is there a dog? Please answer yes or no."
    assert seen == [
        "User: <image>\nIs there a dog?\nAnswer the question using a single word or phrase.\n\nAssistant:",
        f"User: <image>\n{asked}\nAnswer the question using a single word or phrase.\n\nAssistant:",
        f"User: <image>\n{asked}\nA. a cat\nB. a dog\n\n"
        "Answer with the option's letter from the given choices directly.\n\nAssistant:",
        f"User: <image>\nHint: Look.\n{asked}\nAnswer the question directly.\n\nAssistant:",
        "You are a helpful assistant. Please answer truthfully and write out your thinking step by step to be sure you "
        f"get the right answer.\n\nUser: <image>\n{asked}\n\nAssistant:",
    ]
    assert not model.use_custom_prompt("COCO")


def told(of: Unified, messages: Sequence[Message]) -> str:
    """A conversation as the model reads it."""
    pieces = TEMPLATES[of.template].pieces([*messages, Message(role="assistant", text="")])
    return "".join(piece.content if isinstance(piece.content, str) else "<image>" for piece in pieces)


def test_a_template_that_is_given_and_one_of_words_are_kept(folder: Path, released: Path) -> None:
    question = ["a", Image.new("RGB", (8, 8)), "?"]
    for model, template, begins in ((folder, "", "a"), (released, "janus-pro", "<|User|>: a")):
        made = Understanding(str(model), device="cpu", published=True, template=template)
        assert told(made.unified, [made.message(question)]).startswith(f"{begins}<image>?")


def test_images_after_text_stand_where_they_come(folder: Path) -> None:
    made = Understanding(str(folder), device="cpu")
    picture = Image.new("RGB", (32, 32))
    message = made.message(["a", picture, "b"])
    assert message.text.split() == ["a", "<image_placeholder>", "b"]
    assert len(message.images) == 1
    assert made.message([picture, picture, "a"]).text == "a"
    with pytest.raises(UsageError, match="dtype 'int8'"):
        Understanding(str(folder), dtype="int8")
    with pytest.raises(UsageError, match="cannot be read"):
        made.answers([[folder / "none.png", "a"]])
