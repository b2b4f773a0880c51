"""The study at the published size: every command that is run, in order.

For each seed a short fine-tuning gives the format (`init`), from which reinforcement begins and fine-tuning goes on,
as in the publication; the other arms of `sized.py` come after, levers last. Reinforcement comes first, since the
others are as long as costs the same. The model and all that is trained from it play the same hands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from athanor.analysis.generalization import BASE, Key
from athanor.core.errors import UsageError
from athanor.core.seeds import digest
from athanor.environments.points.drawing import LOOKS
from athanor.environments.points.shifts import BLACK, RED
from athanor.studies.carrying_out import Step
from athanor.studies.sft_vs_rl.published import ANSWERS
from athanor.studies.sft_vs_rl.sized import INIT, OWN, SizedArm, sized_arms


class Trial(NamedTuple):
    """Hands that every policy plays."""

    split: str
    shift: str
    about: str
    rounds: int = 1
    """At temperature 1; the first answers are what a trial of one round would give."""
    look: str = ""
    """Of hands in pictures: how they are drawn; empty as in training."""
    suits: str = BLACK
    """Of hands in pictures."""


TRIALS: dict[str, Trial] = {
    "seen": Trial("train", "none", "hands of the part that is trained on"),
    "unseen": Trial("test", "none", "the training rule, numbers that were never dealt", ANSWERS),
    "mapping": Trial("test", "mapping", "J, Q, K mean 7, 8, 9; unseen numbers"),
    "range": Trial("test", "range", "numbers above 10, printed on the cards: larger numbers, no letters"),
    "rule": Trial("test", "rule", "J, Q, K mean 11, 12, 13; unseen numbers", ANSWERS),
    "red suits": Trial("test", "none", "unseen numbers on hearts and diamonds: the published visual shift", ANSWERS,
                       suits=RED),
    **{
        f"look {name}": Trial("test", "none", f"unseen numbers, the cards drawn as {name}", look=name)
        for name in LOOKS
    },
}  # fmt: skip
"""By the names of the conditions of the laptop's study; the last ones are of hands in pictures alone."""
WORDS = ("seen", "unseen", "mapping", "range", "rule")
"""What policies that read hands in words are tried on."""
PICTURES = ("seen", "unseen", "mapping", "rule", "red suits", "looks")
"""What those are that see them; looks: the other ways of drawing."""


def conditions_of(names: tuple[str, ...], look: str) -> tuple[str, ...]:
    """Names of TRIALS, for policies that see hands drawn as `look`, or read them. UsageError for one that cannot be."""
    known = PICTURES if look else WORDS
    if odd := [name for name in names if name not in known]:
        how = f"--look {look}" if look else "hands in words (no --look)"
        raise UsageError(f"--conditions {odd[0]} cannot be tried with {how}; pass some of {', '.join(known)}")
    others = [f"look {name}" for name in LOOKS if name != look]
    return tuple(one for name in names or known for one in (others if name == "looks" else [name]))


HOW = {"sampled": 1.0, "greedy": 0.0}
"""Names of the ways to play, and their temperatures."""
COOLER = {"at-0.7": 0.7, "at-0.5": 0.5, "at-0.3": 0.3}
"""Those of the model and of `init` alone: what lower temperatures do without any training."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the study at the published size is asked to do."""

    model: str
    """A folder in Hugging Face's format, or a name on the hub."""
    method: str
    """Of reinforcement."""
    seed: int
    seeds: int
    """Trainings of each main arm."""
    lever_seeds: int = 0
    """Trainings of each lever."""
    arms: tuple[str, ...] = ()
    """Names of the arms that are trained, with what they need; empty trains all."""
    episodes: int
    """Hands of each trial."""
    verifier: str
    """Of training and of play."""
    conditions: tuple[str, ...] = WORDS
    """Those of TRIALS that are played."""
    look: str = ""
    """How the cards are drawn in training, black suits alone; empty names them in words."""
    tokens: int
    """Bound on an answer, in training and in play."""
    rounds: int = ANSWERS
    """Answers of an episode of reinforcement."""
    sampled: int = 40_960
    """Episodes of a whole reinforcement."""
    rate: float = 1e-6
    """Learning rate of fine-tuning."""
    init_steps: tuple[str, ...] = ()
    """Words of the command line that say how long each training is; empty takes the preset's."""
    sft_steps: tuple[str, ...] = ()
    """Empty: as many as cost what reinforcement cost."""
    rl_steps: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    """Further words for every training."""
    supervised: tuple[str, ...] = ()
    """For fine-tuning."""
    reinforced: tuple[str, ...] = ()
    critic: tuple[str, ...] = ()
    """For `ppo`."""
    play: tuple[str, ...] = ()
    """For every trial."""
    launch: tuple[str, ...] = ()
    """Words before the command of a training, for example `torchrun --nproc_per_node 8 -m`."""

    @property
    def planned(self) -> tuple[SizedArm, ...]:
        """The arms that are trained, those that others need included. UsageError for a name that is none."""
        made = sized_arms(self.method, self.rounds, self.rate, self.sampled, pictures=bool(self.look))
        every = {arm.name: arm for arm in made}
        if odd := [name for name in self.arms if name not in every]:
            names = " ".join(map(repr, every))
            raise UsageError(f"--arms has {odd[0]!r}, which is not one of {names}; pass some of them")
        needed = {INIT, self.method, *self.arms, *(every[name].begins for name in self.arms)}
        return tuple(arm for arm in every.values() if not self.arms or arm.name in needed)


def arm_of(plan: Plan, name: str) -> SizedArm:
    return next(arm for arm in plan.planned if arm.name == name)


def policies(plan: Plan) -> list[tuple[str, int | None]]:
    """Arm and number of the seed of every policy, in the order in which they are there; the base has no number. Main
    arms come first, one seed after the other, so that an early stop leaves whole pairs."""
    main = [arm.name for arm in plan.planned if not arm.of]
    levers = [arm.name for arm in plan.planned if arm.of]
    trained = [(arm, number) for number in range(plan.seeds) for arm in main]
    return [(BASE, None), *trained, *((arm, number) for number in range(plan.lever_seeds) for arm in levers)]


def policy_name(arm: str, number: int | None) -> str:
    """What a policy is called in folders.

    >>> policy_name("grpo, 3 rounds", 0), policy_name("base", None)
    ('grpo-3-rounds-0', 'base')
    """
    name = arm.replace(", ", "-").replace(" ", "-")
    return name if number is None else f"{name}-{number}"


def run_of(folder: Path, arm: str, number: int) -> Path:
    """The folder of a training."""
    return folder / "runs" / policy_name(arm, number)


def trial_of(folder: Path, arm: str, number: int | None, condition: str, how: str) -> Path:
    """The folder of a trial."""
    return folder / "plays" / policy_name(arm, number) / _trial_name(condition, how)


def _trial_name(condition: str, how: str) -> str:
    return f"{condition.replace(' ', '-')}-{how}"


def own_of(folder: Path, number: int) -> Path:
    """The folder of the answers of `init` that are taught."""
    return folder / "plays" / policy_name(INIT, number) / "own"


def ways_of(arm: str, condition: str) -> dict[str, float]:
    """The ways in which a policy plays, and their temperatures; other looks are not played at lower ones."""
    return HOW | COOLER if arm in (BASE, INIT) and not TRIALS[condition].look else HOW


def keys_of(condition: str, how: str) -> tuple[Key, ...]:
    """The scores that a trial gives: of single answers, and of as many rounds as it has."""
    rounds = TRIALS[condition].rounds if how == "sampled" else 1
    return tuple(Key(condition, (HOW | COOLER)[how], k) for k in dict.fromkeys((1, rounds)))


def steps(plan: Plan, folder: Path) -> Iterator[Step]:
    """Every step, each after those that it needs."""
    answered: set[tuple[int, bool]] = set()
    for name, number in policies(plan):
        if number is not None:
            arm = arm_of(plan, name)
            more = bool(arm.of)
            if arm.own and (number, more) not in answered:
                answered.add((number, more))
                yield _own(plan, folder, number, more)
            yield _training(plan, folder, arm, number)
        yield from _trials(plan, folder, name, number)


def _training(plan: Plan, folder: Path, arm: SizedArm, number: int) -> Step:
    out = run_of(folder, arm.name, number)
    begun = str(run_of(folder, arm.begins, number) / "final") if arm.begins else plan.model
    part = INIT if arm.name == INIT else "arms"  # the arms are dealt alike, and not what init saw
    seed = str(digest(plan.seed, part, number) % 2**31)
    words = ["athanor", "train", "points", "--model", begun, "--method", arm.method, "--preset", "chu2025"]
    words += ["--rule", "10", "--split", "train", "--verifier", plan.verifier, "--seed", seed]
    words += [*_length(plan, folder, arm, number), *plan.shared]
    words += ["--data.look", plan.look, "--data.suits", BLACK] if plan.look else []
    if arm.supervised:
        words += plan.supervised
        words += ["--data.answers", str(own_of(folder, number))] if arm.own else []
    else:
        words += ["--rl.max-tokens", str(plan.tokens), *plan.reinforced, *(plan.critic if arm.method == "ppo" else ())]
    command = (*plan.launch, *words, *arm.words, "--out", str(out), "--resume")
    return Step(name=policy_name(arm.name, number), kind="train", out=str(out), command=command)


def _length(plan: Plan, folder: Path, arm: SizedArm, number: int) -> tuple[str, ...]:
    """The words that say how long a training is."""
    match = ("--match", str(run_of(folder, plan.method, number)))
    if arm.name == INIT:
        return plan.init_steps
    if arm.supervised:
        return plan.sft_steps or match
    return plan.rl_steps if arm.unmatched else match


def _trials(plan: Plan, folder: Path, arm: str, number: int | None) -> Iterator[Step]:
    model = plan.model if number is None else str(run_of(folder, arm, number) / "final")
    name = policy_name(arm, number)
    for condition in plan.conditions:
        trial = TRIALS[condition]
        for how, temperature in ways_of(arm, condition).items():
            out = trial_of(folder, arm, number, condition, how)
            rounds = max(key.rounds for key in keys_of(condition, how))
            words = (
                "--shift", trial.shift, "--split", trial.split, "--rounds", str(rounds), "--episodes",
                str(plan.episodes), "--seed", str(plan.seed), "--label", f"{name}, {how}", *_drawn(plan, trial),
            )  # fmt: skip
            yield Step(name=f"{name}-{_trial_name(condition, how)}", kind="play", out=str(out),
                       command=_play(plan, model, temperature, words, out))  # fmt: skip


def _drawn(plan: Plan, trial: Trial) -> tuple[str, ...]:
    """The words that say how cards are drawn; none where they are named."""
    return ("--look", trial.look or plan.look, "--suits", trial.suits) if plan.look else ()


def _own(plan: Plan, folder: Path, number: int, more: bool) -> Step:
    """The answers of `init` to hands of the part that is trained on; with `more` the run goes on to as many as
    reinforcement samples."""
    words = ("--shift", "none", "--split", "train", "--rounds", "1", "--episodes",
             str(max(OWN, plan.sampled) if more else OWN), "--seed", str(digest(plan.seed, "own", number) % 2**31),
             "--label", f"{INIT}-{number}, own answers", *_drawn(plan, TRIALS["seen"]))  # fmt: skip
    model, out = str(run_of(folder, INIT, number) / "final"), own_of(folder, number)
    name = f"own-{number}-all" if more else f"own-{number}"
    return Step(name=name, kind="play", out=str(out), command=_play(plan, model, 1.0, words, out))


def _play(plan: Plan, model: str, temperature: float, words: tuple[str, ...], out: Path) -> tuple[str, ...]:
    return (
        "athanor", "play", "points", "--agent", "language", "--backend", "torch", "--model", model, "--temperature",
        f"{temperature:g}", "--max-tokens", str(plan.tokens), "--verifier", plan.verifier, *words, *plan.play, "--out",
        str(out), "--resume",
    )  # fmt: skip
