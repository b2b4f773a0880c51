"""The model as it was before training, to tell how far a policy has gone from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any


class Reference:
    """A copy of its own; or, where adapters are trained, the model without them, which takes no memory."""

    def __init__(self, model: Any | None) -> None:
        """`model`: the copy; None where adapters are trained."""
        self._model = model

    def prepare(self, trainer: Any) -> None:
        """Put the copy where the trainer's model is; parted over processes if that is."""
        if self._model is None:
            return
        utils: Any = import_module("trl.models.utils")
        model = self._model.eval().requires_grad_(False)
        if trainer.is_deepspeed_enabled:
            self._model = utils.prepare_deepspeed(model, trainer.accelerator)
        elif trainer.is_fsdp_enabled:
            self._model = utils.prepare_fsdp(model, trainer.accelerator)
        else:
            self._model = trainer.accelerator.prepare_model(model, evaluation_mode=True)

    @contextmanager
    def of(self, trainer: Any) -> Iterator[Any]:
        """Within, a model that answers as the trainer's did before it was trained."""
        if self._model is not None:
            yield self._model
            return
        with trainer.accelerator.unwrap_model(trainer.model).disable_adapter():
            yield trainer.model


def plain(model: Any) -> Any:
    """A model without its adapters' wrapping."""
    from peft import PeftModel

    return model.get_base_model() if isinstance(model, PeftModel) else model
