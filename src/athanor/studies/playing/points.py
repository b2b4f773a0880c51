"""GeneralPoints as it is played into a run folder: its settings, and what of them is science."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import islice
from typing import Annotated, Any, Literal

import msgspec
import tyro

from athanor.agents.asking import ModelOptions, check_options
from athanor.agents.points import POINTS_AGENTS, PointsAgentName, Skin, max_tokens_of
from athanor.agents.small_policy import SmallPolicy
from athanor.agents.small_policy import hands_of as hands_read
from athanor.core.errors import UsageError
from athanor.core.options import changed, refuse_idle, refuse_outside
from athanor.core.play import Planned
from athanor.core.protocols import Agent, Backend
from athanor.core.records import Record, Unreadable
from athanor.environments.points import Chu2025, Deal, Exact, Grade, Points, Rule
from athanor.environments.points import rule as rule_of
from athanor.environments.points.cards import SUITS
from athanor.environments.points.chu2025 import CARDS
from athanor.environments.points.drawing import LOOKS, Look
from athanor.environments.points.judge import Judge
from athanor.environments.points.shifts import SHIFTS
from athanor.environments.points.solver import LARGEST
from athanor.environments.points.text import PointsDialogue
from athanor.models.policy.embedded import EMBEDDED, path_of
from athanor.studies.playing import running
from athanor.studies.playing.running import RANGES, Common, Ended, Match, model_name, model_words, told

__all__ = ["Config", "HandOptions", "play", "refuse_idle_options", "told"]

Split = Literal["base", "train", "test", "all"]
VerifierName = Literal["exact", "chu2025"]


@dataclass(frozen=True, kw_only=True)
class HandOptions:
    """Which hands are dealt, and how they are shown. One of --rule and --shift is needed."""

    rule: str = ""
    """What J, Q and K count as: 10, or 11-12-13; the whole deck is dealt from, and cards are told in words."""
    shift: str = ""
    """A named setting of rule, deal and pictures: none, mapping, range, rule, 'published rule', 'red suits', ..."""
    target: int = 24
    """The number to be made."""
    cards: int = 4
    """Cards of a hand, 1 to 6."""
    suits: str = ""
    """Suits of the deck, as letters: SC is that of the published training on pictures; left out, the shift's or all."""
    vision: bool = False
    """Show the cards as a picture and do not name them; they must then be told right too."""
    look: str = ""
    """How they are drawn, plain if left out: large, small, grid, scatter, stroke, pixel, inverted, blue, bare."""


@dataclass(frozen=True, kw_only=True)
class Config(Common):
    """Play hands of GeneralPoints and write them to a run folder."""

    agent: PointsAgentName
    """gold (the solver), random (right numbers, else by chance), human, policy (--model base-points-1), language."""
    split: Split
    """base, train, test: hands of numbers that no other part has; all: every hand."""
    verifier: VerifierName
    """exact: fractions, one reward by the most severe class; chu2025: as published, defects included."""
    rounds: int
    """Answers to a hand that are graded, at most 10; under chu2025 one more follows that is not, as published."""
    hint: bool = False
    """exact: what is said of a wrong value tells the beginning that the answer shares with a solution."""
    hands: Annotated[HandOptions, tyro.conf.arg(name="")] = field(default_factory=HandOptions)
    language: Annotated[ModelOptions, tyro.conf.arg(name="")] = field(default_factory=ModelOptions)


class Hands(Record, kw_only=True):
    """The hand options, resolved."""

    rule: Rule
    deal: Deal
    target: int
    printed: bool
    look: Look | None


def play(config: Config) -> Ended:
    """Play what is not yet played, and give what ended now."""
    refuse_outside(config, {**RANGES, "rounds": (1, 10)})
    refuse_outside(config.hands, {"target": (0, 10**6), "cards": (1, LARGEST)})
    return running.play(config, match_of(config))


def refuse_idle_options(config: Config) -> None:
    """UsageError naming the options given that do nothing beside the agent, verifier, backend or history."""
    refuse_idle(["--hint"] if config.hint and config.verifier != "exact" else [], f"--verifier {config.verifier}")
    heeded = ("model", "temperature") if config.agent == "policy" else ()
    given = [] if config.agent == "language" else changed(config.language, but=heeded)
    running.refuse_idle_options(config, config.agent, config.language, given)


def match_of(config: Config) -> Match:
    """Who plays what. The bound on an answer's tokens depends on the backend where it was left out."""
    hands = hands_of(config.hands)
    _refuse(config, hands)
    science = _science(config, hands)
    environment = environment_of(science)
    skin = environment, PointsDialogue(look=hands.look, printed=hands.printed)
    bound = max_tokens_of(config.language, server=config.backend.backend == "openai")
    asked = replace(config.language, max_tokens=bound) if config.agent == "language" else None
    plan = planned(environment, config.split, config.seed, config.episodes)
    if config.agent in ("language", "human"):
        begins = environment.observe(environment.start(plan[0].task))
        science |= {"prompt_rules": skin[1].rules(), "prompt_first": skin[1].say(begins, None)}
    maker, hashes = _maker(config, skin, asked or config.language)
    if config.agent == "policy":
        hands_read(environment.observe(environment.start(plan[0].task)), printed=hands.printed)
    return Match(
        environment=environment,
        verifier=Grade(environment=environment),
        plan=plan,
        turns=turns_of(science),
        agent=config.agent,
        make=maker,
        hashes=hashes,
        asked=asked,
        images=hands.look is not None,
        science=science,
        label=label_of(config),
        unread=lambda action: isinstance(action, Unreadable) or not action.formula,
    )


def _maker(
    config: Config, skin: Skin, options: ModelOptions
) -> tuple[Callable[[Backend | None], Agent[Any, Any]], Callable[[], dict[str, str]]]:
    """What makes the agent, and what gives the SHA-256 of what it reads."""
    if config.agent != "policy":
        return lambda backend: POINTS_AGENTS[config.agent](skin, options, backend), dict
    check_options(options)
    path = path_of(options.model or EMBEDDED[0])

    def make(backend: Backend | None) -> Agent[Any, Any]:
        import torch

        from athanor.training.checkpoint import read_policy

        torch.set_num_threads(1)  # more are no quicker for one hand at a time
        temperature = 1.0 if options.temperature is None else options.temperature
        return SmallPolicy(policy=read_policy(path)[0], temperature=temperature, printed=skin[1].printed)

    return make, lambda: {"policy": sha256(path.read_bytes()).hexdigest()}


def hands_of(options: HandOptions) -> Hands:
    """The hands that are asked for. UsageError for a name that is none, and for options that contradict a shift."""
    if bool(options.rule) == bool(options.shift):
        given = "both --rule and --shift were" if options.rule else "neither --rule nor --shift was"
        raise UsageError(f"{given} given, one of them was expected; pass --rule 10, for example, or --shift rule")
    look = _look(options)
    if not options.shift:
        deal = Deal(cards=options.cards, suits=options.suits or SUITS)
        return Hands(rule=rule_of(options.rule), deal=deal, target=options.target, printed=False, look=look)
    if options.shift not in SHIFTS:
        raise UsageError(f"--shift {options.shift!r} is not one of {', '.join(SHIFTS)}; pass one of them")
    shift = SHIFTS[options.shift]
    if shift.look is not None and look is not None:
        raise UsageError(f"--shift {options.shift!r} has its own way of drawing; leave --vision and --look out")
    if shift.printed and look is not None:
        raise UsageError(
            f"--shift {options.shift} prints numbers on the cards, which no picture shows; leave --vision and --look "
            "out, or pass another --shift"
        )
    if options.suits and shift.deal.suits != SUITS:
        raise UsageError(f"--shift {options.shift!r} has its own suits; leave --suits out")
    deal = msgspec.structs.replace(shift.deal, cards=options.cards, suits=options.suits or shift.deal.suits)
    return Hands(rule=shift.rule, deal=deal, target=options.target, printed=shift.printed, look=shift.look or look)


def _look(options: HandOptions) -> Look | None:
    if options.look and options.look not in LOOKS:
        raise UsageError(f"--look {options.look!r} is not one of {', '.join(LOOKS)}; pass one of them")
    return LOOKS[options.look or "plain"] if options.vision or options.look else None


def _refuse(config: Config, hands: Hands) -> None:
    """UsageError for settings that do not go together."""
    if config.verifier == "chu2025" and hands.deal.cards != CARDS:
        raise UsageError(
            f"--verifier chu2025 judges hands of four cards, --cards {hands.deal.cards} was given; pass --cards 4, or "
            "--verifier exact"
        )
    if config.language.constrained and hands.look is not None:
        raise UsageError(
            "--constrained lets a model say only the cards of the hand, which the picture is to tell; leave "
            "--constrained out, or have the cards told in words (without --vision and --look)"
        )
    if config.agent == "human" and hands.look is not None:
        raise UsageError("a person at the terminal is shown no picture; leave --vision, --look or such a --shift out")


def _science(config: Config, hands: Hands) -> dict[str, Any]:
    """The settings as JSON values, from which `environment_of` makes the environment again."""
    look = None if hands.look is None else msgspec.structs.asdict(hands.look)
    found = {
        "environment": "points", "split": config.split, "rule": hands.rule.name, "target": hands.target,
        "deal": msgspec.structs.asdict(hands.deal), "printed": hands.printed, "look": look,
        "verifier": config.verifier, "hint": config.hint, "rounds": config.rounds,
    }  # fmt: skip
    return msgspec.json.decode(msgspec.json.encode(found))


def environment_of(setting: Mapping[str, Any]) -> Points:
    """The environment of a run, from the configuration in its manifest."""
    vision = setting["look"] is not None
    judge: Judge = Exact(vision=vision, hint=setting["hint"])
    if setting["verifier"] == "chu2025":
        judge = Chu2025(vision=vision, rounds=setting["rounds"])
    deal = msgspec.convert(setting["deal"], Deal)
    return Points(rule=rule_of(setting["rule"]), target=setting["target"], deal=deal, judge=judge)


def turns_of(setting: Mapping[str, Any]) -> int:
    """Turns of an episode, at most: the rounds, and the ungraded answer after them that the published verifier has."""
    return setting["rounds"] + (setting["verifier"] == "chu2025")


def planned(environment: Points, split: str, seed: int, episodes: int) -> tuple[Planned, ...]:
    """The episodes of a run: a hand each, as they are dealt."""
    tasks = islice(environment.tasks(split, seed), episodes)
    return tuple(Planned(key=f"{i:04d}", task=task) for i, task in enumerate(tasks))


def label_of(config: Config) -> str:
    """The arm's name: the agent, what is played where that is not the training rule in words, and how a model is
    asked."""
    hands, options = config.hands, config.language
    parts = [model_name(options) if config.agent == "language" else config.agent]
    if config.agent == "policy":
        parts = [model_name(replace(options, model=options.model or EMBEDDED[0])), *model_words(options)]
    parts += [f"shift {hands.shift}"] if hands.shift not in ("", "none") else []
    parts += [f"J-Q-K {hands.rule}"] if hands.rule not in ("", "10") else []
    parts += [f"suits {hands.suits}"] if hands.suits else []
    parts += [hands.look or "vision"] if hands.vision or hands.look else []
    parts += [config.verifier] if config.verifier != "exact" else []
    parts += ["hint"] if config.hint else []
    if config.agent == "language":
        parts += model_words(options)
        parts += [f"effort {options.reasoning_effort}"] if options.reasoning_effort else []
    return ", ".join(parts)
