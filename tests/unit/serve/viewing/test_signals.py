"""Recordings over HTTP: leads, rates and units as the file says them, samples, overviews; nothing of whom they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import update

from diascope.formats.dicomio.derived import quietly
from diascope.serve.database import tables
from diascope.serve.http.routes import signals as route
from diascope.testing.objects import uids
from diascope.testing.reading import a_film
from diascope.testing.service import events
from diascope.testing.signals import (
    AMBULATORY,
    EEG,
    GENERAL,
    LEADS,
    STEP,
    TWELVE_LEAD,
    a_group,
    a_recording,
    an_ecg,
    waves,
)
from diascope.testing.viewing_calls import received
from diascope.testing.web import OTHER, OWN, Browser, Site, a_site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return a_site(tmp_path / "workspace")


def address(number: int) -> str:
    study, series, _ = uids(number)
    return f"/studies/{study}/series/{series}/signal"


def samples(who: Browser, number: int, group: int = 1, leads: int = 12, query: Any = None) -> np.ndarray:
    answer = who.get(f"{address(number)}/{group}", params=query)
    assert answer.status_code == 200, answer.text
    return np.frombuffer(answer.content, "<f4").reshape(leads, -1)


@pytest.mark.parametrize("sealed", [False, True])
def test_an_ecg_is_what_was_recorded(sealed: bool, tmp_path: Path) -> None:
    site = a_site(tmp_path / "workspace", encrypt=sealed)
    received(site, an_ecg(1, rate=250, seconds=2.0), OWN)
    who = site.someone("researcher")
    said = who.get(address(1)).json()
    (group,) = said["groups"]
    assert (group["rate"], group["samples"], group["start"], group["original"]) == (250, 500, 0, True)
    assert [one["name"] for one in group["leads"]] == list(LEADS)
    assert {one["unit"] for one in group["leads"]} == {"mV"}
    assert group["leads"][0]["filters"] == {"low": 0.05, "high": 150, "notch": 50}
    assert np.allclose(samples(who, 1), waves(rate=250, seconds=2.0, seed=1).T, atol=STEP)
    assert "Phantom" not in str(said)


@pytest.mark.parametrize("sop_class", [TWELVE_LEAD, GENERAL, AMBULATORY, EEG])
def test_every_kind_of_curve_is_shown_with_the_unit_that_its_file_says(sop_class: str, site: Site) -> None:
    group = a_group(waves(leads=("I", "V1")), ("Fp1", "Fp2"), unit="")
    received(site, [a_recording(2, group, SOPClassUID=sop_class)], OWN)
    (said,) = site.someone("reader").get(address(2)).json()["groups"]
    assert [(one["name"], one["unit"]) for one in said["leads"]] == [("Fp1", ""), ("Fp2", "")]


def test_a_stretch_and_its_overview(site: Site) -> None:
    values = waves(seconds=10, leads=("I", "II"), seed=3)
    values[120:140, 1] = np.nan
    received(site, [a_recording(3, a_group(values, ("I", "II")))], OWN)
    who = site.someone("reader")
    whole = samples(who, 3, leads=2)
    assert np.isnan(whole[1, 120:140]).all()
    part = samples(who, 3, leads=2, query={"from": 1.2, "to": 1.5})
    assert np.array_equal(part, whole[:, 120:150], equal_nan=True)
    few = samples(who, 3, leads=2, query={"step": 20}).reshape(2, 50, 2)
    assert np.array_equal(few[0, :, 0], whole[0].reshape(50, 20).min(axis=1))
    assert np.array_equal(few[0, :, 1], whole[0].reshape(50, 20).max(axis=1))
    assert np.isnan(few[1, 6]).all(), "a bin without a sample"
    uneven = samples(who, 3, leads=2, query={"step": 300, "from": 9.0}).reshape(2, 1, 2)
    assert uneven[0, 0, 1] == whole[0, 900:].max()
    assert samples(who, 3, leads=2, query={"from": 50.0}).size == 0


def test_groups_and_objects_are_numbered_through(site: Site) -> None:
    median = a_group(waves(seconds=1)[:, :2], ("I", "II"), WaveformOriginality="DERIVED", MultiplexGroupLabel="MEDIAN")
    later = a_group(waves(seconds=2)[:, :1], ("I",), MultiplexGroupTimeOffset="60000")
    contents = [a_recording(4, a_group(waves(), LEADS), median), a_recording(4, later, instance=2)]
    received(site, contents, OWN)
    who = site.someone("reader")
    groups = who.get(address(4)).json()["groups"]
    assert [(one["number"], one["original"], one["start"]) for one in groups] == [
        (1, True, 0),
        (2, False, 0),
        (3, True, 60),
    ]
    assert [one["instance"] for one in groups] == [uids(4, 1, 1)[2]] * 2 + [uids(4, 1, 2)[2]]
    assert samples(who, 4, 3, leads=1).shape == (1, 200)
    assert who.get(f"{address(4)}/4").status_code == 404


def test_names_of_leads_are_no_place_for_more(site: Site) -> None:
    with quietly():
        group = a_group(waves(leads=("I",)), ("x" * 300,), MultiplexGroupLabel="a\x07b")
    received(site, [a_recording(5, group)], OWN)
    (said,) = site.someone("reader").get(address(5)).json()["groups"]
    assert (len(said["leads"][0]["name"]), said["label"]) == (64, "ab")


def test_pictures_and_voices_are_no_recordings(site: Site) -> None:
    received(site, a_film(6), OWN)
    voice = a_recording(7, a_group(waves(leads=("I",)), ("I",)), SOPClassUID="1.2.840.10008.5.1.4.1.1.9.4.2")
    received(site, [voice], OWN)
    who = site.someone("reader")
    for number in (6, 7):
        answer = who.get(address(number))
        assert answer.status_code == 422
        assert "no recording" in answer.json()["error"]["wrong"]


def test_a_broken_recording_is_refused_with_the_reason(site: Site) -> None:
    received(site, [a_recording(8, a_group(waves(), LEADS, WaveformData=b"12"))], OWN)
    answer = site.someone("reader").get(f"{address(8)}/1")
    assert answer.status_code == 422
    assert "truncated" in answer.json()["error"]["wrong"]


def test_too_much_at_once_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    received(site, an_ecg(9), OWN)
    who = site.someone("reader")
    monkeypatch.setattr(route, "MOST_VALUES", 3599)
    answer = who.get(f"{address(9)}/1")
    assert (answer.status_code, "3599" in answer.text) == (400, True)
    assert who.get(f"{address(9)}/1", params={"step": 3}).status_code == 200


def test_what_arrives_later_is_of_the_next_revision(site: Site) -> None:
    received(site, an_ecg(10), OWN)
    site.clock.forward(10)
    received(site, [a_recording(10, a_group(waves(), LEADS), instance=2)], OWN)
    who = site.someone("reader")
    assert len(who.get(address(10)).json()["groups"]) == 1
    done = update(tables.series).values(completed=site.service.clock(), revision=2)
    site.service.database.change(lambda connection: connection.execute(done))
    assert len(who.get(address(10)).json()["groups"]) == 2
    assert who.get(f"{address(10)}/1", params={"revision": 1}).status_code == 409


def test_it_is_audited_and_others_do_not_see_it(site: Site) -> None:
    received(site, an_ecg(11), OTHER)
    who = site.someone("reader", places=[OTHER])
    assert samples(who, 11, query={"from": 0.5, "to": 1.0}).shape == (12, 50)
    (event,) = events(site.service, "study.viewed")
    assert event["detail"] == {"part": "signal", "series": uids(11)[1], "group": 1, "from": 0.5, "to": 1.0}
    assert site.someone("reader").get(address(11)).status_code == 404
