"""A report is signed by a reader who is there, of the newest readings of all that counts, and never changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from diascope.serve.access.operations import OPERATIONS
from diascope.serve.database import tables
from diascope.testing.calls import a_study
from diascope.testing.service import events
from diascope.testing.signing_calls import SECTIONS
from diascope.testing.web import OTHER, OWN, Browser, Site, a_site
from diascope.testing.work_calls import a_result


def a_case(folder: Path) -> tuple[Site, Browser, str, str]:
    """A site, a reader, a result, and its study."""
    site = a_site(folder)
    result = a_result(site, OWN)
    query = select(tables.studies.c.uid).join(tables.results, tables.results.c.study_id == tables.studies.c.id)
    with site.service.database.reading() as connection:
        study = connection.execute(query.where(tables.results.c.id == result)).scalar_one()
    return site, site.someone("reader", display="Dr Li"), result, study


def decide(who: Browser, result: str, verdict: str = "accept") -> str:
    answer = who.post("/readings", json={"result": result, "verdict": verdict, "shown": {}})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def sign(who: Browser, study: str, readings: list[str], **more: Any) -> Any:
    body = {"language": "zh-CN", "sections": SECTIONS, "readings": readings, **more}
    return who.post(f"/studies/{study}/signatures", json=body)


def test_a_report_is_signed_once_every_result_has_a_reading(tmp_path: Path) -> None:
    site, who, result, study = a_case(tmp_path)
    refused = sign(who, study, [])
    assert (refused.status_code, refused.json()["error"]["given"]) == (409, result)
    reading = decide(who, result)
    signed = sign(who, study, [reading])
    assert signed.status_code == 201, signed.text
    said = signed.json()
    plain: dict[str, Any] = {
        "study": study,
        "project": OWN,
        "display": "Dr Li",
        "language": "zh-CN",
        "sections": SECTIONS,
    }
    plain |= {"readings": [reading], "addendum": None, "counts": True}
    assert {name: said[name] for name in plain} == plain
    assert who.get(f"/signatures/{said['id']}").json() == said
    assert who.get(f"/studies/{study}/signatures").json()["items"] == [said]
    assert who.get(f"/studies/{study}/report").json()["signature"] == said["id"]
    (told,) = events(site.service, "report.signed")
    assert (told["object"], told["project_id"], told["actor"][:5]) == (study, OWN, "user:")
    assert told["detail"] == {"signature": said["id"], "readings": 1}


def test_readings_that_are_not_the_newest_are_not_signed(tmp_path: Path) -> None:
    site, who, result, study = a_case(tmp_path)
    old = decide(who, result)
    site.clock.forward(1)
    new = decide(who, result, "unsure")
    for readings in ([], [old], [old, new], ["nothing"]):
        assert sign(who, study, readings).status_code == 409
    assert sign(who, study, [new]).status_code == 201
    assert len(events(site.service, "report.signed")) == 1


def test_what_is_superseded_or_not_available_needs_no_reading(tmp_path: Path) -> None:
    site, who, result, study = a_case(tmp_path)
    change = update(tables.results).where(tables.results.c.id == result)
    site.service.database.change(lambda connection: connection.execute(change.values(state="unavailable")))
    assert sign(who, study, []).status_code == 201
    gone = change.values(state="answered", superseded=site.clock())
    site.service.database.change(lambda connection: connection.execute(gone))
    assert sign(who, study, []).status_code == 201


def test_signing_again_is_an_addendum_and_what_was_signed_stays(tmp_path: Path) -> None:
    site, who, result, study = a_case(tmp_path)
    reading = decide(who, result)
    first = sign(who, study, [reading]).json()
    colleague = site.someone("reader", display="Dr Wang")
    other = [{"name": "impression", "text": "nothing else"}]
    second = sign(colleague, study, [reading], sections=other).json()
    assert (second["addendum"], second["display"], second["counts"]) == (first["id"], "Dr Wang", True)
    items = who.get(f"/studies/{study}/signatures").json()["items"]
    assert items == [second, {**first, "counts": False}]
    rename = update(tables.users).where(tables.users.c.id == who.user).values(display="Dr Chen")
    site.service.database.change(lambda connection: connection.execute(rename))
    assert who.get(f"/signatures/{first['id']}").json()["display"] == "Dr Li", "as the reader was called then"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"sections": []}, "body.sections"),
        ({"sections": [*SECTIONS, SECTIONS[0]]}, "stands once"),
        ({"sections": [{"name": "method", "text": "only"}]}, "findings or an impression"),
        ({"sections": [{"name": "findings", "text": " \n "}]}, "findings or an impression"),
        ({"sections": [{"name": "findings", "text": "a\rb"}]}, "sections.0.text"),
        ({"sections": [{"name": "findings", "text": "a" * 20_001}]}, "sections.0.text"),
        ({"sections": [{"name": "opinion", "text": "a"}]}, "sections.0.name"),
        ({"language": "de"}, "body.language"),
    ],
)
def test_what_is_no_report_is_not_signed(tmp_path: Path, more: dict[str, Any], why: str) -> None:
    site, who, result, study = a_case(tmp_path)
    answer = sign(who, study, [decide(who, result)], **more)
    assert answer.status_code == 400
    assert why in answer.json()["error"]["wrong"]
    assert events(site.service, "report.signed") == []


def test_no_token_signs_and_nobody_but_a_reader_of_the_project(tmp_path: Path) -> None:
    site, who, result, study = a_case(tmp_path)
    reading = decide(who, result)
    user = site.user("reader")
    by_token = site.with_token(user, "reader")
    assert by_token.get(f"/studies/{study}/report").status_code == 200
    assert sign(by_token, study, [reading]).status_code == 403
    asked = {"name": "all", "scopes": ["signatures.write"]}
    assert who.post("/me/tokens", json=asked).status_code in (400, 403), "nor is one made that could"
    for role in ("researcher", "steward", "administrator", "service"):
        assert sign(site.someone(role), study, [reading]).status_code == 403
    assert sign(site.someone("reader", places=(OTHER,)), study, [reading]).status_code == 404
    assert sign(who, a_study(site, OTHER), []).status_code == 404
    assert OPERATIONS["signatures.write"].roles == ("reader",)
    assert who.get("/signatures/nothing").status_code == 404


def test_the_same_request_signs_once(tmp_path: Path) -> None:
    _, who, result, study = a_case(tmp_path)
    reading = decide(who, result)
    body = {"language": "en", "sections": SECTIONS, "readings": [reading]}
    key = {"Idempotency-Key": "1"}
    asked = [("POST", f"/studies/{study}/signatures", {"json": body, "headers": key}) for _ in range(3)]
    assert {one.status_code for one in who.together(asked)} <= {201, 409}
    assert len(who.get(f"/studies/{study}/signatures").json()["items"]) == 1
