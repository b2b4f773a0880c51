"""Post-training from a configuration to a model's folder: what is done, in order."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from warnings import catch_warnings, filterwarnings

import msgspec

from athanor.adapters.trl.arguments import adapter_of, arguments
from athanor.adapters.trl.data import Row, answered, asked, dialogue_of, picture, rows
from athanor.adapters.trl.matching import matched
from athanor.adapters.trl.own import Own, own_answers
from athanor.adapters.trl.revision import Revision
from athanor.adapters.trl.rewards import Kind, Told, episode_reward, verdict_reward
from athanor.adapters.trl.settings import UNGROUPED, Config, given, judge_of, measured, resolved, science_of, shown
from athanor.core.build import build_name, versions
from athanor.core.differences import refuse_differences
from athanor.core.disk import cannot, write_atomically
from athanor.core.errors import Stopped, StoreError, UsageError
from athanor.core.records import Task
from athanor.core.store import Manifest, RunFolder
from athanor.models.backends.pretrained import digest_of, locate, processor_of, tokenizer_of, weights_of

KIND = "train points"
FINAL, ADAPTER = "final", "adapter"
"""Folders of what came out: a whole model, and with adapters these alone."""


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings that the pinned libraries give of each other, and of what is experimental in them."""
    with catch_warnings():
        for message in (r"You are using 'rollout_func'", r"`is_gradient_checkpointing` is deprecated"):
            filterwarnings("ignore", message=message)
        yield


@_quiet()
def train(asked_for: Config) -> Path:
    """Train, or go on; gives the folder of the model that came out. Stopped, with the reason, where training fails."""
    config = resolved(asked_for)
    state = _processes(config)
    path = locate(config.model, download=config.load.download)
    if path.is_file() and config.rl.kl and not config.lora.rank:
        raise UsageError(
            "--rl.kl needs the model a second time as it was, which is not read from a GGUF file; pass --lora.rank, or "
            "a model's folder"
        )
    tokenizer = _tokenizer(path, config)
    own = own_answers(config.data, config.rule, judge_of(config), config.split) if config.data.answers else None
    config = replace(config, steps=matched(config, tokenizer, own, state.num_processes)) if config.match else config
    whole = arguments(config, state.num_processes)
    if state.is_main_process:
        _begin(config, path, own)
    state.wait_for_everyone()
    final = config.out / FINAL
    if (final / "config.json").exists():
        print(f"{final} is there, nothing is left to be trained", file=sys.stderr)
        return final
    begun = newest(config.out)
    try:
        trainer = _trainer(config, whole, path, tokenizer, own)
        trainer.train(resume_from_checkpoint=str(begun) if begun else None)
        if trainer.state.global_step < given(config.steps):
            raise Stopped(f"training ended after {trainer.state.global_step} of {config.steps} steps: its data ran out")
    except Stopped as stopped:
        last = newest(config.out, stopped.good)
        where = f"the last good checkpoint is {last}" if last else "no checkpoint of before is there"
        raise Stopped(f"{stopped}; {where}") from stopped
    except OSError as error:
        raise StoreError(cannot("write", config.out, error, again="go on with --resume")) from error
    _finish(config, trainer, path)
    return final


def _processes(config: Config) -> Any:
    """The processes that train together (one, without a launcher). UsageError if the libraries are missing."""
    try:
        import accelerate
        import datasets
        import peft
        import trl
    except ImportError as error:
        raise UsageError(f"{error.name} is not installed; run `pip install 'athanor-lab[torch,posttrain]'`") from error
    launched = os.environ.get("ACCELERATE_MIXED_PRECISION", "no")
    if launched not in ("no", "bf16" if config.load.mixed else "no"):
        raise UsageError(
            f"the launcher says mixed precision {launched!r} and --load.mixed is {config.load.mixed}, the same was "
            "expected; pass --load.mixed for bf16, or change mixed_precision in the launcher's configuration"
        )
    datasets.disable_progress_bars()
    del peft, trl
    return accelerate.PartialState(cpu=config.load.device == "cpu")


def _tokenizer(path: Path, config: Config) -> Any:
    """The tokenizer; for hands as pictures the whole processor."""
    return processor_of(path) if config.data.look else tokenizer_of(path)


def _begin(config: Config, path: Path, own: Own | None) -> None:
    """Write the manifest, or see that the one there is of the same run."""
    manifest, out = manifest_of(config, path, own), config.out
    if config.resume and (out / "manifest.json").exists():
        stored = RunFolder[Any].read(out).manifest
        refuse_differences(out, stored, manifest)
        again = {"created": manifest.created, "build": manifest.build, "execution": manifest.execution}
        manifest = msgspec.structs.replace(stored, resumptions=(*stored.resumptions, again))
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is there already; pass --resume to go on with a run, or another --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(out / "manifest.json", msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    except OSError as error:
        raise StoreError(cannot("write", out, error)) from error


def manifest_of(config: Config, path: Path, own: Own | None) -> Manifest:
    """What the run is: enough to make it again."""
    execution = {
        "vllm": asdict(config.vllm),
        "load": asdict(config.load),
        "command": " ".join(["athanor", *sys.argv[1:]]),
        "own": None if own is None else {"hands": own.hands, "right": len(own.taught), "tokens": own.tokens},
    }
    return Manifest(
        kind=KIND,
        config=msgspec.json.decode(msgspec.json.encode(science_of(config))),
        execution=execution,
        build=build_name(),
        versions=versions(),
        hashes={"model": digest_of(path)},
        label=f"{path.stem if path.is_file() else path.name}, {config.method}",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _trainer(config: Config, whole: Any, path: Path, tokenizer: Any, own: Own | None) -> Any:
    """The trainer of `trl`, with its data, its rewards and what watches it."""
    from transformers import PrinterCallback

    from athanor.adapters.trl.watch import Guard, Log

    guard = Guard(config.optim.patience, rewarded=config.method != "sft", grouped=config.method not in UNGROUPED,
                  learn_cut=config.rl.learn_cut, max_kl=config.optim.max_kl)  # fmt: skip
    model = _model(config, path)
    science = msgspec.json.decode(msgspec.json.encode(science_of(config)))
    size = sum(weight.numel() for weight in model.parameters())
    log = Log(config.out, science, size, vllm=config.vllm.mode != "off")
    shared = {"model": model, "args": whole, "processing_class": tokenizer, "peft_config": adapter_of(config.lora),
              "callbacks": [log, guard, *_board(config)]}  # fmt: skip
    trainer = _taught(config, path, shared, own) if config.method == "sft" else _reinforced(config, path, shared)
    trainer.remove_callback(PrinterCallback)  # standard output is for data
    return trainer


def _model(config: Config, path: Path) -> Any:
    """The model, as it is begun from."""
    load = config.load
    return weights_of(path, dtype=load.dtype, attention=load.attention, vision=bool(config.data.look))


def _dealt(config: Config) -> Iterator[Row]:
    count = config.data.hands or shown(config)
    return rows(config.data, config.rule, judge_of(config), config.split, config.seed, count)


def _taught(config: Config, path: Path, shared: dict[str, Any], own: Own | None) -> Any:
    from athanor.adapters.trl.divergence import Divergence
    from athanor.adapters.trl.taught import Taught

    answers = own.taught if own else answered(config.data, judge_of(config), _dealt(config), config.seed)
    trainer = Taught(train_dataset=_dataset(config, answers), **shared)
    if config.optim.kl:
        trainer.hold(_reference(config, path), config.optim.kl)
    elif measured(config):
        trainer.measure(Divergence(_reference(config, path)))
    return trainer


def _reference(config: Config, path: Path) -> Any:
    """The model as it was."""
    from athanor.adapters.trl.reference import Reference

    return Reference(None if config.lora.rank else _model(config, path))


def _kind(config: Config) -> Kind:
    return given(config.rl.reward)


def _reinforced(config: Config, path: Path, shared: dict[str, Any]) -> Any:
    from athanor.adapters.trl.divergence import Divergence
    from athanor.adapters.trl.reinforced import LeftOut, Reinforced, weighing_of

    judge, dialogue, told = judge_of(config), dialogue_of(config.data), Told()
    dealt, kind = list(_dealt(config)), _kind(config)
    data, rewards = _dataset(config, asked(config.data, iter(dealt))), verdict_reward(dialogue, judge, kind, told)
    if config.method == "rloo":
        trainer: Any = LeftOut(reward_funcs=rewards, train_dataset=data, **shared)
    elif given(config.rl.rounds) == 1:
        trainer = Reinforced(reward_funcs=rewards, train_dataset=data, **shared)
    else:
        tasks: dict[str, Task] = {one.prompt[-1]["content"]: one.task for one in dealt}
        played = Revision(dialogue=dialogue, judge=judge, tasks=tasks, rounds=given(config.rl.rounds), kind=kind)
        trainer = Reinforced(reward_funcs=episode_reward(told), train_dataset=data, rollout_func=played, **shared)
    told.ends = frozenset(trainer.eos_token_ids)
    if (weighing := weighing_of(config)) is not None:
        trainer.weigh_by(weighing, told)
    if measured(config):
        trainer.measure(Divergence(_reference(config, path)))
    return trainer


def _dataset(config: Config, found: list[dict[str, Any]]) -> Any:
    """Rows as `trl` takes them; pictures are drawn as they are needed."""
    from datasets import Dataset

    made: Any = Dataset.from_list(found)
    if config.data.look:
        made.set_transform(lambda rows: {**rows, "images": [[picture(config.data, cards)] for cards in rows["cards"]]})
    return made


def _board(config: Config) -> list[Any]:
    """TensorBoard, where it is installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
        from transformers.integrations.integration_utils import TensorBoardCallback
    except ImportError:
        return []
    return [TensorBoardCallback(SummaryWriter(log_dir=str(config.out / "tensorboard")))]


def newest(out: Path, last: int | None = None) -> Path | None:
    """The last whole checkpoint, or the last of a step up to `last`: `trainer_state.json` is what is written last of
    one."""
    whole = [path for path in out.glob("checkpoint-*") if (path / "trainer_state.json").is_file()]
    found = {int(path.name.partition("-")[2]): path for path in whole}
    return found.get(max((step for step in found if last is None or step <= last), default=-1))


def _finish(config: Config, trainer: Any, path: Path) -> None:
    """Write the whole model, with adapters added into the weights of the model that was begun from."""
    if not config.lora.rank:
        trainer.save_model(str(config.out / FINAL))
        return
    trainer.save_model(str(config.out / ADAPTER))
    if not trainer.args.should_save:
        return
    from peft import PeftModel

    base = weights_of(path, dtype=config.load.dtype, vision=bool(config.data.look))
    merged: Any = PeftModel.from_pretrained(base, str(config.out / ADAPTER)).merge_and_unload()
    trainer.processing_class.save_pretrained(config.out / FINAL)
    merged.save_pretrained(config.out / FINAL)
