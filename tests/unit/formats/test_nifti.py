"""NIfTI headers of every persuasion."""

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest

from diascope.core.errors import DataRefused, UnreadableFile
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.formats.nifti import FORMAT

AFFINE = np.array([[2.0, 0, 0, -10], [0, 3, 0, 20], [0, 0, 4, 30], [0, 0, 0, 1]])
"""RAS: 2, 3 and 4 mm along right, front and head."""


def a_file(folder: Path, array: np.ndarray | None = None, **header: object) -> Path:
    """A file with sform and qform as in `AFFINE`, and header fields as given."""
    array = np.arange(60, dtype=np.int16).reshape(3, 4, 5) if array is None else array
    file = nibabel.Nifti1Image(array, AFFINE)
    file.header.set_xyzt_units("mm")
    file.set_sform(AFFINE, 1)
    file.set_qform(AFFINE, 1)
    content = bytearray(file.to_bytes())
    fresh = nibabel.Nifti1Header(bytes(content[:348]))
    for name, value in header.items():
        fresh[name] = value
    content[:348] = fresh.binaryblock
    path = folder / "x.nii"
    path.write_bytes(bytes(content))
    return path


def test_axes_are_reversed_and_ras_becomes_lps(tmp_path: Path) -> None:
    image = FORMAT.read([a_file(tmp_path)])
    assert image.array.shape == (1, 5, 4, 3)
    assert image.array[0, 4, 3, 2] == 59
    assert image.geometry.spacing == (4.0, 3.0, 2.0)
    np.testing.assert_allclose(image.geometry.to_mm((4, 3, 2)), (10 - 2 * 2, -20 - 3 * 3, 30 + 4 * 4))
    assert image.history == ()


def test_a_disagreement_of_sform_and_qform_is_noted_and_the_sform_wins(tmp_path: Path) -> None:
    image = FORMAT.read([a_file(tmp_path, qoffset_x=-3.0)])
    assert image.history == ("sform and qform disagree by up to 7.0 mm; the sform was used",)
    assert image.geometry.origin == (10.0, -20.0, 30.0)


def test_without_an_sform_the_qform_is_used(tmp_path: Path) -> None:
    image = FORMAT.read([a_file(tmp_path, sform_code=0, qoffset_x=-3.0)])
    assert image.geometry.origin == (3.0, -20.0, 30.0)
    assert image.history == ()


def test_without_either_the_sides_are_assumed_and_that_is_noted(tmp_path: Path) -> None:
    image = FORMAT.read([a_file(tmp_path, sform_code=0, qform_code=0)])
    assert image.geometry.spacing == (4.0, 3.0, 2.0)
    assert "RAS axes were assumed" in image.history[0]


def test_micrometres_become_millimetres(tmp_path: Path) -> None:
    image = FORMAT.read([a_file(tmp_path, xyzt_units=3)])
    assert image.geometry.spacing == pytest.approx((0.004, 0.003, 0.002))
    assert "micron" in image.history[0]


def test_slope_and_intercept_are_applied(tmp_path: Path) -> None:
    image = FORMAT.read([a_file(tmp_path, scl_slope=2.0, scl_inter=-1024.0)])
    assert image.array.dtype == np.float32
    assert image.array[0, 4, 3, 2] == 59 * 2 - 1024


def test_big_endian_values_come_in_this_machines_order(tmp_path: Path) -> None:
    array = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    file = nibabel.Nifti1Image(array, AFFINE).as_reoriented([[0, 1], [1, 1], [2, 1]])
    swapped = nibabel.Nifti1Image(array, AFFINE, file.header.as_byteswapped(">"))
    nibabel.save(swapped, tmp_path / "x.nii")
    image = FORMAT.read([tmp_path / "x.nii"])
    assert image.array.dtype.isnative
    assert image.array[0, 4, 3, 2] == 59


def test_the_fourth_axis_is_channels_and_one_can_be_chosen(tmp_path: Path) -> None:
    path = a_file(tmp_path, np.arange(120, dtype=np.float32).reshape(3, 4, 5, 2))
    assert FORMAT.read([path]).array.shape == (2, 5, 4, 3)
    assert FORMAT.read([path], "channel:1").array[0, 0, 0, 0] == 1
    for item in ("channel:2", "channel:-1", "frame:0", "channel"):
        with pytest.raises(UnreadableFile, match="channel"):
            FORMAT.read([path], item)


def test_a_packed_file_is_unpacked_once_for_all_its_channels_and_again_when_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, unpack, times = tmp_path / "x.nii.gz", gzip.decompress, []
    monkeypatch.setattr(gzip, "decompress", lambda content: times.append(1) or unpack(content))

    def written(first: int) -> list[float]:
        values = np.arange(first, first + 180, dtype=np.float32).reshape(3, 4, 5, 3)
        path.write_bytes(gzip.compress(a_file(tmp_path, values).read_bytes()))
        return [float(FORMAT.read([path], f"channel:{n}").array[0, 0, 0, 0]) for n in range(3)]

    assert written(0) == [0, 1, 2]
    assert len(times) == 1
    FORMAT.read([path], "channel:0")
    assert written(1000) == [1000, 1001, 1002]


def test_a_flat_file_has_one_slice(tmp_path: Path) -> None:
    assert FORMAT.read([a_file(tmp_path, np.ones((3, 4), np.uint8))]).array.shape == (1, 1, 4, 3)


@pytest.mark.parametrize(
    ("array", "reason"),
    [(np.ones((2, 2, 2), np.complex64), "colour or complex"), (np.ones((2, 2, 2, 2, 2), np.uint8), "four axes")],
)
def test_what_is_not_an_image_of_channels_is_refused(tmp_path: Path, array: np.ndarray, reason: str) -> None:
    with pytest.raises(UnreadableFile, match=reason):
        FORMAT.read([a_file(tmp_path, array)])


def test_an_affine_of_zeros_is_refused(tmp_path: Path) -> None:
    path = a_file(tmp_path, srow_x=np.zeros(4), qform_code=0)
    with pytest.raises(UnreadableFile, match="invertible"):
        FORMAT.read([path])


def test_sheared_axes_go_to_the_sform_alone(tmp_path: Path) -> None:
    affine = np.eye(4)
    affine[0, 1] = 0.3
    image = Image(np.ones((1, 2, 3, 4), np.uint8), Geometry(affine))
    FORMAT.write(image, tmp_path / "x.nii")
    header = nibabel.load(tmp_path / "x.nii").header
    assert (int(header["sform_code"]), int(header["qform_code"])) == (1, 0)
    assert FORMAT.read([tmp_path / "x.nii"]).geometry.is_close(image.geometry)


def test_both_forms_are_written_and_agree(tmp_path: Path) -> None:
    image = Image(np.ones((1, 2, 3, 4), bool), Geometry.from_spacing((5, 2, 1), (1, 2, 3)), unit="label")
    FORMAT.write(image, tmp_path / "x.nii.gz")
    header = nibabel.load(tmp_path / "x.nii.gz").header
    assert (int(header["sform_code"]), int(header["qform_code"])) == (1, 1)
    np.testing.assert_allclose(header.get_sform(), header.get_qform(), atol=1e-5)
    back = FORMAT.read([tmp_path / "x.nii.gz"])
    assert (back.unit, back.array.dtype) == ("label", np.uint8)


def test_equal_images_give_equal_bytes(tmp_path: Path) -> None:
    image = Image(np.ones((1, 2, 3, 4), np.uint8), Geometry.unknown())
    for name in ("a.nii.gz", "b.nii.gz"):
        FORMAT.write(image, tmp_path / name)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()
    assert not FORMAT.read([tmp_path / "a.nii.gz"]).geometry.physical


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match="nii"):
        FORMAT.write(Image(np.ones((1, 2, 3, 4), np.uint8), Geometry.unknown()), tmp_path / "x.img")
