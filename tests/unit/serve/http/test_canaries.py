"""200 made-up patients go through every flow, broken ones too; nothing outside the identities ever names them (C10)."""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import re
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from sqlalchemy import select

from diascope.serve.database import tables
from diascope.testing.calls import a_peer
from diascope.testing.objects import an_object, uids
from diascope.testing.serving import STOW_TYPE, served, stow_body
from diascope.testing.web import OWN, Browser, Site, a_site

SURNAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许"


@dataclass(frozen=True)
class Patient:
    """Names, number, date and accession number that occur nowhere else."""

    name: str
    chinese: str
    number: str
    born: str
    accession: str

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.name.split("^"), self.chinese, self.number, self.born, self.accession)


def patients(count: int) -> list[Patient]:
    return [
        Patient(
            name=f"Kanarienvogel{number:03d}^Voegelchen{number:03d}",
            chinese=f"{SURNAMES[number % 20]}鸘鸝鸜鸞{SURNAMES[number // 20 % 20]}",
            number=f"KNRQ7X-{number:03d}",
            born=f"18{number // 20 % 100:02d}{number % 12 + 1:02d}{number % 28 + 1:02d}",
            accession=f"ACCNKNR{number:03d}",
        )
        for number in range(count)
    ]


def forms(text: str) -> Iterator[bytes]:
    """What a text looks like where it has leaked."""
    plain = text.encode()
    wide = {text.encode("utf-16-le"), text.encode("utf-16-be"), text.encode("gb18030"), plain}
    yield from wide
    yield quote(text).encode()
    yield plain.hex().encode()
    yield json.dumps(text)[1:-1].encode()
    for content in wide:
        for shift in range(3):
            coded = base64.b64encode(b"\0" * shift + content)
            yield coded[(0, 2, 3)[shift] : len(coded) - (0, 3, 2)[(shift + len(content)) % 3]]


STEMS = ("Kanarienvogel", "Voegelchen", "KNRQ7X-", "ACCNKNR", "鸘鸝鸜鸞")
"""Each canary has one; nothing else has. A search for 200 × 6 texts in 17 forms would take minutes."""


def leaks(where: dict[str, bytes], canaries: list[Patient]) -> list[tuple[str, str]]:
    """What was found where: stems of names and numbers in every form, birth dates where no digit is beside them."""
    dates = re.compile(
        b"(?<![0-9A-Za-z.])(" + b"|".join({one.born.encode() for one in canaries}) + b")(?![0-9A-Za-z.])"
    )
    found = []
    for name, content in where.items():
        for stem in STEMS:
            found += [(name, f"{stem} as {form!r}") for form in {*forms(stem)} if form in content]
        found += [(name, one.decode()) for one in dates.findall(content)]
    return found


class Everything(logging.Handler):
    """All that anybody logs, as it would be written."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))
        self.lines: list[str] = []
        self.addFilter(lambda record: not record.name.startswith(("httpx", "httpcore")))  # clients of this test

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@contextlib.contextmanager
def everything_logged() -> Iterator[Everything]:
    handler, loggers = Everything(), [logging.getLogger()]
    loggers += [one for one in logging.root.manager.loggerDict.values() if isinstance(one, logging.Logger)]
    loggers += [logging.getLogger(name) for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "sqlalchemy.engine")]
    before = [(one, one.level, one.propagate, one.disabled) for one in loggers]
    for one in loggers:
        one.setLevel(logging.DEBUG)
        one.propagate, one.disabled = True, False
    logging.getLogger().addHandler(handler)
    try:
        yield handler
    finally:
        logging.getLogger().removeHandler(handler)
        for one, level, propagate, disabled in before:
            one.setLevel(level)
            one.propagate, one.disabled = propagate, disabled


def test_the_search_finds_what_has_leaked() -> None:
    """C10: the search itself works in every form."""
    (patient,) = patients(1)
    for text in patient.all:
        for form in forms(text):
            if text != patient.born:
                assert leaks({"x": b"??" + form + b"??"}, [patient]), (text, form)
    assert leaks({"x": f"born {patient.born}".encode()}, [patient])
    assert not leaks({"x": b"1.2.826.0.18000102 18000101aa"}, [patient])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_canaries(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """C10: 40 of them through every flow of a served application; the nightly one takes 200."""
    _nothing_leaks(tmp_path, capfd, 40)


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_canaries_long(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """C10: 200 of them."""
    _nothing_leaks(tmp_path, capfd, 200)


def _nothing_leaks(folder: Path, capfd: pytest.CaptureFixture[str], count: int) -> None:
    site, canaries = a_site(folder, lookups_per_minute=100_000), patients(count)
    where: dict[str, bytes] = {}
    with everything_logged() as logged, served(site.app) as address:
        steward, others = (
            site.someone("steward"),
            {role: site.someone(role) for role in ("administrator", "researcher")},
        )
        for number, patient in enumerate(canaries):
            _arrives(site, steward, number, patient)
            _asked_for(site, steward, patient, number)
            _goes_wrong(site, steward, patient, urlsplit(address).netloc)
        for role, who in others.items():
            for path in ("/jobs?limit=1000", "/audit?limit=1000", "/audit/export", "/changes?limit=1000", "/system"):
                where[f"{role} {path}"] = who.get(path).content
            for path in ("/dicom-web/studies?includefield=all&limit=1000", "/dicom-web/instances"):
                where[f"{role} {path}"] = who.get(path).content
        where["metrics"] = Browser(site.app, address="127.0.0.1").get("/metrics").content
    with site.service.database.reading() as connection:
        for name, table in tables.index.tables.items():
            rows = connection.execute(select(table)).all()
            where[f"table {name}"] = "\n".join(map(str, rows)).encode() + b"".join(
                one for row in rows for one in _bytes(row)
            )
    site.service.database.close()
    for path in [*folder.rglob("index.sqlite*"), *folder.rglob("identities.sqlite*"), *folder.rglob("audit-heads*")]:
        where[str(path.relative_to(folder))] = path.read_bytes()
    where["names of files"] = "\n".join(str(path) for path in folder.rglob("*")).encode()
    where["log"] = "\n".join(logged.lines).encode()
    written = capfd.readouterr()
    where["stdout and stderr"] = (written.out + written.err).encode()
    assert "sqlalchemy.engine" in where["log"].decode(), "the log holds what it should"
    assert leaks(where, canaries) == []


def _arrives(site: Site, steward: Browser, number: int, patient: Patient) -> None:
    """Stored well, and refused: another object with the same UID, half an object, an object in the wrong study."""
    about = {
        "SpecificCharacterSet": "ISO_IR 192",
        "PatientName": f"{patient.name}={patient.chinese}",
        "PatientID": patient.number,
        "PatientBirthDate": patient.born,
        "AccessionNumber": patient.accession,
    }
    content = an_object(7000 + number, **about)
    other = an_object(7000 + number, **{**about, "StudyDescription": "other bytes"})
    study = uids(7000 + number)[0]
    sent = [("/dicom-web/studies", content), ("/dicom-web/studies", other), ("/dicom-web/studies", content[:-300])]
    sent += [("/dicom-web/studies/1.2.3", content)]
    statuses = [
        steward.post(path, content=stow_body([one]), headers={"Content-Type": STOW_TYPE}).status_code
        for path, one in sent
    ]
    assert statuses[0] == 200
    assert all(status >= 400 for status in statuses[1:])
    # Whoever may see it does: the test would prove nothing if the names were nowhere.
    assert patient.number in steward.get(f"/dicom-web/studies/{study}/metadata").text


def _asked_for(site: Site, steward: Browser, patient: Patient, number: int) -> None:
    """Searched for here and at a peer."""
    for query in ({"PatientName": f"{patient.name.split('^')[0]}*"}, {"PatientID": patient.number}):
        assert steward.get("/dicom-web/studies", params=query).status_code in (200, 204)
    steward.get("/dicom-web/studies", params={"AccessionNumber": patient.accession, "fuzzymatching": patient.chinese})
    if number < 5:
        peer = a_peer(site, OWN)
        asked = steward.post(
            f"/peers/{peer}/queries", json={"patient_name": patient.chinese, "patient_id": patient.number}
        )
        assert asked.status_code == 202
        assert not leaks({"job": asked.content}, [patient])


def _goes_wrong(site: Site, steward: Browser, patient: Patient, place: str) -> None:
    """Wherever people and programs put what does not belong there; then what the web server can't even read."""
    name, chinese = patient.name, quote(patient.chinese)
    nobody = site.nobody()
    nobody.post("/session", json={"name": f"{name} {patient.chinese}", "password": patient.number})
    nobody.get(f"/studies/{name}/{chinese}", headers={"Authorization": f"Bearer {patient.number}"})
    steward.get(
        f"/jobs/{patient.number}", headers={"X-Patient": name, "User-Agent": name, "Referer": f"http://x/{name}"}
    )
    steward.get("/jobs", params={"kind": name, "state": patient.chinese, "after": patient.accession})
    steward.get("/audit", params={"actor": name, "action": patient.number})
    steward.get(f"/dicom-web/studies/{patient.born}.1/series", params={name: patient.chinese})
    steward.get(f"/dicom-web/studies/{name}", headers={"Accept": patient.number})
    json_type = {"Content-Type": "application/json"}
    steward.post("/rules/try", content=f'{{"study": "{name}", "{patient.chinese}": '.encode(), headers=json_type)
    steward.post("/rules/try", json={"study": name, patient.number: patient.chinese})
    steward.post("/me/tokens", json={"name": "x", "scopes": [name]}, headers={"Idempotency-Key": patient.accession})
    steward.post("/session", content=patient.chinese.encode("gb18030"), headers=json_type)
    host, _, port = place.partition(":")
    for raw in (f"GET /{name}\x00 HTTP/1.1\r\nHost: {name}\r\n\r\n", f"{name} / {patient.number}\r\n\r\n"):
        with socket.create_connection((host, int(port)), timeout=10) as line:
            line.sendall(raw.encode())
            assert b"Kanari" not in line.recv(4096)
    with socket.create_connection((host, int(port)), timeout=10) as line:
        line.sendall(f"GET /api/v1/jobs?kind={quote(name)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert b" 401 " in line.recv(4096)


def _bytes(row: Iterable[object]) -> Iterator[bytes]:
    return (one for one in row if isinstance(one, bytes))
