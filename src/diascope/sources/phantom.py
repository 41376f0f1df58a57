"""Invented CT patients: `phantom`, `phantom:SEED`, `phantom:SEED:COUNT`, `phantom:SEED:COUNT:FOLDER`."""

from __future__ import annotations

import csv
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from diascope.core.case import Case, FileRef, Label, Target
from diascope.core.errors import BadUsage, DataRefused
from diascope.sources import Listing, Source, SourceOptions
from diascope.sources.phantoms.generate import DIAGNOSES, LABELS, generate

LOCATION = re.compile(r"phantom(?::(?P<seed>\d+)(?::(?P<count>\d+)(?::(?P<folder>.+))?)?)?")
VERSION = 2
"""Part of the cache's name: to be raised when the same seed gives other files."""
DIAGNOSIS = Target(
    name="diagnosis",
    kind="category",
    columns=("diagnosis",),
    labels=tuple(Label(name=name, value=value) for value, name in enumerate(DIAGNOSES)),
    positive="abscess",
)
ORGANS = Target(
    name="organs",
    kind="mask",
    columns=("organs",),
    labels=(
        Label(name="liver", value=1, code="SCT:10200004"),
        Label(name="lesion", value=2, code="SCT:52988006"),
    ),
)


@dataclass(frozen=True)
class Order:
    """What a location asks for."""

    seed: int
    count: int
    folder: Path


class Phantom:
    """Writes the patients on the first use and lists them afterwards."""

    def recognises(self, location: str) -> str | None:
        return "invented CT patients" if LOCATION.fullmatch(location) else None

    def list(self, location: str, options: SourceOptions) -> Listing:
        order = _order(location)
        _make(order)
        with (order.folder / LABELS).open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        if len(rows) < order.count:
            raise DataRefused(
                f"{order.folder} holds {len(rows)} phantoms, {order.count} were asked for",
                todo="Choose another folder, or remove this one",
            )
        cases = tuple(_case(order.folder, row) for row in rows[: order.count])
        return Listing(order.folder, cases, (DIAGNOSIS, ORGANS), (f"{len(cases)} invented patients in {order.folder}",))


def _order(location: str) -> Order:
    found = LOCATION.fullmatch(location)
    if found is None:
        raise BadUsage("this is no address of phantoms", given=location, todo="Write phantom:SEED:COUNT:FOLDER")
    seed, count = int(found["seed"] or 0), int(found["count"] or 60)
    cache = Path(tempfile.gettempdir()) / f"diascope-{os.getuid()}" / f"phantom-{VERSION}-{seed}-{count}"
    return Order(seed, count, Path(found["folder"]).absolute() if found["folder"] else cache)


def _make(order: Order) -> None:
    """Write the patients beside their place and rename, so that a stopped or a second process leaves no half set."""
    if (order.folder / LABELS).is_file():
        return
    if order.folder.exists() and any(order.folder.iterdir()):
        raise DataRefused(f"{order.folder} is not empty and holds no phantoms", todo="Choose an empty folder")
    order.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".phantom-", dir=order.folder.parent))
    try:
        generate(draft, order.count, order.seed)
        os.replace(draft, order.folder)
    except OSError:
        # Another process that made the same patients may have been faster.
        if not (order.folder / LABELS).is_file():
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _case(folder: Path, row: dict[str, str]) -> Case:
    patient = row["PatientID"]
    slices = sorted(path.relative_to(folder).as_posix() for path in (folder / "ct" / patient).glob("*.dcm"))
    return Case(
        id=patient,
        patient=patient,
        inputs={"image": FileRef(format="dicom", paths=tuple(slices), modality="ct")},
        targets={"diagnosis": row["diagnosis"], "organs": FileRef(format="dicom_seg", paths=(f"seg/{patient}.dcm",))},
        site=row["site"],
        covariates={"age": int(row["age"]), "sex": row["sex"]},
    )


SOURCE: Source = Phantom()
