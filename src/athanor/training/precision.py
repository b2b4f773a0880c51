"""Products in bfloat16, weights and steps in float32: twice as fast where a processor has instructions for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel


def halves(device: str | torch.device) -> bool:
    """Whether a device multiplies bfloat16 faster than float32."""
    kind = torch.device(device).type
    if kind == "cpu":
        can = torch.cpu.get_capabilities()
        return bool(can.get("avx512_bf16") or can.get("amx_bf16"))
    return kind == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


@contextmanager
def mixed(device: torch.device, on: bool) -> Iterator[None]:
    """Products in bfloat16 inside, where `on`. On a CPU attention is made of plain products: the backward pass of
    PyTorch's own takes five times as long in bfloat16 as in float32."""
    with torch.autocast(device.type, torch.bfloat16, enabled=on):
        if on and device.type == "cpu":
            with sdpa_kernel(SDPBackend.MATH):
                yield
        else:
            yield
