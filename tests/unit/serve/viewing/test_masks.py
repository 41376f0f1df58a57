"""Masks and drawings over HTTP: on the same voxels as the frames, bounded, kept for ever, for those who may."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select, update

from diascope.core.case import Label
from diascope.core.image import Image
from diascope.formats.dicom import FORMAT
from diascope.formats.dicomio.headers import headers
from diascope.formats.dicomio.segments import nested_image
from diascope.formats.dicomio.segwriting import segmentation
from diascope.serve.database import room_tables, tables
from diascope.serve.http.routes import drawings as route
from diascope.testing.objects import uids
from diascope.testing.reading import a_volume
from diascope.testing.results import EIGHT, a_series
from diascope.testing.service import events
from diascope.testing.viewing_calls import OCTETS, a_read_volume, a_result_of, keep_mask, received
from diascope.testing.web import OTHER, OWN, Browser, Site, a_site

SHAPE = (8, 16, 16)
NAMES = "label=1:liver&label=2:mass"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return a_site(tmp_path / "workspace")


def drawn(who: Browser, study: str, series: str, voxels: np.ndarray | bytes, labels: str = NAMES, **more: Any) -> Any:
    content = voxels if isinstance(voxels, bytes) else zlib.compress(voxels.astype(np.uint8).tobytes())
    path = f"/studies/{study}/series/{series}/drawings?{labels}"
    return who.post(path, content=content, headers={"Content-Type": OCTETS, **more.pop("headers", {})}, **more)


def some_voxels() -> np.ndarray:
    voxels = np.zeros(SHAPE, np.uint8)
    voxels[1:3, 2:5, 6:13], voxels[4, 7, 1] = 1, 2
    return voxels


@pytest.mark.parametrize("orientation", [EIGHT[0], EIGHT[5], EIGHT[7]])
def test_the_mask_lies_on_the_voxels_of_the_frames(site: Site, tmp_path: Path, orientation: tuple[float, ...]) -> None:
    paths = a_series(tmp_path, orientation)
    received(site, [path.read_bytes() for path in paths], OWN)
    result, mask = a_result_of(site, "1.4"), np.zeros((6, 10, 12), np.uint8)
    mask[1:4, 2:5, 3:11], mask[5, 7, 1:3] = 1, 2
    keep_mask(site, OWN, result, paths, mask)
    who = site.someone("reader")
    said = who.get(f"/findings/{result}/mask").json()
    assert said["shape"] == [6, 10, 12]
    assert [(one["value"], one["name"], one["code"]) for one in said["labels"]] == [
        (1, "liver", "SCT:10200004"),
        (2, "mass", "SCT:4147007"),
    ]
    assert (said["source"], said["drawing"], said["by"], said["remarks"]) == ("release", None, "lung@1", [])
    voxels = np.frombuffer(who.get(f"/findings/{result}/mask/voxels").content, np.uint8).reshape(6, 10, 12)
    assert np.array_equal(voxels, mask)


def test_voxels_are_packed_only_where_that_is_taken(site: Site) -> None:
    _, _, result = a_read_volume(site, OWN)
    who = site.someone("reader")
    path = f"/findings/{result}/mask/voxels"
    plain = who.get(path, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert len(plain.content) == 8 * 16 * 16
    packed = who.get(path, headers={"Accept-Encoding": "br, gzip;q=0.5"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == "Accept-Encoding"
    assert packed.content == plain.content
    assert "content-encoding" not in who.get(path, headers={"Accept-Encoding": "gzip;q=0, br"}).headers


def test_the_first_mask_is_shown_also_after_a_review(site: Site) -> None:
    _, _, result = a_read_volume(site, OWN)
    other = update(tables.result_objects).where(tables.result_objects.c.result_id == result)
    site.service.database.change(lambda connection: connection.execute(other.values(instance_uid="2.25.7")))
    assert site.someone("reader").get(f"/findings/{result}/mask").status_code == 200


def test_without_a_mask_there_is_none(site: Site) -> None:
    received(site, a_volume(61), OWN)
    result = a_result_of(site, uids(61)[1])
    who = site.someone("reader")
    assert who.get(f"/findings/{result}/mask").status_code == 404
    assert who.get(f"/findings/{result}/mask/voxels").status_code == 404
    assert who.get("/findings/nothing/mask").status_code == 404


def test_regions_that_lie_in_one_another_are_all_told(tmp_path: Path) -> None:
    """As a release has them: the whole of a tumour is its own voxels and those of what lies within it."""
    paths = a_series(tmp_path)
    image = FORMAT.read(paths)
    labels = (
        Label(name="core", value=1), Label(name="enhancing", value=2), Label(name="whole", value=3, members=(1, 2)),
        Label(name="vessel", value=4),
    )  # fmt: skip
    mask = np.zeros(image.shape, np.uint8)
    mask[1:5, 1:9, 1:9], mask[2:4, 3:7, 3:7], mask[2, 4, 4:6], mask[5, 9, 11] = 3, 1, 2, 4
    seg = segmentation(Image(mask[None], image.geometry, unit="label", attributes={"labels": labels}), paths)
    path = tmp_path / "seg.dcm"
    seg.save_as(path, enforce_file_format=True)
    (one,) = headers([path])
    array, _, within = nested_image(one)
    assert np.array_equal(array, mask[1:6] if array.shape[0] == 5 else mask)
    assert within == {3: (), 1: (3,), 2: (3,), 4: ()}


def test_what_a_reader_draws_is_kept_and_given_back(site: Site) -> None:
    study, series, result = a_read_volume(site, OWN)
    who, voxels = site.someone("reader"), some_voxels()
    answer = drawn(who, study, series, voxels)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made["voxels"] == {"liver": 42, "mass": 1}
    assert made["labels"] == [{"value": 1, "name": "liver"}, {"value": 2, "name": "mass"}]
    assert (made["series"], made["study"], made["revision"], made["shape"]) == (series, study, 1, list(SHAPE))
    assert who.get(f"/drawings/{made['id']}").json() == made
    assert who.get(f"/drawings/{made['id']}/voxels").content == voxels.tobytes()
    query = {"drawing": made["id"]}
    said = who.get(f"/findings/{result}/mask", params=query).json()
    assert (said["source"], said["drawing"], said["by"]) == ("reader", made["id"], made["by"])
    assert who.get(f"/findings/{result}/mask/voxels", params=query).content == voxels.tobytes()
    assert who.get(f"/findings/{result}/mask/voxels").content != voxels.tobytes(), "the release's stays"
    (told,) = events(site.service, "drawing.kept")
    assert (told["object"], told["detail"]["series"]) == (made["id"], series)
    with site.service.database.reading() as connection:
        row = connection.execute(select(room_tables.drawings)).one()
    assert row.reader == who.user


def test_the_same_request_twice_is_one_drawing(site: Site) -> None:
    study, series, _ = a_read_volume(site, OWN)
    who, keys = site.someone("reader"), {"Idempotency-Key": "mine"}
    one, two = (drawn(who, study, series, some_voxels(), headers=dict(keys)).json() for _ in range(2))
    assert one == two
    with site.service.database.reading() as connection:
        named = connection.execute(select(room_tables.drawings.c.key)).scalars().all()
    stored = set(site.service.archive.keys())
    assert len(named) == 1
    assert set(named) <= stored
    assert len(stored) == 8 + 1 + 1, "eight slices, the mask, one drawing"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"no zlib at all", "no mask"),
        (zlib.compress(bytes(8 * 16 * 16 - 1)), "no mask"),
        (zlib.compress(bytes(8 * 16 * 16 + 1)), "no mask"),
        (zlib.compress(bytes(200 << 20)), "no mask"),
        (zlib.compress(bytes(8 * 16 * 16))[:-3], "no mask"),
        (zlib.compress(bytes(8 * 16 * 16)) + b"more", "no mask"),
        (zlib.compress(b"\7" + bytes(8 * 16 * 16 - 1)), "without a label"),
        (b"", ""),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(site: Site, content: bytes, why: str) -> None:
    study, series, _ = a_read_volume(site, OWN)
    before = sorted(site.service.archive.keys())
    answer = drawn(site.someone("reader"), study, series, content)
    assert answer.status_code == 400
    assert why in answer.text
    assert sorted(site.service.archive.keys()) == before
    assert events(site.service, "drawing.kept") == []


@pytest.mark.parametrize(
    "labels",
    ["", "label=liver", "label=0:liver", "label=256:liver", "label=1:", "label=1:%20", "label=1:a&label=1:b",
     "label=1:a&label=2:a", "label=1:a%00"],
)  # fmt: skip
def test_labels_that_make_no_sense_are_refused(site: Site, labels: str) -> None:
    study, series, _ = a_read_volume(site, OWN)
    assert drawn(site.someone("reader"), study, series, np.zeros(SHAPE), labels).status_code == 400


def test_a_body_is_bounded_before_it_is_read(site: Site) -> None:
    study, series, _ = a_read_volume(site, OWN)
    who, large = site.someone("reader"), bytes(2 << 20)
    assert drawn(who, study, series, large).status_code == 400, "two megabytes are read, and are no mask"
    assert drawn(who, study, series, bytes((32 << 20) + 1)).status_code == 413
    assert who.post("/readings", content=large).status_code == 413, "other bodies stay small"


def test_only_those_who_read_may_draw_and_only_in_their_projects(site: Site) -> None:
    study, series, result = a_read_volume(site, OTHER)
    assert drawn(site.someone("reader"), study, series, some_voxels()).status_code == 404
    made = drawn(site.someone("reader", (OTHER,)), study, series, some_voxels()).json()["id"]
    for role in ("steward", "admin", "engineer"):
        assert drawn(site.someone(role, (OTHER,)), study, series, some_voxels()).status_code == 403
    who = site.someone("reader")
    paths = (f"/drawings/{made}", f"/findings/{result}/mask")
    for path in (*paths, *(f"{one}/voxels" for one in paths), f"{paths[1]}?drawing={made}"):
        assert who.get(path).status_code == 404


def test_a_drawing_of_another_series_or_revision_is_not_put_on_this_one(site: Site) -> None:
    study, series, _ = a_read_volume(site, OWN)
    _, _, other = a_read_volume(site, OWN)
    who = site.someone("reader")
    made = drawn(who, study, series, some_voxels()).json()["id"]
    assert who.get(f"/findings/{other}/mask?drawing={made}").status_code == 404
    again = update(tables.series).where(tables.series.c.uid == series).values(revision=2)
    site.service.database.change(lambda connection: connection.execute(again))
    with site.service.database.reading() as connection:
        mine = select(tables.results.c.id).join(tables.series, tables.series.c.id == tables.results.c.series_id)
        result = connection.execute(mine.where(tables.series.c.uid == series)).scalar_one()
    assert who.get(f"/findings/{result}/mask?drawing={made}").status_code == 409
    assert who.get(f"/drawings/{made}/voxels").status_code == 200
    assert drawn(who, study, series, some_voxels(), f"{NAMES}&revision=1").status_code == 409


def test_what_cannot_be_told_is_not_kept(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    study, series, _ = a_read_volume(site, OWN)
    before = sorted(site.service.archive.keys())

    def fails(*_: Any) -> None:
        raise route.Conflict("no")

    monkeypatch.setattr(route, "insert", fails)
    assert drawn(site.someone("reader"), study, series, some_voxels()).status_code == 409
    assert sorted(site.service.archive.keys()) == before


def test_a_drawing_that_was_changed_on_the_disk_is_noticed(site: Site) -> None:
    study, series, _ = a_read_volume(site, OWN)
    who = site.someone("reader")
    made = drawn(who, study, series, some_voxels()).json()["id"]
    with site.service.database.reading() as connection:
        key = connection.execute(select(room_tables.drawings.c.key)).scalar_one()
    path = site.service.root / "archive" / key
    path.chmod(0o600)
    path.write_bytes(zlib.compress(np.zeros(SHAPE, np.uint8).tobytes()))
    answer = who.get(f"/drawings/{made}/voxels")
    assert answer.status_code in (422, 500)
    assert str(site.service.root) not in answer.text
