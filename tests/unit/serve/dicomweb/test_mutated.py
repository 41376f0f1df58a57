"""Broken objects through STOW-RS, and what is kept of them through WADO-RS."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from sqlalchemy import func, select

from diascope.serve.database.tables import instances
from diascope.testing.mutations import mutated
from diascope.testing.objects import seeds
from diascope.testing.serving import STOW_TYPE, stow_body
from diascope.testing.web import Site, a_site

REFERENCED, FAILED, OTHERS = "00081199", "00081198", "0008119A"
SLOWEST = 5.0
AT_ONCE = 10


def through_the_service(folder: Path, count: int) -> None:
    """B1: each is stored or refused with a reason; the server answers each body in time, and what it keeps as well."""
    site = a_site(folder)
    steward = site.someone("steward")
    everything = list(seeds())
    objects = [content for _, content in mutated(everything, count)]
    stored = 0
    for start in range(0, count, AT_ONCE):
        body = stow_body(objects[start : start + AT_ONCE])
        began = time.monotonic()
        answer = steward.post("/dicom-web/studies", content=body, headers={"Content-Type": STOW_TYPE})
        took = time.monotonic() - began
        assert answer.status_code in (200, 202, 400, 409), answer.text
        assert took < SLOWEST * AT_ONCE
        said = [len(answer.json().get(tag, {}).get("Value", [])) for tag in (REFERENCED, FAILED, OTHERS)]
        assert sum(said) == len(objects[start : start + AT_ONCE])
        stored += said[0]
    with site.service.database.reading() as connection:
        kept = connection.execute(select(func.count()).select_from(instances)).scalar_one()
    assert 0 < kept <= stored < count
    assert sum(1 for path in (site.service.root / "archive").rglob("*") if path.is_file()) == kept
    _read_all(site)


def _read_all(site: Site) -> None:
    """What is kept is drawn, described and handed out, or refused; no answer is a defect, and none is late."""
    steward = site.someone("steward")
    for found in steward.get("/dicom-web/instances?limit=300").json():
        address = found["00081190"]["Value"][0].removeprefix("http://diascope.test")
        for path in ("", "/metadata", "/rendered", "/frames/1"):
            began = time.monotonic()
            answer = steward.get(address + path)
            assert answer.status_code in (200, 404, 406, 422), (path, answer.text)
            assert time.monotonic() - began < SLOWEST


@pytest.mark.slow
def test_some_mutated_objects(tmp_path: Path) -> None:
    """B1: 150 of them."""
    through_the_service(tmp_path, 150)


@pytest.mark.nightly
def test_many_mutated_objects(tmp_path: Path) -> None:
    """B1: 10,000 of them."""
    through_the_service(tmp_path, 10_000)
