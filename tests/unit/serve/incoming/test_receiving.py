"""Receiving: an object is durable and known when `receive` returns, and gone when it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import ImplicitVRLittleEndian
from sqlalchemy import func, select

from diascope.serve.database.tables import audit, changes, instances, series, studies
from diascope.serve.incoming.receiving import Expected, Origin, Received, Receiving, Refused
from diascope.serve.service import Service
from diascope.testing.objects import ROOT, an_object
from diascope.testing.service import a_service

ORIGIN = Origin("peer:CT1", "10.0.0.7", "default", "peer-1")


def sent(receiving: Receiving, content: bytes, expected: Expected | None = None, origin: Origin = ORIGIN) -> Received:
    draft = receiving.service.archive.draft()
    draft.write(content)
    return receiving.receive(draft, origin, expected)


def count(service: Service, table: Any) -> int:
    with service.database.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def rows(service: Service, table: Any) -> list[Any]:
    with service.database.reading() as connection:
        return list(connection.execute(select(table).order_by(*table.primary_key.columns)))


def files(service: Service) -> list[Path]:
    return [path for path in (service.root / "archive").rglob("*") if path.is_file()]


def refused(receiving: Receiving, content: bytes, expected: Expected | None = None, origin: Origin = ORIGIN) -> Refused:
    """The refusal of an object that must leave nothing."""
    before = files(receiving.service), count(receiving.service, instances), count(receiving.service, studies)
    with pytest.raises(Refused) as caught:
        sent(receiving, content, expected, origin)
    assert before == (files(receiving.service), count(receiving.service, instances), count(receiving.service, studies))
    last = rows(receiving.service, audit)[-1]
    assert (last.action, last.outcome, last.detail["reason"]) == ("instance.refused", "refused", caught.value.reason)
    return caught.value


def test_what_arrives_is_kept_byte_for_byte_indexed_and_audited(tmp_path: Path) -> None:
    service = a_service(tmp_path)
    content = an_object(1, 2, 3)
    received = sent(Receiving(service), content, Expected(instance_uid=f"{ROOT}.1.2.3", syntax="1.2.840.10008.1.2.1"))
    assert (received.status, received.study_uid, received.warnings) == ("stored", f"{ROOT}.1", ())
    (instance,) = rows(service, instances)
    assert service.archive.read(instance.key, instance.sha256) == content
    (study,) = rows(service, studies)
    (one,) = rows(service, series)
    assert (study.patient[:8], study.description, study.date) == ("patient-", "chest", "20260102")
    assert (one.modality, one.due, one.peer) == ("CT", service.clock() + 5.0, "peer-1")
    assert service.identities.of([study.uid])[study.uid].name == "Phantom^1"
    everything = f"{study}{one}{instance}{rows(service, audit)}{rows(service, changes)}"
    assert not any(secret in everything for secret in ("Phantom", "'P1'", "A1", "19700101", "'S1'"))
    assert rows(service, audit)[-1].action == "instance.stored"
    service.close()


def test_the_same_bytes_again_are_one_copy(tmp_path: Path) -> None:
    """A6: identical bytes 100 times: success, one copy, no second prediction."""
    service = a_service(tmp_path)
    receiving = Receiving(service)
    sent(receiving, an_object())
    due = rows(service, series)[0].due
    service.clock.forward(1)  # type: ignore[attr-defined]
    assert {sent(receiving, an_object()).status for _ in range(99)} == {"same"}
    assert (count(service, instances), count(service, changes), len(files(service))) == (1, 1, 1)
    assert rows(service, series)[0].due == due
    service.close()


def test_other_bytes_under_a_known_uid_are_refused(tmp_path: Path) -> None:
    """A6: different bytes under one UID: refused and audited, the first stays."""
    service = a_service(tmp_path)
    receiving = Receiving(service)
    sent(receiving, an_object())
    assert refused(receiving, an_object(SeriesDescription="other")).reason == "duplicate"
    assert service.archive.read(rows(service, instances)[0].key) == an_object()
    service.close()


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"PatientID": "P2"}, "mismatch"),
        ({"PatientID": None}, "mismatch"),
        ({"IssuerOfPatientID": "elsewhere"}, "mismatch"),
        ({"StudyInstanceUID": f"{ROOT}.9"}, "mismatch"),
    ],
    ids=["another patient", "no patient", "another issuer", "a series in another study"],
)
def test_what_does_not_belong_together_is_refused(tmp_path: Path, elements: dict[str, Any], reason: str) -> None:
    """K1: a study has one patient, a series one study."""
    service = a_service(tmp_path)
    receiving = Receiving(service)
    sent(receiving, an_object(1, 1, 1))
    assert refused(receiving, an_object(1, 1, 2, **elements)).reason == reason
    assert service.identities.of([f"{ROOT}.1"])[f"{ROOT}.1"].number == "P1"
    service.close()


def test_another_project_may_not_add_to_a_study(tmp_path: Path) -> None:
    service = a_service(tmp_path)
    receiving = Receiving(service)
    sent(receiving, an_object(1, 1, 1))
    other = Origin("peer:CT2", "10.0.0.8", "other")
    assert refused(receiving, an_object(1, 1, 2), origin=other).reason == "forbidden"
    service.close()


@pytest.mark.parametrize(
    "expected",
    [
        Expected(sop_class="1.2.840.10008.5.1.4.1.1.4"),
        Expected(instance_uid="1.2.3"),
        Expected(study_uid="1.2.3"),
        Expected(syntax=ImplicitVRLittleEndian),
        Expected(instance_uid="../../etc/passwd"),
    ],
)
def test_what_was_not_announced_is_refused(tmp_path: Path, expected: Expected) -> None:
    service = a_service(tmp_path)
    assert refused(Receiving(service), an_object(), expected).reason == "mismatch"
    service.close()


def test_a_directory_is_no_object(tmp_path: Path) -> None:
    service = a_service(tmp_path)
    content = an_object(SOPClassUID="1.2.840.10008.1.3.10")
    assert refused(Receiving(service), content).reason == "class_not_supported"
    service.close()


HEADS = {
    "PE": b"MZ\x90\x00\x03" + b"\x00" * 55 + b"\x80",
    "ELF": b"\x7fELF\x02\x01\x01",
    "Mach-O": b"\xcf\xfa\xed\xfe",
    "TIFF": b"II*\x00\x08",
    "HTML": b"<html><script>alert(1)</script>",
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
@pytest.mark.parametrize("encrypt", [False, True])
def test_a_preamble_is_zeroed(tmp_path: Path, head: bytes, encrypt: bool) -> None:
    """B9: what stands before DICM is zeroed in what is stored, and it is said."""
    service = a_service(tmp_path, encrypt=encrypt)
    content = an_object()
    receiving = Receiving(service)
    received = sent(receiving, head.ljust(128, b"\0") + content[128:])
    assert received.warnings == ("preamble zeroed",)
    (instance,) = rows(service, instances)
    assert service.archive.read(instance.key, instance.sha256) == content
    assert rows(service, audit)[-1].detail["warnings"] == ["preamble zeroed"]
    assert len(files(service)) == 1
    assert sent(receiving, head.ljust(128, b"\0") + content[128:]).status == "same"
    service.close()


BAD_UIDS = [
    "../../../etc/passwd", "/etc/passwd", "1.2.3\0.4/../..", "%2e%2e%2f", "..\\..\\x", "1." * 40 + "1", "1..2", ".1",
    "1.", "１.２.３", "CON", "NUL.1", "a" * 64, "1.2.3;rm -rf", "$(id)", "", "1.2\n3",
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")  # odd on purpose
@pytest.mark.parametrize("keyword", ["SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID"])
def test_what_is_no_uid_is_refused(tmp_path: Path, keyword: str) -> None:
    """B5: UIDs are digits and dots; nothing else is written anywhere."""
    service = a_service(tmp_path)
    receiving, found = Receiving(service), {}
    outside = sorted(path for path in tmp_path.rglob("*") if "audit" not in path.name)
    for uid in BAD_UIDS:
        error = refused(receiving, _with_uid(keyword, uid))
        assert uid == "" or uid not in str(error)
        found[uid] = error.reason
    assert found == dict.fromkeys(BAD_UIDS, "unparsable")
    assert outside == sorted(path for path in tmp_path.rglob("*") if "audit" not in path.name)
    service.close()


def _with_uid(keyword: str, uid: str) -> bytes:
    """An object with a UID that pydicom would not write: its bytes are put where another text of that length was."""
    raw = uid.encode()
    stand_in = "9" * (len(raw) + len(raw) % 2)
    content = an_object(**{keyword: stand_in or None})
    return content.replace(stand_in.encode(), raw.ljust(len(stand_in), b" ")) if raw else content
