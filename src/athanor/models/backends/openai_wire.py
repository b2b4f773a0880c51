"""The chat-completions format: a request's JSON body, and an answer read back from bytes."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import msgspec

from athanor.core.errors import UsageError
from athanor.core.records import Completion, Message, Sampling, TokenLogprob
from athanor.models.backends.retries import Fault, message_of


def request_body(sampling: Sampling, token_parameter: str, grammar_parameter: str) -> dict[str, Any]:
    """The fields of a request beside model and messages. UsageError if a grammar is asked for and none is taken."""
    body: dict[str, Any] = {token_parameter: sampling.max_tokens}
    offered = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed,
        "reasoning_effort": sampling.reasoning_effort,
    }
    body |= {name: value for name, value in offered.items() if value is not None}
    if sampling.top_logprobs:
        body |= {"logprobs": True, "top_logprobs": sampling.top_logprobs}
    if sampling.grammar is not None:
        if not grammar_parameter:
            raise UsageError(
                "--constrained was given and --http.grammar-parameter is empty, the name of the request's field for a "
                "GBNF grammar was expected; pass it (`grammar` for llama-server), or play unconstrained"
            )
        body[grammar_parameter] = sampling.grammar
    return body


def wire_message(message: Message) -> dict[str, Any]:
    """A message as JSON: plain text, or its images as data URLs followed by the text."""
    if not message.images:
        return {"role": message.role, "content": message.text}
    parts: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": data_url(i)}} for i in message.images]
    return {"role": message.role, "content": [*parts, {"type": "text", "text": message.text}]}


def data_url(image: bytes) -> str:
    """A PNG or JPEG file as a data URL, told apart by its first bytes. UsageError for anything else."""
    if image.startswith(b"\x89PNG\r\n\x1a\n"):
        kind = "png"
    elif image.startswith(b"\xff\xd8\xff"):
        kind = "jpeg"
    else:
        raise UsageError(f"an image starts with {image[:8]!r}, a PNG or JPEG file was expected; convert it to PNG")
    return f"data:image/{kind};base64,{b64encode(image).decode()}"


class _Part(msgspec.Struct):
    """A piece of a message; which field is there goes by its type."""

    text: str | None = None
    refusal: str | None = None
    thinking: Any = None  # Mistral: a list of parts


class _Said(msgspec.Struct):
    content: str | list[str | _Part] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None  # DeepSeek, llama-server, older vLLM
    reasoning: Any = None  # OpenRouter, vLLM: text; others: an object that is not shown


class _Alternative(msgspec.Struct):
    token: str
    logprob: float


class _Token(_Alternative):
    top_logprobs: list[_Alternative] | None = None


class _Logprobs(msgspec.Struct):
    content: list[_Token] | None = None


class _Choice(msgspec.Struct):
    message: _Said
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class Usage(msgspec.Struct):
    """Token counts as servers report them."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None
    prompt_cache_hit_tokens: int | None = None  # DeepSeek

    @property
    def cached(self) -> int | None:
        found = self.prompt_tokens_details.cached_tokens if self.prompt_tokens_details else None
        return self.prompt_cache_hit_tokens if found is None else found

    @property
    def reasoned(self) -> int | None:
        return self.completion_tokens_details.reasoning_tokens if self.completion_tokens_details else None


class _Answer(msgspec.Struct):
    choices: list[_Choice] | None = None
    model: str | None = None
    usage: Usage | None = None
    error: Any = None  # some gateways report a failure under HTTP 200


_decode = msgspec.json.Decoder(_Answer).decode
_NO_ANSWER = ("content_filter", "refusal")


def read_answer(data: bytes, model: str, most: int) -> tuple[Completion, Usage]:
    """A completion (without cost, seconds and attempts) and its usage, from the body of an answer.

    Text and reasoning are cut to `most` bytes of UTF-8 each; `finish` of a cut text is `cut`, and its logprobs are
    those of the kept tokens. Without content the text is empty: a model that thought until its last token has not
    answered; without any token it is the server that has not. A message with nothing but a refusal has that as its
    text, and `refusal` as its finish. Fault if the body is no answer: that is the server's.
    """
    try:
        answer = _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Fault(f"the server's answer is not a chat completion in JSON ({error})") from error
    if not answer.choices:
        said = f": {message_of(answer.error)}" if answer.error else ""
        raise Fault(f"the server's answer has no choices{said}")
    choice, usage = answer.choices[0], answer.usage or Usage()
    text, refusal, reasoning = _words(choice.message)
    finish = choice.finish_reason or "unknown"
    if refusal and not text:
        text, finish = refusal, "content_filter" if finish == "content_filter" else "refusal"
    if choice.finish_reason == "error" or not (text or reasoning or choice.finish_reason):
        raise Fault("the server's answer has neither text nor a reason why it ended")
    if not (text or reasoning or usage.completion_tokens or usage.reasoned or finish in ("length", "content_filter")):
        raise Fault("the server's answer is empty, and no token was counted for it")
    kept = _cut(text, most)
    tokens = choice.logprobs.content if choice.logprobs else None
    completion = Completion(
        text=kept,
        model=answer.model or model,
        reasoning=_cut(reasoning, most),
        finish="cut" if len(kept) < len(text) and finish not in _NO_ANSWER else finish,
        prompt_tokens=usage.prompt_tokens,
        cached_tokens=usage.cached,
        completion_tokens=usage.completion_tokens,
        reasoning_tokens=usage.reasoned,
        logprobs=_logprobs(tokens or [], len(kept) if len(kept) < len(text) else None),
    )
    return completion, usage


def _words(message: _Said) -> tuple[str, str, str]:
    """A message's text, refusal and reasoning, of which any may be empty; parts are joined."""
    whole = [message.content] if isinstance(message.content, str) else message.content or []
    parts = [_Part(text=part) if isinstance(part, str) else part for part in whole]
    reasoning = message.reasoning_content or (message.reasoning if isinstance(message.reasoning, str) else "")
    return (
        "".join(part.text or "" for part in parts),
        message.refusal or "".join(part.refusal or "" for part in parts),
        reasoning or "".join(_thought(part.thinking) for part in parts),
    )


def _thought(thinking: Any) -> str:
    """Reasoning as text: it comes as such, or as parts with a text."""
    if isinstance(thinking, list):
        return "".join(str(part.get("text") or "") for part in thinking if isinstance(part, dict))
    return thinking if isinstance(thinking, str) else ""


def _cut(text: str, most: int) -> str:
    """The text, or as many of its whole characters as fit in `most` bytes of UTF-8."""
    data = text.encode()
    return text if len(data) <= most else data[:most].decode(errors="ignore")


def _logprobs(tokens: list[_Token], characters: int | None) -> tuple[TokenLogprob, ...]:
    """The tokens as records; only those within the first `characters` of the text unless None."""
    kept, length = [], 0
    for token in tokens:
        length += len(token.token)
        if characters is not None and length > characters:
            break
        top = tuple((other.token, other.logprob) for other in token.top_logprobs or ())
        kept.append(TokenLogprob(token=token.token, logprob=token.logprob, top=top))
    return tuple(kept)
