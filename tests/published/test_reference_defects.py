"""Defects of the public reference code, each with a test that would find it here; the list is not whole yet.

The code is that of Pan et al. 2025, Brändle et al. 2023, WordCraft and LittleAlchemy2Text. What concerns sparse
autoencoders has no counterpart in this project yet.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import athanor

TESTS = Path(__file__).resolve().parent.parent
SOURCE = Path(athanor.__file__).parent

# What the reference code does, and the test that fails if this project does it.
FOUND_BY = {
    "two valid names are looked up, owned or not": (
        "environments/alchemy/test_rules.py::test_strict_enforces_ownership_and_pan2025_looks_any_names_up"
    ),
    "traces are cut at 50 tokens, and read as if whole": (
        "analysis/traces/test_label_command.py::test_a_trace_is_cut_when_the_bound_on_tokens_fell_into_it"
    ),
    "a bound of three tokens excludes most names unseen": (
        "studies/playing/test_alchemy.py::test_answers_cut_at_the_bound_are_told"
    ),
    "the prompt says that a pair has one outcome": (
        "environments/alchemy/test_text.py::test_the_rules_make_no_false_claim_about_pairs_with_several_results"
    ),
    "a model without a temperature is dropped from the regressions": (
        "analysis/test_settings.py::test_preferences_that_rise_with_temperature_are_found_and_who_has_none_is_named"
    ),
    "standard errors are those of the column before, and deviations stand for coefficients": (
        "analysis/glmm/test_fit.py::test_group_means_are_of_sums_and_every_standard_error_belongs_to_its_own_column"
    ),
    "people who quit are compared with whole games": (
        "analysis/test_survival.py::test_the_mean_of_those_still_playing_counts_nobody_who_stopped"
    ),
    "many comparisons without control": "analysis/test_multiplicity.py",
    "the weight of uncertainty is read without the player that never repeats": (
        "analysis/test_weights.py::"
        "test_a_player_who_does_not_repeat_has_a_published_weight_that_the_other_estimates_explain_away"
    ),
    "an unknown name ends the analysis": "analysis/logs/test_checks.py::test_a_huge_name_is_cut_and_unknown",
    "a gap in the trials crashes, a repeated record is appended twice": (
        "analysis/logs/test_checks.py::test_missing_values_duplicates_and_gaps_are_counted_with_their_rows"
    ),
    "rows of transitions without data are not initialised": (
        "analysis/traces/test_sequences.py::test_transitions_are_the_ones_worked_out_by_hand"
    ),
    "results are written after all runs": (
        "test_killed.py::test_a_run_killed_at_ten_random_moments_gives_the_undisturbed_episodes"
    ),
    "comparisons are drawn without a seed": (
        "analysis/test_regressions.py::test_draws_depend_on_the_seed_and_the_name_and_on_nothing_else"
    ),
    "the inventory is told in the order of a set": (
        "contracts/test_agents.py::test_episodes_are_equal_across_processes_and_hash_seeds"
    ),
    "element 0 is passed over in counting children": (
        "models/meaning/test_counting.py::test_element_0_counts_and_the_published_code_passes_over_it"
    ),
    "folds by element learn from pairs of what they predict": (
        "models/meaning/test_folds.py::test_by_element_a_fold_learns_nothing_of_its_elements_and_tests_all_their_pairs"
    ),
    "a player who has tried everything loops for ever": (
        "agents/test_baselines.py::test_a_player_that_has_tried_everything_repeats_rather_than_fail"
    ),
    "one result of a pair overwrites the others": (
        "environments/alchemy/test_tables.py::test_wordcrafts_table_has_the_published_counts"
    ),
    "values are updated before they are read, or the first pair is not counted": (
        "values/test_turns.py::test_values_of_a_short_game_are_those_computed_by_hand"
    ),
    "a window of one turn where two are announced": (
        "analysis/test_stopping.py::test_a_window_of_two_turns_leaves_out_the_first_of_every_player"
    ),
}


@pytest.mark.parametrize("defect", list(FOUND_BY))
def test_a_defect_of_the_reference_code_would_be_found_here(defect: str):
    path, _, name = FOUND_BY[defect].partition("::")
    tree = ast.parse((TESTS / path).read_text())
    there = [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    assert name in there if name else there, f"{path} has the tests {there}"


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: path.name)
def test_no_file_names_a_machines_folder_or_changes_to_one(path: Path):
    text = path.read_text()
    assert not re.search(r"chdir|sys\.path|/home/|[A-Z]:\\\\", text)
