"""Text to tokens and back. Special tokens are looked up by name, never assumed: their ids differ between releases."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple, Protocol, cast

from athanor.core.disk import write_atomically
from athanor.core.errors import DataError, UsageError

WORDS_FILE, FAST_FILE = "words.json", "tokenizer.json"
_BESIDE = ("tokenizer_config.json", "special_tokens_map.json")
_PIECES = re.compile(r"\w+|[^\w\s]")
_TIGHT = frozenset("?.,!;:")


class Special(NamedTuple):
    """The tokens with a meaning of their own: their ids, or their names."""

    begin: int
    end: int
    """Ends an answer."""
    pad: int
    begin_image: int
    end_image: int
    image: int
    """Holds the place of a soft token of an image to understand."""


SPECIAL_NAMES = (
    "<｜begin▁of▁sentence｜>",
    "<｜end▁of▁sentence｜>",
    "<｜▁pad▁｜>",
    "<begin_of_image>",
    "<end_of_image>",
    "<image_placeholder>",
)
"""As the published tokenizers spell them, in the order of Special."""
IMAGE_NAME = SPECIAL_NAMES[5]


class TextTokenizer(Protocol):
    """What the rest of the package asks of a tokenizer."""

    special: Special
    size: int
    """Ids are 0 to size - 1."""

    def encode(self, text: str) -> list[int]:
        """Tokens of a text; none is added. UsageError if the text cannot be written in them."""
        ...

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens, special ones left out."""
        ...

    def save(self, folder: Path) -> None:
        """Write what `tokenizer_of` reads."""
        ...


class WordTokenizer:
    """A closed vocabulary of lower-case words and marks, each a token.

    >>> words = WordTokenizer(("a", "red", "circle", "?"))
    >>> words.decode(words.encode("A red circle?"))
    'a red circle?'
    """

    def __init__(self, words: Sequence[str]) -> None:
        """UsageError if a word is written twice or could never be met in a text."""
        self.words = tuple(words)
        self.special = Special(*range(len(SPECIAL_NAMES)))
        self._ids = {word: len(SPECIAL_NAMES) + i for i, word in enumerate(self.words)}
        self.size = len(SPECIAL_NAMES) + len(self.words)
        wrong = [word for word in self.words if _PIECES.findall(word.lower()) != [word]]
        if wrong or len(self._ids) < len(self.words):
            found = f"{wrong[0]!r} is none" if wrong else "some word is there twice"
            raise UsageError(f"a vocabulary is made of different lower-case words or marks; {found}: mend the list")

    def encode(self, text: str) -> list[int]:
        """The tokens of a text's words and marks; how they are spaced and capitalised is not kept."""
        pieces = _PIECES.findall(text.lower())
        unknown = [piece for piece in pieces if piece not in self._ids]
        if unknown:
            near = ", ".join(get_close_matches(unknown[0], self.words))
            raise UsageError(
                f"the model does not know the word {unknown[0]!r}{f' (near it: {near})' if near else ''}; "
                f"it knows {len(self.words)}: {', '.join(self.words)}; use those"
            )
        return [self._ids[piece] for piece in pieces]

    def decode(self, tokens: Sequence[int]) -> str:
        """The words of tokens, with a space before each but not before a mark that ends something."""
        first = len(SPECIAL_NAMES)
        text = ""
        for word in (self.words[token - first] for token in tokens if first <= token < self.size):
            text += word if word in _TIGHT or not text else f" {word}"
        return text

    def save(self, folder: Path) -> None:
        """Write `words.json`."""
        write_atomically(folder / WORDS_FILE, json.dumps({"words": self.words}, ensure_ascii=False).encode())


class FastTokenizer:
    """A published `tokenizer.json`, read as it stands: no class that a configuration names is put around it."""

    def __init__(self, files: dict[str, bytes], where: str) -> None:
        """Of the contents of `tokenizer.json` and what lay beside it. DataError if a special token is not there."""
        from tokenizers import Tokenizer

        self.files = files
        try:
            self._inner = Tokenizer.from_str(files[FAST_FILE].decode())
        except Exception as error:  # the library raises nothing more specific
            raise DataError(f"{where} is no tokenizer that can be read ({error}); copy it again") from error
        self._inner.no_padding()
        self._inner.no_truncation()
        ids = [self._inner.token_to_id(name) for name in SPECIAL_NAMES]
        missing = [name for name, found in zip(SPECIAL_NAMES, ids, strict=True) if found is None]
        if missing:
            raise DataError(
                f"{where} has no token {missing[0]}, which a unified model needs; pass the tokenizer that came with it"
            )
        self.special = Special(*cast("list[int]", ids))
        self.size = 1 + max(self._inner.get_vocab(with_added_tokens=True).values())

    def encode(self, text: str) -> list[int]:
        """Tokens of a text. Special tokens that it spells are recognised: `layout` refuses those of a user."""
        return self._inner.encode(text, add_special_tokens=False).ids

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens, special ones left out."""
        return self._inner.decode(list(tokens), skip_special_tokens=True)

    def save(self, folder: Path) -> None:
        """Write the files again as they were read."""
        for name, data in self.files.items():
            write_atomically(folder / name, data)


def marked(folder: Path) -> tuple[FastTokenizer, tuple[int, ...]]:
    """The `tokenizer.json` of a language model with the marks that it lacked added at its end, and these marks' ids.
    DataError if there is none."""
    from tokenizers import Tokenizer

    path = folder / FAST_FILE
    if not path.is_file():
        raise DataError(f"{folder} has no {FAST_FILE}; put the language model's tokenizer there")
    try:
        inner = Tokenizer.from_str(path.read_bytes().decode())
    except Exception as error:  # the library raises nothing more specific
        raise DataError(f"{path} is no tokenizer that can be read ({error}); copy it again") from error
    lacking = [name for name in SPECIAL_NAMES if inner.token_to_id(name) is None]
    inner.add_special_tokens(lacking)
    new = tuple(cast("int", inner.token_to_id(name)) for name in lacking)
    files = {name: (folder / name).read_bytes() for name in _BESIDE if (folder / name).is_file()}
    return FastTokenizer({FAST_FILE: inner.to_str().encode(), **files}, str(path)), new


def tokenizer_of(folder: Path) -> TextTokenizer:
    """The tokenizer in a folder: `words.json`, or else `tokenizer.json`. DataError if it has neither, or a torn one."""
    words, fast = folder / WORDS_FILE, folder / FAST_FILE
    try:
        if words.is_file():
            return _words(words)
        if fast.is_file():
            found = (folder / name for name in (FAST_FILE, *_BESIDE))
            return FastTokenizer({path.name: path.read_bytes() for path in found if path.is_file()}, str(fast))
    except OSError as error:
        raise DataError(f"the tokenizer in {folder} cannot be read ({error}); copy it again") from error
    raise DataError(f"{folder} has no {FAST_FILE} and no {WORDS_FILE}; put the model's tokenizer there")


def _words(path: Path) -> WordTokenizer:
    try:
        words = json.loads(path.read_bytes())["words"]
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise ValueError("words must be a list of strings")
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f'{path} is not of the form {{"words": [...]}} ({error}); copy it again') from error
    return WordTokenizer(words)
