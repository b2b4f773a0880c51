"""athanor assemble: a unified model of a language model, an encoder and a visual tokenizer, to be trained."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from athanor.core.build import build_name, versions
from athanor.core.disk import write_atomically, writing
from athanor.core.errors import UsageError
from athanor.core.lines import refuse_file


@dataclass(frozen=True, kw_only=True)
class Config:
    """Put a unified model together, whose adaptors, table of codes and code head are new; stage I begins at it."""

    language: Path
    """The folder of a Llama with its tokenizer.json, or of a unified model."""
    encoder: Path
    """The folder of a SigLIP, or of a unified model."""
    codes: Path
    """A file of the weights of LlamaGen's VQ-16, or the folder of a unified model."""
    out: Path
    """The folder to make."""
    seed: int = 1
    """Of what is new."""
    template: Literal["janus-pro", "janus", "words"] = "janus-pro"
    """How the model will be taught to converse."""
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """In which precision it is written; left out, that of the language model."""
    layout: Literal["original", "huggingface"] = "original"
    """That of the releases, or that of transformers."""


def run(config: Config) -> int:
    """Write the model, and print its path."""
    refuse_file(config.out)
    if config.out.exists() and any(config.out.iterdir()):
        raise UsageError(f"{config.out} already holds something; pass another --out")
    try:
        import torch

        from athanor.models.backends.pretrained import digest_of
        from athanor.models.unified.assembling import assemble
        from athanor.models.unified.checkpoints import write
        from athanor.models.unified.names import ASSEMBLED
    except ImportError as error:
        raise UsageError("torch and transformers are not installed; run `pip install 'athanor-lab[torch]'`") from error
    dtype = getattr(torch, config.dtype) if config.dtype else None
    parts = {"language": config.language, "encoder": config.encoder, "codes": config.codes}
    made = assemble(config.language, config.encoder, config.codes, config.seed, template=config.template, dtype=dtype)
    write(config.out, made, config.layout)
    about = {
        "seed": config.seed, "build": build_name(), "versions": versions(),
        "parts": {name: {"path": str(path), "sha256": digest_of(path, ("*.bin",))} for name, path in parts.items()},
    }  # fmt: skip
    with writing(config.out):
        write_atomically(config.out / ASSEMBLED, json.dumps(about, indent=1).encode())
    print(config.out.resolve())
    return 0
