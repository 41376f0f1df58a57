"""What each column of a table's row adds to an answer: Shapley values by sampling (Štrumbelj 2010), by Captum.

Gradients know neither words nor trees, and what a missing value says. Here a column that is left out is a missing one,
which every model of rows can read: so this holds for all of them, and is exact where the answer is a sum over columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from diascope.explainers import Explainer
from diascope.explainers.attributions import captum_attr, is_installed
from diascope.explainers.maps import answer, in_eval

ORDERS = 32
"""Random orders in which columns are added."""


class ColumnShares:
    """Maps (B, D) in -1..1: what speaks for an output is positive, what speaks against it negative."""

    title = "columns"
    takes = "table"

    def is_available(self) -> bool:
        """Whether Captum is installed."""
        return is_installed()

    def explain(self, network: nn.Module, images: Tensor, output: int) -> npt.NDArray[np.float32]:
        """Maps (B, D) of rows (B, D) with nan for missing: each row alone, its strongest column 1 or -1.

        Raises:
            MissingPackage: When Captum is not installed.
        """
        with torch.no_grad(), in_eval(network):
            answer(network, images[:1], output)  # an output that does not exist is refused before anything is sampled
        found = np.stack([shares(network, row, output) for row in images])
        most = np.abs(found).max(axis=1, keepdims=True)
        return np.asarray(found / np.where(most > 0, most, 1.0), np.float32)


def shares(network: nn.Module, row: Tensor, output: int) -> npt.NDArray[np.float64]:
    """What each column of a row (D,) adds to the answer, in its unit; together they are what the whole row adds.

    Raises:
        MissingPackage: When Captum is not installed.
    """
    method: Any = captum_attr("the explainer columns").ShapleyValueSampling
    missing = torch.full_like(row, float("nan"))

    def said(shown: Tensor) -> Tensor:
        return answer(network, torch.where(shown > 0.5, row, missing), output).double()

    with torch.no_grad(), in_eval(network), torch.random.fork_rng(devices=()):
        torch.manual_seed(0)  # Captum draws from the global generator
        shown, hidden = torch.ones(1, len(row)), torch.zeros(1, len(row))
        found: Tensor = method(said).attribute(shown, hidden, n_samples=ORDERS, perturbations_per_eval=len(row))
    added = np.asarray(found[0].double().numpy())
    return np.where(np.isnan(row.numpy()), 0.0, added)


EXPLAINER: Explainer = ColumnShares()
