"""Aalen and Johansen's estimate agrees with lifelines."""

from __future__ import annotations

import numpy as np
import pytest

from diascope.evidence.survival.competing import aalen_johansen

lifelines = pytest.importorskip("lifelines")


@pytest.mark.parametrize("cause", [1, 2])
def test_incidence_and_its_interval(cause: int) -> None:
    rng = np.random.default_rng(3)
    each = np.stack([rng.exponential(3, 150), rng.exponential(1.5, 150), rng.exponential(2, 150)])
    time, code = each.min(axis=0), np.array([0, 1, 2])[each.argmin(axis=0)]
    theirs = lifelines.AalenJohansenFitter(calculate_variance=True).fit(time, code, cause)
    ours = aalen_johansen(time, code, cause)
    when = np.quantile(time, [0.2, 0.5, 0.8])
    wanted = theirs.cumulative_density_.iloc[:, 0]
    place = [int(np.searchsorted(wanted.index, one, side="right")) - 1 for one in when]
    assert np.allclose(ours.at(when), wanted.to_numpy()[place])
    spans = theirs.confidence_interval_cumulative_density_
    own = np.searchsorted(ours.time, when, side="right") - 1
    assert np.allclose(ours.low[own], spans.iloc[place, 0], atol=0.005)
    assert np.allclose(ours.high[own], spans.iloc[place, 1], atol=0.005)
