"""Files of boxes: Pascal VOC and COCO are brought to one convention, and what is broken is refused with the reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from diascope.core.boxes import Boxes
from diascope.core.case import Label
from diascope.core.errors import DataRefused, UnreadableFile
from diascope.formats.boxes.coco import looks_like_coco, read_coco, write_coco
from diascope.formats.boxes.voc import read_voc


def voc(path: Path, *objects: tuple[str, float, float, float, float], difficult: int = 0, name: str = "7.jpg") -> Path:
    """An annotation from (name, xmin, ymin, xmax, ymax)."""
    parts = [
        f"<object><name>{label}</name><difficult>{difficult}</difficult><bndbox><xmin>{a}</xmin><ymin>{b}</ymin>"
        f"<xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
        for label, a, b, c, d in objects
    ]
    path.write_text(f"<annotation><filename>{name}</filename>{''.join(parts)}</annotation>")
    return path


def test_voc_counts_from_one_and_includes_both_corners(tmp_path: Path) -> None:
    read = read_voc(voc(tmp_path / "7.xml", ("cell", 1, 1, 640, 480), ("speck", 10, 20, 12, 22)))
    assert read.image == "7.jpg"
    assert read.boxes.labels == ("cell", "speck")
    assert read.boxes.array.tolist() == [[0, 0, 0, 1, 480, 640], [0, 19, 9, 1, 22, 12]]
    assert read.boxes.without_extent() == ()


def test_a_voc_box_that_was_only_clicked_has_no_extent(tmp_path: Path) -> None:
    read = read_voc(voc(tmp_path / "7.xml", ("cell", 504, 337, 504, 337), ("cell", 9, 5, 3, 50)))
    assert read.boxes.without_extent() == (0, 1)


def test_difficult_objects_are_to_be_ignored_and_no_object_is_a_statement(tmp_path: Path) -> None:
    assert read_voc(voc(tmp_path / "7.xml", ("cell", 1, 1, 4, 4), difficult=1)).boxes.ignored == (0,)
    assert read_voc(voc(tmp_path / "8.xml")).boxes == Boxes()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "no XML"),
        ("<annotation><object>", "no XML"),
        ("<html></html>", "outermost element is <html>"),
        ("<annotation><object><name></name></object></annotation>", "object 1 has no name"),
        ("<annotation><object><name>a</name></object></annotation>", "no bndbox"),
        ("<annotation><object><name>a</name><bndbox><xmin>x</xmin></bndbox></object></annotation>", "no bndbox"),
    ],
)
def test_a_broken_annotation_is_refused_with_the_reason(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "7.xml"
    path.write_text(content)
    with pytest.raises(UnreadableFile, match=reason):
        read_voc(path)


LABELS = (Label(name="cell", value=1), Label(name="speck", value=2))


def test_coco_keeps_boxes_through_a_round_trip(tmp_path: Path) -> None:
    boxes = Boxes.of([[0, 2, 3, 1, 8, 9.5], [0, 0, 0, 1, 10, 10]], ["cell", "speck"], ignored=[1])
    path = tmp_path / "boxes.json"
    write_coco([("a.png", (1, 20, 30), boxes), ("b.png", (1, 20, 30), Boxes())], LABELS, path)
    assert looks_like_coco(path)
    one, other = read_coco(path)
    assert (one.file, one.size, one.boxes) == ("a.png", (30, 20), boxes)
    assert other.boxes == Boxes()


def test_scores_and_sizes_are_written_as_coco_has_them(tmp_path: Path) -> None:
    said = Boxes.of([[0, 2, 3, 1, 8, 9]], ["speck"], scores=[0.25])
    write_coco([("a.png", (1, 20, 30), said)], LABELS, tmp_path / "boxes.json", "by hand")
    content = json.loads((tmp_path / "boxes.json").read_text())
    assert content["annotations"] == [
        {"id": 1, "image_id": 1, "category_id": 2, "bbox": [3, 2, 6, 6], "area": 36, "iscrowd": 0, "score": 0.25}
    ]
    assert content["images"] == [{"id": 1, "file_name": "a.png", "height": 20, "width": 30}]
    assert content["info"]["description"] == "by hand"


def test_coco_knows_no_volumes(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match="flat images only"):
        write_coco([("a.nii.gz", (4, 20, 30), Boxes())], LABELS, tmp_path / "boxes.json")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[]", "no list of 'images'"),
        ("{", "no JSON"),
        ('{"images": [{"id": 1}], "annotations": []}', "file_name"),
        (
            '{"images": [{"id": 1, "file_name": "a"}], "categories": [], "annotations": [{"image_id": 1, '
            '"category_id": 9, "bbox": [1, 2, 3, 4]}]}',
            "annotation 1 has the category 9",
        ),
        (
            '{"images": [{"id": 1, "file_name": "a"}], "categories": [{"id": 1, "name": "c"}], "annotations": '
            '[{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3]}]}',
            "no COCO file of boxes",
        ),
        (
            '{"images": [{"id": 1, "file_name": "a"}], "categories": [{"id": 1, "name": "c"}], "annotations": '
            '[{"image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4]}]}',
            "annotation 1 is about the image 7, which 'images' does not list",
        ),
        (
            '{"images": [{"id": 1, "file_name": "a"}], "categories": [{"id": 1, "name": "c"}], "annotations": '
            '[{"image_id": 1, "category_id": 1, "segmentation": [[1, 2, 3, 4, 5, 6]]}]}',
            "annotation 1 has no 'bbox'",
        ),
        (
            '{"images": [{"id": 1, "file_name": "a"}], "categories": [{"id": 1, "name": "c"}], "annotations": '
            '[{"image_id": 1, "category_id": 1, "bbox": [1, 2, NaN, 4]}]}',
            "not finite",
        ),
    ],
)
def test_a_broken_coco_file_is_refused_with_the_reason(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "boxes.json"
    path.write_text(content)
    with pytest.raises(UnreadableFile, match=reason):
        read_coco(path)


@pytest.mark.parametrize("content", [b"", b"[]", b"\x00\x01", b'{"labels": {"a": 1}}'])
def test_other_files_do_not_look_like_coco(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    assert not looks_like_coco(path)
    assert not looks_like_coco(tmp_path / "none.json")
