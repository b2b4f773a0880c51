"""A resolved configuration, said in the words of `trl` and `peft`."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from athanor.adapters.trl.settings import GRPO, Config, Lora, Vllm, given
from athanor.core.errors import UsageError
from athanor.core.seeds import digest


def arguments(config: Config, processes: int) -> Any:
    """The configuration of a trainer of `trl`. UsageError if the batch cannot be parted over the devices."""
    trl: Any = import_module("trl")
    optim, rl, batch = config.optim, config.rl, given(config.optim.batch)
    at_once = min(optim.micro, max(1, batch // processes))
    at_a_time = batch * given(rl.ahead)
    if batch % (at_once * processes) or (config.method != "sft" and at_a_time % rl.samples):
        raise UsageError(
            f"a batch of {batch} was asked for, a multiple of {at_once} sequences x {processes} processes was expected "
            f"(and with rl of {rl.samples} samples); pass such an --optim.batch, --optim.micro or --rl.samples"
        )
    shared = _shared(config, at_once, batch // (at_once * processes))
    if config.method == "sft":
        return trl.SFTConfig(**shared, max_length=None, completion_only_loss=True, loss_type=optim.loss)
    sampled = {
        "num_generations": rl.samples, "temperature": rl.temperature, "top_p": rl.top_p, "top_k": 0, "beta": rl.kl,
        "max_completion_length": rl.max_tokens, "epsilon": rl.clip, "num_iterations": rl.epochs,
        "generation_batch_size": at_a_time, "mask_truncated_completions": not rl.learn_cut, **_vllm(config.vllm),
    }  # fmt: skip
    if config.method == "rloo":
        return trl.RLOOConfig(**shared, **sampled)
    kind = {"importance_sampling_level": rl.level, **GRPO[config.method]}
    return trl.GRPOConfig(**{**shared, **sampled, **kind})


def _shared(config: Config, at_once: int, accumulated: int) -> dict[str, Any]:
    """What all trainers take."""
    optim = config.optim
    first, second = given(optim.betas)
    return {
        "output_dir": str(config.out), "max_steps": config.steps, "seed": digest(config.seed, "trl") % 2**31,
        "data_seed": digest(config.seed, "order") % 2**31, "learning_rate": optim.learning_rate,
        "lr_scheduler_type": optim.schedule, "warmup_steps": round(given(config.steps) * given(optim.warmup)),
        "per_device_train_batch_size": at_once, "gradient_accumulation_steps": accumulated, "adam_beta1": first,
        "adam_beta2": second, "adam_epsilon": optim.epsilon, "weight_decay": optim.weight_decay,
        "max_grad_norm": optim.clip_norm, "activation_checkpointing": optim.checkpointing, "bf16": config.load.mixed,
        "use_cpu": config.load.device == "cpu", "save_strategy": "steps", "save_steps": optim.every,
        "save_total_limit": optim.kept, "logging_steps": 1, "logging_nan_inf_filter": False, "report_to": "none",
        "disable_tqdm": True, "remove_unused_columns": False,
        "ddp_find_unused_parameters": None if config.data.look else False,
    }  # fmt: skip


def _vllm(vllm: Vllm) -> dict[str, Any]:
    if vllm.mode == "off":
        return {}
    return {
        "use_vllm": True, "vllm_mode": vllm.mode, "vllm_server_base_url": vllm.url if vllm.mode == "server" else None,
        "vllm_gpu_memory_utilization": vllm.memory, "vllm_tensor_parallel_size": vllm.parallel,
    }  # fmt: skip


def adapter_of(lora: Lora) -> Any:
    """The configuration of `peft`; None where all weights are trained."""
    if not lora.rank:
        return None
    from peft import LoraConfig

    targets: Any = lora.targets if lora.targets == "all-linear" else lora.targets.split(",")
    alpha = 2 * lora.rank if lora.alpha is None else lora.alpha
    return LoraConfig(r=lora.rank, lora_alpha=alpha, lora_dropout=lora.dropout, target_modules=targets,  # type: ignore[arg-type]
                      task_type="CAUSAL_LM")  # fmt: skip
