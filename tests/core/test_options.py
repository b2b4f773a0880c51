"""Configurations as the options that set them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import tyro

from athanor.core.errors import UsageError
from athanor.core.options import changed, refuse_idle, refuse_outside, refuse_without, words_of


@dataclass(frozen=True, kw_only=True)
class Settings:
    most_turns: int = 3
    share: float | None = None


def test_options_that_were_given_are_named_as_they_are_written() -> None:
    assert changed(Settings()) == []
    assert changed(Settings(most_turns=4, share=0.5)) == ["--most-turns", "--share"]
    assert changed(Settings(most_turns=4, share=0.5), "http", but=("share",)) == ["--http.most-turns"]


@dataclass(frozen=True, kw_only=True)
class Switches:
    fast: bool = False
    slow: bool = True
    betas: tuple[float, float] | None = None
    name: str = "a"


def test_the_words_that_give_a_configuration_are_read_as_that_configuration() -> None:
    for given in (Switches(), Switches(fast=True, betas=(0.9, 1e-8), name="b c")):
        assert tyro.cli(Switches, args=words_of(given), config=(tyro.conf.FlagCreatePairsOff,)) == given
    assert words_of(Switches(fast=True, name="b"), "group") == ["--group.fast", "--group.name", "b"]
    with pytest.raises(TypeError, match="--slow cannot be given"):
        words_of(Switches(slow=False))


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan, math.inf])
def test_a_number_out_of_its_range_is_refused_by_its_option(share: float) -> None:
    with pytest.raises(UsageError, match=f"--http.share {share} was given, 0 to 1 was expected; pass such a number"):
        refuse_outside(Settings(share=share), {"share": (0, 1)}, "http")
    with pytest.raises(UsageError, match="--most-turns 3 was given, 4 or more was expected"):
        refuse_outside(Settings(), {"share": (0, 1), "most_turns": (4, math.inf)})


def test_options_that_do_nothing_are_refused_together() -> None:
    refuse_idle([], "--agent random")
    with pytest.raises(
        UsageError, match="--a, --b have no effect with --agent random.*leave them out.*another --agent"
    ):
        refuse_idle(["--a", "--b"], "--agent random")


def test_options_that_do_nothing_without_another_say_to_pass_that_one() -> None:
    refuse_without([], "--legacy")
    with pytest.raises(UsageError, match="--a has no effect without --legacy,.*; leave it out, or pass --legacy$"):
        refuse_without(["--a"], "--legacy")
