"""The page of the study of seeing and drawing, from made-up scores."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from athanor.core.errors import DataError
from athanor.environments.scenes.spec import CATEGORIES
from athanor.reports.see_and_draw import page, summary
from athanor.reports.see_and_draw_words import answer, findings
from athanor.studies.see_and_draw.arms import FOUNDATION, GUIDANCE, REFERENCE, RL, SETTINGS, SHARED
from athanor.studies.see_and_draw.claims import judged, said, too_low
from athanor.studies.see_and_draw.findings import few_of, find, sized
from athanor.studies.see_and_draw.published import TABLES
from athanor.studies.see_and_draw.study import Asked, jobs, name_of, prepare
from athanor.studies.see_and_draw.trial import CEILING
from tests.studies import trials_made_up

ASKED = Asked(setting="smoke", seed=1, processes=1)


@pytest.mark.slow
def test_the_page_has_every_chapter_every_claim_and_drawings_with_their_verdicts(found, folder):
    text = page(found, folder).read_text()
    for title in (
        "One encoder for both tasks, or two", "The first stage, and the ratio of the third", "Guidance",
        "Whether the prompt is followed", "Does it see what it has drawn?", "Reinforcement by the exact checker",
        "What is drawn", "Drawn right, by category", "Answered right, by kind of question", "The arms",
        *(f"Published: {table.title}" for table in TABLES),
    ):  # fmt: skip
        assert text.count(title) >= 2, title
    assert text.count("data:image/png;base64,") == 3 * 2 * len(CATEGORIES)
    assert text.count("wrong: made up") == text.count("<small>right</small>") == 3 * len(CATEGORIES)
    lines = [json.loads(line) for line in (folder / "estimates.jsonl").read_text().splitlines()]
    assert len(lines) == len({(line["group"], line["name"]) for line in lines}) == len(found.estimates)
    assert (folder / "claims.jsonl").read_text().count("\n") == len(found.claims) == len(said(GUIDANCE))
    assert found.missing == ()


def test_a_study_of_a_few_steps_says_at_its_head_that_no_verdict_is_a_result(found):
    few = "; stage II had 2 steps a training, which shows that everything runs: no verdict below is a result"
    assert findings(found)[0].world.endswith(few)
    assert few not in findings(replace(found, few=""))[0].world
    assert "no verdict below is a result" in summary(found, "x").words[0][0]
    assert not any(few_of(SETTINGS[name].steps.two) for name in ("quick", "laptop"))
    assert few_of(1).startswith("stage II had 1 step a training")


def test_models_are_as_large_as_their_own_cards_say(tmp_path: Path):
    cards = [tmp_path / name for name in "abc"]
    for card, many in zip(cards, (90_343, 1_200, 5), strict=False):
        card.write_text(json.dumps({"parameters": many}))
    cards[2].unlink()
    assert sized(cards) == "of 1,200 to 90,343 parameters"
    assert sized(cards[:1]) == "of 90,343 parameters"
    assert sized(cards[2:]) == "of a size that is not known"


@pytest.mark.parametrize(("ceiling", "low"), [(0, True), (2, True), (3, False)])
def test_drawings_are_not_judged_where_the_tokenizer_lets_next_to_none_be_right(found, ceiling: int, low: bool):
    """Half of what a claim allows to be lost would be all there is; what is not about drawings is judged as before."""
    bounds = trials_made_up.measured(CEILING, 1.0, CATEGORIES)
    tops = tuple(float(k % trials_made_up.ITEMS < ceiling) for k in range(len(bounds.tops)))
    bound = msgspec.structs.replace(bounds, tops=tops)
    tried = [replace(one, measured={**one.measured, CEILING: bound}) if one.arm == FOUNDATION else one
             for one in found.tried]  # fmt: skip
    before = {claim.statement: claim for claim in found.claims}
    assert too_low(tried) == low
    for claim in judged(tried, GUIDANCE):
        drawn = any("draw" in one.name or "right" in one.name.removeprefix("answered right") for one in claim.evidence)
        saw = all("answered right" in one.name for one in claim.evidence)
        if low and not saw and "nats" not in claim.evidence[0].name:
            assert (claim.verdict, claim.together) == ("cannot be judged", "cannot be judged"), claim.statement
            assert drawn or "follows" in claim.evidence[0].name
        else:
            assert claim.verdict == before[claim.statement].verdict, claim.statement
    told = replace(found, tried=tuple(tried), claims=tuple(judged(tried, GUIDANCE)))
    assert ("claims about drawings are not judged" in answer(told)) == low
    assert ("Cannot be judged:" in dict(findings(told)[0].arms)) == low


def test_the_summary_for_another_page_has_the_answer_drawings_and_a_link(found):
    chapter = summary(found, "see-and-draw/report.html")
    assert chapter.links == (("The whole study", "see-and-draw/report.html"),)
    assert chapter.figure is not None
    assert len(chapter.gallery) == len(CATEGORIES)
    assert all(
        [one.title for one in each.pictures] == [REFERENCE, RL] for _, those in chapter.gallery for each in those
    )
    _, (said_of_it, told) = chapter.words
    assert "GenEval" in said_of_it
    assert len(told) == len(said(GUIDANCE))


@pytest.mark.slow
def test_an_early_stop_gives_a_page_of_what_there_is_and_says_what_is_missing(tmp_path: Path, monkeypatch):
    folder = tmp_path / "out"
    prepare(ASKED, folder)
    asked = trials_made_up.study(folder, monkeypatch)
    for job in jobs(asked, folder):
        if job.number or job.arm.name in (SHARED, RL):
            (job.out / "done.json").unlink()
    found = find(asked, folder)
    assert name_of(SHARED, 0) in found.missing
    text = page(found, folder).read_text()
    assert "are not finished" in text
    assert "another run would differ" in text
    for job in jobs(asked, folder):
        if job.arm.name != FOUNDATION:
            (job.out / "done.json").unlink(missing_ok=True)
    with pytest.raises(DataError, match="--resume"):
        find(asked, folder)
