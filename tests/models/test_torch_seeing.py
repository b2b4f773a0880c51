"""A vision-language model asked in this process: a tiny one of random weights."""

from __future__ import annotations

import asyncio
import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from athanor.core.errors import UsageError
from athanor.core.records import Completion, Message, Sampling
from athanor.environments.points.drawing import LOOKS, draw
from athanor.models.backends import BackendConfig, refuse
from athanor.models.backends.pretrained import processor_of, sees
from athanor.models.backends.torch_local import TorchBackend, TorchConfig
from tests import tiny_model

pytestmark = pytest.mark.skipif(not find_spec("transformers"), reason="transformers is not installed")
BRIEF = Message(role="system", text="Be brief.")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.write_seeing(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def backend(folder: Path):
    made = TorchBackend(str(folder), TorchConfig(device="cpu", batch=4))
    yield made
    asyncio.run(made.close())


def shown(*cards: str, text: str = "Which cards?", look: str = "plain") -> tuple[Message, ...]:
    return (BRIEF, Message(role="user", text=text, images=(draw(cards, LOOKS[look]),)))


def sampling(**options) -> Sampling:
    return Sampling(**{"max_tokens": 10, "temperature": 1.0, "seed": 1, **options})


def ask(backend: TorchBackend, *requests: tuple[tuple[Message, ...], Sampling]) -> list[Completion]:
    async def main() -> list[Completion]:
        return await asyncio.gather(*[backend.complete(*request) for request in requests])

    return asyncio.run(main())


def test_what_is_seen_changes_the_answer_and_who_shares_the_batch_does_not(backend):
    first, other = shown("AS", "2S", "3S", "4S"), shown("KH", "QH", "JH", "10H", text="Longer: which cards are these?")
    [alone] = ask(backend, (first, sampling()))
    words = (BRIEF, Message(role="user", text="Which cards?"))
    together = ask(
        backend, (other, sampling(seed=2)), (first, sampling()), (words, sampling()), (first, sampling(seed=3))
    )
    assert together[1].text == alone.text
    assert together[2].text != alone.text  # no picture
    assert len({one.text for one in together}) == 4
    [unlike] = ask(backend, (shown("KH", "QH", "JH", "10H"), sampling(temperature=0.0, top_logprobs=1)))
    [like] = ask(backend, (first, sampling(temperature=0.0, top_logprobs=1)))
    assert [one.logprob for one in like.logprobs] != [one.logprob for one in unlike.logprobs]
    assert alone.prompt_tokens is not None
    assert together[2].prompt_tokens is not None
    assert alone.prompt_tokens == together[2].prompt_tokens + 16  # patches of the picture


def test_tokens_are_drawn_by_the_models_own_likelihoods(backend):
    import torch

    messages = shown("AS", "2S", "3S", "4S")
    [found] = ask(backend, (messages, sampling(top_logprobs=2)))
    _, text, images = backend._prompt(messages)
    from athanor.models.backends.torch_draw import pictures_of

    inputs = backend._processor(text=[text], images=[pictures_of(images)], return_tensors="pt")
    ids = [
        backend._tokenizer.convert_tokens_to_ids(backend._tokenizer.tokenize(one.token))[0] for one in found.logprobs
    ]
    with torch.inference_mode():
        logits = backend._model(**inputs, use_cache=False).logits[0, -1].float().log_softmax(-1)
    assert found.logprobs[0].logprob == pytest.approx(logits[ids[0]].item(), abs=1e-4)
    assert [p for _, p in found.logprobs[0].top] == pytest.approx(logits.topk(2).values.tolist(), abs=1e-4)
    assert len(found.logprobs) <= 10


def test_a_conversation_goes_on_after_a_picture(backend):
    whole = (*shown("AS", "2S", "3S", "4S"), Message(role="assistant", text="1+2"), Message(role="user", text="No."))
    [one] = ask(backend, (whole, sampling()))
    assert one.finish in ("stop", "length")
    assert one.completion_tokens is not None
    assert one.completion_tokens <= 10


def test_models_that_do_not_see_are_told_from_those_that_do(folder: Path, tmp_path: Path):
    text = folder.parent / "text"
    assert (sees(folder), sees(text), sees(tmp_path / "none.gguf")) == (True, False, False)
    torch = BackendConfig(backend="torch")
    refuse(torch, sampling(), images=True, model=str(folder))
    with pytest.raises(UsageError, match="reads text, and what is asked is shown in pictures"):
        refuse(torch, sampling(), images=True, model=str(text))
    reader = TorchBackend(str(text), TorchConfig(device="cpu"))
    with pytest.raises(UsageError, match="reads text"):
        ask(reader, (shown("AS"), sampling()))
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / "processor_config.json").write_text("{}")
    with pytest.raises(UsageError, match="has no processor of pictures that can be loaded"):
        processor_of(broken)
    config = json.loads((folder / "config.json").read_text())
    assert config["model_type"] == "llava"
