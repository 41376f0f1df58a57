"""Images side by side in one window, and what was made as a file."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from PIL import Image as Pillow

from diascope import formats
from diascope.core.case import FileRef
from diascope.core.figure import Picture
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.engine.task import Prediction
from diascope.reports.made_files import is_series, made_files
from diascope.reports.panels import GAP, panels
from diascope.reports.words import choose
from diascope.store.releases import OpenRelease


def opened() -> OpenRelease:
    release: Any = SimpleNamespace(label="x@1", seal="0123456789abcdef0123")
    return cast(OpenRelease, SimpleNamespace(release=release))


def pixels(picture: Picture) -> np.ndarray:
    return np.asarray(Pillow.open(io.BytesIO(base64.b64decode(picture.png))).convert("L"))


def a_flat(values: np.ndarray) -> Image:
    return Image(values[None, None].astype(np.float32), Geometry.unknown(), unit="grey")


def test_the_slice_is_shown_in_which_most_is_wrong() -> None:
    target = np.zeros((3, 10, 10), np.float32)
    target[:, :5] = 100
    wrong = target.copy()
    wrong[2, 2:4, 2:4] += 40
    image = Image(target[None], Geometry.unknown(), unit="HU")
    picture = panels((image, image.with_array(wrong[None])), image, "p1")
    shown = pixels(picture)
    side = (shown.shape[1] - 3 * GAP) // 4
    last = shown[:, -side:]
    assert last[side // 4, side // 4] > 200  # more was made than is true
    assert 120 < last[-side // 4, -side // 4] < 136  # grey is 0
    assert picture.caption.endswith("mean absolute error 0.533 HU")
    assert choose("zh-CN").phrase(picture.caption) != picture.caption


def test_without_a_target_two_are_shown_in_one_window() -> None:
    image = a_flat(np.tile(np.linspace(0, 200, 20), (20, 1)))
    picture = panels((image, image.with_array(image.array + 20)), None, "p1")
    shown = pixels(picture)
    side = (shown.shape[1] - GAP) // 2
    assert shown[:, -side:].mean() > shown[:, :side].mean() - 1
    assert picture.caption == "input, made"


def test_a_picture_becomes_a_picture_and_a_volume_a_volume(tmp_path: Path) -> None:
    made = a_flat(np.linspace(-3, 250.4, 400).reshape(20, 20))
    picture = FileRef(format="picture", paths=("a.png",))
    files = made_files(opened(), Prediction((), made=made, error=made), picture, tmp_path)
    assert files == {"made": "made.png", "expected_error": "expected_error.nii.gz"}
    back = formats.read(FileRef(format="picture", paths=("made.png",)), tmp_path)
    assert (back.array.min(), back.array.max(), back.array.dtype) == (0, 250, np.uint8)
    assert back.attributes["synthetic"] == "diascope x@1 0123456789abcdef"
    volume = Image(
        np.ones((1, 3, 4, 5), np.float32), Geometry.from_spacing((2.0, 1.0, 1.0), (1.0, 2.0, 3.0)), unit="HU"
    )
    series = FileRef(format="dicom", paths=("1.dcm",))
    assert made_files(opened(), Prediction((), made=volume), series, tmp_path) == {"made": "made.nii.gz"}
    back = formats.read(FileRef(format="nifti", paths=("made.nii.gz",)), tmp_path)
    assert back.unit == "HU"
    assert back.geometry.is_close(volume.geometry)
    assert "synthetic" in back.attributes
    assert is_series(series)
    assert not is_series(picture)
