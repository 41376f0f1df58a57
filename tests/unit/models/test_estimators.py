"""What the models that are fitted at once to tables have in common: bad tables, folds, orders, and what they refuse."""

import math

import numpy as np
import pytest
import torch
from safetensors.torch import save

from diascope.core import registry
from diascope.core.errors import BadUsage, DataRefused, DiascopeError
from diascope.models import InputSpec
from diascope.models.estimators.answers import FLOOR, Answer, falling
from diascope.models.estimators.columns import Design, cleaned
from diascope.models.estimators.folds import choose, deal

NAMES = ("boosting", "linear")
CHANGES = {"boosting": {"most_iterations": 20}, "linear": {"strengths": [10.0, 0.1]}}
KINDS = ("category", "ordered", "number")


def fitted(name, rows, target, outputs, categories=(), **changes):
    """A module fitted to rows (N, D) and class numbers or values (N,)."""
    model = registry.get("models", name)
    spec = InputSpec("table", rows.shape[1], 0, outputs=outputs, categories=categories)
    options = {**model.options(spec), **CHANGES[name], **changes}
    module = model.build(spec, options)
    key = "value" if outputs == 1 else "class"
    model.fit(module, rows.astype(np.float32), {key: np.asarray(target)}, options)
    return module.eval()


def noise(cases: int, columns: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(cases, columns))


def halves(cases: int) -> np.ndarray:
    return np.arange(cases) % 2


def with_column(values: np.ndarray) -> np.ndarray:
    return np.column_stack([noise(len(values), 2), values])


def constant() -> tuple[np.ndarray, np.ndarray, int, tuple[int, ...]]:
    return with_column(np.full(40, 0.1)), halves(40), 2, ()


def all_missing():
    return with_column(np.full(40, np.nan)), halves(40), 2, ()


def nothing_known():
    return np.full((40, 2), np.nan), halves(40), 2, ()


def nothing_but_a_missing_category():
    return np.full((40, 1), np.nan), halves(40), 2, (3,)


def known_once():
    return with_column(np.where(np.arange(40) == 7, 1.0, np.nan)), halves(40), 2, ()


def a_category_seen_once():
    return with_column(np.arange(40) // 39 * 2), halves(40), 2, (0, 0, 4)


def a_category_beyond_those_declared():
    return with_column(np.arange(40) % 5 - 1), halves(40), 2, (0, 0, 3)


def a_class_of_two():
    return noise(40, 3), np.r_[2, 2, halves(38)], 3, ()


def a_class_of_one():
    return noise(40, 3), np.r_[2, halves(39)], 3, ()


def one_case_against_all():
    return noise(40, 3), np.r_[1, np.zeros(39, int)], 2, ()


def classes_without_a_case():
    return noise(40, 3), 1 + 2 * halves(40), 5, ()


def ten_rows():
    return noise(10, 4), halves(10), 2, ()


def two_rows():
    return noise(2, 4), halves(2), 2, ()


def more_columns_than_half_the_rows():
    return noise(60, 30), halves(60), 2, ()


def more_columns_than_rows():
    return noise(12, 30), halves(12), 2, ()


def separable():
    rows = noise(60, 3)
    return rows, (rows[:, 0] > 0).astype(int), 2, ()


def separable_by_far():
    truth = halves(60)
    return with_column(1e6 * truth), truth, 2, ()


def huge():
    return 1e9 + 1e9 * noise(60, 3), halves(60), 2, ()


def as_large_as_float32():
    return 3e38 * np.sign(noise(60, 3)), halves(60), 2, ()


def tiny():
    return 1e-30 * noise(60, 3), halves(60), 2, ()


def twice_the_same():
    return np.repeat(noise(60, 1), 4, axis=1), halves(60), 2, ()


def infinite():
    return with_column(np.where(np.arange(40) == 3, np.inf, 1.0)), halves(40), 2, ()


TABLES = (
    constant, all_missing, nothing_known, nothing_but_a_missing_category, known_once, a_category_seen_once,
    a_category_beyond_those_declared, a_class_of_two, a_class_of_one, one_case_against_all, classes_without_a_case,
    ten_rows, two_rows, more_columns_than_half_the_rows, more_columns_than_rows, separable, separable_by_far, huge,
    as_large_as_float32, tiny, twice_the_same, infinite,
)  # fmt: skip


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_a_bad_table_gets_finite_answers(name, kind, table):
    rows, truth, outputs, categories = table()
    target, outputs = (1e9 * truth, 1) if kind == "number" else (truth, outputs)
    module = fitted(name, rows, target, outputs, categories, ordered=kind == "ordered")
    with np.errstate(over="ignore"):
        new = np.vstack([rows, np.full_like(rows[:1], np.nan), 1e9 * rows[:1], -rows[-1:]]).astype(np.float32)
    said = module(torch.from_numpy(new))
    assert said.shape == (len(new), outputs)
    assert torch.isfinite(said).all()
    assert all(torch.isfinite(tensor).all() for tensor in module.state_dict().values())
    assert torch.equal(module(torch.from_numpy(new[:0])), said[:0])
    torch.testing.assert_close(module(torch.from_numpy(new[:1])), said[:1])
    if kind != "number":
        assert said.min() >= math.log(FLOOR) - 1e-6
        torch.testing.assert_close(said.exp().sum(dim=1), torch.ones(len(new)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", ["category", "ordered"])
@pytest.mark.parametrize("name", NAMES)
def test_a_class_without_a_training_case_is_hardly_ever_said(name, kind):
    rows, truth, outputs, _ = classes_without_a_case()
    said = fitted(name, rows, truth, outputs, ordered=kind == "ordered")(torch.from_numpy(rows.astype(np.float32)))
    torch.testing.assert_close(said[:, [0, 2, 4]].exp(), torch.full((40, 3), FLOOR), rtol=1e-4, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_cases_and_seed_give_the_same_bytes(name):
    rows, truth = noise(80, 5), (noise(80, 1, 1)[:, 0] + noise(80, 5)[:, 0] > 0).astype(int)
    first, second, other = (
        save(fitted(name, rows, truth, 2, seed=seed, strengths=[1.0, 0.5]).state_dict()) for seed in (0, 0, 1)
    )
    assert first == second
    assert (first == other) == (name == "linear"), "columns of trees are drawn, the ridge is not"


@pytest.mark.parametrize("name", NAMES)
def test_ordered_classes_are_learnt_in_their_order(name):
    rows = noise(300, 4)
    grade = np.digitize(rows[:, 0] + 0.3 * noise(300, 1, 5)[:, 0], [-1, 0, 1])
    module = fitted(name, rows, grade, 4, ordered=True)
    new = np.zeros((4, 4), np.float32)
    new[:, 0] = [-2, -0.5, 0.5, 2]
    assert module(torch.from_numpy(new)).argmax(dim=1).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("name", NAMES)
def test_cases_of_one_class_are_refused(name):
    with pytest.raises(DataRefused, match="at least two classes"):
        fitted(name, noise(20, 3), np.zeros(20, int), 2)


@pytest.mark.parametrize("name", NAMES)
def test_values_that_are_not_known_are_refused(name):
    with pytest.raises(DataRefused, match="1 of 20 training cases"):
        fitted(name, noise(20, 3), np.r_[np.nan, np.zeros(19)], 1)


@pytest.mark.parametrize("name", NAMES)
def test_a_class_that_the_module_has_no_output_for_is_refused(name):
    with pytest.raises(DiascopeError, match="classes 0 to 1"):
        fitted(name, noise(20, 3), np.arange(20) % 3, 2)


@pytest.mark.parametrize("name", NAMES)
def test_another_target_or_module_is_refused(name):
    model, spec = registry.get("models", name), InputSpec("table", 3, 0, outputs=2)
    options = model.options(spec)
    rows, target = noise(20, 3).astype(np.float32), {"class": halves(20)}
    with pytest.raises(DiascopeError, match="fitted to a target's 'class'"):
        model.fit(model.build(spec, options), rows, {"value": halves(20)}, options)
    with pytest.raises(DiascopeError, match="not the module"):
        model.fit(torch.nn.Identity(), rows, target, options)
    with pytest.raises(BadUsage, match="how many outputs"):
        model.build(InputSpec("table", 3, 0), options)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("outputs", [1, 2, 5])
def test_its_cost_bounds_what_it_stores(name, outputs):
    model, spec = registry.get("models", name), InputSpec("table", 3, 0, outputs=outputs, categories=(0, 3, 0))
    options = {**model.options(spec), **CHANGES[name]}
    module = fitted(name, np.abs(noise(60, 3)).round(), np.arange(60) % max(outputs, 2), outputs, (0, 3, 0))
    stored = module.state_dict()
    numbers = stored["weights"].numel() if name == "linear" else stored["trees.value"].numel()
    assert numbers <= model.cost(spec, options).parameters < 100_000


def test_every_case_is_held_out_once_and_every_fold_has_its_share_of_each_class():
    truth = np.r_[np.zeros(23), np.ones(7), 2, 2].astype(float)
    dealt = deal(Answer("category", 3), truth, 5, 0)
    assert len(dealt) == 5
    assert sorted(np.concatenate([test for _, test in dealt]).tolist()) == list(range(len(truth)))
    for train, test in dealt:
        assert sorted(np.concatenate([train, test]).tolist()) == list(range(len(truth)))
        assert {int((truth[test] == 0).sum()), int((truth[test] == 1).sum()) + 3} <= {4, 5}
        assert set(truth[train]) == {0, 1, 2}


@pytest.mark.parametrize(
    ("truth", "folds"),
    [([0, 1], 0), ([0, 0, 0, 0, 1], 0), ([0, 0, 1, 1], 2), ([0] * 6 + [1] * 4, 5), ([0] * 20_000 + [1] * 20_000, 2)],
)
def test_folds_are_as_many_as_the_cases_allow_and_need(truth, folds):
    assert len(deal(Answer("category", 2), np.array(truth, float), 5, 0)) == folds


def test_the_first_of_the_best_candidates_is_chosen():
    answer, truth = Answer("number", 1), np.arange(10.0)
    guesses = [truth + 1, truth, truth, truth - 1]
    dealt = deal(answer, truth, 5, 0)
    assert choose(answer, truth, dealt, lambda train, test: [guess[test, None] for guess in guesses]) == 1


def test_cuts_that_contradict_each_other_are_brought_into_order():
    found = falling(torch.tensor([[0.9, 0.4, 0.6, 0.1], [0.9, 0.5, 0.4, 0.1]]))
    torch.testing.assert_close(found, torch.tensor([[0.9, 0.5, 0.5, 0.1], [0.9, 0.5, 0.4, 0.1]]))


def test_classes_in_the_reverse_order_get_the_reverse_answer():
    answer, scores = Answer("ordered", 5), torch.randn((50, 4), generator=torch.Generator().manual_seed(0)).double()
    torch.testing.assert_close(answer.finish(-scores.flip(1)), answer.finish(scores).flip(1), atol=1e-6, rtol=0)


def test_what_is_no_number_and_no_declared_category_is_missing():
    rows = torch.tensor([[1.5, 1.0], [torch.inf, 2.0], [-torch.inf, -1.0], [torch.nan, 0.5], [0.0, torch.nan]])
    found = cleaned(rows, torch.tensor([0, 2]))
    assert found.dtype == torch.float64
    assert torch.isnan(found).tolist() == [[False, False], [True, True], [True, True], [True, True], [False, True]]


def test_columns_are_standardised_spread_out_and_marked_where_missing():
    design = Design(InputSpec("table", 3, 0, outputs=2, categories=(0, 3, 0)))
    rows = torch.tensor([[1.0, 0, 5], [2, 2, 5], [3, torch.nan, 5], [torch.nan, 0, 5]])
    root = math.sqrt(0.5)
    expected = [
        [-1 / root, 0, 1, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 1, 0, 0, 0],
        [1 / root, 0, 0, 0, 0, 0, 1, 0],
        [0, 0, 1, 0, 0, 1, 0, 0],
    ]
    np.testing.assert_allclose(design.fit(rows), expected, atol=1e-12)
    np.testing.assert_allclose(design(rows), expected, atol=1e-12)
