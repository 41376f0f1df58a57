"""Attributions by Captum: of rows of tables, of signals, and what is said without the package."""

from __future__ import annotations

import importlib
import importlib.util

import numpy as np
import pytest
import torch
from torch import nn

from diascope.core import registry
from diascope.core.errors import BadUsage, MissingPackage
from diascope.engine.batch import Example
from diascope.explainers import is_available
from diascope.explainers.maps import InColumns, InOrder
from diascope.stages.explain import in_columns
from diascope.testing.factories import a_case
from diascope.testing.releases import a_plan

needs_captum = pytest.mark.skipif(importlib.util.find_spec("captum") is None, reason="captum is not installed")


class Adds(nn.Module):
    """A sum over columns, a column that is missing counting as 1; and a product of the first two."""

    def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        known = torch.nan_to_num(inputs["row"], nan=1.0)
        return torch.stack([known @ torch.tensor([2.0, -1.0, 0.0]), known[:, 0] * known[:, 1]], dim=1)


@needs_captum
def test_a_sum_over_columns_is_told_exactly() -> None:
    from diascope.explainers.columns import shares

    found = shares(InColumns(Adds(), "row"), torch.tensor([4.0, 3.0, 7.0]), 0)
    np.testing.assert_allclose(found, [2 * 3, -2, 0], atol=1e-6)


@needs_captum
def test_shares_add_up_to_what_the_row_adds_and_draw_nothing_from_the_global_generator() -> None:
    from diascope.explainers.columns import shares

    state = torch.get_rng_state()
    network, row = InColumns(Adds(), "row"), torch.tensor([4.0, 3.0, float("nan")])
    found = shares(network, row, 1)
    assert found.sum() == pytest.approx(4 * 3 - 1)
    assert found[2] == 0
    assert min(found[:2]) > 0
    assert torch.equal(state, torch.get_rng_state())
    np.testing.assert_array_equal(found, shares(network, row, 1))


@needs_captum
def test_a_signal_is_explained_sample_by_sample() -> None:
    class Watches(nn.Module):
        def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
            return inputs["ecg"][:, :1, 40:50].relu().mean(dim=2)

    signal = torch.zeros(1, 2, 1, 1, 100)
    signal[..., 45:70] = 3.0
    found = registry.get("explainers", "integrated_gradients").explain(InOrder(Watches(), "ecg"), signal, 0)[0, 0, 0]
    assert np.flatnonzero(found > 0.5).tolist() == list(range(45, 50))


@needs_captum
def test_a_row_is_told_by_the_names_of_its_columns_and_words() -> None:
    readings = {"row": {"kind": "table", "columns": ["size", "age", "side"], "categories": {"side": ["left", "right"]}}}
    plan = a_plan(image_inputs=[], readings=readings, model_options={})
    example = Example(a_case(1), {"row": np.array([4, np.nan, 1], np.float32)}, {})
    found = in_columns(Adds(), plan, example, ("grad_cam", 0), 0)
    assert found.rows == (("size", 4.0, 1.0), ("age", None, 0.0), ("side", "right", 0.0))
    assert found.title.startswith("What led to a:")
    with pytest.raises(BadUsage, match="explains no rows"):
        in_columns(Adds(), plan, example, ("occlusion", 0), 0)


@pytest.mark.parametrize(("name", "shape"), [("integrated_gradients", (1, 1, 1, 4, 4)), ("columns", (1, 3))])
def test_without_the_package_it_says_what_to_install(name, shape, monkeypatch):
    plugin = registry.get("explainers", name)

    def refuse(name: str) -> None:
        raise ImportError(name)

    class Sums(nn.Module):
        def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
            return inputs["image"].flatten(1).sum(dim=1, keepdim=True)

    monkeypatch.setattr(importlib, "import_module", refuse)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not is_available(plugin)
    with pytest.raises(MissingPackage, match=r"diascope\[explain\]"):
        plugin.explain(Sums(), torch.ones(shape), 0)
