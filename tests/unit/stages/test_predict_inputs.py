"""A folder with several series of a study, read by a release that reads several images."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from diascope.core.errors import DataRefused
from diascope.engine.preparing import read_images
from diascope.stages.predict import incoming


@pytest.fixture(autouse=True)
def _own_key(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIASCOPE_PSEUDONYM_KEY", str(tmp_path_factory.mktemp("key") / "key"))


def a_series(root: Path, study: str, modality: str, value: int) -> None:
    """Three axial slices of one value."""
    uid = f"{study}.{value}"
    for k in range(3):
        data = pydicom.Dataset()
        data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, f"{uid}.{k}"
        data.StudyInstanceUID, data.SeriesInstanceUID, data.PatientID = study, uid, f"P{study}"
        data.FrameOfReferenceUID, data.Modality = f"{study}.7", modality
        data.ImageType, data.Rows, data.Columns = ["ORIGINAL", "PRIMARY"], 4, 4
        data.ImagePositionPatient, data.ImageOrientationPatient = [0, 0, k], [1, 0, 0, 0, 1, 0]
        data.PixelSpacing, data.SliceThickness = [1.0, 1.0], 1.0
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit, data.PixelRepresentation, data.SamplesPerPixel = 15, 0, 1
        data.PhotometricInterpretation, data.Units = "MONOCHROME2", "BQML"
        data.PixelData = np.full((4, 4), value, "<u2").tobytes()
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        folder = root / study / modality
        folder.mkdir(parents=True, exist_ok=True)
        data.save_as(folder / f"{k}.dcm", enforce_file_format=True)


def a_release(*inputs: str) -> Any:
    """What `incoming` asks of a release: its inputs, and the modality of each."""
    of = {"ct": "ct", "pt": "pt", "anatomy": "ct", "metabolism": "pt"}
    rules = tuple(SimpleNamespace(input=name, modality=of.get(name, "ct")) for name in inputs)
    return SimpleNamespace(
        plan={"image_inputs": list(inputs)},
        release=SimpleNamespace(gate=SimpleNamespace(rules=rules), source="manifest"),
    )


@pytest.mark.parametrize("names", [("ct", "pt"), ("pt", "ct"), ("anatomy", "metabolism")])
def test_both_series_of_a_study_are_read(names: tuple[str, str], tmp_path: Path) -> None:
    for study in ("1.2.1", "1.2.2"):
        a_series(tmp_path, study, "CT", 100)
        a_series(tmp_path, study, "PT", 200)
    found = list(incoming(str(tmp_path), a_release(*names)))
    assert len(found) == 2
    for one in found:
        images = read_images(one.case, one.root, names)
        assert {name: image.modality for name, image in images.items()} == {
            name: "ct" if name in ("ct", "anatomy") else "pt" for name in names
        }
        assert one.case.targets == {}


def test_one_study_alone_is_enough(tmp_path: Path) -> None:
    a_series(tmp_path, "1.2.1", "CT", 100)
    a_series(tmp_path, "1.2.1", "PT", 200)
    (one,) = incoming(str(tmp_path / "1.2.1"), a_release("ct", "pt"))
    assert list(one.case.inputs) == ["ct", "pt"]


def test_a_study_without_one_of_the_images_says_which(tmp_path: Path) -> None:
    a_series(tmp_path, "1.2.1", "CT", 100)
    (one,) = incoming(str(tmp_path), a_release("ct", "pt"))
    with pytest.raises(DataRefused, match=r"has no image input 'pt'\. Given: ct"):
        read_images(one.case, one.root, ("ct", "pt"))


def test_a_release_of_one_image_reads_one_series(tmp_path: Path) -> None:
    a_series(tmp_path, "1.2.1", "CT", 100)
    a_series(tmp_path, "1.2.1", "PT", 200)
    (one,) = incoming(str(tmp_path), a_release("image"))
    assert list(one.case.inputs) == ["image"]
