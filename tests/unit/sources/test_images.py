"""A folder of images without labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from diascope.core import registry
from diascope.core.errors import BadUsage, DataRefused
from diascope.sources import SourceOptions

SOURCE = registry.get("sources", "images")


def a_folder(root: Path, *paths: str) -> Path:
    for number, path in enumerate(paths):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        Picture.fromarray(np.full((6, 6), number, np.uint8)).save(root / path)
    return root


def test_every_image_is_a_case_of_its_own_patient_without_targets(tmp_path: Path) -> None:
    listing = SOURCE.list(str(a_folder(tmp_path, "a.png", "deep/er/b.png", "c.jpg")), SourceOptions())
    assert [case.id for case in listing.cases] == ["a", "c", "deep/er/b"]
    assert listing.targets == ()
    assert not any(case.patient_known or case.targets for case in listing.cases)


def test_masks_are_left_out_and_said(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, "a.png", "a_mask.png", "images/b.png", "masks/b.png")
    listing = SOURCE.list(str(folder), SourceOptions())
    assert [case.id for case in listing.cases] == ["a", "images/b"]
    assert "2 files are called as masks" in listing.notes[1]


def test_it_recognises_nothing_by_itself(tmp_path: Path) -> None:
    assert SOURCE.recognises(str(a_folder(tmp_path, "a.png"))) is None


def test_nothing_and_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match="no image in"):
        SOURCE.list(str(tmp_path), SourceOptions())
    with pytest.raises(DataRefused, match="no folder of images"):
        SOURCE.list(str(tmp_path / "absent"), SourceOptions())
    with pytest.raises(BadUsage, match="has no columns"):
        SOURCE.list(str(a_folder(tmp_path, "a.png")), SourceOptions(patient="who"))
