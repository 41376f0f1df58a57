"""Names that mean train, validation and test, and folders that are called so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

from diascope.core.case import Split
from diascope.core.errors import DataRefused
from diascope.sources.folders.files import contents, holds_images

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


def parts_of(root: Path, holds: Callable[[Path], bool] = holds_images) -> list[tuple[Split | None, str]]:
    """Split and prefix of each part of a data set: its folders of splits, else the root without a split.

    Args:
        root: The folder.
        holds: Whether a folder holds data at any depth. A folder beside the splits that does not (`docs/`) is no part.
    """
    folders = contents(root)[0]
    parts = [(split, f"{name}/") for name in folders if (split := split_of(name)) is not None]
    others = [name for name in folders if split_of(name) is None]
    if parts and not any(holds(root / name) for name in others):
        return list(parts)
    return [(None, "")]
