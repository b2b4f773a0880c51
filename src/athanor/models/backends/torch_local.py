"""A Hugging Face model in this process, through PyTorch: what post-training wrote, asked like any other model.

Requests that arrive together are answered as one batch. Each row draws from a stream of its own, by its request's
seed, so that an answer does not depend on which others it shared a batch with (but for the last digits of the
arithmetic, which padding can change).
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import inf
from secrets import randbits
from time import perf_counter
from typing import Any

from athanor.core.errors import BackendError, UsageError
from athanor.core.options import refuse_outside
from athanor.core.records import Completion, Message, Sampling, TokenLogprob
from athanor.models.backends.pretrained import (
    Attention,
    Dtype,
    device_of,
    locate,
    processor_of,
    prompt_of,
    sees,
    tokenizer_of,
    weights_of,
)
from athanor.models.backends.torch_draw import Asked, Drawn, generate, generate_seen, pictures_of


@dataclass(frozen=True, kw_only=True)
class TorchConfig:
    """How a Hugging Face model is run."""

    device: str = "auto"
    """auto is the first GPU, else the CPU; or a name such as cpu, cuda:1, mps."""
    dtype: Dtype = "float32"
    """Of the weights and the arithmetic."""
    attention: Attention = "sdpa"
    """How attention is computed; flash_attention_2 needs its package and a GPU."""
    batch: int = 8
    """Requests answered at once."""
    download: bool = False
    """Fetch a model that is named OWNER/NAME and not in the local cache."""


class TorchBackend:
    """Backend over one model's weights. Log-probabilities are the model's own, before temperature and top_p."""

    def __init__(self, model: str, config: TorchConfig) -> None:
        """`model`: see `pretrained.locate`."""
        refuse_outside(config, {"batch": (1, inf)}, "torch")
        path = locate(model, download=config.download)
        self._processor = processor_of(path) if sees(path) else None
        self._tokenizer = self._processor.tokenizer if self._processor else tokenizer_of(path)
        self._device = device_of(config.device)
        vision = self._processor is not None
        try:
            made = weights_of(path, dtype=config.dtype, attention=config.attention, vision=vision)
            self._model = made.eval().to(self._device)
        except (RuntimeError, AssertionError) as error:
            raise UsageError(
                f"the model cannot be put on the device {self._device!r} ({str(error).splitlines()[0]}); pass "
                "--torch.device cpu, or the name of a device that is here and has room"
            ) from error
        self.name = path.stem if path.is_file() else path.resolve().name
        self.slots = config.batch
        self._ends = ends(self._model, self._tokenizer)
        self._longest = getattr(self._model.config.get_text_config(), "max_position_embeddings", None) or inf
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="torch")
        self._waiting: list[tuple[Asked, asyncio.Future[Completion]]] = []
        self._worker: asyncio.Task[None] | None = None

    async def complete(self, messages: tuple[Message, ...], sampling: Sampling) -> Completion:
        refuse_sampling(sampling)
        asked = self._read(messages, sampling)
        future: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await future

    def logprobs(self, messages: tuple[Message, ...], answer: str) -> tuple[TokenLogprob, ...]:
        """How likely a given answer is, token by token, its end not counted: one forward pass, nothing cached."""
        import torch

        prompt, _, images = self._prompt(messages)
        if images:
            raise UsageError("likelihoods are told of answers to words; ask without pictures")
        said = self._tokenizer(answer, add_special_tokens=False)["input_ids"]
        with torch.inference_mode():
            rows = torch.tensor([prompt + said], device=self._device)
            logits = self._model(input_ids=rows, use_cache=False).logits[0, len(prompt) - 1 : -1].float()
            found = logits.log_softmax(-1).gather(1, rows[0, len(prompt) :, None])[:, 0].tolist()
        return tuple(TokenLogprob(token=self._text([t]), logprob=p) for t, p in zip(said, found, strict=True))

    async def close(self) -> None:
        self._pool.shutdown(wait=True)

    async def _work(self) -> None:
        """Answer what waits, batch by batch; what one request brings down ends only the batch it is in."""
        await asyncio.sleep(0)  # requests of the same moment join the first batch
        while self._waiting:
            batch, self._waiting = self._waiting[: self.slots], self._waiting[self.slots :]
            try:
                answers = await asyncio.get_running_loop().run_in_executor(
                    self._pool, self._answer, [asked for asked, _ in batch]
                )
            except Exception as error:
                advice = "; pass a smaller --torch.batch" if "memory" in str(error) else ""
                answers = [BackendError(f"the model {self.name} could not answer ({error}){advice}")] * len(batch)
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    if isinstance(answer, Exception):
                        future.set_exception(answer)
                    else:
                        future.set_result(answer)

    def _read(self, messages: tuple[Message, ...], sampling: Sampling) -> Asked:
        prompt, text, images = self._prompt(messages)
        if len(prompt) + sampling.max_tokens > self._longest:
            raise BackendError(
                f"{len(prompt)} tokens of prompt and {sampling.max_tokens} of answer were asked for, the model has "
                f"{self._longest}; show less of the past (--history window or tried) or pass a smaller --max-tokens"
            )
        usual = self._model.generation_config
        plain = (usual.temperature or 1.0, usual.top_p or 1.0) if usual.do_sample else (0.0, 1.0)
        temperature = plain[0] if sampling.temperature is None else sampling.temperature
        top_p = plain[1] if sampling.top_p is None else sampling.top_p
        if temperature < 0 or not 0 < top_p <= 1:
            raise UsageError(
                f"temperature {temperature} and top_p {top_p} were given, 0 or more and 0 to 1 were expected; pass such"
            )
        seed = randbits(31) if sampling.seed is None else sampling.seed
        return Asked(prompt, sampling, temperature, top_p, seed, text, images)

    def _prompt(self, messages: tuple[Message, ...]) -> tuple[list[int], str, tuple[bytes, ...]]:
        """A conversation in tokens; with pictures, as text too, and the pictures. UsageError for a model that does not
        see."""
        images = tuple(image for message in messages for image in message.images)
        if self._processor is None:
            if images:
                raise UsageError(blind(self.name))
            said = [{"role": message.role, "content": message.text} for message in messages]
            return prompt_of(self._tokenizer, said), "", ()
        parted = [
            {"role": message.role, "content": [{"type": "image"}] * len(message.images)
             + [{"type": "text", "text": message.text}]} for message in messages
        ]  # fmt: skip
        text = prompt_of(self._processor, parted, tokenize=False)
        shown = {"images": [pictures_of(images)]} if images else {}
        return list(self._processor(text=[text], **shown)["input_ids"][0]), text, images

    def _answer(self, batch: list[Asked]) -> list[Completion]:
        started = perf_counter()
        drawn = self._drawn(batch)
        seconds = round(perf_counter() - started, 6)
        return [
            Completion(
                text=self._text(one.tokens),
                model=self.name,
                finish="stop" if one.ended else "length",
                prompt_tokens=len(asked.prompt),
                completion_tokens=len(one.tokens) + one.ended,
                seconds=seconds,
                logprobs=self._told(asked, one) if asked.sampling.top_logprobs else (),
            )
            for asked, one in zip(batch, drawn, strict=True)
        ]

    def _drawn(self, batch: list[Asked]) -> list[Drawn]:
        """Answers to prompts with and without pictures."""
        found: dict[int, Drawn] = {}
        seen = [k for k, asked in enumerate(batch) if asked.images]
        read = [k for k, asked in enumerate(batch) if not asked.images]
        if seen:
            those = [batch[k] for k in seen]
            drawn = generate_seen(self._model, self._processor, those, self._ends, self._device)
            found |= zip(seen, drawn, strict=True)
        if read:
            those, pad = [batch[k] for k in read], self._tokenizer.pad_token_id
            found |= zip(read, generate(self._model, those, pad, self._ends, self._device), strict=True)
        return [found[k] for k in range(len(batch))]

    def _told(self, asked: Asked, drawn: Drawn) -> tuple[TokenLogprob, ...]:
        return tuple(
            TokenLogprob(token=self._text([token]), logprob=logprob, top=tuple((self._text([t]), p) for t, p in top))
            for token, logprob, top in zip(drawn.tokens, drawn.logprobs, drawn.tops, strict=True)
        )

    def _text(self, tokens: list[int]) -> str:
        return self._tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def blind(name: str) -> str:
    """What is said where a model is to see that reads text alone."""
    return (
        f"the model {name} reads text, and what is asked is shown in pictures; pass --model with a vision-language "
        "model, or have it told in words (without --vision and --look)"
    )


def refuse_sampling(sampling: Sampling) -> None:
    """UsageError for a setting that this backend can never keep."""
    if sampling.grammar is not None:
        raise UsageError(
            "--constrained was given, and the backend torch knows no grammars; play unconstrained, or use --backend "
            "llamacpp or a server that takes grammars"
        )
    if sampling.reasoning_effort is not None:
        raise UsageError("reasoning effort is not a setting of the backend torch; leave --reasoning-effort out")


def ends(model: Any, tokenizer: Any) -> frozenset[int]:
    """The tokens that end an answer: the tokenizer's, and those that the model declares."""
    declared = model.generation_config.eos_token_id
    more = declared if isinstance(declared, list) else [] if declared is None else [declared]
    return frozenset([tokenizer.eos_token_id, *more])
