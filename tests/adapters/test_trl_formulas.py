"""Losses and advantages of the project's own training beside those of trl, on fixed inputs."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from athanor.training import advantages, losses
from tests import tiny_model

pytestmark = pytest.mark.skipif(not find_spec("trl"), reason="trl is not installed")
ROWS, PROMPT, ANSWER = 6, 5, 7


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.write(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def fixed() -> dict[str, Any]:
    """Answers of different lengths, advantages, and how likely the answers once were."""
    generator = torch.Generator().manual_seed(0)
    mask = torch.ones(ROWS, ANSWER, dtype=torch.long)
    for row, length in enumerate((7, 4, 6, 7, 1, 5)):
        mask[row, length:] = 0
    return {
        "prompt_ids": torch.randint(5, 300, (ROWS, PROMPT), generator=generator),
        "prompt_mask": torch.ones(ROWS, PROMPT, dtype=torch.long),
        "completion_ids": torch.randint(5, 300, (ROWS, ANSWER), generator=generator),
        "completion_mask": mask,
        "advantages": torch.randn(ROWS, generator=generator),
        "noise": 0.3 * torch.randn(ROWS, ANSWER, generator=generator),
    }


def trainer(kind: str, model: Path, out: Path, **settings: Any) -> Any:
    import trl
    from datasets import Dataset

    config = getattr(trl, f"{kind}Config")(
        output_dir=str(out), per_device_train_batch_size=2, num_generations=2, max_completion_length=ANSWER,
        report_to=[], use_cpu=True, bf16=False, activation_checkpointing=False, **settings,
    )  # fmt: skip
    made = getattr(trl, f"{kind}Trainer")(
        model=str(model), args=config, train_dataset=Dataset.from_dict({"prompt": ["A", "B"]}),
        reward_funcs=lambda completions, **_: [0.0] * len(completions),
    )  # fmt: skip
    made.model.eval()
    return made


def logprobs(of: Any, fixed: dict[str, Any]) -> torch.Tensor:
    """Float["rows answer"] of the answers' tokens, with gradient."""
    rows = torch.cat([fixed["prompt_ids"], fixed["completion_ids"]], dim=1)
    logits = of.model(input_ids=rows).logits[:, PROMPT - 1 : -1]
    return losses.token_logprobs(logits, fixed["completion_ids"])


def gradient(loss: torch.Tensor, of: Any) -> torch.Tensor:
    of.model.zero_grad()
    loss.backward()
    return torch.cat([weight.grad.flatten() for weight in of.model.parameters() if weight.grad is not None]).clone()


@pytest.mark.parametrize("each", ["of rows", "of tokens"])
def test_the_clipped_surrogate_and_its_gradient_are_those_of_trl(each, model, fixed, tmp_path):
    made = trainer("GRPO", model, tmp_path, loss_type="bnpo", beta=0.0, epsilon=0.2, temperature=1.0)
    old = (logprobs(made, fixed) + fixed["noise"]).detach()
    gains = fixed["advantages"] if each == "of rows" else 5 * fixed["noise"].flip(1)  # PPO's differ from token to token
    theirs = made._compute_loss(made.model, {**fixed, "advantages": gains, "old_per_token_logps": old})
    expected = gradient(theirs, made)
    mask, turns = fixed["completion_mask"].bool(), torch.arange(ANSWER).expand(ROWS, -1)
    by_place = gains[:, None].expand(-1, ANSWER) if each == "of rows" else gains
    ours, held = losses.clipped(logprobs(made, fixed), old, by_place, mask, turns, level="token")
    assert 0 < float(held) < 1
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gradient(ours, made), expected, rtol=1e-4, atol=1e-6)


def test_a_divergence_term_is_that_of_trl(model, fixed, tmp_path):
    made = trainer("GRPO", model, tmp_path, loss_type="bnpo", beta=0.1, temperature=1.0)
    now = logprobs(made, fixed).detach()
    told = {**fixed, "old_per_token_logps": now, "ref_per_token_logps": now - fixed["noise"]}
    theirs = made._compute_loss(made.model, told)
    mask, turns = fixed["completion_mask"].bool(), torch.arange(ANSWER).expand(ROWS, -1)
    gains = fixed["advantages"][:, None].expand(-1, ANSWER)
    ours, _ = losses.clipped(now, now, gains, mask, turns, level="token")
    ours = ours + 0.1 * losses.kl(now[mask], (now - fixed["noise"])[mask], "k3").mean()
    torch.testing.assert_close(ours, theirs.detach(), rtol=1e-5, atol=1e-6)


def test_the_surrogate_of_whole_answers_is_that_of_trls_rloo(model, fixed, tmp_path):
    made = trainer("RLOO", model, tmp_path, beta=0.0, temperature=1.0)
    mask = fixed["completion_mask"].bool()
    old = (logprobs(made, fixed) + 0.5 * fixed["noise"]).detach()
    told = {**fixed, "old_logps": (old * mask).sum(1)}
    theirs = made._compute_loss(made.model, told)
    expected = gradient(theirs, made)
    turns = torch.zeros(ROWS, ANSWER, dtype=torch.long)
    ours, _ = losses.clipped(
        logprobs(made, fixed), old, fixed["advantages"][:, None], mask, turns, level="turn"
    )  # fmt: skip
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gradient(ours, made), expected, rtol=1e-4, atol=1e-6)


def test_group_advantages_have_the_spread_that_trl_divides_by():
    from trl.trainer.utils import nanstd

    rewards = torch.tensor([[1.0, 0.0, 0.0, 0.5], [1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 1.0]])
    spread = nanstd(rewards, dim=1, keepdim=True)
    torch.testing.assert_close(advantages.grpo(rewards), (rewards - rewards.mean(1, keepdim=True)) / (spread + 1e-4))
