from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from athanor.analysis.meaning import auc
from athanor.core.errors import DataError
from athanor.models.meaning import brandle2023, exact, prediction
from athanor.models.meaning.counting import Expected
from athanor.models.meaning.fitting import Compute, Training
from athanor.models.meaning.folds import folds
from athanor.models.meaning.lessons import Lessons
from athanor.models.meaning.prediction import Recipe, predict
from athanor.values.arrays import pair_number
from tests.models.meaning.worlds import kinds, shuffled

WORLD, VECTORS = kinds()


BRIEF = Training(batch=64, steps=80, rate=3e-3, decay=1e-2)


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Fewer steps and smaller networks: the worlds are tiny."""
    for name in ("LINK", "ELEMENT", "DIRECT"):
        monkeypatch.setattr(exact, name, exact.Plan(code=16, hidden=32, how=BRIEF))
    monkeypatch.setattr(brandle2023, "SMALL", replace(brandle2023.SMALL, steps=300))
    monkeypatch.setattr(brandle2023, "WIDE", 32)


@pytest.mark.parametrize("recipe", ["exact", "brandle2023"])
@pytest.mark.parametrize("split", ["pair", "element"])
def test_a_rule_in_the_meaning_of_names_is_learned(recipe, split):
    found = predict(WORLD, VECTORS, split, recipe, 1, count=3)
    success = WORLD.recipe >= 0
    assert auc(found.pairs.values["success"], success) > 0.9
    assert np.mean(found.rank <= 10) > 0.9  # ten elements are of the kind that is made
    children = WORLD.children.lengths
    assert np.corrcoef(found.elements["empowerment"], children)[0, 1] > 0.5


@pytest.mark.parametrize("recipe", ["exact", "brandle2023"])
def test_shuffled_recipes_are_predicted_at_chance(recipe):
    world = shuffled(WORLD)
    found = predict(world, VECTORS, "pair", recipe, 1, count=3)
    assert 0.35 < auc(found.pairs.values["success"], world.recipe >= 0) < 0.65


def test_a_seed_reproduces_every_value_and_the_global_generators_are_left_alone(monkeypatch):
    for name in ("LINK", "ELEMENT", "DIRECT"):
        monkeypatch.setattr(exact, name, exact.Plan(code=4, hidden=4, how=replace(BRIEF, steps=5)))
    state, numpy_state = torch.get_rng_state(), np.random.get_state()
    first, again, other = (predict(WORLD, VECTORS, "pair", "exact", seed, count=3) for seed in (1, 1, 2))
    for name, values in first.pairs.values.items():
        assert (values == again.pairs.values[name]).all()
    assert (first.pairs.values["success"] != other.pairs.values["success"]).any()
    assert (torch.get_rng_state() == state).all()
    assert str(np.random.get_state()) == str(numpy_state)


@pytest.mark.parametrize("fit", [exact.fit_networks, brandle2023.fit_networks])
def test_the_order_of_a_pair_does_not_matter_nor_the_company_it_is_asked_in(fit):
    net = fit(Lessons(WORLD, VECTORS), folds(WORLD, "pair", 1, 3), 0, 1, Compute(dtype=torch.float64))
    a, b = (torch.from_numpy(ends) for ends in WORLD.low_high)
    for ask in (net.success, net.results, net.empowerment):
        whole = ask(a, b)
        torch.testing.assert_close(ask(b, a), whole)
        torch.testing.assert_close(ask(a[:5], b[:5]), whole[:5], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(net.results(a, b).sum(dim=1), torch.ones(len(a), dtype=torch.float64))


@dataclass(frozen=True)
class Remembers:
    """Fake networks that say 0.4 of pairs they learned from or held back, 0.1 of others, and always element 3."""

    seen: torch.Tensor

    def success(self, first, second):
        known = self.seen[torch.from_numpy(pair_number(first.numpy(), second.numpy()))]
        return torch.where(known, 0.4, 0.1)

    def results(self, first, second):
        return torch.nn.functional.one_hot(torch.full_like(first, 3), WORLD.n).float()

    def empowerment(self, first, second):
        return self.success(first, second)


@pytest.mark.parametrize(("split", "kept"), [("pair", 0), ("pair", 2**30), ("element", 2**30)])
def test_a_pair_is_only_asked_of_networks_that_never_saw_it(split, kept, monkeypatch):
    def fit(lessons, parts, fold, *_):
        return Remembers(torch.from_numpy(~parts.tested[fold]))

    recipe = Recipe(0.2, fit, Expected, averaged=False)
    monkeypatch.setitem(prediction.RECIPES, "exact", recipe)
    monkeypatch.setattr(prediction, "CHUNK", 100)
    monkeypatch.setattr(prediction, "KEPT", kept)
    found = predict(WORLD, VECTORS, split, "exact", 1)
    assert found.pairs.values["success"] == pytest.approx(0.1)
    children = 1 - 0.9**WORLD.n  # element 3 is expected of each element's n pairs
    assert found.elements["empowerment"] == pytest.approx(children, abs=1e-6)
    assert found.pairs.values["empowerment"] == pytest.approx(0.1 * children, abs=1e-6)


@dataclass(frozen=True)
class KnowsPartners:
    """Fake networks that only know how often an element succeeded, if it is not new to them: 0.5 for element 0."""

    new: frozenset[int]

    def success(self, first, second):
        known = 0 not in self.new
        return 0.1 + 0.4 * known * ((first == 0) | (second == 0)).float()

    def results(self, first, second):
        return torch.nn.functional.one_hot(torch.minimum(first, second), WORLD.n).float()

    def empowerment(self, first, second):
        return self.success(first, second)


@pytest.mark.parametrize("averaged", [False, True])
def test_by_element_the_published_mean_lets_a_new_element_be_known_and_the_exact_count_does_not(averaged, monkeypatch):
    low, high = WORLD.low_high

    def fit(lessons, parts, fold, *_):
        return KnowsPartners(frozenset(e for e in range(WORLD.n) if parts.tested[fold][(low == e) | (high == e)].all()))

    monkeypatch.setitem(prediction.RECIPES, "exact", Recipe(0.2, fit, Expected, averaged))
    found = predict(WORLD, VECTORS, "element", "exact", 1)
    links = found.elements["empowerment_combinations"]
    assert (links[0] > 1.5 * 0.1 * WORLD.n) == averaged
    if not averaged:
        assert links[0] == pytest.approx(0.1 * WORLD.n, rel=1e-5)
        assert (links >= links[0] - 1e-6).all()  # others may know element 0, for which they are new


def test_vectors_of_another_world_are_refused():
    with pytest.raises(DataError, match="one row for each of 40 elements was expected"):
        predict(WORLD, VECTORS[:-1], "pair", "exact", 1)


def test_calibration_finds_what_distorted_the_logits():
    rng = np.random.default_rng(0)
    true = rng.normal(size=20_000) * 2 - 1
    success = (rng.random(20_000) < 1 / (1 + np.exp(-true))).astype(float)
    slope, shift = exact.platt(true * 2 + 3, success, 0.0)
    assert (slope, shift) == pytest.approx((0.5, -1.5), abs=0.05)
    assert exact.platt(np.zeros(0), np.zeros(0), -3.0) == pytest.approx((1.0, -3.0), abs=1e-3)
    logits = rng.normal(size=(5000, 6)) * 2
    chance = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    made = (chance.cumsum(axis=1) > rng.random((5000, 1))).argmax(axis=1)
    assert exact.sharpness(logits / 3, made) == pytest.approx(3, rel=0.05)
    assert exact.sharpness(np.zeros((0, 6)), np.zeros(0, dtype=np.int64)) == 1


def test_the_published_softmax_is_over_z_scores():
    found = brandle2023.softmax_of_z(torch.tensor([[0.1, 0.2, 0.3]]))
    z = np.array([-1, 0, 1]) * np.sqrt(1.5)
    assert found[0].tolist() == pytest.approx((np.exp(z) / np.exp(z).sum()).tolist(), abs=1e-5)
