"""FHIR R4: every part is kept or told, and nothing is judged that the laboratory did not say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from diascope.core.errors import BadUsage, DataRefused
from diascope.serve.beside.fhir import read
from diascope.testing.calls import a_study
from diascope.testing.web import OWN, a_site

UCUM = "http://unitsofmeasure.org"
CODE = {"coding": [{"system": "http://loinc.org", "code": "2160-0", "display": "Creatinine"}], "text": "Kreatinin"}


def quantity(value: float, unit: str = "mg/dL", **more: Any) -> dict[str, Any]:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit, **more}


def an_observation(**more: Any) -> dict[str, Any]:
    plain = {"resourceType": "Observation", "status": "final", "code": CODE, "valueQuantity": quantity(1.4)}
    found = {**plain, "effectiveDateTime": "2026-05-01T08:00:00+08:00", **more}
    return {key: value for key, value in found.items() if value is not None}


def a_bundle(*resources: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in resources]}


def test_an_observation_is_read() -> None:
    ranged = [{"low": quantity(0.6), "high": quantity(1.2)}]
    found = read(an_observation(referenceRange=ranged, subject={"reference": "Patient/Zyxwolf"}))
    assert found.left == []
    (one,) = found.kept
    assert (one.name, one.code, one.value, one.unit, one.low, one.high) == (
        "Kreatinin", "2160-0", 1.4, "mg/dL", 0.6, 1.2,
    )  # fmt: skip
    assert one.taken == 1777593600.0
    assert "Zyxwolf" not in repr(found)


def test_components_are_results_of_their_own() -> None:
    parts = [
        {"code": {"text": "Systolic"}, "valueQuantity": quantity(120, "mm[Hg]")},
        {"code": {"text": "Diastolic"}, "dataAbsentReason": {"text": "not measured"}},
    ]
    found = read(an_observation(valueQuantity=None, component=parts))
    assert [(one.name, one.value) for one in found.kept] == [("Systolic", 120)]
    assert [(one.entry, one.what, one.why) for one in found.left] == [
        ("Observation.component[1]", "value", "it has no value: not measured")
    ]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"valueString": "positive"}, "positive"),
        ({"valueCodeableConcept": {"coding": [{"display": "Negative"}]}}, "Negative"),
        ({"valueBoolean": False}, "false"),
        ({"valueQuantity": quantity(0.01, comparator="<")}, "< 0.01"),
        ({"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 40}}}, "1:40"),
    ],
)
def test_what_is_no_number_is_kept_in_words(value: dict[str, Any], said: str) -> None:
    """A value beyond what could be measured is no number: it must not be judged or drawn as one."""
    (one,) = read(an_observation(**{"valueQuantity": None, **value})).kept
    assert (one.value, one.said) == (None, said)


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"status": "preliminary"}, "Observation"),
        ({"status": "entered-in-error"}, "Observation"),
        ({"status": None}, "Observation"),
        ({"valueQuantity": None}, "value"),
        ({"valueString": "and a second value"}, "value"),
        ({"valueQuantity": {"value": "1.4"}}, "valueQuantity"),
        ({"valueQuantity": quantity(1, comparator="~")}, "valueQuantity"),
        ({"valueQuantity": {"value": 1, "unit": "u" * 33}}, "unit"),
        ({"valueQuantity": None, "valueSampledData": {}}, "valueSampledData"),
        ({"valueQuantity": None, "valueString": "long" * 65}, "valueString"),
        ({"code": {}}, "code"),
        ({"code": {"text": "a\u0000"}}, "code"),
    ],
)
def test_what_can_not_be_used_is_told_with_its_place(more: dict[str, Any], what: str) -> None:
    found = read(a_bundle(an_observation(), an_observation(**more)))
    assert len(found.kept) == 1
    assert [(one.entry, one.what) for one in found.left] == [("entry[1]", what)]
    assert found.left[0].why


@pytest.mark.parametrize(
    "ranges",
    [
        [{"text": "3.5 to 5"}],
        [{"low": quantity(0.6, "umol/L")}],
        [{"low": quantity(2.0), "high": quantity(1.0)}],
        [{"high": quantity(1.2)}, {"high": quantity(1.4)}],
        [{"high": quantity(1.2), "appliesTo": [{"text": "women"}]}],
        [{"high": quantity(1.2), "age": {"high": quantity(18, "a")}}],
        [{"high": quantity(1.2), "type": {"coding": [{"code": "therapeutic"}]}}],
        [{"high": {"value": "1.2"}}],
    ],
)
def test_a_range_that_may_not_apply_is_left_out_and_told(ranges: list[Any]) -> None:
    """A wrong range would judge: without one there is no judgement."""
    found = read(an_observation(referenceRange=ranges))
    assert [(one.value, one.low, one.high) for one in found.kept] == [(1.4, None, None)]
    assert [one.what for one in found.left] == ["referenceRange"]


def test_one_range_among_others_is_the_normal_one() -> None:
    normal = {"high": quantity(1.2), "type": {"coding": [{"code": "normal"}]}}
    other = {"high": quantity(9.9), "type": {"coding": [{"code": "treatment"}]}}
    (one,) = read(an_observation(referenceRange=[other, normal])).kept
    assert (one.low, one.high) == (None, 1.2)


@pytest.mark.parametrize(
    ("given", "taken", "told"),
    [
        ("2026-05-01", 1777593600.0, 1),
        ("2026-05-01T00:00:00Z", 1777593600.0, 0),
        ("2026-05-01T00:00:00.123456789Z", 1777593600.123456, 0),
        ("2026-05", None, 1),
        ("2026-02-30", None, 1),
        ("2026-05-01T08:00:00", None, 1),
        (None, None, 1),
    ],
)
def test_a_time_is_as_sure_as_it_was_said(given: str | None, taken: float | None, told: int) -> None:
    found = read(an_observation(effectiveDateTime=given))
    assert found.kept[0].taken == taken
    assert [one.what for one in found.left] == ["effective"] * told


def test_what_may_change_the_meaning_of_a_value_is_told() -> None:
    found = read(an_observation(interpretation=[{"text": "H"}], note=[{"text": "haemolytic"}]))
    assert [one.what for one in found.left] == ["interpretation", "note"]
    assert "haemolytic" not in repr(found.left)


def test_other_resources_are_told_and_other_bundles_refused() -> None:
    found = read(a_bundle({"resourceType": "Patient", "name": [{"text": "Zyxwolf"}]}, None, 7, an_observation()))
    assert (len(found.kept), [one.what for one in found.left]) == (1, ["Patient", "", ""])
    assert "Zyxwolf" not in repr(found)
    for wrong in ({}, {"resourceType": "Patient"}, {"resourceType": "Bundle", "entry": 7}):
        with pytest.raises(BadUsage):
            read(wrong)
    with pytest.raises(BadUsage, match="too many entries"):
        read(a_bundle(*[None] * 1001))


def test_a_bundle_about_several_patients_is_refused() -> None:
    with pytest.raises(DataRefused, match="several patients") as error:
        read(a_bundle(*(an_observation(subject={"reference": f"Patient/Zyxwolf{n}"}) for n in range(2))))
    assert "Zyxwolf" not in str(error.value)


def test_the_route_keeps_what_can_be_kept_and_tells_the_rest(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    study = a_study(site, OWN)
    bundle = a_bundle(an_observation(), an_observation(status="cancelled"))
    answer = site.someone("steward").post(f"/studies/{study}/observations/fhir", json=bundle)
    assert answer.status_code == 201
    assert [one["code"] for one in answer.json()["added"]] == ["2160-0"]
    assert answer.json()["left"][0]["entry"] == "entry[1]"
