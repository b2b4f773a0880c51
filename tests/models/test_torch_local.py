"""A Hugging Face model asked in this process: a tiny one of random weights."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from pathlib import Path

import pytest

from athanor.core.errors import BackendError, DataError, UsageError
from athanor.core.records import Completion, Message, Sampling
from athanor.models.backends import BACKENDS, BackendConfig, answering, model_hash, refuse
from athanor.models.backends.pretrained import locate
from athanor.models.backends.torch_local import TorchBackend, TorchConfig, generate
from tests import tiny_model

pytestmark = pytest.mark.skipif(not find_spec("transformers"), reason="transformers is not installed")
ASKED = (Message(role="system", text="Be brief."), Message(role="user", text="Cards: A, 2, 3, 4."))
LONGER = (*ASKED, Message(role="assistant", text="1+2"), Message(role="user", text="No. Try again, in the same form."))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.write(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def backend(folder: Path):
    made = BACKENDS["torch"](str(folder), BackendConfig(backend="torch", torch=TorchConfig(device="cpu", batch=3)))
    assert isinstance(made, TorchBackend)
    yield made
    asyncio.run(made.close())


def sampling(**options) -> Sampling:
    return Sampling(**{"max_tokens": 12, "temperature": 1.0, "seed": 1, **options})


def ask(backend: TorchBackend, *requests: tuple[tuple[Message, ...], Sampling]) -> list[Completion]:
    async def main() -> list[Completion]:
        return await asyncio.gather(*[backend.complete(*request) for request in requests])

    return asyncio.run(main())


def test_the_same_seed_gives_the_same_text_whoever_shares_the_batch(backend):
    [alone] = ask(backend, (ASKED, sampling()))
    together = ask(backend, *[(LONGER, sampling(seed=seed)) for seed in range(2, 6)], (ASKED, sampling()))
    assert alone.text
    assert together[-1].text == alone.text
    assert len({one.text for one in together}) == 5
    assert alone.prompt_tokens and alone.completion_tokens and alone.completion_tokens <= 12  # noqa: PT018


def test_logprobs_are_those_of_a_forward_pass_without_a_cache(backend):
    import torch

    batch = [backend._read(said, sampling(seed=seed, top_logprobs=2)) for seed, said in enumerate((ASKED, LONGER))]
    for asked, drawn in zip(batch, generate(backend._model, batch, 2, frozenset(), "cpu"), strict=True):
        rows = torch.tensor([asked.prompt + drawn.tokens])
        logits = backend._model(input_ids=rows, use_cache=False).logits[0, len(asked.prompt) - 1 : -1].float()
        exact = logits.log_softmax(-1)
        assert len(drawn.tokens) == 12
        assert drawn.logprobs == pytest.approx([exact[k, t].item() for k, t in enumerate(drawn.tokens)], abs=1e-4)
        for top, row in zip(drawn.tops, exact, strict=True):
            assert [one for _, one in top] == pytest.approx(row.topk(2).values.tolist(), abs=1e-4)


def test_a_given_answer_has_the_likelihood_that_the_model_gave_it(backend):
    found = backend.logprobs(ASKED, '{"cards": ["A"]}')
    assert "".join(token.token for token in found) == '{"cards": ["A"]}'
    assert all(token.logprob < 0 for token in found)


def test_at_temperature_0_the_likeliest_token_is_taken(backend):
    [one] = ask(backend, (ASKED, sampling(temperature=0.0, top_logprobs=1)))
    assert all(token.top[0][1] == pytest.approx(token.logprob) for token in one.logprobs)
    [tight] = ask(backend, (ASKED, sampling(top_p=1e-9)))
    assert tight.text == one.text


def test_settings_that_it_cannot_keep_are_refused(backend):
    with pytest.raises(UsageError, match="knows no grammars"):
        ask(backend, (ASKED, sampling(grammar='root ::= "a"')))
    with pytest.raises(UsageError, match="knows no grammars"):
        refuse(BackendConfig(backend="torch"), sampling(grammar='root ::= "a"'))
    with pytest.raises(UsageError, match="reasoning effort"):
        ask(backend, (ASKED, sampling(reasoning_effort="low")))
    with pytest.raises(UsageError, match="reads text"):
        ask(backend, ((Message(role="user", text="?", images=(b"x",)),), sampling()))
    with pytest.raises(UsageError, match="temperature -1"):
        ask(backend, (ASKED, sampling(temperature=-1.0)))
    with pytest.raises(BackendError, match="the model has 2048"):
        ask(backend, (ASKED, sampling(max_tokens=2048)))


def test_models_that_cannot_be_asked_are_refused_with_what_to_do(folder: Path, tmp_path: Path):
    with pytest.raises(UsageError, match="is not there; pass a folder"):
        locate("no such model")
    with pytest.raises(UsageError, match="neither a folder here nor in the local cache"):
        locate("athanor-nobody/none")
    with pytest.raises(UsageError, match="has no config.json"):
        locate(str(tmp_path))
    bare = tiny_model.write(tmp_path / "bare", template="")
    with pytest.raises(UsageError, match="has no chat template"):
        TorchBackend(str(bare), TorchConfig(device="cpu"))
    (bare / "chat_template.jinja").write_text("{{ raise_exception('no system') }}")
    stern = TorchBackend(str(bare), TorchConfig(device="cpu"))
    with pytest.raises(UsageError, match="template refuses the conversation"):
        ask(stern, (ASKED, sampling()))
    (bare / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(DataError, match="cannot be loaded as a model"):
        TorchBackend(str(bare), TorchConfig(device="cpu"))
    with pytest.raises(UsageError, match="device 'cuda:99' cannot be used"):
        TorchBackend(str(folder), TorchConfig(device="cuda:99"))


def test_what_can_change_answers_is_part_of_a_runs_identity(folder: Path):
    config = BackendConfig(backend="torch", torch=TorchConfig(dtype="bfloat16"))
    assert answering(config) == {"backend": "torch", "dtype": "bfloat16"}
    assert len(model_hash(str(folder), config)["model"]) == 64
