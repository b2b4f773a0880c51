"""What `transformers` needs beside a tokenizer to write conversations as the templates here do: files, and Jinja."""

from __future__ import annotations

import json
from typing import Any

from athanor.core.errors import DataError
from athanor.models.unified.templates import Template
from athanor.models.unified.text_tokenizer import IMAGE_NAME, SPECIAL_NAMES

CHAT = """\
{%- macro said(message) -%}
{%- if message.content is string -%}{{ message.content | trim }}
{%- else -%}
{%- for part in message.content -%}
{%- if part.type == 'image' -%}{{ IMAGE }}{%- if not loop.last -%}{{ AFTER }}{%- endif -%}
{%- else -%}{{ part.text | trim }}{%- endif -%}
{%- endfor -%}
{%- endif -%}
{%- endmacro -%}
{%- set shown = namespace(any=false) -%}
{%- for message in messages -%}
{%- if message.content is not string -%}
{%- for part in message.content if part.type == 'image' -%}{%- set shown.any = true -%}{%- endfor -%}
{%- endif -%}
{%- endfor -%}
{{- bos_token -}}
{%- if shown.any and messages[0].role != 'system' and SYSTEM -%}{{ SYSTEM ~ BETWEEN }}{%- endif -%}
{%- for message in messages -%}
{%- set words = said(message) -%}
{%- if message.role == 'system' -%}{{ words ~ BETWEEN if words else '' }}
{%- elif message.role == 'user' -%}{{ USER ~ ' ' ~ words ~ BETWEEN if words else USER }}
{%- else -%}{{ ASSISTANT ~ ' ' ~ words ~ eos_token if words else ASSISTANT }}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ ASSISTANT }}{%- endif -%}
"""
"""A conversation in Jinja, with the parts of a template as variables."""


def files(template: Template, seen: int, beside: bytes | None) -> dict[str, bytes]:
    """`processor_config.json`, `chat_template.jinja` and `tokenizer_config.json`, by name. `seen`: soft tokens of an
    image. `beside`: the tokenizer's own configuration, whose entries stay. DataError if it is none."""
    parts = {
        "IMAGE": IMAGE_NAME, "AFTER": template.after_image, "BETWEEN": template.between,
        "SYSTEM": template.system, "USER": template.user.rstrip(), "ASSISTANT": template.assistant.rstrip(),
    }  # fmt: skip
    chat = "".join(f"{{%- set {name} = {json.dumps(value)} -%}}\n" for name, value in parts.items())
    processor = {"processor_class": "JanusProcessor", "num_image_tokens": seen, "use_default_system_prompt": False}
    made = {
        "processor_config.json": json.dumps(processor, indent=2),
        "chat_template.jinja": chat + CHAT,
        "tokenizer_config.json": json.dumps(_tokenizer(beside), indent=2, ensure_ascii=False),
    }
    return {name: text.encode() for name, text in made.items()}


def _tokenizer(beside: bytes | None) -> dict[str, Any]:
    try:
        told = json.loads(beside) if beside else {"tokenizer_class": "PreTrainedTokenizerFast"}
        if not isinstance(told, dict):
            raise ValueError("an object was expected")
    except ValueError as error:
        raise DataError(f"tokenizer_config.json cannot be read ({error}); copy it again") from error
    begin, end, pad, begin_image, end_image, image = SPECIAL_NAMES
    marks = {"boi_token": begin_image, "eoi_token": end_image, "image_token": image}
    usual: dict[str, Any] = {"bos_token": begin, "eos_token": end, "pad_token": pad}
    told = usual | told | marks
    more = told.get("extra_special_tokens")
    told["extra_special_tokens"] = (more if isinstance(more, dict) else {}) | marks
    return told | {"processor_class": "JanusProcessor"}
