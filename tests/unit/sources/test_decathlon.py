from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from diascope.core.case import FileRef
from diascope.core.errors import DataRefused, UnreadableFile
from diascope.sources import Listing, SourceOptions
from diascope.sources.decathlon import SOURCE

DATA = Path(__file__).parents[4] / "shared" / "data"


def a_task(root: Path, names: str = "ab", **changes: Any) -> Path:
    listed = [{"image": f"./imagesTr/{n}.nii.gz", "label": f"./labelsTr/{n}.nii.gz"} for n in names]
    content = {"modality": {"0": "CT"}, "labels": {"0": "background", "2": "b", "1": "a"}, "training": listed}
    (root / "dataset.json").write_text(json.dumps({**content, **changes}))
    return root


def listed(root: Path) -> Listing:
    return SOURCE.list(str(root), SourceOptions())


def test_one_channel_is_the_image(tmp_path: Path) -> None:
    listing = listed(a_task(tmp_path))
    assert listing.cases[1].inputs == {"image": FileRef(format="nifti", paths=("imagesTr/b.nii.gz",), modality="ct")}
    assert listing.cases[1].targets == {"mask": FileRef(format="nifti", paths=("labelsTr/b.nii.gz",))}
    assert [(label.name, label.value) for label in listing.targets[0].labels] == [("a", 1), ("b", 2)]


@pytest.mark.parametrize("spelling", ["licence", "license"])
def test_the_licence_is_taken_from_the_file(tmp_path: Path, spelling: str) -> None:
    assert listed(a_task(tmp_path, **{spelling: "CC-BY-SA 4.0"})).licence == "CC-BY-SA 4.0, stated in dataset.json"
    assert listed(a_task(tmp_path)).licence == ""


def test_several_channels_are_several_inputs_of_one_file(tmp_path: Path) -> None:
    case = listed(a_task(tmp_path, modality={"1": "T1w", "0": "FLAIR", "10": "t1gd", "2": "T2w"})).cases[0]
    assert [(name, ref.item, ref.modality) for name, ref in case.inputs.items() if isinstance(ref, FileRef)] == [
        ("FLAIR", "channel:0", "mr"),
        ("T1w", "channel:1", "mr"),
        ("T2w", "channel:2", "mr"),
        ("t1gd", "channel:3", "mr"),
    ]


def test_channels_of_one_name_are_told_apart_and_keep_their_modality(tmp_path: Path) -> None:
    case = listed(a_task(tmp_path, modality={"0": "CT", "1": "CT", "2": "T1"})).cases[0]
    assert [(name, ref.modality) for name, ref in case.inputs.items() if isinstance(ref, FileRef)] == [
        ("CT 1", "ct"),
        ("CT 2", "ct"),
        ("T1", "mr"),
    ]


def test_test_images_without_labels_are_left_out_and_said(tmp_path: Path) -> None:
    listing = listed(a_task(tmp_path, test=["./imagesTs/c.nii.gz"]))
    assert "1 test images have no labels: left out" in listing.notes
    assert {case.split for case in listing.cases} == {None}


def test_a_table_beside_gives_patients(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_text("case,patient\na,P1\nb,P1\n")
    assert {case.patient for case in listed(a_task(tmp_path)).cases} == {"P1"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"modality": None}, "no channels"),
        ({"labels": {"0": "background"}}, "every label is background"),
        ({"labels": None}, "no labels"),
        ({"training": []}, "no cases"),
        ({"training": [{"image": "a"}]}, "no pair of image and label"),
        ({"training": [{"image": "../a.nii.gz", "label": "b.nii.gz"}]}, "leads out of the folder"),
    ],
)
def test_a_broken_declaration_is_recognised_and_refused_with_the_reason(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    root = a_task(tmp_path, **changes)
    assert SOURCE.recognises(str(root))
    with pytest.raises(UnreadableFile, match=message):
        listed(root)


def test_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text("{")
    assert "broken" in (SOURCE.recognises(str(tmp_path)) or "")
    with pytest.raises(UnreadableFile, match="no JSON"):
        listed(tmp_path)


def test_one_name_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match=r"two cases of dataset\.json have one name"):
        listed(a_task(tmp_path, "aa"))


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
def test_real_hippocampus() -> None:
    listing = listed(DATA / "hippocampus")
    assert len(listing.cases) == 200
    assert [(label.name, label.value) for label in listing.targets[0].labels] == [("Anterior", 1), ("Posterior", 2)]
