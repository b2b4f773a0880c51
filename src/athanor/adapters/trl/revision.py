"""Episodes of several answers for GRPO: after a wrong one the verifier says what is wrong, and the model tries again.

An episode is one sequence of tokens: what the model wrote, and between its answers what it was told, which no gradient
goes through. An answer that was cut at the token bound ends its episode.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from athanor.adapters.trl.rewards import Kind, environment_of, heard, worth
from athanor.core.errors import UsageError
from athanor.core.records import Task, Turn
from athanor.environments.points.environment import Grade
from athanor.environments.points.judge import Judge
from athanor.environments.points.state import Hand
from athanor.environments.points.text import PointsDialogue
from athanor.models.backends.pretrained import prompt_of


@dataclass(kw_only=True)
class _Episode:
    """An episode as it is played."""

    task: Task
    state: Hand
    prompt: list[int]
    tokens: list[int] = field(default_factory=list)
    written: list[int] = field(default_factory=list)
    """1 for each token of the model, 0 for what it was told."""
    logprobs: list[float] = field(default_factory=list)
    worths: list[float] = field(default_factory=list)
    """The reward of each answer."""
    passed: bool = False
    over: bool = False


@dataclass(frozen=True, kw_only=True)
class Revision:
    """A rollout function of `trl`: plays an episode to each prompt that it is given."""

    dialogue: PointsDialogue
    judge: Judge
    tasks: Mapping[str, Task]
    """By the text of the prompt, which tells all of a hand but its suits."""
    rounds: int
    """Answers that an episode may have."""
    kind: Kind

    def __call__(self, prompts: Sequence[list[dict[str, str]]], trainer: Any) -> dict[str, Any]:
        played = [self._begun(prompt, trainer) for prompt in prompts]
        for _ in range(self.rounds):
            if not _any(trainer, any(not one.over for one in played)):
                break
            # Processes generate together, so each asks as often and as much as the others; the rest is thrown away.
            asked = played if trainer.accelerator.num_processes > 1 else [one for one in played if not one.over]
            tokens, logprobs = trainer._generate_single_turn([one.prompt + one.tokens for one in asked], None, {}, 1)
            for number, one in enumerate(asked):
                if not one.over:
                    self._answered(one, tokens[number], logprobs[number] if logprobs else None, trainer)
        return {
            "prompt_ids": [one.prompt for one in played],
            "completion_ids": [one.tokens for one in played],
            "logprobs": [one.logprobs for one in played] if trainer.use_vllm else None,
            "env_mask": [one.written for one in played],
            "worths": [one.worths for one in played],
            "passed": [one.passed for one in played],
            "told_tokens": [one.written.count(0) for one in played],
        }

    def _begun(self, prompt: list[dict[str, str]], trainer: Any) -> _Episode:
        task = self.tasks[prompt[-1]["content"]]
        state = environment_of(task, self.judge).start(task)
        return _Episode(task=task, state=state, prompt=prompt_of(trainer.processing_class, prompt))

    def _answered(self, one: _Episode, tokens: list[int], logprobs: list[float] | None, trainer: Any) -> None:
        """Judge an answer, and tell what is wrong with it where another may follow."""
        environment = environment_of(one.task, self.judge)
        text = trainer.processing_class.decode(tokens, skip_special_tokens=True)
        cut = tokens[-1] not in trainer.eos_token_ids
        action = heard(self.dialogue, environment, one.task, text, cut)
        step = environment.step(one.state, action)
        verdict = Grade(environment=environment).verify(one.task, one.state, action, step.state)
        assert step.state.judged is not None
        one.worths.append(worth(step.state.judged, self.kind))
        seen = environment.observe(one.state)
        turn = Turn(index=len(one.worths) - 1, observation=seen, action=action, verdict=verdict)
        one.state, one.passed = step.state, step.terminated
        _append(one, tokens, logprobs or [0.0] * len(tokens), written=1)
        one.over = one.passed or len(one.worths) == self.rounds or cut
        if not one.over:
            told = between(trainer.processing_class, self.dialogue.say(seen, turn), trainer.eos_token_ids)
            _append(one, told, [0.0] * len(told), written=0)


def _append(one: _Episode, tokens: list[int], logprobs: list[float], *, written: int) -> None:
    one.tokens += tokens
    one.logprobs += logprobs
    one.written += [written] * len(tokens)


def _any(trainer: Any, here: bool) -> bool:
    """Whether any process says so."""
    if trainer.accelerator.num_processes == 1:
        return here
    import torch

    said = torch.tensor([int(here)], device=trainer.accelerator.device)
    return bool(trainer.accelerator.gather(said).sum() > 0)


def between(tokenizer: Any, told: str, ends: Sequence[int]) -> list[int]:
    """The tokens from the end of an answer to where the next one begins, by the model's chat template.

    UsageError if answers do not end as the template writes them.
    """
    opening = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "."}]
    options: dict[str, Any] = {"tokenize": True, "return_dict": False}
    before = tokenizer.apply_chat_template(opening, add_generation_prompt=False, **options)
    whole = prompt_of(tokenizer, [*opening, {"role": "user", "content": told}])
    ended = [place for place, token in enumerate(before) if token in ends]
    before = before[: ended[-1] + 1] if ended else before
    if not ended or whole[: len(before)] != before:
        raise UsageError(
            "the chat template does not write past answers as the model ends them, so that an episode cannot go on "
            "after one; pass --rl.rounds 1, or a model with another template"
        )
    return whole[len(before) :]
