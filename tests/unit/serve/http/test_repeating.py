"""Pages and repeated writes."""

from __future__ import annotations

from pathlib import Path

import httpx
from sqlalchemy import select

from diascope.serve.database.tables import idempotent, users
from diascope.serve.http.idempotency import REPLAYED
from diascope.testing.calls import ROUTES, a_job
from diascope.testing.web import OWN, Browser, a_site

NO_KEY = {("POST", "/api/v1/session"), ("PUT", "/api/v1/me/password"), ("POST", "/api/v1/rules/try")}
NO_KEY |= {("POST", "/api/v1/studies/search")}
NO_KEY |= {("POST", "/dicom-web/studies"), ("POST", "/dicom-web/studies/{study}")}
"""A session is not repeated from the server's memory; trials and searches make nothing; an object that comes again is one."""


def test_every_write_takes_a_key(tmp_path: Path) -> None:
    paths = a_site(tmp_path).app.openapi()["paths"]
    without = set()
    for method, path, _ in ROUTES:
        if method not in ("POST", "PUT") or path not in paths:
            continue
        names = [one["name"] for one in paths[path][method.lower()].get("parameters", [])]
        if "Idempotency-Key" not in names:
            without.add((method, path))
    assert without == NO_KEY


def test_the_same_request_gives_the_same_answer(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    who = site.someone("administrator")
    first, again = _make(who, "li"), _make(who, "li")
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert first.json()["password"]
    assert REPLAYED not in first.headers
    assert again.headers[REPLAYED] == "true"
    other = _make(who, "wang")
    assert (other.status_code, other.json()["error"]["code"]) == (409, "conflict")
    assert _make(site.someone("administrator"), "wang").status_code == 201, "another's key is another"
    site.clock.forward(25 * 3600)
    assert _make(site.with_session(who.user), "chen").status_code == 201, "after a day the key is free"


def test_what_was_refused_may_be_tried_again(tmp_path: Path) -> None:
    who = a_site(tmp_path).someone("administrator")
    bad = {"name": "li", "role": "reader", "projects": ["nowhere"]}
    assert who.post("/users", json=bad, headers={"Idempotency-Key": "1"}).status_code == 404
    assert _make(who, "li").status_code == 201


def test_ten_at_once_make_one(tmp_path: Path) -> None:
    """Race: the work is done once; whoever comes meanwhile gets the answer, or is told to ask again."""
    site = a_site(tmp_path)
    who = site.someone("administrator")
    key = {"Idempotency-Key": "1"}
    rule = {"name": "lungs", "release": "lung@1"}
    answers = who.together([("POST", "/rules", {"json": rule, "headers": key}) for _ in range(10)])
    assert [one.status_code for one in answers] == [201] * 10
    assert len({one.json()["id"] for one in answers}) == 1
    made = [("POST", "/users", {"json": {"name": "li", "role": "reader"}, "headers": key}) for _ in range(10)]
    statuses = [one.status_code for one in site.with_session(site.user("administrator")).together(made)]
    assert statuses.count(201) >= 1
    assert set(statuses) <= {201, 409}
    with site.service.database.reading() as connection:
        assert len(connection.execute(select(users.c.id).where(users.c.name == "li")).all()) == 1


def test_what_is_kept_of_an_answer_is_sealed(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    secret = _make(site.someone("administrator"), "li", key="patient-Zhang").json()["password"]
    with site.service.database.reading() as connection:
        row = connection.execute(select(idempotent)).one()
    assert secret.encode() not in row.body
    assert "Zhang" not in row.key


def test_pages_are_stable_and_complete(tmp_path: Path) -> None:
    """What is added while somebody turns pages shifts nothing."""
    site = a_site(tmp_path)
    who, made = site.someone("reader"), []
    for number in range(25):
        site.clock.forward(float(number % 3 == 0))
        made.append(a_job(site, OWN))
    seen, after = [], None
    while True:
        page = who.get("/jobs", params={"limit": "7", **({"after": after} if after else {})}).json()
        seen += [one["id"] for one in page["items"]]
        site.clock.forward(1)
        a_job(site, OWN)
        after = page["next"]
        if after is None:
            break
    assert sorted(seen) == sorted(made)
    assert len(set(seen)) == 25


def test_a_cursor_is_of_its_list_and_of_this_service(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    who = site.someone("administrator")
    for _ in range(3):
        a_job(site, OWN)
    cursor = who.get("/jobs", params={"limit": "1"}).json()["next"]
    for path, after in (("/users", cursor), ("/jobs", cursor[:-2] + "AA"), ("/jobs", "x"), ("/jobs", "AAAA")):
        answer = who.get(path, params={"after": after})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request"), (path, after)
    for limit in ("0", "1001", "x"):
        assert who.get("/jobs", params={"limit": limit}).status_code == 400


def _make(who: Browser, name: str, key: str = "1") -> httpx.Response:
    return who.post("/users", json={"name": name, "role": "reader"}, headers={"Idempotency-Key": key})
