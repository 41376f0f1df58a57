"""Phantoms in every transfer syntax that can be written decode to what DCMTK decodes (RELIABILITY B13)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import JPEG2000, JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSNearLossless

from diascope.formats.dicomio.decoder import Job, decoder
from diascope.testing.objects import SYNTAXES, seeds

TOOLS = {".4.50": "dcmdjpeg", ".4.70": "dcmdjpeg", ".4.80": "dcmdjpls", ".4.81": "dcmdjpls", ".2.5": "dcmdrle"}
BY_OTHERS = [syntax for syntax in SYNTAXES if syntax not in (JPEG2000, JPEG2000Lossless)]


@pytest.mark.external
@pytest.mark.skipif(shutil.which("dcmdjpeg") is None, reason="needs Debian's dcmtk")
@pytest.mark.parametrize("syntax", BY_OTHERS, ids=lambda syntax: syntax.name)
def test_phantoms_decode_as_dcmtk_decodes_them(tmp_path: Path, syntax: pydicom.uid.UID) -> None:
    """B13: lossless identical, lossy within 1."""
    compared = 0
    for name, content in seeds():
        path, plain = tmp_path / "one.dcm", tmp_path / "plain.dcm"
        path.write_bytes(content)
        header = pydicom.dcmread(path, stop_before_pixels=True)
        if header.file_meta.TransferSyntaxUID != syntax or "Rows" not in header:
            continue
        tool = next((tool for end, tool in TOOLS.items() if syntax.endswith(end)), "dcmconv")
        subprocess.run([tool, "+te", str(path), str(plain)], check=True, capture_output=True)
        theirs = pydicom.dcmread(plain).pixel_array.astype(np.int32)
        frames = int(header.get("NumberOfFrames") or 1)
        theirs = theirs.reshape(frames, *theirs.shape[-3 if header.SamplesPerPixel == 3 else -2 :])
        every = tuple(range(frames))
        job = Job(path, every, every, (1.0,) * frames, (0.0,) * frames)
        ours = decoder().pixels([job], theirs.shape, np.int32)
        off = 1 if syntax in (JPEGBaseline8Bit, JPEGLSNearLossless) else 0
        assert np.abs(ours - theirs).max() <= off, name
        compared += 1
    assert compared >= 6


def test_lossless_phantoms_decode_to_what_was_written(tmp_path: Path) -> None:
    """B13: the syntaxes that DCMTK has no decoder for, and all others, against the plain file."""
    plain: dict[str, np.ndarray] = {}
    for name, content in seeds():
        path = tmp_path / "one.dcm"
        path.write_bytes(content)
        dataset = pydicom.dcmread(path)
        kind = name.split(", ")[0]
        if "Rows" not in dataset or dataset.file_meta.TransferSyntaxUID in (
            JPEG2000, JPEGBaseline8Bit, JPEGLSNearLossless,
        ):  # fmt: skip
            continue
        if kind not in plain:  # the first of each kind is explicit little endian
            values = dataset.pixel_array.astype(np.int32)
            frames = int(dataset.get("NumberOfFrames") or 1)
            plain[kind] = values.reshape(frames, *values.shape[-3 if dataset.SamplesPerPixel == 3 else -2 :])
        every = tuple(range(len(plain[kind])))
        job = Job(path, every, every, (1.0,) * len(every), (0.0,) * len(every))
        ours = decoder().pixels([job], plain[kind].shape, np.int32)
        np.testing.assert_array_equal(ours, plain[kind], err_msg=name)
    assert len(plain) == 10
