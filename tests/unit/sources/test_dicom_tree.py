from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pydicom.uid
import pytest

from diascope.core.case import FileRef
from diascope.core.errors import DataRefused
from diascope.formats.dicomio.headers import Instance, Segment, Series
from diascope.sources import Listing, SourceOptions
from diascope.sources.dicom_tree import SOURCE
from diascope.sources.studies.choosing import choose, in_words, plane_of
from diascope.sources.studies.labels import mask_of, mask_target

DATA = Path(__file__).parents[4] / "shared" / "data"
AXIAL, CORONAL, SAGITTAL = (1, 0, 0, 0, 1, 0), (1, 0, 0, 0, 0, -1), (0, 1, 0, 0, 0, -1)
PATIENT, NAME = "MRN-4711", "Doe^Jane"


@pytest.fixture(autouse=True)
def _own_key(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIASCOPE_PSEUDONYM_KEY", str(tmp_path_factory.mktemp("key") / "key"))


def a_series(uid: str = "1.9", modality: str = "CT", **facts: object) -> Series:
    values: dict[str, object] = {"orientation": AXIAL, "slice_thickness": 5.0, "image_type": ("ORIGINAL", "PRIMARY")}
    values.update(facts)
    instance = Instance(Path("x"), "1.2", f"{uid}.1", "1", uid, PATIENT, modality, rows=4, columns=4, frames=1)
    return Series(uid, (replace(instance, **values),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("better", "worse", "reason"),
    [
        ({}, {"image_type": ("ORIGINAL", "PRIMARY", "LOCALIZER")}, "no localiser, report or capture"),
        ({}, {"series_description": "Scout 350mm"}, "no localiser, report or capture"),
        ({}, {"series_description": "Dose Report"}, "no localiser, report or capture"),
        ({}, {"modality": "SR"}, "no localiser, report or capture"),
        ({}, {"modality": "PT"}, "modality CT"),
        ({}, {"modality": "RTDOSE"}, "no localiser, report or capture"),
        ({}, {"image_type": ("DERIVED", "SECONDARY", "MPR")}, "original, not derived"),
        ({}, {"orientation": CORONAL}, "axial slices"),
        ({"orientation": CORONAL}, {"orientation": SAGITTAL}, "coronal slices"),
        ({"slice_thickness": 1.0}, {"slice_thickness": 5.0}, "the thinnest slices"),
        ({"series_description": "Low dose screening"}, {"slice_thickness": 6.0}, "the thinnest slices"),
    ],
)
def test_rules_choose_one_series(better: dict[str, object], worse: dict[str, object], reason: str) -> None:
    good, bad = a_series("1.1", **better), a_series("1.2", **worse)  # type: ignore[arg-type]
    for candidates in ((good, bad), (bad, good)):
        choice = choose(candidates, frozenset(), "CT")
        assert (choice.chosen, choice.reason, choice.clear) == ((good,), reason, True)
        assert choice.candidates == tuple(map(in_words, candidates))


def test_of_two_pets_the_one_corrected_for_attenuation_is_chosen() -> None:
    good = a_series("1.1", "PT", corrected=("DECY", "ATTN", "SCAT"))
    choice = choose((a_series("1.2", "PT", corrected=("DECY",)), good), frozenset(), "PT")
    assert (choice.chosen, choice.reason) == ((good,), "corrected for attenuation")


def test_a_seg_outweighs_every_other_rule() -> None:
    thin, labelled = a_series("1.1", slice_thickness=1.0), a_series("1.2", image_type=("DERIVED",))
    assert choose((thin, labelled), frozenset({"1.2"}), "CT").chosen == (labelled,)


def test_two_equal_series_are_not_decided() -> None:
    choice = choose((a_series("1.1"), a_series("1.2")), frozenset(), "CT")
    assert (len(choice.chosen), choice.clear, choice.reason) == (2, False, "no rule tells them apart")


def test_projections_are_cases_of_their_own() -> None:
    views = [a_series(f"1.{n}", "MG", orientation=None, slice_thickness=None) for n in range(4)]
    choice = choose(views, frozenset(), "MG")
    assert (len(choice.chosen), choice.clear) == (4, True)


@pytest.mark.parametrize(
    ("orientation", "plane"),
    [(AXIAL, "axial"), (CORONAL, "coronal"), (SAGITTAL, "sagittal"), ((0.8, 0.6, 0, 0, 0, -1), "oblique"), (None, "")],
)
def test_planes(orientation: tuple[float, ...] | None, plane: str) -> None:
    assert plane_of(a_series(orientation=orientation)) == plane


def test_segs_belong_to_series_and_agree_on_numbers() -> None:
    series = a_series("1.9")
    one = replace(series.first, referenced_series_uids=("1.9",), segments=(Segment(2, "liver", "SCT", "10200004"),))
    other = replace(one, referenced_series_uids=("1.8",), segments=(Segment(2, "spleen"),))
    assert mask_of(series, [one, other]) is one
    assert mask_of(series, [other]) is None
    by_instance = replace(other, referenced_sop_uids=("1.9.1",))
    assert mask_of(series, [by_instance]) is by_instance
    with pytest.raises(DataRefused, match="2 SEG objects refer to one series"):
        mask_of(series, [one, one])
    target = mask_target([(one, series), (one, series)])
    assert target is not None
    assert [(label.name, label.value, label.code) for label in target.labels] == [("liver", 2, "SCT:10200004")]
    with pytest.raises(DataRefused, match="segment 2 is 'liver' in one SEG and 'spleen'"):
        mask_target([(one, series), (other, series)])


def slices(root: Path, study: str, series: str = "9", patient: str = PATIENT, **facts: object) -> None:
    for index in range(2):
        data = pydicom.Dataset()
        data.SOPClassUID = pydicom.uid.CTImageStorage
        data.SOPInstanceUID = f"{study}.{series}.{index}"
        data.StudyInstanceUID, data.SeriesInstanceUID = study, f"{study}.{series}"
        data.PatientID, data.PatientName, data.PatientSex, data.PatientAge = patient, NAME, "F", "061Y"
        data.Manufacturer, data.InstitutionName = "ACME", "General Hospital"
        data.Modality, data.Rows, data.Columns = "CT", 4, 4
        data.ImagePositionPatient, data.ImageOrientationPatient = [0, 0, index], [1, 0, 0, 0, 1, 0]
        data.PixelSpacing, data.SliceThickness = [1, 1], 1
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit, data.PixelRepresentation, data.SamplesPerPixel = 15, 0, 1
        data.PhotometricInterpretation = "MONOCHROME2"
        data.PixelData = np.zeros((4, 4), np.uint16).tobytes()
        for name, value in facts.items():
            setattr(data, name, value)
        data.file_meta = pydicom.dataset.FileMetaDataset()
        data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        (root / study / series).mkdir(parents=True, exist_ok=True)
        data.save_as(root / study / series / str(index), enforce_file_format=True)


def listed(root: Path, **options: str) -> Listing:
    return SOURCE.list(str(root), SourceOptions(**options))


def test_a_table_by_study_and_no_identity_in_any_case(tmp_path: Path) -> None:
    slices(tmp_path, "1.2.1")
    slices(tmp_path, "1.2.2")
    slices(tmp_path, "1.2.3", patient="")
    (tmp_path / "labels.csv").write_text("StudyInstanceUID,PatientName,label\n1.2.1,Doe,x\n1.2.2,Doe,y\n")
    listing = listed(tmp_path)
    first, second, third = listing.cases
    assert [case.targets["label"] for case in listing.cases] == ["x", "y", None]
    assert first.patient == second.patient != third.patient
    assert [case.patient_known for case in listing.cases] == [True, True, False]
    assert first.covariates == {"sex": "F", "age": 61.0, "manufacturer": "ACME"}
    assert first.site is None
    assert first.inputs["image"] == FileRef(format="dicom", paths=("1.2.1/9/0", "1.2.1/9/1"), modality="ct")
    told = " ".join((*listing.notes, *(case.model_dump_json(exclude={"inputs"}) for case in listing.cases)))
    for identity in (PATIENT, "Doe", "Hospital", "1.2.1"):
        assert identity not in told
    assert "1 of 3 cases have no patient: each counts as its own" in listing.notes


def test_a_table_by_patient_or_series(tmp_path: Path) -> None:
    for study, series in (("1.2.1", "8"), ("1.2.1", "9"), ("1.2.2", "9")):
        slices(tmp_path, study, series)
    table = tmp_path / "labels.csv"
    table.write_text("SeriesInstanceUID,label,center\n1.2.1.8,x,R\n1.2.2.9,y,S\n")
    listing = listed(tmp_path)
    assert {case.inputs["image"].paths[0]: (case.targets["label"], case.site) for case in listing.cases} == {  # type: ignore[union-attr]
        "1.2.1/8/0": ("x", "R"),
        "1.2.2/9/0": ("y", "S"),
    }
    assert "2 series are named by the table; 1 others were left out" in listing.notes
    table.write_text(f"PatientID,label\n{PATIENT},x\n")
    with pytest.raises(DataRefused, match=r"in 1 of 2 studies no rule says.*CT axial 1 mm 2 images"):
        listed(tmp_path)
    slices(tmp_path, "1.2.1", "8", SeriesDescription="scout")
    listing = listed(tmp_path)
    assert [case.targets["label"] for case in listing.cases] == ["x", "x"]
    assert {case.patient_known for case in listing.cases} == {True}
    assert any("was chosen (no localiser, report or capture) of" in note for note in listing.notes)


def test_a_table_with_no_key_of_the_tree_is_refused(tmp_path: Path) -> None:
    slices(tmp_path, "1.2.1")
    (tmp_path / "labels.csv").write_text("StudyInstanceUID,label\n9.9,x\n")
    with pytest.raises(DataRefused, match=r"no column of labels\.csv holds a PatientID"):
        listed(tmp_path)


def test_a_broken_file_is_a_problem_and_not_the_end(tmp_path: Path) -> None:
    slices(tmp_path, "1.2.1")
    (tmp_path / "broken.dcm").write_bytes(b"no DICOM")
    (problem,) = listed(tmp_path).problems
    assert problem.title == "1 DICOM files cannot be read"
    assert "broken.dcm" in problem.detail


def test_case_ids_are_the_same_next_time_and_others_with_another_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slices(tmp_path / "tree", "1.2.1")
    first, again = listed(tmp_path / "tree"), listed(tmp_path / "tree")
    assert first == again
    monkeypatch.setenv("DIASCOPE_PSEUDONYM_KEY", str(tmp_path / "other.key"))
    assert listed(tmp_path / "tree").cases[0].id != first.cases[0].id


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
def test_real_seg_chooses_its_series() -> None:
    listing = listed(DATA / "dicom" / "derived" / "dcmqi" / "data" / "segmentations" / "23x38x3")
    (case,) = listing.cases
    assert case.targets == {"mask": FileRef(format="dicom_seg", paths=("seg/label.seg",))}
    assert [(label.name, label.value) for label in listing.targets[0].labels] == [("Liver", 1)]
