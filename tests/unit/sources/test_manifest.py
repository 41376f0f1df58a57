from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from diascope.core.case import FileRef
from diascope.core.errors import DataRefused
from diascope.sources import Listing, SourceOptions
from diascope.sources.manifest import SOURCE

DATA = Path(__file__).parents[4] / "shared" / "data"


def a_manifest(root: Path, text: str, values: tuple[int, ...] = (255,)) -> Path:
    for name in ("a.tif", "b.tif", "a.gif", "b.gif"):
        array = np.zeros((8, 8), np.uint8)
        if name.endswith("gif"):
            array[0, : len(values)] = values
        PIL.Image.fromarray(array).save(root / name)
    path = root / "list.csv"
    path.write_text(text)
    return path


def listed(path: Path, **options: str) -> Listing:
    return SOURCE.list(str(path), SourceOptions(**options))


def test_images_masks_and_roles(tmp_path: Path) -> None:
    text = "image,mask,mask:fov,patient,split,site,age\na.tif,a.gif,b.gif,1,train,X,50\nb.tif,,b.gif,2,validation,Y,\n"
    listing = listed(a_manifest(tmp_path, text))
    first, second = listing.cases
    assert first.inputs == {"image": FileRef(format="picture", paths=("a.tif",))}
    assert first.targets == {
        "mask": FileRef(format="picture", paths=("a.gif",)),
        "fov": FileRef(format="picture", paths=("b.gif",)),
    }
    assert (second.targets["mask"], second.patient, second.split, second.site) == (None, "2", "val", "Y")
    assert second.covariates == {"age": None}
    assert [(one.name, one.kind, one.labels[0].name, one.labels[0].value) for one in listing.targets] == [
        ("mask", "mask", "mask", 255),
        ("fov", "mask", "fov", 255),
    ]


def test_further_images_are_named(tmp_path: Path) -> None:
    listing = listed(a_manifest(tmp_path, "image:ct,image:pet,label\na.tif,b.tif,x\nb.tif,,y\n"))
    assert [sorted(case.inputs) for case in listing.cases] == [["ct", "pet"], ["ct"]]


def test_a_folder_with_a_manifest_and_a_dicom_series_as_folder(tmp_path: Path) -> None:
    (tmp_path / "series").mkdir()
    for name in ("2", "1"):
        (tmp_path / "series" / name).write_bytes(b"")
    (tmp_path / "manifest.csv").write_text("image,label\nseries/,x\n./other.dcm,y\n")
    assert SOURCE.recognises(str(tmp_path))
    series, single = listed(tmp_path).cases
    assert series.inputs["image"] == FileRef(format="dicom", paths=("series/1", "series/2"))
    assert single.inputs["image"] == FileRef(format="dicom", paths=("other.dcm",))


def test_labels_of_masks_are_their_values_or_declared(tmp_path: Path) -> None:
    path = a_manifest(tmp_path, "image,mask\na.tif,a.gif\nb.tif,b.gif\n", values=(1, 4))
    assert [(label.name, label.value) for label in listed(path).targets[0].labels] == [("1", 1), ("4", 4)]
    (tmp_path / "labels.json").write_text(json.dumps({"artery": 1, "vein": 4}))
    assert [(label.name, label.value) for label in listed(path).targets[0].labels] == [("artery", 1), ("vein", 4)]
    (tmp_path / "labels.json").write_text(json.dumps({"artery": "1"}))
    with pytest.raises(DataRefused, match="names and whole numbers"):
        listed(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,label\n", "has no rows"),
        ("image,label\n,x\n", "row 1 of list.csv names no input"),
        ("image,label\na.tif,x\na.tif,y\n", "two rows of list.csv are one case"),
        ("image,label\na.doc,x\n", "no format reads this kind of file"),
        ("file,label\na.tif,x\n", "has no column 'image'"),
    ],
)
def test_a_bad_manifest_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match=message):
        listed(a_manifest(tmp_path, text))


@pytest.mark.parametrize("column", ["label", "Segmentation", "vessels"])
def test_a_column_of_mask_files_is_a_mask_and_no_classes(column: str, tmp_path: Path) -> None:
    path = a_manifest(tmp_path, f"image,{column},type\na.tif,a.gif,x\nb.tif,,y\n")
    listing = listed(path, **({"target": column} if column == "vessels" else {}))
    assert [(target.name, target.kind) for target in listing.targets] == [(column, "mask"), ("type", "category")]
    assert [case.targets[column] for case in listing.cases] == [FileRef(format="picture", paths=("a.gif",)), None]


def test_a_column_of_files_that_may_be_mask_or_image_is_refused(tmp_path: Path) -> None:
    path = a_manifest(tmp_path, "image,vessels,label\na.tif,a.gif,x\nb.tif,b.gif,y\n")
    with pytest.raises(DataRefused, match=r"'vessels'.*may be masks or further.*mask:vessels or image:vessels"):
        listed(path)
    path.write_text(path.read_text().replace("vessels", "image:vessels"))
    assert [sorted(case.inputs) for case in listed(path).cases] == [["image", "vessels"]] * 2


def test_names_of_files_are_no_classes(tmp_path: Path) -> None:
    text = "image,original,again,label\na.tif,scan1.dcm,a.tif,x\nb.tif,scan2.dcm,b.tif,y\n"
    listing = listed(a_manifest(tmp_path, text))
    assert [target.name for target in listing.targets] == ["label"]
    assert listing.cases[0].covariates == {}
    assert "not copied, because they name files: original, again" in listing.notes


def test_masks_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match=r"no mask that the column 'label' of list\.csv names is there.*masks/1\.png"):
        listed(a_manifest(tmp_path, "image,label\na.tif,masks/1.png\nb.tif,masks/2.png\n"))


def test_columns_without_a_name_are_left_out(tmp_path: Path) -> None:
    listing = listed(a_manifest(tmp_path, ",image,label,,\n0,a.tif,x,,\n1,b.tif,y,,\n"))
    assert [target.name for target in listing.targets] == ["label"]
    assert listing.cases[0].covariates == {}
    assert "columns of list.csv without a name: 3, left out" in listing.notes


def test_a_case_column_tells_apart_rows_of_one_image(tmp_path: Path) -> None:
    path = a_manifest(tmp_path, "case,image,label\n1,a.tif,x\n2,a.tif,y\n")
    assert [case.id for case in listed(path).cases] == ["1", "2"]


def test_masks_that_are_pictures_are_refused(tmp_path: Path) -> None:
    path = a_manifest(tmp_path, "image,mask\na.tif,noise.png\n")
    PIL.Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(tmp_path / "noise.png")
    with pytest.raises(DataRefused, match="256 different values: no labels"):
        listed(path)


def test_colour_masks_are_refused(tmp_path: Path) -> None:
    path = a_manifest(tmp_path, "image,mask\na.tif,colour.png\n")
    PIL.Image.new("RGB", (8, 8), (255, 0, 0)).save(tmp_path / "colour.png")
    with pytest.raises(DataRefused, match=r"the mask colour\.png is a colour picture"):
        listed(path)


def test_empty_masks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match="hold nothing but 0"):
        listed(a_manifest(tmp_path, "image,mask\na.tif,a.gif\n", values=()))


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
def test_real_retina_vessels(tmp_path: Path) -> None:
    folder = DATA / "retina-vessels" / "training"
    rows = "".join(
        f"{folder}/images/{n}_training.tif,{folder}/1st_manual/{n}_manual1.gif,"
        f"{folder}/mask/{n}_training_mask.gif,{n}\n"
        for n in range(21, 41)
    )
    path = tmp_path / "retina.csv"
    path.write_text("image,mask,mask:field_of_view,patient\n" + rows)
    listing = listed(path)
    assert len(listing.cases) == 20
    assert [[label.value for label in target.labels] for target in listing.targets] == [[255], [255]]


def test_a_column_marks_what_was_made(tmp_path: Path) -> None:
    listing = listed(a_manifest(tmp_path, "image,label,synthetic\na.tif,x,Yes\nb.tif,y,\n"))
    assert [case.synthetic for case in listing.cases] == [True, False]
    assert all("synthetic" not in case.covariates for case in listing.cases)
    assert "1 of 2 cases are synthetic: they are only trained on" in listing.notes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image,label,synthetic\na.tif,x,perhaps\n", "neither yes nor no"),
        ("image,label,synthetic,split\na.tif,x,1.0,test\n", "tests nothing"),
    ],
)
def test_a_mark_that_makes_no_sense_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(DataRefused, match=words):
        listed(a_manifest(tmp_path, text))
