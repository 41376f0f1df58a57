"""What readers decide: verdicts with what goes with each, corrections, what was missed, and how long it took."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from diascope.serve.database import room_tables, tables
from diascope.testing.calls import a_study, row
from diascope.testing.service import events
from diascope.testing.web import OTHER, OWN, Browser, Site, a_site
from diascope.testing.work_calls import FINDING, a_reading, a_result

SAID = {"findings": {"findings": [FINDING, {**FINDING, "concept": "mass", "status": "present"}]}}
BOX = {"start": [0, 1, 2], "stop": [3, 4, 5]}


def a_reader(folder: Path) -> tuple[Site, Browser, str]:
    """A site, a reader, and a result with two findings."""
    site = a_site(folder)
    return site, site.someone("reader", display="Dr Li"), a_result(site, OWN, **SAID)


def write(who: Browser, result: str, verdict: str, **more: Any) -> Any:
    return who.post("/readings", json={"result": result, "verdict": verdict, "shown": {}, **more})


def a_drawing(site: Site, result: str, **changes: Any) -> str:
    """A mask on the series of a result; its id."""
    with site.service.database.reading() as connection:
        of = connection.execute(select(tables.results).where(tables.results.c.id == result)).mappings().one()
    made = f"drawing{len(changes)}{site.service.clock():.0f}"
    values = {"series_id": of["series_id"], "revision": of["revision"], "reader": "nobody", "labels": {"1": "mass"}}
    values |= {"shape": [1, 2, 3], "key": made, "sha256": "", "at": 0.0, **changes}
    row(site, room_tables.drawings, id=made, **values)
    return made


def study_of(site: Site, result: str) -> str:
    query = select(tables.studies.c.uid).join(tables.results, tables.results.c.study_id == tables.studies.c.id)
    with site.service.database.reading() as connection:
        return str(connection.execute(query.where(tables.results.c.id == result)).scalar_one())


@pytest.mark.parametrize(
    ("verdict", "more"),
    [
        ("accept", {}),
        ("unsure", {"comment": "moved"}),
        ("reject", {"reason": "false_finding"}),
        ("amend", {"amended": {"nodule": {"status": "present", "value": 4, "unit": "mm"}}}),
        ("amend", {"amended": {"nodule": {"boxes": [BOX]}, "mass": {"status": "absent"}}}),
        ("amend", {"added": [{"concept": "cyst"}]}),
        ("accept", {"added": [{"concept": "cyst", "place": BOX, "comment": "small"}]}),
    ],
)
def test_a_verdict_with_what_goes_with_it_is_kept_as_it_was_said(
    tmp_path: Path, verdict: str, more: dict[str, Any]
) -> None:
    site, who, result = a_reader(tmp_path)
    answer = write(who, result, verdict, **more)
    assert answer.status_code == 201, answer.text
    said = who.get(f"/readings/{answer.json()['id']}").json()
    plain = {"verdict": verdict, "reason": "", "amended": None, "comment": "", "seconds": None}
    added = [{"comment": "", **one} for one in more.get("added", [])]
    assert {name: said[name] for name in (*plain, "added")} == {**plain, **more, "added": added}
    assert [one["detail"]["verdict"] for one in events(site.service, "reading.written")] == [verdict]


@pytest.mark.parametrize(
    ("verdict", "more", "why"),
    [
        ("reject", {}, "`reason` goes with the verdict `reject`"),
        ("accept", {"reason": "other"}, "`reason` goes with the verdict `reject`"),
        ("reject", {"reason": "because"}, "body.reason"),
        ("amend", {}, "says in `amended` or `added`"),
        ("amend", {"amended": {}}, "body.amended"),
        ("accept", {"amended": {"nodule": {"status": "present"}}}, "`amended` goes with the verdict `amend`"),
        ("amend", {"amended": {"cyst": {"status": "present"}}}, "no finding of this result"),
        ("amend", {"amended": {"nodule": {}}}, "says what is right"),
        ("amend", {"amended": {"nodule": "present"}}, "body.amended.nodule"),
        ("amend", {"amended": {"nodule": {"status": "abstained"}}}, "nodule.status"),
        ("amend", {"amended": {"nodule": {"status": "present", "side": "left"}}}, "nodule.side"),
        ("amend", {"amended": {"nodule": {"value": 4}}}, "with its unit"),
        ("amend", {"amended": {"nodule": {"unit": "mm"}}}, "with its unit"),
        ("amend", {"amended": {"nodule": {"value": 4, "unit": "m m"}}}, "nodule.unit"),
        ("amend", {"amended": {"nodule": {"boxes": []}}}, "nodule.boxes"),
        ("amend", {"amended": {"nodule": {"boxes": [{"start": [0, 1, 2], "stop": [3, 1, 5]}]}}}, "before it ends"),
        ("amend", {"amended": {"nodule": {"boxes": [{"start": [0, -1, 2], "stop": [3, 1, 5]}]}}}, "start.1"),
        ("amend", {"amended": {"nodule": {"boxes": [{"start": [0, 1], "stop": [3, 4, 5]}]}}}, "boxes.0.start"),
        ("amend", {"amended": {"nodule": {"drawing": "none"}}}, "no such drawing"),
        ("accept", {"added": [{"concept": "cyst", "drawing": "none"}]}, "no such drawing"),
        ("accept", {"added": [{"place": BOX}]}, "body.added.0.concept"),
        ("accept", {"added": [{"concept": "cyst"}] * 101}, "body.added"),
        ("perhaps", {}, "body.verdict"),
    ],
)
def test_what_contradicts_itself_or_refers_to_nothing_is_refused(
    tmp_path: Path, verdict: str, more: dict[str, Any], why: str
) -> None:
    site, who, result = a_reader(tmp_path)
    answer = write(who, result, verdict, **more)
    assert answer.status_code == 400
    assert why in answer.json()["error"]["wrong"]
    assert who.get("/readings").json()["items"] == []
    assert events(site.service, "reading.written") == []


def test_a_drawing_is_of_the_series_at_the_revision_that_was_read(tmp_path: Path) -> None:
    site, who, result = a_reader(tmp_path)
    other = a_drawing(site, a_result(site, OWN))
    later = a_drawing(site, result, revision=2)
    right = a_drawing(site, result, reader="me", labels={})
    for drawing, status in ((other, 400), (later, 400), (right, 201)):
        assert write(who, result, "amend", amended={"mass": {"drawing": drawing}}).status_code == status
        assert write(who, result, "accept", added=[{"concept": "cyst", "drawing": drawing}]).status_code == status


def test_the_seconds_are_those_since_the_reader_opened_the_study(tmp_path: Path) -> None:
    site, who, result = a_reader(tmp_path)
    colleague, study = site.someone("reader"), study_of(site, result)

    def opened(by: Browser, still: bool = False) -> None:
        assert by.post(f"/studies/{study}/openings", json={"still": still}).status_code == 201

    def seconds() -> Any:
        return write(site.with_session(who.user), result, "accept").json()["seconds"]

    assert seconds() is None
    opened(colleague)
    opened(who, still=True)
    assert seconds() is None, "another's opening, and one that was no new one, begin nothing"
    opened(who)
    site.clock.forward(20)
    opened(who, still=True)
    site.clock.forward(10)
    assert seconds() == 30
    opened(who)
    site.clock.forward(5)
    assert seconds() == 5
    site.clock.forward(8 * 3600)
    assert seconds() is None, "nobody reads that long"
    other = a_result(site, OWN)
    assert write(site.with_session(who.user), other, "accept").json()["seconds"] is None, "another study"


def test_an_opening_is_told_and_kept(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    who, study = site.someone("reader"), a_study(site, OWN)
    answer = who.post(f"/studies/{study}/openings", json={}).json()
    assert (answer["study"], answer["still"]) == (study, False)
    who.post(f"/studies/{study}/openings", json={"still": True})
    with site.service.database.reading() as connection:
        rows = connection.execute(select(room_tables.openings).order_by(room_tables.openings.c.id)).mappings().all()
    assert [(one["reader"], one["still"], one["at"]) for one in rows] == [
        (who.user, False, site.clock()),
        (who.user, True, site.clock()),
    ]
    told = events(site.service, "study.opened")
    assert [(one["object"], one["project_id"], one["detail"]) for one in told] == [
        (study, OWN, {"still": False}),
        (study, OWN, {"still": True}),
    ]
    assert who.post(f"/studies/{a_study(site, OTHER)}/openings", json={}).status_code == 404
    assert site.someone("researcher").post(f"/studies/{study}/openings", json={}).status_code == 403


def test_readings_of_before_are_read_as_they_were(tmp_path: Path) -> None:
    """Rows without a reason, with a correction of a shape of their own."""
    site, who, result = a_reader(tmp_path)
    old = {"result_id": result, "reader": who.user, "shown": {}, "at": site.clock()}
    row(site, tables.readings, id="old1", verdict="reject", **old)
    row(site, tables.readings, id="old2", verdict="amend", amended={"nodule": "4 mm", "free": [1]}, **old)
    assert a_reading(site, OWN)
    first, second = (who.get(f"/readings/{name}").json() for name in ("old1", "old2"))
    assert (first["reason"], first["added"], first["seconds"]) == ("", [], None)
    assert second["amended"] == {"nodule": "4 mm", "free": [1]}
    assert len(who.get("/readings").json()["items"]) == 3
    assert [one["id"] for one in who.get("/readings", params={"verdict": "reject"}).json()["items"]] == ["old1"]
