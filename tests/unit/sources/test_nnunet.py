from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diascope.core.case import FileRef, Label
from diascope.core.errors import DataRefused, UnreadableFile
from diascope.sources import Listing, SourceOptions
from diascope.sources.nnunet import SOURCE


def a_set(root: Path, files: list[str], **changes: Any) -> Path:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(b"")
    content = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "a": 1}, "file_ending": ".nii.gz"}
    (root / "dataset.json").write_text(json.dumps({**content, **changes}))
    return root


def listed(root: Path) -> Listing:
    return SOURCE.list(str(root), SourceOptions())


def test_channels_are_inputs_by_name(tmp_path: Path) -> None:
    files = ["imagesTr/x_y_0000.nii.gz", "imagesTr/x_y_0001.nii.gz", "labelsTr/x_y.nii.gz"]
    listing = listed(a_set(tmp_path, files, channel_names={"0": "T1", "1": "PET"}))
    (case,) = listing.cases
    assert case.id == "x_y"
    assert case.inputs == {
        "T1": FileRef(format="nifti", paths=("imagesTr/x_y_0000.nii.gz",), modality="mr"),
        "PET": FileRef(format="nifti", paths=("imagesTr/x_y_0001.nii.gz",), modality="pt"),
    }
    assert case.targets == {"mask": FileRef(format="nifti", paths=("labelsTr/x_y.nii.gz",))}


def test_regions_and_the_ignored_label(tmp_path: Path) -> None:
    labels = {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "enhancing": 3, "ignore": 4}
    files = ["imagesTr/x_0000.nii.gz", "labelsTr/x.nii.gz"]
    (target,) = listed(a_set(tmp_path, files, labels=labels, regions_class_order=[1, 2, 3])).targets
    assert target.labels == (
        Label(name="whole", value=1, members=(1, 2, 3)),
        Label(name="core", value=2, members=(2, 3)),
        Label(name="enhancing", value=3, members=(3,)),
    )
    assert target.ignore == 4


def test_regions_are_painted_in_the_order_of_the_file(tmp_path: Path) -> None:
    """KiTS: the tumor is inside the masses and has the smaller value. nnU-Net, Dataset220."""
    labels = {"background": 0, "kidney": [1, 2, 3], "masses": [2, 3], "tumor": 2}
    files = ["imagesTr/x_0000.nii.gz", "labelsTr/x.nii.gz"]
    (target,) = listed(a_set(tmp_path, files, labels=labels, regions_class_order=[1, 3, 2])).targets
    assert target.labels == (
        Label(name="kidney", value=1, members=(1, 2, 3)),
        Label(name="masses", value=3, members=(2, 3)),
        Label(name="tumor", value=2, members=(2,)),
    )
    truth = np.array([0, 1, 2, 3])
    painted = np.zeros_like(truth)
    for label in target.labels:
        painted[np.isin(truth, label.members)] = label.value
    assert painted.tolist() == truth.tolist()


def test_plain_labels_are_in_the_order_of_their_values(tmp_path: Path) -> None:
    labels = {"background": 0, "b": 2, "a": 1}
    (target,) = listed(a_set(tmp_path, ["imagesTr/x_0000.nii.gz", "labelsTr/x.nii.gz"], labels=labels)).targets
    assert target.labels == (Label(name="a", value=1), Label(name="b", value=2))


@pytest.mark.parametrize(
    ("labels", "order", "message"),
    [
        ({"tumor": 2, "kidney": [1, 2]}, [2, 1], "'tumor' is painted before 'kidney', which covers it"),
        ({"kidney": [1, 2], "tumor": 2}, [3, 2], "'kidney' is painted as 3, which is none of its values"),
        ({"kidney": [1, 2], "tumor": 2}, [2, 2], "'kidney' and 'tumor' are both painted as 2"),
    ],
)
def test_regions_that_would_be_lost_are_refused(
    labels: dict[str, Any], order: list[int], message: str, tmp_path: Path
) -> None:
    files = ["imagesTr/x_0000.nii.gz", "labelsTr/x.nii.gz"]
    with pytest.raises(UnreadableFile, match=message):
        listed(a_set(tmp_path, files, labels={"background": 0, **labels}, regions_class_order=order))


def test_regions_need_their_order(tmp_path: Path) -> None:
    files = ["imagesTr/x_0000.nii.gz", "labelsTr/x.nii.gz"]
    with pytest.raises(UnreadableFile, match=r"regions_class_order.*whole, core"):
        listed(a_set(tmp_path, files, labels={"background": 0, "whole": [1, 2], "core": 2}))


def test_version_1_is_told_from_the_decathlon_by_its_files(tmp_path: Path) -> None:
    root = a_set(tmp_path, ["imagesTr/x_0000.nii.gz", "labelsTr/x.nii.gz"])
    content = {
        "modality": {"0": "MRI"},
        "labels": {"0": "background", "1": "a"},
        "training": [{"image": "./imagesTr/x.nii.gz", "label": "./labelsTr/x.nii.gz"}],
    }
    (root / "dataset.json").write_text(json.dumps(content))
    assert SOURCE.recognises(str(root)) == "dataset.json of nnU-Net, version 1"
    assert listed(root).cases[0].inputs["image"] == FileRef(
        format="nifti", paths=("imagesTr/x_0000.nii.gz",), modality="mr"
    )


def test_a_colour_picture_is_one_input(tmp_path: Path) -> None:
    names = {"0": "R", "1": "G", "2": "B"}
    files = ["imagesTr/x_0000.png", "labelsTr/x.png"]
    (case,) = listed(a_set(tmp_path, files, channel_names=names, file_ending=".png")).cases
    assert case.inputs == {"image": FileRef(format="picture", paths=("imagesTr/x_0000.png",))}


def test_labelled_test_cases_are_the_test_part(tmp_path: Path) -> None:
    files = ["imagesTr/x_0000.nii.gz", "labelsTr/x.nii.gz", "imagesTs/y_0000.nii.gz"]
    listing = listed(a_set(tmp_path, files))
    assert [(case.id, case.split) for case in listing.cases] == [("x", None)]
    assert "1 cases of imagesTs have no labels: left out" in listing.notes
    listing = listed(a_set(tmp_path, [*files, "labelsTs/y.nii.gz"]))
    assert [(case.id, case.split) for case in listing.cases] == [("x", "train"), ("y", "test")]


def test_a_missing_label_keeps_the_case_and_a_missing_channel_is_refused(tmp_path: Path) -> None:
    files = ["imagesTr/x_0000.nii.gz", "imagesTr/y_0000.nii.gz", "labelsTr/x.nii.gz"]
    listing = listed(a_set(tmp_path, files))
    assert [case.targets["mask"] is None for case in listing.cases] == [False, True]
    assert "1 cases of imagesTr have no file in labelsTr, such as y" in listing.notes
    with pytest.raises(DataRefused, match=r"x has 1 channel files.*missing: 0001 \(T2\)"):
        listed(a_set(tmp_path, files, channel_names={"0": "T1", "1": "T2"}))


def test_files_may_be_listed(tmp_path: Path) -> None:
    dataset = {"case1": {"images": ["a.nii.gz", "b.nii.gz"], "label": "c.nii.gz"}}
    root = a_set(tmp_path, [], dataset=dataset, channel_names={"0": "T1", "1": "T2"})
    (case,) = listed(root).cases
    assert [ref.paths for ref in case.inputs.values() if isinstance(ref, FileRef)] == [("a.nii.gz",), ("b.nii.gz",)]
    assert case.targets["mask"] == FileRef(format="nifti", paths=("c.nii.gz",))
