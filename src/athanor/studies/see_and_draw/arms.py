"""What is trained in the study: its settings, and the arms that follow from one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from athanor.core.seeds import digest
from athanor.environments.scenes.spec import GENEVAL
from athanor.models.unified.config import (
    TINY,
    BackboneConfig,
    EncoderConfig,
    Understanding,
    UnifiedConfig,
    VisualTokenizerConfig,
)
from athanor.models.unified.unified import Unified, understanding
from athanor.training.optimizers import Rates
from athanor.training.precision import halves
from athanor.training.unified.drawing_rl import DrawingRL
from athanor.training.unified.lessons import Examples
from athanor.training.unified.operations import Lengths, drawn_flop, lengths, reinforcement_flop, stage_flop
from athanor.training.unified.recipes import JANUS, JANUS_PRO, Recipe, tiny
from athanor.training.unified.rejection import Rejection
from athanor.training.unified.run import begun, scenes
from athanor.training.unified.scores import Trial
from athanor.training.unified.stages import Stage

FOUNDATION, BEFORE = "foundation", "stage II"
"""What all arms of a seed begin from, and where the third stage does."""
REFERENCE, SHARED = "decoupled", "shared"
"""The recipe as published, and the same with one encoder for both tasks."""
SEES, SEES_CODES, DRAWS = "understanding only", "understanding only, shared", "generation only"
LEFT_OUT, BALANCED = "no stage I", "7:3:10"
LONGER, OWN, RL, UNGUIDED = "more stage III", "own right drawings", "grpo", "grpo, t2i-r1"
GUIDANCE = 2.0
"""That arms are compared at and reinforcement draws with; the published 5 is too much for models of this size."""
STYLE = "aligned"
"""Of the pictures, in every setting. Codes are symbols in it, which favours seeing by codes; of jittered pictures 512
codes let four in ten pass after 2,000 steps of the tokenizer, and drawing could not be judged."""
SWEEP = (1.0, 2.0, 3.0, 5.0, 7.0)
"""Weights of guidance that some arms are tried at; the others at the first two."""
SWEPT = (REFERENCE, SHARED, RL, UNGUIDED)
ENCODER, CODES = ("encoder", "encoder_adaptor"), ("code_embedding", "code_adaptor", "code_head")
"""Modules that understanding alone, and drawing alone, goes through."""
Kind = Literal["stages", "grpo", "rejection"]


@dataclass(frozen=True, kw_only=True)
class Steps:
    """How long each part is."""

    tokenizer: int
    encoder: int
    language: int
    one: int
    two: int
    three: int
    reinforcement: int


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A size of the study."""

    shape: UnifiedConfig
    style: str
    """Of `environments.scenes.STYLES`."""
    seeds: int
    """Trainings of each arm."""
    steps: Steps
    samples: int
    """Of a step of stages I to III."""
    prompts: int
    """Images of each category that a model is tried on; different prompts, as far as there are."""
    questions: int
    """Of each kind, about true pictures."""
    pictures: int
    """Pictures of each category for nats under true and other prompts."""
    group: tuple[int, int]
    """Prompts of a step of reinforcement, and images of each."""
    arms: tuple[str, ...]
    """Names of those that are trained."""
    about: str


SMALL = UnifiedConfig(
    backbone=BackboneConfig(vocabulary=256, width=32, inner=48, layers=2, heads=4, kv_heads=4, context=512),
    encoder=EncoderConfig(image_size=48, patch=16, width=16, inner=32, layers=1, heads=2),
    tokenizer=VisualTokenizerConfig(
        image_size=48, channels=8, multipliers=(1, 1, 1, 1, 1), residual_blocks=0, groups=4, latent=8, codes=32,
        code_size=4, encoder="patches", attention=False,
    ),
)  # fmt: skip
"""9 codes an image, for the smallest setting."""
MIDDLE = replace(
    TINY, backbone=replace(TINY.backbone, width=128, inner=352, layers=4, heads=4, kv_heads=4),
    encoder=replace(TINY.encoder, width=96, inner=288, layers=3, heads=3),
)  # fmt: skip
"""Of a third of the default's size: what matters here is how many trainings there are."""
WHOLE = (
    REFERENCE, SHARED, SEES, SEES_CODES, DRAWS, LEFT_OUT, BALANCED, LONGER, OWN, RL, UNGUIDED
)  # fmt: skip
SETTINGS: dict[str, Setting] = {
    "smoke": Setting(
        shape=SMALL, style=STYLE, seeds=2, samples=24, prompts=2, questions=2, pictures=2, group=(2, 2),
        steps=Steps(tokenizer=3, encoder=2, language=1, one=1, two=2, three=2, reinforcement=1),
        arms=(REFERENCE, SHARED, SEES, DRAWS, RL),
        about="five arms, and two that they begin from, of a step or two: that everything runs, in under a minute",
    ),
    "quick": Setting(
        shape=MIDDLE, style=STYLE, seeds=2, samples=32, prompts=24, questions=24, pictures=12, group=(8, 8),
        steps=Steps(tokenizer=800, encoder=200, language=40, one=30, two=300, three=60, reinforcement=15),
        arms=(REFERENCE, SHARED, RL), about="three arms, two seeds, in a quarter of an hour on two cores",
    ),
    "laptop": Setting(
        shape=MIDDLE, style=STYLE, seeds=5, samples=32, prompts=60, questions=48, pictures=16, group=(8, 8),
        steps=Steps(tokenizer=1_500, encoder=400, language=50, one=60, two=600, three=150, reinforcement=30),
        arms=WHOLE, about="every arm, five seeds, in under two hours on two cores",
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One training."""

    name: str
    about: str
    kind: Kind
    begins: str = ""
    """The arm that it goes on from; empty for the foundation."""
    stages: tuple[Stage, ...] = ()
    understanding: Understanding = "encoder"
    own: Rejection | None = None
    rl: DrawingRL | None = None
    flop: float = 0.0
    """Operations of it, by count; what it begins from not."""

    @property
    def shown(self) -> bool:
        """Whether it is an answer, and no step towards one."""
        return self.name not in (FOUNDATION, BEFORE)


def recipe_of(setting: Setting, arm: Arm, seed: int) -> Recipe:
    """The training of an arm that consists of stages; the foundation has the tokenizer and the encoder before them."""
    usual, trial = tiny(seed), Trial(many=1, style=setting.style, guidance=GUIDANCE)
    recipe = Recipe(
        seed=seed, shape=replace(setting.shape, understanding=arm.understanding), stages=arm.stages,
        style=setting.style, measured=1, watch=trial, final=trial, half=halves("cpu"),
    )  # fmt: skip
    if arm.name != FOUNDATION or usual.tokenizer is None or usual.encoder is None:
        return recipe
    return replace(
        recipe, tokenizer=replace(usual.tokenizer, steps=setting.steps.tokenizer),
        encoder=replace(usual.encoder, steps=setting.steps.encoder),
    )  # fmt: skip


def taught(recipe: Recipe, k: int) -> Examples:
    """Examples of the part before the stages (0) or of stage `k`: the same for stages of one name, in all arms."""
    if k == 0:
        return scenes(recipe, 0)
    stage = recipe.stages[k - 1]
    return scenes(replace(recipe, stages=(stage,), seed=digest(recipe.seed, "stage", stage.name)), 1)


def arms(setting: Setting) -> tuple[Arm, ...]:
    """Every arm of a setting after the ones that it begins from, made as dear as each other where they are compared."""
    made = _Made(setting)
    every = (*made.stages(), *made.alone(), *made.after())
    wanted = set(setting.arms)
    for arm in reversed(every):
        if arm.name in wanted and arm.begins:
            wanted.add(arm.begins)
    return tuple(arm for arm in every if arm.name in wanted)


class _Made:
    """The arms of a setting, and what their steps cost."""

    def __init__(self, setting: Setting) -> None:
        self.setting, steps = setting, setting.steps
        usual = {stage.name: stage for stage in tiny(0).stages}
        self.language = replace(usual["language"], steps=steps.language)
        usual |= {name: replace(stage, dose=replace(stage.dose, samples=setting.samples))
                  for name, stage in usual.items() if name != "language"}  # fmt: skip
        self.one = replace(usual["I"], steps=steps.one, starts_codes=True)
        self.two = replace(usual["II"], steps=steps.two)
        pro, before = JANUS_PRO[-1].dose.ratio, JANUS[-1].dose.ratio
        self.three = replace(usual["III"], steps=steps.three, dose=replace(usual["III"].dose, ratio=pro), mean="token")
        self.balanced = replace(self.three, dose=replace(self.three.dose, ratio=before))
        stages = (self.language, self.one, self.two, self.three)
        recipe = Recipe(seed=0, shape=setting.shape, stages=stages, style=setting.style)
        self.unified = begun(recipe, "cpu")
        self.long = {
            stage.name: lengths(self.unified, taught(recipe, k)) for k, stage in enumerate(recipe.stages, 1)
        }  # fmt: skip

    def cost(self, stage: Stage, how: Understanding = "encoder") -> float:
        """Of one step."""
        unified = self.unified if how == "encoder" else self.by_codes()
        found = stage_flop(unified, stage, self.long_of(stage, unified))
        understanding(self.unified, "encoder")
        return found

    def by_codes(self) -> Unified:
        return understanding(self.unified, "codes")

    def long_of(self, stage: Stage, unified: Unified) -> Lengths:
        """Lengths of a stage's samples; a picture has as many soft tokens as the model sees it with."""
        long = self.long[stage.name.split(",")[0]]
        config = unified.model.config
        return long._replace(understanding=long.understanding - config.encoder.tokens + config.seen)

    def staged(
        self, name: str, about: str, stages: tuple[Stage, ...], begins: str = FOUNDATION,
        how: Understanding = "encoder",
    ) -> Arm:  # fmt: skip
        if begins == FOUNDATION:
            stages = (replace(stages[0], starts_codes=True), *stages[1:])
        if how == "codes":
            stages = tuple(_without(stage, *ENCODER) for stage in stages)
        flop = sum(stage.steps * self.cost(stage, how) for stage in stages)
        return Arm(name=name, about=about, kind="stages", begins=begins, stages=stages, understanding=how, flop=flop)

    def stages(self) -> tuple[Arm, ...]:
        """The published recipe, and one thing changed at a time."""
        one, two, three, balanced = self.one, self.two, self.three, self.balanced
        longer = replace(two, steps=two.steps + round(one.steps * self.cost(one) / self.cost(two)))
        same = replace(balanced, steps=round(three.steps * self.cost(three) / self.cost(balanced)))
        ratio = "{:g}:{:g}:{:g}"
        first, second, told = (ratio.format(*r) for r in (one.dose.ratio, two.dose.ratio, JANUS_PRO[1].dose.ratio))
        stages = f"stages I at {first} and II at {second} (published: {told})"
        return (
            Arm(name=FOUNDATION, kind="stages", stages=(self.language,),
                about="visual tokenizer, encoder and language model, each by itself"),
            self.staged(BEFORE, stages, (one, two)),
            self.staged(REFERENCE, f"the recipe: after {stages}, III at {ratio.format(*three.dose.ratio)}",
                        (three,), BEFORE),
            self.staged(SHARED, "understanding by the codes that images are drawn with, in all stages",
                        (one, two, three), how="codes"),
            self.staged(LEFT_OUT, "stage II longer by what stage I costs", (longer, three)),
            self.staged(BALANCED, f"stage III at {ratio.format(*same.dose.ratio)}, as dear", (same,), BEFORE),
        )  # fmt: skip

    def alone(self) -> tuple[Arm, ...]:
        """One task without the other: the same examples of it, in as many steps."""
        every = (self.one, self.two, self.three)
        sees = tuple(_without(_only(stage, drawing=False), *CODES) for stage in every)
        reads = tuple(_without(_only(stage, drawing=False), "code_head") for stage in every)
        draws = tuple(_without(_only(stage, understanding=False), *ENCODER) for stage in every)
        return (
            self.staged(SEES, "no drawing in any stage", sees),
            self.staged(SEES_CODES, "no drawing in any stage, pictures by their codes", reads, how="codes"),
            self.staged(DRAWS, "no questions about pictures in any stage", draws),
        )

    def after(self) -> tuple[Arm, ...]:
        """What the recipe's model can be trained by further, at the cost of reinforcement."""
        steps = self.setting.steps.reinforcement
        prompts, samples = self.setting.group
        rl = DrawingRL(
            algorithm="grpo", steps=steps, prompts=prompts, samples=samples, categories=GENEVAL, guidance=GUIDANCE,
            rates=Rates(adamw=2e-4), micro=32,
        )  # fmt: skip
        images, length = rl.prompts * rl.samples, round(self.long["III"].drawing)
        step = reinforcement_flop(self.unified, images, length, guided=True, learned_guided=True)
        cheap = reinforcement_flop(self.unified, images, length, guided=True, learned_guided=False)
        learned = step - drawn_flop(self.unified, images, length, guided=True)
        batch = Rejection(sampled=rl, steps=0).batch
        own = round(steps * learned / (3.0 * drawn_flop(self.unified, batch, length, guided=False)))
        again = replace(self.three, name="III, again")
        again = replace(again, steps=max(1, round(steps * step / self.cost(again))))
        unguided = replace(rl, scored="t2i-r1", steps=max(1, round(steps * step / cheap)))
        return (
            self.staged(LONGER, "the recipe goes on: stage III once more, on new examples", (again,), REFERENCE),
            Arm(name=OWN, kind="rejection", begins=REFERENCE, own=Rejection(sampled=rl, steps=max(1, own)),
                about="as many images as grpo samples, those that pass learned", flop=steps * step),
            Arm(name=RL, kind="grpo", begins=REFERENCE, rl=rl, flop=steps * step,
                about="reinforcement by the exact checker, of the guided distribution that is drawn from"),
            Arm(name=UNGUIDED, kind="grpo", begins=REFERENCE, rl=unguided, flop=unguided.steps * cheap,
                about="drawn with guidance, scored without it, as T2I-R1 does"),
        )  # fmt: skip


def _without(stage: Stage, *modules: str) -> Stage:
    return replace(stage, trained={name: share for name, share in stage.trained.items() if name not in modules})


def _only(stage: Stage, *, understanding: bool = True, drawing: bool = True) -> Stage:
    """A stage without one of its tasks, the others as they are."""
    seen, read, drawn = stage.dose.counts
    left = (seen * understanding, read, drawn * drawing)
    return replace(stage, dose=replace(stage.dose, samples=sum(left), ratio=left))
