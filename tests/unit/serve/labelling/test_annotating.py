"""Readers are asked, one case after the other, and answer; nobody sees another's answer before the own one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sqlalchemy import insert, select, update

from diascope.serve.database import labelling_tables, tables
from diascope.serve.labelling.cases import is_twice, labelling_row
from diascope.serve.labelling.handing import HELD, hand_out, order, waiting
from diascope.testing.labelling_calls import a_complete, a_descriptor, a_labelling, an_annotation
from diascope.testing.reading import a_film, a_volume, arrive, become_complete, rows_of, work_off
from diascope.testing.viewing_calls import a_drawing
from diascope.testing.web import ORIGIN, OTHER, OWN, Browser, Site, a_site


def answer(who: Browser, labelling: str, asked: dict[str, Any], said: Any, status: int = 201, **more: Any) -> Any:
    body = {"study": asked["study"], "series": asked["series"], "revision": asked["revision"], "answer": said, **more}
    found = who.post(f"/labellings/{labelling}/annotations", json=body)
    assert found.status_code == status, found.text
    return found.json()


def following(who: Browser, labelling: str, status: int = 200, **query: Any) -> Any:
    found = who.get(f"/labellings/{labelling}/next", params=query)
    assert found.status_code == status, found.text
    return found.json()


def some(site: Site, many: int) -> list[tuple[str, str, int]]:
    """Series of patients of their own, each unlike the others."""
    made = [a_complete(site, OWN, f"patient-{number}") for number in range(many)]
    for number, (_, _, row) in enumerate(made):
        a_descriptor(site, row, np.eye(many)[number] + 0.1)
    return made


def test_a_labelling_is_made_worked_through_and_closed(tmp_path) -> None:
    site = a_site(tmp_path)
    some(site, 3)
    researcher, reader = site.someone("researcher"), site.someone("reader", name="li")
    body = {"project": OWN, "name": "nodules", "asks": "classes", "labels": ["none", "nodule"], "exclusive": True}
    made = researcher.post("/labellings", json={**body, "modality": "CT"})
    assert made.status_code == 201, made.text
    labelling = made.json()["id"]
    assert researcher.post("/labellings", json=body).status_code == 409, "another name"
    for number in range(3):
        asked = following(reader, labelling)
        assert asked["waiting"] == 3 - number
        site.clock.forward(12)
        told = answer(reader, labelling, asked, {"classes": ["nodule"]})
        assert (told["reader"], told["seconds"], told["answer"]) == ("li", 12.0, {"classes": ["nodule"]})
    assert following(reader, labelling)["series"] is None
    now = researcher.get(f"/labellings/{labelling}").json()
    assert (now["fit"], now["labelled"], now["unsure"]) == (3, 3, 0)
    assert now["readers"] == [{"reader": "li", "labelled": 3, "unsure": 0}]
    assert researcher.post(f"/labellings/{labelling}/close").json()["closed"] is not None
    assert researcher.post(f"/labellings/{labelling}/close").status_code == 409
    following(reader, labelling, status=409)
    answer(reader, labelling, asked, {"classes": ["none"]}, status=409)


def test_only_series_that_fit_are_asked_about(tmp_path) -> None:
    site = a_site(tmp_path)
    fits = a_complete(site, OWN)
    other, made, unfinished, film = (a_complete(site, project) for project in (OTHER, OWN, OWN, OWN))
    changes = {made[2]: {"made": True}, unfinished[2]: {"completed": None}, film[2]: {"modality": "DX"}}
    for number, values in changes.items():
        done = update(tables.series).where(tables.series.c.id == number).values(**values)
        site.service.database.change(lambda connection, done=done: connection.execute(done))
    labelling = a_labelling(site, OWN, modality="CT")
    who = site.someone("reader")
    listed = who.get(f"/labellings/{labelling}/series").json()["items"]
    assert [one["series"] for one in listed] == [fits[1]]
    assert following(who, labelling)["waiting"] == 1
    for study, series, _ in (other, made, unfinished, film):
        following(who, labelling, status=404, study=study, series=series)
        answer(who, labelling, {"study": study, "series": series, "revision": 1}, {"classes": []}, status=404)


def test_two_readers_do_not_get_the_same_case_at_the_same_time(tmp_path) -> None:
    """All have chosen before the first one's choice is kept: the same order, and each gets another series."""
    site = a_site(tmp_path)
    some(site, 4)
    labelling, database, now = a_labelling(site, OWN), site.service.database, site.service.clock()
    with database.reading() as connection:
        row = labelling_row(connection, labelling)
        assert row is not None
        orders = {who: order(connection, row, waiting(connection, row, who), set()) for who in ("a", "b", "c", "d")}
    assert len({tuple(one.series for one in each) for each in orders.values()}) == 1
    got = [
        database.change(lambda connection, who=who, best=best: hand_out(connection, labelling, who, best, now))
        for who, best in orders.items()
    ]
    assert len({one[0].series for one in got if one is not None}) == 4
    late = site.someone("reader")
    assert (following(late, labelling)["series"], following(late, labelling)["waiting"]) == (None, 4)
    site.clock.forward(HELD + 1)
    assert following(late, labelling)["series"], "whoever went away holds nothing for ever"


def test_a_reader_may_choose_what_lies_before_another(tmp_path) -> None:
    site = a_site(tmp_path)
    ((study, series, _),) = some(site, 1)
    labelling, one, other = a_labelling(site, OWN), site.someone("reader"), site.someone("reader")
    assert following(one, labelling)["series"] == series
    assert following(other, labelling)["series"] is None
    assert following(other, labelling, study=study, series=series)["series"] == series
    assert following(one, labelling)["series"] is None, "now it lies before the other; who saved first is first"


def test_asking_again_gives_the_same_and_skipping_another(tmp_path) -> None:
    site = a_site(tmp_path)
    some(site, 3)
    labelling, who = a_labelling(site, OWN), site.someone("reader")
    first = following(who, labelling)
    site.clock.forward(60)
    again = following(who, labelling)
    assert (again["series"], again["since"]) == (first["series"], first["since"])
    second = following(who, labelling, skip=first["series"])
    third = following(who, labelling, skip=[first["series"], second["series"]])
    assert len({first["series"], second["series"], third["series"]}) == 3
    assert following(who, labelling, skip=[first["series"], second["series"], third["series"]])["series"] is None
    assert len(rows_of(site.service, labelling_tables.handed)) == 0
    assert following(who, labelling)["series"] is not None, "what was skipped is not lost"


def test_a_share_is_read_by_two_and_the_second_comes_first(tmp_path) -> None:
    site = a_site(tmp_path)
    made = some(site, 12)
    labelling = a_labelling(site, OWN, twice=0.5)
    row = rows_of(site.service, labelling_tables.labellings)[0]._mapping
    two = {series for _, series, number in made if is_twice(row, number)}
    assert 1 <= len(two) < 12
    one, other = site.someone("reader"), site.someone("reader")
    while (asked := following(one, labelling))["series"]:
        answer(one, labelling, asked, {"classes": []})
        site.clock.forward(1)
    seen = set()
    while (asked := following(other, labelling))["series"]:
        assert asked["why"]["kind"] == "second"
        seen.add(asked["series"])
        answer(other, labelling, asked, {"classes": []})
    assert seen == two
    now = one.get(f"/labellings/{labelling}").json()
    assert (now["labelled"], now["done_twice"], now["wanted_twice"], now["wanted_done"]) == (12, *[len(two)] * 3)
    assert following(site.someone("reader"), labelling)["waiting"] == 0, "a third is not asked"


def test_a_second_reader_does_not_see_the_first_answer_before_saving(tmp_path) -> None:
    site = a_site(tmp_path)
    ((study, series, _),) = some(site, 1)
    labelling = a_labelling(site, OWN, twice=1.0)
    asked = {"study": study, "series": series, "revision": 1}
    one, other, steward = site.someone("reader"), site.someone("researcher"), site.someone("steward")
    answer(one, labelling, asked, {}, unsure=True)

    def could_not_tell(who: Browser) -> Any:
        return who.get(f"/labellings/{labelling}/series").json()["items"][0]["unsure"]

    assert (could_not_tell(one), could_not_tell(other), could_not_tell(steward)) == (True, None, True)
    assert (
        "could not tell"
        not in other.get(f"{ORIGIN}/labelling/{labelling}").text.partition('id="series"')[2].partition("<script")[0]
    )
    site.clock.forward(1)
    answer(one, labelling, asked, {"classes": ["effusion"]}, comment="left side")

    def told(who: Browser) -> list[Any]:
        return [each["answer"] for each in who.get(f"/labellings/{labelling}/annotations").json()["items"]]

    def says(who: Browser) -> bool:
        pages = [f"/labellings/{labelling}{tail}" for tail in ("", "/annotations", "/series", "/next", "/agreement")]
        return any("left side" in who.get(path).text or '"effusion"]}' in who.get(path).text for path in pages)

    assert told(one) == told(steward) == [{"classes": ["effusion"]}, {}]
    assert told(other) == [None, None]
    assert not says(other)
    site.clock.forward(1)
    answer(other, labelling, asked, {"classes": ["nodule"]})
    assert told(other) == [{"classes": ["nodule"]}, {"classes": ["effusion"]}, {}]


def test_answers_are_only_added_and_the_newest_of_a_reader_counts(tmp_path) -> None:
    site = a_site(tmp_path)
    ((study, series, _),) = some(site, 1)
    labelling, who = a_labelling(site, OWN), site.someone("reader")
    asked = {"study": study, "series": series, "revision": 1}
    answer(who, labelling, asked, {}, unsure=True)
    assert who.get(f"/labellings/{labelling}").json()["unsure"] == 1
    site.clock.forward(5)
    chosen = following(who, labelling, study=study, series=series)
    assert (chosen["why"]["kind"], chosen["mine"]["unsure"]) == ("chosen", True)
    answer(who, labelling, asked, {"classes": ["nodule", "effusion"]})
    assert who.get(f"/labellings/{labelling}").json()["unsure"] == 0
    rows = rows_of(site.service, labelling_tables.annotations)
    assert sorted(one.unsure for one in rows) == [False, True]


def test_a_series_that_became_another_is_asked_about_anew(tmp_path) -> None:
    site = a_site(tmp_path)
    ((study, series, number),) = some(site, 1)
    labelling, who = a_labelling(site, OWN), site.someone("reader")
    asked = {"study": study, "series": series, "revision": 1}
    answer(who, labelling, asked, {"classes": []})
    later = update(tables.series).where(tables.series.c.id == number).values(revision=2)
    site.service.database.change(lambda connection: connection.execute(later))
    answer(who, labelling, asked, {"classes": []}, status=409)
    assert following(who, labelling)["revision"] == 2
    assert who.get(f"/labellings/{labelling}").json()["labelled"] == 0


@pytest.mark.parametrize(
    ("asks", "said", "more"),
    [
        ("classes", {"classes": ["mass"]}, {}),
        ("classes", {"classes": ["nodule", "nodule"]}, {}),
        ("classes", {}, {}),
        ("classes", {"boxes": []}, {}),
        ("classes", {"classes": ["nodule"]}, {"unsure": True}),
        ("exclusive", {"classes": []}, {}),
        ("exclusive", {"classes": ["nodule", "effusion"]}, {}),
        ("boxes", {"boxes": [{"label": "mass", "start": [0, 0, 0], "stop": [1, 2, 2]}]}, {}),
        ("boxes", {"boxes": [{"label": "nodule", "start": [0, 5, 0], "stop": [1, 2, 2]}]}, {}),
        ("masks", {"drawing": "0" * 32}, {}),
    ],
)
def test_what_was_not_asked_is_refused(asks, said, more, tmp_path) -> None:
    site = a_site(tmp_path)
    ((study, series, _),) = some(site, 1)
    exclusive = asks == "exclusive"
    labelling = a_labelling(site, OWN, asks="classes" if exclusive else asks, exclusive=exclusive)
    body = {"study": study, "series": series, "revision": 1, "answer": said, **more}
    found = site.someone("reader").post(f"/labellings/{labelling}/annotations", json=body)
    assert found.status_code in (400, 422), found.text
    assert rows_of(site.service, labelling_tables.annotations) == []


def test_a_drawing_is_the_readers_own_on_this_series_with_these_labels(tmp_path) -> None:
    site = a_site(tmp_path)
    who = site.someone("researcher")
    drawings = {name: a_drawing(site, OWN, reader) for name, reader in (("mine", who.user), ("theirs", "nobody"))}
    done = update(tables.series).values(completed=site.service.clock(), revision=0)
    site.service.database.change(lambda connection: connection.execute(done))
    with site.service.database.reading() as connection:
        query = select(tables.studies.c.uid.label("study"), tables.series.c.uid.label("series"))
        query = query.join(tables.studies, tables.studies.c.id == tables.series.c.study_id)
        asked = {**connection.execute(query).mappings().one(), "revision": 0}
    labelling = a_labelling(site, OWN, asks="masks", labels=["mass"])
    assert answer(who, labelling, asked, {"drawing": drawings["mine"]})["answer"] == {"drawing": drawings["mine"]}
    answer(who, labelling, asked, {"drawing": drawings["theirs"]}, status=400)
    other = a_labelling(site, OWN, asks="masks", labels=["nodule"])
    answer(who, other, asked, {"drawing": drawings["mine"]}, status=400)


@pytest.mark.parametrize(
    "wrong",
    [
        {"labels": []}, {"labels": ["a", "A"]}, {"twice": 1.5}, {"asks": "words"}, {"modality": "ct"},
        {"exclusive": True, "asks": "boxes"}, {"exclusive": True, "labels": ["one"]}, {"name": ""},
    ],
)  # fmt: skip
def test_a_labelling_that_makes_no_sense_is_refused(wrong, tmp_path) -> None:
    who = a_site(tmp_path).someone("researcher")
    body = {"project": OWN, "name": "nodules", "asks": "classes", "labels": ["a", "b"], **wrong}
    assert who.post("/labellings", json=body).status_code in (400, 422)


def test_readers_make_no_labelling_and_stewards_answer_none(tmp_path) -> None:
    site = a_site(tmp_path)
    ((study, series, _),) = some(site, 1)
    labelling = a_labelling(site, OWN)
    body = {"project": OWN, "name": "nodules", "asks": "classes", "labels": ["a", "b"]}
    assert site.someone("reader").post("/labellings", json=body).status_code == 403
    following(site.someone("steward"), labelling, status=403)
    answer(site.someone("steward"), labelling, {"study": study, "series": series, "revision": 1}, {}, status=403)
    assert site.someone("researcher").post("/labellings", json={**body, "project": OTHER}).status_code == 404


def test_what_is_done_stands_in_the_trail_without_what_was_said(tmp_path) -> None:
    site = a_site(tmp_path)
    some(site, 1)
    labelling, who = a_labelling(site, OWN), site.someone("reader")
    answer(who, labelling, following(who, labelling), {"classes": ["effusion"]})
    rows = rows_of(site.service, tables.audit)
    assert [one.action for one in rows] == ["annotation.asked", "annotation.written"]
    assert "effusion" not in str(rows)


def test_series_are_described_for_a_labelling_and_when_they_become_complete(tmp_path) -> None:
    site = a_site(tmp_path)
    arrive(site.service, a_volume(1))
    become_complete(site.service)
    work_off(site.service)
    assert rows_of(site.service, labelling_tables.descriptors) == [], "nobody asked"
    body = {"project": OWN, "name": "nodules", "asks": "classes", "labels": ["a", "b"]}
    labelling = site.someone("researcher").post("/labellings", json=body).json()["id"]
    work_off(site.service)
    assert len(rows_of(site.service, labelling_tables.descriptors)) == 1
    arrive(site.service, a_film(2))
    become_complete(site.service)
    work_off(site.service)
    kept = rows_of(site.service, labelling_tables.descriptors)
    assert len(kept) == 2
    for one in kept:
        vector = np.frombuffer(one.vector, "<f2").astype(float)
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-2)
    assert following(site.someone("reader"), labelling)["why"]["kind"] == "first"


def test_what_can_not_be_read_is_described_as_nothing_and_still_asked_about(tmp_path) -> None:
    site = a_site(tmp_path)
    a_complete(site, OWN)
    body = {"project": OWN, "name": "nodules", "asks": "classes", "labels": ["a", "b"]}
    labelling = site.someone("researcher").post("/labellings", json=body).json()["id"]
    work_off(site.service)
    (row,) = rows_of(site.service, labelling_tables.descriptors)
    assert row.vector == b""
    assert following(site.someone("reader"), labelling)["why"]["kind"] == "unknown"
    assert work_off(site.service) == 0


def test_a_guide_says_what_is_unsure(tmp_path) -> None:
    site = a_site(tmp_path)
    made = some(site, 5)
    for (_, _, number), probability in zip(made, (0.01, 0.99, 0.55, 0.2, 0.9), strict=True):
        finding = {"concept": "nodule", "status": "absent", "measures": {"probability": {"value": probability}}}
        with site.service.database.reading() as connection:
            study = connection.execute(select(tables.series.c.study_id).where(tables.series.c.id == number)).scalar()
        row = {"id": f"r{number}", "study_id": study, "series_id": number, "revision": 1, "release": "lung@1"}
        row |= {"seal": "", "state": "answered", "findings": {"findings": [finding]}, "completed": 1.0, "answered": 1.0}
        made_now = insert(tables.results).values(**row)
        site.service.database.change(lambda connection, made_now=made_now: connection.execute(made_now))
    labelling = a_labelling(site, OWN, release="lung@1")
    asked = following(site.someone("reader"), labelling)
    assert (asked["series"], asked["why"]["kind"]) == (made[2][1], "unsure")
    assert asked["why"]["uncertainty"] == pytest.approx(0.993, abs=1e-3)


def test_agreement_is_told_with_its_n(tmp_path) -> None:
    site = a_site(tmp_path)
    made = some(site, 4)
    labelling = a_labelling(site, OWN, twice=1.0)
    for (_, _, number), one, other in zip(
        made, (["nodule"], ["nodule"], [], []), (["nodule"], [], [], None), strict=True
    ):
        an_annotation(site, labelling, number, "a", {"classes": one})
        an_annotation(site, labelling, number, "b", None if other is None else {"classes": other})
    told = site.someone("reader").get(f"/labellings/{labelling}/agreement").json()
    assert (told["pairs"], told["unsure"], told["differ"]) == (4, 1, 2)
    by_name = {one["name"]: one for one in told["measures"]}
    assert by_name["agreement"]["value"] == pytest.approx(2 / 3)
    assert by_name["positive/nodule"]["value"] == pytest.approx(2 / 3)
    assert by_name["kappa/nodule"]["note"] == "too few: 3 patients"
