from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from diascope.core.case import FileRef
from diascope.core.errors import DataRefused, UnreadableFile
from diascope.sources import Listing, SourceOptions
from diascope.sources.medmnist import SOURCE

DATA = Path(__file__).parents[4] / "shared" / "data"


def listed(path: Path) -> Listing:
    return SOURCE.list(str(path), SourceOptions())


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 3), (8, 8, 8)])
@pytest.mark.parametrize("parts", [("train", "val", "test"), ("train", "val"), ("test",)])
def test_any_part_may_be_absent(shape: tuple[int, ...], parts: tuple[str, ...], tmp_path: Path) -> None:
    arrays = {}
    for part in parts:
        arrays[f"{part}_images"] = np.zeros((12, *shape), np.uint8)
        arrays[f"{part}_labels"] = np.arange(12)[:, None]
    np.savez_compressed(tmp_path / "x.npz", **arrays)
    listing = listed(tmp_path / "x.npz")
    assert [case.split for case in listing.cases] == [part for part in parts for _ in range(12)]
    last = listing.cases[-1]
    assert last.inputs["image"] == FileRef(format="npz", paths=("x.npz",), item=f"{parts[-1]}_images:11")
    assert last.targets == {"label": "11"}
    assert [label.name for label in listing.targets[0].labels] == [str(number) for number in range(12)]


def test_several_label_columns_are_several_targets(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", train_images=np.zeros((2, 4, 4)), train_labels=np.array([[0, 1, 1], [1, 0, 1]]))
    listing = listed(tmp_path)
    assert listing.cases[0].targets == {"label_0": "0", "label_1": "1", "label_2": "1"}
    assert [(target.name, target.positive) for target in listing.targets[:2]] == [("label_0", "1"), ("label_1", "1")]


def test_a_part_without_labels_keeps_its_cases(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "x.npz",
        train_images=np.zeros((2, 4, 4)),
        train_labels=np.array([0, 1]),
        test_images=np.zeros((1, 4, 4)),
    )
    assert [case.targets["label"] for case in listed(tmp_path).cases] == ["0", "1", None]


def test_labels_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", train_images=np.zeros((3, 4, 4)), train_labels=np.array([[0], [1]]))
    with pytest.raises(DataRefused, match=r"train has 3 pictures, and labels of the shape \(2, 1\)"):
        listed(tmp_path)


def test_pickled_labels_are_refused(tmp_path: Path) -> None:
    labels = np.array([["a"], ["b"]], dtype=object)
    np.savez(tmp_path / "x.npz", train_images=np.zeros((2, 4, 4)), train_labels=labels)
    with pytest.raises(UnreadableFile, match="train_labels"):
        listed(tmp_path)


def test_a_broken_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"PK nothing")
    assert SOURCE.recognises(str(tmp_path)) is None
    with pytest.raises(UnreadableFile, match=r"no \.npz archive"):
        listed(tmp_path / "x.npz")


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
def test_real_pneumoniamnist() -> None:
    listing = listed(DATA / "pneumoniamnist")
    assert [sum(case.split == part for case in listing.cases) for part in ("train", "val", "test")] == [4708, 524, 0]
