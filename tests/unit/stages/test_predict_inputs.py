"""A folder with several series of a study, read by a release that reads several images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image as Pillow
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from diascope.core.errors import BadUsage, DataRefused
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


class Planned(dict[str, Any]):
    """Choices of a plan by name, and its target."""

    target: Any = None


def a_release(*inputs: str, target: str = "mask", tables: Sequence[str] = ()) -> Any:
    """What `incoming` asks of a release: its inputs, the modality of each, and what its target is called."""
    of = {"ct": "ct", "pt": "pt", "anatomy": "ct", "metabolism": "pt", "ADC": "mr", "T2": "mr"}
    rules = tuple(SimpleNamespace(input=name, modality=of.get(name, "ct")) for name in inputs)
    readings = {name: {"kind": "table", "columns": [name]} for name in tables}
    plan = Planned(image_inputs=list(inputs), readings=readings)
    plan.target = SimpleNamespace(name=target)
    return SimpleNamespace(
        plan=plan,
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


def a_volume(path: Path, *values: int) -> Path:
    """A NIfTI file of 2 x 3 x 4 voxels, with a channel for each value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.stack([np.full((4, 3, 2), value, np.int16) for value in values], axis=-1)
    nibabel.save(nibabel.Nifti1Image(array[..., 0] if len(values) == 1 else array, np.eye(4)), path)
    return path


def seen(one: Any, names: tuple[str, ...]) -> list[float]:
    """The one value of each image input."""
    images = read_images(one.case, one.root, names)
    assert [images[name].modality for name in names] == ["mr"] * len(names)
    return [float(image.array.max()) for image in images.values()]


@pytest.mark.parametrize("names", [("ADC", "T2"), ("T2", "ADC")])
def test_the_channels_of_one_file_are_the_inputs_in_the_order_of_the_plan(
    names: tuple[str, ...], tmp_path: Path
) -> None:
    a_volume(tmp_path / "imagesTs" / "a.nii.gz", 1, 2)
    a_volume(tmp_path / "imagesTs" / "scan_2024.nii.gz", 3, 4)
    a_volume(tmp_path / "imagesTs" / "scan_2025.nii.gz", 5, 6)
    found = list(incoming(str(tmp_path / "imagesTs"), a_release(*names)))
    assert {one.case.id: seen(one, names) for one in found} == {"a": [1, 2], "scan_2024": [3, 4], "scan_2025": [5, 6]}
    (one,) = incoming(str(tmp_path / "imagesTs" / "scan_2024.nii.gz"), a_release(*names))
    assert seen(one, names) == [3, 4]
    assert list(one.case.inputs) == list(names)


def test_channel_files_are_one_case(tmp_path: Path) -> None:
    names = ("ADC", "T2")
    for case, first in (("x", 1), ("y_0007", 3)):
        for number in (1, 0):
            a_volume(tmp_path / "imagesTs" / f"{case}_{number:04d}.nii.gz", first + number)
    found = list(incoming(str(tmp_path / "imagesTs"), a_release(*names)))
    assert {one.case.id: seen(one, names) for one in found} == {"x": [1, 2], "y_0007": [3, 4]}
    (one,) = incoming(str(tmp_path / "imagesTs" / "x_0000.nii.gz"), a_release(*names))
    assert (one.case.id, seen(one, names)) == ("x", [1, 2])


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"x.nii.gz": 3}, r"x\.nii\.gz holds 3 channels, and the release reads 2 images: ADC, T2.*x_0000 to x_0001"),
        ({"x.nii.gz": 1}, r"x\.nii\.gz holds 1 channel, and the release reads 2 images"),
        ({"x_0000.nii.gz": 1}, r"x has the channel files 0000, and the release reads.*0000 \(ADC\), 0001 \(T2\).*Comp"),
        ({"x_0001.nii.gz": 1, "x_0002.nii.gz": 1}, "x has the channel files 0001, 0002, and the release reads"),
    ],
)
def test_other_channels_than_the_release_reads_are_refused_case_by_case(
    files: dict[str, int], said: str, tmp_path: Path
) -> None:
    for name, channels in files.items():
        a_volume(tmp_path / name, *range(channels))
    a_volume(tmp_path / "sound.nii.gz", 1, 2)
    refused, sound = sorted(incoming(str(tmp_path), a_release("ADC", "T2")), key=lambda one: one.case.id, reverse=True)
    assert sound.refused is None
    with pytest.raises(DataRefused, match=said):
        raise refused.refused
    assert {path for ref in refused.case.inputs.values() for path in ref.paths} == set(files)


def test_a_broken_file_among_channels_is_that_case_only(tmp_path: Path) -> None:
    a_volume(tmp_path / "sound.nii.gz", 1, 2)
    (tmp_path / "broken.nii.gz").write_bytes(b"no image")
    broken, sound = incoming(str(tmp_path), a_release("ADC", "T2"))
    assert seen(sound, ("ADC", "T2")) == [1, 2]
    with pytest.raises(DataRefused, match=r"cannot read .*broken\.nii\.gz"):
        read_images(broken.case, broken.root, ("ADC", "T2"))


def test_a_release_of_one_image_reads_a_file_that_is_called_like_a_channel(tmp_path: Path) -> None:
    a_volume(tmp_path / "x_0000.nii.gz", 1)
    a_volume(tmp_path / "x_0001.nii.gz", 2)
    found = list(incoming(str(tmp_path), a_release("image")))
    assert [one.case.id for one in found] == ["x_0000", "x_0001"]
    (one,) = incoming(str(tmp_path / "x_0000.nii.gz"), a_release("image"))
    assert [ref.item for ref in one.case.inputs.values()] == [None]


def a_picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed)
    Pillow.fromarray(noise.integers(0, 255, (8, 8), dtype=np.uint8)).save(path)


def test_two_folders_of_masks_beside_the_images_need_no_choice(tmp_path: Path) -> None:
    """As the test part of DRIVE; the release may have been trained on one of them, or on another data set."""
    for number in (1, 2):
        a_picture(tmp_path / "images" / f"{number:02d}_test.png", number)
        for folder, name in (("1st_manual", "manual1"), ("mask", "test_mask")):
            (tmp_path / folder).mkdir(exist_ok=True)
            Pillow.fromarray(np.eye(8, dtype=np.uint8)).save(tmp_path / folder / f"{number:02d}_{name}.png")
    for target in ("1st_manual", "vessel"):
        found = list(incoming(str(tmp_path), a_release("image", target=target)))
        assert [one.case.id for one in found] == ["images/01_test", "images/02_test"]
        assert {path for one in found for path in one.case.inputs["image"].paths} == {
            "images/01_test.png",
            "images/02_test.png",
        }
        assert all(one.root == tmp_path and one.case.targets == {} for one in found)
    assert any("images alone" in note for note in found[0].notes)


@pytest.mark.parametrize("table", ["metadata.csv", "HAM10000_metadata.csv"])
def test_folders_of_portions_beside_a_table_need_no_choice(table: str, tmp_path: Path) -> None:
    """As HAM10000: the folders are no classes, and the table may be called anything."""
    rows = ["image_id,dx"]
    for number in range(6):
        a_picture(tmp_path / f"part_{1 + number // 3}" / f"{number}.png", number)
        rows.append(f"{number},{('nv', 'mel')[number % 2]}")
    (tmp_path / table).write_text("\n".join(rows))
    for target in ("dx", "lesion"):
        found = list(incoming(str(tmp_path), a_release("image", target=target)))
        assert [one.case.id for one in found] == [f"part_{1 + n // 3}/{n}" for n in range(6)]


def test_images_alone_are_not_read_where_a_release_needs_the_table(tmp_path: Path) -> None:
    for number in range(4):
        a_picture(tmp_path / f"part_{1 + number // 2}" / f"{number}.png", number)
    (tmp_path / "metadata.csv").write_text("image,dx\n0,a\n1,b\n2,a\n3,b\n")
    with pytest.raises(BadUsage, match="do not agree"):
        list(incoming(str(tmp_path), a_release("image", target="lesion", tables=["age"])))


def test_a_table_is_read_by_the_source_of_the_training_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever else recognises it: another source may read no rows."""

    def never(location: str) -> str:
        raise AssertionError(location)

    monkeypatch.setattr("diascope.stages.predict.recognise", never)
    (tmp_path / "new.csv").write_text("patient,age,label\np1,61,ill\n")
    release = a_release(tables=["age"], target="label")
    release.release.source = "table"
    (one,) = incoming(str(tmp_path / "new.csv"), release)
    assert one.case.inputs["table"].values == {"age": 61}  # type: ignore[union-attr]
