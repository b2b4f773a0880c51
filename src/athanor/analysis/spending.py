"""What a post-training of a Hugging Face model cost, read from its folder: tokens, and operations for each weight.

A token costs 2 operations a weight forward and 4 backward, 2 of them where only adapters have gradients (Kaplan et al.
2020; attention is left out). A sampled episode is paid for once, its past kept: a further answer adds only what is new.
"""

from __future__ import annotations

import json
from math import ceil, prod
from pathlib import Path
from typing import Any, NamedTuple

from athanor.core.errors import DataError

FORWARD, BACKWARD, BACKWARD_ADAPTERS = 2, 4, 2
"""Operations for each weight and token."""


class Spent(NamedTuple):
    """What a training cost."""

    steps: int
    sampled: int
    """Episodes sampled and judged; in fine-tuning on a model's own answers, those that it gave before."""
    tokens_sampled: int
    """Of those episodes, prompts and what was told between answers included."""
    tokens_learned: int
    """Of sequences that gradients went through, prompts included, once a pass."""
    operations: float
    """For each weight."""


def pass_cost(config: dict[str, Any]) -> int:
    """Operations a weight and token of learning: forward and backward; of fine-tuning that is held near the model as it
    was, that model's forward too."""
    held = config["method"] == "sft" and bool(config["optim"].get("kl"))
    return FORWARD * (1 + held) + (BACKWARD_ADAPTERS if config["lora"]["rank"] else BACKWARD)


def forwards(config: dict[str, Any], *, vllm: bool) -> int:
    """How often reinforcement reads an episode before it learns from it: when it is sampled, scored, judged by the
    critic and read by the model as it was."""
    rl = config["rl"]
    scored = rl["ahead"] * rl["epochs"] > 1 or vllm
    return 1 + scored + (config["method"] == "ppo") + bool(rl["kl"])


def spent(run: Path) -> Spent:
    """The cost of a training by `train points`. DataError if its folder does not tell it."""
    try:
        manifest = json.loads((run / "manifest.json").read_bytes())
        lines = [json.loads(line) for line in (run / "log.jsonl").read_bytes().splitlines()]
        config, execution = manifest["config"], manifest["execution"]
        found = spent_by(config, lines, config["steps"], vllm=execution["vllm"]["mode"] != "off")
        own = execution.get("own")
        return found if own is None else _with_own(found, own["hands"], own["tokens"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{run} does not tell what a training cost ({error!r}); pass a folder of `train points`"
        ) from error


def _with_own(found: Spent, hands: int, tokens: int) -> Spent:
    """With what the model's own answers cost, which are the data."""
    operations = found.operations + FORWARD * tokens
    return found._replace(sampled=hands, tokens_sampled=tokens, operations=float(operations))


def spent_by(config: dict[str, Any], lines: list[dict[str, Any]], steps: int, *, vllm: bool) -> Spent:
    """The cost of so many steps, by the lines of the log up to there. ValueError if they do not tell it."""
    tokens = _counted([line["num_tokens"] for line in lines if "num_tokens" in line])
    if config["method"] == "sft":
        return Spent(steps, 0, 0, tokens, float(tokens * pass_cost(config)))
    rl, batch = config["rl"], config["optim"]["batch"]
    at_a_time = batch * rl["ahead"]
    sampled = at_a_time * ceil(steps / (rl["ahead"] * rl["epochs"]))
    tokens += round(sum(at_a_time * line.get("told", 0.0) for line in lines))
    learned = round(tokens * steps * batch / sampled)
    reads = forwards(config, vllm=vllm)
    return Spent(steps, sampled, tokens, learned, float(FORWARD * reads * tokens + pass_cost(config) * learned))


def _counted(totals: list[int]) -> int:
    """The tokens of a run whose running total begins anew where it was gone on with.

    >>> _counted([10, 20, 5, 15])
    35
    """
    if not totals:
        raise ValueError("no line of its log has num_tokens")
    before = [0, *totals[:-1]]
    return round(sum(now - last if now >= last else now for last, now in zip(before, totals, strict=True)))


def weights(model: Path) -> int:
    """How many weights a model's folder holds, by the headers of its safetensors files. DataError if it has none."""
    count = 0
    try:
        for path in sorted(model.glob("*.safetensors")):
            with open(path, "rb") as file:
                header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
            count += sum(prod(one["shape"]) for name, one in header.items() if name != "__metadata__")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{model} holds weights that cannot be read ({error}); copy the whole model again") from error
    if not count:
        raise DataError(f"{model} holds no weights, a model's folder was expected; train it again")
    return count
