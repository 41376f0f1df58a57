"""STOW-RS through the application."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from diascope.core.errors import StorageFull
from diascope.serve.database.tables import audit, changes, instances, jobs, series, studies
from diascope.store.archive import Draft
from diascope.testing.objects import an_object, uids
from diascope.testing.serving import BOUNDARY, STOW_TYPE, stow_body
from diascope.testing.web import OTHER, Browser, Site, a_site

STUDIES = "/dicom-web/studies"
REFERENCED, FAILED, OTHERS = "00081199", "00081198", "0008119A"


def stow(who: Browser, objects: Sequence[bytes], path: str = STUDIES, kind: str = STOW_TYPE) -> httpx.Response:
    return who.post(path, content=stow_body(objects), headers={"Content-Type": kind})


def items(response: httpx.Response, tag: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = response.json().get(tag, {}).get("Value", [])
    return found


def reasons(response: httpx.Response, tag: str = FAILED) -> list[int]:
    return [item["00081197"]["Value"][0] for item in items(response, tag)]


def count(site: Site, table: Any) -> int:
    with site.service.database.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def files(site: Site) -> int:
    return sum(1 for path in (site.service.root / "archive").rglob("*") if path.is_file())


def a_mutant(instance: int) -> bytes:
    """The instance of another study under a known UID: it speaks against what is there."""
    return an_object(2, 1, instance, SOPInstanceUID=uids(1, 1, instance)[2])


def test_all_good(tmp_path: Path) -> None:
    """A5: 200, and each object is named with the address that it can be had from."""
    site = a_site(tmp_path)
    answer = stow(site.someone("steward"), [an_object(1, 1, number) for number in range(1, 6)])
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/dicom+json"
    assert [item["00081155"]["Value"][0] for item in items(answer, REFERENCED)] == [
        uids(1, 1, number)[2] for number in range(1, 6)
    ]
    assert answer.json()["00081190"]["Value"][0].endswith(f"/dicom-web/studies/{uids(1)[0]}")
    assert (count(site, instances), files(site)) == (5, 5)


def test_some_bad(tmp_path: Path) -> None:
    """A5: ten good and three bad parts: 202, three failures with their reasons, and nothing of them stays."""
    site = a_site(tmp_path)
    study = uids(1)[0]
    bad = [an_object(7, 1, number) for number in range(3)]
    answer = stow(site.someone("steward"), [*(an_object(1, 1, n) for n in range(1, 11)), *bad], f"{STUDIES}/{study}")
    assert answer.status_code == 202
    assert (len(items(answer, REFERENCED)), reasons(answer), reasons(answer, OTHERS)) == (10, [0xA900] * 3, [])
    assert [item["00081155"]["Value"][0] for item in items(answer, FAILED)] == [uids(7, 1, n)[2] for n in range(3)]
    assert (count(site, studies), count(site, instances), files(site)) == (1, 10, 10)


def test_parts_that_nobody_can_parse(tmp_path: Path) -> None:
    """A5: they have no UIDs, and stand apart; the others are stored."""
    site = a_site(tmp_path)
    answer = stow(site.someone("steward"), [an_object(), b"no DICOM", an_object(instance=2)[:1200]])
    assert answer.status_code == 202
    assert (len(items(answer, REFERENCED)), reasons(answer, OTHERS)) == (1, [0xC000, 0xC000])
    assert files(site) == 1


def test_all_bad(tmp_path: Path) -> None:
    """A5: thirteen that do not belong: 409; none that can be parsed: 400; of another type: 415."""
    site = a_site(tmp_path)
    steward = site.someone("steward")
    answer = stow(steward, [an_object(7, 1, n) for n in range(13)], f"{STUDIES}/{uids(1)[0]}")
    assert (answer.status_code, reasons(answer)) == (409, [0xA900] * 13)
    assert stow(steward, [b"nothing", b"like DICOM"]).status_code == 400
    body = f"--{BOUNDARY}\r\nContent-Type: image/png\r\n\r\nabc\r\n--{BOUNDARY}--".encode()
    assert steward.post(STUDIES, content=body, headers={"Content-Type": STOW_TYPE}).status_code == 415
    assert (count(site, instances), files(site)) == (0, 0)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/dicom", 415),
        ("", 415),
        ("multipart/form-data; boundary=x", 415),
        ('multipart/related; type="application/dicom+xml"; boundary=x', 415),
        ('multipart/related; type="application/dicom"', 400),
        ('multipart/related; type="application/dicom"; boundary=other', 400),
    ],
)
def test_bodies_of_another_type(tmp_path: Path, kind: str, status: int) -> None:
    """A5, B3: refused before anything is read."""
    site = a_site(tmp_path)
    answer = stow(site.someone("steward"), [an_object()], kind=kind)
    assert (answer.status_code, files(site)) == (status, 0)
    assert set(answer.json()) == {"error"}


def test_the_same_again_and_again(tmp_path: Path) -> None:
    """A6: identical bytes are one copy, and nothing happens twice."""
    site = a_site(tmp_path)
    steward = site.someone("steward")
    assert {stow(steward, [an_object()] * 10).status_code for _ in range(3)} == {200}
    assert (count(site, instances), files(site), count(site, changes), count(site, jobs)) == (1, 1, 1, 0)


def test_the_same_uid_with_other_bytes(tmp_path: Path) -> None:
    """A6: refused with a reason of its own and audited; the first stays."""
    site = a_site(tmp_path)
    steward = site.someone("steward")
    first = an_object()
    assert stow(steward, [first]).status_code == 200
    answer = stow(steward, [an_object(StudyDescription="another")])
    assert (answer.status_code, reasons(answer)) == (409, [0x0111])
    with site.service.database.reading() as connection:
        row = connection.execute(select(instances)).one()
        refused = connection.execute(select(audit).where(audit.c.action == "instance.refused")).one()
    assert site.service.archive.read(row.key) == first
    assert (refused.outcome, refused.object) == ("refused", uids(1)[2])


def test_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A9: 507 with reason A7xx, nothing half-stored; with room again it is taken at once."""
    site = a_site(tmp_path)
    steward = site.someone("steward")
    with monkeypatch.context() as full:
        full.setattr(Draft, "write", _no_room)
        answer = stow(steward, [an_object(1, 1, n) for n in range(3)])
        assert (answer.status_code, answer.headers["retry-after"]) == (507, "10")
        assert reasons(answer, OTHERS) == [0xA700]
        assert steward.get(STUDIES).status_code == 204
    assert (count(site, instances), files(site)) == (0, 0)
    assert stow(steward, [an_object(1, 1, n) for n in range(3)]).status_code == 200


def test_room_that_ends_in_the_middle(tmp_path: Path) -> None:
    """A9: what was stored before the quota was full stays, and the answer says which."""
    site = a_site(tmp_path, quota_gb=3000e-9)
    answer = stow(site.someone("steward"), [an_object(1, 1, n) for n in range(1, 6)])
    assert (answer.status_code, len(items(answer, REFERENCED)), count(site, instances)) == (202, 2, 2)
    assert {*reasons(answer), *reasons(answer, OTHERS)} == {0xA700}


def test_an_object_that_is_too_large(tmp_path: Path) -> None:
    """B3: refused when it passes the limit, not when it ends."""
    site = a_site(tmp_path, largest_object_mb=1)
    answer = stow(site.someone("steward"), [an_object(), an_object(instance=2) + b"\0" * 2_000_000])
    assert answer.status_code == 202
    assert answer.headers["connection"] == "close"
    assert stow(site.someone("steward"), [b"\0" * 2_000_000]).status_code == 413
    assert files(site) == 1


@pytest.mark.parametrize(
    "uid", ["..", "%2e%2e%2f", "1.2.3/../../x", "1" * 65, "1.2.a", "1..2", "１.2", "1.2%00", "con"]
)
def test_uids_in_addresses(tmp_path: Path, uid: str) -> None:
    """B5: what is no UID is refused, and never near a path."""
    site = a_site(tmp_path)
    before = sorted(path for path in tmp_path.rglob("*") if path.is_dir())
    steward = site.someone("steward")
    assert 400 <= stow(steward, [an_object()], f"{STUDIES}/{uid}").status_code < 500
    for path in (
        f"{uid}",
        f"{uid}/metadata",
        f"1.2/series/{uid}/instances/1.2/frames/1",
        f"1.2/series/{uid}/thumbnail",
    ):
        assert 400 <= steward.get(f"{STUDIES}/{path}").status_code < 500
    assert sorted(path for path in tmp_path.rglob("*") if path.is_dir()) == before


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
@pytest.mark.filterwarnings("ignore:The value length")
@pytest.mark.parametrize("uid", ["../../x", "1.2.3/4", "C:\\x", "1" * 70, "1.2\n3", "x"])
def test_uids_in_objects(tmp_path: Path, uid: str) -> None:
    """B5: an object whose UIDs are none is refused."""
    site = a_site(tmp_path)
    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        assert stow(site.someone("steward"), [an_object(**{keyword: uid})]).status_code == 400
    assert files(site) == 0


def test_who_may_and_where_it_goes(tmp_path: Path) -> None:
    """C1: a reader may not store; a steward may in own projects, and says which where there are several."""
    site = a_site(tmp_path)
    assert stow(site.someone("reader"), [an_object()]).status_code == 403
    assert stow(site.nobody(), [an_object()]).status_code == 401
    elsewhere = site.someone("steward", places=(OTHER,))
    assert stow(elsewhere, [an_object()]).status_code == 200
    own = site.someone("steward")
    assert stow(own, [an_object(2)], f"{STUDIES}?project={OTHER}").status_code == 404
    assert stow(own, [an_object(1, 1, 2)], f"{STUDIES}/{uids(1)[0]}").status_code == 404
    assert reasons(stow(own, [an_object(1, 1, 2)])) == [0x0124]
    with site.service.database.reading() as connection:
        assert connection.execute(select(studies.c.project_id)).scalars().all() == [OTHER]
    assert count(site, series) == 1


def _no_room(*_: object) -> None:
    raise StorageFull("no room is left on the disk")
