"""A unified model in lmms-eval's form."""

from __future__ import annotations

from typing import Any

from lmms_eval.api.model import lmms  # pyright: ignore[reportMissingImports]

from athanor.adapters.understanding import MOST, Understanding
from athanor.core.errors import UsageError


class AthanorUnified(lmms):
    """Asked by lmms-eval: `--model athanor_unified --model_args model=FOLDER,dtype=bfloat16`."""

    def __init__(
        self, model: str, device: str = "auto", dtype: str = "", template: str = "", system: str = "",
        batch_size: int | str = 16, **rest: Any,
    ) -> None:  # fmt: skip
        """`rest`: what the host gives every model, such as `max_batch_size`; UsageError if anything else is in it."""
        super().__init__()
        if unknown := [name for name, value in rest.items() if value is not None and name not in HOST]:
            raise UsageError(f"model_args has {', '.join(unknown)}, which this model does not have; leave it out")
        batch = int(batch_size) if str(batch_size).isdigit() else 16
        self._asked = Understanding(
            model, device=device or "auto", dtype=dtype, template=template, system=system, batch=batch
        )  # fmt: skip

    def generate_until(self, requests: list[Any]) -> list[str]:
        """An answer to each request, in their order; those with the same settings are answered together."""
        alike: dict[tuple[Any, ...], list[int]] = {}
        for n, request in enumerate(requests):
            alike.setdefault(_settings(request.args[1]), []).append(n)
        found = [""] * len(requests)
        for (most, temperature, top_p, until), where in alike.items():
            asked = [self._parts(*requests[n].args) for n in where]
            said = self._asked.answers(asked, most=most, temperature=temperature, top_p=top_p, until=until)
            for n, answer in zip(where, said, strict=True):
                found[n] = answer
                self.cache_hook.add_partial("generate_until", (requests[n].args[0], requests[n].args[1]), answer)
        return found

    def _parts(self, context: str, _: Any, visual: Any, doc: Any, task: str, split: str) -> list[Any]:
        """The images of a question, then its text. UsageError for what is no image."""
        images = visual(self.task_dict[task][split][doc]) or []
        if odd := next((one for one in images if not hasattr(one, "convert")), None):
            raise UsageError(f"{task} shows a {type(odd).__name__}, an image was expected; pass another task")
        return [*images, context]

    def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
        raise UsageError(
            "a task asks for the likelihood of given answers; pass one whose output_type is generate_until"
        )

    def generate_until_multi_round(self, requests: list[Any]) -> list[str]:
        raise UsageError("a task asks in several rounds, which this model is not asked in; pass another task")


HOST = ("max_batch_size",)


def _settings(told: dict[str, Any]) -> tuple[int, float, float | None, tuple[str, ...]]:
    """Bound on tokens, temperature, top_p and what ends an answer; greedy unless sampling was asked for."""
    until = told.get("until") or ()
    words = (until,) if isinstance(until, str) else tuple(until)
    sampled = bool(told.get("do_sample")) or float(told.get("temperature") or 0) > 0
    temperature = float(told.get("temperature") or 1.0) if sampled else 0.0
    top_p = float(told["top_p"]) if sampled and told.get("top_p") else None
    return int(told.get("max_new_tokens") or MOST), temperature, top_p, words
