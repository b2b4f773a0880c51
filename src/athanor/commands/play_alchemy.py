"""athanor play alchemy: an agent plays, and every turn is written as it happens."""

from __future__ import annotations

from athanor.studies.playing import Config, play, refuse_idle_options, told

__all__ = ["Config", "run"]


def run(config: Config) -> int:
    """Play, write, and say on standard output where; 1 if any episode ended in an error. UsageError if an option does
    nothing here."""
    refuse_idle_options(config)
    ended = play(config)
    print(config.out)
    return told(config, ended)
