"""Explanations on demand: the map lies where the block is, and is given only where its check passed."""

from __future__ import annotations

import ast
import gzip
import inspect
import re

import numpy as np
import pytest
import torch
from sqlalchemy import select, update

from diascope.core import registry
from diascope.core.geometry import Geometry
from diascope.engine.batch import Example
from diascope.serve.database.explaining_tables import explanations
from diascope.serve.database.tables import jobs, results, series
from diascope.serve.explaining import mapping, signals, subject
from diascope.serve.explaining.mapping import on_frames
from diascope.serve.http.routes import explanations as explanations_route
from diascope.serve.http.routes import similar
from diascope.serve.incoming.deleting import delete_study
from diascope.serve.jobs.worker import Worker
from diascope.serve.room.words import in_every_language
from diascope.testing.explaining import (
    BLOCK,
    BLOCKS,
    FILM,
    FILM_BLOCK,
    FILMS,
    SHAPE,
    a_block_film,
    a_block_volume,
    a_taught_release,
)
from diascope.testing.factories import a_case
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
from diascope.testing.service import events
from diascope.testing.web import a_site


def answered(site, label, contents):
    """The id of the result that a release gives of a series."""
    a_rule(site.service, label)
    arrive(site.service, contents)
    become_complete(site.service)
    work_off(site.service)
    (row,) = rows_of(site.service, results)
    assert row.state == "answered", row.reason
    return row.id


def asked_for(site, who, result, **body):
    answer = who.post(f"/findings/{result}/explanations", json={"finding": "b", "explainer": "grad_cam_plus", **body})
    assert answer.status_code == 202, answer.text
    work_off(site.service)
    return who.get(f"/findings/{result}/explanations").json()


@pytest.mark.parametrize("explainer", ["grad_cam_plus", "occlusion"])
@pytest.mark.parametrize(
    ("label", "contents", "shape", "block"),
    [
        (BLOCKS, a_block_volume(1), SHAPE, BLOCK),
        (FILMS, a_block_film(1), (1, *FILM), (slice(0, 1), *FILM_BLOCK)),
    ],
    ids=["volume", "film"],
)
def test_the_map_lies_on_the_frames_where_the_block_is(label, contents, shape, block, explainer, tmp_path):
    site = a_site(tmp_path)
    a_taught_release(site.service, label)
    result = answered(site, label, contents)
    who = site.someone("reader")
    found = asked_for(site, who, result, explainer=explainer)
    (one,) = found["items"]
    assert found["jobs"] == []
    assert one["sanity"]["passed"], one
    assert one["sanity"]["similarity"] <= one["sanity"]["limit"]
    assert "learnt" in one["sanity"]["words"]["en"]
    assert one["shape"] == list(shape)
    answer = who.get(f"/explanations/{one['id']}/voxels")
    voxels = np.frombuffer(answer.content, np.uint8).reshape(shape).astype(float)
    assert voxels.max() > 200
    inside = np.zeros(shape, bool)
    inside[block] = True
    assert voxels[inside].mean() > 2 * voxels[~inside].mean()
    centre = [round(float(where.mean())) for where in np.nonzero(voxels > 180)]
    assert inside[tuple(centre)], centre
    told = [event["action"] for event in events(site.service, "explanation.requested", "explanation.made")]
    assert told == ["explanation.requested", "explanation.made"]


def test_the_same_again_is_the_same_job_and_one_row(tmp_path):
    site = a_site(tmp_path)
    a_taught_release(site.service, FILMS)
    result, who = answered(site, FILMS, a_block_film(2)), site.someone("reader")
    body = {"finding": "b", "explainer": "grad_cam"}
    first = who.post(f"/findings/{result}/explanations", json=body).json()
    waiting = who.get(f"/findings/{result}/explanations").json()
    assert [job["id"] for job in waiting["jobs"]] == [first["id"]]
    work_off(site.service)
    assert who.post(f"/findings/{result}/explanations", json=body).json()["id"] == first["id"]
    assert work_off(site.service) == 0
    assert len(rows_of(site.service, explanations)) == 1


def test_a_map_that_failed_its_check_is_not_given_and_says_why(tmp_path):
    site = a_site(tmp_path)
    a_signed_release(site.service, FILMS)  # nobody trained it: random weights explain nothing
    a_taught_release(site.service, "films@2")
    result, who = answered(site, "films@2", a_block_film(3)), site.someone("reader")
    found = asked_for(site, who, result)
    failed = update(explanations).values(passed=False, similarity=0.93)
    site.service.database.change(lambda connection: connection.execute(failed))
    (one,) = who.get(f"/findings/{result}/explanations").json()["items"]
    assert "hidden" in one["sanity"]["words"]["en"]
    answer = who.get(f"/explanations/{found['items'][0]['id']}/voxels")
    assert answer.status_code == 409
    assert "0.93" in answer.json()["error"]["wrong"]


def test_a_map_of_another_revision_is_not_laid_on_these_frames(tmp_path):
    site = a_site(tmp_path)
    a_taught_release(site.service, FILMS)
    result, who = answered(site, FILMS, a_block_film(4)), site.someone("reader")
    (one,) = asked_for(site, who, result)["items"]
    site.service.database.change(lambda connection: connection.execute(update(series).values(revision=2)))
    assert who.get(f"/explanations/{one['id']}/voxels").status_code == 409


def test_who_says_where_by_itself_is_not_explained(tmp_path):
    site = a_site(tmp_path)
    a_signed_release(site.service, SOLID)
    result, who = answered(site, SOLID, a_volume(5)), site.someone("reader")
    answer = who.post(f"/findings/{result}/explanations", json={"finding": "organ", "explainer": "grad_cam"})
    assert answer.status_code == 422
    assert "says where" in answer.json()["error"]["wrong"]
    found = who.get(f"/findings/{result}/explanations").json()
    assert "says where" in found["why"]
    assert found["words"] == {"en": found["why"], "zh-CN": "该模型本身已给出位置，无需热图解释"}
    assert found["explainers"] == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"finding": "nothing like it", "explainer": "grad_cam"}, 404),
        ({"finding": "b", "explainer": "magic"}, 404),
        ({"finding": "b", "explainer": "words"}, 400),
        ({"finding": "b"}, 400),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(body, status, tmp_path):
    site = a_site(tmp_path)
    a_taught_release(site.service, FILMS)
    result, who = answered(site, FILMS, a_block_film(6)), site.someone("reader")
    before = len(rows_of(site.service, jobs))
    assert who.post(f"/findings/{result}/explanations", json=body).status_code == status
    assert len(rows_of(site.service, jobs)) == before


def test_a_release_that_was_exchanged_explains_nothing_of_the_old_one(tmp_path):
    site = a_site(tmp_path)
    a_taught_release(site.service, FILMS)
    result, who = answered(site, FILMS, a_block_film(7)), site.someone("reader")
    site.service.database.change(lambda connection: connection.execute(update(results).values(seal="0" * 64)))
    found = asked_for(site, who, result)
    assert found["items"] == []
    assert "not the release any more" in found["jobs"][0]["error"]["wrong"]
    (told,) = found["refusals"].values()
    assert list(found["refusals"]) == [found["jobs"][0]["id"]]
    assert told["en"] == found["jobs"][0]["error"]["wrong"]
    assert told["zh-CN"] == f"{FILMS} 已不是给出该结果的模型版本"


def test_what_was_made_goes_with_its_study(tmp_path):
    site = a_site(tmp_path)
    a_taught_release(site.service, FILMS)
    result, who = answered(site, FILMS, a_block_film(8)), site.someone("reader")
    asked_for(site, who, result)
    delete_study(site.service, uids(8)[0], "test")
    assert rows_of(site.service, explanations) == []


def test_reading_goes_before_explaining(tmp_path):
    site = a_site(tmp_path)
    a_taught_release(site.service, FILMS)
    result, who = answered(site, FILMS, a_block_film(9)), site.someone("reader")
    who.post(f"/findings/{result}/explanations", json={"finding": "b", "explainer": "grad_cam"})
    arrive(site.service, a_block_film(10))
    become_complete(site.service)
    worker = Worker(site.service)
    while worker.step():
        site.clock.forward(1)
    with site.service.database.reading() as connection:
        kinds = connection.execute(select(jobs.c.kind).order_by(jobs.c.ended)).scalars().all()
    assert kinds[-1] == "explain"
    assert kinds.count("read") == 2


def test_the_voxels_are_packed(tmp_path):
    site = a_site(tmp_path)
    a_taught_release(site.service)
    result, who = answered(site, BLOCKS, a_block_volume(11)), site.someone("researcher")
    asked_for(site, who, result)
    (row,) = rows_of(site.service, explanations)
    assert len(gzip.decompress(row.voxels)) == np.prod(SHAPE)


@pytest.mark.parametrize("physical", [True, False])
def test_what_the_network_did_not_see_is_0_and_the_rest_lies_where_it_was(physical):
    """Along each axis another crop and another spacing; the network saw a ramp along x."""
    shape = (10, 12, 14)
    whole = Geometry.from_spacing((3.0, 1.0, 2.0), (5.0, -7.0, 11.0), physical=physical)
    volume = torch.arange(14.0).expand(1, *shape)
    apply = {name: registry.get("transforms", name).apply for name in ("crop_pad", "resample")}
    part, geometry = apply["crop_pad"](volume, whole, {"shape": (4, 8, 10), "start": (2, 3, 1)}, False)
    part, geometry = apply["resample"](part, geometry, {"shape": (8, 4, 20), "order": 1}, False)
    example = Example(a_case(1), {"image": part.numpy()}, {}, geometry, (whole, shape))
    found = on_frames(np.asarray(part[0]) / 14, example)
    assert found.shape == shape
    inside = np.zeros(shape, bool)
    inside[2:6, 3:11, 1:11] = True
    assert not found[~inside].any()
    np.testing.assert_allclose(
        found[2:6, 3:11, 2:10], np.broadcast_to(np.arange(2, 10) / 14 * 255, (4, 8, 8)), atol=3.5
    )


def fixed_sentences():
    """What the modules may say of why there is no map: what they return, and what they refuse with."""
    for module in (mapping, signals, subject, explanations_route, similar):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            said = None
            if isinstance(node, ast.Return):
                said = node.value
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "DataRefused":
                said = node.args[0]
            if isinstance(said, ast.Constant) and isinstance(said.value, str) and " " in said.value:
                yield said.value
            elif isinstance(said, ast.JoinedStr):
                yield "".join("X" if isinstance(part, ast.FormattedValue) else part.value for part in said.values)


@pytest.mark.parametrize(
    "text", sorted({*fixed_sentences(), explanations_route.SAYS_WHERE, similar.NOT_YET, similar.NO_VECTOR})
)
def test_why_there_is_no_map_is_said_in_chinese_too(text):
    told = in_every_language(text)
    assert told["en"] == text
    assert re.search("[一-鿿]", told["zh-CN"]), text
