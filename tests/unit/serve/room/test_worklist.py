"""The worklist: its order, where studies stand, what a filter hides, and how fast it is."""

from __future__ import annotations

import json
import re
import secrets
from typing import Any

import pytest
from alembic import command
from sqlalchemy import create_engine, event, func, select, update

from diascope.serve.database import room_tables, tables
from diascope.serve.database.migrating import settings
from diascope.serve.identities import Identity
from diascope.serve.reading.suggestion import PRESENT, ROUTINE, UNAVAILABLE, suggestion
from diascope.testing.calls import row
from diascope.testing.service import events
from diascope.testing.web import ORIGIN, OTHER, OWN, a_site
from diascope.testing.work_calls import a_result

NODULE = {
    "concept": "nodule",
    "status": "present",
    "measures": {"probability": {"value": 0.93, "unit": "1"}},
    "operating_point": {"of": "nodule", "rule": "youden"},
}
FOREIGN = '"><img src=x onerror=alert(1)>'


def said(*findings: dict[str, Any]) -> dict[str, Any]:
    return {"findings": list(findings)}


def study_of(site, result):
    query = select(tables.studies).join(tables.results, tables.results.c.study_id == tables.studies.c.id)
    with site.service.database.reading() as connection:
        return connection.execute(query.where(tables.results.c.id == result)).mappings().one()


def a_read_study(site, findings, state="answered", project=OWN, **more):
    result = a_result(site, project, findings=findings, state=state, **suggestion(state, findings), **more)
    return study_of(site, result)


def page(who, **query):
    answer = who.get(f"{ORIGIN}/", params=query)
    assert answer.status_code == 200, answer.text[:300]
    return answer.text.partition('<script type="application/json"')[0]


def order(text):
    return re.findall(r'data-study="([0-9.]+)"', text)


@pytest.mark.parametrize(
    ("state", "findings", "found"),
    [
        ("answered", [NODULE], (PRESENT, 0.93, "nodule")),
        ("answered", [{**NODULE, "status": "absent"}], (ROUTINE, None, "")),
        ("unavailable", [NODULE], (UNAVAILABLE, None, "")),
        ("answered", [{"concept": "liver", "status": "present", "code": "SCT:10200004",
                       "operating_point": {"of": "liver", "rule": "largest"}}], (ROUTINE, None, "liver")),
        ("answered", [{"concept": "lesion", "status": "present", "code": "SCT:52988006",
                       "operating_point": {"of": "lesion", "rule": "largest"}}], (PRESENT, None, "lesion")),
        ("answered", [{"concept": "normal", "status": "present", "measures": {"probability": {"value": 0.8}},
                       "operating_point": {"of": "pneumonia", "rule": "youden"}}], (ROUTINE, None, "")),
        ("answered", [{"concept": "age", "status": "abstained", "reason": "too few pixels"}], (UNAVAILABLE, None, "")),
        ("answered", [], (ROUTINE, None, "")),
    ],
)  # fmt: skip
def test_what_a_result_suggests(state, findings, found):
    assert tuple(suggestion(state, said(*findings)).values()) == found


def test_what_is_called_present_comes_first_and_nothing_is_hidden(tmp_path):
    """K5: the surest finding at the top, then what could not be read, then the rest; all of them are there."""
    site = a_site(tmp_path)
    healthy = a_read_study(site, said({**NODULE, "status": "absent"}))
    refused = a_read_study(site, said(), state="unavailable", reason="the slices are too thick")
    sure = a_read_study(site, said(NODULE))
    surer = a_read_study(site, said({**NODULE, "measures": {"probability": {"value": 0.97, "unit": "1"}}}))
    text = page(site.someone("reader"))
    assert order(text) == [one["uid"] for one in (surer, sure, refused, healthy)]
    assert "93 %" in text
    assert "Not available, because" in text
    assert "the slices are too thick" in text
    assert "no finding is called present" in text


def test_a_filter_says_how_many_it_leaves_out(tmp_path):
    site = a_site(tmp_path)
    shown, hidden = a_read_study(site, said(NODULE)), a_read_study(site, said(), release="other@2")
    reader = site.someone("reader")
    assert "leaves out" not in page(reader)
    text = page(reader, release="lung@1")
    assert order(text) == [shown["uid"]]
    assert "Your filter leaves out 1 study." in text
    assert order(page(reader, text=hidden["patient"][:4], modality="MR")) == []


def test_a_study_is_unread_then_in_reading_then_signed_and_unread_again_when_more_is_said(tmp_path):
    site = a_site(tmp_path)
    study, reader = a_read_study(site, said(NODULE)), site.someone("reader")

    def tab(name):
        return order(page(reader, tab=name))

    assert tab("unread") == [study["uid"]]
    assert tab("reading") == []
    row(site, room_tables.openings, study_id=study["id"], reader=reader.user, still=False, at=site.service.clock())
    assert tab("reading") == [study["uid"]]
    assert tab("open") == [study["uid"]]
    site.clock.forward(601)
    assert tab("reading") == []
    signed = {"reader": reader.user, "language": "en", "report": {}, "readings": [], "at": site.service.clock()}
    row(site, room_tables.signatures, id=secrets.token_hex(16), study_id=study["id"], **signed)
    assert tab("signed") == [study["uid"]]
    assert tab("open") == []
    site.clock.forward(10)
    newer = update(tables.results).where(tables.results.c.study_id == study["id"])
    site.service.database.change(lambda connection: connection.execute(newer.values(answered=site.service.clock())))
    assert tab("unread") == [study["uid"]]
    assert tab("signed") == []


def test_studies_of_other_projects_are_neither_shown_nor_counted(tmp_path):
    site = a_site(tmp_path)
    other = a_read_study(site, said(NODULE), project=OTHER)
    text = page(site.someone("reader"))
    assert other["uid"] not in text
    assert "leaves out" not in text


def test_what_came_from_outside_stays_text(tmp_path):
    """B10: descriptions, reasons and names of findings."""
    site = a_site(tmp_path)
    study = a_read_study(site, said({**NODULE, "concept": FOREIGN}), release=FOREIGN[:40])
    named = update(tables.studies).where(tables.studies.c.id == study["id"]).values(description=FOREIGN)
    site.service.database.change(lambda connection: connection.execute(named))
    text = page(site.someone("reader"))
    assert "<img src=x" not in text
    assert text.count("&quot;&gt;&lt;img src=x") >= 2


def test_pages_of_a_long_list(tmp_path):
    site = a_site(tmp_path)
    uids = [a_read_study(site, said())["uid"] for _ in range(51)]
    reader = site.someone("reader")
    first, second = order(page(reader)), order(page(reader, page=2))
    assert (len(first), len(second)) == (50, 1)
    assert {*first, *second} == set(uids)
    assert "Page 1 of 2" in page(reader)


def test_both_languages_have_the_same_words(tmp_path):
    site = a_site(tmp_path)
    a_read_study(site, said(NODULE))
    reader = site.someone("reader")
    reader.cookies["diascope-language"] = "zh-CN"
    text = page(reader)
    assert 'lang="zh-CN"' in text
    assert "工作列表" in text
    assert "Worklist" not in text


def test_the_migration_says_of_old_results_what_new_ones_say(tmp_path):
    """The columns that the worklist orders by are made of the findings that were there before."""
    engine, config = create_engine(f"sqlite:///{tmp_path / 'old.sqlite'}"), settings(tables.index)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    with engine.begin() as connection:
        connection.exec_driver_sql("insert into projects values ('default', 'default', 0)")
        connection.exec_driver_sql(
            "insert into studies (id, uid, project_id, patient, attributes, created, changed, date, time, description)"
            " values (1, '1.2', 'default', 'p', '{}', 0, 0, '', '', '')"
        )
        connection.exec_driver_sql(
            "insert into series (id, study_id, uid, modality, body_part, description, attributes, made, peer, arrived,"
            " revision) values (1, 1, '1.2.1', 'CT', '', '', '{}', 0, '', 0, 1)"
        )
        connection.exec_driver_sql(
            "insert into results (id, study_id, series_id, revision, release, seal, rule, state, reason, findings,"
            " completed, answered, job_id) values ('r', 1, 1, 1, 'a@1', '', '', 'answered', '', ?, 0, 0, '')",
            (json.dumps(said(NODULE)),),
        )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        columns = [tables.results.c.priority, tables.results.c.probability, tables.results.c.says]
        assert tuple(connection.execute(select(*columns)).one()) == (PRESENT, 0.93, "nodule")
    engine.dispose()


def test_the_list_asks_the_same_number_of_questions_whatever_its_length(tmp_path):
    site = a_site(tmp_path)
    reader, asked = site.someone("reader"), []
    event.listen(site.service.database.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    a_read_study(site, said(NODULE))
    page(reader)
    asked.clear()
    page(reader)
    few = len(asked)
    for _ in range(20):
        a_read_study(site, said(NODULE))
    asked.clear()
    page(reader)
    assert len(asked) == few
    with site.service.database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(tables.studies)).scalar_one() == 21


WHO = Identity(name="Wang^Xiaoming=王^小明", number="PHI-4711", issuer="H", birth_date="19700102")


def two_patients(site):
    """A study of somebody, and one of somebody else."""
    found = []
    for who in (WHO, Identity(name="Zyx^Quentin", number="PHI-1", issuer="H")):
        study = a_read_study(site, said(NODULE))
        pseudonym = site.service.identities.keep(study["uid"], who)
        known = update(tables.studies).where(tables.studies.c.id == study["id"]).values(patient=pseudonym)
        site.service.database.change(lambda connection, known=known: connection.execute(known))
        found.append((study["uid"], pseudonym))
    return found


@pytest.mark.parametrize(
    "wanted",
    [
        {"name": "xiao wang", "words": True},
        {"name": "王小", "words": True},
        {"name": "Wang*"},
        {"number": "PHI-4711"},
        {"birth_date": "19700102"},
    ],
)
def test_the_list_is_narrowed_to_people_who_were_searched_for_by_their_pseudonyms(tmp_path, wanted):
    site = a_site(tmp_path)
    (study, pseudonym), (other, _) = two_patients(site)
    reader = site.someone("reader")
    answer = reader.post("/studies/search", json={**wanted, "identities": False})
    assert [(one["uid"], one["patient"], one["identity"]) for one in answer.json()["items"]] == [
        (study, pseudonym, None)
    ]
    assert events(site.service, "identity.read") == []
    text = page(reader, patient=pseudonym, tab="all")
    assert order(text) == [study]
    assert "Only 1 patient, who was searched for." in text
    assert 'href="/?tab=all">Show all patients' in text
    assert f'type="hidden" name="patient" value="{pseudonym}"' in text, "the other filters keep it"
    assert sorted(order(page(reader, tab="all"))) == sorted([study, other])
    trail = json.dumps([one["detail"] for one in events(site.service)])
    for secret in ("Wang", "wang", "王", "4711", "19700102"):
        assert secret not in text, "the page shows pseudonyms"
        assert secret not in trail


def test_only_who_may_search_people_has_the_form_and_it_writes_no_address(tmp_path):
    site = a_site(tmp_path)
    a_read_study(site, said(NODULE))
    for role in ("reader", "steward"):
        text = page(site.someone(role))
        form = re.search(r'<form[^>]*id="people".*?</form>', text, re.DOTALL)[0]
        assert 'method="post"' in form
        assert " name=" not in form, "a browser without the script sends nothing"
        assert "data-whose=" in text
    text = page(site.someone("researcher"))
    assert 'id="people"' not in text
    assert "data-whose=" not in text


@pytest.mark.parametrize("role", ["reader", "researcher", "steward", "administrator"])
def test_the_page_that_a_login_leads_to_is_everybodys(tmp_path, role):
    site = a_site(tmp_path)
    for places in ((), (OWN,)):
        assert "No study fits." in page(site.someone(role, places=places))
