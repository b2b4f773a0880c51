"""A model with everything it takes to use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from athanor.core.errors import UsageError
from athanor.models.unified.config import Understanding
from athanor.models.unified.layout import Layout
from athanor.models.unified.model import UnifiedModel
from athanor.models.unified.pictures import Preparation
from athanor.models.unified.templates import TEMPLATES
from athanor.models.unified.text_tokenizer import TextTokenizer
from athanor.models.unified.usual import Usual


@dataclass(frozen=True, kw_only=True, eq=False)
class Unified:
    """What `checkpoints.read` gives and `checkpoints.write` takes. UsageError if the parts do not belong together."""

    model: UnifiedModel
    words: TextTokenizer
    template: str
    """A name in `templates.TEMPLATES`."""
    preparation: Preparation
    usual: Usual = field(default_factory=Usual)
    """How it is drawn with where nobody says otherwise."""
    unused: Mapping[str, Tensor] = field(default_factory=dict)
    """Tensors of an original checkpoint that nothing runs, kept so that it can be written again whole."""

    def __post_init__(self) -> None:
        rows, size = self.model.config.backbone.vocabulary, self.words.size
        if size > rows:
            raise UsageError(f"the tokenizer has {size} ids, the model {rows} rows; pass the tokenizer of this model")
        if self.template not in TEMPLATES:
            raise UsageError(f"the template {self.template!r} is not one of {', '.join(TEMPLATES)}; pass one of them")
        if self.preparation.size != self.model.config.seen_size:
            raise UsageError(
                f"images are prepared at {self.preparation.size} pixels, the model reads "
                f"{self.model.config.seen_size}; make them equal"
            )

    @property
    def layout(self) -> Layout:
        """How sequences are laid out for the model."""
        config = self.model.config
        return Layout(
            words=self.words, template=TEMPLATES[self.template], seen=config.seen,
            codes=config.tokenizer.tokens, context=config.backbone.context,
        )  # fmt: skip

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.text_head.weight.device

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Unified:
        """The model moved, in place, and its words. The visual tokenizer stays in float32: its decoder is a few
        hundredths of the arithmetic, and half precision shows in the image."""
        self.model.to(device=device, dtype=dtype)
        self.model.visual_tokenizer.to(torch.float32)
        self.model.restore_tables(self.device)  # the angles of positions must not be rounded to half precision
        return replace(self)


def understanding(unified: Unified, by: Understanding) -> Unified:
    """The same weights, in place, with images understood by an encoder of their own or by their codes."""
    config = replace(unified.model.config, understanding=by)
    unified.model.config = config
    return replace(unified, preparation=replace(unified.preparation, size=config.seen_size))


def fresh(model: UnifiedModel, words: TextTokenizer, template: str = "words") -> Unified:
    """A model trained here, with images prepared as published."""
    size = model.config.seen_size
    preparation = Preparation(size=size, least=min(14, size))
    return Unified(model=model, words=words, template=template, preparation=preparation)
