"""CSV manifests of real sets with a fixed test part: for benchmarks that train on a share of the labels, or compare."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
VALIDATION = 5
"""Every fifth labelled case validates."""


@dataclass(frozen=True)
class Known:
    """One case: files, label, and whether it is for testing only."""

    name: str
    image: str
    label: str
    test: bool


@dataclass(frozen=True)
class RealSet:
    """A set that two benchmarks know.

    Args:
        cases: All of them.
        column: What the label is called in a manifest: `mask` or `label`.
        names: Names of the values of a mask; empty for classes.
        metric: That is compared.
        data: Folder whose hash a row keeps.
    """

    cases: tuple[Known, ...]
    column: str
    names: dict[str, int]
    metric: str
    data: Path


def hippocampus(data: Path = SHARED / "hippocampus") -> RealSet:
    """200 volumes; every fifth in sorted order is for testing, as in `hippocampus.py`."""
    names = sorted(path.name for path in (data / "imagesTr").glob("hippocampus_*.nii.gz"))
    cases = tuple(
        Known(name.removesuffix(".nii.gz"), str(data / "imagesTr" / name), str(data / "labelsTr" / name), n % 5 == 0)
        for n, name in enumerate(names)
    )
    return RealSet(cases, "mask", {"anterior": 1, "posterior": 2}, "dice", data)


def films(folder: Path, data: Path = SHARED / "pneumoniamnist") -> RealSet:
    """5,232 films of 28 x 28 as pictures; the validation part of the file is for testing.

    Args:
        folder: The pictures are written there.
        data: Folder of the npz file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cases = []
    with np.load(next(iter(sorted(data.glob("*.npz")))), allow_pickle=False) as arrays:
        for part in ("train", "val"):
            for number, (image, label) in enumerate(
                zip(arrays[f"{part}_images"], arrays[f"{part}_labels"], strict=True)
            ):
                path = folder / f"{part}-{number}.png"
                if not path.exists():
                    Image.fromarray(image).save(path)
                kind = "pneumonia" if int(label.ravel()[0]) else "normal"
                cases.append(Known(path.stem, str(path), kind, part == "val"))
    return RealSet(tuple(cases), "label", {}, "auroc", data)


def chosen(real: RealSet, share: float, seed: int) -> tuple[list[Known], list[Known]]:
    """Cases whose labels may be used, a share of those that are not for testing; and the others of them."""
    inside = [case for case in real.cases if not case.test]
    order = np.random.default_rng(seed).permutation(len(inside))
    count = max(4, round(share * len(inside)))
    picked = {int(number) for number in order[:count]}
    return (
        [case for number, case in enumerate(inside) if number in picked],
        [case for number, case in enumerate(inside) if number not in picked],
    )


def labelled(real: RealSet, cases: Sequence[Known], folder: Path) -> Path:
    """A manifest of labelled cases, some of which validate, and of all cases for testing."""
    rows = [[c.name, c.image, c.label, c.name, "val" if n % VALIDATION == 0 else "train"] for n, c in enumerate(cases)]
    rows += [[c.name, c.image, c.label, c.name, "test"] for c in real.cases if c.test]
    return _written(real, ["case", "image", real.column, "patient", "split"], rows, folder)


def unlabelled(real: RealSet, cases: Sequence[Known], folder: Path) -> Path:
    """A manifest of images alone."""
    rows = [[c.name, c.image, c.name, "val" if n % 20 == 0 else "train"] for n, c in enumerate(cases)]
    return _written(real, ["case", "image", "patient", "split"], rows, folder)


def _written(real: RealSet, columns: list[str], rows: list[list[str]], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    if real.names:
        (folder / "labels.json").write_text(json.dumps(real.names))
    path = folder / "manifest.csv"
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([columns, *rows])
    return path
