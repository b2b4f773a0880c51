"""A unified model in VLMEvalKit's form, and its entry in the kit's list of models."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Literal

from vlmeval.dataset import DATASET_TYPE  # pyright: ignore[reportMissingImports]
from vlmeval.vlm.base import BaseModel  # pyright: ignore[reportMissingImports]

from athanor.adapters import published
from athanor.adapters.understanding import MOST, Understanding


class AthanorUnified(BaseModel):
    """Asked by VLMEvalKit, greedily: in the words of the published evaluation, or in the kit's own."""

    INSTALL_REQ = False
    INTERLEAVE = True

    def __init__(
        self, model: str, most: int = MOST, prompts: Literal["published", "host"] = "published", **options: Any
    ) -> None:
        """`options`: those of `Understanding`."""
        super().__init__()
        self._published = prompts == "published"
        self._asked, self._most = Understanding(model, published=self._published, **options), most

    def use_custom_prompt(self, dataset: str) -> bool:
        """Whether the kit asks `build_prompt` for the questions of a data set."""
        return self._published and published.asked(DATASET_TYPE(dataset), dataset)

    def build_prompt(self, line: Any, dataset: str) -> list[dict[str, str]]:
        """A row of the kit's table as a message."""
        said = published.question(DATASET_TYPE(dataset), dataset, line)
        images = [{"type": "image", "value": str(path)} for path in self.dump_image(line, dataset)]
        return [*images, {"type": "text", "value": said}]

    def generate_inner(self, message: list[dict[str, str]], dataset: str | None = None) -> str:
        """The answer to a message of texts and images' paths."""
        parts = [Path(one["value"]) if one["type"] == "image" else one["value"] for one in message]
        system = published.system(dataset or "") if self._published else ""
        return self._asked.answers([parts], most=self._most, system=system)[0]


def register(name: str, model: str, **options: Any) -> None:
    """Let VLMEvalKit know a model's folder under a name."""
    from vlmeval.config import supported_VLM  # pyright: ignore[reportMissingImports]

    supported_VLM[name] = partial(AthanorUnified, model=model, **options)
