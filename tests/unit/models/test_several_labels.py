"""Models that are fitted at once answer several labels: each by itself, on the cases in which it is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from diascope.core import registry
from diascope.core.errors import BadUsage, DataRefused, DiascopeError
from diascope.models import InputSpec
from diascope.models.estimators.answers import HIGHEST_ODDS, Answer

NAMES = ("boosting", "linear")
CHANGES = {"boosting": {"most_iterations": 20}, "linear": {"strengths": [10.0, 0.1]}}
nan = np.nan


def fitted(name: str, rows: np.ndarray, codes: np.ndarray, patient: np.ndarray | None = None, **changes: object):
    model = registry.get("models", name)
    spec = InputSpec("table", rows.shape[1], 0, outputs=codes.shape[1])
    options = {**model.options(spec), "labels": True, **CHANGES[name], **changes}
    module, read = (model.build(spec, options) for _ in range(2))
    target = {"labels": codes.astype(np.float32), **({} if patient is None else {"patient": patient})}
    model.fit(module, rows.astype(np.float32), target, options)
    read.load_state_dict(load(save(module.state_dict())))
    return read.eval()


def said(module: torch.nn.Module, rows: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return module(torch.from_numpy(rows.astype(np.float32))).numpy()


def some(cases: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Rows (N, 3), and the label that the first column tells."""
    rows = np.random.default_rng(0).normal(size=(cases, 3))
    return rows, (rows[:, 0] > 0).astype(float)


@pytest.mark.parametrize("name", NAMES)
def test_labels_that_are_all_alike_or_unknown_do_not_spoil_the_others(name: str) -> None:
    rows, truth = some()
    codes = np.column_stack([truth, np.zeros(60), np.ones(60), np.full(60, nan), np.full(60, -1.0)])
    found = said(fitted(name, rows, codes), rows)
    assert found.shape == (60, 5)
    assert ((found[:, 0] > 0) == (truth == 1)).mean() > 0.9
    np.testing.assert_allclose(found[:, 1:], np.tile([-HIGHEST_ODDS, HIGHEST_ODDS, 0, 0], (60, 1)), rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_label_says_the_same_whatever_stands_beside_it(name: str) -> None:
    rows, truth = some()
    other = np.where(np.arange(60) % 3 == 0, nan, 1 - truth)
    both = said(fitted(name, rows, np.column_stack([truth, other])), rows)
    swapped = said(fitted(name, rows, np.column_stack([other, truth])), rows)
    np.testing.assert_array_equal(both, swapped[:, ::-1])


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("name", NAMES)
def test_a_label_of_one_patient_may_be_missing_from_a_fold(name: str, count: int) -> None:
    rows, truth = some()
    rare = (np.arange(60) < count).astype(float)
    found = said(fitted(name, rows, np.column_stack([truth, rare]), patient=np.arange(60) // 3), rows)
    assert np.isfinite(found).all()
    assert found[:, 1].mean() < 0


@pytest.mark.parametrize("name", NAMES)
def test_what_cannot_be_learnt_is_refused(name: str) -> None:
    rows, truth = some()
    with pytest.raises(DataRefused, match="no label is present in some training cases and absent in others"):
        fitted(name, rows, np.column_stack([np.ones(60), np.full(60, nan)]))
    with pytest.raises(BadUsage, match="maybe"):
        fitted(name, rows, np.column_stack([truth, truth]), uncertain="maybe")
    model = registry.get("models", name)
    spec = InputSpec("table", 3, 0, outputs=2)
    options = {**model.options(spec), "labels": True}
    with pytest.raises(DiascopeError, match="2 labels is fitted to a target's 'labels'"):
        model.fit(model.build(spec, options), rows.astype(np.float32), {"class": truth.astype(np.int64)}, options)


def test_an_answer_of_classes_is_one_fit_of_all_its_scores() -> None:
    answer = Answer("category", 3)
    (part,) = answer.parts(np.array([0.0, 1.0, 2.0]))
    assert (part.answer, part.own, part.places) == (answer, (0, 1, 2), (0, 1, 2))
    assert answer.untold(np.array([0.0, 1.0, 2.0])).tolist() == [0, 0, 0]
