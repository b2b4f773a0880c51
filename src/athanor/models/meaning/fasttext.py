"""Word vectors with sub-words from a binary fastText model, read without its library.

The layout is that of fastText 0.9 (`FastText::saveModel`, version 12), little-endian: arguments, dictionary, then the
input matrix, of which only the rows that the asked names need are read. A name is taken as one word, blanks included,
as `get_word_vector` does, so that names of several words have a vector. Source: Bojanowski et al. 2017, section 3.2.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from athanor.core.errors import DataError
from athanor.models.meaning.embeddings import Vectors, checked

MAGIC, VERSION = 793712314, 12
HEAD = struct.Struct("<2i12id3i2q")
"""Magic, version; 12 whole arguments and one real; words and labels, words, labels, tokens, pruned buckets."""

AFTER = 10
"""Bytes of a dictionary entry from the zero that ends its word: that, a count of 8, a kind of 1."""

BLOCK = 1 << 20
"""Bytes read of the dictionary at a time, and of a word at most; a file with a longer one is no model."""


@dataclass(frozen=True)
class FastText:
    """The vector of a name is the mean of the rows of its word, if the model has it, and of its sub-words."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    def embed(self, names: Sequence[str]) -> Vectors:
        with open(self.path, "rb") as file:
            try:
                fields = HEAD.unpack(file.read(HEAD.size))
                buckets, shortest, longest = fields[10:13]
                size, words, pruned = fields[15], fields[16], fields[19]
                if fields[:2] != (MAGIC, VERSION) or not 0 <= words <= size:
                    raise ValueError("its first bytes are not those of version 12")
                at = _places(file, size, set(names))
                quantised, rows, dims = struct.unpack("<?2q", file.read(17))
                if quantised or pruned > 0 or rows < words + buckets or not 0 < dims < 1 << 16:
                    raise ValueError("it is quantised or cut")
                start = file.tell()
                matrix = np.memmap(self.path, "<f4", "r", start, (rows, dims))
            except (ValueError, struct.error) as error:
                raise DataError(
                    f"{self.path} is not a whole binary fastText model ({error}); fetch it again"
                ) from error
        found = np.zeros((len(names), dims), dtype=np.float32)
        for row, name in enumerate(names):
            parts = [at[name]] if name in at else []
            parts += [words + hashed(part) % buckets for part in subwords(name, shortest, longest)] if buckets else []
            if parts:
                found[row] = matrix[parts].mean(axis=0)
        return checked(self.name, names, found)


def subwords(word: str, shortest: int, longest: int) -> list[str]:
    """The sub-words of `<word>` of these lengths in characters; its first and last mark alone are none.

    >>> subwords("ab", 3, 4)
    ['<ab', '<ab>', 'ab>']
    """
    marked = f"<{word}>"
    ends = range(len(marked))
    lengths = range(max(shortest, 1), longest + 1)
    found = [(i, n) for i in ends for n in lengths if i + n <= len(marked)]
    return [marked[i : i + n] for i, n in found if n > 1 or 0 < i < len(marked) - 1]


def hashed(text: str) -> int:
    """FNV-1a over UTF-8 in 32 bits, where bytes above 127 count as negative, as fastText has it.

    >>> hashed("a") == 0xE40C292C
    True
    """
    found = 2166136261
    for byte in text.encode():
        found = ((found ^ (byte | 0xFFFFFF00 if byte > 127 else byte)) * 16777619) & 0xFFFFFFFF
    return found


def _places(file: BinaryIO, size: int, wanted: set[str]) -> dict[str, int]:
    """Rows of the wanted words; leaves the file behind the dictionary, where each entry has a count and a kind."""
    asked = {word.encode(): word for word in wanted}
    found: dict[str, int] = {}
    block, start = b"", 0
    for row in range(size):
        while (end := block.find(b"\0", start)) < 0 or len(block) < end + AFTER:
            more = file.read(BLOCK)
            if not more or len(block) - start > BLOCK:
                raise ValueError(f"its dictionary ends at word {row} of {size}")
            block, start = block[start:] + more, 0
        word = block[start:end]
        if word in asked:
            found[asked[word]] = row
        start = end + AFTER
    file.seek(start - len(block), 1)
    return found
