"""DICOM objects as bytes, made of numbers: phantoms of every kind and transfer syntax that can be written here."""

from __future__ import annotations

import copy
import io
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    JPEG2000,
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

ROOT = "1.2.826.0.1.3680043.10.9999"
"""UIDs of phantoms begin so."""

SEED_INSTANCE = 1_000_001
"""Number of the instance in the UIDs of `seeds`: seven digits that can be replaced."""

SYNTAXES = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
    RLELossless,
    JPEG2000Lossless,
    JPEG2000,
    JPEGLSLossless,
    JPEGLSNearLossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
)
"""Those that can be written without other programs."""


def uids(study: int, series: int = 1, instance: int = 1) -> tuple[str, str, str]:
    """UIDs of a phantom: of its study, series and instance."""
    return f"{ROOT}.{study}", f"{ROOT}.{study}.{series}", f"{ROOT}.{study}.{series}.{instance}"


def a_dataset(
    study: int = 1, series: int = 1, instance: int = 1, pixels: npt.NDArray[Any] | None = None, **elements: Any
) -> FileDataset:
    """An object of a made-up patient.

    Args:
        study: Number of the study.
        series: Number of the series in it.
        instance: Number of the instance in that.
        pixels: (rows, columns[, 3]) or (frames, rows, columns); default 16 × 16 of 16 bits.
        **elements: Keyword to value; None leaves it out.
    """
    if pixels is None:
        pixels = (np.arange(256, dtype=np.uint16) * 7 + instance % 1000).reshape(16, 16)
    study_uid, series_uid, uid = uids(study, series, instance)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, CTImageStorage
    meta.MediaStorageSOPInstanceUID = UID(uid)
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    plain = {
        "SpecificCharacterSet": "ISO_IR 192", "SOPClassUID": CTImageStorage, "SOPInstanceUID": uid,
        "StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid, "Modality": "CT",
        "PatientName": f"Phantom^{study}", "PatientID": f"P{study}", "PatientBirthDate": "19700101", "PatientSex": "F",
        "AccessionNumber": f"A{study}", "StudyID": f"S{study}", "StudyDate": "20260102", "StudyTime": "101112",
        "StudyDescription": "chest", "SeriesDescription": "thin", "SeriesNumber": series, "InstanceNumber": instance,
        "BodyPartExamined": "CHEST", "SliceThickness": "1.0", "PixelSpacing": [0.7, 0.7],
        "ImagePositionPatient": [0, 0, instance], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        **_pixels(pixels),
    }  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd on purpose
        for name, value in {**plain, **elements}.items():
            if value is not None:
                setattr(dataset, name, value)
    meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", CTImageStorage)
    meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", UID(uid))
    return dataset


def an_object(
    study: int = 1, series: int = 1, instance: int = 1, syntax: str = ExplicitVRLittleEndian, **elements: Any
) -> bytes:
    """The bytes of `a_dataset`, in a transfer syntax."""
    return as_bytes(a_dataset(study, series, instance, **elements), syntax)


def as_bytes(dataset: FileDataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """A data set as a file, in a transfer syntax.

    Raises:
        ValueError: When its pixels cannot be written so (`RuntimeError` by some encoders).
    """
    if UID(syntax).is_encapsulated and "PixelData" in dataset:
        _compress(dataset, UID(syntax))
    elif UID(syntax).is_encapsulated:
        raise ValueError("there are no pixels to compress")
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    if syntax == ExplicitVRBigEndian:
        if dataset.get("BitsAllocated") == 16:
            dataset.PixelData = np.frombuffer(dataset.PixelData, np.uint16).byteswap().tobytes()
        dataset.set_original_encoding(False, False)
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()


def seeds() -> Iterator[tuple[str, bytes]]:
    """Name and bytes of one phantom for each kind of pixels and each transfer syntax that can hold it."""
    for number, (kind, elements) in enumerate(_kinds().items(), start=1):
        for syntax in SYNTAXES:
            try:
                content = as_bytes(a_dataset(number, 1, SEED_INSTANCE, **elements), syntax)
            except (ValueError, RuntimeError, NotImplementedError, AttributeError):
                continue  # this encoder cannot: 12 bits in baseline JPEG, for example
            yield f"{kind}, {syntax.name}", content


def _kinds() -> dict[str, dict[str, Any]]:
    rng = np.random.default_rng(0)
    grey8 = rng.integers(0, 255, (40, 36), np.uint8)
    nested = Dataset()
    for level in range(6):
        outer = Dataset()
        outer.ContentLabel, outer.ContentSequence = f"LEVEL{level}", [nested]
        nested = outer
    chinese = {"SpecificCharacterSet": "GB18030", "PatientName": "Wang^XiaoDong=王^小东=", "StudyDescription": "胸部"}
    return {
        "grey 8": {"pixels": grey8},
        "grey 16": {"pixels": rng.integers(0, 4095, (40, 36), np.uint16)},
        "signed 16": {"pixels": rng.integers(-1024, 3000, (40, 36)).astype(np.int16)},
        "smooth": {"pixels": np.add.outer(np.arange(48), np.arange(64)).astype(np.uint16)},
        "colour": {"pixels": rng.integers(0, 255, (40, 36, 3), np.uint8), "Modality": "XC"},
        "frames": {"pixels": rng.integers(0, 255, (5, 40, 36), np.uint8), "Modality": "US"},
        "large": {"pixels": (rng.normal(500, 30, (160, 160))).astype(np.uint16)},
        "inverted": {"pixels": grey8[:33], "PhotometricInterpretation": "MONOCHROME1", "Modality": "DX"},
        "nested": {"pixels": grey8[:34], "ContentSequence": [nested]},
        "chinese": {"pixels": grey8[:35], **chinese},
        "report": {"pixels": np.zeros((0, 0), np.uint8), "Modality": "SR", "ContentSequence": [nested]},
    }


def _pixels(pixels: npt.NDArray[Any]) -> dict[str, Any]:
    if pixels.size == 0:
        return {}
    colour = pixels.ndim >= 3 and pixels.shape[-1] == 3
    rows, columns = pixels.shape[-3:-1] if colour else pixels.shape[-2:]
    bits = pixels.dtype.itemsize * 8
    frames = {"NumberOfFrames": len(pixels)} if pixels.ndim == 3 and not colour else {}
    return {
        "Rows": rows, "Columns": columns, "BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"), "SamplesPerPixel": 3 if colour else 1,
        "PhotometricInterpretation": "RGB" if colour else "MONOCHROME2", **frames,
        **({"PlanarConfiguration": 0} if colour else {}),
        "PixelData": pixels.tobytes() + b"\0" * (pixels.nbytes % 2),
    }  # fmt: skip


def _compress(dataset: FileDataset, syntax: UID) -> None:
    if syntax == JPEGBaseline8Bit:
        dataset.PixelData = encapsulate(_by_pillow(dataset))
    elif syntax == JPEGLosslessSV1:
        dataset.PixelData = _by_gdcm(dataset)
    else:
        lossy: dict[str, dict[str, Any]] = {JPEG2000: {"j2k_cr": [4]}, JPEGLSNearLossless: {"jls_error": 2}}
        dataset.compress(syntax, generate_instance_uid=False, **lossy.get(syntax, {}))
        return
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True


def _frames(dataset: FileDataset) -> list[bytes]:
    count = int(dataset.get("NumberOfFrames") or 1)
    length = len(dataset.PixelData) // count
    return [dataset.PixelData[k * length : (k + 1) * length] for k in range(count)]


def _by_pillow(dataset: FileDataset) -> list[bytes]:
    from PIL import Image

    if dataset.BitsAllocated != 8:
        raise ValueError("baseline JPEG has 8 bits")
    frames, size = [], (dataset.Columns, dataset.Rows)
    for frame in _frames(dataset):
        out = io.BytesIO()
        Image.frombytes("RGB" if dataset.SamplesPerPixel == 3 else "L", size, frame).save(out, "JPEG", quality=90)
        frames.append(out.getvalue())
    if dataset.SamplesPerPixel == 3:
        dataset.PhotometricInterpretation = "YBR_FULL_422"
    return frames


def _by_gdcm(dataset: FileDataset) -> bytes:
    """Pixel data as lossless JPEG (process 14, selection value 1), for which pydicom has no encoder."""
    import gdcm

    with tempfile.TemporaryDirectory() as folder:
        plain, made = Path(folder, "plain.dcm"), Path(folder, "made.dcm")
        plain.write_bytes(as_bytes(copy.deepcopy(dataset)))
        reader = gdcm.ImageReader()
        reader.SetFileName(str(plain))
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
        writer = gdcm.ImageWriter()
        writer.SetFileName(str(made))
        if not reader.Read():
            raise ValueError("gdcm cannot read this")
        change.SetInput(reader.GetImage())
        if not change.Change():
            raise ValueError("gdcm cannot write this as lossless JPEG")
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        if not writer.Write():
            raise ValueError("gdcm cannot write this as lossless JPEG")
        return bytes(pydicom.dcmread(made).PixelData)
