"""A step of GRPO on the policy of the project's own: python benchmarks/reinforcement.py [--steps 6] [--trl]

Two ratios, in CPU seconds, taken in one run on one thread: operations of the whole step (hands dealt, answers sampled
and judged, gradients, the optimizer's step) a second over the rate of the matrix products that the model consists of,
and tokens a second (sampled and learned from) beside `trl`'s GRPOTrainer with a Llama of the same width, depth and
vocabulary, the same prompts, groups and answer lengths (`pip install 'athanor-lab[posttrain]'`).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import torch

from athanor.core.seeds import stream
from athanor.environments.points import mixture, tokens
from athanor.models.policy.transformer import Policy, PolicyConfig
from athanor.training import rl
from athanor.training.rl import RL

CONFIG = RL()
EPISODES = CONFIG.prompts * CONFIG.samples
LENGTH = tokens.PROMPT + tokens.ANSWER


def policy() -> Policy:
    config = PolicyConfig(vocabulary=tokens.VOCABULARY, numbers=tokens.LARGEST + 1)
    return Policy(config).begin(torch.Generator().manual_seed(0))


def products(of: Policy, rows: int) -> float:
    """Operations a second of the model's own matrices by `rows` tokens, forwards and both products of the gradient."""
    shapes = [tuple(weight.shape) for name, weight in of.named_parameters() if "blocks" in name and weight.ndim == 2]
    done, spent = 0.0, 0.0
    for wide, narrow in shapes:
        x, w, g = torch.randn(rows, narrow), torch.randn(wide, narrow), torch.randn(rows, wide)
        _ = x @ w.T
        begun = process_time()
        _, _, _ = x @ w.T, g @ w, g.T @ x
        spent += process_time() - begun
        done += 6.0 * rows * wide * narrow
    return done / spent


def ours(steps: int) -> dict[str, float]:
    """The best of some steps, and the best rate of products measured between them: what the machine can, both times."""
    of = policy()
    run = rl.learner(of, CONFIG.rates)
    every = rl.train(run, CONFIG, seed=1)
    next(every)
    told: list[tuple[float, float, float]] = []
    for _ in range(steps):
        before, begun = run.ledger.flop, process_time()
        next(every)
        spent = process_time() - begun
        told.append((spent, run.ledger.flop - before, products(of, EPISODES * (LENGTH - 1))))
    spent = min(one[0] for one in told)
    rate = max(one[2] for one in told)
    return {"seconds": spent, "share": told[0][1] / spent / rate, "rate": rate, "tokens": EPISODES * LENGTH / spent}


def theirs(steps: int, rows: int) -> float:
    """Tokens a second of trl's GRPO, sampled and learned from, the best of some steps; `rows` a backward pass."""
    from datasets import Dataset
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    words = {f"t{i}": i for i in range(tokens.VOCABULARY)} | {
        "<pad>": tokens.VOCABULARY,
        "<end>": tokens.VOCABULARY + 1,
    }
    inner = Tokenizer(models.WordLevel(words, unk_token="t0"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()  # type: ignore[assignment]
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="<pad>", eos_token="<end>")
    shape = PolicyConfig(vocabulary=tokens.VOCABULARY)
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=len(words), hidden_size=shape.width, intermediate_size=342, num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads, num_key_value_heads=shape.heads, max_position_embeddings=shape.context,
        pad_token_id=tokens.VOCABULARY, eos_token_id=tokens.VOCABULARY + 1, bos_token_id=None,
    ))  # fmt: skip
    model.generation_config.suppress_tokens = [tokens.VOCABULARY, tokens.VOCABULARY + 1]
    hands = mixture.training_hands(stream(1, "hands"), 64 * (steps + 2))
    prompts = [" ".join(f"t{token}" for token in row) for row in tokens.prompts(hands)]

    def reward(completions: list[str], **_: Any) -> list[float]:
        return [float(len(set(text.split()))) for text in completions]

    clock: list[float] = []

    class Clock(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            clock.append(process_time())

    with tempfile.TemporaryDirectory() as out:
        config = GRPOConfig(
            output_dir=str(Path(out)), per_device_train_batch_size=rows, gradient_accumulation_steps=EPISODES // rows,
            num_generations=CONFIG.samples, max_completion_length=tokens.ANSWER, max_steps=steps + 1,
            learning_rate=5e-4, beta=0.0, temperature=1.0, report_to=[], save_strategy="no", logging_strategy="no",
            use_cpu=True, bf16=False, fp16=False, gradient_checkpointing=False, disable_tqdm=True,
        )  # fmt: skip
        trainer = GRPOTrainer(
            model=model, reward_funcs=reward, args=config, train_dataset=Dataset.from_dict({"prompt": prompts}),
            processing_class=tokenizer, callbacks=[Clock()],
        )  # fmt: skip
        trainer.train()
    return EPISODES * LENGTH / float(np.diff(clock).min())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--trl", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    found = ours(asked.steps)
    print(f"{EPISODES} episodes of {LENGTH} tokens, {policy().matrix_parameters():,} parameters, one thread")
    print(f"a step: {found['seconds']:.2f} s, {found['tokens']:,.0f} tokens/s")
    print(
        f"matrix products alone: {found['rate'] / 1e9:.1f} GFLOP/s; the whole step: {100 * found['share']:.0f}% of that"
    )
    for rows, why in ((EPISODES, "a step in one pass"), (8, "its default of 8 a pass")) if asked.trl else ():
        peer = theirs(asked.steps, rows)
        print(f"trl's GRPO, {why}: {peer:,.0f} tokens/s; ours {found['tokens'] / peer:.1f} times as many")


if __name__ == "__main__":
    main()
