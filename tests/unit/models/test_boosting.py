"""Boosted trees: they find what acts together, take weights of any length, and refuse weights that contradict."""

import numpy as np
import pytest
import torch

from diascope.core import registry
from diascope.core.errors import BadUsage, DiascopeError
from diascope.models import InputSpec
from diascope.models.estimators import trees

MODEL = registry.get("models", "boosting")
SPEC = InputSpec("table", 4, 0, outputs=2, categories=(0, 3, 0, 0))
OPTIONS = {**MODEL.options(SPEC), "most_iterations": 150}


def rows_and_truth(cases: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two columns say nothing alone, and the truth together."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(cases, 4)).astype(np.float32)
    rows[:, 1] = rng.integers(0, 3, cases)
    return rows, ((rows[:, 0] > 0) == (rows[:, 1] == 1)).astype(np.int64)


def fitted(rows: np.ndarray, truth: np.ndarray, spec: InputSpec = SPEC, **changes: object) -> torch.nn.Module:
    module = MODEL.build(spec, {**OPTIONS, **changes})
    MODEL.fit(module, rows, {"value" if spec.outputs == 1 else "class": truth}, {**OPTIONS, **changes})
    return module


def test_it_finds_what_acts_together():
    module, (rows, truth) = fitted(*rows_and_truth()), rows_and_truth(seed=1)
    said = module(torch.from_numpy(rows)).argmax(dim=1).numpy()
    assert (said == truth).mean() > 0.95


def test_a_number_comes_in_the_targets_own_units():
    rows, truth = rows_and_truth()
    spec = InputSpec("table", 4, 0, outputs=1, categories=SPEC.categories)
    said = fitted(rows, 1e6 + 1e3 * truth, spec)(torch.from_numpy(rows))[:, 0].numpy()
    assert np.abs(said - (1e6 + 1e3 * truth)).mean() < 200


def test_noise_gets_few_trees():
    rows, truth = rows_and_truth()
    found, clear = (len(fitted(rows, some).trees.root) for some in (np.roll(truth, 7), truth))
    assert found < 30 < clear


def test_trees_are_larger_where_there_are_more_rows():
    forests = [fitted(*rows_and_truth(cases), most_iterations=30).trees for cases in (200, 1000)]
    nodes = [len(forest.value) / len(forest.root) for forest in forests]
    assert nodes[0] <= 2 * 4 - 1 < nodes[1] <= 2 * 10 - 1


def test_a_category_of_many_values_is_refused_when_built():
    with pytest.raises(BadUsage, match="300 values in column 1"):
        MODEL.build(InputSpec("table", 2, 0, outputs=2, categories=(0, 300)), OPTIONS)


def test_as_many_values_as_scikit_learn_takes_are_taken():
    # Scikit-learn passes over values of fewer than ten rows.
    rows = np.arange(15 * 255, dtype=np.float32)[:, None] % 255
    truth = (np.random.default_rng(0).permutation(255) > 127).astype(np.int64)[rows[:, 0].astype(int)]
    spec = InputSpec("table", 1, 0, outputs=2, categories=(255,))
    assert (fitted(rows, truth, spec)(torch.from_numpy(rows)).argmax(dim=1).numpy() == truth).mean() > 0.9


def test_many_rows_get_what_each_gets_alone(monkeypatch):
    module, rows = fitted(*rows_and_truth()), torch.from_numpy(rows_and_truth(100)[0])
    together = module(rows)
    monkeypatch.setattr(trees, "AT_ONCE", 7)
    assert torch.equal(module(rows), together)


def test_weights_of_any_length_are_taken_also_by_a_module_that_was_fitted():
    small, large = fitted(*rows_and_truth(60)), fitted(*rows_and_truth())
    rows = torch.from_numpy(rows_and_truth(50)[0])
    expected = large(rows)
    assert not torch.equal(small(rows), expected)
    small.load_state_dict(large.state_dict())
    assert torch.equal(small(rows), expected)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("value", lambda tensor: tensor[:-1], "differ in length"),
        ("score", lambda tensor: tensor[:-1], "differ in length"),
        ("left", lambda tensor: tensor + 1, "left leads to places that do not exist"),
        ("root", lambda tensor: tensor - 1, "root leads to places that do not exist"),
        ("column", lambda tensor: tensor + 3, "column leads to places that do not exist"),
        ("split", lambda tensor: tensor + 10_000, "split leads to places that do not exist"),
        ("score", lambda tensor: tensor + 1, "score leads to places that do not exist"),
        ("goes_left", lambda tensor: tensor[:, :-1], "size mismatch"),
        ("threshold", lambda tensor: tensor.float(), "size mismatch"),
    ],
)
def test_weights_that_contradict_themselves_are_refused(name, change, message):
    state = fitted(*rows_and_truth(60)).state_dict()
    state[f"trees.{name}"] = change(state[f"trees.{name}"])
    with pytest.raises(RuntimeError, match=message):
        MODEL.build(SPEC, OPTIONS).load_state_dict(state)


def test_missing_weights_are_named():
    state = fitted(*rows_and_truth(60)).state_dict()
    del state["trees.left"]
    with pytest.raises(RuntimeError, match=r"Missing key.*trees\.left"):
        MODEL.build(SPEC, OPTIONS).load_state_dict(state)


def test_trees_that_are_not_scikit_learns_are_never_kept(monkeypatch):
    monkeypatch.setattr(trees.TreeArrays, "_directions", lambda self, nodes, bits: np.zeros((len(nodes), 3), bool))
    with pytest.raises(DiascopeError, match="another way"):
        fitted(*rows_and_truth())
