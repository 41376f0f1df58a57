from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from diascope import sources
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


def three_columns(folder: Path, most: int = 1) -> Path:
    np.savez(folder / "x.npz", train_images=np.zeros((2, 4, 4)), train_labels=np.array([[0, 1, most], [1, 0, 1]]))
    return folder


def test_several_columns_of_0_and_1_are_labels_that_are_learnt_together(tmp_path: Path) -> None:
    listing = listed(three_columns(tmp_path))
    assert listing.cases[0].targets == {"label_0": 0, "label_1": 1, "label_2": 1}
    (target,) = listing.targets
    assert (target.kind, target.columns) == ("labels", ("label_0", "label_1", "label_2"))
    assert [(label.name, label.value) for label in target.labels] == [("label_0", 0), ("label_1", 1), ("label_2", 2)]


def test_some_of_several_columns_may_be_chosen_in_any_order_or_one_alone(tmp_path: Path) -> None:
    some = SOURCE.list(str(three_columns(tmp_path)), SourceOptions(target="label_2,label_0"))
    assert (some.targets[0].columns, some.cases[0].targets) == (("label_2", "label_0"), {"label_2": 1, "label_0": 0})
    alone = SOURCE.list(str(tmp_path), SourceOptions(target="label_1"))
    assert alone.cases[0].targets == {"label_0": "0", "label_1": "1", "label_2": "1"}
    assert [(target.name, target.kind) for target in alone.targets][:2] == [
        ("label_1", "category"),
        ("label_0", "category"),
    ]


def test_several_columns_of_classes_are_several_targets(tmp_path: Path) -> None:
    listing = listed(three_columns(tmp_path, most=2))
    assert [(target.name, target.kind) for target in listing.targets] == [
        (f"label_{number}", "category") for number in range(3)
    ]
    with pytest.raises(DataRefused, match="0 and 1 alone"):
        SOURCE.list(str(tmp_path), SourceOptions(target="label_2,label_0"))
    assert SOURCE.list(str(tmp_path), SourceOptions(target="label_1,label_0")).targets[0].kind == "labels"


@pytest.mark.parametrize("content", ['{"0": "normal", "1": "pneumonia"}', '{"pneumonia": 1, "normal": 0}'])
def test_labels_json_beside_it_names_the_classes(content: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", train_images=np.zeros((3, 4, 4)), train_labels=np.array([[1], [0], [1]]))
    (tmp_path / "labels.json").write_text(content)
    listing = listed(tmp_path)
    assert [case.targets["label"] for case in listing.cases] == ["pneumonia", "normal", "pneumonia"]
    assert listing.targets[0].positive == "pneumonia"
    assert "classes are named by labels.json" in listing.notes[0]


@pytest.mark.parametrize(
    ("names", "finding"),
    [(("malignant", "normal or benign"), "malignant"), (("vessel", "aneurysm"), None), (("x", "no finding"), "x")],
)
def test_named_classes_keep_the_order_of_their_numbers(
    names: tuple[str, str], finding: str | None, tmp_path: Path
) -> None:
    np.savez(tmp_path / "x.npz", train_images=np.zeros((2, 4, 4)), train_labels=np.array([[0], [1]]))
    (tmp_path / "labels.json").write_text(json.dumps(dict(enumerate(names))))
    (target,) = listed(tmp_path).targets
    assert tuple(label.name for label in target.labels) == names
    assert target.positive == finding


def test_labels_json_names_several_columns(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", train_images=np.zeros((2, 4, 4)), train_labels=np.array([[0, 1], [1, 0]]))
    (tmp_path / "labels.json").write_text('{"0": "mass", "1": "nodule"}')
    assert listed(tmp_path).cases[0].targets == {"mass": 0, "nodule": 1}


@pytest.mark.parametrize(
    ("labels", "content", "message"),
    [
        ([[0], [2]], '{"0": "a", "1": "b"}', "holds the labels 2, which labels.json beside it does not name"),
        ([[0, 1], [1, 0]], '{"0": "a"}', "2 columns of labels, and labels.json beside it names others"),
        ([[0], [1]], '{"a": 0, "b": 0}', "one number has two names, or"),
        ([[0], [1]], '{"0": "a", "1": "a"}', "one name two numbers"),
        ([[0], [1]], "[1]", "not an object of names"),
    ],
)
def test_labels_json_that_does_not_fit_is_refused(
    labels: list[list[int]], content: str, message: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "x.npz", train_images=np.zeros((2, 4, 4)), train_labels=np.array(labels))
    (tmp_path / "labels.json").write_text(content)
    with pytest.raises(DataRefused, match=message):
        listed(tmp_path)


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


def a_set(path: Path) -> Path:
    np.savez_compressed(path, train_images=np.ones((9, 8, 8), np.uint8), train_labels=np.arange(9)[:, None])
    return path


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_a_part_of_length_0_is_absent(part: str, tmp_path: Path) -> None:
    empty = {f"{part}_images": np.zeros((0, 28, 28), np.uint8), f"{part}_labels": np.zeros((0, 1), np.uint8)}
    other = "test" if part == "train" else "train"
    full = {f"{other}_images": np.zeros((2, 28, 28), np.uint8), f"{other}_labels": np.array([[0], [1]])}
    np.savez(tmp_path / "x.npz", **empty, **full)
    listing = listed(tmp_path / "x.npz")
    assert [case.split for case in listing.cases] == [other, other]
    assert f"{part} (0, 28, 28)" in listing.notes[0]
    np.savez(tmp_path / "x.npz", **empty)
    with pytest.raises(DataRefused, match=r"holds no pictures.*_images \(0, 28, 28\)"):
        listed(tmp_path / "x.npz")


@pytest.mark.parametrize("content", [b"PK nothing", b"", None])
def test_a_broken_archive_is_claimed_and_refused_with_the_reason(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    whole = a_set(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    for location in (path, tmp_path):
        assert sources.recognise(str(location)) == "medmnist"
    with pytest.raises(UnreadableFile, match=r"no \.npz archive, or a broken one \(.+\)"):
        listed(path)


def test_broken_labels_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, train_images=np.ones((9000, 1, 1), np.uint8), train_labels=np.full((9000, 1), 77, np.uint8))
    path.write_bytes(path.read_bytes().replace(b"M" * 9000, b"M" * 8999 + b"N"))
    with pytest.raises(UnreadableFile, match="train_labels: Bad CRC-32"):
        listed(path)


def test_an_archive_of_other_arrays_is_told_what_it_needs(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", images=np.zeros((2, 4, 4)), labels=np.array([0, 1]))
    assert sources.recognise(str(tmp_path / "x.npz")) == "medmnist"
    with pytest.raises(DataRefused, match=r"holds images \(2, 4, 4\), labels \(2,\); needs train_images or val_images"):
        listed(tmp_path / "x.npz")


@pytest.mark.parametrize("name", ["manifest.csv", "metadata.csv", "scan.nii.gz", "0001"])
def test_an_archive_beside_what_may_say_what_it_is_is_left_to_others(name: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", volume=np.zeros((4, 8, 8)))
    (tmp_path / "README.md").write_text("one case")
    assert SOURCE.recognises(str(tmp_path)) is not None
    (tmp_path / name).write_text("image,label\nx.npz,1\n")
    assert SOURCE.recognises(str(tmp_path)) is None
    a_set(tmp_path / "x.npz")
    assert SOURCE.recognises(str(tmp_path)) is not None


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
def test_real_pneumoniamnist() -> None:
    listing = listed(DATA / "pneumoniamnist")
    assert [sum(case.split == part for case in listing.cases) for part in ("train", "val", "test")] == [4708, 524, 0]
