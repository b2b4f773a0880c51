"""A model's folder loaded whole or not at all: no pickle, no weight left at random."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from athanor.core.errors import DataError


def loaded(kind: Any, path: Path, *, what: str, spare: tuple[str, ...] = ()) -> Any:
    """A model of a class of transformers, to be used and not trained. `what` names it; `spare` begins the names of
    weights that may be absent.

    DataError if the folder holds something else or is torn, or lacks weights, which would be drawn at random.
    """
    from safetensors import SafetensorError

    try:
        model, told = kind.from_pretrained(path, local_files_only=True, use_safetensors=True, output_loading_info=True)
    except (RuntimeError, OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        why = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"{path} cannot be loaded as {what} ({why}); pass a folder of its weights") from error
    lacking = sorted(name for name in told["missing_keys"] if not name.startswith(spare))
    if lacking or told["mismatched_keys"]:
        first = lacking[0] if lacking else str(sorted(told["mismatched_keys"])[0])
        raise DataError(
            f"{path} lacks {len(lacking) or len(told['mismatched_keys'])} weights of {what}, {first} among them, all "
            "were expected; pass a folder of its weights"
        )
    return model.eval()
