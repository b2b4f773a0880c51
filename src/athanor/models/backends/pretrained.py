"""A causal language model in Hugging Face's format with its tokenizer: from a folder, a GGUF file, or the hub.

A name on the hub is looked up in the local cache; the network is touched only where `download` says so. No code that
comes with a model is ever run.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any, Literal

from athanor.core.errors import DataError, UsageError
from athanor.models.backends.llamacpp import SMOLLM2, model_path

Dtype = Literal["float32", "bfloat16", "float16"]
Attention = Literal["sdpa", "eager", "flash_attention_2"]
FILES = ("*.json", "*.safetensors", "*.jinja", "*.model", "*.txt")
"""What is fetched of a model on the hub, and what of a folder its digest is made of; no pickles."""

_HUB = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


def locate(model: str, *, download: bool = False) -> Path:
    """The folder or the GGUF file of a model. UsageError if it is none.

    `model` is a folder that `save_pretrained` wrote, a GGUF file, `smollm2-135m-instruct`, or OWNER/NAME on the hub.
    """
    path = Path(model)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise UsageError(f"{path} has no config.json, a model's folder was expected; pass one that has it")
        return path
    if model == SMOLLM2 or path.is_file():
        return model_path(model)
    if not _HUB.fullmatch(model):
        raise UsageError(
            f"the model {model!r} is not there; pass a folder in Hugging Face's format, or OWNER/NAME of a model on "
            f"the hub; a language model may be a GGUF file, too, or {SMOLLM2}"
        )
    return _from_hub(model, download)


def _from_hub(model: str, download: bool) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(model, allow_patterns=list(FILES), local_files_only=not download))
    except Exception as error:
        why = "could not be fetched" if download else "is neither a folder here nor in the local cache"
        fetch = "pass --download (in play --torch.download), or the path of a folder"
        do = "check the name and the network" if download else fetch
        raise UsageError(f"the model {model!r} {why} ({type(error).__name__}); {do}") from error


def tokenizer_of(path: Path) -> Any:
    """The tokenizer, padding on the left. UsageError if it has no chat template."""
    transformers = _transformers()
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(*_where(path), **_options(path))
    except (OSError, ValueError, ImportError, KeyError) as error:
        raise DataError(f"{path} has no tokenizer that can be read ({error}); copy the whole model again") from error
    if not tokenizer.chat_template:
        raise UsageError(
            f"{path} has no chat template, a model that was taught to converse was expected; put its "
            "chat_template.jinja beside the tokenizer, or pass an instruct model"
        )
    if tokenizer.eos_token_id is None:
        raise UsageError(f"the tokenizer of {path} names no token that ends an answer; set eos_token in its files")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "left"
    return tokenizer


def sees(path: Path) -> bool:
    """Whether a model's folder says that it takes pictures."""
    try:
        told = json.loads((path / "config.json").read_bytes())
    except (OSError, ValueError):  # a GGUF file, or a folder that will be refused when it is loaded
        return False
    return isinstance(told, dict) and "vision_config" in told


def processor_of(path: Path) -> Any:
    """The tokenizer and what makes tokens of pictures, padding on the left. UsageError if it cannot be loaded."""
    from transformers import AutoProcessor

    try:
        processor: Any = AutoProcessor.from_pretrained(path, local_files_only=True, padding_side="left")
        tokenizer = processor.tokenizer
    except (OSError, ValueError, ImportError, KeyError, AttributeError) as error:
        raise UsageError(
            f"{path} has no processor of pictures that can be loaded ({error}); pass a vision-language model whose "
            "files are whole (some need torchvision: `pip install torchvision`), or one that reads text"
        ) from error
    if not processor.chat_template:
        raise UsageError(f"the processor of {path} has no chat template; put its chat_template.jinja beside it")
    tokenizer.chat_template = tokenizer.chat_template or processor.chat_template
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "left"
    return processor


def prompt_of(tokenizer: Any, messages: list[dict[str, Any]], *, tokenize: bool = True) -> Any:
    """A conversation in tokens (or as text), up to where the model is to answer. UsageError if its template refuses it.

    `tokenizer`: or the processor of a model that sees.
    """
    from jinja2 import TemplateError

    try:
        return tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=tokenize, return_dict=False)
    except TemplateError as error:
        raise UsageError(
            f"the model's chat template refuses the conversation ({error}); it must take system, user and assistant "
            "messages: put another chat_template.jinja beside the tokenizer"
        ) from error


def weights_of(path: Path, *, dtype: Dtype, attention: Attention = "sdpa", vision: bool = False) -> Any:
    """The model itself, on the CPU; a GGUF file's weights are unpacked. DataError if it cannot be loaded."""
    transformers = _transformers()
    import torch
    from safetensors import SafetensorError

    kind = transformers.AutoModelForImageTextToText if vision else transformers.AutoModelForCausalLM
    options = {"dtype": getattr(torch, dtype), "attn_implementation": attention, **_options(path)}
    try:
        model = kind.from_pretrained(*_where(path), **options)
    except (OSError, ValueError, ImportError, KeyError, RuntimeError, SafetensorError) as error:
        raise DataError(f"{path} cannot be loaded as a model ({error}); check the files and the memory") from error
    return _unpacked(model, kind) if path.suffix == ".gguf" else model


def _unpacked(model: Any, kind: Any) -> Any:
    """The same weights in a model that knows nothing of GGUF, so that it can be trained and saved."""
    config = type(model.config)(**{k: v for k, v in model.config.to_dict().items() if k != "quantization_config"})
    config.name_or_path = ""  # no folder and no name on the hub holds it in this form
    plain = kind.from_config(config, dtype=model.dtype, attn_implementation=model.config._attn_implementation)
    plain.load_state_dict(model.state_dict())
    plain.generation_config = model.generation_config
    return plain


def digest_of(path: Path, more: tuple[str, ...] = ()) -> str:
    """SHA-256 of the model's files, of `more` patterns too, their names included."""
    files = [path] if path.is_file() else sorted({file for one in (*FILES, *more) for file in path.glob(one)})
    total = hashlib.sha256()
    for file in files:
        total.update(file.name.encode())
        with open(file, "rb") as opened:
            total.update(hashlib.file_digest(opened, "sha256").digest())
    return total.hexdigest()


def device_of(name: str) -> str:
    """The device of a name; `auto` is the first GPU, else the CPU. UsageError for one that PyTorch does not know or
    this machine does not have."""
    import torch

    if name != "auto":
        try:
            torch.empty(0, device=name)
        except (RuntimeError, AssertionError) as error:
            why = str(error).splitlines()[0]
            raise UsageError(
                f"the device {name!r} cannot be used ({why}); pass --device cpu, or one there is"
            ) from error
        return name
    return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"


def _transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise UsageError("torch and transformers are not installed; run `pip install 'athanor-lab[torch]'`") from error
    transformers.utils.logging.disable_progress_bar()
    return transformers


def _where(path: Path) -> tuple[Path]:
    return (path.parent if path.is_file() else path,)


def _options(path: Path) -> dict[str, Any]:
    gguf = {"gguf_file": path.name} if path.is_file() else {}
    return {"local_files_only": True, "trust_remote_code": False, **gguf}
