"""Write invented patients: `ct/<patient>/*.dcm`, `seg/<patient>.dcm` and `labels.csv`."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from diascope.core.errors import BadUsage
from diascope.sources.phantoms.anatomy import draw_body
from diascope.sources.phantoms.dicom import Study, write_ct, write_seg
from diascope.sources.phantoms.scanner import SCANNERS, draw_protocol, scan

LABELS = "labels.csv"
COLUMNS = ("SeriesInstanceUID", "StudyInstanceUID", "PatientID", "diagnosis", "age", "sex", "site")
DIAGNOSES = ("cyst", "abscess")


def generate(folder: Path, count: int = 60, seed: int = 0) -> Path:
    """Write `count` invented patients, one CT study each, with DICOM SEG and `labels.csv`.

    The same seed gives the same pixels and UIDs, whatever the count; half of each pair of patients has an abscess.

    Args:
        folder: Where to write; made if missing.
        count: Number of patients.
        seed: Of everything that is drawn.

    Returns:
        The folder.

    Raises:
        BadUsage: When the count is below 1, or the folder already holds phantoms.
    """
    if count < 1 or seed < 0:
        raise BadUsage("phantoms need a count of at least 1 and a seed of at least 0", given=f"{count}, {seed}")
    folder = Path(folder)
    if (folder / LABELS).exists():
        raise BadUsage(f"{folder} already holds phantoms", todo="Choose an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    rows = [_write_patient(folder, seed, number) for number in range(count)]
    with (folder / LABELS).open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, COLUMNS)
        table.writeheader()
        table.writerows(rows)
    return folder


def _write_patient(folder: Path, seed: int, number: int) -> dict[str, Any]:
    rng = np.random.default_rng([seed, number])
    infected = is_infected(seed, number)
    scanner = SCANNERS[int(rng.integers(len(SCANNERS)))]
    age, sex = int(rng.integers(25, 86)), str(rng.choice(["F", "M"]))
    body, protocol = draw_body(rng, infected), draw_protocol(rng, scanner)
    study = Study(f"PHANTOM-{seed:04d}-{number:04d}", age, sex, scanner, protocol, number)
    seen = scan(rng, body, scanner, protocol)
    slices = write_ct(study, seen.hu, folder / "ct" / study.patient)
    write_seg(study, seen.labels, slices, folder / "seg" / f"{study.patient}.dcm")
    return {
        "SeriesInstanceUID": study.uid("series"),
        "StudyInstanceUID": study.uid("study"),
        "PatientID": study.patient,
        "diagnosis": DIAGNOSES[infected],
        "age": age,
        "sex": sex,
        "site": scanner.site,
    }


def is_infected(seed: int, number: int) -> bool:
    """One of each pair of patients, so that any set is balanced; which one is drawn apart from everything else."""
    first = bool(np.random.default_rng([seed, number // 2, 1]).integers(2))
    return first != bool(number % 2)
