"""Names that mean train, validation and test."""

from __future__ import annotations

from types import MappingProxyType

from diascope.core.case import Split
from diascope.core.errors import DataRefused

SPLIT_NAMES: MappingProxyType[Split, tuple[str, ...]] = MappingProxyType(
    {
        "train": ("train", "training", "tr", "train_set", "trainset", "training_set"),
        "val": ("val", "valid", "validation", "dev", "val_set", "valset", "validation_set", "tuning"),
        "test": ("test", "testing", "ts", "te", "test_set", "testset", "holdout", "held_out"),
    }
)
"""Folder names and cell values, compared in lower case with `-` and blanks as `_`."""


def split_of(name: str) -> Split | None:
    """The part of a data set that a name stands for, None where it is no such name."""
    plain = name.strip().lower().replace("-", "_").replace(" ", "_")
    return next((split for split, names in SPLIT_NAMES.items() if plain in names), None)


def split_of_cell(value: str, column: str) -> Split:
    """The part that a cell of a split column names.

    Raises:
        DataRefused: When it is no known name.
    """
    split = split_of(value)
    if split is None:
        raise DataRefused(
            f"the column {column!r} holds the split, and {value!r} is none",
            todo="Write train, val or test, or rename the column",
        )
    return split
