"""Defects of the public reference code, each with the tests that would find it here.

The code is that of Pan et al. 2025, Brändle et al. 2023, WordCraft and LittleAlchemy2Text. A number is the defect's in
this list and means nothing else; parts of one have letters. What concerns sparse autoencoders has no test yet, for this
project has none yet; `test_what_does_not_exist_yet_has_no_test_and_does_not_exist` fails when it gets them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import ascii_lowercase

import pytest

import athanor

TESTS = Path(__file__).resolve().parent.parent
SOURCE = Path(athanor.__file__).parent

LOGS, OUT, TEXT = "analysis/logs/test_checks.py", "published/test_kept_out.py", "environments/alchemy/test_text.py"
DAMAGED, RULES, ASKING = (
    "analysis/logs/test_damaged.py",
    "environments/alchemy/test_rules.py",
    "analysis/traces/test_asking.py",
)

FOUND_BY: dict[str, tuple[str, ...]] = {
    "1 two valid names are looked up, owned or not": (
        f"{RULES}::test_strict_enforces_ownership_and_pan2025_looks_any_names_up",
        "environments/alchemy/test_tasks.py::test_the_same_trial_finds_the_published_defect_that_unowned_pairs_count",
    ),
    "2 traces are cut at 50 tokens, and read as if whole": (
        "analysis/traces/test_label_command.py::test_a_trace_is_cut_when_the_bound_on_tokens_fell_into_it",
        "analysis/test_exploration.py::test_the_answers_that_the_token_bound_cut_are_a_share_of_those_given",
    ),
    "3 a bound of three tokens excludes most names unseen, and what ended early is read with what came before": (
        "studies/playing/test_alchemy.py::test_answers_cut_at_the_bound_are_told",
        "agents/test_language.py::test_an_answer_cut_at_the_token_bound_says_so",
    ),
    "9 the prompt says that a pair has one outcome": (
        f"{TEXT}::test_the_rules_make_no_false_claim_about_pairs_with_several_results",
    ),
    "10 a model without a temperature is dropped from the regressions": (
        "analysis/test_settings.py::test_preferences_that_rise_with_temperature_are_found_and_who_has_none_is_named",
    ),
    "11 standard errors are those of the column before, and deviations stand for coefficients": (
        "analysis/glmm/test_fit.py::test_group_means_are_of_sums_and_every_standard_error_belongs_to_its_own_column",
    ),
    "12a people who quit are compared with whole games": (
        "analysis/test_survival.py::test_the_mean_of_those_still_playing_counts_nobody_who_stopped",
    ),
    "12b games of 501 trials are compared with games of 500": (
        "analysis/test_exploration.py::test_runs_of_other_tables_rules_or_turns_are_never_compared",
        "core/test_play.py::test_an_episode_is_truncated_at_its_turns",
    ),
    "12c the temperatures of a model are one sample": (
        f"{OUT}::test_a_model_at_two_temperatures_is_two_groups_that_nothing_pools",
        "studies/test_think_too_fast.py::test_every_arm_of_a_setting_has_a_folder_and_a_name_of_its_own",
    ),
    "12d many comparisons without control": (
        "analysis/test_multiplicity.py::test_simultaneous_intervals_hold_together_as_often_as_they_say",
    ),
    "12e five runs are read like many": (
        "reports/test_report.py::test_arms_that_agree_in_all_episodes_are_told_without_an_interval_and_as_descriptive",
        "analysis/test_intervals.py::test_the_interval_of_a_share_holds_the_true_share_often_enough",
    ),
    "13a folders of one machine are written into the code, and gone to at import": (
        f"{OUT}::test_no_file_names_a_machines_folder_or_changes_to_one",
        f"{OUT}::test_importing_every_module_does_nothing_to_the_folder_the_environment_or_the_generators",
        "test_cli.py::test_nothing_is_written_outside_out",
    ),
    "13b keys of paid services are literals": (
        f"{OUT}::test_no_key_is_written_into_the_source",
        "models/test_openai_http.py::test_the_key_is_sent_and_appears_nowhere_else",
    ),
    "15a a list is indexed by the number of a trial, and a missing trial moves or ends everything": (
        f"{LOGS}::test_missing_values_duplicates_and_gaps_are_counted_with_their_rows",
    ),
    "16 a record is appended whether or not its trial is there, and so twice": (
        f"{DAMAGED}::test_a_trial_that_is_there_twice_counts_once_and_the_first_is_taken",
        f"{LOGS}::test_missing_values_duplicates_and_gaps_are_counted_with_their_rows",
    ),
    "17a a column that most players do not have is plotted": (
        f"{OUT}::test_the_numbers_of_a_run_are_taken_from_the_run_and_not_from_the_source",
    ),
    "17b an invalid answer is called so by one definition in the text and by another in the code": (
        f"{OUT}::test_an_answer_that_is_no_pair_is_invalid_and_a_trial_without_a_record_is_a_gap",
        "analysis/test_exploration.py::test_the_estimates_of_a_hand_made_episode_are_those_worked_out_by_hand",
    ),
    "18a the first and the last log-probability are the same number": (
        "models/test_openai_answers.py::test_log_probabilities_come_with_their_alternatives",
        "agents/test_language.py::test_the_log_probabilities_are_those_of_the_answer",
    ),
    "18b the configured nucleus never reaches the model": (
        f"{OUT}::test_a_setting_of_sampling_reaches_the_model",
        "models/test_openai_answers.py::test_what_is_set_is_asked_for",
    ),
    "20a an unknown name ends the analysis": (
        f"{LOGS}::test_a_huge_name_is_cut_and_unknown",
        f"{DAMAGED}::test_a_bad_record_is_counted_with_its_reason_and_is_no_gap",
    ),
    "20b a prediction that is not in the file is silently no number": (
        "values/test_tables.py::test_values_of_another_size_or_not_finite_are_refused",
        f"{OUT}::test_a_value_or_column_that_is_not_there_is_refused_and_no_beginning_of_a_name_stands_for_it",
    ),
    "20c the beginning of a column's name stands for it": (
        f"{OUT}::test_a_value_or_column_that_is_not_there_is_refused_and_no_beginning_of_a_name_stands_for_it",
    ),
    "21a traces are left out by the number of their run where that of the trial was meant": (
        f"{OUT}::test_traces_of_every_turn_are_read_whatever_its_number",
    ),
    "21b the labeller is told of a sentence's number and not sent it": (
        f"{ASKING}::test_a_long_passage_is_asked_about_in_blocks_each_with_its_context",
        f"{ASKING}::test_the_grammar_asks_for_each_sentence_once_in_order",
    ),
    "21c the passage is sent again for every sentence": (
        "analysis/traces/test_labelling.py::test_a_passage_is_labelled_in_one_request_and_its_cost_is_recorded",
    ),
    "21d whatever the labeller says is a label": (
        f"{ASKING}::test_no_answer_makes_the_reader_raise_and_a_label_is_always_one_of_seven",
        "analysis/traces/test_labelling.py::test_what_stays_bad_is_unlabelled_and_never_guessed",
    ),
    "22 rows of transitions without data are not initialised": (
        "analysis/traces/test_sequences.py::test_transitions_are_the_ones_worked_out_by_hand",
        "analysis/traces/test_sequences.py::test_rows_sum_to_one_and_those_without_data_are_null",
    ),
    "23a results are written after all runs": (
        "test_killed.py::test_a_run_killed_at_random_moments_gives_the_undisturbed_episodes",
    ),
    "23b a failed request is caught with everything else and counts as a skipped trial": (
        "models/test_http_faults.py::test_with_few_attempts_some_episodes_end_in_an_error_and_none_in_a_mistake",
        "core/test_play.py::test_an_agents_exception_ends_the_episode_with_its_cause",
        f"{OUT}::test_no_failure_is_caught_and_passed_over_in_silence",
    ),
    "24a packages are imported and not declared": (
        f"{OUT}::test_every_package_that_the_source_imports_is_declared_and_every_pin_is_one_version",
    ),
    "24b caches and histories are committed": (
        f"{OUT}::test_what_is_made_in_passing_is_kept_out_of_the_repository",
    ),
    "25a a method is compared and not called, so that nothing is ever used up": (
        f"{OUT}::test_nothing_is_compared_with_true_or_false_by_identity",
        f"{RULES}::test_finals_are_kept_but_combine_only_under_pan2025",
        f"{RULES}::test_the_game_ends_when_exhausted_only_under_strict",
    ),
    "25b element 0 is passed over in counting children": (
        "models/meaning/test_counting.py::test_element_0_counts_and_the_published_code_passes_over_it",
    ),
    "25c the last turn's success stands for that of two turns, which the comments announce (when_to_stop_la2.r)": (
        "analysis/test_stopping.py::test_a_window_of_two_turns_leaves_out_the_first_of_every_player",
        "analysis/test_stopping.py::"
        "test_the_exact_variant_finds_the_chance_of_going_on_that_the_published_one_understates",
    ),
    "25d an agent lacks some of the games": (
        "contracts/test_agents.py::test_an_episode_replays_and_goes_on_from_any_turn",
    ),
    "25e a player who has tried everything loops for ever": (
        "agents/test_baselines.py::test_a_player_that_has_tried_everything_repeats_rather_than_fail",
    ),
    "25f pins are malformed, or of versions that no longer install": (
        f"{OUT}::test_every_package_that_the_source_imports_is_declared_and_every_pin_is_one_version",
    ),
    "25g the name of a package's file has a blank in it": (
        f"{OUT}::test_every_folder_of_the_source_is_a_package_and_no_name_has_a_blank",
    ),
    "26a one result of a pair overwrites the others": (
        "environments/alchemy/test_tables.py::test_wordcrafts_table_has_the_published_counts",
        f"{RULES}::test_strict_gives_every_result_at_once_and_pan2025_one_a_turn_in_index_order",
    ),
    "26b a recipe that returns its ingredient is dropped": (
        f"{RULES}::test_a_recipe_that_returns_its_ingredient_is_a_success_without_reward",
    ),
    "26c tasks have a hash and no equality, so that doubles are kept": (
        f"{OUT}::test_a_class_with_a_hash_of_its_own_says_when_two_are_equal",
        f"{OUT}::test_equal_tasks_are_equal_and_no_two_of_a_split_are",
    ),
    "26d a targeted game is loaded as another, or from a misspelt file": (
        "environments/alchemy/test_tasks.py::test_an_unknown_split_is_refused_with_its_alternatives",
        "environments/alchemy/test_tasks.py::test_a_targeted_task_ends_when_its_goal_is_made",
    ),
    "26e the prompt shows the oldest successes beside the newest failures": (
        f"{OUT}::test_a_model_is_shown_the_latest_turns_that_made_something_and_the_latest_that_did_not",
        f"{TEXT}::test_the_summary_names_every_tried_pair_once",
    ),
    "26f nothing guards an inventory beyond the table": (
        "values/test_games.py::test_choices_of_another_table_are_refused",
        "environments/alchemy/test_tasks.py::test_a_task_of_another_table_is_refused",
    ),
    "the weight of uncertainty is read without the player that never repeats": (
        "analysis/test_weights.py::"
        "test_a_player_who_does_not_repeat_has_a_published_weight_that_the_other_estimates_explain_away",
    ),
    "folds by element learn from pairs of what they predict": (
        "models/meaning/test_folds.py::test_by_element_a_fold_learns_nothing_of_its_elements_and_tests_all_their_pairs",
    ),
    "values are updated before they are read, or the first pair is not counted": (
        "values/test_turns.py::test_values_of_a_short_game_are_those_computed_by_hand",
    ),
    "irreproducible: comparisons and decisions are drawn without a seed": (
        "analysis/test_regressions.py::test_draws_depend_on_the_seed_and_the_name_and_on_nothing_else",
        "core/test_seeds.py::test_a_stream_is_fixed_by_its_seed_and_names",
    ),
    "irreproducible: folds and networks are drawn without a seed": (
        "models/meaning/test_folds.py::test_a_seed_reproduces_its_folds_and_another_parts_otherwise",
        "models/meaning/test_prediction.py::"
        "test_a_seed_reproduces_every_value_and_the_global_generators_are_left_alone",
    ),
    "irreproducible: the inventory is told in the order of a set": (
        "contracts/test_agents.py::test_episodes_are_equal_across_processes_and_hash_seeds",
    ),
    "irreproducible: the published logs are of an older logger, with names that are null": (
        f"{DAMAGED}::test_a_bad_record_is_counted_with_its_reason_and_is_no_gap",
    ),
    "irreproducible: means are typed into the plotting scripts": (
        f"{OUT}::test_a_published_number_is_typed_in_one_place_alone",
        "reports/test_report.py::test_the_same_runs_give_the_same_files",
        "published/test_little_alchemy_2_page.py::test_the_baseline_rows_of_the_page_are_those_of_a_rerun",
    ),
}  # fmt: skip
"""What the reference code does, and the tests that fail if this project does it."""

NOT_YET: dict[str, tuple[str, str]] = {
    "4 activations are read one token early": ("interpretability", "sparse autoencoders"),
    "5 a latent's place among the living is taken for its number": ("interpretability", "sparse autoencoders"),
    "6 the encoder has no rectifier, and no control with the factor 1": ("interpretability", "sparse autoencoders"),
    "7 activations of one layer are changed at the next": ("interpretability", "sparse autoencoders"),
    "8 values of elements come from a method that does not exist, and cannot fall below the mean": (
        "interpretability", "sparse autoencoders",
    ),
    "14 labels of one model are read for another, and no number wins over every number": (
        "interpretability", "sparse autoencoders",
    ),
    "15b the last batch is left out, and a name is found inside another": ("interpretability", "sparse autoencoders"),
    "19 the intervention's options are read as characters, and its failures are not caught": (
        "interpretability", "sparse autoencoders",
    ),
    "26g the interface is that of an old gym": ("adapters/gymnasium", "adapters to gymnasium"),
    "irreproducible: autoencoders begin and are split without a seed": ("interpretability", "sparse autoencoders"),
}  # fmt: skip
"""Defects of a part that this project does not have: the folder where it will be, and what it is."""


ALWAYS, SLOW, WITH_SAMPLES = "runs always", "runs in the slow lane", "runs where the samples are"


@dataclass(frozen=True)
class Module:
    """What a file of tests says of each of its tests, told without running it."""

    tree: ast.Module

    @staticmethod
    @cache
    def of(path: str) -> Module:
        return Module(ast.parse((TESTS / path).read_text()))

    def lane(self, name: str) -> str:
        """When pytest runs a test, or `it ...`: why it never does, or not everywhere."""
        functions = [node for node in self.tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        found = [node for node in functions if node.name == name]
        if len(found) != 1 or not name.startswith("test_"):
            tests = [node.name for node in functions if node.name.startswith("test_")]
            return f"it is there {len(found)} times among {tests}"
        marks = {mark for one in (*found[0].decorator_list, *self._of_the_file()) for mark in self._marks(one)}
        if never := marks & {"skip", "skipif", "xfail"}:
            return f"it is marked {', '.join(sorted(never))}"
        called = {ast.unparse(node.func) for node in ast.walk(found[0]) if isinstance(node, ast.Call)}
        if skips := called & {"pytest.skip", "pytest.xfail", "pytest.importorskip"}:
            return f"it calls {', '.join(sorted(skips))}"
        return SLOW if "slow" in marks else WITH_SAMPLES if "shared" in called else ALWAYS

    def _of_the_file(self) -> list[ast.expr]:
        """What marks all tests of the file: `pytestmark`, and a call outside of any test that skips them."""
        named = [value for name, value in self._names.items() if name == "pytestmark"]
        return [*named, *(node.value for node in self.tree.body if isinstance(node, ast.Expr))]

    def _marks(self, expression: ast.expr) -> Iterator[str]:
        """The marks in an expression, and in what its names stand for in the file."""
        for node in ast.walk(expression):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("pytest", "pytest.mark"):
                yield "skip" if node.attr == "importorskip" else node.attr
            if isinstance(node, ast.Name) and node.id in self._names:
                yield from self._marks(self._names[node.id])

    @property
    def _names(self) -> dict[str, ast.expr]:
        return {
            target.id: node.value
            for node in self.tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }


@pytest.mark.parametrize("defect", list(FOUND_BY))
def test_a_defect_of_the_reference_code_would_be_found_here(defect: str):
    """Each test named is one that pytest collects and runs, and one of them whatever is installed."""
    lanes = {}
    for test in FOUND_BY[defect]:
        path, _, name = test.partition("::")
        assert re.fullmatch(r"(\w+/)*test_\w+\.py", path), f"pytest collects nothing from {path}"
        lanes[test] = Module.of(path).lane(name)
        assert lanes[test] in (ALWAYS, SLOW, WITH_SAMPLES), f"{test}: {lanes[test]}"
    assert ALWAYS in lanes.values(), f"nothing finds {defect!r} wherever the tests are run: {lanes}"


@pytest.mark.parametrize(
    ("source", "lane"),
    [
        ("def test_a(): pass", ALWAYS),
        ("async def test_a(): pass", ALWAYS),
        ("@pytest.mark.parametrize('b', [1])\ndef test_a(b): pass", ALWAYS),
        ("@pytest.mark.slow\ndef test_a(): pass", SLOW),
        ("def test_a(): shared('table.json')", WITH_SAMPLES),
        ("@pytest.mark.skip\ndef test_a(): pass", "it is marked skip"),
        ("@pytest.mark.skipif(True, reason='b')\ndef test_a(): pass", "it is marked skipif"),
        ("@pytest.mark.slow\n@pytest.mark.xfail(strict=True)\ndef test_a(): pass", "it is marked xfail"),
        ("needs = pytest.mark.skipif(True)\n@needs\ndef test_a(): pass", "it is marked skipif"),
        ("pytestmark = [pytest.mark.skip]\ndef test_a(): pass", "it is marked skip"),
        ("pytest.skip(allow_module_level=True)\ndef test_a(): pass", "it is marked skip"),
        ("pytest.importorskip('b')\ndef test_a(): pass", "it is marked skip"),
        ("def test_a(): pytest.importorskip('b')", "it calls pytest.importorskip"),
        ("def test_b(): pass", "it is there 0 times among ['test_b']"),
        ("class Some:\n    def test_a(self): pass", "it is there 0 times among []"),
        ("def test_a(): assert False\ndef test_a(): pass", "it is there 2 times among ['test_a', 'test_a']"),
    ],
)  # fmt: skip
def test_a_test_that_is_not_run_does_not_count(source: str, lane: str):
    assert Module(ast.parse(source)).lane("test_a") == lane


@pytest.mark.parametrize("defect", list(NOT_YET))
def test_what_does_not_exist_yet_has_no_test_and_does_not_exist(defect: str):
    folder, what = NOT_YET[defect]
    assert not [*(SOURCE / folder).rglob("*.py")], f"there are {what} now: move {defect!r} to FOUND_BY with its tests"


def test_every_numbered_defect_and_each_of_its_parts_is_found_or_declared_not_to_concern_what_there_is():
    parts: dict[int, list[str]] = {}
    for name in (*FOUND_BY, *NOT_YET):
        if numbered := re.match(r"(\d+)([a-z]?) ", name):
            parts.setdefault(int(numbered[1]), []).append(numbered[2])
    assert sorted(parts) == list(range(1, 27))
    for number, letters in parts.items():
        wanted = [""] if letters == [""] else list(ascii_lowercase[: len(letters)])
        assert sorted(letters) == wanted, f"the parts of defect {number} are {letters}"
    assert all(folder and what for folder, what in NOT_YET.values())
