"""A unified model in VLMEvalKit's form, and its entry in the kit's list of models."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from vlmeval.vlm.base import BaseModel  # pyright: ignore[reportMissingImports]

from athanor.adapters.understanding import MOST, Understanding


class AthanorUnified(BaseModel):
    """Asked by VLMEvalKit, greedily, with the kit's own prompts."""

    INSTALL_REQ = False
    INTERLEAVE = True

    def __init__(self, model: str, most: int = MOST, **options: Any) -> None:
        """`options`: those of `Understanding`."""
        super().__init__()
        self._asked, self._most = Understanding(model, **options), most

    def generate_inner(self, message: list[dict[str, str]], dataset: str | None = None) -> str:
        """The answer to a message of texts and images' paths."""
        parts = [Path(one["value"]) if one["type"] == "image" else one["value"] for one in message]
        return self._asked.answers([parts], most=self._most)[0]


def register(name: str, model: str, **options: Any) -> None:
    """Let VLMEvalKit know a model's folder under a name."""
    from vlmeval.config import supported_VLM  # pyright: ignore[reportMissingImports]

    supported_VLM[name] = partial(AthanorUnified, model=model, **options)
