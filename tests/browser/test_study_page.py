"""The page of a study: looking first, an earlier study beside it, what led to a finding, measuring in three planes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from diascope.serve.database import tables
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
