"""predict: every case has its own answer, whatever the others do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from PIL import Image as Pillow
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from diascope.core import registry
from diascope.core.case import Label
from diascope.core.errors import DataRefused, DoesNotFit
from diascope.core.evaluation import Gate, GateRule
from diascope.core.finding import Findings
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.engine.batch import Example, Output
from diascope.engine.reading import Reader
from diascope.stages.predict import Predictor, incoming, predict
from diascope.testing import a_case
from diascope.testing.releases import ORGANS, a_plan, a_release


def a_picture(path: Path, seed: int = 0) -> Path:
    Pillow.fromarray(np.random.default_rng(seed).integers(0, 255, (16, 16), dtype=np.uint8)).save(path)
    return path


def read(release: Path, location: Path, out: Path, **options: Any) -> dict[str, Findings]:
    """Folder name to what was written there."""
    predict(release, str(location), out, **options)
    return {path.parent.name: Findings.read(path) for path in out.glob("*/findings.json")}


def test_no_case_overwrites_another(tmp_path: Path) -> None:
    films = tmp_path / "films"
    films.mkdir()
    names = ("scan.png", "scan.bmp", "p 1.png", "p-1.png", "other.png")
    for number, name in enumerate(names):
        a_picture(films / name, number)
    release = a_release(tmp_path / "films@1")
    found = read(release, films, tmp_path / "out")
    assert len(found) == len(names)
    assert "other" in found
    assert {one.inputs["image"][0].split(" sha256")[0] for one in found.values()} == set(names)
    assert set(read(release, films, tmp_path / "again")) == set(found)


def a_series(folder: Path, study: str = "1.2.3", series: str = "1", depth: int = 6, **elements: Any) -> list[Path]:
    """Axial CT slices of 16 x 16, 2 mm apart; their UIDs are `study`.`series`.N."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0)
    paths = []
    for k in range(depth):
        meta = FileMetaDataset()
        meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, CTImageStorage
        meta.MediaStorageSOPInstanceUID = uid = f"{study}.{series}.{k + 1}"
        one = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        for name, value in {
            "SOPClassUID": CTImageStorage, "SOPInstanceUID": uid, "Modality": "CT", "StudyInstanceUID": study,
            "SeriesInstanceUID": f"{study}.{series}", "FrameOfReferenceUID": f"{study}.9", "PatientID": "P7",
            "ImagePositionPatient": [0, 0, 2 * k], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
            "PixelSpacing": [1, 1], "SliceThickness": 2, "Rows": 16, "Columns": 16, "SamplesPerPixel": 1,
            "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7,
            "PixelRepresentation": 0, "PixelData": noise.integers(0, 255, 256, dtype=np.uint8).tobytes(), **elements,
        }.items():  # fmt: skip
            setattr(one, name, value)
        paths.append(folder / f"{series}-{k}.dcm")
        one.save_as(paths[-1], enforce_file_format=True)
    return paths


DENSE = a_plan(ORGANS, (4, 16, 16))


def statuses(found: dict[str, Findings]) -> list[str]:
    """The status of the first finding of each case, sorted."""
    return sorted(one.findings[0].status for one in found.values())


def test_a_release_of_two_images_reads_their_channels_in_one_file_and_in_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("image", "T2")
    scaled = {name: {"rule": "z-score"} for name in names}
    plan = a_plan(ORGANS, (4, 16, 16), image_inputs=list(names), channels=dict.fromkeys(names, 1), intensity=scaled)
    gate = Gate(rules=tuple(GateRule(input=name, modality="mr", dimensions=3, channels=1) for name in names))
    two_channels = np.random.default_rng(1).normal(size=(2, 4, 16, 16)).astype(np.float32)
    monkeypatch.setattr(
        "diascope.testing.releases._examples", lambda _: [Example(a_case(0), {"image": two_channels}, {})]
    )
    release = a_release(tmp_path / "films@1", plan, gate=gate)
    whole = np.random.default_rng(0).normal(0, 100, (2, 4, 16, 16)).astype(np.int16)
    nifti, geometry = registry.get("formats", "nifti"), Geometry.from_spacing((1, 1, 1))
    nifti.write(Image(whole, geometry), tmp_path / "in" / "one.nii.gz")
    for number in range(2):
        nifti.write(Image(whole[number : number + 1], geometry), tmp_path / "in" / f"two_000{number}.nii.gz")
    nifti.write(Image(whole[:1], geometry), tmp_path / "in" / "lone.nii.gz")
    found = read(release, tmp_path / "in", tmp_path / "out")
    assert set(found) == {"lone", "one", "two"}
    assert "holds 1 channel" in found["lone"].findings[0].reason
    one, two = (nifti.read([tmp_path / "out" / name / "mask.nii.gz"]).array for name in ("one", "two"))
    assert np.array_equal(one, two)
    assert len(two[two > 0])
    assert set(found["one"].inputs) == set(names)


def test_candidates_say_unsigned_and_every_finding_its_operating_point(tmp_path: Path) -> None:
    decision = {
        "temperature": 1.0,
        "point": {"threshold": 0.123456789, "rule": {"name": "sensitivity_at_least", "value": 0.95}, "sound": True},
        "rule": {"en": "probability >= 0.123"},
    }
    release = a_release(tmp_path / "films@1", decision=decision)
    a_picture(tmp_path / "one.png")
    (found,) = read(release, tmp_path / "one.png", tmp_path / "out").values()
    assert (found.signed_by, found.signature) == (None, "unsigned")
    for finding in found.findings:
        point = finding.operating_point
        assert point is not None
        assert (point.measure, point.of, point.value) == ("probability", "b", 0.123456789)
        assert point.rule == "sensitivity_at_least 0.95"
    assert '"signature": "unsigned"' in (tmp_path / "out" / "one" / "findings.json").read_text()


def test_abstained_findings_of_dicom_name_the_sop_instances(tmp_path: Path) -> None:
    a_series(tmp_path / "study", depth=3)
    release = a_release(tmp_path / "films@1")  # reads pictures, not volumes
    with pytest.raises(DataRefused, match="3-D image"):
        predict(release, str(tmp_path / "study"), tmp_path / "out")
    (path,) = (tmp_path / "out").glob("*/findings.json")
    found = Findings.read(path)
    assert sorted(found.inputs["image"]) == ["1.2.3.1.1", "1.2.3.1.2", "1.2.3.1.3"]
    assert {finding.status for finding in found.findings} == {"abstained"}


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def _overwrite(path: Path) -> None:
    path.write_bytes(bytes(3000))


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("harm", [_cut, _overwrite, _empty])
@pytest.mark.parametrize("ending", [".dcm", ""])
def test_five_slices_of_six_are_not_read_as_if_they_were_all(
    tmp_path: Path, harm: Callable[[Path], None], ending: str
) -> None:
    slices = [path.rename(path.with_suffix(ending)) for path in a_series(tmp_path / "in" / "broken", "1.2.3")]
    a_series(tmp_path / "in" / "sound", "1.2.4")
    harm(slices[-1])
    found = read(a_release(tmp_path / "films@1", DENSE), tmp_path / "in", tmp_path / "out")
    assert statuses(found).count("abstained") == 1
    (refused,) = [one for one in found.values() if one.findings[0].status == "abstained"]
    assert f"broken/{slices[-1].name}" in refused.findings[0].reason
    assert sum(name.startswith("1.2.3.1.") for name in refused.inputs["image"]) == 5


def test_a_damaged_file_that_names_its_series_harms_no_other(tmp_path: Path) -> None:
    """All in one folder: the header says which study lacks a slice."""
    slices = a_series(tmp_path / "in", "1.2.3", "1")
    a_series(tmp_path / "in", "1.2.4", "2")
    content = slices[-1].read_bytes()
    slices[-1].write_bytes(content[: content.index(b"\x20\x00\x0e\x00") + 24])
    found = read(a_release(tmp_path / "films@1", DENSE), tmp_path / "in", tmp_path / "out")
    assert len(found) == 2
    (refused,) = [one for one in found.values() if one.findings[0].status == "abstained"]
    assert all(name.startswith("1.2.3.") for name in refused.inputs["image"])


def test_a_study_of_which_nothing_can_be_read_is_an_answer_too(tmp_path: Path) -> None:
    for path in a_series(tmp_path / "in" / "lost", "1.2.3", depth=1):
        _overwrite(path)
    a_series(tmp_path / "in" / "sound", "1.2.4")
    found = read(a_release(tmp_path / "films@1", DENSE), tmp_path / "in", tmp_path / "out")
    assert len(found) == 2
    assert statuses(found).count("abstained") == 1
    (refused,) = [one for one in found.values() if one.findings[0].status == "abstained"]
    assert "lost/1-0.dcm" in refused.findings[0].reason


def test_one_ambiguous_study_does_not_stop_the_others(tmp_path: Path) -> None:
    a_series(tmp_path / "in" / "a", "1.2.3", "1")
    a_series(tmp_path / "in" / "a", "1.2.3", "2")
    a_series(tmp_path / "in" / "b", "1.2.4")
    said: list[str] = []
    found = read(
        a_release(tmp_path / "films@1", DENSE), tmp_path / "in", tmp_path / "out",
        tell=lambda event: said.append(str(event.get("message"))),
    )  # fmt: skip
    assert len(found) == 2
    (refused,) = [one for one in found.values() if one.findings[0].status == "abstained"]
    assert "several series that could be meant" in refused.findings[0].reason
    assert len(refused.inputs["image"]) == 12
    assert any("several series" in line for line in said)


def films(folder: Path, count: int, size: int = 16) -> Path:
    """Pictures 0.png, 1.png, ... of `size` x `size`."""
    folder.mkdir()
    for number in range(count):
        noise = np.random.default_rng(number).integers(0, 255, (size, size), dtype=np.uint8)
        Pillow.fromarray(noise).save(folder / f"{number}.png")
    return folder


@pytest.mark.parametrize("step", ["prepared", "said"])
def test_the_failure_of_one_case_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    real = getattr(Predictor, step)

    def failing(self: Predictor, one: Any, *rest: Any) -> Any:
        if getattr(one, "example", one).case.id == "1":
            raise DoesNotFit("it needs 3.2 GB")
        return real(self, one, *rest)

    monkeypatch.setattr(Predictor, step, failing)
    found = read(a_release(tmp_path / "films@1"), films(tmp_path / "films", 3), tmp_path / "out")
    assert sorted(found) == ["0", "1", "2"]
    assert "3.2 GB" in found["1"].findings[0].reason
    assert found["0"].findings[0].status != "abstained"
    assert found["2"].findings[0].status != "abstained"


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The cases of every reading of the network."""
    made: list[list[str]] = []
    real = Reader.read_all

    def counted(self: Reader, examples: Iterable[Example]) -> Iterator[Output]:
        some = list(examples)
        if some[0].case.id != "reference":  # by which the release proves itself
            made.append([one.case.id for one in some])
        return real(self, some)

    monkeypatch.setattr(Reader, "read_all", counted)
    return made


def test_pictures_are_read_together_and_say_what_each_says_alone(tmp_path: Path, batches: list[list[str]]) -> None:
    release, folder = a_release(tmp_path / "films@1", a_plan(read_batch=4)), films(tmp_path / "films", 6)
    (folder / "2.png").write_bytes(b"no picture")
    told: list[Any] = []
    found = predict(release, str(folder), tmp_path / "out", tell=told.append)
    assert batches == [["0", "1", "3", "4"], ["5"]]
    assert [one.case for one in found] == ["0", "1", "2", "3", "4", "5"]
    assert [one["done"] for one in told if one["event"] == "progress"] == list(range(6))
    assert found[2].findings[0].status == "abstained"
    assert "2.png" in found[2].findings[0].reason
    for number in (0, 1, 3, 4, 5):
        (alone,) = predict(release, str(folder / f"{number}.png"), tmp_path / f"alone-{number}")
        values = [[one.measures["probability"].value for one in each.findings] for each in (alone, found[number])]
        assert values[0] == values[1]


def test_a_batch_that_cannot_be_read_is_read_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release, folder = a_release(tmp_path / "films@1", a_plan(read_batch=4)), films(tmp_path / "films", 3)
    real = Reader.read_all

    def failing(self: Reader, examples: Iterable[Example]) -> Iterator[Output]:
        some = list(examples)
        if any(one.case.id == "1" for one in some):
            raise MemoryError("this picture")
        return real(self, some)

    monkeypatch.setattr(Reader, "read_all", failing)
    found = read(release, folder, tmp_path / "out")
    assert [name for name, one in sorted(found.items()) if one.findings[0].status == "abstained"] == ["1"]
    assert "more memory" in found["1"].findings[0].reason


def test_pictures_wait_for_each_other_only_while_memory_lasts(
    tmp_path: Path, batches: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Room for what one picture needs, and for two that wait."""
    release, folder = a_release(tmp_path / "films@1", a_plan(read_batch=8)), films(tmp_path / "films", 7, size=512)
    predictor = Predictor(release)
    cases = list(incoming(str(folder), predictor.opened))
    needs = predictor.needs(cases[0])
    assert needs is not None
    one = predictor.prepared(cases[0], needs).nbytes
    assert one >= 512 * 512
    real = Predictor.__init__

    def tight(self: Predictor, *given: Any) -> None:
        real(self, *given)
        self.memory = self.own + needs.most + 2 * one

    monkeypatch.setattr(Predictor, "__init__", tight)
    assert len(predict(release, str(folder), tmp_path / "out")) == 7
    assert list(map(len, batches)) == [3, 3, 1]


def test_volumes_are_read_one_at_a_time(tmp_path: Path, batches: list[list[str]]) -> None:
    noise = np.random.default_rng(0)
    for name in "ab":
        array = noise.normal(0, 100, (1, 4, 16, 16)).astype(np.int16)
        image = Image(array, Geometry.from_spacing((1, 1, 1)))
        registry.get("formats", "nifti").write(image, tmp_path / "in" / f"{name}.nii")
    release = a_release(tmp_path / "films@1", DENSE)
    read(release, tmp_path / "in", tmp_path / "out")
    assert batches == [["a"], ["b"]]


def test_regions_of_a_dicom_series_leave_as_segments(tmp_path: Path) -> None:
    whole = Label(name="whole", value=1, members=(1, 2))
    target = ORGANS.model_copy(update={"labels": (whole, Label(name="core", value=2, members=(2,)))})
    a_series(tmp_path / "in")
    release = a_release(tmp_path / "films@1", a_plan(target, (4, 16, 16)))
    ((name, found),) = read(release, tmp_path / "in", tmp_path / "out").items()
    assert found.files["dicom_seg"] == "mask.dcm"
    seg = registry.get("formats", "dicom_seg").read([tmp_path / "out" / name / "mask.dcm"])
    assert [label.name for label in seg.attributes["labels"]] == ["whole", "core"]


def test_findings_stay_when_no_seg_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(*_: Any, **__: Any) -> None:
        raise DataRefused("no DICOM SEG can refer to this source")

    monkeypatch.setattr("diascope.formats.dicom_seg.DicomSeg.write", refusing)
    a_series(tmp_path / "in")
    (found,) = read(a_release(tmp_path / "films@1", DENSE), tmp_path / "in", tmp_path / "out").values()
    assert found.findings[0].status != "abstained"
    assert set(found.files) == {"mask", "picture"}
    assert any("no DICOM SEG was written" in note for note in found.notes)


def a_header(path: Path, shape: tuple[int, int, int]) -> Path:
    """A NIfTI file that says that it is large, and has no voxels."""
    file = nibabel.Nifti1Image(np.zeros((1, 1, 1), np.int16), np.eye(4))
    file.header.set_data_shape(shape)
    path.write_bytes(file.header.binaryblock + bytes(4))
    return path


def test_what_does_not_fit_is_refused_with_the_gigabytes_before_a_voxel_is_read(tmp_path: Path) -> None:
    path = a_header(tmp_path / "thousand.nii", (512, 512, 1000))
    with pytest.raises(DoesNotFit, match=r"1000 x 512 x 512 voxels\) needs about [3-9]\.\d\d GB"):
        predict(a_release(tmp_path / "films@1", DENSE), str(path), tmp_path / "out", memory_gb=2.5)
    (found,) = (Findings.read(one) for one in (tmp_path / "out").glob("*/findings.json"))
    assert "--memory" in found.findings[0].reason


MEASURED = """
import sys
from pathlib import Path
from diascope.engine.devices import peak_memory_gb
from diascope.stages.predict import Predictor, predict
release, image, out, more = sys.argv[1:]
own = Predictor(Path(release)).own / 1e9
predict(Path(release), image, Path(out), memory_gb=own + float(more))
print(own + float(more), peak_memory_gb())
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_the_memory_that_is_allowed_is_the_memory_that_is_taken(tmp_path: Path) -> None:
    """120 slices of 320 x 320; the mask is the same however little memory there is."""
    noise = np.random.default_rng(0).normal(0, 100, (1, 120, 320, 320)).astype(np.int16)
    registry.get("formats", "nifti").write(Image(noise, Geometry.from_spacing((1, 1, 1))), tmp_path / "big.nii")
    window = {"image": {"rule": "window", "low": -200, "high": 200, "mean": 0, "std": 100}}
    release = a_release(tmp_path / "films@1", a_plan(ORGANS, (32, 64, 64), overlap=0.0, intensity=window))
    masks = []
    for more in ("0.46", "2.0"):
        said = subprocess.run(
            [sys.executable, "-c", MEASURED, str(release), str(tmp_path / "big.nii"), str(tmp_path / more), more],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        allowed, taken = map(float, said.stdout.split())
        assert taken <= allowed
        masks.append(registry.get("formats", "nifti").read([tmp_path / more / "big" / "mask.nii.gz"]).array)
    assert np.mean(masks[0] == masks[1]) > 1 - 1e-4
