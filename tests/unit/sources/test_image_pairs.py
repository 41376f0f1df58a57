"""Folders of images and of what is to be made of them; the same from a manifest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from diascope.core.case import FileRef, Target
from diascope.core.errors import BadUsage, DataRefused
from diascope.sources import Listing, SourceOptions, recognise
from diascope.sources.image_pairs import SOURCE, TARGET_NAME
from diascope.sources.manifest import SOURCE as MANIFEST
from diascope.sources.tables.reading import without_images


def files(root: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(np.full((8, 8), number, np.uint8)).save(root / name)
    return root


def paired(listing: Listing) -> dict[str, str | None]:
    refs = {case.id: case.targets[TARGET_NAME] for case in listing.cases}
    return {case: ref.paths[0] if isinstance(ref, FileRef) else None for case, ref in refs.items()}


def test_they_are_matched_by_stem(tmp_path: Path) -> None:
    root = files(
        tmp_path, "images/1.png", "images/2.png", "images/3.png", "targets/1.png", "targets/2.png", "targets/9.png"
    )
    assert recognise(str(root)) == "image_pairs"
    listing = SOURCE.list(str(root), SourceOptions())
    assert paired(listing) == {"images/1": "targets/1.png", "images/2": "targets/2.png", "images/3": None}
    assert listing.targets == (Target(name=TARGET_NAME, kind="image", columns=(TARGET_NAME,)),)
    assert listing.notes[:2] == (
        "1 of 3 images in images/ have no target_image",
        "1 images in targets/ belong to no input, such as 9.png: left out",
    )


@pytest.mark.parametrize(
    "names",
    [
        ("train/images/1.png", "train/targets/1.png", "test/images/2.png", "test/targets/2.png"),
        ("images/train/1.png", "images/test/2.png", "targets/train/1.png", "targets/test/2.png"),
        ("imagesTr/1.png", "targetsTr/1.png", "imagesTs/2.png", "targetsTs/2.png"),
    ],
)
def test_parts_are_kept(tmp_path: Path, names: tuple[str, ...]) -> None:
    listing = SOURCE.list(str(files(tmp_path, *names)), SourceOptions())
    assert sorted(str(case.split) for case in listing.cases) == ["test", "train"]
    assert all(isinstance(case.targets[TARGET_NAME], FileRef) for case in listing.cases)


def test_what_makes_no_pair_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match="no target belongs to an image"):
        SOURCE.list(str(files(tmp_path / "a", "images/1.png", "targets/5.png")), SourceOptions())
    with pytest.raises(BadUsage, match="several targets belong to one image"):
        SOURCE.list(
            str(files(tmp_path / "b", "images/1.png", "targets/1_mask_1.png", "targets/1_mask_2.png")), SourceOptions()
        )


def test_a_manifest_names_them_beside_other_targets(tmp_path: Path) -> None:
    files(tmp_path, "a.png", "b.png", "c.png", "d.png")
    lines = ["image,target_image,patient,grade", "a.png,b.png,p1,low", "c.png,d.png,p2,high"]
    (tmp_path / "manifest.csv").write_text("\n".join(lines) + "\n")
    listing = MANIFEST.list(str(tmp_path), SourceOptions())
    assert {target.name: target.kind for target in listing.targets} == {"target_image": "image", "grade": "category"}
    assert paired(listing) == {"a": "b.png", "c": "d.png"}
    grade = next(target for target in listing.targets if target.name == "grade")
    assert all(set(case.targets) == {"grade"} for case in without_images(listing.cases, listing.targets, grade))
    made = next(target for target in listing.targets if target.kind == "image")
    assert without_images(listing.cases, listing.targets, made) == list(listing.cases)


def test_a_manifest_whose_targets_are_not_there_is_refused(tmp_path: Path) -> None:
    files(tmp_path, "a.png")
    (tmp_path / "manifest.csv").write_text("image,target_image\na.png,gone.png\n")
    with pytest.raises(DataRefused, match="no target image that the column 'target_image'"):
        MANIFEST.list(str(tmp_path), SourceOptions())
