"""Names as vectors: from a small bundled model, from word vectors in a file, or from a language model's own states."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from athanor.core.errors import AthanorError, DataError, UsageError

Vectors = NDArray[np.float32]

FORMS = (
    "minilm, the path of a .vec, .bin (fastText), .npz or .parquet file, "
    "or hf:PATH[:LAYER] with a model's folder or GGUF file"
)


class Embedding(Protocol):
    """Gives each name a vector. Equal names get equal vectors, whatever else they are asked with."""

    @property
    def name(self) -> str:
        """What manifests and reports call it."""
        ...

    def embed(self, names: Sequence[str]) -> Vectors:
        """Float["names dims"], finite and nowhere a zero vector. DataError names those it has none for."""
        ...


def embedding(text: str, device: str = "cpu") -> Embedding:
    """The embedding of that name or path. UsageError lists the forms there are."""
    if text == "minilm" or text.startswith("hf:"):
        from athanor.models.meaning import transformer

        return transformer.minilm(device) if text == "minilm" else transformer.states(text[3:], device)
    path = Path(text)
    readers: dict[str, Callable[[Path, Sequence[str]], dict[str, Vectors]]] = {
        ".vec": word_vectors, ".npz": _from_npz, ".parquet": _from_parquet
    }  # fmt: skip
    if path.suffix not in (*readers, ".bin"):
        raise UsageError(f"the embedding {text!r} is not known; pass --embedding {FORMS}")
    if not path.is_file():
        raise UsageError(f"the embedding file {path} does not exist; check --embedding")
    if path.suffix == ".bin":
        from athanor.models.meaning.fasttext import FastText

        return FastText(path)
    return FromFile(path, readers[path.suffix])


@dataclass(frozen=True)
class FromFile:
    """Vectors that lie in a file. A name that is not in it whole is the mean of its words."""

    path: Path
    read: Callable[[Path, Sequence[str]], dict[str, Vectors]]

    @property
    def name(self) -> str:
        return self.path.name

    def embed(self, names: Sequence[str]) -> Vectors:
        wanted = dict.fromkeys(part for name in names for part in (name, *words(name)))
        try:
            found = self.read(self.path, list(wanted))
        except AthanorError:
            raise
        except (OSError, ValueError, KeyError, pa.ArrowException) as error:
            raise DataError(f"{self.path} cannot be read as vectors ({error}); write or fetch it again") from error
        parts = {name: (name,) if name in found else words(name) for name in names}
        missing = [name for name in names if not parts[name] or any(part not in found for part in parts[name])]
        if missing:
            raise DataError(
                f"{self.path} has no vector for {len(missing)} of {len(names)} names: {', '.join(missing[:10])}"
                f"{' ...' if len(missing) > 10 else ''}; add them to the file, or pass another --embedding"
            )
        rows = [np.mean([found[part] for part in parts[name]], axis=0) for name in names]
        return checked(self.name, names, np.array(rows, dtype=np.float32))


def words(name: str) -> tuple[str, ...]:
    """The words of a name, without what stands between them.

    >>> words("double rainbow!")
    ('double', 'rainbow')
    """
    return tuple(re.findall(r"[\w']+", name))


def checked(source: str, names: Sequence[str], vectors: Vectors) -> Vectors:
    """The vectors, if each name has one that points somewhere; else DataError."""
    if vectors.ndim != 2 or len(vectors) != len(names):
        raise DataError(
            f"{source} gives vectors of shape {vectors.shape}, one row for each of {len(names)} was expected"
        )
    bad = [name for name, row in zip(names, vectors, strict=True) if not np.isfinite(row).all() or not row.any()]
    if bad:
        raise DataError(
            f"{source} gives {', '.join(bad[:10])} a vector that is zero or not finite; repair or leave it out"
        )
    return vectors


def word_vectors(path: Path, wanted: Sequence[str]) -> dict[str, Vectors]:
    """The wanted vectors of a text file in fastText's and word2vec's format; the rest is read past.

    The first line may be `COUNT DIMENSIONS`; every other is a word and its numbers, parted by single blanks. The
    first line of a word counts.
    """
    left, found = set(wanted), dict[str, Vectors]()
    with open(path, encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file, 1):
            word, _, rest = line.rstrip(" \r\n").partition(" ")
            if word not in left or (number == 1 and rest.isdigit()):
                continue
            left.remove(word)
            found[word] = _numbers(path, number, rest)
            if not left:
                break
    lengths = {len(vector) for vector in found.values()}
    if len(lengths) > 1:
        raise DataError(f"{path} has vectors of {sorted(lengths)} numbers, one length was expected; fetch it again")
    return found


def _numbers(path: Path, number: int, text: str) -> Vectors:
    try:
        return np.array([float(part) for part in text.split(" ")], dtype=np.float32)
    except ValueError as error:
        raise DataError(f"{path}:{number} is not a word and numbers ({error}); fetch the file again") from error


def _from_npz(path: Path, wanted: Sequence[str]) -> dict[str, Vectors]:
    with np.load(path, allow_pickle=False) as file:
        return _by_name(path, file["names"].tolist(), file["vectors"], wanted)


def _from_parquet(path: Path, wanted: Sequence[str]) -> dict[str, Vectors]:
    table = pq.read_table(path, columns=["name", "vector"])
    return _by_name(path, table["name"].to_pylist(), np.array(table["vector"].to_pylist()), wanted)


def _by_name(
    path: Path, names: Sequence[str], vectors: NDArray[np.generic], wanted: Sequence[str]
) -> dict[str, Vectors]:
    if vectors.ndim != 2 or vectors.dtype.kind != "f" or len(names) != len(vectors):
        raise DataError(
            f"{path} has {len(names)} names and vectors of shape {vectors.shape} and type {vectors.dtype}; "
            "a list of names and one row of numbers for each were expected"
        )
    at = {name: row for row, name in enumerate(names)}
    return {name: vectors[at[name]].astype(np.float32) for name in wanted if name in at}


def batches_by_length(lengths: Sequence[int], size: int) -> Iterator[list[int]]:
    """Positions in batches of one length each, so that nothing is padded and no result depends on its neighbours."""
    by_length: dict[int, list[int]] = {}
    for position, length in enumerate(lengths):
        by_length.setdefault(length, []).append(position)
    for _, positions in sorted(by_length.items()):
        for start in range(0, len(positions), size):
            yield positions[start : start + size]
