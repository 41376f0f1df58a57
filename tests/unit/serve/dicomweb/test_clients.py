"""Clients that others wrote, against a server on a port: dicomweb-client, Orthanc, and one that nobody should write."""

from __future__ import annotations

import io
import json
import os
import socket
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import psutil
import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from pydicom.uid import JPEG2000Lossless
from sqlalchemy import func, select

from diascope.serve.database.tables import instances, series, studies
from diascope.testing.objects import a_dataset, an_object, uids
from diascope.testing.orthanc import orthanc, orthanc_program
from diascope.testing.serving import BOUNDARY, STOW_TYPE, a_process, served, steward_token, stow_body
from diascope.testing.waiting import until
from diascope.testing.web import a_site

needs_orthanc = pytest.mark.skipif(orthanc_program() is None, reason="Orthanc and its DICOMweb plug-in (Debian)")
GREY = (np.arange(64 * 48) % 4096).astype(np.uint16).reshape(64, 48)


def a_client(url: str, token: str) -> DICOMwebClient:
    return DICOMwebClient(f"{url}/dicom-web", headers={"Authorization": f"Bearer {token}"})


def test_dicomweb_client(tmp_path: Path) -> None:
    """Everything that it can ask for, against a real server."""
    site = a_site(tmp_path)
    study, series_uid, uid = uids(1)
    with served(site.app) as url:
        client = a_client(url, steward_token(site))
        made = [a_dataset(1, 1, n, pixels=GREY) for n in range(1, 4)]
        names = [one.SOPInstanceUID for one in made]
        answer = client.store_instances(made)
        assert [item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence] == names
        compressed = an_object(2, 1, 1, JPEG2000Lossless, pixels=GREY)
        client.store_instances([pydicom.dcmread(io.BytesIO(compressed))], uids(2)[0])
        (one,) = client.search_for_studies(search_filters={"PatientID": "P1"})
        assert one["0020000D"]["Value"] == [study]
        assert len(client.search_for_series()) == 2
        assert len(client.search_for_instances(study, series_uid, limit=1, get_remaining=True)) == 3
        assert client.search_for_studies(search_filters={"PatientID": "P9"}) == []
        assert {d.SOPInstanceUID for d in client.retrieve_study(study)} == set(names)
        assert len(client.retrieve_series(study, series_uid)) == 3
        found = client.retrieve_instance(*uids(2), media_types=(("application/dicom", JPEG2000Lossless),))
        assert found.file_meta.TransferSyntaxUID == JPEG2000Lossless
        assert np.array_equal(client.retrieve_instance(*uids(2)).pixel_array, GREY)
        (frame,) = client.retrieve_instance_frames(study, series_uid, uid, [1])
        assert frame == GREY.tobytes()
        (frame,) = client.retrieve_instance_frames(
            *uids(2), [1], media_types=(("image/jp2", "1.2.840.10008.1.2.4.90"),)
        )
        assert frame[:2] == b"\xff\x4f"
        header = client.retrieve_instance_metadata(study, series_uid, uid)
        assert header["00100020"]["Value"] == ["P1"]
        assert (
            len(client.retrieve_study_metadata(study)) == len(client.retrieve_series_metadata(study, series_uid)) == 3
        )
        (content,) = client.retrieve_bulkdata(header["7FE00010"]["BulkDataURI"])
        assert content == GREY.tobytes()
        assert client.retrieve_instance_rendered(study, series_uid, uid, media_types=("image/png",))[:4] == b"\x89PNG"
        assert (
            client.retrieve_instance_frames_rendered(study, series_uid, uid, [1], media_types=("image/jpeg",))[:2]
            == b"\xff\xd8"
        )


@pytest.mark.external
@needs_orthanc
def test_orthanc_as_a_client(tmp_path: Path) -> None:
    """Its DICOMweb plug-in sends to us (STOW), searches (QIDO) and fetches (WADO)."""
    site = a_site(tmp_path / "ours")
    with served(site.app) as url:
        headers = {"Authorization": f"Bearer {steward_token(site)}"}
        server = {"Url": f"{url}/dicom-web/", "HttpHeaders": headers, "HasDelete": False, "ChunkedTransfers": True}
        with orthanc(tmp_path / "theirs", servers={"ours": server}) as pacs:
            objects = [an_object(1, 1, n, pixels=GREY) for n in range(1, 6)]
            sent = [pacs.post("/instances", content)["ID"] for content in objects]
            theirs = "/dicom-web/servers/ours"
            answer = pacs.post(f"{theirs}/stow", {"Resources": sent, "Synchronous": True})
            assert count(site.service, instances) == 5, answer
            (found,) = pacs.post(f"{theirs}/qido", {"Uri": "/studies", "Arguments": {"PatientID": "P1"}})
            assert uids(1)[0] in json.dumps(found)
            for one in pacs.get("/instances"):
                pacs.http.delete(f"/instances/{one}").raise_for_status()
            pacs.post(f"{theirs}/retrieve", {"Resources": [{"Study": uids(1)[0]}], "Synchronous": True})
            back = [pacs.http.get(f"/instances/{one}/file").content for one in pacs.get("/instances")]
            objects_back = [pydicom.dcmread(io.BytesIO(one)) for one in back]
            assert {one.SOPInstanceUID for one in objects_back} == {uids(1, 1, n)[2] for n in range(1, 6)}
            assert all(np.array_equal(one.pixel_array, GREY) for one in objects_back)


def count(service: object, table: object) -> int:
    with service.database.reading() as connection:  # type: ignore[attr-defined]
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())  # type: ignore[arg-type]


def killed_while_storing(folder: Path, objects: list[bytes], after: int) -> None:
    """A4: kill -9 when some of a body are stored; each is whole or absent, and the same body is then taken whole."""
    body = stow_body(objects)
    headers = {"Content-Type": STOW_TYPE}
    with a_process(folder) as first:
        sending = threading.Thread(target=_ignoring, args=(first.url, body, {**headers, **first.headers}), daemon=True)
        sending.start()
        until(lambda: len(stored(folder)) >= after)
        first.process.kill()
        sending.join(30)
    known = stored(folder)
    with a_process(folder) as second:
        there = [path for path in (folder / "service" / "archive").rglob("*") if path.is_file()]
        assert len(there) == len(known) == len(stored(folder))
        with httpx.Client(headers=second.headers, timeout=120) as client:
            for uid in known:
                found = client.get(f"{second.url}/dicom-web/studies/{uids(1)[0]}/series/{uids(1)[1]}/instances/{uid}")
                assert found.status_code == 200
            answer = client.post(f"{second.url}/dicom-web/studies", content=body, headers=headers)
            assert answer.status_code == 200
            assert len(answer.json()["00081199"]["Value"]) == len(objects)
    assert len(stored(folder)) == len(objects)


def stored(folder: Path) -> list[str]:
    """UIDs that the index of another process has."""
    import sqlite3

    path = folder / "service" / "index.sqlite"
    path = path if path.is_file() else folder / "index.sqlite"
    if not path.is_file():
        return []
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        return [row[0] for row in connection.execute("SELECT uid FROM instances")]


def _ignoring(url: str, body: bytes, headers: dict[str, str]) -> None:
    try:
        httpx.post(f"{url}/dicom-web/studies", content=body, headers=headers, timeout=60)
    except httpx.HTTPError:
        return


@pytest.mark.slow
def test_kill_in_the_middle_of_a_body(tmp_path: Path) -> None:
    """A4: once, 40 instances."""
    killed_while_storing(tmp_path, [an_object(1, 1, n) for n in range(1, 41)], 10)


@pytest.mark.nightly
@pytest.mark.parametrize("after", [1, 20, 60, 100, 150, 190])
def test_kill_in_the_middle_of_many(tmp_path: Path, after: int) -> None:
    """A4: 200 instances, at six moments."""
    killed_while_storing(tmp_path, [an_object(1, 1, n) for n in range(1, 201)], after)


def raw(url: str, head: str, body: bytes = b"", seconds: float = 10.0) -> tuple[str, float]:
    """Send bytes, leave the connection open, and wait for the first line; seconds that it took."""
    host, port = url.removeprefix("http://").split(":")
    start = time.monotonic()
    with socket.create_connection((host, int(port)), timeout=seconds) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        line = connection.recv(200).split(b"\r\n")[0].decode()
    return line, time.monotonic() - start


@pytest.mark.slow
def test_bodies_that_lie(tmp_path: Path) -> None:
    """B3: Content-Length of 4 GB and ten bytes, no boundary, huge headers, a compressed body: refused within 5 s."""
    site = a_site(tmp_path)
    with served(site.app) as url:
        known = f"POST /dicom-web/studies HTTP/1.1\nHost: x\nAuthorization: Bearer {steward_token(site)}"
        typed = f"{known}\nContent-Type: {STOW_TYPE}"
        begun = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        cases = {
            "short of the boundary": (f"{typed}\nContent-Length: 4294967296", b"--a-bounda"),
            "ten other bytes": (f"{typed}\nContent-Length: 4294967296", b"0123456789"),
            "nothing": (f"{typed}\nContent-Length: 4294967296", b""),
            "no boundary": (f"{known}\nContent-Type: multipart/related\nContent-Length: 100", b""),
            "headers of a part": (f"{typed}\nContent-Length: 99999999", begun[:-4] + b"; x=" + b"y" * 20_000),
            "compressed": (f"{typed}\nContent-Encoding: gzip\nContent-Length: 99", b""),
            "no length that is one": (f"{typed}\nContent-Length: 1e9", b""),
            "nobody": ("POST /dicom-web/studies HTTP/1.1\nHost: x\nContent-Length: 4294967296", b""),
            "begun and left": (f"{typed}\nContent-Length: 4294967296", begun + b"x"),
        }
        for name, (head, body) in cases.items():
            line, took = raw(url, head, body)
            assert line.startswith("HTTP/1.1 4"), (name, line)
            assert took < 5, name
    drafts = [path for path in (site.service.root / "archive").rglob("*") if path.is_file()]
    assert drafts == []


def test_a_part_without_an_end(tmp_path: Path) -> None:
    """B3: refused at the limit, memory bounded, and others are answered meanwhile."""
    site = a_site(tmp_path, largest_object_mb=200)
    process = psutil.Process(os.getpid())
    with served(site.app) as url:
        token = steward_token(site)
        httpx.get(f"{url}/dicom-web/studies", headers={"Authorization": f"Bearer {token}"})
        before, start = process.memory_info().rss, time.monotonic()
        host, port = url.removeprefix("http://").split(":")
        head = f"POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        head += f"Content-Type: {STOW_TYPE}\r\nContent-Length: 10000000000\r\n\r\n"
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(head.encode() + f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode())
            sent, slowest = _sent_until_refused(connection, url, token)
        assert sent < 300_000_000
        assert slowest < 2
        assert time.monotonic() - start < 20
        assert process.memory_info().rss - before < 256 << 20
    assert [path for path in (site.service.root / "archive").rglob("*") if path.is_file()] == []


def _sent_until_refused(connection: socket.socket, url: str, token: str) -> tuple[int, float]:
    sent, slowest, chunk = 0, 0.0, b"\0" * (1 << 20)
    connection.settimeout(10)
    while sent < 1_000_000_000:
        try:
            connection.sendall(chunk)
        except OSError:
            break
        sent += len(chunk)
        if sent % (50 << 20) == 0:
            start = time.monotonic()
            httpx.get(f"{url}/dicom-web/studies", headers={"Authorization": f"Bearer {token}"}).raise_for_status()
            slowest = max(slowest, time.monotonic() - start)
    return sent, slowest


@pytest.mark.slow
def test_uploaders_at_the_same_time(tmp_path: Path) -> None:
    """A7: the same study from several at once: exact counts, no error of the server."""
    site = a_site(tmp_path)
    body = stow_body([an_object(1, n, m) for n in (1, 2) for m in (1, 2, 3)])
    with served(site.app) as url:
        headers = {"Authorization": f"Bearer {steward_token(site)}", "Content-Type": STOW_TYPE}
        answers: list[int] = []
        threads = [threading.Thread(target=_repeated, args=(url, body, headers, answers)) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert answers == [200] * 15
    assert [count(site.service, table) for table in (studies, series, instances)] == [1, 2, 6]
    assert len([path for path in (site.service.root / "archive").rglob("*") if path.is_file()]) == 6


def _repeated(url: str, body: bytes, headers: dict[str, str], answers: list[int]) -> None:
    for _ in range(3):
        answers.append(httpx.post(f"{url}/dicom-web/studies", content=body, headers=headers, timeout=60).status_code)


def test_answers_are_json(tmp_path: Path) -> None:
    """A refusal in the middle of a body arrives, and the connection is then closed."""
    site = a_site(tmp_path)
    with served(site.app) as url:
        headers = {"Authorization": f"Bearer {steward_token(site)}", "Content-Type": STOW_TYPE}
        answer = httpx.post(f"{url}/dicom-web/studies", content=b"--" + b"x" * 5000, headers=headers)
    assert (answer.status_code, answer.headers["connection"]) == (400, "close")
    assert json.loads(answer.text)["error"]["code"] == "bad_request"
