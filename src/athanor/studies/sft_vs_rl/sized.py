"""What is trained in the study at the published size: the arms of the laptop's setting, as options of `train points`.

All begin at `init`, a short fine-tuning that gives the format, but where an arm says otherwise. Reinforcement has five
answers to a hand there, as in the publication; in the laptop's setting it has one and begins at the base.
"""

from __future__ import annotations

from typing import NamedTuple

INIT, SFT = "init", "sft"
OWN = 8_000
"""Hands to which `init` answers once for the arm that is taught the right ones."""
FEW = 1_000
"""Hands that are shown again and again, as in the laptop's setting."""
ROUNDS = (1, 3, 10)
"""Rounds of verification in training, beside those of the reference."""


class SizedArm(NamedTuple):
    """One way to post-train."""

    name: str
    method: str
    """Of `train points`."""
    about: str
    words: tuple[str, ...] = ()
    """Its options, beside those of all."""
    of: str = ""
    """The main arm of which this one is a lever; empty for main arms."""
    begins: str = INIT
    """The arm at whose end it begins; empty for the model itself."""
    own: bool = False
    """Whether it is taught the answers of `init`."""
    unmatched: bool = False
    """Whether it has as many steps as the reference by reinforcement, and not as many as cost the same."""
    like: tuple[str, ...] = ()
    """The arms of the laptop's setting that it is the counterpart of."""

    @property
    def supervised(self) -> bool:
        return self.method == "sft"


def sized_arms(rl: str, rounds: int, rate: float, sampled: int, *, pictures: bool = False) -> tuple[SizedArm, ...]:
    """Every arm, in the order in which they are trained.

    `rl`: the reference by reinforcement, a method of `train points` with so many `rounds` and so many episodes
    `sampled` in all; `rate`: the learning rate of fine-tuning. With hands in `pictures`, and by rloo, episodes have one
    answer, so that no arm has more.
    """
    main = (
        SizedArm(INIT, "sft", "a short fine-tuning, which gives the format; where the other arms begin", begins=""),
        SizedArm(rl, rl, f"reinforcement with {_answers(rounds)} to a hand", unmatched=True,
                 like=("grpo", "grpo after sft", f"grpo, {rounds} rounds")),
        SizedArm(SFT, "sft", "new hands at every step, a random solution each, as published",
                 like=("sft, fresh hands",)),
        SizedArm("sft, few hands", "sft", f"one canonical solution of each of {FEW:,} hands",
                 ("--data.hands", str(FEW), "--data.solutions", "canonical"), like=("sft",)),
        SizedArm("dft", "sft", "each token's loss times its own probability", ("--optim.loss", "dft"), like=("dft",)),
        SizedArm("sft on own answers", "sft", f"right ones among the answers of init to {OWN:,} hands",
                 ("--data.hands", str(OWN)), own=True, like=("sft on own answers",)),
        *((SizedArm("ppo", "ppo", "a critic in place of the group", like=("ppo",)),) if rl != "ppo" else ()),
    )  # fmt: skip
    levers = (*_supervised(rate, sampled), *_reinforced(rl, rounds, pictures))
    return (*main, *levers)


def _supervised(rate: float, sampled: int) -> tuple[SizedArm, ...]:
    """One thing changed of fine-tuning."""
    return (
        SizedArm("sft, low rate", "sft", "a fifth of the rate", ("--optim.learning-rate", f"{rate / 5:g}"), SFT,
                 like=("sft, low rate",)),
        SizedArm("sft, KL", "sft", "held near init by the divergence", ("--optim.kl", "1"), SFT, like=("sft, KL",)),
        SizedArm("sft, many rules", "sft",
                 "prompt diversity: J, Q and K mean numbers of 1 to 10, drawn anew for every hand",
                 ("--data.rules", "many"), SFT, like=("sft, many rules",)),
        SizedArm("sft, varied prompts", "sft", "prompt diversity: another first sentence, and parts in another order",
                 ("--data.varied",), SFT),
        SizedArm("sft, thoughts", "sft", "chain of thought: the solver's steps before each answer",
                 ("--data.thoughts",), SFT),
        SizedArm("sft, all solutions", "sft", "every solution of each hand", ("--data.solutions", "all"), SFT,
                 like=("sft, all solutions",)),
        SizedArm("sft, two turns", "sft", "half of the answers put a wrong one right", ("--data.turns", "2"), SFT,
                 like=("sft, two turns",)),
        SizedArm("sft on as many own answers", "sft", "right ones among as many answers as reinforcement samples",
                 ("--data.hands", str(sampled)), "sft on own answers", own=True, like=("sft on as many own answers",)),
    )  # fmt: skip


def _reinforced(rl: str, rounds: int, pictures: bool) -> tuple[SizedArm, ...]:
    """One thing changed of reinforcement."""
    others = () if pictures or rl == "rloo" else tuple(k for k in ROUNDS if k != rounds)
    return (
        SizedArm(f"{rl}, KL", rl, "held near init by the divergence", ("--rl.kl", "0.1"), rl, like=("grpo, KL",)),
        *(
            SizedArm(f"{rl}, {k} round{'s' if k > 1 else ''}", rl, f"{_answers(k)} to a hand, at equal compute",
                     ("--rl.rounds", str(k)), rl, like=("grpo",) if k == 1 else (f"grpo, {k} rounds",))
            for k in others
        ),
        SizedArm("w-reinforce", "w-reinforce", "wrong answers suppressed, right ones reinforced at a tenth", (), rl,
                 unmatched=True, like=("w-reinforce",)),
        SizedArm(f"{rl}, no init", rl, "from the model itself", (), rl, begins="", unmatched=True, like=("grpo",)),
        SizedArm(f"{rl} after sft", rl, "from the end of sft", (), rl, begins=SFT, unmatched=True,
                 like=("grpo after long sft",)),
    )  # fmt: skip


def _answers(rounds: int) -> str:
    return "one answer" if rounds == 1 else f"up to {rounds} answers"
