"""athanor tour: the main job on what is bundled, ending with a report that opens in a browser."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from athanor.agents.registry import AgentName, LanguageOptions
from athanor.analysis.arms import BASELINES
from athanor.core.errors import UsageError
from athanor.core.lines import refuse_file
from athanor.models.backends import BackendConfig
from athanor.models.backends.llamacpp import SMOLLM2, LlamaConfig
from athanor.reports.page import Chapter, report
from athanor.studies.playing import alchemy as playing

WORLDS = {"atelier": "atelier", "opaque": "generated:opaque:1"}

FREE_TOKENS, CONSTRAINED_TOKENS = 40, 16
"""Bounds on an answer of the language model: free, it may put its pair into a sentence."""


PROMPTS, QUESTIONS, PICTURES = 20, 20, 4
"""Of each category or kind, on which the unified model is tried."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """A small language model explores two worlds, a policy is post-trained, a unified model draws; then the report."""

    out: Path
    """The folder for runs/, sft-vs-rl/, see-and-draw/ and the report."""
    resume: bool = False
    """Go on with a tour that was interrupted; what is played is kept."""
    seed: int = 1
    """All randomness follows from it."""
    episodes: int = 3
    """Episodes of each language arm."""
    baseline_episodes: int = 50
    """Episodes of each baseline; the oracle plays a tenth."""
    turns: int = 20
    """Turns of an episode."""


def run(config: Config) -> int:
    """Play every arm, write the report, and print its path; 1 if any episode ended in an error."""
    if config.episodes < 1 or config.baseline_episodes < 1 or config.turns < 1:
        raise UsageError(
            f"--episodes {config.episodes}, --baseline-episodes {config.baseline_episodes} and --turns {config.turns} "
            "were given, 1 or more of each were expected; pass such numbers"
        )
    refuse_file(config.out)
    started = perf_counter()
    plays: list[tuple[str, str, AgentName, int, LanguageOptions]] = []
    for world, table in WORLDS.items():
        for agent in BASELINES:
            episodes = max(2, config.baseline_episodes // 10) if agent == "oracle" else config.baseline_episodes
            plays.append((f"{world}-{agent}", table, agent, episodes, LanguageOptions()))
        for constrained in (False, True):
            bound = CONSTRAINED_TOKENS if constrained else FREE_TOKENS
            options = LanguageOptions(model=SMOLLM2, temperature=0.7, max_tokens=bound, constrained=constrained)
            name = f"{world}-{SMOLLM2}{'-constrained' if constrained else ''}"
            plays.append((name, table, "language", config.episodes, options))
    failed = [_play(config, *one) for one in plays]
    stopped, chapter = _post_train(config)
    pages = [config.out / "runs" / name for name, *_ in plays]
    page = report(pages, config.out, [chapter, *_draw(config)])
    print(f"the tour took {perf_counter() - started:.0f} seconds; open the report in a browser:", file=sys.stderr)
    print(page.resolve())
    return max(*failed, stopped)


def _post_train(config: Config) -> tuple[int, Chapter]:
    """The small study of post-training, with a page of its own; 1 if a training was stopped."""
    from athanor.reports import sft_vs_rl
    from athanor.studies.sft_vs_rl.findings import find
    from athanor.studies.sft_vs_rl.study import Asked, run

    folder = config.out / "sft-vs-rl"
    print("sft-vs-rl: two arms of post-training, two seeds each", file=sys.stderr)
    asked = Asked(setting="quick", seed=config.seed, processes=0)
    stopped = run(asked, folder)
    found = find(asked, folder)
    sft_vs_rl.page(found, folder)
    return stopped, sft_vs_rl.summary(found, f"{folder.name}/report.html")


def _draw(config: Config) -> list[Chapter]:
    """The small unified model draws and answers, all of it checked."""
    from athanor.models.unified.checkpoints import read
    from athanor.models.unified.embedded import NAME, folder_of, usual
    from athanor.reports.one_model import chapters
    from athanor.studies.see_and_draw import trial
    from athanor.studies.see_and_draw.study import try_model
    from athanor.studies.see_and_draw.tasks import Many, tasks

    print(f"see-and-draw: {NAME} draws {PROMPTS} prompts of each category", file=sys.stderr)
    unified, many = read(folder_of(None)), Many(prompts=PROMPTS, questions=QUESTIONS, pictures=PICTURES)
    those = tasks(many, "aligned", config.seed, unified.model.config.tokenizer.image_size)
    how = usual(None)
    measured, shown = try_model(unified, those, 0, (how.guidance,), shown=how.guidance, temperature=how.temperature)
    folder = config.out / "see-and-draw"
    folder.mkdir(parents=True, exist_ok=True)
    trial.write(folder, measured, shown)
    return chapters(NAME, {one.of: one for one in measured}, shown, how)


def _play(config: Config, name: str, table: str, agent: AgentName, episodes: int, options: LanguageOptions) -> int:
    """One arm, in a folder of its own; 1 if any of its episodes ended in an error."""
    print(f"{name}: {episodes} episodes of {config.turns} turns", file=sys.stderr)
    play = playing.Config(
        table=table,
        rules="strict",
        agent=agent,
        episodes=episodes,
        turns=config.turns,
        seed=config.seed,
        out=config.out / "runs" / name,
        resume=config.resume,
        language=options,
        backend=BackendConfig(llama=LlamaConfig(slots=config.episodes, context=4096)),
    )
    return playing.told(play, playing.play(play))
