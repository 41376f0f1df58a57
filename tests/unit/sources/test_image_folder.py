from __future__ import annotations

import os
import sys
from pathlib import Path

import PIL.Image
import pydicom
import pydicom.uid
import pytest

from diascope.core.case import FileRef
from diascope.core.errors import BadUsage, DataRefused, UnknownName
from diascope.sources import Listing, SourceOptions, recognise
from diascope.sources.image_folder import SOURCE

DATA = Path(__file__).parents[4] / "shared" / "data"


def a_picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.new("L", (4, 4)).save(path)


def a_folder(root: Path, *names: str) -> Path:
    for name in names:
        if name.endswith(".npz"):
            (root / name).write_bytes(b"")
        else:
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


def calls_of_listing(folder: Path, count: int) -> int:
    """Calls of functions that listing a folder with so many files takes: the same on every machine."""
    for name in ("x", "y"):
        (folder / name).mkdir(parents=True)
        for index in range(count // 2):
            os.close(os.open(folder / name / f"{index:04d}.png", os.O_CREAT))
    rows = "".join(f"{name}/{index:04d}.png,{index // 2}\n" for name in ("x", "y") for index in range(count // 2))
    (folder / "index.csv").write_text("path,patient\n" + rows)
    seen = 0

    def count_it(frame: object, event: str, argument: object) -> None:
        nonlocal seen
        seen += event in ("call", "c_call")

    sys.setprofile(count_it)
    try:
        found = listed(folder)
    finally:
        sys.setprofile(None)
    assert len(found.cases) == count
    return seen


def test_listing_takes_as_long_for_each_file_of_many_as_of_few(tmp_path: Path) -> None:
    calls_of_listing(tmp_path / "warm", 10)
    few, many = calls_of_listing(tmp_path / "few", 200), calls_of_listing(tmp_path / "many", 2000)
    assert many < 11 * few


def test_a_folder_without_images_and_a_stray_picture_are_left_out_and_said(tmp_path: Path) -> None:
    root = a_folder(tmp_path, *(f"{part}/{label}/1.png" for part in ("train", "valid") for label in "xy"), "logo.png")
    (root / "docs").mkdir()
    (root / "docs" / "readme.txt").write_text("about")
    assert SOURCE.recognises(str(root)) == "one folder a class: x, y"
    listing = listed(root)
    assert [(case.id, case.split) for case in listing.cases] == [
        ("train/x/1", "train"),
        ("train/y/1", "train"),
        ("valid/x/1", "val"),
        ("valid/y/1", "val"),
    ]
    assert "no image lies in docs" in listing.notes
    assert "1 images in the root lie in no class folder, such as logo.png: left out" in listing.notes


@pytest.mark.parametrize(
    "names",
    [
        ("1.png", "2.png", "3.png", "4.png", "old/5.png", "new/6.png"),
        ("old/5.png", "new/6.png", "volume.npz"),
        ("us/1.png", "masks/1.png"),
        ("a/images/1.png", "b/images/2.png"),
    ],
    ids=["images in the root", "an archive in the root", "a folder of masks", "folders of images inside"],
)
def test_other_layouts_are_not_recognised(names: tuple[str, ...], tmp_path: Path) -> None:
    assert SOURCE.recognises(str(a_folder(tmp_path, *names))) is None


def test_a_folder_a_patient_inside_every_class_folder_is_the_patient(tmp_path: Path) -> None:
    root = a_folder(tmp_path, "ill/p1/1.png", "ill/p1/2.png", "ill/p2/1.png", "normal/p2/3.png", "normal/p3/1.png")
    assert SOURCE.recognises(str(root)) == "one folder a class: ill, normal"
    listing = listed(root)
    assert [(case.targets["label"], case.patient, case.patient_known) for case in listing.cases] == [
        ("ill", "p1", True),
        ("ill", "p1", True),
        ("ill", "p2", True),
        ("normal", "p2", True),
        ("normal", "p3", True),
    ]
    assert "patient: the folder inside the class folder, such as ill/p1; a name is a patient" in listing.notes


def test_inner_folders_that_come_again_in_every_outer_one_may_be_the_classes(tmp_path: Path) -> None:
    root = a_folder(tmp_path, *(f"{site}/{label}/1.png" for site in ("oslo", "rome") for label in ("ill", "normal")))
    with pytest.raises(DataRefused, match="may be the folders oslo, rome, or those inside them, ill, normal"):
        listed(root)


def test_classes_that_are_laid_out_in_two_ways_are_refused(tmp_path: Path) -> None:
    root = a_folder(tmp_path, "ill/1.png", "normal/2.png", "other/p1/3.png")
    with pytest.raises(DataRefused, match=r"in the class folder ill/, and in folders inside other/"):
        listed(root)


def portions(root: Path, table: str, column: str) -> Path:
    a_folder(root, *(f"HAM_part_{1 + index % 2}/ISIC_{index}.png" for index in range(8)))
    rows = "".join(f"ISIC_{index},{'mel' if index < 4 else 'nv'}\n" for index in range(8))
    (root / table).write_text(f"image_id,{column}\n{rows}")
    return root


def test_portions_beside_a_table_of_diagnoses_are_no_classes(tmp_path: Path) -> None:
    root = portions(tmp_path, "metadata.csv", "dx")
    with pytest.raises(BadUsage, match=r"folders or the column 'dx'.*HAM_part_1, HAM_part_2.*--target dx"):
        listed(root)
    assert listed(root, target="label").targets[0].name == "label"
    chosen = listed(root, target="dx")
    assert chosen.targets[0].name == "dx"
    assert [case.targets["dx"] for case in chosen.cases] == ["mel", "mel", "nv", "nv"] * 2


@pytest.mark.parametrize("column", ["dx", "label"])
def test_a_table_of_another_name_is_not_overlooked(column: str, tmp_path: Path) -> None:
    root = portions(tmp_path, "HAM10000_metadata.csv", column)
    (root / "pixels.csv").write_text(",".join(f"p{index}" for index in range(300)) + ",label\n")
    with pytest.raises(BadUsage, match=rf"the column '{column}' of HAM10000_metadata.csv.*Call the table metadata.csv"):
        listed(root)


def test_a_diagnosis_that_follows_from_the_folders_is_no_rival(tmp_path: Path) -> None:
    root = a_folder(tmp_path, *(f"ill/{name}.png" for name in "abc"), *(f"normal/{name}.png" for name in "de"))
    (root / "metadata.csv").write_text("file,diagnosis\na,virus\nb,fungus\nc,virus\nd,none\ne,none\n")
    assert [target.name for target in listed(root).targets] == ["label", "diagnosis"]


def a_dicom(path: Path, patient: str, study: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = pydicom.Dataset()
    data.SOPClassUID = pydicom.uid.DigitalXRayImageStorageForPresentation
    data.SOPInstanceUID, data.StudyInstanceUID, data.SeriesInstanceUID = f"{study}.1.1", study, f"{study}.1"
    data.PatientID, data.Modality, data.Rows, data.Columns = patient, "DX", 4, 4
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.PixelData = bytes(32)
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.save_as(path, enforce_file_format=True)


def a_slice(path: Path, study: str, height: int) -> None:
    a_dicom(path, "P1", study)
    data = pydicom.dcmread(path)
    data.SOPClassUID, data.Modality = pydicom.uid.CTImageStorage, "CT"
    data.SOPInstanceUID = f"{study}.1.{height}"
    data.ImagePositionPatient, data.ImageOrientationPatient = [0, 0, height], [1, 0, 0, 0, 1, 0]
    data.PixelSpacing, data.SliceThickness = [1, 1], 1
    data.save_as(path)


def test_dicom_files_in_class_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIASCOPE_PSEUDONYM_KEY", str(tmp_path / "key"))
    root = tmp_path / "films"
    a_dicom(root / "train" / "normal" / "a.dcm", "P1", "1.2.1")
    a_dicom(root / "train" / "ill" / "p2" / "b.dcm", "P2", "1.2.2")
    a_dicom(root / "test" / "ill" / "c.dcm", "P3", "1.2.3")
    with pytest.raises(BadUsage, match=r"one folder of DICOM files a class: ill, normal.*--source"):
        recognise(str(root))
    listing = listed(root)
    found = {str(ref.paths[0]): case for case in listing.cases if isinstance(ref := case.inputs["image"], FileRef)}
    assert {path: (case.targets["label"], case.split, case.patient_known) for path, case in found.items()} == {
        "train/normal/a.dcm": ("normal", "train", True),
        "train/ill/p2/b.dcm": ("ill", "train", True),
        "test/ill/c.dcm": ("ill", "test", True),
    }
    assert [(target.name, target.positive) for target in listing.targets] == [("label", "ill")]


def test_a_study_in_two_class_folders_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIASCOPE_PSEUDONYM_KEY", str(tmp_path / "key"))
    for number, label in enumerate(("normal", "ill")):
        for index in range(2):
            path = tmp_path / "films" / label / f"{index}.dcm"
            a_slice(path, "1.2.1", 2 * number + index)
    with pytest.raises(DataRefused, match=r"lie in several class folders.*ill, normal"):
        listed(tmp_path / "films")


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
