"""The page of a study: looking first, an earlier study beside it, what led to a finding, measuring in three planes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from diascope.serve.database import room_tables, tables
from diascope.serve.room.static import built
from diascope.testing.objects import uids
from diascope.testing.reading import (
    FLAT,
    SOLID,
    a_film,
    a_rule,
    a_signed_release,
    a_volume,
    arrive,
    become_complete,
    rows_of,
    work_off,
)
from diascope.testing.serving import served
from diascope.testing.waiting import until
from diascope.testing.web import Site, a_site

pytestmark = [pytest.mark.browser, pytest.mark.skipif(built() is None, reason="the pages are not built (make web)")]


@contextmanager
def study_page(
    folder: Path, chromium: Any, studies: Sequence[list[bytes]], label: str = SOLID, **settings: Any
) -> Iterator[tuple[Site, Any]]:
    """The page of study 1, read by a release, with all of it loaded."""
    site = a_site(folder, **settings)
    a_signed_release(site.service, label)
    a_rule(site.service, label)
    for contents in studies:
        arrive(site.service, contents)
    become_complete(site.service)
    work_off(site.service)
    who = site.someone("reader")
    with served(site.app) as url:
        context = chromium.new_context(viewport={"width": 1366, "height": 768})
        context.add_cookies([{"name": name, "value": value, "url": url} for name, value in who.cookies.items()])
        page = context.new_page()
        page.goto(f"{url}/studies/{uids(1)[0]}")
        page.wait_for_selector("#viewer[data-loaded]")
        yield site, page
        context.close()


def test_a_site_may_want_the_pictures_looked_at_first(tmp_path, chromium):
    with study_page(tmp_path, chromium, [a_volume(1)], look_first=True) as (site, page):
        assert not page.locator("#cards").is_visible()
        page.click("#without-ai")
        assert page.locator("#cards").is_visible()
        page.click("[data-verdict=accept]")
        page.wait_for_selector(".result[data-done=true]")
        (reading,) = rows_of(site.service, tables.readings)
        assert reading.shown["ai_first"] is False


def test_suggestions_are_shown_at_once_elsewhere_and_the_answer_says_so(tmp_path, chromium):
    with study_page(tmp_path, chromium, [a_volume(1)]) as (site, page):
        assert page.locator("#cards").is_visible()
        page.click("#without-ai")
        assert not page.locator("#cards").is_visible()
        page.click("#without-ai")
        page.click("[data-verdict=unsure]")
        page.wait_for_selector(".result[data-done=true]")
        (reading,) = rows_of(site.service, tables.readings)
        assert (reading.verdict, reading.shown["ai_first"]) == ("unsure", True)


def test_a_rejection_says_why(tmp_path, chromium):
    with study_page(tmp_path, chromium, [a_volume(1)]) as (site, page):
        page.click("[data-verdict=reject]")
        page.select_option("select[name=reason]", "wrong_place")
        page.click("form.reason button.main")
        page.wait_for_selector(".result[data-done=true]")
        (reading,) = rows_of(site.service, tables.readings)
        assert (reading.verdict, reading.reason) == ("reject", "wrong_place")


def test_an_earlier_study_is_shown_beside_and_follows(tmp_path, chromium):
    same = {"PatientID": "P-SAME", "PatientName": "Same^One"}
    with study_page(tmp_path, chromium, [a_volume(1, **same), a_volume(2, **same)]) as (_, page):
        page.click("[data-compare]")
        page.wait_for_selector("#compared canvas")
        beside = page.locator("#compared")
        before = beside.inner_text()
        page.locator("#viewer").hover()
        page.mouse.wheel(0, 120)
        until(lambda: beside.inner_text() != before)
        page.click("[data-compare]")
        assert not beside.is_visible()


def test_what_led_to_a_finding_is_made_on_demand_and_shown_only_where_it_holds(tmp_path, chromium):
    with study_page(tmp_path, chromium, [a_film(1)], FLAT) as (site, page):
        card = page.locator(".finding").first
        card.locator("summary", has_text="What led to it").click()
        card.get_by_role("button", name="Grad-CAM++").click()
        until(lambda: work_off(site.service) > 0)
        said = card.locator(".more [role=status]")
        until(lambda: "map" in said.inner_text() and "being made" not in said.inner_text())
        holds = "depend on what was learnt" in said.inner_text()
        button = card.get_by_role("button", name="Grad-CAM++")
        until(lambda: (button.get_attribute("aria-pressed") == "true") is holds)


def test_what_was_missed_can_be_outlined(tmp_path, chromium):
    with study_page(tmp_path, chromium, [a_volume(1)]) as (site, page):
        page.get_by_text("Add what was missed").click()
        page.fill("#add-concept", "cyst")
        page.click("#add-outline")
        stroke(page)
        page.locator("#add").get_by_role("button", name="Add", exact=True).click()
        page.wait_for_selector("#added li")
        page.click("[data-verdict=accept]")
        page.wait_for_selector(".result[data-done=true]")
        (reading,) = rows_of(site.service, tables.readings)
        (drawing,) = rows_of(site.service, room_tables.drawings)
        assert reading.added == [{"concept": "cyst", "drawing": drawing.id, "comment": ""}]
        assert drawing.labels == {"1": "cyst"}
        work_off(site.service)
        assert "cyst" in {one.SegmentLabel for one in newest_seg(site).SegmentSequence}


def test_a_corrected_outline_is_shown_when_the_study_is_opened_again_and_the_first_one_on_demand(tmp_path, chromium):
    with study_page(tmp_path, chromium, [a_volume(1)]) as (_, page):
        assert page.locator("[data-original]").count() == 0
        page.click("[data-verdict=amend]")
        page.locator(".correction").get_by_role("button").first.click()
        stroke(page)
        page.click("form.amend button.main")
        page.wait_for_selector(".result[data-done=true]")
        page.reload()
        page.wait_for_selector("#viewer[data-loaded]")
        mine = page.locator("#viewer canvas").last.screenshot()
        page.click("[data-original]")
        until(lambda: page.locator("#viewer canvas").last.screenshot() != mine)
        page.click("[data-original]")
        until(lambda: page.locator("#viewer canvas").last.screenshot() == mine)


def stroke(page: Any) -> None:
    """Of the brush, through the middle of the picture."""
    box = page.locator("#viewer").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 60, y)
    page.mouse.down()
    page.mouse.move(x + 60, y, steps=8)
    page.mouse.up()


def newest_seg(site: Site) -> Any:
    (row,) = rows_of(site.service, tables.result_objects, tables.result_objects.c.kind == "seg")
    (instance,) = rows_of(site.service, tables.instances, tables.instances.c.uid == row.instance_uid)
    return dcmread(BytesIO(site.service.archive.read(instance.key, instance.sha256)))


def test_what_can_not_be_added_is_said_and_not_lost_in_silence(tmp_path, chromium):
    with study_page(tmp_path, chromium, [a_volume(1)], FLAT) as (site, page):
        assert [one.state for one in rows_of(site.service, tables.results)] == ["unavailable"]
        page.get_by_text("Add what was missed").click()
        page.fill("#add-concept", "cyst")
        page.locator("#add").get_by_role("button", name="Add", exact=True).click()
        until(lambda: "Write it into the report" in page.locator("#told").inner_text())
        assert page.locator("#added li").count() == 0
        assert page.input_value("#add-concept") == "cyst"
