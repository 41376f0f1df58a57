"""The out-of-tree survival plug-ins give the numbers of lifelines on complete data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from diascope.models import InputSpec

lifelines = pytest.importorskip("lifelines", reason="lifelines is not installed")
pandas = pytest.importorskip("pandas")
COLUMNS = 4


@pytest.fixture(autouse=True)
def _outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "outside"))


def rows(cases: int = 200, seed: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns of unlike scale, times without ties, and which of them are events."""
    rng = np.random.default_rng(seed)
    table = (rng.normal(size=(cases, COLUMNS)) * [1, 20, 0.1, 3] + [0, 60, 1, -5]).astype(np.float32)
    time = rng.exponential(np.exp(-0.8 * table[:, 0] - 0.02 * (table[:, 1] - 60)))
    end = rng.exponential(2, cases)
    return table, np.minimum(time, end), (time <= end).astype(np.int64)


def fitted(table, time, event, ridge):
    from diascope_outside.cox import MODEL

    spec = InputSpec("table", channels=COLUMNS, dimensions=0)
    options = {**MODEL.options(spec), "ridge": ridge}
    module = MODEL.build(spec, options)
    MODEL.fit(module, table, {"time": time, "event": event}, options)
    return module


def theirs(table, time, event, ridge):
    frame = pandas.DataFrame(table.astype(float)).assign(time=time, event=event)
    return lifelines.CoxPHFitter(penalizer=ridge).fit(frame, "time", "event")


@pytest.mark.parametrize("ridge", [0.0, 0.01, 0.3])
def test_coefficients_and_hazards_are_those_of_lifelines(ridge):
    table, time, event = rows()
    module, reference = fitted(table, time, event, ridge), theirs(table, time, event, ridge)
    ours = (module.coefficients / module.scale)[:COLUMNS].numpy()
    np.testing.assert_allclose(ours, reference.params_.to_numpy(), rtol=1e-5, atol=1e-7)
    said = module(torch.from_numpy(table))[:, 0].numpy()
    np.testing.assert_allclose(said, reference.predict_log_partial_hazard(table.astype(float)), atol=1e-5)


def test_concordance_is_that_of_lifelines_also_with_ties_of_what_was_said():
    from diascope_outside.survival import pairs

    _, time, event = rows(60)
    said = np.random.default_rng(0).integers(0, 6, 60).astype(float)
    right, comparable = pairs(time, event.astype(bool), said)
    expected = lifelines.utils.concordance_index(time, -said, event)
    assert right.sum() / comparable.sum() == pytest.approx(expected, abs=1e-12)


def test_curves_are_those_of_lifelines():
    from diascope_outside.survival import breslow, kaplan_meier

    table, time, event = rows(80)
    theirs_km = lifelines.KaplanMeierFitter().fit(time, event)
    at, share = kaplan_meier(time, event.astype(bool))
    np.testing.assert_allclose(share, theirs_km.survival_function_at_times(at), atol=1e-12)
    reference = theirs(table, time, event, 0.0)
    said = reference.predict_log_partial_hazard(table.astype(float)).to_numpy()
    times, hazard = breslow(time, event.astype(bool), said)
    expected = reference.baseline_cumulative_hazard_.loc[times].to_numpy()[:, 0]
    np.testing.assert_allclose(hazard, expected, rtol=1e-6)
