"""Laboratory results: what is taken, kept once, listed, and shown to nobody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from diascope.serve.beside.observations import judged
from diascope.serve.beside.table import lab_table
from diascope.serve.database.beside_tables import observations
from diascope.testing.beside_calls import RESULT, an_observation
from diascope.testing.calls import a_study
from diascope.testing.reading import rows_of
from diascope.testing.service import events
from diascope.testing.web import OTHER, OWN, Browser, Site, a_site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return a_site(tmp_path)


def brought(who: Browser, study: str, *given: dict[str, Any]) -> Any:
    return who.post(f"/studies/{study}/observations", json={"observations": list(given)})


def test_results_are_kept_as_they_came_and_once(site: Site) -> None:
    who, study = site.someone("steward"), a_study(site, OWN)
    words = {"name": "乙肝表面抗原", "said": "阴性", "taken": "2026-05-01T08:00:00+08:00"}
    first = brought(who, study, RESULT, words, words)
    assert first.status_code == 201
    assert [one["name"] for one in first.json()["added"]] == ["Creatinine", "乙肝表面抗原"]
    assert first.json()["again"] == 1
    assert first.json()["added"][1]["taken"] == "2026-05-01T00:00:00Z"
    again = brought(who, study, RESULT, {**RESULT, "value": 1.5})
    assert (again.json()["again"], [one["value"] for one in again.json()["added"]]) == (1, [1.5])
    rows = rows_of(site.service, observations)
    assert {(row.value, row.unit, row.low, row.high) for row in rows} == {
        (1.4, "mg/dL", 0.6, 1.2), (1.5, "mg/dL", 0.6, 1.2), (None, "", None, None),
    }  # fmt: skip
    told = events(site.service, "observations.kept")
    assert [(one["object"], one["detail"]["added"]) for one in told] == [(study, 2), (study, 1)]
    assert "Creatinine" not in str(told)


@pytest.mark.parametrize(
    "given",
    [
        {**RESULT, "said": "high"},
        {"name": "Sodium", "unit": "mmol/L"},
        {"name": "Sodium", "said": "  "},
        {**RESULT, "low": 2.0},
        {**RESULT, "code": "not-loinc"},
        {**RESULT, "value": "1.4"},
        {**RESULT, "unit": "m" * 33},
        {**RESULT, "name": "a\u0000b"},
        {**RESULT, "taken": "yesterday"},
        {**RESULT, "patient": "Zyxwolf"},
    ],
)
def test_what_makes_no_sense_is_refused_whole(site: Site, given: dict[str, Any]) -> None:
    who, study = site.someone("steward"), a_study(site, OWN)
    assert brought(who, study, RESULT, given).status_code == 400
    assert rows_of(site.service, observations) == []


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_numbers_are_finite(site: Site, number: str) -> None:
    who, study = site.someone("steward"), a_study(site, OWN)
    body = f'{{"observations": [{{"name": "Sodium", "value": {number}}}]}}'
    kind = {"Content-Type": "application/json"}
    assert who.post(f"/studies/{study}/observations", content=body, headers=kind).status_code == 400
    fhir = f'{{"resourceType": "Observation", "status": "final", "code": {{"text": "Na"}}, "valueInteger": {number}}}'
    answer = who.post(f"/studies/{study}/observations/fhir", content=fhir, headers=kind)
    assert answer.status_code == 400
    assert rows_of(site.service, observations) == []


def test_too_many_at_once_are_refused(site: Site) -> None:
    who, study = site.someone("steward"), a_study(site, OWN)
    assert brought(who, study, *[{**RESULT, "value": n} for n in range(501)]).status_code == 400
    assert brought(who, study).status_code == 400


def test_they_are_listed_page_by_page_to_whoever_may_see_the_study(site: Site) -> None:
    study, hidden = a_study(site, OWN), a_study(site, OTHER)
    for value in range(5):
        an_observation(site, study, value=value, at=float(value))
    who, seen, after = site.someone("researcher"), list[float](), None
    while True:
        page = who.get(f"/studies/{study}/observations", params={"limit": 2, **({"after": after} if after else {})})
        seen += [one["value"] for one in page.json()["items"]]
        after = page.json()["next"]
        if after is None:
            break
    assert seen == [4, 3, 2, 1, 0]
    assert events(site.service, "study.viewed")[0]["detail"] == {"part": "observations"}
    assert who.get(f"/studies/{hidden}/observations").status_code == 404
    assert brought(who, study, RESULT).status_code == 403


def test_a_repeated_request_adds_nothing(site: Site) -> None:
    who, study = site.someone("steward"), a_study(site, OWN)
    key = {"Idempotency-Key": "one"}
    body = {"observations": [RESULT]}
    first, again = (who.post(f"/studies/{study}/observations", json=body, headers=key) for _ in range(2))
    assert again.json() == first.json()
    assert len(rows_of(site.service, observations)) == 1


@pytest.mark.parametrize(
    ("value", "low", "high", "said"),
    [
        (1.0, 1.0, 2.0, "within"), (2.0, 1.0, 2.0, "within"), (0.9, 1.0, 2.0, "low"), (2.1, 1.0, 2.0, "high"),
        (5.0, None, 2.0, "high"), (1.0, None, 2.0, "within"), (0.5, 1.0, None, "low"), (5.0, None, None, None),
        (None, 1.0, 2.0, None), (-1.0, 0.0, 0.0, "low"),
    ],
)  # fmt: skip
def test_a_value_is_judged_by_its_own_range_and_without_one_not_at_all(
    value: float | None, low: float | None, high: float | None, said: str | None
) -> None:
    assert judged(value, low, high) == said


def a_row(taken: float | None, value: float = 1.0, **more: Any) -> dict[str, Any]:
    plain = {"name": "Sodium", "code": "2951-2", "unit": "mmol/L", "said": "", "low": None, "high": None}
    return {**plain, "taken": taken, "value": value, "of": "1.2", "of_date": "20260101", **more}


def test_a_table_has_a_row_for_each_analyte_in_one_unit() -> None:
    """What is in another unit is another row: nothing is converted."""
    rows = [a_row(3), a_row(2, name="Natrium"), a_row(2, unit="mg/dL"), a_row(1, code="", name="sodium")]
    table = lab_table(rows)
    assert [(one.name, one.unit, sorted(one.cells)) for one in table.analytes] == [
        ("Sodium", "mg/dL", [1]), ("Sodium", "mmol/L", [0, 1]), ("sodium", "mmol/L", [2]),
    ]  # fmt: skip


def test_a_table_says_how_many_results_are_older_than_it_shows() -> None:
    table = lab_table([a_row(100 - at) for at in range(15)])
    assert (len(table.columns), table.older) == (12, 3)


def test_two_results_of_one_time_stand_in_one_cell_and_studies_have_columns_of_their_own() -> None:
    table = lab_table([a_row(3, 2.0), a_row(3, 1.0), a_row(3, 5.0, of="1.3"), a_row(None, 7.0)])
    (one,) = table.analytes
    assert [[cell.value for cell in one.cells[at]] for at in sorted(one.cells)] == [[2.0, 1.0], [5.0], [7.0]]
    assert one.newest.value == 2.0
