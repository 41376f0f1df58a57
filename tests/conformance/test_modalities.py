"""Promises of every modality: a new file in `modalities/` is tested by existing."""

import numpy as np
import pytest

from diascope.core import registry
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.modalities import of_dicom_code

NAMES = registry.names("modalities")
RULES = {"window", "z-score", "scale", "grey", "rgb"}


def an_image(array: np.ndarray) -> Image:
    return Image(array, Geometry.from_spacing((2.0, 1.0, 1.0)))


@pytest.mark.parametrize("name", NAMES)
def test_it_says_how_its_images_are_coded_scaled_and_shown(name: str) -> None:
    modality = registry.get("modalities", name)
    assert modality.unit
    assert modality.intensity in RULES
    assert isinstance(modality.mirror, bool)
    assert all(window.width > 0 and window.name for window in modality.windows)
    assert len({window.name for window in modality.windows}) == len(modality.windows)
    assert all(code == code.upper() for code in modality.dicom_codes)


@pytest.mark.parametrize("name", NAMES)
def test_its_dicom_codes_lead_back_to_it(name: str) -> None:
    for code in registry.get("modalities", name).dicom_codes:
        assert of_dicom_code(code.lower()) == name


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(1, 1, 32, 32), (1, 4, 32, 32), (3, 1, 32, 32)])
def test_quality_finds_a_constant_image_and_values_that_are_no_numbers(name: str, shape: tuple[int, ...]) -> None:
    modality = registry.get("modalities", name)
    assert "constant" in modality.quality(an_image(np.full(shape, 7, np.int16)))
    broken = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    broken[0, 0, 3, 3] = np.nan
    found = modality.quality(an_image(broken))
    assert "not-finite" in found
    assert all(isinstance(text, str) and text for text in found.values())


def test_an_unknown_dicom_code_is_unknown() -> None:
    assert of_dicom_code("SR") == "unknown"
