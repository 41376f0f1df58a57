"""From what arrives to results."""

from __future__ import annotations

import pytest

from diascope.core.evaluation import Gate, GateRule
from diascope.serve.database.tables import audit, instances, jobs, result_objects, results, series
from diascope.stages import predict as predicting
from diascope.testing.objects import uids
from diascope.testing.reading import (
    FLAT,
    a_film,
    a_rule,
    a_signed_release,
    a_volume,
    arrive,
    become_complete,
    rows_of,
    work_off,
)  # fmt: skip
from diascope.testing.service import a_service


def test_a_series_that_is_complete_is_read_and_answered(tmp_path):
    service = a_service(tmp_path)
    a_signed_release(service)
    a_rule(service)
    arrive(service, a_volume(7))
    assert become_complete(service) == 1
    assert work_off(service) == 2
    (row,) = rows_of(service, results)
    assert (row.state, row.reason, row.release, row.rule) == ("answered", "", "organs@1", "all")
    assert row.answered >= row.completed
    assert row.superseded is None
    kinds = {one.kind: one.instance_uid for one in rows_of(service, result_objects)}
    assert set(kinds) == {"seg", "sr"}
    made = rows_of(service, series, series.c.made)
    assert {one.modality for one in made} == {"SEG", "SR"}
    assert all(one.due is None for one in made)
    stored = {one.uid for one in rows_of(service, instances)}
    assert set(kinds.values()) < stored
    assert len(stored) == 10
    assert sorted(service.archive.keys()) == sorted(one.key for one in rows_of(service, instances))
    (event,) = rows_of(service, audit, audit.c.action == "prediction.made")
    assert event.object == row.id
    assert event.detail["study"] == uids(7)[0]
    assert {one.state for one in rows_of(service, jobs)} == {"done"}
    assert become_complete(service) == 0, "what the service made itself is not routed"


def test_a_picture_is_answered_with_a_report(tmp_path):
    service = a_service(tmp_path)
    a_signed_release(service, FLAT)
    a_rule(service, FLAT)
    for number in range(3):
        arrive(service, a_film(number))
    become_complete(service)
    assert work_off(service) == 4, "three routes, and one reading of all three"
    found = rows_of(service, results)
    assert [one.state for one in found] == ["answered"] * 3, [one.reason for one in found]
    assert [one.kind for one in rows_of(service, result_objects)] == ["sr"] * 3


@pytest.mark.parametrize("limit", [9.0, None])
def test_how_far_the_input_was_from_the_training_cases_is_kept(tmp_path, monkeypatch, limit):
    service = a_service(tmp_path)
    rule = GateRule(input="image", modality="xray", dimensions=2, channels=1)
    a_signed_release(service, FLAT, gate=Gate(rules=(rule,), distance_limit=limit))
    a_rule(service, FLAT)
    monkeypatch.setattr(predicting, "distance", lambda *_: 3.5)
    arrive(service, a_film(1))
    become_complete(service)
    work_off(service)
    (row,) = rows_of(service, results)
    assert (row.state, row.distance) == ("answered", 3.5 if limit else None)
