"""The parts of a training, each with steps that can be gone on with from a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from athanor.core.seeds import digest
from athanor.models.unified.initial import start_from_codebook
from athanor.models.unified.unified import Unified
from athanor.training.muon import Muon
from athanor.training.optimizers import clip, refuse_lost, states, take_states
from athanor.training.precision import mixed
from athanor.training.unified.encoder import EncoderRecipe, Pair, padded, retrieved, sigmoid_loss
from athanor.training.unified.joint import Trainer
from athanor.training.unified.lessons import Example, Examples
from athanor.training.unified.measures import Held, answer_measures, drawing_measures
from athanor.training.unified.scores import Score, Trial, drawn
from athanor.training.unified.stages import Stage
from athanor.training.unified.teaching import pixels_of
from athanor.training.unified.tokenizer import TokenizerRecipe, TokenizerTrainer

Numbers = dict[str, float]
AMONG = 256
"""Pairs of a picture and its description, each of which is to be found among the others."""
Measured = tuple[Numbers, list[Score]]
"""How far a model is."""


class Part(Protocol):
    """A part of a training. It changes the model in place."""

    name: str
    steps: int

    def step(self, step: int) -> Numbers:
        """Step `step`, from 0: what it has to tell."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """All that the next step depends on beside the model's weights."""
        ...

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take that back. DataError where it is another's."""
        ...

    def measure(self) -> Measured:
        """How far the model is."""
        ...


def pictures(examples: Sequence[Example], beside: nn.Module) -> Tensor:
    """Float["pictures 3 size size"], where a module is."""
    where = next(beside.parameters()).device
    return pixels_of([one.picture for one in examples if one.picture is not None]).to(where)


class TokenizerPart:
    """The visual tokenizer, measured as one likes."""

    name = "tokenizer"

    def __init__(
        self, unified: Unified, recipe: TokenizerRecipe, examples: Examples, measure: Callable[[], Measured], seed: int
    ) -> None:  # fmt: skip
        self.recipe, self.examples, self.measured = recipe, examples, measure
        self.steps = recipe.steps
        self.trainer = TokenizerTrainer(unified.model.visual_tokenizer, recipe, seed)

    def step(self, step: int) -> Numbers:
        some = self.examples.take("pictures", step, self.recipe.batch)
        return self.trainer.step(step, pictures(some, self.trainer.tokenizer))

    def tensors(self) -> dict[str, Tensor]:
        return self.trainer.tensors()

    def restore(self, tensors: dict[str, Tensor]) -> None:
        self.trainer.restore(tensors)

    def measure(self) -> Measured:
        return self.measured()


class EncoderPart:
    """The encoder; its measure is how often a picture finds its description among so many, and the other way."""

    name = "encoder"

    def __init__(
        self, unified: Unified, recipe: EncoderRecipe, examples: Examples, held: Sequence[Example], seed: int,
        *, half: bool = False,
    ) -> None:  # fmt: skip
        self.unified, self.recipe, self.examples, self.held, self.half = unified, recipe, examples, held, half
        self.steps = recipe.steps
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(digest(seed, "words") % 2**63)
            self.longest = recipe.longest or unified.model.config.backbone.context
            pair = Pair(unified.model.encoder, unified.words.size, recipe, self.longest)
        self.pair = pair.to(next(unified.model.encoder.parameters()).device)
        for weight in unified.model.encoder.parameters():
            weight.requires_grad_(True)
        self.optimizers = self._optimizers()

    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """AdamW, and Muon over the matrices of blocks if asked, each with the encoder at its share of the rate."""
        recipe, kinds = self.recipe, {"adamw": list[dict[str, Any]](), "muon": list[dict[str, Any]]()}
        for mine, share in ((True, recipe.share), (False, 1.0)):
            some = [(n, w) for n, w in self.pair.named_parameters() if n.startswith("encoder.") == mine]
            inner = [w for name, w in some if recipe.muon and "layers." in name and w.ndim == 2]
            taken = {id(w) for w in inner}
            kinds["muon"].append({"params": inner, "share": share})
            kinds["adamw"].append({"params": [w for _, w in some if id(w) not in taken], "share": share})
        made: dict[str, torch.optim.Optimizer] = {
            "adamw": torch.optim.AdamW(kinds["adamw"], recipe.rate, (0.9, 0.95), weight_decay=0, fused=True)
        }
        return made | ({"muon": Muon(kinds["muon"], recipe.muon)} if recipe.muon else {})

    def _vectors(self, examples: Sequence[Example]) -> tuple[Tensor, Tensor]:
        tokens, there = padded(self.unified.words, [one.prompt or "" for one in examples], self.longest)
        pixels = pictures(examples, self.unified.model.encoder)
        return self.pair.vectors(pixels, tokens.to(pixels.device), there.to(pixels.device))

    def step(self, step: int) -> Numbers:
        share = min(1.0, (step + 1) / 30) * min(1.0, 1.5 * (1 - step / self.steps))
        some = self.examples.take("captions", step, self.recipe.batch)
        with mixed(next(self.pair.parameters()).device, self.half):
            loss = sigmoid_loss(self.pair.products(*self._vectors(some)).float())
            loss.backward()
            norm = clip(self.pair.parameters(), 1.0)
            refuse_lost(norm, step)
            for name, optimizer in self.optimizers.items():
                full = self.recipe.muon if name == "muon" else self.recipe.rate
                for group in optimizer.param_groups:
                    group["lr"] = (full or 0.0) * group["share"] * share
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
        return {"contrast": float(loss.detach()), "norm": norm}

    def tensors(self) -> dict[str, Tensor]:
        towers = {f"pair.{k}": v for k, v in self.pair.state_dict().items() if not k.startswith("encoder.")}
        return towers | states(**self.optimizers)

    def restore(self, tensors: dict[str, Tensor]) -> None:
        mine = {k[5:]: v for k, v in tensors.items() if k.startswith("pair.")}
        self.pair.load_state_dict(mine | {k: v for k, v in self.pair.state_dict().items() if k.startswith("encoder.")})
        take_states(tensors, **self.optimizers)

    @torch.no_grad()
    def measure(self) -> Measured:
        batch = self.recipe.batch
        found = [self._vectors(self.held[first : first + batch]) for first in range(0, len(self.held), batch)]
        seen, read = zip(*found, strict=True)
        logits = self.pair.products(torch.cat(seen), torch.cat(read))
        of_picture, of_words = retrieved(logits)
        scores = [Score(of="retrieved", name=name, right=right, n=len(logits))
                  for name, right in (("description", of_picture), ("picture", of_words))]  # fmt: skip
        return {"held contrast": float(sigmoid_loss(logits)), "held pairs": float(len(logits))}, scores


class StagePart:
    """One of the three stages, or the language model before them."""

    def __init__(
        self, unified: Unified, stage: Stage, examples: Examples, held: Held, trial: Trial, seed: int, *, half: bool,
        compiled: bool,
    ) -> None:  # fmt: skip
        self.name, self.steps, self.stage = stage.name, stage.steps, stage
        self.unified, self.held, self.trial = unified, held, trial
        if stage.starts_codes:
            start_from_codebook(unified.model)
        self.trainer = Trainer(unified, stage, examples, digest(seed, stage.name), half=half, compiled=compiled)

    def step(self, step: int) -> Numbers:
        return self.trainer.step(step)

    def tensors(self) -> dict[str, Tensor]:
        return self.trainer.optimizers.tensors()

    def restore(self, tensors: dict[str, Tensor]) -> None:
        self.trainer.optimizers.restore(tensors)

    def measure(self) -> Measured:
        seen, _, drawing = self.stage.dose.ratio
        numbers: Numbers = {}
        scores: list[Score] = []
        if drawing:
            numbers |= drawing_measures(self.unified, self.held.drawing)
            scores += drawn(self.unified, self.trial)
        if seen:
            scores += answer_measures(self.unified, self.held.understanding)
        return numbers, scores
