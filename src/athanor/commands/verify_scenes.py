"""athanor verify scenes: one picture for one prompt, judged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import tyro

from athanor.core.errors import UsageError
from athanor.core.image_files import contents
from athanor.environments.scenes import Judge, read
from athanor.environments.scenes.files import load
from athanor.environments.scenes.propositions import answers, dpg, propositions
from athanor.environments.scenes.seeing import see
from athanor.environments.scenes.spec import decoded, tell


@dataclass(frozen=True, kw_only=True)
class Config:
    """Judge one picture of shapes or cards by its prompt."""

    image: Path
    """PNG, JPEG, WEBP, BMP, GIF or TIFF; square, 48 to 4,096 pixels a side."""
    prompt: str | None = None
    """What was to be drawn, in words, such as "two red circles left of a blue square"."""
    spec: str | None = None
    """The same as JSON in GenEval's form, in place of --prompt."""
    rules: Literal["strict", "lenient"] = "strict"
    """strict: what was asked for and nothing else; lenient: as GenEval judges, more may be there."""
    json: Annotated[bool, tyro.conf.arg(help="Print JSON on standard output instead of text.")] = False


def run(config: Config) -> int:
    """Print the verdict; 0 whether the picture passes or not."""
    if (config.prompt is None) == (config.spec is None):
        raise UsageError("one of --prompt and --spec was expected; pass the prompt in words, or as JSON")
    spec = read(config.prompt) if config.prompt is not None else decoded(config.spec or "")
    sight, judge = see(load(contents(config.image))), Judge(rules=config.rules)
    verdict = judge.verdict(judge.weighed(sight, spec))
    if not config.json:
        print(f"{'passed' if verdict.passed else 'failed'}, reward {verdict.reward:g}: {verdict.reason}")
        return 0
    held = answers(spec, sight)
    told = {
        "asked": tell(spec), "spec": spec, "reward": verdict.reward, "passed": verdict.passed, "reason": verdict.reason,
        "parts": verdict.parts, "dpg": dpg(spec, sight),
        "questions": [
            {"question": one.question, "yes": held[one.id], "parents": one.parents} for one in propositions(spec)
        ],
    }  # fmt: skip
    print(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())
    return 0
