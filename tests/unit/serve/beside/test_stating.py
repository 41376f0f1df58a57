"""What releases say of texts and of laboratory results, with what led to it: the word, the column that they go by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from diascope.explainers.sanity import SanityResult, checked
from diascope.serve.beside.rows import lab_row
from diascope.serve.database import tables
from diascope.serve.database.beside_tables import statements
from diascope.serve.incoming.deleting import delete_study
from diascope.serve.reading.served import withdraw
from diascope.testing.beside_calls import RESULT, a_document, an_observation
from diascope.testing.calls import a_study
from diascope.testing.reading import rows_of, work_off
from diascope.testing.service import events
from diascope.testing.statement_calls import ROWS, TEXTS, UNITS, a_row_release, a_text_release, results
from diascope.testing.web import OTHER, OWN, Site, a_site

WORDS = "The patient came on Monday. There is a small effusion, the lungs are clear."


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return a_site(tmp_path)


def asked(site: Site, study: str, release: str, document: str | None = None) -> Any:
    body = {"release": release, "document": document}
    answer = site.someone("reader").post(f"/studies/{study}/statements", json=body)
    work_off(site.service)
    return answer


def said(site: Site, study: str, role: str = "reader") -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = site.someone(role).get(f"/studies/{study}/statements").json()["items"]
    return items


def present(one: dict[str, Any]) -> list[str]:
    return [each["concept"] for each in one["findings"]["findings"] if each["status"] == "present"]


def test_a_text_is_answered_and_the_word_that_it_goes_by_is_named_first(site: Site) -> None:
    a_text_release(site.service)
    study = a_study(site, OWN)
    document = a_document(site, study, WORDS)
    assert asked(site, study, TEXTS, document).status_code == 202
    (one,) = said(site, study)
    assert (one["state"], one["document"], present(one)) == ("answered", document, ["with effusion"])
    (led,) = one["attributions"]
    assert (led["finding"], led["passed"]) == ("with effusion", True)
    assert led["similarity"] <= led["limit"]
    strongest = max(led["parts"], key=lambda part: abs(part["value"]))
    assert WORDS[strongest["start"] : strongest["stop"]] == "effusion"
    assert strongest["value"] == 1.0
    assert any(part["value"] < 0 for part in led["parts"]), "'clear' speaks against it"
    (row,) = rows_of(site.service, statements)
    for word in ("effusion,", "Monday"):
        assert word not in str(row) + str(events(site.service)) + str(rows_of(site.service, tables.jobs))
    (told,) = events(site.service, "statement.made")
    assert told["detail"] == {"release": TEXTS, "state": "answered", "document": document, "explained": "1"}


def test_a_row_is_answered_and_the_column_that_it_goes_by_is_named_first(site: Site) -> None:
    a_row_release(site.service)
    study = a_study(site, OWN)
    results(site, study)
    asked(site, study, ROWS)
    (one,) = said(site, study)
    assert (one["document"], present(one)) == (None, ["kidney failure"])
    (led,) = one["attributions"]
    assert led["passed"]
    first = led["parts"][0]
    assert (first["name"], first["given"], first["unit"], first["value"]) == ("Creatinine", 3.2, "mg/dL", 1.0)
    assert abs(led["parts"][1]["value"]) < 0.3 if led["parts"][1:] else True
    assert len({each["basis"] for each in said(site, study)}) == 1


def test_newer_values_make_another_statement_and_the_same_ones_replace_theirs(site: Site) -> None:
    a_row_release(site.service)
    study = a_study(site, OWN)
    results(site, study)
    asked(site, study, ROWS)
    site.clock.forward(1)
    asked(site, study, ROWS)
    assert len(rows_of(site.service, statements)) == 1
    site.clock.forward(1)
    an_observation(site, study, value=0.9, code="")
    asked(site, study, ROWS)
    assert [present(one) for one in said(site, study)] == [["working"], ["kidney failure"]]


def test_a_value_in_another_unit_is_missing_and_never_converted(site: Site) -> None:
    a_row_release(site.service)
    study = a_study(site, OWN)
    results(site, study, 282.0, {**UNITS, "Creatinine": "umol/L"})
    asked(site, study, ROWS)
    (one,) = said(site, study)
    notes = one["findings"]["notes"]
    assert "Creatinine counts as missing: it is in umol/L, and the release reads mg/dL" in notes
    assert "Creatinine" not in [part["name"] for led in one["attributions"] for part in led["parts"]]


SETTINGS: dict[str, Any] = {"columns": ["Glucose [mg/dL]", "2951-2", "Sex"], "units": {"Glucose [mg/dL]": "mg/dL"}}


def a_result(name: str, value: float | None, unit: str = "mg/dL", **more: Any) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "code": "", "said": "", **more}


@pytest.mark.parametrize(
    ("given", "value", "note"),
    [
        ([a_result("GLUCOSE", 90.0), a_result("Glucose", 80.0)], 90.0, ""),
        ([a_result("glucose (mg/dL)", 90.0, "MG/DL")], 90.0, ""),
        ([a_result("Glucose", 5.0, "mmol/L"), a_result("Glucose", 80.0)], None, "it is in mmol/L"),
        ([a_result("Glucose", 90.0, "")], None, "it has no unit"),
        ([a_result("Glucose", 9.0, code="5792-7"), a_result("Glucose", 8.0, code="2345-7")], None, "several analytes"),
        ([], None, "not among the results"),
    ],
)
def test_what_is_doubtful_is_missing_and_said(given: list[Any], value: float | None, note: str) -> None:
    row = lab_row(given, SETTINGS)
    assert row.values["Glucose [mg/dL]"] == value
    assert any(note in one for one in row.notes)


def test_columns_are_known_by_code_and_words_stay_words() -> None:
    row = lab_row([a_result("Natrium", 140.0, "mmol/L", code="2951-2"), a_result("sex", None, "", said="F")], SETTINGS)
    assert (row.values["2951-2"], row.values["Sex"], row.there) == (140.0, "F", 2)
    several = lab_row([a_result("Sex", 1.0, "a"), a_result("Sex", 2.0, "b")], SETTINGS)
    assert several.values["Sex"] is None


def test_what_arrives_is_read_by_what_fits_without_being_asked(site: Site) -> None:
    a_row_release(site.service)
    a_text_release(site.service)
    a_text_release(site.service, "german@1", "de")
    a_text_release(site.service, "candidate@1", signed_by=None)
    study, who = a_study(site, OWN), site.someone("steward")
    one = {"name": "Sodium", "value": 141.0, "unit": "mmol/L"}
    who.post(f"/studies/{study}/observations", json={"observations": [one]})
    work_off(site.service)
    assert said(site, study) == [], "one value of five is too little"
    more = [RESULT, {"name": "Potassium", "value": 4.0, "unit": "mmol/L"}]
    who.post(f"/studies/{study}/observations", json={"observations": more})
    who.post(f"/studies/{study}/documents", json={"text": WORDS, "language": "en"})
    work_off(site.service)
    assert sorted((each["release"], each["state"]) for each in said(site, study)) == [
        (ROWS, "answered"), (TEXTS, "answered"),
    ]  # fmt: skip
    assert events(site.service, "observations.kept")[-1]["detail"]["read_by"] == [ROWS]


@pytest.mark.parametrize("similarity", [0.93, None])
def test_what_fails_its_check_is_not_kept(
    site: Site, monkeypatch: pytest.MonkeyPatch, similarity: float | None
) -> None:
    """A map that stays the same when all that was learnt is lost explains nothing."""

    def failed(*given: Any, **more: Any) -> Any:
        maps, _ = checked(*given, **more)
        return maps, SanityResult(similarity=similarity, passed=False, images=1)

    monkeypatch.setattr("diascope.serve.beside.attributing.checked", failed)
    a_text_release(site.service)
    study = a_study(site, OWN)
    asked(site, study, TEXTS, a_document(site, study, WORDS))
    (one,) = said(site, study)
    assert one["attributions"] == [
        {"finding": "with effusion", "passed": False, "similarity": similarity, "limit": 0.5, "parts": []}
    ]
    assert rows_of(site.service, statements)[0].attributions[0]["parts"] == []


def test_a_release_of_one_column_can_not_pass(site: Site) -> None:
    """One column is the strongest whatever was learnt."""
    a_row_release(site.service, columns=("Creatinine",))
    study = a_study(site, OWN)
    results(site, study)
    asked(site, study, ROWS)
    (one,) = said(site, study)
    assert [led["passed"] for led in one["attributions"]] == [False]


def test_what_a_release_refuses_is_not_available_and_says_why(site: Site) -> None:
    """G2: not available is never negative."""
    a_text_release(site.service)
    a_row_release(site.service)
    study = a_study(site, OWN)
    document = a_document(site, study, "Безболезненное образование левого лёгкого")
    asked(site, study, TEXTS, document)
    asked(site, study, ROWS)
    found = {one["release"]: one for one in said(site, study)}
    assert {one["state"] for one in found.values()} == {"unavailable"}
    assert {str(one["findings"]) for one in found.values()} == {"{}"}
    assert "characters were not in training" in found[TEXTS]["reason"]
    assert found[ROWS]["reason"] == "every value of its inputs is missing"


def test_a_release_that_was_withdrawn_meanwhile_says_nothing_and_may_be_asked_again(site: Site) -> None:
    a_row_release(site.service)
    study = a_study(site, OWN)
    results(site, study)
    site.someone("reader").post(f"/studies/{study}/statements", json={"release": ROWS})
    change = site.service.database.change
    change(lambda connection: withdraw(connection, ROWS, "too many errors", "ada", 1.0))
    work_off(site.service)
    assert said(site, study)[0]["reason"] == f"{ROWS} was withdrawn: too many errors"
    assert asked(site, study, ROWS).status_code == 404
    again = update(tables.served).values(state="in service")
    change(lambda connection: connection.execute(again))
    site.clock.forward(1)
    assert asked(site, study, ROWS).status_code == 202
    assert [one["state"] for one in said(site, study)] == ["answered"]


def test_only_a_release_of_such_things_is_asked_about_what_is_there(site: Site) -> None:
    a_text_release(site.service)
    study, other = a_study(site, OWN), a_study(site, OWN)
    document = a_document(site, other, WORDS)
    assert asked(site, study, TEXTS).status_code == 404, "it reads no laboratory results"
    assert asked(site, study, TEXTS, document).status_code == 404, "by the address of another study"
    assert asked(site, study, "../releases/referrals@1", document).status_code == 404


def test_whoever_may_not_read_texts_neither_asks_about_them_nor_sees_what_is_said(site: Site) -> None:
    a_text_release(site.service)
    a_row_release(site.service)
    study, hidden = a_study(site, OWN), a_study(site, OTHER)
    document = a_document(site, study, WORDS)
    results(site, study)
    researcher = site.someone("researcher")
    body = {"release": TEXTS, "document": document}
    assert researcher.post(f"/studies/{study}/statements", json=body).status_code == 403
    asked(site, study, TEXTS, document)
    asked(site, study, ROWS)
    assert [one["release"] for one in said(site, study, "researcher")] == [ROWS]
    (one,) = said(site, study, "administrator")
    assert {part["given"] for part in one["attributions"][0]["parts"]} == {None}
    assert researcher.get(f"/studies/{hidden}/statements").status_code == 404


def test_they_go_with_their_study(site: Site) -> None:
    a_row_release(site.service)
    study, gone = a_study(site, OWN), a_study(site, OWN)
    for one in (study, gone):
        results(site, one)
        asked(site, one, ROWS)
    site.someone("reader").post(f"/studies/{gone}/statements", json={"release": ROWS})
    delete_study(site.service, gone, "user:ada")
    work_off(site.service)
    assert len(rows_of(site.service, statements)) == 1
