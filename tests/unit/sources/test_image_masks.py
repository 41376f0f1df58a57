from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile

from diascope import formats
from diascope.core.case import FileRef
from diascope.core.errors import BadUsage, DataRefused, UnknownName, UnreadableFile
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
        (["1.tif", "2.tif"], ["1.png", "2.png"], {"1.tif": ("1.png",), "2.tif": ("2.png",)}),
        (["1.png", "2.png"], ["1_mask.png", "2-seg.png"], {"1.png": ("1_mask.png",), "2.png": ("2-seg.png",)}),
        (["0.png"], ["0_mask.png", "0_mask_1.png"], {"0.png": ("0_mask.png", "0_mask_1.png")}),
        (["0.png"], ["0.png", "0_mask.png"], {"0.png": ("0.png", "0_mask.png")}),
        (["1.png", "1_mask.png"], ["1.png", "1_mask.png"], {"1.png": ("1.png",), "1_mask.png": ("1_mask.png",)}),
        (["21_training.tif"], ["21_manual1.gif"], {"21_training.tif": ("21_manual1.gif",)}),
        (["a_1.png", "a_2.png"], ["a_3.png"], {}),
        (["1.png"], ["2.png"], {}),
    ],
)
def test_masks_belong_to_images_by_name(
    images: list[str], masks: list[str], expected: dict[str, tuple[str, ...]]
) -> None:
    found = pair(images, masks)
    assert found.masks == expected
    assert found.alone == tuple(
        name for name in masks if name not in {one for all_ in expected.values() for one in all_}
    )


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
    (tmp_path / "docs").mkdir()
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


def a_mask(path: Path, values: dict[tuple[int, int], int], size: int = 8) -> None:
    array = np.zeros((size, size), np.uint8)
    for place, value in values.items():
        array[place] = value
    PIL.Image.fromarray(array).save(path)


def test_several_masks_of_one_image_are_united_and_that_is_said(tmp_path: Path) -> None:
    root = files(tmp_path, "images/0.png", "images/1.png", "masks/1_mask.png", "masks/9_mask.png")
    a_mask(root / "masks" / "0_mask.png", {(1, 1): 255})
    a_mask(root / "masks" / "0_mask_1.png", {(1, 1): 255, (6, 6): 255})
    listing = listed(root)
    mask = listing.cases[0].targets["mask"]
    assert isinstance(mask, FileRef)
    assert mask.paths == ("masks/0_mask.png", "masks/0_mask_1.png")
    image = formats.read(mask, root)
    assert np.argwhere(image.array[0, 0]).tolist() == [[1, 1], [6, 6]]
    assert image.history == ("2 masks were united",)
    assert [(label.name, label.value) for label in listing.targets[0].labels] == [("mask", 255)]
    notes = " ".join(listing.notes)
    assert "1 images in images/ have several masks, such as 0_mask.png, 0_mask_1.png: they are united" in notes
    assert "1 masks in masks/ belong to no image, such as 9_mask.png: left out" in notes


def test_masks_of_several_structures_are_not_united(tmp_path: Path) -> None:
    root = files(tmp_path, "images/0.png", "images/1.png", "masks/1_mask.png")
    a_mask(root / "masks" / "0_mask.png", {(1, 1): 1})
    a_mask(root / "masks" / "0_mask_1.png", {(6, 6): 2})
    with pytest.raises(DataRefused, match=r"hold 3 labels.*masks/0_mask.png, masks/0_mask_1.png"):
        listed(root)


def test_masks_of_two_sizes_are_not_united(tmp_path: Path) -> None:
    root = files(tmp_path, "images/0.png", "masks/0_mask.png")
    a_mask(root / "masks" / "0_mask_1.png", {(1, 1): 255}, size=9)
    ref = FileRef(format="picture", paths=("masks/0_mask.png", "masks/0_mask_1.png"), item="union")
    with pytest.raises(UnreadableFile, match=r"0_mask_1.png: it lies on another grid than 0_mask.png"):
        formats.read(ref, root)


def test_a_structure_of_few_masks_is_a_label(tmp_path: Path) -> None:
    names = [f"{number}.png" for number in range(60)]
    root = files(tmp_path, *(f"{folder}/{name}" for folder in ("images", "masks") for name in names))
    for number in range(60):
        a_mask(root / "masks" / f"{number}.png", {(1, 1): 1} if number not in (17, 43) else {(1, 1): 1, (2, 2): 2})
    listing = listed(root)
    assert [label.value for label in listing.targets[0].labels] == [1, 2]
    assert "mask 'mask': values 1 (in 60), 2 (in 2) beside 0 in 60 masks; labels.json may name them" in listing.notes


@pytest.mark.parametrize("value", [-3, 70_000])
def test_values_that_no_label_map_holds_are_refused(value: int, tmp_path: Path) -> None:
    root = files(tmp_path, "images/0.png", "masks/0.tif")
    tifffile.imwrite(root / "masks" / "0.tif", np.full((8, 8), value, np.int32))
    with pytest.raises(DataRefused, match=f"holds {value}; labels are whole numbers from 1 to 65535"):
        listed(root)


def test_values_of_16_bits_are_labels(tmp_path: Path) -> None:
    root = files(tmp_path, "images/0.png", "masks/0.png")
    PIL.Image.fromarray(np.full((8, 8), 300, np.uint16)).save(root / "masks" / "0.png")
    assert [label.value for label in listed(root).targets[0].labels] == [300]
