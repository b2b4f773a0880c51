"""A conversation as the text that a model was taught to read, by the role of each message.

The published code chooses what follows a message by whether its number is even, so that a system message among them
puts the end of an answer after the user's words. Here the role decides; for a user and an assistant who take turns
both give the same text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from msgspec import structs

from athanor.core.errors import UsageError
from athanor.core.records import Message
from athanor.models.unified.text_tokenizer import IMAGE_NAME, SPECIAL_NAMES


class Mark(Enum):
    """What is no text in a conversation."""

    END = "end of an answer"
    IMAGE = "an image"


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A part of a conversation, encoded by itself."""

    content: str | Mark
    answer: bool = False
    """Whether the assistant says it."""


@dataclass(frozen=True, kw_only=True)
class Template:
    """How a conversation is written."""

    user: str
    """Before a user's words, a colon and a space included."""
    assistant: str
    between: str
    """After a system's and after a user's words."""
    after_image: str
    """After an image whose place the text does not name."""
    system: str = ""
    """Said first where a conversation about images has no system message."""

    def pieces(self, messages: Sequence[Message]) -> tuple[Piece, ...]:
        """The parts of a conversation; if its last message is an assistant's and empty, up to where it is to answer.

        Images stand where the text has `<image_placeholder>`, or before it. Blanks at both ends of what a user or an
        assistant says are left out, as by the released processor. UsageError if the two do not agree in number, if a
        message spells another special token, or if a system message is not the first.
        """
        text, made = "", []
        for piece in self._all(messages):
            if isinstance(piece.content, str) and not piece.answer:
                text += piece.content
                continue
            made += [Piece(content=text)] if text else []
            made.append(piece)
            text = ""
        made += [Piece(content=text)] if text else []
        return _stripped(made)

    def prompt(self, prompt: str) -> tuple[Piece, ...]:
        """The parts of a request to draw, up to where the image begins; nobody's system message comes first."""
        return self.pieces([Message(role="user", text=_plain(prompt)), Message(role="assistant", text="")])

    def _all(self, messages: Sequence[Message]) -> Iterator[Piece]:
        if not messages:
            raise UsageError("a conversation has no message; give at least a user's")
        for i, whole in enumerate(messages):
            message = whole if whole.role == "system" else structs.replace(whole, text=whole.text.strip())
            if message.role == "assistant" and message.images:
                raise UsageError("an assistant's message has images; put them into a user's message")
            if message.role == "system":
                if i or message.images:
                    raise UsageError(
                        "a system message is the first of a conversation and has no images; put it there, and the "
                        "images into a user's message"
                    )
                yield Piece(content=_plain(message.text) + (self.between if message.text else ""))
            elif message.role == "user":
                yield Piece(content=self.user if message.text or message.images else self.user.rstrip())
                yield from self._user(message)
                yield Piece(content=self.between if message.text or message.images else "")
            else:
                yield Piece(content=self.assistant.rstrip())
                if message.text:
                    space = self.assistant[len(self.assistant.rstrip()) :]
                    yield Piece(content=space + _plain(message.text), answer=True)
                    yield Piece(content=Mark.END, answer=True)

    def _user(self, message: Message) -> Iterator[Piece]:
        parts = message.text.split(IMAGE_NAME)
        count = len(message.images)
        if len(parts) == 1:
            last = self.after_image + parts[0] if parts[0] else ""
            parts = [""] + [self.after_image] * (count - 1) + [last] if count else parts
        if len(parts) != count + 1:
            raise UsageError(
                f"a message names {len(parts) - 1} places for images and has {count} images; write {IMAGE_NAME} once "
                "for each, or not at all"
            )
        for i, part in enumerate(parts):
            if i:
                yield Piece(content=Mark.IMAGE)
            yield Piece(content=_plain(part))


def _plain(text: str) -> str:
    """The text. UsageError if it spells a special token, which would change what the others mean."""
    found = next((name for name in SPECIAL_NAMES if name in text), None)
    if found:
        raise UsageError(f"a text holds {found}, which is a mark of the model and no word; leave it out")
    return text


def _stripped(pieces: list[Piece]) -> tuple[Piece, ...]:
    """Without blanks at both ends of the whole."""
    if pieces and isinstance(pieces[0].content, str):
        pieces[0] = Piece(content=pieces[0].content.lstrip(), answer=pieces[0].answer)
    if pieces and isinstance(pieces[-1].content, str):
        pieces[-1] = Piece(content=pieces[-1].content.rstrip(), answer=pieces[-1].answer)
    return tuple(piece for piece in pieces if piece.content)


SYSTEM = (
    "You are a helpful language and vision assistant. You are able to understand the visual content that the user "
    "provides, and assist the user with a variety of tasks using natural language."
)
"""What the published understanding examples begin with."""

TEMPLATES = {
    "janus-pro": Template(
        user="<|User|>: ", assistant="<|Assistant|>: ", between="\n\n", after_image="\n", system=SYSTEM
    ),
    "janus": Template(user="User: ", assistant="Assistant: ", between="\n\n", after_image="\n", system=SYSTEM),
    "words": Template(user="", assistant=": ", between=" ", after_image=" "),
}
"""Of Janus-Pro, of Janus-1.3B, and of models with a vocabulary of words."""
