"""Layers compiled for training alone (torch.compile): what draws, answers or saves the same model sees them plain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn


class Compiled:
    """Modules whose forward is compiled, for rows of any length, inside `on`. The first passes take a minute."""

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        self.made = [(module, torch.compile(module.forward, dynamic=True)) for module in modules]

    @contextmanager
    def on(self) -> Iterator[None]:
        for module, forward in self.made:
            module.forward = forward
        try:
            yield
        finally:
            for module, _ in self.made:
                del module.forward
