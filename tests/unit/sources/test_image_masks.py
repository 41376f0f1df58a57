from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from diascope.core.case import FileRef
from diascope.core.errors import BadUsage, DataRefused, UnknownName
from diascope.sources import Listing, SourceOptions
from diascope.sources.folders.pairs import pair
from diascope.sources.image_masks import SOURCE


def files(root: Path, *names: str) -> Path:
    for name in names:
        array = np.zeros((8, 8), np.uint8)
        array[3, 3] = 255
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(array).save(root / name)
    return root


def listed(root: Path, **options: str) -> Listing:
    return SOURCE.list(str(root), SourceOptions(**options))


def paired(listing: Listing) -> dict[str, str | None]:
    found = {}
    for case in listing.cases:
        mask = case.targets["mask"]
        found[case.id] = mask.paths[0] if isinstance(mask, FileRef) else None
    return found


@pytest.mark.parametrize(
    ("images", "masks", "expected"),
    [
        (["1.tif", "2.tif"], ["1.png", "2.png"], {"1.tif": "1.png", "2.tif": "2.png"}),
        (["1.png", "2.png"], ["1_mask.png", "2-seg.png"], {"1.png": "1_mask.png", "2.png": "2-seg.png"}),
        (["21_training.tif"], ["21_manual1.gif"], {"21_training.tif": "21_manual1.gif"}),
        (["a_1.png", "a_2.png"], ["a_3.png"], {}),
        (["1.png"], ["2.png"], {}),
    ],
)
def test_masks_belong_to_images_by_name(images: list[str], masks: list[str], expected: dict[str, str]) -> None:
    assert pair(images, masks) == expected


def test_one_folder_of_masks_is_the_target(tmp_path: Path) -> None:
    listing = listed(files(tmp_path, "Images/1.png", "Images/2.png", "Labels/1.png"))
    assert paired(listing) == {"Images/1": "Labels/1.png", "Images/2": None}
    assert [(label.name, label.value) for label in listing.targets[0].labels] == [("mask", 255)]
    assert "1 of 2 images in Images/ have no mask" in listing.notes


@pytest.mark.parametrize(
    "names",
    [
        ("imagesTr/1.png", "labelsTr/1.png", "imagesTs/2.png", "labelsTs/2.png"),
        ("train/images/1.png", "train/masks/1.png", "test/images/2.png", "test/masks/2.png"),
        ("images/train/1.png", "masks/train/1.png", "images/test/2.png", "masks/test/2.png"),
    ],
)
def test_splits_may_be_anywhere_in_the_path(names: tuple[str, ...], tmp_path: Path) -> None:
    listing = listed(files(tmp_path, *names))
    assert SOURCE.recognises(str(tmp_path))
    assert {case.split: paired(listing)[case.id] for case in listing.cases} == {"train": names[1], "test": names[3]}


def test_several_folders_of_masks_are_refused_until_one_is_chosen(tmp_path: Path) -> None:
    root = files(tmp_path, "images/1_x.png", "1st_manual/1_m.png", "mask/1_x_mask.png")
    with pytest.raises(BadUsage, match=r"1st_manual, mask.*--target"):
        listed(root)
    assert [target.name for target in listed(root, target="mask").targets] == ["mask", "1st_manual"]
    with pytest.raises(UnknownName, match="1st_manual, mask"):
        listed(root, target="vessels")


def test_masks_that_belong_to_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match="belongs to an image"):
        listed(files(tmp_path, "images/1.png", "masks/2.png"))


def test_a_table_beside_gives_patient_and_a_class(tmp_path: Path) -> None:
    root = files(tmp_path, *(f"{folder}/{n}.png" for folder in ("images", "masks") for n in range(4)))
    (root / "index.csv").write_text("file,patient,grade\n0.png,A,low\n1.png,A,low\n2.png,B,high\n3.png,C,high\n")
    listing = listed(root)
    assert [case.patient for case in listing.cases] == ["A", "A", "B", "C"]
    assert [(target.name, target.kind) for target in listing.targets] == [("grade", "category"), ("mask", "mask")]
