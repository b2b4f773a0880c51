"""The study of seeing and drawing: arms that differ in one thing, trials that are paired, and a page that says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from athanor.analysis.multiplicity import ALL_HOLD
from athanor.analysis.trials import Of, Tried, read
from athanor.cli import main
from athanor.core.errors import UsageError
from athanor.environments.scenes.scene import STYLES
from athanor.environments.scenes.spec import CATEGORIES, GENEVAL
from athanor.environments.scenes.splits import told_held
from athanor.reports.see_and_draw import page
from athanor.studies.see_and_draw import study, trial
from athanor.studies.see_and_draw.arms import (
    BALANCED,
    BEFORE,
    DRAWS,
    FOUNDATION,
    GUIDANCE,
    LEFT_OUT,
    LONGER,
    OWN,
    REFERENCE,
    RL,
    SEES,
    SEES_CODES,
    SETTINGS,
    SHARED,
    SMALL,
    SWEEP,
    UNGUIDED,
    WHOLE,
    Arm,
    arms,
    recipe_of,
    taught,
)
from athanor.studies.see_and_draw.claims import judged, said
from athanor.studies.see_and_draw.findings import COMPARED, find
from athanor.studies.see_and_draw.published import ABLATION, GENEVAL_TABLE, TABLES
from athanor.studies.see_and_draw.study import Asked, guidances, jobs, name_of, prepare, ready, train_one
from athanor.studies.see_and_draw.tasks import SEEN, UNSEEN, Many, tasks, true_pictures, wanted
from athanor.studies.see_and_draw.trial import ANSWERED, BLIND, CEILING, OTHERS, RIGHT, TRUE, guided
from tests.studies import trials_made_up

ASKED = Asked(setting="smoke", seed=1, processes=1)


@pytest.fixture(scope="module")
def every() -> dict[str, Arm]:
    """All arms at the laptop's steps, of the smallest shape."""
    return {arm.name: arm for arm in arms(replace(SETTINGS["laptop"], shape=SMALL))}


def test_an_arm_comes_after_the_one_that_it_begins_from(every):
    order = list(every)
    assert set(order) == {FOUNDATION, BEFORE, *WHOLE}
    for arm in every.values():
        assert not arm.begins or order.index(arm.begins) < order.index(arm.name), arm.name
        assert bool(arm.begins) == (arm.name != FOUNDATION)


def test_arms_that_are_not_asked_for_are_left_out_but_what_is_needed_is_not():
    found = [arm.name for arm in arms(replace(SETTINGS["smoke"], arms=(RL,)))]
    assert found == [FOUNDATION, BEFORE, REFERENCE, RL]
    assert [arm.name for arm in arms(replace(SETTINGS["smoke"], arms=(SHARED,)))] == [FOUNDATION, SHARED]


def test_seeds_and_arms_are_those_that_are_asked_for(tmp_path: Path):
    few = replace(ASKED, seeds=3, arms=(SHARED, SEES))
    assert [(job.arm.name, job.number) for job in jobs(few, tmp_path)] == [
        (name, number) for number in range(3) for name in (FOUNDATION, SHARED, SEES)
    ]
    prepare(few, tmp_path / "out")
    prepare(ASKED, tmp_path / "out")  # of one study: a folder may be gone on with to more of both
    alike = {(job.arm.name, job.number): job for job in jobs(ASKED, tmp_path)}
    for job in jobs(few, tmp_path):
        assert (
            job.number == 2 or replace(job, arm=alike[job.arm.name, job.number].arm) == alike[job.arm.name, job.number]
        )


def test_what_is_compared_at_equal_compute_costs_the_same(every):
    whole = every[BEFORE].flop + every[REFERENCE].flop
    assert every[LEFT_OUT].flop == pytest.approx(whole, rel=0.01)
    assert every[BALANCED].flop == pytest.approx(every[REFERENCE].flop, rel=0.01)
    for name in (LONGER, OWN, UNGUIDED):
        assert every[name].flop == pytest.approx(every[RL].flop, rel=0.05), name
    own, rl = every[OWN].own, every[RL].rl
    assert own is not None
    assert rl is not None
    assert own.sampled == rl
    assert own.steps * own.batch == pytest.approx(2 * rl.steps * rl.prompts * rl.samples, rel=0.05)


def test_one_thing_is_changed_at_a_time(every):
    reference = (*every[BEFORE].stages, *every[REFERENCE].stages)
    for whole, other in zip(reference, every[SHARED].stages, strict=True):
        assert set(whole.trained) - set(other.trained) <= {"encoder", "encoder_adaptor"}
        assert replace(other, trained=whole.trained) == whole
    for name in (BEFORE, REFERENCE):
        assert "II at 4:1:6 (published: 2:3:5)" in every[name].about
    assert every[BEFORE].stages[1].dose.ratio == (4, 1, 6)
    assert every[SHARED].understanding == every[SEES_CODES].understanding == "codes"
    assert [stage.name for stage in every[LEFT_OUT].stages] == ["II", "III"]
    assert every[LEFT_OUT].stages[0].starts_codes
    (three,), (balanced,) = every[REFERENCE].stages, every[BALANCED].stages
    assert (three.dose.ratio, balanced.dose.ratio) == ((5, 1, 4), (7, 3, 10))
    assert replace(balanced, dose=three.dose, steps=three.steps) == three
    grpo, unguided = every[RL].rl, every[UNGUIDED].rl
    assert grpo is not None
    assert unguided is not None
    assert replace(unguided, steps=grpo.steps, scored="sampled") == grpo
    assert (grpo.guidance, grpo.categories) == (GUIDANCE, GENEVAL)


def test_a_task_alone_has_as_many_examples_as_beside_the_other(every):
    reference = (*every[BEFORE].stages, *every[REFERENCE].stages)
    for name, left in ((SEES, 2), (SEES_CODES, 2), (DRAWS, 0)):
        for whole, alone in zip(reference, every[name].stages, strict=True):
            counts = list(whole.dose.counts)
            counts[left] = 0
            assert alone.dose.counts == tuple(counts), name
            assert alone.steps == whole.steps
        assert not any("code_head" in stage.trained for stage in every[SEES].stages)
        assert not any("encoder_adaptor" in stage.trained for stage in every[DRAWS].stages)


def test_stages_of_one_name_teach_the_same_examples_in_all_arms(every):
    setting = replace(SETTINGS["laptop"], shape=SMALL)
    one, other = (recipe_of(setting, every[name], 5) for name in (BEFORE, LEFT_OUT))
    first, second = (taught(recipe, k).take("drawing", 400, 3) for recipe, k in ((one, 2), (other, 1)))
    assert [example.prompt for example in first] == [example.prompt for example in second]
    apart = [[example.prompt for example in taught(one, k).take("drawing", 0, 3)] for k in (1, 2)]
    assert apart[0] != apart[1]


def test_a_training_waits_for_what_it_begins_from_and_seeds_come_one_after_the_other(tmp_path: Path):
    all_of_it = jobs(ASKED, tmp_path)
    assert [job.number for job in all_of_it] == sorted(job.number for job in all_of_it)
    assert [job.arm.name for job in ready(all_of_it, set(), set())] == [FOUNDATION, FOUNDATION]
    first = all_of_it[0].out
    after = ready(all_of_it, {first}, {tmp_path / "runs" / name_of(BEFORE, 0)})
    assert {job.arm.name for job in after if job.number == 0} == {SHARED, SEES, DRAWS}
    same = {job.number: job.seed for job in all_of_it}
    assert all(job.seed == same[job.number] for job in all_of_it)
    assert same[0] != same[1]


# What models are tried on


@pytest.fixture(scope="module")
def those():
    return tasks(Many(prompts=9, questions=6, pictures=3), "textured", 3, 48)


def test_prompts_are_different_and_images_of_a_category_as_many_as_asked_for(those):
    for category in CATEGORIES:
        mine = [one for one in those.wanted if one.category == category]
        assert len({one.spec.prompt for one in mine}) == len(mine)
        assert 9 <= sum(one.images for one in mine) < 9 + len(mine)
    assert all((one.part == UNSEEN) == bool(told_held(one.spec)) for one in those.wanted)
    assert {one.part for one in those.wanted} == {SEEN, UNSEEN}


def test_a_prompt_of_two_categories_is_tried_in_one_of_them():
    found = wanted(80, STYLES["aligned"], 1)  # `a photo of a cross below a star` would be one of `mixed`, too
    assert len({one.spec.prompt for one in found}) == len(found)
    assert {one.category for one in found} == set(CATEGORIES)


def test_every_kind_of_question_is_asked_as_often_and_the_usual_answer_is_often_wrong(those):
    kinds = [one.question.kind for one in those.queried]
    assert {kinds.count(kind) for kind in kinds} == {6}
    assert {"count", "color", "exists", "size", "texture", "rank", "suit"} <= set(kinds)
    right = np.mean([one.usual == one.question.answer for one in those.queried])
    assert 0.05 < right < 0.6


def test_true_pictures_pass_for_their_own_prompt_and_seldom_for_the_next(those):
    drawn = [trial.Drawn(one, image, trial.JUDGE.judged(image, one.spec)) for one, image in true_pictures(those, 0)]
    right, others, propositions = trial.of_drawings(drawn, those.wanted, 2.0)
    assert (right.of, others.of) == (guided(RIGHT, 2.0), guided(OTHERS, 2.0))
    assert right.tops == right.bottoms
    assert propositions.tops == pytest.approx(right.bottoms)
    assert sum(others.tops) < 0.2 * sum(others.bottoms)


def test_a_prompt_that_stands_alone_in_its_category_has_no_other(those):
    (one, *_) = those.wanted
    image = next(image for wanted, image in true_pictures(those, 0) if wanted is one)
    _, others, _ = trial.of_drawings([trial.Drawn(one, image, trial.JUDGE.judged(image, one.spec))], [one], 1.0)
    assert others.bottoms == (0.0,)


# From trials to the page


def test_claims_follow_from_the_made_up_scores(found):
    claims = {claim.statement: claim for claim in found.claims}
    for part in ("An encoder of its own understands better", "Reinforcement draws better than as much more",
                 "Questions are answered by the picture"):  # fmt: skip
        (claim,) = [one for statement, one in claims.items() if statement.startswith(part)]
        assert (claim.verdict, claim.together) == ("holds", "holds"), part
    (tie,) = [one for statement, one in claims.items() if statement.startswith("Stage I is worth")]
    assert tie.verdict == "cannot be told"
    assert len(tie.evidence) == 2


def test_intervals_that_hold_together_are_wider_and_stand_beside_the_others(found):
    by = found.by
    together = [one for one in by.values() if one.name.endswith(ALL_HOLD)]
    assert len(together) == sum(len(one.contrasts) for one in said(GUIDANCE))
    for one in together:
        alone = by[one.group, one.name.removesuffix(f", {ALL_HOLD}")]
        assert alone.value == one.value
        if one.low is not None and alone.low is not None and one.high is not None and alone.high is not None:
            assert one.high - one.low > alone.high - alone.low


def test_every_comparison_has_its_differences(found):
    by = found.by
    for arm, other in COMPARED:
        both = [of for of in (Of(ANSWERED), Of(guided(RIGHT, GUIDANCE)), Of(guided(RIGHT, 1.0)))
                if (arm, str(of)) in by and (other, str(of)) in by]  # fmt: skip
        assert both
        assert all((arm, f"{arm} minus {other}: {of}") in by for of in both)
    assert {weight for weight in SWEEP if (REFERENCE, str(Of(guided(RIGHT, weight)))) in by} == set(SWEEP)
    assert {(FOUNDATION, CEILING), (FOUNDATION, TRUE), (FOUNDATION, BLIND)} <= set(by)
    assert (RL, f"{RL} minus {REFERENCE}: {guided(RIGHT, GUIDANCE)}: unseen") in by


def test_a_claim_rests_on_nothing_but_what_was_tried():
    assert judged([], GUIDANCE) == []
    alone = [Tried(arm=REFERENCE, number=0, measured={one.of: one for one in trials_made_up.of_arm(REFERENCE, 0)})]
    told = {claim.statement for claim in judged(alone, GUIDANCE)}
    assert any("Guidance" in statement for statement in told)
    assert not any("encoder" in statement for statement in told)


@pytest.mark.parametrize("changed", [{"seed": 2}, {"setting": "quick"}])
def test_a_folder_of_another_study_is_refused(tmp_path: Path, changed):
    prepare(ASKED, tmp_path / "out")
    with pytest.raises(UsageError, match=next(iter(changed))):
        study.run(replace(ASKED, **changed), tmp_path / "out")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("x")
    with pytest.raises(UsageError, match="already holds something"):
        prepare(ASKED, tmp_path / "other")


# Published numbers


def test_printed_means_of_geneval_are_those_of_their_columns_but_for_one():
    apart = []
    for name, *_ in GENEVAL_TABLE.rows:
        cells = [GENEVAL_TABLE.number(name, column) for column in GENEVAL_TABLE.columns]
        if None not in cells:
            *six, whole = map(float, cells)  # type: ignore[arg-type]
            apart += [name] if abs(np.mean(six) - whole) > 0.0101 else []
    assert apart == ["TokenFlow-XL"]


def test_every_printed_row_has_every_column_and_the_ablation_says_what_it_is_cited_for():
    for table in TABLES:
        assert all(len(row) == len(table.columns) + 1 for row in table.rows), table.name
    d, a = (ABLATION.number(row, "POPE") for row in ("D: decoupled (Janus)", "A: codes for both tasks"))
    assert (d, a) == (87.0, 60.1)
    assert ABLATION.number("F: codes, generation only", "POPE") is None


# Everything, small


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One seed of the smallest setting, trained and tried in this process."""
    folder, threads = tmp_path_factory.mktemp("study") / "out", torch.get_num_threads()
    prepare(ASKED, folder)
    for job in jobs(ASKED, folder):
        if job.number == 0:
            assert train_one(job) == ""
    torch.set_num_threads(threads)
    return folder


@pytest.mark.slow
def test_a_study_is_trained_tried_and_told(played: Path):
    found = find(ASKED, played)
    assert [arm.name for arm in found.arms] == [FOUNDATION, BEFORE, REFERENCE, SHARED, SEES, DRAWS, RL]
    measures = {arm.name: set(read(played / "runs" / name_of(arm.name, 0) / "trial.jsonl")) for arm in found.arms}
    assert {CEILING, TRUE, BLIND} == measures[FOUNDATION]
    assert measures[SEES] == {ANSWERED}
    assert ANSWERED not in measures[DRAWS]
    for name in (REFERENCE, SHARED, RL):
        assert {guided(RIGHT, weight) for weight in guidances(name)} <= measures[name]
    true = read(played / "runs" / name_of(FOUNDATION, 0) / "trial.jsonl")[TRUE]
    assert true.tops == true.bottoms
    assert page(found, played).exists()
    few = find(replace(ASKED, seeds=1, arms=(SHARED,)), played)
    assert [arm.name for arm in few.arms] == [FOUNDATION, SHARED]
    assert page(few, played).exists()
    assert not list(played.rglob("checkpoint-*.safetensors"))


@pytest.mark.slow
def test_what_was_trained_is_not_trained_again(played: Path):
    before = {path: path.stat().st_mtime_ns for path in played.glob("runs/*-0/*")}
    for job in jobs(ASKED, played):
        if job.number == 0:
            train_one(job)
    after = {path: path.stat().st_mtime_ns for path in played.glob("runs/*-0/*") if path.name != "done.json"}
    assert after == {path: at for path, at in before.items() if path.name != "done.json"}


@pytest.mark.slow
def test_a_training_after_one_that_was_stopped_is_stopped_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(SETTINGS, "smoke", replace(SETTINGS["smoke"], arms=(OWN,)))
    told = {job.arm.name: train_one(job) for job in jobs(ASKED, tmp_path) if job.number == 0}
    assert told[REFERENCE] == ""
    assert "none passed" in told[OWN]


@pytest.mark.slow
def test_the_command_makes_the_smallest_study_and_prints_its_page(tmp_path: Path, capfd):
    with pytest.raises(SystemExit) as ended:
        main(["study", "see-and-draw", "--setting", "smoke", "--out", str(tmp_path / "out"), "--processes", "2"])
    assert ended.value.code == 0
    assert Path(capfd.readouterr().out.strip()).name == "report.html"
    with pytest.raises(SystemExit) as ended:
        main(["study", "see-and-draw", "--setting", "smoke", "--out", str(tmp_path / "out")])
    assert ended.value.code == 2
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["study", "see-and-draw", "--setting", "smoke", "--out", str(tmp_path / "few"), "--arms", "sharded"])
    assert ended.value.code == 2
    assert "--arms has sharded, some of decoupled, shared" in capfd.readouterr().err
