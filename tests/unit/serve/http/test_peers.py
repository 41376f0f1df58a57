"""Peers and rules through the API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import select

from diascope.serve.database.tables import jobs, peers
from diascope.serve.identities import Identity
from diascope.serve.jobs.worker import Worker
from diascope.serve.peers import token_of
from diascope.testing.calls import RULE, a_new_peer, a_study
from diascope.testing.dimse import a_node
from diascope.testing.web import OTHER, OWN, Site, a_site

WEB = {"name": "reports", "kind": "fhir", "web": {"url": "https://fhir.test/base", "token": "sesame-open"}}


def test_a_secret_is_written_and_never_read(tmp_path: Path) -> None:
    site = a_site(tmp_path, send_to=["fhir.test"])
    who = site.someone("administrator")
    made = who.post("/peers", json=WEB, headers={"Idempotency-Key": "1"}).json()
    assert made["has_token"] is True
    assert _token(site, made["id"]) == "sesame-open"
    shown = [made, who.get(f"/peers/{made['id']}").json(), who.get("/peers").json(), who.get("/audit").json()]
    assert "sesame" not in str(shown)
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or b"sesame-open" not in file.read_bytes(), file
    kept = {**WEB, "name": "results", "web": {"url": "https://fhir.test/other"}}
    assert who.send("PUT", f"/peers/{made['id']}", json=kept).json()["settings"]["url"] == "https://fhir.test/other"
    assert _token(site, made["id"]) == "sesame-open", "it stays unless another one is given"
    gone = {**kept, "web": {"url": "https://fhir.test/other", "token": ""}}
    assert who.send("PUT", f"/peers/{made['id']}", json=gone).json()["has_token"] is False


def test_only_what_is_allowed_is_sent_to(tmp_path: Path) -> None:
    """B8: addresses off the list, of this machine, with a password in them."""
    who = a_site(tmp_path, send_to=["fhir.test", "mllp.test:2575"]).someone("administrator")
    for url in (
        "https://evil.test/", "http://127.0.0.1/", "http://169.254.169.254/latest", "http://[::1]/", "https://2130706433/",
        "https://fhir.test@evil.test/", "https://me:secret@fhir.test/", "https://fhir.test.evil.test/", "http://fhir.test:99999/",
        "https://evil.test#fhir.test", "https://fhir.test/#x", "https://[fhir.test/", "http:///x",
    ):  # fmt: skip
        answer = who.post("/peers", json={**WEB, "web": {"url": url}})
        assert answer.status_code == 400, url
    port = {"name": "his", "kind": "mllp", "mllp": {"host": "mllp.test", "port": 2576}}
    assert who.post("/peers", json=port).status_code == 400
    assert who.post("/peers", json={**port, "mllp": {"host": "MLLP.test", "port": 2575}}).status_code == 201


def test_settings_are_those_of_the_kind(tmp_path: Path) -> None:
    who = a_site(tmp_path).someone("administrator")
    node = a_new_peer(OWN)
    open_to_all = {**node, "dimse": {**node["dimse"], "addresses": ["0.0.0.0/0"]}}
    no_network = {**node, "dimse": {**node["dimse"], "addresses": ["hospital"]}}
    for body in ({**node, "kind": "mllp"}, {**node, "web": WEB["web"]}, open_to_all, no_network):
        assert who.post("/peers", json=body).status_code == 400
    made = who.post("/peers", json=node).json()
    assert who.post("/peers", json=node).status_code == 409
    assert who.send("PUT", f"/peers/{made['id']}", json=WEB).status_code == 409
    assert who.send("DELETE", f"/peers/{made['id']}").status_code == 204
    assert who.get(f"/peers/{made['id']}").status_code == 404


def test_a_node_is_asked(tmp_path: Path) -> None:
    """Echo, query, retrieve as jobs; what the query names is for whoever asked, and stands nowhere in the index."""
    with a_node(tmp_path / "pacs") as pacs:
        site = a_site(tmp_path / "here", ae_title="TESTER")
        study = a_study_of(pacs.service)
        steward, other = site.someone("steward"), site.someone("steward")
        body = a_new_peer(OWN)
        body["dimse"] |= {"ae_title": "DIASCOPE", "host": "127.0.0.1", "port": pacs.port}
        peer = site.someone("administrator").post("/peers", json=body).json()["id"]
        echo = steward.post(f"/peers/{peer}/echo")
        assert echo.status_code == 202
        asked = steward.post(f"/peers/{peer}/queries", json={"patient_name": "Kanarie*"}).json()["id"]
        worker = Worker(site.service)
        while worker.step():
            pass
        assert steward.get(f"/jobs/{echo.json()['id']}").json()["state"] == "done"
        found = steward.get(f"/peers/{peer}/queries/{asked}").json()
    assert [(one["PatientName"], one["StudyInstanceUID"]) for one in found["items"]] == [("Kanarie^A", study)]
    assert found["job"]["result"] == {"count": 1, "more": False}
    assert other.get(f"/peers/{peer}/queries/{asked}").status_code == 404
    with site.service.database.reading() as connection:
        assert "Kanarie" not in str(connection.execute(select(jobs)).all())


def test_rules_are_written_ordered_and_tried(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    who, mine, theirs = site.someone("administrator"), a_study(site, OWN), a_study(site, OTHER)
    first = who.post("/rules", json=RULE).json()
    second = who.post("/rules", json={**RULE, "name": "heads", "when": {"contains": ["head"]}}).json()
    assert who.post("/rules", json=RULE).status_code == 409
    ordered = who.send("PUT", "/rules/order", json={"ids": [second["id"], first["id"]]}).json()["items"]
    assert [one["rule"]["name"] for one in ordered] == ["heads", "lungs"]
    assert who.send("PUT", "/rules/order", json={"ids": [first["id"]]}).status_code == 409
    tried = site.someone("researcher").post("/rules/try", json={}).json()
    assert [one["study"] for one in tried["items"]] == [mine], "another project's studies are not tried"
    heads, lungs = tried["items"][0]["rules"]
    assert (heads["matches"], lungs["matches"]) == (False, True)
    assert "head" in heads["failed"][0]
    assert site.someone("researcher").post("/rules/try", json={"study": theirs}).status_code == 404
    assert site.someone("reader").post("/rules/try", json={"rules": [RULE]}).status_code == 403
    for bad in ({**RULE, "enabled": "yes"}, {**RULE, "release": "../x"}, {**RULE, "name": "a\x00"}, {**RULE, "x": 1}):
        assert who.post("/rules", json=bad).status_code == 400


def a_study_of(service: Any) -> str:
    """A study of one patient in the index of a node."""
    site = Site(service, None)  # type: ignore[arg-type]
    identity = Identity(name="Kanarie^A", number="K1")
    uid = a_study(site, OWN, service.identities.pseudonym(identity))
    service.identities.keep(uid, identity)
    return uid


def _token(site: Site, peer: str) -> str:
    with site.service.database.reading() as connection:
        settings = connection.execute(select(peers.c.settings).where(peers.c.id == peer)).scalar_one()
    return token_of(site.service, peer, settings)
