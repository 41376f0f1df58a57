"""What the quality checks find, and that a good image passes."""

import numpy as np
import pytest

from diascope.core import registry
from diascope.core.geometry import Geometry
from diascope.core.image import Image

RNG = np.random.default_rng(4)


def a_volume(modality: str) -> Image:
    """A believable 4 x 48 x 48 volume (2-D where that is usual)."""
    if modality == "ct":
        array = RNG.normal(40, 15, (1, 4, 48, 48))
        array[..., :10] = RNG.normal(-1000, 8, (1, 4, 48, 10)).clip(-1024)
        array = array.round().astype(np.int16)
    elif modality == "photo":
        array = RNG.integers(40, 220, (3, 1, 48, 48)).astype(np.uint8)
    elif modality in ("xray", "us"):
        array = RNG.integers(0, 255, (1, 1, 48, 48)).astype(np.uint8)
    else:
        array = RNG.gamma(2, 100, (1, 4, 48, 48)).astype(np.float32)
    return Image(array, Geometry.from_spacing((3.0, 1.0, 1.0)))


def found_in(modality: str, image: Image) -> set[str]:
    return set(registry.get("modalities", modality).quality(image))


@pytest.mark.parametrize("modality", registry.names("modalities"))
def test_a_good_image_passes(modality: str) -> None:
    assert found_in(modality, a_volume(modality)) == set()


def test_ct_that_is_not_in_hounsfield_units() -> None:
    good = a_volume("ct")
    assert "not-hounsfield" in found_in("ct", good.with_array((good.array + 1024).astype(np.uint16)))
    assert "not-hounsfield" in found_in("ct", good.with_array(good.array.astype(np.float32) * 1000))
    assert "not-hounsfield" in found_in("ct", good.with_array(np.minimum(good.array, -700)))


def test_ct_padding_is_named_with_its_share() -> None:
    good = a_volume("ct")
    padded = good.array.copy()
    padded[..., :12] = -2000
    image = good.with_array(padded)
    assert registry.get("modalities", "ct").quality(image)["padding"].startswith("25.0% of the voxels")


def test_empty_and_repeated_slices_are_counted() -> None:
    good = a_volume("mr")
    array = good.array.copy()
    array[:, 2] = array[:, 1]
    array[:, 3] = 0
    found = registry.get("modalities", "mr").quality(good.with_array(array))
    assert found == {
        "empty-slices": "1 of 4 slices are empty: 3",
        "repeated-slices": "1 of 4 slices repeat the one before",
    }


def test_a_saturated_film() -> None:
    film = a_volume("xray")
    assert found_in("xray", film.with_array(np.minimum(film.array, 200))) == {"saturated"}


def test_a_black_ultrasound_frame_and_a_frozen_clip() -> None:
    frame = np.zeros((1, 1, 48, 48), np.uint8)
    frame[..., :2, :2] = 200
    assert "dark" in found_in("us", a_volume("us").with_array(frame))
    clip = np.repeat(a_volume("us").array, 3, axis=1)
    assert "frozen" in found_in("us", a_volume("us").with_array(clip))


def test_negative_activity() -> None:
    pet = a_volume("pt")
    assert found_in("pt", pet.with_array(pet.array - 500)) == {"negative"}


def test_a_photograph_out_of_focus_dark_or_overexposed() -> None:
    photo = a_volume("photo")
    ramp = np.tile(np.linspace(0, 250, 400, dtype=np.float32), (3, 1, 300, 1))
    assert found_in("photo", photo.with_array(ramp)) == {"blurred"}
    assert "dark" in found_in("photo", photo.with_array((photo.array // 16).astype(np.uint8)))
    assert "overexposed" in found_in("photo", photo.with_array(np.maximum(photo.array, 150).clip(0, 151)))
