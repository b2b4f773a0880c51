"""Tokenizers, templates by role, and sequences."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from athanor.core.errors import DataError, UsageError
from athanor.core.records import Message
from athanor.models.unified.layout import TASKS, Layout, collate
from athanor.models.unified.model import CODE, SEEN, TEXT, attention_mask
from athanor.models.unified.templates import SYSTEM, TEMPLATES, Mark
from athanor.models.unified.text_tokenizer import SPECIAL_NAMES, FastTokenizer, WordTokenizer, tokenizer_of
from tests.models.unified.small import WORDS, fast, tokenizer_file

END, IMAGE = SPECIAL_NAMES[1], SPECIAL_NAMES[5]
WORD_LAYOUT = Layout(words=WORDS, template=TEMPLATES["words"], seen=4, codes=3, context=40)


def user(text: str, *images: bytes) -> Message:
    return Message(role="user", text=text, images=images)


def assistant(text: str) -> Message:
    return Message(role="assistant", text=text)


def written(template: str, *messages: Message) -> str:
    marks = {Mark.END: END, Mark.IMAGE: IMAGE}
    return "".join(
        piece.content if isinstance(piece.content, str) else marks[piece.content]
        for piece in TEMPLATES[template].pieces(messages)
    )


def published(system: str, *turns: tuple[str, str]) -> str:
    """The deepseek template as specified, by the number of a message, each without blanks at its ends."""
    text = f"{system}\n\n" if system else ""
    for i, (role, words) in enumerate((role, words.strip()) for role, words in turns):
        text += f"{role}: {words}" + ("\n\n", END)[i % 2] if words else f"{role}:"
    return text.strip()


@pytest.mark.parametrize("template", ["janus-pro", "janus"])
@pytest.mark.parametrize("system", ["", "Be brief."])
@pytest.mark.parametrize(
    "said", [("What is it?",), ("What?", "A cat."), ("What?", "A cat.", "Sure?"), (" padded ", "a", "b", "c")]
)
def test_turns_are_written_as_published(template: str, system: str, said: tuple[str, ...]):
    roles = {"janus-pro": ("<|User|>", "<|Assistant|>"), "janus": ("User", "Assistant")}[template]
    makers = (user, assistant)
    messages = [makers[i % 2](text) for i, text in enumerate(said)]
    turns = [(roles[i % 2], text) for i, text in enumerate(said)]
    if len(said) % 2:
        messages, turns = [*messages, assistant("")], [*turns, (roles[1], "")]
    first = [Message(role="system", text=system)] if system else []
    assert written(template, *first, *messages) == published(system, *turns)


def test_an_empty_message_is_written_as_published():
    assert written("janus-pro", user(""), assistant("")) == published("", ("<|User|>", ""), ("<|Assistant|>", ""))
    assert written("janus-pro", user("", b"1"), assistant("")) == f"<|User|>: {IMAGE}\n\n<|Assistant|>:"
    assert written("janus-pro", user("", b"1", b"2")) == f"<|User|>: {IMAGE}\n{IMAGE}"


def test_a_system_message_does_not_put_an_end_after_the_users_words():
    text = written("janus-pro", Message(role="system", text="Be brief."), user("Hi"), assistant("Ho"), user("Hey"))
    assert text == f"Be brief.\n\n<|User|>: Hi\n\n<|Assistant|>: Ho{END}<|User|>: Hey"
    by_parity = published("", ("System", "Be brief."), ("<|User|>", "Hi"))
    assert by_parity.endswith(f"Hi{END}")


def test_a_prompt_to_draw_has_no_system_message_and_ends_before_the_image_without_a_space():
    layout = Layout(words=fast(), template=TEMPLATES["janus-pro"], seen=4, codes=3, context=400)
    tokens, special = layout.prompt("two red circles"), layout.words.special
    assert (tokens[0], tokens[-1]) == (special.begin, special.begin_image)
    assert layout.words.decode(tokens) == "<|User|>: two red circles\n\n<|Assistant|>:"
    assert tokens[1:-1] == layout.words.encode("<|User|>: two red circles\n\n<|Assistant|>:")


def test_of_a_prompt_without_its_words_only_the_length_is_left():
    tokens, special = WORD_LAYOUT.prompt("two red circles"), WORDS.special
    bare = WORD_LAYOUT.unconditional(tokens)
    assert bare == [special.begin, *[special.pad] * (len(tokens) - 2), special.begin_image]


def test_images_stand_before_the_words_or_where_the_words_name_them():
    assert written("janus-pro", user("Same?", b"1", b"2")) == f"<|User|>: {IMAGE}\n{IMAGE}\nSame?"
    assert written("janus-pro", user(f"Is {IMAGE} like {IMAGE}?", b"1", b"2")) == f"<|User|>: Is {IMAGE} like {IMAGE}?"


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([], "no message"),
        ([user(f"{IMAGE} {IMAGE}", b"1")], "names 2 places for images and has 1"),
        ([user("hi", b"1"), Message(role="system", text="x")], "the first of a conversation"),
        ([user(f"a {END} b")], "a mark of the model"),
        ([user("hi"), assistant("<begin_of_image>")], "a mark of the model"),
        ([user("hi"), Message(role="assistant", text="x", images=(b"",))], "an assistant's message has images"),
    ],
)
def test_conversations_that_cannot_be_written_are_refused(messages: list[Message], said: str):
    with pytest.raises(UsageError, match=said):
        TEMPLATES["janus-pro"].pieces(messages)


def test_soft_tokens_stand_between_the_marks_of_an_image():
    special = WORDS.special
    image = torch.zeros(3, 8, 8)
    sample = WORD_LAYOUT.conversation([user("how many circles?", b"x"), assistant("two")], [image])
    at = list(sample.tokens).index(special.begin_image)
    assert list(sample.tokens[at : at + 6]) == [special.begin_image, *[special.image] * 4, special.end_image]
    assert list(sample.kinds[at : at + 6]) == [TEXT, SEEN, SEEN, SEEN, SEEN, TEXT]


def test_only_answers_and_their_end_are_learned_or_all_text():
    image = torch.zeros(3, 8, 8)
    messages = [user("how many circles?", b"x"), assistant("two")]
    answers = WORD_LAYOUT.conversation(messages, [image])
    assert list(answers.tokens[answers.learned]) == [*WORDS.encode("two"), WORDS.special.end]
    whole = WORD_LAYOUT.conversation(messages, [image], learn="text")
    learned = [*WORDS.encode("how many circles ? :"), *WORDS.encode("two"), WORDS.special.end]
    assert list(whole.tokens[whole.learned]) == learned
    assert (answers.task, whole.task) == (TASKS.index("understanding"),) * 2


def test_an_answer_is_cut_from_its_prompt_where_the_prompt_to_answer_ends():
    layout = Layout(words=fast(), template=TEMPLATES["janus-pro"], seen=4, codes=3, context=400)
    asked = layout.conversation([user("two?"), assistant("")])
    told = layout.conversation([user("two?"), assistant("blue")])
    assert list(told.tokens[: len(asked)]) == list(asked.tokens)
    assert told.learned.tolist() == [False] * len(asked) + [True] * (len(told) - len(asked))


def test_the_system_message_of_the_template_comes_with_images_alone_and_can_be_emptied():
    layout = Layout(words=fast(), template=TEMPLATES["janus-pro"], seen=4, codes=3, context=999)
    image = [torch.zeros(3, 8, 8)]
    seen = layout.conversation([user("two?", b"x")], image)
    plain = layout.conversation([user("two?")])
    emptied = layout.conversation([Message(role="system", text=""), user("two?", b"x")], image)
    assert layout.words.decode(seen.tokens.tolist()).startswith(SYSTEM)
    assert layout.words.decode(plain.tokens.tolist()) == "<|User|>: two?"
    assert layout.words.decode(emptied.tokens.tolist()) == "<|User|>: \ntwo?"


def test_a_drawing_learns_its_codes_alone_and_the_mark_before_predicts_the_first():
    sample = WORD_LAYOUT.drawing("two red circles", np.array([7, 8, 9]))
    batch = collate([[sample]])
    at = list(sample.tokens).index(WORDS.special.begin_image)
    assert batch.targets[0].tolist() == [-1] * at + [7, 8, 9, -1]
    assert batch.kinds[0, at + 1 :].tolist() == [CODE] * 3
    with pytest.raises(UsageError, match="an image is 3 codes"):
        WORD_LAYOUT.drawing("two", np.array([7, 8]))


def test_packed_sequences_do_not_see_each_other_and_count_their_places_from_zero():
    one, other = WORD_LAYOUT.text("a red circle"), WORD_LAYOUT.text("two")
    batch = collate([[one, other], [other]], length=10)
    assert batch.segments.tolist() == [[1] * 5 + [2] * 3 + [0] * 2, [1] * 3 + [0] * 7]
    assert batch.positions[0].tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 0, 0]
    assert batch.targets[0, 4] == -1
    mask = attention_mask(batch.segments)[0, 0]
    assert mask[5, :5].any().item() is False
    assert mask[4].tolist() == [True] * 5 + [False] * 5
    assert mask.any(-1).all()
    with pytest.raises(UsageError, match="pack fewer"):
        collate([[one, other]], length=7)


def test_what_does_not_fit_into_the_context_is_refused_with_its_length():
    with pytest.raises(UsageError, match="takes 5007 tokens, the model's context has 40"):
        WORD_LAYOUT.prompt("red " * 5000 + ":")
    with pytest.raises(UsageError, match="a conversation of 1 messages"):
        WORD_LAYOUT.conversation([user("red " * 40)])
    with pytest.raises(UsageError, match="the text"):
        WORD_LAYOUT.text("red " * 40)


def test_an_empty_prompt_is_a_prompt():
    assert WORD_LAYOUT.prompt("")[0] == WORDS.special.begin
    assert len(WORD_LAYOUT.prompt("")) == 3


def test_words_are_a_closed_vocabulary():
    assert WORDS.decode(WORDS.encode("Two  RED circles?")) == "two red circles?"
    with pytest.raises(UsageError, match=r"does not know the word 'elephant'; it knows 19: a, red"):
        WORDS.encode("a red elephant")
    with pytest.raises(UsageError, match=r"the word 'circel' \(near it: circle, circles\); it knows"):
        WORDS.encode("a red circel")
    with pytest.raises(UsageError, match="twice"):
        WordTokenizer(("a", "a"))
    with pytest.raises(UsageError, match="'Red' is none"):
        WordTokenizer(("Red",))


@pytest.mark.parametrize("before", [0, 13])
def test_special_tokens_are_looked_up_wherever_they_stand(before: int):
    tokenizer = fast(before)
    vocabulary = json.loads(tokenizer_file(before))["added_tokens"]
    ids = {one["content"]: one["id"] for one in vocabulary}
    assert tuple(tokenizer.special) == tuple(ids[name] for name in SPECIAL_NAMES)
    assert tokenizer.special.pad == fast(0).special.pad + before
    assert tokenizer.size == 1 + max(ids.values())


def test_tokenizers_are_read_again_as_they_were_written(tmp_path: Path):
    for name, tokenizer in (("words", WORDS), ("fast", fast())):
        (tmp_path / name).mkdir()
        tokenizer.save(tmp_path / name)
        again = tokenizer_of(tmp_path / name)
        assert again.special == tokenizer.special
        assert again.encode("two red circles") == tokenizer.encode("two red circles")


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [("words.json", b"[]", "is not of the form"), ("words.json", b'{"words": [1]}', "must be a list"),
     ("tokenizer.json", b"{", "no tokenizer that can be read"), ("other", b"", "has no tokenizer.json")],
)  # fmt: skip
def test_torn_tokenizers_are_refused(tmp_path: Path, file: str, content: bytes, said: str):
    (tmp_path / file).write_bytes(content)
    with pytest.raises(DataError, match=said):
        tokenizer_of(tmp_path)


def test_a_tokenizer_without_the_special_tokens_is_refused():
    content = json.loads(tokenizer_file())
    content["added_tokens"] = [one for one in content["added_tokens"] if one["content"] != "<end_of_image>"]
    with pytest.raises(DataError, match="has no token <end_of_image>"):
        FastTokenizer({"tokenizer.json": json.dumps(content).encode()}, "it")
