"""Boxes in volumes: columns with z, millimetres as LUNA16 has them, and the connected parts of masks."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from diascope.core import registry
from diascope.core.boxes import Boxes
from diascope.core.case import Label
from diascope.core.errors import BadUsage, DataRefused, UnknownName
from diascope.core.geometry import Geometry
from diascope.formats.boxes.volumes import write_volume_boxes
from diascope.sources import Listing, SourceOptions, recognise
from diascope.sources.tables.drawn import in_voxels
from diascope.testing.factories import oblique

OPTIONS = SourceOptions()
SHAPE = (12, 20, 24)


def volume(path: Path, array: np.ndarray | None = None, spacing: tuple[float, ...] = (1.0, 1.0, 2.0)) -> None:
    """A volume with steps (x, y, z), whose first voxel lies at (-10, 20, -30)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = SimpleITK.GetImageFromArray(np.zeros(SHAPE, np.uint8) if array is None else array)
    image.SetSpacing(spacing)
    image.SetOrigin((-10.0, 20.0, -30.0))
    SimpleITK.WriteImage(image, str(path))


def table(path: Path, header: str, *rows: str) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header.split(","), *(row.split(",") for row in rows)])
    return path


def boxes(listing: Listing, place: int = 0) -> Boxes:
    found = listing.cases[place].targets["boxes"]
    assert isinstance(found, Boxes)
    return found


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("image,xmin,ymin,zmin,xmax,ymax,zmax,label", "a.nii.gz,3,4,5,8,10,9,nodule"),
        ("filename,x1,y1,z1,x2,y2,z2,class", "a,3,4,5,8,10,9,nodule"),
        ("image,x,y,z,width,height,depth,label", "a,3,4,5,5,6,4,nodule"),
        ("image,center_x,center_y,center_z,w,h,d,label", "a,5.5,7,7,5,6,4,nodule"),
    ],
)
def test_columns_with_z_have_many_names(tmp_path: Path, header: str, row: str) -> None:
    volume(tmp_path / "a.nii.gz")
    table(tmp_path / "boxes.csv", header, row)
    assert recognise(str(tmp_path)) == "box_table"
    listing = registry.get("sources", "box_table").list(str(tmp_path), OPTIONS)
    assert boxes(listing).array.tolist() == [[5, 4, 3, 9, 10, 8]]
    assert boxes(listing).labels == ("nodule",)


def test_luna16_names_the_middle_and_the_diameter_in_millimetres_of_the_patient(tmp_path: Path) -> None:
    for folder, name in (("subset0", "1.3.6"), ("subset1", "1.3.7")):
        volume(tmp_path / folder / f"{name}.mha")
    # Voxel (z, y, x) = (6, 9, 5) lies at (-5, 29, -18) mm.
    path = table(
        tmp_path / "annotations.csv", "seriesuid,coordX,coordY,coordZ,diameter_mm", "1.3.6,-5,29,-18,8", "1.3.7,,,,",
    )  # fmt: skip
    listing = registry.get("sources", "box_table").list(str(path), OPTIONS)
    assert [case.id for case in listing.cases] == ["subset0/1.3.6", "subset1/1.3.7"]
    assert boxes(listing).array.tolist() == [[4.5, 5.5, 1.5, 8.5, 13.5, 9.5]]
    assert boxes(listing, 1).corners == ()
    assert boxes(listing).labels == ("object",)


def test_millimetres_on_a_volume_without_any_are_refused(tmp_path: Path) -> None:
    from diascope.core.image import Image
    from diascope.formats.nifti import FORMAT

    FORMAT.write(Image(np.zeros((1, *SHAPE), np.uint8), Geometry.unknown()), tmp_path / "a.nii.gz")
    path = table(tmp_path / "boxes.csv", "image,coordX,coordY,coordZ,diameter_mm", "a,1,2,3,4")
    with pytest.raises(DataRefused, match="in millimetres on an image that has none"):
        registry.get("sources", "box_table").list(str(path), OPTIONS)


def test_a_sphere_keeps_its_size_however_the_volume_lies() -> None:
    geometry, voxel = oblique(), np.array([4.0, 7.0, 9.0])
    x, y, z = geometry.to_mm(voxel)
    sphere = Boxes.of([[z - 5, y - 5, x - 5, z + 5, y + 5, x + 5]], ["a"])
    (found,) = in_voxels(sphere, geometry).array
    assert (found[:3] + found[3:]) / 2 == pytest.approx(voxel + 0.5, abs=2e-3)
    assert (found[3:] - found[:3]) * geometry.steps == pytest.approx([10, 10, 10], abs=1e-2)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    geometry = Geometry.from_spacing((2.0, 1.0, 1.0), (-10.0, 20.0, -30.0))
    volume(tmp_path / "a.nii.gz")
    said = Boxes.of([[4.5, 5.5, 1.5, 8.5, 13.5, 9.5], [0, 1, 2, 3, 4, 5]], ["b", "a"], scores=[0.9, 0.25])
    labels = (Label(name="a", value=1), Label(name="b", value=2))
    write_volume_boxes("a.nii.gz", said, geometry, labels, tmp_path, "somebody")
    content = json.loads((tmp_path / "boxes.json").read_text())
    assert content["boxes"][0]["centre_mm"] == [-5, 29, -18]
    assert content["boxes"][0]["size_mm"] == [8, 8, 8]
    assert content["boxes"][0]["voxels"] == {"start_zyx": [4.5, 5.5, 1.5], "stop_zyx": [8.5, 13.5, 9.5]}
    listing = registry.get("sources", "box_table").list(str(tmp_path / "boxes.csv"), OPTIONS)
    assert boxes(listing).array.tolist() == said.array.tolist()
    assert boxes(listing).labels == said.labels
    assert not listing.cases[0].covariates  # how sure the model was of a box is nothing about the image
    write_volume_boxes("a.nii.gz", Boxes(), geometry, labels, tmp_path)
    assert (tmp_path / "boxes.csv").read_text().splitlines()[1] == "a.nii.gz,,,,,,,,"


def marked(*parts: tuple[int, tuple[slice, slice, slice]]) -> np.ndarray:
    array = np.zeros(SHAPE, np.uint8)
    for value, place in parts:
        array[place] = value
    return array


LOW, HIGH = (slice(1, 3), slice(2, 6), slice(3, 8)), (slice(5, 9), slice(10, 14), slice(10, 20))
BESIDE = (slice(1, 3), slice(6, 9), slice(3, 8))


def masks(root: Path, *arrays: np.ndarray) -> Path:
    for number, array in enumerate(arrays):
        volume(root / "images" / f"{number}.nii.gz")
        volume(root / "masks" / f"{number}.nii.gz", array)
    return root


def test_every_connected_part_of_a_mask_is_a_box(tmp_path: Path) -> None:
    masks(tmp_path, marked((1, LOW), (1, HIGH)), marked())
    assert recognise(str(tmp_path)) == "image_masks"
    listing = registry.get("sources", "mask_boxes").list(str(tmp_path), OPTIONS)
    assert sorted(boxes(listing).corners) == [(1, 2, 3, 3, 6, 8), (5, 10, 10, 9, 14, 20)]
    assert boxes(listing, 1).corners == ()
    (target,) = listing.targets
    assert (target.kind, [label.name for label in target.labels]) == ("boxes", ["mask"])
    assert "2 mask" in listing.notes[0]


def test_values_without_names_are_things_that_may_touch_and_with_names_labels(tmp_path: Path) -> None:
    masks(tmp_path, marked((1, LOW), (2, BESIDE)))
    listing = registry.get("sources", "mask_boxes").list(str(tmp_path), OPTIONS)
    assert boxes(listing).corners == ((1, 2, 3, 3, 6, 8), (1, 6, 3, 3, 9, 8))
    assert boxes(listing).labels == ("mask", "mask")
    (tmp_path / "labels.json").write_text(json.dumps({"cyst": 1, "tumour": 2}))
    listing = registry.get("sources", "mask_boxes").list(str(tmp_path), OPTIONS)
    assert boxes(listing).labels == ("cyst", "tumour")


def test_a_mask_on_another_grid_of_the_patient_lies_where_its_millimetres_say(tmp_path: Path) -> None:
    volume(tmp_path / "images" / "0.nii.gz")
    volume(tmp_path / "masks" / "0.nii.gz", np.repeat(marked((1, LOW)), 2, axis=1), (1.0, 0.5, 2.0))
    listing = registry.get("sources", "mask_boxes").list(str(tmp_path), OPTIONS)
    # Voxels half as high: the middles of the first ones coincide, so the faces lie a quarter of a voxel apart.
    assert boxes(listing).corners == ((1, 2.25, 3, 3, 6.25, 8),)


def test_what_holds_no_mask_or_several_is_refused(tmp_path: Path) -> None:
    volume(tmp_path / "a.nii.gz")
    table(tmp_path / "boxes.csv", "image,xmin,ymin,zmin,xmax,ymax,zmax", "a,3,4,5,8,10,9")
    with pytest.raises(DataRefused, match="box_table lists no mask"):
        registry.get("sources", "mask_boxes").list(str(tmp_path), OPTIONS)
    root = masks(tmp_path / "m", marked((1, LOW)))
    with pytest.raises(UnknownName):
        registry.get("sources", "mask_boxes").list(str(root), SourceOptions(target="other"))
    volume(root / "labels" / "0.nii.gz", marked((1, HIGH)))
    with pytest.raises(BadUsage):
        registry.get("sources", "mask_boxes").list(str(root), OPTIONS)
    listing = registry.get("sources", "mask_boxes").list(str(root), SourceOptions(target="labels"))
    assert listing.targets[0].name == "labels"
    assert isinstance(listing.cases[0].targets["labels"], Boxes)
