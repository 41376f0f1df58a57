"""Several series of a study as inputs side by side: CT and PET, sequences of an MR."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pydicom
import pytest
import torch
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, SegmentationStorage

from diascope.core.case import Case, FileRef, Target
from diascope.core.errors import DataRefused, UnsoundGeometry
from diascope.core.plan import Choice, Plan
from diascope.engine.preparing import read_images, stack
from diascope.formats.dicomio.headers import Instance, Series
from diascope.sources import Listing, SourceOptions
from diascope.sources.dicom_tree import SOURCE
from diascope.sources.studies.sequences import sequence_of


@pytest.fixture(autouse=True)
def _own_key(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIASCOPE_PSEUDONYM_KEY", str(tmp_path_factory.mktemp("key") / "key"))


def a_series(
    root: Path,
    study: str,
    name: str,
    shape: tuple[int, int, int] = (2, 4, 4),
    mm: tuple[float, float] = (1.0, 1.0),
    **facts: object,
) -> str:
    """Axial slices whose value is the millimetre of their height, `mm` = slice and pixel spacing. Gives the UID."""
    uid = f"{study}.{sum(map(ord, name))}"
    for k in range(shape[0]):
        data = pydicom.Dataset()
        data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, f"{uid}.{k}"
        data.StudyInstanceUID, data.SeriesInstanceUID, data.PatientID = study, uid, f"P{study}"
        data.FrameOfReferenceUID, data.Modality = f"{study}.7", name.upper() if name in ("ct", "pt", "mr") else "MR"
        data.SeriesDescription, data.ImageType = name, ["ORIGINAL", "PRIMARY"]
        data.Rows, data.Columns = shape[1:]
        data.ImagePositionPatient, data.ImageOrientationPatient = [0, 0, k * mm[0]], [1, 0, 0, 0, 1, 0]
        data.PixelSpacing, data.SliceThickness = [mm[1], mm[1]], mm[0]
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit, data.PixelRepresentation, data.SamplesPerPixel = 15, 0, 1
        data.PhotometricInterpretation = "MONOCHROME2"
        data.PixelData = np.full(shape[1:], round(10 * k * mm[0]), "<u2").tobytes()
        for key, value in facts.items():
            setattr(data, key, value)
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        folder = root / study / name.replace(" ", "_")
        folder.mkdir(parents=True, exist_ok=True)
        data.save_as(folder / f"{k}.dcm", enforce_file_format=True)
    return uid


def a_label(root: Path, study: str, series: str) -> None:
    """What the listing needs of a SEG: a segment, and the series that it refers to."""
    data, segment, reference = pydicom.Dataset(), pydicom.Dataset(), pydicom.Dataset()
    data.SOPClassUID, data.SOPInstanceUID, data.Modality = SegmentationStorage, f"{series}.99", "SEG"
    data.StudyInstanceUID, data.SeriesInstanceUID = study, f"{series}.98"
    segment.SegmentNumber, segment.SegmentLabel = 1, "lesion"
    reference.SeriesInstanceUID = series
    data.SegmentSequence, data.ReferencedSeriesSequence = [segment], [reference]
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.save_as(root / study / "label.dcm", enforce_file_format=True)


def listed(root: Path) -> Listing:
    return SOURCE.list(str(root), SourceOptions())


def inputs(case: Case) -> dict[str, tuple[str, str | None]]:
    """Input to the folder that it is read from and its modality."""
    return {
        name: (Path(ref.paths[0]).parent.name, ref.modality)
        for name, ref in case.inputs.items()
        if isinstance(ref, FileRef)
    }


def a_plan(names: list[str]) -> Plan:
    plain = {name: {"rule": "window", "low": [-1e9], "high": [1e9], "mean": [0.0], "std": [1.0]} for name in names}
    choices: Mapping[str, object] = {"image_inputs": names, "channels": dict.fromkeys(names, 1), "intensity": plain}
    return Plan(
        dataset="d", task="t", target=Target(name="x", kind="none", columns=()), seed=0,
        choices={key: Choice(value=value, kind="fixed", reason="test") for key, value in choices.items()},
    )  # fmt: skip


def test_ct_and_pet_of_every_study_are_inputs_on_one_grid_in_mm(tmp_path: Path) -> None:
    for study in ("1.2.1", "1.2.2"):
        a_series(tmp_path, study, "pt", (3, 4, 4), (4.0, 2.0), Units="BQML")
        a_series(tmp_path, study, "ct", (9, 8, 8), (1.0, 1.0))
        a_series(tmp_path, study, "scout", (1, 4, 4), Modality="CT", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    listing = listed(tmp_path)
    case, _ = listing.cases
    assert list(case.inputs) == ["ct", "pt"]
    assert inputs(case) == {"ct": ("ct", "ct"), "pt": ("pt", "pt")}
    assert listing.notes[0] == (
        "2 studies: every one has ct and pt in one frame of reference: each is an input, on the grid of ct"
    )
    candidates = next(note for note in listing.notes if note.startswith("candidates in study-"))
    assert "CT axial 1 mm 9 images" in candidates
    assert "PT axial 4 mm 3 images" in candidates
    assert "LOCALIZER" in candidates
    plan = a_plan(["ct", "pt"])
    images = read_images(case, listing.root, ("ct", "pt"))
    volume, geometry = stack(images, plan)
    assert volume.shape == (2, 9, 8, 8)
    assert geometry.spacing == (1.0, 1.0, 1.0)
    height = torch.arange(9.0)[:, None, None].expand(9, 7, 7) * 10
    torch.testing.assert_close(volume[:, :, :7, :7], torch.stack([height, height]))


def test_stacking_refuses_another_frame_of_reference(tmp_path: Path) -> None:
    a_series(tmp_path, "1.2.1", "ct")
    a_series(tmp_path, "1.2.1", "pt", mm=(2.0, 2.0))
    case = listed(tmp_path).cases[0]
    a_series(tmp_path, "1.2.1", "pt", mm=(2.0, 2.0), FrameOfReferenceUID="1.2.1.8")
    with pytest.raises(UnsoundGeometry, match="different frames of reference"):
        stack(read_images(case, tmp_path, ("ct", "pt")), a_plan(["ct", "pt"]))


@pytest.mark.parametrize("frame", ["1.2.1.8", None])
def test_another_or_no_frame_of_reference_is_refused_with_the_candidates(frame: str | None, tmp_path: Path) -> None:
    a_series(tmp_path, "1.2.1", "ct")
    a_series(tmp_path, "1.2.1", "pt", FrameOfReferenceUID=frame)
    with pytest.raises(
        DataRefused, match=r"ct and pt share no frame of reference.*study-.*CT axial.*PT axial.*Register"
    ):
        listed(tmp_path)


def test_what_is_labelled_stays_the_input_where_the_frames_differ(tmp_path: Path) -> None:
    for study in ("1.2.1", "1.2.2"):
        ct = a_series(tmp_path, study, "ct")
        a_series(tmp_path, study, "pt", FrameOfReferenceUID=f"{study}.8")
        a_label(tmp_path, study, ct)
    listing = listed(tmp_path)
    assert [inputs(case) for case in listing.cases] == [{"image": ("ct", "ct")}] * 2
    assert "no input, because not in the frame of reference of what is labelled: pt" in listing.notes


def test_the_labelled_input_gives_the_grid(tmp_path: Path) -> None:
    for study in ("1.2.1", "1.2.2"):
        a_series(tmp_path, study, "ct")
        a_label(tmp_path, study, a_series(tmp_path, study, "pt", mm=(4.0, 4.0)))
    listing = listed(tmp_path)
    assert [list(case.inputs) for case in listing.cases] == [["pt", "ct"]] * 2
    assert [case.targets["mask"] is not None for case in listing.cases] == [True, True]


def test_the_series_of_each_input_lie_in_one_frame(tmp_path: Path) -> None:
    a_series(tmp_path, "1.2.1", "thin", mm=(0.5, 1.0), Modality="CT", FrameOfReferenceUID="1.2.1.8")
    a_series(tmp_path, "1.2.1", "ct", mm=(3.0, 1.0))
    a_series(tmp_path, "1.2.1", "pt", mm=(4.0, 4.0))
    assert inputs(listed(tmp_path).cases[0]) == {"ct": ("ct", "ct"), "pt": ("pt", "pt")}


def test_a_modality_that_one_study_lacks_is_no_input_and_that_is_said(tmp_path: Path) -> None:
    for study in ("1.2.1", "1.2.2", "1.2.3"):
        a_series(tmp_path, study, "ct")
        if study != "1.2.3":
            a_series(tmp_path, study, "pt")
    listing = listed(tmp_path)
    assert [list(case.inputs) for case in listing.cases] == [["image"]] * 3
    assert "pt is in 2 of 3 studies: no input of its own, because every study must have it" in listing.notes
    assert any("was chosen (modality CT) of" in note for note in listing.notes)


def test_two_series_that_no_rule_parts_are_refused(tmp_path: Path) -> None:
    a_series(tmp_path, "1.2.1", "ct")
    a_series(tmp_path, "1.2.1", "again", Modality="CT")
    a_series(tmp_path, "1.2.1", "pt")
    with pytest.raises(DataRefused, match=r"in 1 of 1 studies no rule says.*CT axial 1 mm 2 images"):
        listed(tmp_path)


def test_the_same_sequences_in_every_study_are_inputs(tmp_path: Path) -> None:
    for study, words in (
        ("1.2.1", ("T1 TSE ax", "t2_tse_tra", "FLAIR")),
        ("1.2.2", ("eT1W", "sT2W", "t2_tirm_dark-fluid")),
    ):
        for number, word in enumerate(words):
            a_series(tmp_path, study, word, mm=(2.0 + number, 1.0))
        a_series(tmp_path, study, "T2 sag", ImageOrientationPatient=[0, 1, 0, 0, 0, -1])
        a_series(tmp_path, study, "unnamed thing", mm=(0.5, 0.5))
    listing = listed(tmp_path)
    first, second = listing.cases
    assert list(first.inputs) == list(second.inputs)
    assert inputs(first) == {"t1": ("T1_TSE_ax", "mr"), "t2": ("t2_tse_tra", "mr"), "flair": ("FLAIR", "mr")}
    assert inputs(second) == {"t1": ("eT1W", "mr"), "t2": ("sT2W", "mr"), "flair": ("t2_tirm_dark-fluid", "mr")}
    assert any(note.startswith("t2: 2 studies: MR t2 axial") and "(axial slices)" in note for note in listing.notes)


def test_sequences_that_differ_between_studies_are_refused_with_the_candidates(tmp_path: Path) -> None:
    for word in ("t1", "t2"):
        a_series(tmp_path, "1.2.1", word)
        a_series(tmp_path, "1.2.2", word)
    a_series(tmp_path, "1.2.3", "t1")
    with pytest.raises(
        DataRefused, match=r"sequences differ.*t1, t2 in 2 studies, such as study-.*t1 in 1 studies.*SeriesInst"
    ):
        listed(tmp_path)
    for study in ("1.2.1", "1.2.2", "1.2.3"):
        uid = a_series(tmp_path, study, "t1", mm=(3.0, 3.0))
        a_label(tmp_path, study, uid)
    assert [inputs(case) for case in listed(tmp_path).cases] == [{"image": ("t1", "mr")}] * 3


def test_pet_with_mr_sequences(tmp_path: Path) -> None:
    for study in ("1.2.1", "1.2.2"):
        for word in ("t1", "t2 fs", "pt"):
            a_series(tmp_path, study, word)
    assert [set(case.inputs) for case in listed(tmp_path).cases] == [{"pt", "t1", "t2fs"}] * 2


def test_one_label_an_input_is_refused(tmp_path: Path) -> None:
    ct, pt = a_series(tmp_path, "1.2.1", "ct"), a_series(tmp_path, "1.2.1", "pt")
    a_label(tmp_path, "1.2.1", ct)
    (tmp_path / "1.2.1" / "label.dcm").rename(tmp_path / "1.2.1" / "first.dcm")
    a_label(tmp_path, "1.2.1", pt)
    with pytest.raises(
        DataRefused, match=r"several inputs have a SEG or RTSTRUCT of their own.*first\.dcm, label\.dcm"
    ):
        listed(tmp_path)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("AX T1 FLAIR", "t1"), ("t1_mprage_sag_p2_iso", "t1"), ("sT1W_3D_TFE", "t1"), ("T1 tra +C", "t1ce"),
        ("t1_tse_fs_tra post", "t1cefs"), ("T1ce", "t1ce"), ("T1w Gd", "t1ce"), ("t1 pre contrast", "t1"),
        ("T1 w/o contrast", "t1"), ("t2_tse_tra", "t2"), ("T2 FS cor", "t2fs"), ("Ax T2 FLAIR", "flair"),
        ("t2_tirm_tra_dark-fluid", "flair"), ("STIR cor", "stir"), ("T2* GRE", "t2star"), ("ep2d_diff_b1000", "dwi"),
        ("ADC (10^-6 mm2/s)", "adc"), ("PD_fs_sag", "pdfs"), ("SWI_Images", "swi"), ("localizer", ""), ("T10", ""),
    ],
)  # fmt: skip
def test_names_of_sequences(words: str, name: str) -> None:
    one = Instance(Path("x"), "1", "1", "1", "1", "P", "MR", series_description=words)
    assert sequence_of(Series("1", (one,))) == name
    by_protocol = Instance(Path("x"), "1", "1", "1", "1", "P", "MR", series_description="series 5", protocol=words)
    assert sequence_of(Series("1", (by_protocol,))) == name
    assert sequence_of(Series("1", (Instance(Path("x"), "1", "1", "1", "1", "P", "CT", words),))) == ""
