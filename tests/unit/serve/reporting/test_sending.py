"""A signed report reaches the peers that the rules of its results named: once signed, as each peer takes it."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from sqlalchemy import insert, select

from diascope.core.errors import DiascopeError
from diascope.serve.database.tables import audit, deliveries, instances, jobs, readings, results, studies
from diascope.serve.jobs.kinds import send
from diascope.serve.outgoing import fhir, hl7, webhook
from diascope.serve.outgoing.telling import Declined, NotDelivered
from diascope.testing.reading import (
    FLAT,
    a_film,
    a_peer,
    a_rule,
    a_signed_release,
    arrive,
    become_complete,
    rows_of,
    work_off,
)  # fmt: skip
from diascope.testing.web import Browser, Site, a_site

REPORT = {"kinds": ["report"]}


class Peers:
    """What every peer got, and whether they answer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.came: list[tuple[str, Any]] = []
        self.error: DiascopeError | None = None
        monkeypatch.setattr(send, "sender", lambda kind: self._object)
        for module in (hl7, fhir, webhook):
            monkeypatch.setattr(module, "post", lambda _, peer, content: self._take(peer.name, content))

    def _object(self, service: Any, peer: Any, parcel: Any) -> None:
        self._take(peer.name, pydicom.dcmread(BytesIO(service.archive.read(parcel.key, parcel.sha256))))

    def _take(self, name: str, content: Any) -> None:
        if self.error is not None:
            raise self.error
        self.came.append((name, content))


def a_read_film(folder: Path, monkeypatch: pytest.MonkeyPatch, *kinds: str) -> tuple[Site, Browser, Peers]:
    """A film that was read by a rule which names a peer of each kind; a reader; and the peers."""
    site, peers = a_site(folder), Peers(monkeypatch)
    a_signed_release(site.service, FLAT)
    for kind in kinds:
        a_peer(site.service, kind, kind)
    a_rule(site.service, FLAT, send=[{"peer": kind, **REPORT} for kind in kinds])
    arrive(site.service, a_film(1))
    become_complete(site.service)
    work_off(site.service)
    return site, site.someone("reader", display="Li^Wei"), peers


def decide(site: Site, who: Browser) -> str:
    """Accept the result; the id of the reading."""
    (result,) = rows_of(site.service, results)
    site.clock.forward(5)
    made = f"reading-{site.clock():.0f}"
    values = {"result_id": result.id, "reader": who.user, "verdict": "accept", "shown": {}, "at": site.clock()}
    work = insert(readings).values(id=made, **values)
    site.service.database.change(lambda connection: connection.execute(work))
    return made


def sign(site: Site, who: Browser, reading: str, text: str = "no nodule") -> str:
    with site.service.database.reading() as connection:
        study = connection.execute(select(studies.c.uid)).scalar_one()
    sections = [{"name": "findings", "text": text}, {"name": "rejected", "text": "a shadow"}]
    body = {"language": "en", "sections": sections, "readings": [reading]}
    answer = who.post(f"/studies/{study}/signatures", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_nothing_goes_before_a_reader_signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site, who, peers = a_read_film(tmp_path, monkeypatch, "dimse", "fhir")
    decide(site, who)
    work_off(site.service)
    assert peers.came == []
    assert {one.state for one in rows_of(site.service, deliveries)} == {"unsigned"}
    assert rows_of(site.service, jobs, jobs.c.kind == "report") == []


def test_a_signed_report_reaches_every_kind_of_peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = ("dimse", "dicomweb", "mllp", "fhir", "webhook")
    site, who, peers = a_read_film(tmp_path, monkeypatch, *kinds)
    signature = sign(site, who, decide(site, who))
    work_off(site.service)
    got = {kind: [one for name, one in peers.came if name == kind] for kind in kinds}
    for kind in ("dimse", "dicomweb"):
        assert [one.SOPClassUID.name for one in got[kind]] == ["Comprehensive SR Storage", "Encapsulated PDF Storage"]
        assert {one.VerificationFlag for one in got[kind]} == {"VERIFIED"}
        assert "no nodule" in str(got[kind][0])
        assert got[kind][1].EncapsulatedDocument.startswith(b"%PDF-")
        assert {one.PatientID for one in got[kind]} == {got["dimse"][0].PatientID} != {""}
    assert [one.SOPInstanceUID for one in got["dimse"]] == [one.SOPInstanceUID for one in got["dicomweb"]]
    (message,), (bundle,), (event,) = got["mllp"], got["fhir"], got["webhook"]
    segments = [one.split("|") for one in message.split("\r")]
    assert next(one for one in segments if one[0] == "OBR")[25] == "F"
    assert [one[5] for one in segments if one[0] == "OBX"] == ["no nodule"], "what was rejected is no observation"
    assert bundle["entry"][-1]["resource"]["status"] == "final"
    assert (event["type"], event["signature"]) == ("report.signed", signature)
    assert "nodule" not in json.dumps(event)
    assert {one.state for one in rows_of(site.service, deliveries)} == {"sent"}
    told = rows_of(site.service, audit, audit.c.action == "report.sent")
    assert [one.outcome for one in told] == ["success"] * len(kinds)
    made = [one for one in rows_of(site.service, instances) if one.sop_class in {x.SOPClassUID for x in got["dimse"]}]
    assert len([one for one in made if one.uid in {x.SOPInstanceUID for x in got["dimse"]}]) == 2
    assert sorted(site.service.archive.keys()) == sorted(one.key for one in rows_of(site.service, instances))


def test_a_peer_that_is_away_gets_it_when_it_is_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site, who, peers = a_read_film(tmp_path, monkeypatch, "dimse")
    peers.error = NotDelivered("nobody answers")
    sign(site, who, decide(site, who))
    work_off(site.service)
    (row,) = rows_of(site.service, deliveries)
    assert (row.state, row.reason) == ("waiting", "try 1: nobody answers")
    peers.error = None
    site.clock.forward(301)
    work_off(site.service)
    assert [one.state for one in rows_of(site.service, deliveries)] == ["sent"]
    assert len(peers.came) == 2


def test_a_report_that_is_declined_is_seen_to_have_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site, who, peers = a_read_film(tmp_path, monkeypatch, "fhir")
    peers.error = Declined("fhir", "422")
    sign(site, who, decide(site, who))
    work_off(site.service)
    (result,) = rows_of(site.service, results)
    (shown,) = who.get(f"/findings/{result.id}").json()["deliveries"]
    assert (shown["kind"], shown["state"], shown["reason"]) == ("report", "failed", "fhir declined the message")
    (told,) = rows_of(site.service, audit, audit.c.action == "report.sent")
    assert told.outcome == "failure"


def test_of_a_report_and_its_addendum_the_addendum_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site, who, peers = a_read_film(tmp_path, monkeypatch, "fhir", "mllp")
    peers.error = NotDelivered("nobody answers")
    reading = decide(site, who)
    sign(site, who, reading)
    work_off(site.service)
    peers.error = None
    sign(site, who, reading, "a nodule after all")
    site.clock.forward(301)
    work_off(site.service)
    assert sorted(name for name, _ in peers.came) == ["fhir", "mllp"]
    got = dict(peers.came)
    assert got["fhir"]["entry"][-1]["resource"]["status"] == "amended"
    assert "|C\r" in got["mllp"] or "|C|" in got["mllp"]
    assert {one.state for one in rows_of(site.service, deliveries)} == {"sent"}


@pytest.mark.external
def test_another_program_reads_the_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil
    import subprocess

    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is not installed")
    site, who, peers = a_read_film(tmp_path, monkeypatch, "dimse")
    sign(site, who, decide(site, who))
    work_off(site.service)
    for _, one in peers.came:
        one.save_as(tmp_path / "one.dcm")
        done = subprocess.run(["dciodvfy", str(tmp_path / "one.dcm")], capture_output=True, check=False, text=True)
        wrong = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]
        assert wrong == []
