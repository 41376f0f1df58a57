"""Earlier cases that the encoder found alike: of the caller's projects, of the same release, never of the future."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import delete, insert, true, update

from diascope.serve.database.explaining_tables import features
from diascope.serve.database.tables import readings, results, studies
from diascope.serve.explaining.vectors import keep_features, nearest, vector_of
from diascope.serve.http.routes.similar import NO_VECTOR
from diascope.serve.jobs.worker import Worker
from diascope.serve.room.words import words
from diascope.testing.explaining import FILMS, a_block_film, a_taught_release
from diascope.testing.objects import uids
from diascope.testing.reading import (
    SOLID,
    a_rule,
    a_signed_release,
    a_volume,
    arrive,
    become_complete,
    rows_of,
    work_off,
)
from diascope.testing.web import OTHER, a_site
from diascope.testing.work_calls import a_result


def films(site, bright):
    """Results of films, by the number of the patient; those of `bright` have a block."""
    a_taught_release(site.service, FILMS)
    a_rule(site.service, FILMS)
    for number, has_block in enumerate(bright, 1):
        arrive(site.service, a_block_film(number, has_block))
        become_complete(site.service)
        work_off(site.service)
    by_study = {row.id: row.uid for row in rows_of(site.service, studies)}
    return {by_study[row.study_id]: row.id for row in rows_of(site.service, results)}


def test_the_nearest_are_those_that_look_alike(tmp_path):
    site = a_site(tmp_path)
    made = films(site, [True, False, True, False, True])
    who, newest = site.someone("reader"), made[uids(5)[0]]
    reading = {"id": "r", "result_id": made[uids(1)[0]], "reader": "x", "verdict": "accept", "shown": {}, "at": 1.0}
    site.service.database.change(lambda connection: connection.execute(insert(readings).values(**reading)))
    found = who.get(f"/findings/{newest}/similar", params={"limit": "4"}).json()
    assert found["why"] == ""
    items = found["items"]
    assert {one["study"] for one in items[:2]} == {uids(1)[0], uids(3)[0]}
    assert [one["similarity"] for one in items] == sorted((one["similarity"] for one in items), reverse=True)
    first = next(one for one in items if one["study"] == uids(1)[0])
    assert (first["verdict"], first["same_patient"]) == ("accept", False)
    assert {one["finding"]: one["status"] for one in first["said"]} == {"a": "absent", "b": "present"}
    assert first["thumbnail"].endswith(f"/series/{uids(1)[1]}/thumbnail")
    assert len(who.get(f"/findings/{newest}/similar", params={"limit": "1"}).json()["items"]) == 1


def test_only_earlier_ones_of_own_projects_that_still_count(tmp_path):
    site = a_site(tmp_path)
    made = films(site, [True, True, True, True])
    who = site.someone("reader")

    def similar():
        return [one["study"] for one in who.get(f"/findings/{made[uids(3)[0]]}/similar").json()["items"]]

    assert set(similar()) == {uids(1)[0], uids(2)[0]}, "the fourth came later"
    moved = update(studies).where(studies.c.uid == uids(1)[0]).values(project_id=OTHER)
    site.service.database.change(lambda connection: connection.execute(moved))
    assert similar() == [uids(2)[0]]
    old = update(results).where(results.c.id == made[uids(2)[0]]).values(superseded=1.0)
    site.service.database.change(lambda connection: connection.execute(old))
    assert similar() == []


def test_vectors_that_were_not_kept_are_made_when_somebody_asks(tmp_path):
    site = a_site(tmp_path)
    made = films(site, [True, True, False])
    kept = {row.result_id: row.vector for row in rows_of(site.service, features)}
    site.service.database.change(lambda connection: connection.execute(delete(features)))
    who, newest = site.someone("reader"), made[uids(3)[0]]
    found = who.get(f"/findings/{newest}/similar").json()
    assert found["items"] == []
    assert "made anew" in found["why"]
    assert work_off(site.service) == 1
    assert len(who.get(f"/findings/{newest}/similar").json()["items"]) == 2
    assert work_off(site.service) == 0, "nothing is missing any more"
    for row in rows_of(site.service, features):
        one, other = (np.frombuffer(each, "<f2").astype(float) for each in (row.vector, kept[row.result_id]))
        assert one @ other == pytest.approx(1, abs=1e-2)


def test_many_gaps_are_filled_a_few_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr("diascope.serve.explaining.describing.AT_ONCE", 1)
    site = a_site(tmp_path)
    made = films(site, [True, True])
    site.service.database.change(lambda connection: connection.execute(delete(features)))
    site.someone("reader").get(f"/findings/{made[uids(2)[0]]}/similar")
    worker = Worker(site.service)
    counts = []
    while worker.step():
        counts.append(len(rows_of(site.service, features)))
    assert counts == [1, 2, 2], "given back after each, done when none was left"


def test_a_series_that_can_not_be_read_again_is_no_gap_for_ever(tmp_path):
    site = a_site(tmp_path)
    made = films(site, [True, True])
    site.service.database.change(lambda connection: connection.execute(delete(features)))
    for key in list(site.service.archive.keys()):
        site.service.archive.delete(key)
    who, newest = site.someone("reader"), made[uids(2)[0]]
    who.get(f"/findings/{newest}/similar")
    work_off(site.service)
    assert [row.length for row in rows_of(site.service, features)] == [0, 0]
    who.get(f"/findings/{newest}/similar")
    assert work_off(site.service) == 0


def test_a_network_without_one_vector_says_so(tmp_path):
    site = a_site(tmp_path)
    a_signed_release(site.service)
    a_rule(site.service, SOLID)
    arrive(site.service, a_volume(1))
    become_complete(site.service)
    work_off(site.service)
    (row,) = rows_of(site.service, results)
    found = site.someone("reader").get(f"/findings/{row.id}/similar").json()
    assert (found["items"], "no one vector" in found["why"]) == ([], True)
    assert found["words"] == {"en": found["why"], "zh-CN": words("zh-CN").phrase(NO_VECTOR)}


def test_the_nearest_of_many_are_the_nearest(tmp_path):
    """Against a plain computation, on more rows than are read together."""
    site, rng = a_site(tmp_path), np.random.default_rng(0)
    ids = [a_result(site, "default", answered=float(number)) for number in range(60)]
    vectors = rng.normal(size=(60, 16)).astype(np.float32)

    def work(connection):
        for number, (one, vector) in enumerate(zip(ids, vectors, strict=True)):
            keep_features(connection, one, ("lung@1", ""), vector, float(number))

    site.service.database.change(work)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    alike = unit[:50] @ unit[50]
    with site.service.database.reading() as connection:
        kept = vector_of(connection, ids[50])
        assert kept is not None
        near = nearest(connection, ids[50], kept, true(), 5)
    assert [one.result for one in near] == [ids[place] for place in np.argsort(-alike)[:5]]
    assert near[0].similarity == pytest.approx(float(alike.max()), abs=2e-3)


@pytest.mark.parametrize("vector", [np.zeros(4), np.array([np.nan, 1]), np.zeros(0)])
def test_a_vector_without_direction_is_like_nothing(vector, tmp_path):
    site = a_site(tmp_path)
    result = a_result(site, "default")
    site.service.database.change(lambda connection: keep_features(connection, result, ("lung@1", ""), vector, 1.0))
    with site.service.database.reading() as connection:
        kept = vector_of(connection, result)
    assert kept is not None
    assert kept.size == 0
