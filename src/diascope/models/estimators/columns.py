"""Columns of a table as numbers that estimators can work with: what is missing, and which are categories."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from diascope.models import InputSpec
from diascope.models.estimators.answers import Floats


def counted(spec: InputSpec) -> tuple[int, ...]:
    """For each column how many values a category has, 0 for a number."""
    return spec.categories or (0,) * spec.channels


def cleaned(rows: Tensor, categories: Tensor) -> Tensor:
    """(B, D) in float64; nan where a number is not finite, or a category is not one of those that were declared.

    Args:
        rows: (B, D), nan is missing.
        categories: (D,) see `counted`.
    """
    rows = rows.double()
    declared = (rows >= 0) & (rows < categories) & (rows == rows.floor())
    return rows.where(torch.isfinite(rows) & ((categories == 0) | declared), rows.new_tensor(torch.nan))


class Design(nn.Module):
    """A row as the P columns of a linear model: numbers, then one column a category's value, then what is missing.

    A number is standardised, and the training median where it is missing. A category has a 1 in the column of its
    value, and none where it is missing. These and the indicators (1 where a value is missing) stay 0 or 1, so that the
    same ridge holds a rare value back more than a common one. The state is float64.

    Args:
        spec: D columns, and which are categories.
    """

    categories: Tensor
    numbers: Tensor
    owner: Tensor
    code: Tensor
    median: Tensor
    mean: Tensor
    scale: Tensor

    def __init__(self, spec: InputSpec) -> None:
        super().__init__()
        counts = counted(spec)
        numbers = [column for column, count in enumerate(counts) if count == 0]
        values = [(column, value) for column, count in enumerate(counts) for value in range(count)]
        self.columns = len(numbers) + len(values) + len(counts)
        fixed = {
            "categories": torch.tensor(counts),
            "numbers": torch.tensor(numbers, dtype=torch.int64),
            "owner": torch.tensor([column for column, _ in values], dtype=torch.int64),
            "code": torch.tensor([value for _, value in values], dtype=torch.int64),
        }
        for name, tensor in fixed.items():
            self.register_buffer(name, tensor, persistent=False)
        for name in ("median", "mean", "scale"):
            self.register_buffer(name, torch.full((len(numbers),), float(name == "scale"), dtype=torch.float64))

    def forward(self, rows: Tensor) -> Tensor:
        """(B, D) to (B, P)."""
        rows = cleaned(rows, self.categories)
        missing = torch.isnan(rows)
        numbers = self._filled(rows)
        values = rows[:, self.owner] == self.code
        return torch.cat([(numbers - self.mean) / self.scale, values.double(), missing.double()], dim=1)

    def fit(self, rows: Tensor) -> Floats:
        """Take median, mean and scale from training rows (N, D), and give their columns (N, P).

        A column that is constant has scale 1, and one without any value the median 0.
        """
        numbers = cleaned(rows, self.categories)[:, self.numbers]
        known = [column[~torch.isnan(column)].numpy() for column in numbers.T]
        medians = np.array([np.median(column) if len(column) else 0.0 for column in known])
        self.median.copy_(torch.from_numpy(medians))
        filled = self._filled(cleaned(rows, self.categories)).numpy()
        # Not by the deviation: of equal numbers it need not be zero.
        varies = filled.max(axis=0) > filled.min(axis=0)
        self.mean.copy_(torch.from_numpy(filled.mean(axis=0)))
        self.scale.copy_(torch.from_numpy(np.where(varies, filled.std(axis=0), 1.0)))
        columns: Floats = self(rows).numpy()
        return columns

    def _filled(self, rows: Tensor) -> Tensor:
        numbers = rows[:, self.numbers]
        return torch.where(torch.isnan(numbers), self.median, numbers)
