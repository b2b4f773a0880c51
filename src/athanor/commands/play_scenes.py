"""athanor play scenes: prompts are drawn, and every picture is judged and written as it is drawn."""

from __future__ import annotations

from athanor.commands.draw import loaded
from athanor.studies.playing.scenes import Config, play, refuse_idle_options, told

__all__ = ["Config", "run"]


def run(config: Config) -> int:
    """Draw, write, and say on standard output where; 1 if any episode ended in an error. UsageError if an option does
    nothing here."""
    refuse_idle_options(config)
    ended = play(config, loaded)
    print(config.out)
    return told(config, ended)
