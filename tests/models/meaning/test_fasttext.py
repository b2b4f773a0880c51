from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from athanor.core.errors import DataError
from athanor.models.meaning import fasttext
from athanor.models.meaning.embeddings import embedding

WORDS, BUCKETS, DIMS = ["rain", "</s>", "été"], 50, 3
MATRIX = np.random.default_rng(0).normal(size=(len(WORDS) + BUCKETS, DIMS)).astype("<f4")


def model(version: int = 12, quantised: bool = False, shortest: int = 3) -> bytes:
    """A binary model of three words as fastText writes it, without the output matrix, which nothing reads."""
    arguments = (DIMS, 5, 5, 1, 5, 1, 2, 1, BUCKETS, shortest, 4, 100)
    data = struct.pack("<2i", fasttext.MAGIC, version) + struct.pack("<12id", *arguments, 1e-4)
    data += struct.pack("<3i2q", len(WORDS), len(WORDS), 0, 1000, -1)
    data += b"".join(word.encode() + b"\0" + struct.pack("<qb", 7, 0) for word in WORDS)
    return data + struct.pack("<?2q", quantised, *MATRIX.shape) + MATRIX.tobytes()


def written(tmp_path: Path, data: bytes) -> str:
    (tmp_path / "m.bin").write_bytes(data)
    return str(tmp_path / "m.bin")


@pytest.mark.parametrize("block", [1 << 20, 15, 17])
def test_a_vector_is_the_mean_of_the_word_and_its_sub_words(tmp_path, monkeypatch, block):
    monkeypatch.setattr(fasttext, "BLOCK", block)
    found = embedding(written(tmp_path, model())).embed(["rain", "fog bow", "été"])

    def rows(parts: list[str]) -> list[int]:
        return [len(WORDS) + fasttext.hashed(part) % BUCKETS for part in parts]

    rain = [0, *rows(["<ra", "<rai", "rai", "rain", "ain", "ain>", "in>"])]
    ete = [2, *rows(["<ét", "<été", "été", "été>", "té>"])]
    assert found[0] == pytest.approx(MATRIX[rain].mean(axis=0), abs=1e-6)
    assert found[2] == pytest.approx(MATRIX[ete].mean(axis=0), abs=1e-6)
    assert "g b" in fasttext.subwords("fog bow", 3, 4)  # one word, its blank included


def test_the_marks_alone_are_no_sub_words():
    assert fasttext.subwords("ab", 1, 2) == ["<a", "a", "ab", "b", "b>"]


def test_the_hash_is_fnv_1a_with_signed_bytes():
    assert fasttext.hashed("") == 0x811C9DC5
    assert fasttext.hashed("foobar") == 0xBF9CF968
    signed = 2166136261
    for byte in "é".encode():
        signed = ((signed ^ ((byte - 256) & 0xFFFFFFFF)) * 16777619) & 0xFFFFFFFF
    assert fasttext.hashed("é") == signed


def test_a_name_without_any_part_is_named(tmp_path):
    with pytest.raises(DataError, match="gives fo a vector that is zero"):
        embedding(written(tmp_path, model(shortest=5))).embed(["rain", "fo"])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "unpack requires"),
        (model(version=11), "not those of version 12"),
        (model(quantised=True), "quantised or cut"),
        (model()[:100], "its dictionary ends at word 0 of 3"),
        (model()[:-4], "not a whole binary fastText model"),
    ],
    ids=["empty", "older", "quantised", "cut in the dictionary", "cut in the matrix"],
)
def test_a_file_that_is_no_whole_model_is_refused(tmp_path, data, says):
    with pytest.raises(DataError, match=says):
        embedding(written(tmp_path, data)).embed(["rain"])
