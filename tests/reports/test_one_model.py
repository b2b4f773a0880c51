"""What one unified model draws, as it was drawn."""

from __future__ import annotations

from athanor.analysis.trials import Shown
from athanor.models.unified.usual import Usual
from athanor.reports.one_model import chapters
from tests.evals.drawn import png


def test_the_page_says_how_the_model_was_drawn_with() -> None:
    shown = Shown(category="cards", prompt="an ace", png=png(), passed=True, reason="")
    drawn, _ = chapters("m", {}, [shown], Usual(guidance=3.0, temperature=0.5))
    assert "under guidance 3 at temperature 0.5;" in drawn.note
