"""Pictures of every mode; what was changed on reading is said."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import SimpleITK

from diascope.core.errors import DataRefused, UnreadableFile
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.formats.picture import EXIF_ORIENTATION, FORMAT, SYNTHETIC

RNG = np.random.default_rng(5)
GREY = RNG.integers(0, 255, (6, 9), dtype=np.uint8)
COLOUR = RNG.integers(0, 255, (6, 9, 3), dtype=np.uint8)


def a_picture(path: Path, array: np.ndarray, **saving: object) -> Path:
    PIL.Image.fromarray(array).save(path, **saving)
    return path


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_grey_and_colour(tmp_path: Path, suffix: str) -> None:
    grey = FORMAT.read([a_picture(tmp_path / f"g{suffix}", GREY)])
    colour = FORMAT.read([a_picture(tmp_path / f"c{suffix}", COLOUR)])
    np.testing.assert_array_equal(grey.array, GREY[None, None])
    np.testing.assert_array_equal(colour.array[:, 0], COLOUR.transpose(2, 0, 1))
    assert (grey.geometry.physical, grey.unit, grey.history) == (False, "grey", ())


def test_jpeg_is_close_and_upper_case_is_recognised(tmp_path: Path) -> None:
    smooth = np.tile(np.linspace(0, 255, 32).astype(np.uint8), (32, 1))
    path = a_picture(tmp_path / "x.JPG", smooth, quality=95)
    assert FORMAT.recognises(path)
    assert np.abs(FORMAT.read([path]).array[0, 0].astype(int) - smooth).max() < 5


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_of_grey(tmp_path: Path, suffix: str) -> None:
    deep = RNG.integers(0, 65535, (6, 9), dtype=np.uint16)
    np.testing.assert_array_equal(FORMAT.read([a_picture(tmp_path / f"x{suffix}", deep)]).array[0, 0], deep)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bits_of_colour_are_not_cut_to_eight(tmp_path: Path, suffix: str, channels: int) -> None:
    deep = RNG.integers(0, 65535, (6, 9, channels), dtype=np.uint16)
    path = tmp_path / f"x{suffix}"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(deep, isVector=True), str(path))
    image = FORMAT.read([path])
    np.testing.assert_array_equal(image.array[:, 0], deep[..., :3].transpose(2, 0, 1))
    assert ("the alpha channel was dropped" in image.history) == (channels == 4)


def test_a_transparent_value_does_not_cut_sixteen_bits_of_grey_to_eight(tmp_path: Path) -> None:
    deep = RNG.integers(0, 65535, (6, 9), dtype=np.uint16)
    image = FORMAT.read([a_picture(tmp_path / "x.png", deep, transparency=700)])
    assert image.array.dtype == np.uint16
    np.testing.assert_array_equal(image.array[0, 0], deep)
    assert image.history == ("the transparent value 700 was ignored",)


def test_equal_channels_become_one(tmp_path: Path) -> None:
    image = FORMAT.read([a_picture(tmp_path / "x.png", np.dstack([GREY] * 3))])
    np.testing.assert_array_equal(image.array, GREY[None, None])
    assert image.history == ("the three colour channels are equal: read as one grey channel",)


def test_alpha_is_dropped_and_its_share_told(tmp_path: Path) -> None:
    alpha = np.full((6, 9), 255, np.uint8)
    alpha[:3] = 0
    image = FORMAT.read([a_picture(tmp_path / "x.png", np.dstack([COLOUR, alpha]))])
    np.testing.assert_array_equal(image.array[:, 0], COLOUR.transpose(2, 0, 1))
    assert "50.0%" in image.history[0]


def test_a_palette_is_looked_up_or_its_numbers_are_given(tmp_path: Path) -> None:
    numbers = RNG.integers(0, 3, (6, 9), dtype=np.uint8)
    picture = PIL.Image.new("P", (9, 6))
    picture.putdata(numbers.ravel().tolist())
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    picture.save(tmp_path / "x.png")
    image = FORMAT.read([tmp_path / "x.png"])
    np.testing.assert_array_equal(image.array[0, 0], np.where(numbers == 1, 255, 0))
    assert "palette" in image.history[0]
    labels = FORMAT.read([tmp_path / "x.png"], "index")
    np.testing.assert_array_equal(labels.array[0, 0], numbers)
    assert labels.unit == "label"
    with pytest.raises(UnreadableFile, match="palette"):
        FORMAT.read([a_picture(tmp_path / "c.png", COLOUR)], "index")


def test_one_bit_and_cmyk(tmp_path: Path) -> None:
    PIL.Image.fromarray(GREY > 100).save(tmp_path / "x.png")
    np.testing.assert_array_equal(FORMAT.read([tmp_path / "x.png"]).array[0, 0], (GREY > 100) * 255)
    PIL.Image.fromarray(COLOUR).convert("CMYK").save(tmp_path / "x.jpg")
    assert "CMYK" in FORMAT.read([tmp_path / "x.jpg"]).history[0]


def test_exif_orientation_turns_the_picture(tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    image = FORMAT.read([a_picture(tmp_path / "x.png", COLOUR, exif=exif)])
    np.testing.assert_array_equal(image.array[:, 0], np.rot90(COLOUR, -1).transpose(2, 0, 1))
    assert "EXIF" in image.history[0]


def test_a_file_of_several_pages_needs_an_item(tmp_path: Path) -> None:
    first, second = PIL.Image.fromarray(GREY), PIL.Image.fromarray(255 - GREY)
    first.save(tmp_path / "x.tif", save_all=True, append_images=[second])
    with pytest.raises(UnreadableFile, match="2 pages"):
        FORMAT.read([tmp_path / "x.tif"])
    np.testing.assert_array_equal(FORMAT.read([tmp_path / "x.tif"], "page:1").array[0, 0], 255 - GREY)
    with pytest.raises(UnreadableFile, match="page:2"):
        FORMAT.read([tmp_path / "x.tif"], "page:2")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp", ".gif"])
def test_a_picture_that_was_cut_off_is_refused(tmp_path: Path, suffix: str) -> None:
    path = a_picture(tmp_path / f"x{suffix}", COLOUR)
    whole = path.read_bytes()
    for kept in (0, 12, len(whole) // 2, len(whole) - 20):
        path.write_bytes(whole[:kept])
        with pytest.raises(UnreadableFile):
            FORMAT.read([path])


@pytest.mark.parametrize(
    ("array", "geometry", "name"),
    [
        (np.ones((1, 1, 4, 4), np.uint8), Geometry.from_spacing((1, 1, 1)), "x.png"),
        (np.ones((1, 2, 4, 4), np.uint8), Geometry.unknown(), "x.png"),
        (np.ones((1, 1, 4, 4), np.float32), Geometry.unknown(), "x.png"),
        (np.ones((1, 1, 4, 4), np.uint8), Geometry.unknown(), "x.jpg"),
    ],
)
def test_what_a_picture_cannot_hold_is_not_written(
    tmp_path: Path, array: np.ndarray, geometry: Geometry, name: str
) -> None:
    with pytest.raises(DataRefused):
        FORMAT.write(Image(array, geometry), tmp_path / name)
    assert not (tmp_path / name).exists()


def test_a_synthetic_picture_says_so_wherever_it_is_copied_to(tmp_path: Path) -> None:
    made = Image(GREY[None, None], Geometry.unknown(), unit="grey", attributes={"synthetic": "films@1, seed 3"})
    FORMAT.write(made, tmp_path / "x.png")
    back = FORMAT.read([tmp_path / "x.png"])
    assert back.attributes == {"synthetic": "films@1, seed 3"}
    assert back.history == (f"{SYNTHETIC} films@1, seed 3",)
    np.testing.assert_array_equal(back.array, made.array)
