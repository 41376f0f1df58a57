"""Frames over HTTP: the grid and values that a release reads, bounded, audited, for those who may."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import update

from diascope.formats.dicom import FORMAT
from diascope.serve.database import tables
from diascope.serve.http.routes import frames as route
from diascope.testing.objects import a_dataset, as_bytes, uids
from diascope.testing.reading import a_film, a_volume
from diascope.testing.results import EIGHT, a_series
from diascope.testing.service import events
from diascope.testing.viewing_calls import received
from diascope.testing.web import OTHER, OWN, Browser, Site, a_site

NOWHERE = {"ImagePositionPatient": None, "ImageOrientationPatient": None}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return a_site(tmp_path / "workspace")


def address(number: int) -> str:
    study, series, _ = uids(number)
    return f"/studies/{study}/series/{series}/frames"


def values(who: Browser, path: str, said: dict[str, Any], numbers: str = "", **query: Any) -> np.ndarray:
    answer = who.get(f"{path}/{numbers or '1-{}'.format(said['count'])}", params=query)
    assert answer.status_code == 200, answer.text
    colours = (3,) if said["samples"] == 3 else ()
    array = np.frombuffer(answer.content, np.dtype(said["type"]).newbyteorder("<"))
    return array.reshape(-1, said["rows"], said["columns"], *colours)


@pytest.mark.parametrize("sealed", [False, True])
def test_an_oblique_volume_is_what_a_release_reads(tmp_path: Path, sealed: bool) -> None:
    site = a_site(tmp_path / "workspace", encrypt=sealed)
    (tmp_path / "files").mkdir()
    paths = a_series(tmp_path / "files", EIGHT[5], WindowCenter="40\\300", WindowWidth="400\\1500")
    received(site, [path.read_bytes() for path in paths], OWN)
    who, path, image = site.someone("reader"), "/studies/1.3/series/1.4/frames", FORMAT.read(paths)
    said = who.get(path).json()
    assert (said["count"], said["rows"], said["columns"], said["samples"]) == (*image.shape, 1)
    assert np.array_equal(np.array(said["affine"]), image.geometry.affine)
    assert (said["modality"], said["unit"], said["physical"], said["why"]) == ("ct", "HU", True, "")
    assert (said["frame_of_reference"], said["revision"], said["part"], len(said["parts"])) == ("1.5", 1, 1, 1)
    assert np.array_equal(values(who, path, said), image.array[0])
    assert np.array_equal(values(who, path, said, "3-4"), image.array[0, 2:4])
    assert [one["uid"] for one in said["instances"]] == list(image.attributes["sop_uids"])
    sent = said["windows"][:2]
    assert [tuple(one.values()) for one in sent] == [("as sent", 40, 400), ("as sent 2", 300, 1500)]
    assert {"soft tissue", "lung", "automatic"} <= {one["name"] for one in said["windows"]}
    assert said["range"] == [3, 3], "of the frame in the middle"


def test_tilt_is_put_upright(site: Site, tmp_path: Path) -> None:
    contents = []
    for k in range(4):
        noise = np.random.default_rng(k).integers(0, 900, (16, 16)).astype(np.uint16)
        place = {"ImagePositionPatient": [0, 0.8 * k, 2 * k], "FrameOfReferenceUID": "1.2"}
        contents.append(as_bytes(a_dataset(31, 1, k + 1, noise, **place)))
        (tmp_path / f"{k}.dcm").write_bytes(contents[-1])
    received(site, contents, OWN)
    image = FORMAT.read(sorted(tmp_path.glob("*.dcm")))
    who = site.someone("reader")
    said = who.get(address(31)).json()
    assert said["rows"] > 16
    assert "gantry tilt" in said["remarks"][0]
    assert np.array_equal(np.array(said["affine"]), image.geometry.affine)
    assert np.array_equal(values(who, address(31), said, "2-3"), image.array[0, 1:3])


def test_a_film_that_is_bright_for_small_values_is_turned_and_so_is_its_window(site: Site) -> None:
    turned = {"PhotometricInterpretation": "MONOCHROME1", "BitsStored": 12, "HighBit": 11}
    received(site, a_film(32, WindowCenter=1000, WindowWidth=300, **turned), OWN)
    who = site.someone("reader")
    said = who.get(address(32)).json()
    plain = np.random.default_rng(32).integers(0, 1000, (16, 16)).astype(np.uint16)
    assert np.array_equal(values(who, address(32), said)[0], 4095 - plain)
    assert said["windows"][0] == {"name": "as sent", "centre": 3095, "width": 300}
    assert said["remarks"] == ["MONOCHROME1: values turned, so that more is brighter"]
    assert (said["spacing"], said["physical"], said["unit"]) == ([0.7, 0.7], True, "a.u.")


def test_colours_and_clips_have_no_place(site: Site) -> None:
    picture = np.random.default_rng(4).integers(0, 255, (9, 8, 3), np.uint8)
    received(site, [as_bytes(a_dataset(33, 1, 1, picture, Modality="XC", PixelSpacing=None, **NOWHERE))], OWN)
    clip = np.random.default_rng(5).integers(0, 255, (7, 9, 8), np.uint8)
    plain = {"Modality": "US", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.3.1", **NOWHERE}
    received(site, [as_bytes(a_dataset(34, 1, 1, clip, **plain))], OWN)
    who = site.someone("reader")
    said = who.get(address(33)).json()
    assert (said["samples"], said["type"], said["physical"], said["spacing"]) == (3, "uint8", False, None)
    assert said["windows"] == [{"name": "full range", "centre": 127.5, "width": 255}]
    assert np.array_equal(values(who, address(33), said)[0], picture)
    said = who.get(address(34)).json()
    assert (said["affine"], said["count"], said["spacing"]) == (None, 7, [0.7, 0.7])
    assert "frames without a position" in said["why"]
    assert np.array_equal(values(who, address(34), said, "2-6"), clip[1:6])
    assert [one["name"] for one in said["windows"]] == ["automatic"]


def test_films_of_two_sizes_are_two_parts(site: Site) -> None:
    films = [np.full(size, 7 + k, np.uint16) for k, size in enumerate([(9, 8), (12, 5)])]
    contents = [as_bytes(a_dataset(35, 1, k + 1, one, Modality="DX", **NOWHERE)) for k, one in enumerate(films)]
    received(site, contents, OWN)
    who = site.someone("reader")
    said = who.get(address(35), params={"part": 2}).json()
    assert [(one["rows"], one["columns"]) for one in said["parts"]] == [(9, 8), (12, 5)]
    assert np.array_equal(values(who, address(35), said, part=2)[0], films[1])
    assert who.get(address(35), params={"part": 3}).status_code == 404


def test_what_arrives_later_is_of_the_next_revision(site: Site) -> None:
    contents = a_volume(36)
    received(site, contents[:6], OWN)
    who = site.someone("reader")
    assert who.get(address(36)).json()["count"] == 6
    site.clock.forward(10)
    received(site, contents[6:], OWN)
    assert who.get(address(36)).json()["count"] == 6
    done = update(tables.series).values(completed=site.service.clock(), revision=2)
    site.service.database.change(lambda connection: connection.execute(done))
    said = who.get(address(36)).json()
    assert (said["count"], said["revision"]) == (8, 2)
    assert who.get(f"{address(36)}/1-1", params={"revision": 1}).status_code == 409
    assert who.get(f"{address(36)}/1-1", params={"revision": 2}).status_code == 200


def test_frames_that_are_not_there(site: Site) -> None:
    received(site, a_volume(37), OWN)
    who = site.someone("reader")
    for numbers in ("2-1", "1-9", "9-9"):
        assert who.get(f"{address(37)}/{numbers}").status_code == 404
    for numbers in ("0-1", "1", "a-b", "1-", "-1", "1-1-1", "%2e%2e", "1-99999999999", "1-2%00"):
        assert who.get(f"{address(37)}/{numbers}").status_code == 400, numbers


def test_too_much_at_once_is_refused_and_blocks_make_no_difference(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    received(site, a_volume(38), OWN)
    who = site.someone("reader")
    said = who.get(address(38)).json()
    together = values(who, address(38), said)
    monkeypatch.setattr(route, "AT_ONCE", 3 * 512)
    assert np.array_equal(values(who, address(38), said), together)
    monkeypatch.setattr(route, "MOST_BYTES", 1000)
    assert who.get(f"{address(38)}/1-2").status_code == 400
    assert who.get(f"{address(38)}/1-1").status_code == 200, "one frame alone may be larger"
    monkeypatch.setattr(route, "MOST_FRAMES", 4)
    assert "more than 1 frames" in who.get(f"{address(38)}/1-5").text


@pytest.mark.parametrize("uid", ["..%2f..%2fetc", "%2e%2e", "1.2/../..", "a", "1" * 65])
def test_addresses_that_are_none(site: Site, uid: str) -> None:
    who = site.someone("reader")
    assert who.get(f"/studies/1.2/series/{uid}/frames").status_code in (400, 404)
    assert who.get(f"/studies/{uid}/series/1.2/frames/1-1").status_code in (400, 404)


def test_of_another_project_nothing_is_said(site: Site) -> None:
    received(site, a_volume(39), OTHER)
    who = site.someone("reader")
    for tail in ("", "/1-1"):
        assert who.get(address(39) + tail).status_code == 404
    assert site.nobody().get(address(39)).status_code == 401


def test_letters_in_the_pixels_are_for_those_who_may_see_whose_they_are(site: Site) -> None:
    received(site, a_film(40, BurnedInAnnotation="YES"), OWN)
    for tail in ("", "/1-1"):
        assert site.someone("reader").get(address(40) + tail).status_code == 200
        assert site.someone("engineer").get(address(40) + tail).status_code == 403
    assert len(events(site.service, "access.refused")) == 2


def test_each_request_is_audited_and_none_names_the_patient(site: Site) -> None:
    received(site, a_volume(41), OWN)
    who = site.someone("reader")
    who.get(address(41))
    who.get(f"{address(41)}/2-3")
    told = events(site.service, "study.viewed")
    assert [one["detail"].get("frames") for one in told] == [None, "2-3"]
    assert {one["detail"]["part"] for one in told} == {"frames"}
    assert {one["object"] for one in told} == {uids(41)[0]}
    assert "Phantom" not in str(told)
    assert "P41" not in who.get(address(41)).text


def test_a_flipped_byte_is_noticed_and_a_series_of_reports_has_no_frames(site: Site) -> None:
    received(site, a_volume(42), OWN)
    who = site.someone("reader")
    key = next(site.service.archive.keys())
    path = site.service.root / "archive" / key
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)
    answer = who.get(address(42))
    assert answer.status_code == 422
    assert str(site.service.root) not in answer.text
    report = as_bytes(a_dataset(43, 1, 1, np.zeros((0, 0), np.uint8), Modality="SR"))
    received(site, [report], OWN)
    assert "no pictures" in who.get(address(43)).text


def test_a_study_that_is_deleted_is_shown_no_more_and_its_copies_are_removed(tmp_path: Path) -> None:
    site = a_site(tmp_path / "workspace", encrypt=True)
    received(site, a_volume(44), OWN)
    who = site.someone("steward")
    assert who.get(address(44)).status_code == 200
    assert len(site.service.shelf) == 1
    assert who.send("DELETE", f"/studies/{uids(44)[0]}").status_code == 204
    assert len(site.service.shelf) == 0
    assert who.get(address(44)).status_code == 404
    left = [path for path in site.service.root.rglob("*") if path.is_file() and b"Phantom^44" in path.read_bytes()]
    assert left == []
