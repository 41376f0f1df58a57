"""What an adopted network is given is what MONAI gives it: order and direction of axes, grey values."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from diascope.core import registry
from diascope.core.case import FileRef
from diascope.engine.orienting import upright
from diascope.formats import read
from diascope.models.files.arranging import arranged

nibabel = pytest.importorskip("nibabel")
monai = pytest.importorskip("monai")


@pytest.mark.parametrize("stored", ["RAS", "LPS", "LAS", "PIR", "SRA"])
@pytest.mark.parametrize("wanted", ["RAS", "LPS", "SPL", "ALI"])
def test_a_volume_lies_as_monai_turns_it(tmp_path: Path, stored: str, wanted: str) -> None:
    sides = {"R": 5, "L": 5, "A": 6, "P": 6, "S": 7, "I": 7}
    affine = np.zeros((4, 4))
    for axis, letter in enumerate(stored):
        affine["RAS".find(letter) if letter in "RAS" else "LPI".find(letter), axis] = 1 if letter in "RAS" else -1
    affine[:, 3] = (10, -20, 30, 1)
    assert nibabel.aff2axcodes(affine) == tuple(stored)
    array = np.random.default_rng(0).integers(-1200, 900, [sides[one] for one in stored]).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(array, affine), tmp_path / "v.nii.gz")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MONAI's own
        from monai.transforms import Compose, EnsureChannelFirst, LoadImage, Orientation, ScaleIntensityRange

        steps = [
            LoadImage(image_only=True, reader="NibabelReader"),
            EnsureChannelFirst(),
            Orientation(axcodes=wanted),
            ScaleIntensityRange(-1000, 400, 0, 1, clip=True),
        ]
        expected = np.asarray(Compose(steps)(str(tmp_path / "v.nii.gz")))
    image = upright(read(FileRef(format="nifti", paths=("v.nii.gz",)), tmp_path))
    rule = {"rule": "window", "low": -1000, "high": 400, "mean": -1000, "std": 1400}
    scaled, _ = registry.get("transforms", "intensity").apply(
        torch.from_numpy(image.array.astype(np.float32)), image.geometry, rule, False
    )
    found = arranged(scaled.numpy()[None], wanted, False)[0]
    assert found.shape == expected.shape
    assert np.allclose(found, expected, atol=1e-6)
