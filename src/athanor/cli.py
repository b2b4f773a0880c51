"""The command line. Each command is a module of `athanor.commands` with a `Config` and a `run`."""

from __future__ import annotations

import sys
from dataclasses import fields
from importlib import import_module
from importlib.metadata import version
from typing import NoReturn

from athanor.core.errors import AthanorError

COMMANDS = {
    "tour": "tour",
    "play alchemy": "play_alchemy",
    "play points": "play_points",
    "play scenes": "play_scenes",
    "analyse": "analyse",
    "report": "report",
    "study see-and-draw": "study_see_and_draw",
    "study sft-vs-rl": "study_sft_vs_rl",
    "study think-too-fast": "study_think_too_fast",
    "eval draw": "eval_draw",
    "eval geneval": "eval_geneval",
    "eval dpg": "eval_dpg",
    "label": "label",
    "train empowerment": "train_empowerment",
    "train base-points": "train_base_points",
    "train points": "train_points",
    "train policy": "train_policy",
    "train drawing": "train_drawing",
    "train unified": "train_unified",
    "train tokenizer": "train_tokenizer",
    "train encoder": "train_encoder",
    "assemble": "assemble",
    "check alchemy": "check_alchemy",
    "check points": "check_points",
    "check scenes": "check_scenes",
    "check unified": "check_unified",
    "check policy": "check_policy",
    "check run": "check_run",
    "verify points": "verify_points",
    "verify scenes": "verify_scenes",
    "draw": "draw",
    "ask": "ask",
    "fetch": "fetch",
}


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit: 0 done, 1 failed, 2 misused, 130 interrupted."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments == ["--version"]:
        print(f"athanor {version('athanor-lab')}")
        sys.exit(0)
    name = next((name for name in COMMANDS if arguments[: len(name.split())] == name.split()), None)
    if name is None:
        _no_command(arguments)
    import tyro

    module = import_module(f"athanor.commands.{COMMANDS[name]}")
    rest, plain = arguments[len(name.split()) :], (tyro.conf.FlagCreatePairsOff,)
    try:
        sys.exit(module.run(tyro.cli(module.Config, prog=f"athanor {name}", args=rest, config=plain)))
    except AthanorError as error:
        print(f"athanor {name}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        resumes = any(field.name == "resume" for field in fields(module.Config))
        kept = "what was written is kept, go on with --resume" if resumes else "run it again"
        print(f"interrupted; {kept}", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader of standard output has gone
        sys.stderr.close()
        sys.exit(1)


def _no_command(arguments: list[str]) -> NoReturn:
    """Say which commands there are, or which begin with the word given, and exit: 0 if that was asked for."""
    word = arguments[:1] if [name for name in COMMANDS if name.split()[:1] == arguments[:1]] else []
    rest = arguments[len(word) :]
    helped = rest[:1] in (["--help"], ["-h"])
    if rest and not helped:
        print(f"{' '.join(arguments)!r} is not a command of athanor", file=sys.stderr)
    print(_overview(word), file=sys.stdout if helped else sys.stderr)
    sys.exit(0 if helped else 2)


def _overview(word: list[str]) -> str:
    """The commands that begin with a word, or all."""
    lines = [f"usage: {' '.join(['athanor', *word])} COMMAND [OPTIONS]; with --help each says more", ""]
    width = max(map(len, COMMANDS)) + 2
    for name, module in COMMANDS.items():
        if not word or name.split()[:1] == word:
            text = import_module(f"athanor.commands.{module}").Config.__doc__ or ""
            lines.append(f"  {name:<{width}}{text.splitlines()[0]}")
    return "\n".join(lines)
