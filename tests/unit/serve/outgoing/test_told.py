"""From a kept result to the message that a peer gets: as it was said, with what a reader decided since."""

from __future__ import annotations

import base64
import json
import socket
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert

from diascope.core.errors import DiascopeError
from diascope.privacy.sealing import Sealer
from diascope.serve.database.tables import readings, results
from diascope.serve.outgoing import fhir, hl7
from diascope.serve.outgoing.parcel import Parcel, Peer
from diascope.serve.outgoing.told import told
from diascope.serve.peers import PURPOSE, token_of
from diascope.serve.service import Service
from diascope.testing.reading import FLAT, a_film, a_rule, a_signed_release, arrive, become_complete, rows_of, work_off
from diascope.testing.service import a_service, a_user


def a_result(folder: Path) -> tuple[Service, Parcel]:
    service = a_service(folder)
    a_signed_release(service, FLAT)
    a_rule(service, FLAT)
    arrive(service, a_film(3))
    become_complete(service)
    work_off(service)
    (row,) = rows_of(service, results)
    return service, Parcel(row.id, "oru", "")


def sending_to(service: Service, port: int) -> Service:
    return replace(service, settings=service.settings.model_copy(update={"send_to": (f"127.0.0.1:{port}",)}))


def review(service: Service, parcel: Parcel, verdict: str) -> None:
    who = a_user(service, "ada")
    row = {"id": f"r-{verdict}", "result_id": parcel.result, "reader": who.id, "verdict": verdict, "shown": {},
           "comment": "", "at": service.clock() + 5}  # fmt: skip
    service.database.change(lambda connection: connection.execute(insert(readings).values(**row)))


def test_a_kept_result_is_told_with_its_release_and_its_patient(tmp_path: Path) -> None:
    service, parcel = a_result(tmp_path)
    one = told(service, parcel)
    assert one.made.algorithm.label == FLAT
    assert one.made.algorithm.seal
    assert one.made.algorithm.calibration.startswith("sha256:")
    assert one.made.review is None
    assert one.person.number
    assert one.study.series_uids
    (service.workspace.releases / FLAT / "release.json").unlink()
    assert told(service, parcel).made.algorithm.calibration.startswith("unknown")
    assert "OBX|1|" in hl7.message_of(one.findings, told(service, parcel).made, one.person, one.study)


def test_a_peer_gets_an_oru_and_a_later_one_says_who_reviewed_it(tmp_path: Path) -> None:
    service, parcel = a_result(tmp_path)
    got: list[str] = []

    def serve(server: socket.socket) -> None:
        for _ in range(2):
            connection, _address = server.accept()
            with connection:
                content = b""
                while not content.endswith(b"\x1c\r"):
                    content += connection.recv(4096)
                got.append(content.decode())
                about = got[-1].split("|")[9]
                connection.sendall(f"\x0bMSH|^~\\&|\rMSA|AA|{about}\r\x1c\r".encode())

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        peer = Peer("p", "RIS", "mllp", {"host": "127.0.0.1", "port": server.getsockname()[1]}, "")
        service = sending_to(service, server.getsockname()[1])
        hl7.deliver(service, peer, parcel)
        review(service, parcel, "accept")
        hl7.deliver(service, peer, parcel)
        thread.join(20)
    first, second = got
    assert "Not reviewed" in first
    assert "|RAD|P" in first
    assert "Reviewed by ada" in second
    assert "|RAD|F" in second


def test_a_peer_gets_a_bundle(tmp_path: Path) -> None:
    service, parcel = a_result(tmp_path)
    got: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bundle = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            got.append(bundle)
            entries = [{"response": {"status": "201 Created"}} for _ in bundle["entry"]]
            content = json.dumps({"resourceType": "Bundle", "type": "transaction-response", "entry": entries}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/fhir"
        fhir.deliver(sending_to(service, server.server_port), Peer("p", "EHR", "fhir", {"url": url}, ""), parcel)
        thread.join(20)
    (bundle,) = got
    assert [entry["resource"]["resourceType"] for entry in bundle["entry"]][-1] == "DiagnosticReport"


def test_the_token_of_a_peer_is_opened_with_the_services_keys(tmp_path: Path) -> None:
    service = a_service(tmp_path)
    sealed = base64.b64encode(Sealer(service.keys, PURPOSE).seal(b"secret", "p")).decode()
    assert token_of(service, "p", {"token": sealed}) == "secret"
    assert token_of(service, "p", {}) == ""
    with pytest.raises(DiascopeError) as caught:
        token_of(service, "another", {"token": sealed})
    assert "secret" not in str(caught.value)


def test_what_is_gone_is_not_told(tmp_path: Path) -> None:
    service, parcel = a_result(tmp_path)
    uid = told(service, parcel).study.study_uid
    service.identities.forget(uid)
    with pytest.raises(DiascopeError, match="nobody knows whose"):
        told(service, parcel)
    service.database.change(lambda connection: connection.execute(delete(results)))
    with pytest.raises(DiascopeError, match="deleted"):
        told(service, parcel)
