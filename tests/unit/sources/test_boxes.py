"""Layouts of boxes: Pascal VOC, COCO and a table with a row a box."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from diascope.core import registry
from diascope.core.boxes import Boxes
from diascope.core.errors import DataRefused, UnreadableFile
from diascope.sources import Listing, SourceOptions, recognise
from diascope.sources.tables.drawn import sides_of

OPTIONS = SourceOptions()


def picture(path: Path, shade: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(np.full((20, 30), shade, np.uint8)).save(path)


def annotation(path: Path, *objects: tuple[str, int, int, int, int], image: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = [
        f"<object><name>{label}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox>"
        "</object>"
        for label, a, b, c, d in objects
    ]
    path.write_text(f"<annotation><filename>{image}</filename>{''.join(parts)}</annotation>")


def voc(root: Path, lists: bool = True) -> Path:
    for number in range(4):
        picture(root / "JPEGImages" / f"{number}.jpg", 9 * number)
        boxes = [("cell", 1, 1, 10, 10), ("speck", 3, 3, 5, 5)][: number % 3]
        annotation(root / "Annotations" / f"{number}.xml", *boxes)
    if lists:
        folder = root / "ImageSets" / "Main"
        folder.mkdir(parents=True)
        (folder / "train.txt").write_text("0\n1\n")
        (folder / "val.txt").write_text("2\n")
        (folder / "cell_train.txt").write_text("0 1\n1 -1\n3 1\n")
    return root


def boxes_of(listing: Listing) -> dict[str, list[str]]:
    found = {}
    for case in listing.cases:
        boxes = case.targets["boxes"]
        assert isinstance(boxes, Boxes)
        found[case.id] = list(boxes.labels)
    return found


def notes(listing: Listing) -> str:
    return "; ".join(listing.notes)


def listed(name: str, place: Path, options: SourceOptions = OPTIONS) -> Listing:
    assert recognise(str(place)) == name
    found: Listing = registry.get("sources", name).list(str(place), options)
    return found


def test_voc_lists_boxes_with_the_parts_that_are_given(tmp_path: Path) -> None:
    listing = listed("pascal_voc", voc(tmp_path))
    assert boxes_of(listing) == {"0": [], "1": ["cell"], "2": ["cell", "speck"]}
    assert {case.id: case.split for case in listing.cases} == {"0": "train", "1": "train", "2": "val"}
    (target,) = listing.targets
    assert (target.name, target.kind, [(one.name, one.value) for one in target.labels]) == (
        "boxes", "boxes", [("cell", 1), ("speck", 2)],
    )  # fmt: skip
    assert "1 images are in no list" in notes(listing)
    assert "2 cell, 1 speck" in notes(listing)


def test_voc_without_lists_has_no_parts_and_all_images(tmp_path: Path) -> None:
    listing = listed("pascal_voc", voc(tmp_path, lists=False))
    assert {case.split for case in listing.cases} == {None}
    assert len(listing.cases) == 4


def test_voc_beside_its_images_finds_them_by_the_name_in_the_file(tmp_path: Path) -> None:
    picture(tmp_path / "left.png")
    annotation(tmp_path / "left.xml", ("cell", 1, 1, 9, 9))
    picture(tmp_path / "scan 7.png")
    annotation(tmp_path / "seven.xml", ("cell", 1, 1, 9, 9), image="scan 7.png")
    assert sorted(boxes_of(listed("pascal_voc", tmp_path))) == ["left", "scan 7"]


def test_voc_takes_patients_from_a_table_beside_it(tmp_path: Path) -> None:
    voc(tmp_path, lists=False)
    (tmp_path / "metadata.csv").write_text("image,patient,age\n0,p,40\n1,p,40\n2,q,50\n3,q,50\n")
    listing = listed("pascal_voc", tmp_path)
    assert [case.patient for case in listing.cases] == ["p", "p", "q", "q"]
    assert listing.cases[0].covariates == {"age": 40}


def test_a_broken_annotation_is_left_out_and_said_and_the_others_stay(tmp_path: Path) -> None:
    voc(tmp_path, lists=False)
    (tmp_path / "Annotations" / "3.xml").write_text("<annotation>")
    listing = listed("pascal_voc", tmp_path)
    assert len(listing.cases) == 3
    assert "1 of 4 annotations could not be read" in listing.problems[0].title


def test_an_image_without_annotation_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    voc(tmp_path, lists=False)
    picture(tmp_path / "JPEGImages" / "99.jpg")
    listing = listed("pascal_voc", tmp_path)
    assert "99" not in boxes_of(listing)
    assert "1 images have no annotation" in notes(listing)


def test_voc_in_two_lists_or_twice_about_one_image_is_refused(tmp_path: Path) -> None:
    voc(tmp_path)
    (tmp_path / "ImageSets" / "Main" / "test.txt").write_text("1\n")
    with pytest.raises(DataRefused, match="1 is in two lists"):
        listed("pascal_voc", tmp_path)
    other = tmp_path / "other"
    voc(other, lists=False)
    annotation(other / "Annotations" / "again.xml", image="0.jpg")
    with pytest.raises(DataRefused, match="two annotations are about the image"):
        listed("pascal_voc", other)


def test_annotations_without_any_box_or_image_are_refused(tmp_path: Path) -> None:
    picture(tmp_path / "JPEGImages" / "1.jpg")
    annotation(tmp_path / "Annotations" / "1.xml")
    with pytest.raises(DataRefused, match="no box is drawn"):
        listed("pascal_voc", tmp_path)
    annotation(tmp_path / "else" / "Annotations" / "1.xml", ("cell", 1, 1, 9, 9))
    with pytest.raises(DataRefused, match="no image belongs to any"):
        listed("pascal_voc", tmp_path / "else")


def coco(path: Path, names: list[str], folder: str = "", boxes: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    for name in names:
        picture(path.parent / folder / name)
    annotations = [
        {"id": n, "image_id": n, "category_id": 3, "bbox": [1, 2, 4, 5], "iscrowd": n % 2} for n in range(boxes)
    ]
    images = [{"id": n, "file_name": name, "width": 30, "height": 20} for n, name in enumerate(names)]
    content = {"images": images, "annotations": annotations, "categories": [{"id": 3, "name": "cell"}]}
    path.write_text(json.dumps(content))


def test_coco_beside_its_images(tmp_path: Path) -> None:
    coco(tmp_path / "result.json", ["a.png", "b.png"], boxes=2)
    listing = listed("coco", tmp_path)
    assert boxes_of(listing) == {"a": ["cell"], "b": ["cell"]}
    first, second = (case.targets["boxes"] for case in listing.cases)
    assert isinstance(first, Boxes)
    assert isinstance(second, Boxes)
    assert first.array.tolist() == [[0, 2, 1, 1, 7, 5]]
    assert (first.ignored, second.ignored) == ((), (0,))
    assert boxes_of(listed("coco", tmp_path / "result.json")) == boxes_of(listing)


def test_coco_with_one_file_a_part(tmp_path: Path) -> None:
    coco(tmp_path / "annotations" / "instances_train2017.json", ["1.png", "2.png"], "../train2017")
    coco(tmp_path / "annotations" / "instances_val2017.json", ["1.png"], "../val2017")
    listing = listed("coco", tmp_path)
    assert [(case.id, case.split) for case in listing.cases] == [
        ("train2017/1", "train"), ("train2017/2", "train"), ("val2017/1", "val"),
    ]  # fmt: skip


def test_coco_in_folders_of_parts(tmp_path: Path) -> None:
    for part in ("train", "valid", "test"):
        coco(tmp_path / part / "_annotations.coco.json", [f"{part}-1.png"])
    listing = listed("coco", tmp_path)
    assert {case.id: case.split for case in listing.cases} == {
        "train/train-1": "train", "valid/valid-1": "val", "test/test-1": "test",
    }  # fmt: skip


def test_coco_with_images_in_folders_of_the_image_folder(tmp_path: Path) -> None:
    for part in ("train2017", "val2017"):
        coco(tmp_path / "annotations" / f"instances_{part}.json", ["1.png"], f"../images/{part}")
    listing = listed("coco", tmp_path)
    assert {case.inputs["image"].paths[0]: case.split for case in listing.cases} == {
        "images/train2017/1.png": "train", "images/val2017/1.png": "val",
    }  # fmt: skip


def test_coco_tells_images_of_one_name_by_their_folders(tmp_path: Path) -> None:
    coco(tmp_path / "boxes.json", ["1.png", "ward/1.png", "clinic/1.png"], "images")
    picture(tmp_path / "clinic" / "1.png")
    found = [case.inputs["image"].paths[0] for case in listed("coco", tmp_path).cases]
    assert found == ["images/1.png", "images/ward/1.png", "clinic/1.png"]


def test_listed_images_that_are_not_there_are_said_and_none_at_all_refused(tmp_path: Path) -> None:
    coco(tmp_path / "result.json", ["a.png", "b.png"], boxes=2)
    (tmp_path / "b.png").unlink()
    assert "1 listed images are not there, such as b.png" in notes(listed("coco", tmp_path))
    (tmp_path / "a.png").unlink()
    with pytest.raises(DataRefused, match="none of the 2 images"):
        listed("coco", tmp_path)


def table(path: Path, header: str, *rows: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header.split(","), *(row.split(",") for row in rows)])
    return path


def test_a_table_has_a_row_a_box_and_empty_sides_for_an_image_with_nothing(tmp_path: Path) -> None:
    for name in "abc":
        picture(tmp_path / "files" / f"{name}.png")
    path = table(
        tmp_path / "boxes.csv", "image,xmin,ymin,xmax,ymax,label,patient,split",
        "files/a.png,1,2,5,8,cell,p,train", "files/a.png,3,3,4,4,speck,p,train", "files/b.png,,,,,,q,train",
        "files/c.png,1,2,5,8,cell,r,test",
    )  # fmt: skip
    for place in (path, tmp_path):
        listing = listed("box_table", place)
        assert boxes_of(listing) == {"files/a": ["cell", "speck"], "files/b": [], "files/c": ["cell"]}
        assert [case.patient for case in listing.cases] == ["p", "q", "r"]
        assert [case.split for case in listing.cases] == ["train", "train", "test"]
        assert [target.name for target in listing.targets] == ["boxes"]
        boxes = listing.cases[0].targets["boxes"]
        assert isinstance(boxes, Boxes)
        assert boxes.array[0].tolist() == [0, 2, 1, 1, 8, 5]


@pytest.mark.parametrize(
    ("header", "row", "wanted"),
    [
        ("filename,width,height,class,xmin,ymin,xmax,ymax", "a.png,30,20,cell,1,2,5,8", [0, 2, 1, 1, 8, 5]),
        ("image_id,x,y,w,h,finding", "a,1,2,4,6,cell", [0, 2, 1, 1, 8, 5]),
        ("Image,X1,Y1,X2,Y2", "a.png,1,2,5,8", [0, 2, 1, 1, 8, 5]),
        ("ImageID,LabelName,XMin,XMax,YMin,YMax", "a,cell,1,5,2,8", [0, 2, 1, 1, 8, 5]),
        ("Image Index,Finding Label,Bbox [x,y,w,h],,,", "a.png,cell,1,2,4,6,,,", [0, 2, 1, 1, 8, 5]),
        ("file;x_min;y_min;x_max;y_max".replace(";", ","), "a.png,1.5,2,5,8", [0, 2, 1.5, 1, 8, 5]),
    ],
)
def test_columns_of_boxes_have_many_names(tmp_path: Path, header: str, row: str, wanted: list[float]) -> None:
    picture(tmp_path / "a.png")
    listing = listed("box_table", table(tmp_path / "boxes.csv", header, row))
    boxes = listing.cases[0].targets["boxes"]
    assert isinstance(boxes, Boxes)
    assert boxes.array.tolist() == [wanted]


def test_tables_in_folders_of_parts(tmp_path: Path) -> None:
    for part, age in (("train", ""), ("valid", ",age"), ("test", "")):
        picture(tmp_path / part / f"{part}.jpg")
        picture(tmp_path / part / "alone.jpg")
        header = f"filename,width,height,class,xmin,ymin,xmax,ymax{age}"
        table(tmp_path / part / "_annotations.csv", header, f"{part}.jpg,30,20,cell,1,2,5,8{',40' if age else ''}")
    listing = listed("box_table", tmp_path)
    assert {case.id: case.split for case in listing.cases} == {
        "test/test": "test", "train/train": "train", "valid/valid": "val",
    }  # fmt: skip
    assert all((listing.root / case.inputs["image"].paths[0]).is_file() for case in listing.cases)
    assert "1 images are in no row of _annotations.csv: left out" in notes(listing)
    table(tmp_path / "train" / "more.csv", "filename,xmin,ymin,xmax,ymax", "train.jpg,1,2,5,8")
    with pytest.raises(DataRefused, match="4 tables with a row a box"):
        registry.get("sources", "box_table").list(str(tmp_path), OPTIONS)


def test_a_number_of_the_class_is_its_label_where_no_column_has_its_name() -> None:
    columns = ("image", "xmin", "ymin", "xmax", "ymax", "class_id")
    found = [sides_of(columns), sides_of((*columns, "Class Name"))]
    assert [one.label for one in found if one is not None] == ["class_id", "Class Name"]


def test_other_tables_have_no_columns_of_boxes() -> None:
    assert sides_of(("image", "label")) is None
    assert sides_of(("x", "y", "width", "height")) is None
    assert sides_of(("image", "xmin", "ymin", "xmax")) is None


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        (",1,2,5,8,cell", "row 1 of boxes.csv names no image"),
        ("a.png,1,,5,8,cell", "row 1 of boxes.csv has no ymin"),
        ("a.png,1,2,5,8,", "row 1 of boxes.csv has no label"),
        ("a.png,1,2,wide,8,cell", "row 1 of boxes.csv has no xmax"),
        ("elsewhere.png,1,2,5,8,cell", "none of the 1 images"),
    ],
)
def test_a_row_that_says_no_box_is_refused(tmp_path: Path, row: str, wrong: str) -> None:
    picture(tmp_path / "a.png")
    path = table(tmp_path / "boxes.csv", "image,xmin,ymin,xmax,ymax,label", row)
    with pytest.raises(DataRefused, match=wrong):
        listed("box_table", path)


def test_a_list_of_parts_that_is_no_text_is_refused(tmp_path: Path) -> None:
    voc(tmp_path)
    (tmp_path / "ImageSets" / "Main" / "val.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UnreadableFile, match=r"val\.txt"):
        listed("pascal_voc", tmp_path)


def test_a_table_may_name_images_anywhere(tmp_path: Path) -> None:
    picture(tmp_path / "elsewhere" / "a.png")
    cell = str(tmp_path / "elsewhere" / "a.png")
    listing = listed(
        "box_table", table(tmp_path / "here" / "boxes.csv", "image,xmin,ymin,xmax,ymax", f"{cell},1,2,5,8")
    )
    assert (listing.root / listing.cases[0].inputs["image"].paths[0]).is_file()


def test_voc_in_folders_of_parts_with_xml_beside_the_images(tmp_path: Path) -> None:
    for part, count in (("train", 2), ("valid", 1), ("test", 1)):
        for number in range(count):
            picture(tmp_path / part / f"{part}-{number}.jpg")
            annotation(tmp_path / part / f"{part}-{number}.xml", ("cell", 1, 1, 9, 9))
    listing = listed("pascal_voc", tmp_path)
    assert {case.id: case.split for case in listing.cases} == {
        "train-0": "train", "train-1": "train", "valid-0": "val", "test-0": "test",
    }  # fmt: skip


def test_one_image_under_two_names_is_refused(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    path = table(tmp_path / "boxes.csv", "image,xmin,ymin,xmax,ymax", "a.png,1,2,5,8", "a,1,2,5,9")
    with pytest.raises(DataRefused, match=r"names the image a\.png in two ways"):
        listed("box_table", path)


def test_a_folder_of_dicom_images_with_boxes_beside_them_is_read_in_one_way(tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "p1.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 64)
    assert recognise(str(tmp_path)) == "dicom_tree"
    table(tmp_path / "boxes.csv", "patientId,x,y,width,height,Target", "p1,1,2,4,6,1")
    assert recognise(str(tmp_path)) == "box_table"


def test_images_may_be_dicom_but_not_mixed_with_pictures(tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "p1.dcm").write_bytes(b"\0" * 132)
    path = table(tmp_path / "boxes.csv", "patientId,x,y,width,height,Target", "p1,1,2,4,6,1")
    listing = listed("box_table", path)
    (case,) = listing.cases
    assert [target.name for target in listing.targets] == ["boxes"]
    assert (case.inputs["image"].format, case.inputs["image"].paths) == ("dicom", ("films/p1.dcm",))
    picture(tmp_path / "films" / "p2.png")
    table(path, "patientId,x,y,width,height,Target", "p1,1,2,4,6,1", "p2,1,2,4,6,1")
    with pytest.raises(DataRefused, match="1 of DICOM, 1 others"):
        registry.get("sources", "box_table").list(str(path), OPTIONS)
