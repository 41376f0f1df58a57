"""Invented patients: valid DICOM, labels that lie on the images, the same bytes from one seed, no easy answer."""

import csv
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from diascope.core import registry
from diascope.core.case import FileRef
from diascope.core.errors import BadUsage, DataRefused
from diascope.core.image import Image
from diascope.engine.placing import placed
from diascope.formats import read
from diascope.sources import Listing, SourceOptions, recognise
from diascope.sources.phantoms import generate
from diascope.sources.phantoms.anatomy import draw_body
from diascope.sources.phantoms.generate import is_infected
from diascope.sources.phantoms.scanner import SCANNERS, draw_protocol, scan

SOURCE = registry.get("sources", "phantom")


def listed(folder: Path, seed: int = 3, count: int = 3) -> Listing:
    return SOURCE.list(f"phantom:{seed}:{count}:{folder}", SourceOptions())


def loaded(listing: Listing, number: int) -> tuple[Image, Image]:
    """Image and mask of one case."""
    case = listing.cases[number]
    image, mask = case.inputs["image"], case.targets["organs"]
    assert isinstance(image, FileRef)
    assert isinstance(mask, FileRef)
    pixels = read(image, listing.root)
    lying, apart = placed(read(mask, listing.root), pixels)
    assert not apart
    return pixels, lying


@pytest.mark.parametrize("location", ["phantom", "phantom:7", "phantom:7:60", "phantom:7:60:/data/here"])
def test_its_addresses_are_recognised(location: str) -> None:
    assert recognise(location) == "phantom"


@pytest.mark.parametrize("location", ["phantoms", "phantom:", "phantom:x", "phantom:1:2:", "/data/phantom"])
def test_other_addresses_are_not(location: str) -> None:
    assert SOURCE.recognises(location) is None
    with pytest.raises(BadUsage, match="phantom:SEED"):
        SOURCE.list(location, SourceOptions())


def test_cases_name_their_files_targets_and_covariates(tmp_path: Path) -> None:
    listing = listed(tmp_path / "p")
    assert [target.name for target in listing.targets] == ["diagnosis", "organs"]
    case = listing.cases[0]
    assert case.patient == case.id == "PHANTOM-0003-0000"
    assert case.targets["diagnosis"] in {"cyst", "abscess"}
    assert set(case.covariates) == {"age", "sex"}
    assert case.site in {scanner.site for scanner in SCANNERS}
    assert listed(tmp_path / "p").cases == listing.cases


def test_the_mask_leaves_out_empty_slices(tmp_path: Path) -> None:
    listing = listed(tmp_path / "p")
    for case in listing.cases:
        image, mask = case.inputs["image"], case.targets["organs"]
        assert isinstance(image, FileRef)
        assert isinstance(mask, FileRef)
        assert read(mask, listing.root).shape[0] < read(image, listing.root).shape[0]


def test_the_mask_lies_on_the_image_and_holds_liver_and_lesion(tmp_path: Path) -> None:
    listing = listed(tmp_path / "p")
    for number in range(3):
        image, mask = loaded(listing, number)
        assert (image.modality, image.unit, mask.unit) == ("ct", "HU", "label")
        assert mask.array.shape == image.array.shape
        assert mask.geometry.is_close(image.geometry)
        assert set(np.unique(mask.array)) == {0, 1, 2}
        assert 80 < np.median(image.array[mask.array == 1]) < 130
        diameter = 2 * (3 * (mask.array == 2).sum() * mask.geometry.voxel_volume() / 4 / np.pi) ** (1 / 3)
        assert diameter > 24
        assert registry.get("modalities", "ct").quality(image) == {}


def test_pixels_on_disk_are_what_the_scanner_gave(tmp_path: Path) -> None:
    image, mask = loaded(listed(tmp_path / "p"), 1)
    rng = np.random.default_rng([3, 1])
    scanner = SCANNERS[int(rng.integers(len(SCANNERS)))]
    rng.integers(25, 86), rng.choice(["F", "M"])
    body, protocol = draw_body(rng, is_infected(3, 1)), draw_protocol(rng, scanner)
    seen = scan(rng, body, scanner, protocol)
    np.testing.assert_array_equal(image.array[0], seen.hu)
    np.testing.assert_array_equal(mask.array[0], seen.labels)
    assert image.geometry.is_close(protocol.geometry)


def test_the_same_seed_gives_the_same_bytes_whatever_the_count(tmp_path: Path) -> None:
    one, other = generate(tmp_path / "a", 1, 9), generate(tmp_path / "b", 2, 9)
    names = sorted(path.relative_to(one) for path in one.rglob("*.dcm"))
    assert len(names) > 20
    for name in names:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_another_seed_gives_other_patients_and_uids(tmp_path: Path) -> None:
    tables = [(generate(tmp_path / str(seed), 1, seed) / "labels.csv").read_text() for seed in (1, 2)]
    rows = [next(csv.DictReader(table.splitlines())) for table in tables]
    assert rows[0]["SeriesInstanceUID"] != rows[1]["SeriesInstanceUID"]
    assert rows[0]["PatientID"] != rows[1]["PatientID"]


def test_instance_numbers_do_not_give_the_order_away(tmp_path: Path) -> None:
    folder = generate(tmp_path / "p", 2, 3)
    rising = set()
    for patient in sorted((folder / "ct").iterdir()):
        slices = sorted((pydicom.dcmread(path) for path in patient.iterdir()), key=lambda one: one.InstanceNumber)
        row, column = np.array(slices[0].ImageOrientationPatient, float).reshape(2, 3)
        along = [np.cross(row, column) @ np.array(one.ImagePositionPatient, float) for one in slices]
        rising.add(along[-1] > along[0])
    assert rising == {True, False}


@pytest.mark.parametrize("count", [2, 10, 60])
def test_half_of_the_patients_are_infected(count: int) -> None:
    assert sum(is_infected(4, number) for number in range(count)) == count // 2


def test_spacings_orientations_and_sizes_vary_within_their_bounds() -> None:
    drawn = [draw_protocol(np.random.default_rng(seed), SCANNERS[seed % 3]) for seed in range(60)]
    spacing = np.array([one.geometry.spacing for one in drawn])
    shapes = np.array([one.shape for one in drawn])
    assert spacing[:, 0].min() >= 2
    assert spacing[:, 0].max() <= 5
    assert np.ptp(spacing[:, 0]) > 2
    assert shapes[:, 0].min() >= 24
    assert shapes[:, 0].max() <= 40
    assert shapes[:, 1:].min() >= 64
    assert shapes[:, 1:].max() <= 96
    oblique = [abs(one.geometry.directions[2, 0]) < 0.9999 for one in drawn]
    assert 15 < sum(oblique) < 45


def test_a_folder_with_something_else_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(DataRefused, match="not empty"):
        listed(tmp_path)
    folder = generate(tmp_path / "p", 1, 3)
    with pytest.raises(BadUsage, match="already"):
        generate(folder, 1, 3)
    with pytest.raises(DataRefused, match="holds 1 phantoms"):
        listed(folder, count=2)
    with pytest.raises(BadUsage, match="count"):
        generate(tmp_path / "q", 0, 3)


@pytest.mark.external
def test_dciodvfy_finds_no_error(tmp_path: Path) -> None:
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy (Debian's dicom3tools) is not installed")
    folder = generate(tmp_path / "p", 2, 3)
    for path in [*sorted(folder.glob("ct/*/0005.dcm")), *sorted(folder.glob("seg/*.dcm"))]:
        said = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False).stderr
        assert "Error" not in said, said


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_mean_maximum_and_volume_do_not_give_the_diagnosis(seed: int) -> None:
    features, truth = [], []
    for number in range(60):
        rng = np.random.default_rng([seed, number])
        scanner = SCANNERS[int(rng.integers(len(SCANNERS)))]
        rng.integers(25, 86), rng.choice(["F", "M"])
        body, protocol = draw_body(rng, is_infected(seed, number)), draw_protocol(rng, scanner)
        hu = scan(rng, body, scanner, protocol).hu
        features.append([hu.mean(), hu.max(), hu.size * protocol.geometry.voxel_volume()])
        truth.append(is_infected(seed, number))
    model = make_pipeline(StandardScaler(), LogisticRegression())
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    said = cross_val_predict(model, np.array(features), np.array(truth), cv=folds, method="predict_proba")[:, 1]
    assert roc_auc_score(truth, said) <= 0.7
