from __future__ import annotations

import os
import time
from pathlib import Path

import PIL.Image
import pytest

from diascope.core.errors import DataRefused, UnknownName
from diascope.sources import Listing, SourceOptions
from diascope.sources.image_folder import SOURCE

DATA = Path(__file__).parents[4] / "shared" / "data"


def a_picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.new("L", (4, 4)).save(path)


def a_folder(root: Path, *names: str) -> Path:
    for name in names:
        a_picture(root / name)
    return root


def listed(root: Path, **options: str) -> Listing:
    return SOURCE.list(str(root), SourceOptions(**options))


def test_folders_are_classes_and_the_finding_is_positive(tmp_path: Path) -> None:
    root = a_folder(tmp_path, "NORMAL/a.png", "PNEUMONIA/b.jpg")
    listing = listed(root)
    assert [(case.id, case.targets, case.patient_known) for case in listing.cases] == [
        ("NORMAL/a", {"label": "NORMAL"}, False),
        ("PNEUMONIA/b", {"label": "PNEUMONIA"}, False),
    ]
    (target,) = listing.targets
    assert [(label.name, label.value) for label in target.labels] == [("NORMAL", 0), ("PNEUMONIA", 1)]
    assert target.positive == "PNEUMONIA"
    assert "every case counts as its own patient" in " ".join(listing.notes)


def test_given_splits_are_kept_and_val_stays_val(tmp_path: Path) -> None:
    root = a_folder(tmp_path, "training/x/1.png", "training/y/2.png", "valid/x/3.png", "test/y/4.png")
    assert {case.id: case.split for case in listed(root).cases} == {
        "training/x/1": "train",
        "training/y/2": "train",
        "valid/x/3": "val",
        "test/y/4": "test",
    }


def test_without_split_folders_there_is_no_split(tmp_path: Path) -> None:
    assert {case.split for case in listed(a_folder(tmp_path, "x/1.png", "y/2.png")).cases} == {None}


def test_the_table_gives_patient_site_covariates_and_further_targets(tmp_path: Path) -> None:
    root = a_folder(tmp_path, *(f"ill/{name}.png" for name in "abcd"), *(f"well/{name}.png" for name in "efgh"))
    rows = "".join(
        f"{'ill' if name < 'e' else 'well'}/{name}.png,p{index // 2},{'viral' if name < 'c' else 'other'},{30 + index},"
        f"Rome,Jane Doe {name}\n"
        for index, name in enumerate("abcdefgh")
    )
    (root / "index.csv").write_text("path,Patient ID,cause,age,hospital,name\n" + rows)
    listing = listed(root)
    case = listing.cases[2]
    assert (case.id, case.patient, case.patient_known, case.site) == ("ill/c", "p1", True, "Rome")
    assert case.covariates == {"age": 32, "cause": "other"}
    assert case.targets == {"label": "ill", "cause": "other"}
    assert [target.name for target in listing.targets] == ["label", "cause"]
    assert "patient: column 'Patient ID', by its name" in listing.notes
    assert "not copied, because they say who the patient is: name" in listing.notes
    assert [target.name for target in listed(root, target="cause").targets] == ["cause", "label"]
    assert {one.patient for one in listed(root, patient="hospital").cases} == {"Rome"}


def test_a_column_that_repeats_the_target_is_no_covariate_but_a_scanner_always_is(tmp_path: Path) -> None:
    root = a_folder(tmp_path, "ill/a.png", "ill/b.png", "ill/c.png", "well/d.png", "well/e.png")
    rows = "a,virus,A\nb,bacteria,A\nc,virus,A\nd,none,B\ne,none,B\n"
    (root / "metadata.csv").write_text("file,subtype,scanner\n" + rows)
    listing = listed(root)
    assert listing.cases[0].covariates == {"scanner": "A"}
    assert [target.name for target in listing.targets] == ["label", "subtype"]


def test_a_table_that_contradicts_the_folders_is_refused(tmp_path: Path) -> None:
    root = a_folder(tmp_path, "x/1.png", "y/2.png")
    (root / "index.csv").write_text("path,label\nx/1.png,y\ny/2.png,y\n")
    with pytest.raises(DataRefused, match=r"x/1 lies in the folder 'x', and the table calls it 'y'"):
        listed(root)


def test_a_table_that_says_the_folders_in_other_words_is_no_contradiction(tmp_path: Path) -> None:
    root = a_folder(tmp_path, "normal/1.png", "normal/2.png", "ill/3.png", "ill/4.png")
    (root / "index.csv").write_text("path,label\nnormal/1.png,0\nnormal/2.png,0.0\nill/3.png,1\n")
    listing = listed(root)
    assert [case.targets["label"] for case in listing.cases] == ["ill", "ill", "normal", "normal"]
    assert "the column 'label' says the folders in other words, one to one: 1 is ill, 0 is normal" in listing.notes
    assert not any(case.covariates for case in listing.cases)


@pytest.mark.parametrize(
    "cells",
    [("0", "1", "1"), ("0", "0", "0"), ("ill", "ill", "normal")],
    ids=["two words for a folder", "one word for two", "each other's names"],
)
def test_other_words_that_are_not_one_to_one_are_refused(cells: tuple[str, ...], tmp_path: Path) -> None:
    root = a_folder(tmp_path, "normal/1.png", "normal/2.png", "ill/3.png")
    rows = "".join(f"{name},{cell}\n" for name, cell in zip("123", cells, strict=True))
    (root / "index.csv").write_text("stem,label\n" + rows)
    with pytest.raises(DataRefused, match=r"lies in the folder '.*', and the table calls it"):
        listed(root)


def test_a_test_part_alone_is_listed_and_said(tmp_path: Path) -> None:
    listing = listed(a_folder(tmp_path, "test/x/1.png", "test/y/2.png"))
    assert {case.split for case in listing.cases} == {"test"}
    assert (
        "all cases are given as test: a model can be evaluated on them (diascope evaluate), not trained"
        in listing.notes
    )


def test_a_split_column_that_contradicts_the_folders_is_refused(tmp_path: Path) -> None:
    root = a_folder(tmp_path, "train/x/1.png", "train/y/2.png")
    (root / "index.csv").write_text("path,split\ntrain/x/1.png,test\n")
    with pytest.raises(DataRefused, match="lies in the train part, and the table says test"):
        listed(root)


def test_a_missing_label_keeps_the_case(tmp_path: Path) -> None:
    root = a_folder(tmp_path, *(f"x/{name}.png" for name in "abc"), *(f"y/{name}.png" for name in "def"))
    (root / "index.csv").write_text("stem,grade\na,1\nb,2\nd,1\ne,2.0\n")
    listing = listed(root, target="grade")
    assert [case.targets["grade"] for case in listing.cases] == ["1", "2", None, "1", "2", None]
    assert "2 of 6 images have no row in index.csv" in listing.notes


def test_masks_beside_the_images_are_left_out_and_said(tmp_path: Path) -> None:
    root = a_folder(tmp_path, "x/1.png", "x/1_mask.png", "x/1_mask_1.png", "y/2.png", "y/face_mask.png")
    listing = listed(root)
    assert [case.id for case in listing.cases] == ["x/1", "y/2", "y/face_mask"]
    assert any(note.startswith("2 mask files") for note in listing.notes)


def test_mixed_kinds_are_refused_with_counts(tmp_path: Path) -> None:
    root = a_folder(tmp_path, "x/1.png", "y/2.png")
    (root / "x" / "3.nii.gz").write_bytes(b"")
    with pytest.raises(DataRefused, match="2 pictures, 1 nifti"):
        listed(root)


def test_two_files_of_one_stem_stay_two_cases(tmp_path: Path) -> None:
    root = a_folder(tmp_path, "x/1.png", "x/1.jpg", "y/2.png")
    assert [case.id for case in listed(root).cases] == ["x/1.jpg", "x/1.png", "y/2"]


def test_a_column_that_does_not_exist_names_those_that_do(tmp_path: Path) -> None:
    root = a_folder(tmp_path, "x/1.png", "y/2.png")
    (root / "index.csv").write_text("path,colour\nx/1.png,red\ny/2.png,blue\n")
    with pytest.raises(UnknownName, match=r"no target column named 'color'; there are: colour, label.*'colour'"):
        listed(root, target="color")


def test_five_thousand_files_are_listed_in_a_second(tmp_path: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        for index in range(2500):
            os.close(os.open(tmp_path / name / f"{index:04d}.png", os.O_CREAT))
    rows = "".join(f"{name}/{index:04d}.png,{index // 2}\n" for name in ("x", "y") for index in range(2500))
    (tmp_path / "index.csv").write_text("path,patient\n" + rows)
    listed(a_folder(tmp_path / "warm", "x/1.png", "y/1.png"))
    for path in (tmp_path / "warm").rglob("*.png"):
        path.unlink()
    start = time.process_time()
    assert len(listed(tmp_path).cases) == 5000
    assert time.process_time() - start < 1.0


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
def test_real_chest_films() -> None:
    listing = listed(DATA / "chest-xray-pneumonia")
    assert len(listing.cases) == 5232
    assert len({case.patient for case in listing.cases}) == 3669
    assert {case.split for case in listing.cases} == {"train"}
    assert [target.name for target in listing.targets] == ["label", "subtype"]
    assert "patient: column 'patient_key', by its name" in listing.notes


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
def test_real_breast_ultrasound() -> None:
    listing = listed(DATA / "breast-ultrasound")
    counts = {label.name: 0 for label in listing.targets[0].labels}
    for case in listing.cases:
        counts[str(case.targets["label"])] += 1
    assert counts == {"benign": 437, "malignant": 210, "normal": 133}
    assert not any(case.patient_known for case in listing.cases)
