"""Pages of studies (QIDO-RS) over 1,000 and over 100,000 studies, through the whole application in one process.

    python benchmarks/qido.py --rounds 100

What a request does is done: who asks, the search, identities of the page, the audit record with its fsync, the answer
as JSON. The index is filled in bulk: studies of patients who have two each, two series of four instances. Pages are
asked for in turns, in an order by lot, so that what the machine does beside it falls on all of them.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from recording.rows import commit, machine
from sqlalchemy import Connection, Table, insert

from diascope.serve import identities as inside
from diascope.serve.database.identity_tables import orders, people, words
from diascope.serve.database.opening import Database
from diascope.serve.database.tables import instances, series, studies
from diascope.serve.http.app import application
from diascope.serve.http.routing import routers
from diascope.serve.identities import Identities, Identity
from diascope.serve.service import FIRST_PROJECT, Service
from diascope.serve.words import KINDS, words_of
from diascope.testing.service import a_service
from diascope.testing.web import Site, a_site

NAMES = ("Smith", "Miller", "Weber", "Rossi", "Wang", "Nakamura", "Garcia", "Novak", "Silva", "Jensen")
DESCRIPTIONS = (
    "CT chest",
    "MR head",
    "CT abdomen",
    "MR spine",
    "XR chest",
    "US neck",
    "MG screening",
    "PET whole body",
)
MODALITIES = ("CT", "MR", "CT", "MR", "DX", "US", "MG", "PT")
ROOT = "1.2.826.0.1.3680043.10.9999"
BATCH = 2000
Taken = tuple[float, float]
"""Milliseconds of a request: by the clock, and of the processor, which others on the machine lengthen less."""

SERIES, INSTANCES = 2, 4
"""Of a study, and of a series."""


def main() -> None:
    """Fill, measure, print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=100, help="requests of each page")
    parser.add_argument("--folder", type=Path, help="keeps what was filled, for another run")
    parser.add_argument("--studies", type=int, nargs="+", default=[1_000, 100_000])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as fresh:
        sites = {count: filled(Path(options.folder or fresh) / str(count), count) for count in options.studies}
        taken = asyncio.run(measured(sites, options.rounds))
        for site in sites.values():
            site.service.close()
    print(f"\n{machine()}; commit {commit()}; {options.rounds} requests a page; ms\n")
    heads = [f"{count:,} studies: p50, p95; processor p95" for count in options.studies]
    print("| page |", " | ".join(heads), "| growth of p50 |")
    print("|---|" + "---|" * (len(heads) + 1))
    for name in taken[0]:
        cells = [cell(one[name]) for one in taken]
        growth = statistics.median(wall(taken[-1][name])) / statistics.median(wall(taken[0][name]))
        print(f"| {name} |", " | ".join(cells), f"| {growth:.2f} |")
    worst = max(percentile(wall(values), 95) for values in taken[-1].values())
    print(f"\nThe slowest p95 of {options.studies[-1]:,} studies: {worst:.1f} ms")


def wall(values: list[Taken]) -> list[float]:
    """Milliseconds that a client waits."""
    return [one for one, _ in values]


def cell(values: list[Taken]) -> str:
    """Of the table."""
    processor = percentile([one for _, one in values], 95)
    return f"{statistics.median(wall(values)):.1f}, {percentile(wall(values), 95):.1f}; {processor:.1f}"


def filled(folder: Path, count: int) -> Site:
    """A site with so many studies."""
    if folder.is_dir():
        service = a_service(folder, lookups_per_minute=10**9)
        return Site(service, application(service, routers()))
    site, start = a_site(folder, lookups_per_minute=10**9), time.perf_counter()
    fill(site.service, count)
    print(f"{count} studies were filled in within {time.perf_counter() - start:.0f} s", flush=True)
    return site


def pages(count: int, lot: random.Random) -> dict[str, str]:
    """Addresses by name, other values each time."""
    number = lot.randrange(count)
    day, family, given = _date(number), *_name(number // 2).split("^")
    return {
        "the first 100": "/studies?limit=100",
        "the first 25": "/studies?limit=25",
        "25 from the middle on": f"/studies?limit=25&offset={count // 2}",
        "CT of a day": f"/studies?StudyDate={day}&ModalitiesInStudy=CT&limit=25",
        "MR of a month": f"/studies?StudyDate={day[:6]}01-{day[:6]}31&ModalitiesInStudy=MR&limit=25",
        "a patient number": f"/studies?PatientID=P{number // 2:06d}",
        "a name and its beginning": f"/studies?PatientName={family}^{given[:4]}*&limit=25",
        "an accession number": f"/studies?AccessionNumber=A{number:07d}",
        "a study": f"/studies?StudyInstanceUID={ROOT}.{number}",
        "a description, wildcard, frequent": "/studies?StudyDescription=*chest*&limit=25",
        "a description, wildcard, nowhere": "/studies?StudyDescription=*elbow*&limit=25",
        "a modality that there is not": "/studies?ModalitiesInStudy=XA&limit=25",
        "the series of a study": f"/studies/{ROOT}.{number}/series",
        "the instances of a series": f"/studies/{ROOT}.{number}/series/{ROOT}.{number}.1/instances",
        "the first 25 series of CT": "/series?Modality=CT&limit=25",
    }


async def measured(sites: dict[int, Site], rounds: int) -> list[dict[str, list[Taken]]]:
    """Milliseconds of each request, by size and page; sizes and pages in turns."""
    taken: dict[tuple[int, str], list[Taken]] = {}
    lot = random.Random(0)
    clients = {count: a_client(site) for count, site in sites.items()}
    for turn in range(rounds + 3):
        asked = {(count, name): address for count in sites for name, address in pages(count, lot).items()}
        for (count, name), address in lot.sample(sorted(asked.items()), len(asked)):
            start, busy = time.perf_counter(), time.process_time()
            answer = await clients[count].get(f"/dicom-web{address}")
            milliseconds = 1000 * (time.perf_counter() - start), 1000 * (time.process_time() - busy)
            assert answer.status_code in (200, 204), (name, answer.text)
            if turn >= 3:  # the first ones warm up
                taken.setdefault((count, name), []).append(milliseconds)
    for client in clients.values():
        await client.aclose()
    return [{name: taken[count, name] for name in pages(count, lot)} for count in sites]


def a_client(site: Site) -> httpx.AsyncClient:
    """Of a reader who has logged in."""
    browser = site.someone("reader")
    transport = httpx.ASGITransport(site.app, client=("192.0.2.7", 40000))
    return httpx.AsyncClient(
        transport=transport, base_url="http://diascope.test", headers=browser.headers, cookies=browser.cookies
    )


def fill(service: Service, count: int) -> None:
    """Studies with their identities, in bulk."""
    for start in range(0, count, BATCH):
        numbers = range(start, min(start + BATCH, count))
        rows = apart(service.identities, numbers)
        insert_all(service.identities.database, rows)
        patients = {row["study_uid"]: row["pseudonym"] for row in rows[orders]}
        found: dict[Table, list[dict[str, Any]]] = {
            studies: [_study(number, patients[f"{ROOT}.{number}"]) for number in numbers],
            series: [row for number in numbers for row in _series(number)],
            instances: [row for number in numbers for row in _instances(number)],
        }
        insert_all(service.database, found)


def insert_all(database: Database, rows: dict[Table, list[dict[str, Any]]]) -> None:
    """Rows of several tables in one transaction."""

    def work(connection: Connection) -> None:
        for table, values in rows.items():
            connection.execute(insert(table), values)

    database.change(work)


def apart(kept: Identities, numbers: range) -> dict[Table, list[dict[str, Any]]]:
    """Rows of identities. `keep` is a transaction for each study; these are the rows that it makes."""
    rows: dict[Table, list[dict[str, Any]]] = {orders: [], people: [], words: []}
    for number in numbers:
        identity, uid = _identity(number), f"{ROOT}.{number}"
        pseudonym, said = kept.pseudonym(identity), inside._of_patient(identity)
        sealed = kept._sealer.seal(
            inside._bytes(identity.model_dump(exclude_defaults=True)), inside._context(orders, uid)
        )
        rows[orders].append({"study_uid": uid, "pseudonym": pseudonym, "sealed": sealed, "changed": 1.8e9})
        hashes = {("accession", uid, word) for word in words_of("accession", [identity.accession], kept._words)}
        if number % 2 == 0:  # the first study of a patient
            sealed = kept._sealer.seal(inside._bytes([said]), inside._context(people, pseudonym))
            rows[people].append({"pseudonym": pseudonym, "sealed": sealed, "changed": 1.8e9})
            for kind in KINDS[:3]:
                values = inside._values(kind, [said])
                hashes |= {(kind, pseudonym, word) for word in words_of(kind, values, kept._words)}
        rows[words] += [{"kind": kind, "owner": owner, "word": word} for kind, owner, word in sorted(hashes)]
    return rows


def percentile(values: list[float], percent: int) -> float:
    """A percentile, the next value above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def _identity(number: int) -> Identity:
    patient = number // 2
    birth = f"{1930 + patient % 80}{patient % 12 + 1:02d}{patient % 28 + 1:02d}"
    return Identity(
        name=_name(patient), number=f"P{patient:06d}", birth_date=birth, sex="FM"[patient % 2],
        accession=f"A{number:07d}", study_number=f"S{number}", referring="Doctor^Anna",
    )  # fmt: skip


def _name(patient: int) -> str:
    return f"{NAMES[patient % len(NAMES)]}^{_given(patient)}"


def _given(patient: int) -> str:
    """A word of letters, another one for each patient."""
    return "".join("abcdefghij"[int(digit)] for digit in f"{patient:06d}"[::-1]).capitalize()


def _date(number: int) -> str:
    day = number * 7919 % 3000
    return f"{2016 + day // 360}{day % 360 // 30 + 1:02d}{day % 30 % 28 + 1:02d}"


def _study(number: int, patient: str) -> dict[str, Any]:
    return {
        "id": number + 1, "uid": f"{ROOT}.{number}", "project_id": FIRST_PROJECT, "patient": patient,
        "date": _date(number), "time": f"{number % 24:02d}{number % 60:02d}00",
        "description": f"{DESCRIPTIONS[number % 8]} {number % 97}", "attributes": {"TimezoneOffsetFromUTC": "+0100"},
        "created": 1.8e9, "changed": 1.8e9,
    }  # fmt: skip


def _series(number: int) -> Iterator[dict[str, Any]]:
    scan = {"Manufacturer": "Maker", "ProtocolName": "routine", "SliceThickness": "1.0", "PixelSpacing": "0.7\\0.7"}
    for at in range(SERIES):
        yield {
            "id": number * SERIES + at + 1, "study_id": number + 1, "uid": f"{ROOT}.{number}.{at + 1}",
            "modality": MODALITIES[number % 8], "body_part": "CHEST", "description": "axial", "number": at + 1,
            "attributes": scan, "arrived": 1.8e9,
        }  # fmt: skip


def _instances(number: int) -> Iterator[dict[str, Any]]:
    image = {"BitsAllocated": "16", "ImagePositionPatient": "0\\0\\1", "PixelSpacing": "0.7\\0.7"}
    for at in range(SERIES):
        for slice_ in range(INSTANCES):
            uid = f"{ROOT}.{number}.{at + 1}.{slice_ + 1}"
            yield {
                "series_id": number * SERIES + at + 1, "uid": uid, "sop_class": "1.2.840.10008.5.1.4.1.1.2",
                "syntax": "1.2.840.10008.1.2.1", "number": slice_ + 1, "rows": 512, "columns": 512, "frames": 1,
                "attributes": image, "size": 525_000, "sha256": "0" * 64, "key": f"00/{uid}", "received": 1.8e9,
            }  # fmt: skip


if __name__ == "__main__":
    main()
