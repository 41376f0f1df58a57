"""Labelling in the browser: one case after the other with keys, masks and boxes with the tools of the study page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diascope.serve.database import labelling_tables, room_tables, tables
from diascope.serve.room.static import built
from diascope.serve.viewing.drawings import drawing_row, voxels_of
from diascope.testing.labelling_calls import a_labelling, an_annotation
from diascope.testing.reading import DEPTH, SIDE, a_film, a_volume, arrive, become_complete, rows_of, work_off
from diascope.testing.serving import served
from diascope.testing.waiting import until
from diascope.testing.web import OWN, Browser, Site, a_site

pytestmark = [pytest.mark.browser, pytest.mark.skipif(built() is None, reason="the pages are not built (make web)")]


@contextmanager
def room(folder: Path, chromium: Any, many: int = 3, film: bool = False) -> Iterator[tuple[Site, str, Any]]:
    """A site with some series, its address, and a way to open pages of somebody at 1366 × 768."""
    site, contexts = a_site(folder), []
    for number in range(1, many + 1):
        arrive(site.service, a_film(number) if film else a_volume(number))
    become_complete(site.service)
    work_off(site.service)
    with served(site.app) as url:

        def opened(who: Browser, path: str, **cookies: str) -> Any:
            context = chromium.new_context(viewport={"width": 1366, "height": 768})
            contexts.append(context)
            kept = {**who.cookies, **cookies}
            context.add_cookies([{"name": name, "value": value, "url": url} for name, value in kept.items()])
            page = context.new_page()
            page.goto(url + path)
            return page

        yield site, url, opened
        for one in contexts:
            one.close()


def loaded(page: Any, not_this: str = "") -> str:
    """Waits until a series is there, another than one; its UID."""
    page.wait_for_selector("#viewer[data-loaded]" + (f":not([data-loaded='{not_this}'])" if not_this else ""))
    return str(page.get_attribute("#viewer", "data-loaded"))


def answers(site: Site) -> list[Any]:
    return sorted(rows_of(site.service, labelling_tables.annotations), key=lambda one: one.at)


def test_classes_are_given_with_keys_alone(tmp_path, chromium):
    with room(tmp_path, chromium) as (site, _, opened):
        labelling = a_labelling(site, OWN, labels=["normal", "nodule", "effusion"])
        page = opened(site.someone("reader"), f"/labelling/{labelling}/label")
        first = loaded(page)
        assert page.locator("#waiting").inner_text() == "3 waiting for you"
        page.keyboard.press("Enter")
        until(lambda: "Answer first" in page.locator("#told").inner_text())
        site.clock.forward(7)
        page.keyboard.press("2")
        page.keyboard.press("3")
        page.keyboard.press("Enter")
        second = loaded(page, first)
        (one,) = answers(site)
        assert (one.answer, one.unsure, one.seconds) == ({"classes": ["nodule", "effusion"]}, False, 7)
        site.clock.forward(1)
        page.keyboard.press("0")
        page.keyboard.press("Enter")
        loaded(page, second)
        site.clock.forward(1)
        page.keyboard.press("u")
        page.wait_for_selector("#finished:not([hidden])")
        assert [each.answer for each in answers(site)[1:]] == [{"classes": []}, {}]
        assert [each.unsure for each in answers(site)] == [False, False, True]
        assert "Nothing waits" in page.locator("#finished").inner_text()


def test_what_is_put_off_comes_again(tmp_path, chromium):
    with room(tmp_path, chromium, 2) as (site, _, opened):
        labelling = a_labelling(site, OWN, exclusive=True)
        page = opened(site.someone("reader"), f"/labelling/{labelling}/label")
        first = loaded(page)
        page.keyboard.press("n")
        loaded(page, first)
        page.click("#skip")
        page.wait_for_selector("#finished button")
        page.click("#finished button")
        assert loaded(page, "") in {one.uid for one in rows_of(site.service, tables.series)}
        page.click(".choice >> text=effusion")
        page.keyboard.press("Enter")
        until(lambda: len(answers(site)) == 1)
        assert answers(site)[0].answer == {"classes": ["effusion"]}


def test_masks_are_drawn_and_lie_where_they_were_drawn(tmp_path, chromium):
    with room(tmp_path, chromium, 1) as (site, _, opened):
        labelling = a_labelling(site, OWN, asks="masks", labels=["liver", "mass"])
        who = site.someone("researcher")
        page = opened(who, f"/labelling/{labelling}/label")
        loaded(page)
        assert not page.locator("button[data-tool=box]").is_visible()
        page.keyboard.press("2")
        box = page.locator("#viewer .viewer-port").bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] / 2 + 40, box["y"] + box["height"] / 2)
        page.mouse.up()
        page.click("#save")
        page.wait_for_selector("#finished:not([hidden])")
        (given,) = answers(site)
        row = drawing_row(site.service, given.answer["drawing"])
        assert row is not None
        voxels = voxels_of(site.service, row)
        assert row["labels"] == {"1": "liver", "2": "mass"}
        assert set(np.unique(voxels)) == {0, 2}
        assert set(np.argwhere(voxels)[:, 0]) == {DEPTH // 2}
        assert voxels[DEPTH // 2, SIDE // 2, SIDE // 2] == 2
        study, series = (rows_of(site.service, table)[0].uid for table in (tables.studies, tables.series))
        page = opened(who, f"/labelling/{labelling}/label?study={study}&series={series}")
        loaded(page)
        assert "You answered" in page.locator("#why").inner_text()
        page.click("#save")
        until(lambda: len(answers(site)) == 2)
        again = drawing_row(site.service, answers(site)[1].answer["drawing"])
        assert again is not None
        assert np.array_equal(voxels_of(site.service, again), voxels), "what was drawn before is there again"
        assert len(rows_of(site.service, room_tables.drawings)) == 2


def test_boxes_are_drawn_on_a_film_and_enter_saves(tmp_path, chromium):
    with room(tmp_path, chromium, 1, film=True) as (site, _, opened):
        labelling = a_labelling(site, OWN, asks="boxes", labels=["nodule", "mass"])
        page = opened(site.someone("reader"), f"/labelling/{labelling}/label")
        loaded(page)
        page.keyboard.press("2")
        box = page.locator("#viewer .viewer-port").bounding_box()
        side = min(box["width"], box["height"]) / SIDE
        left, top = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(left, top)
        page.mouse.down()
        page.mouse.move(left + 3 * side, top + 4 * side, steps=4)
        page.mouse.up()
        page.keyboard.press("Enter")
        page.wait_for_selector("#finished:not([hidden])")
        (given,) = answers(site)
        (drawn,) = given.answer["boxes"]
        assert drawn["label"] == "mass"
        assert (drawn["start"][0], drawn["stop"][0]) == (0, 1)
        size = np.subtract(drawn["stop"], drawn["start"])
        assert abs(size[1] - 4) <= 1
        assert abs(size[2] - 3) <= 1


def test_one_is_made_worked_at_by_two_and_closed(tmp_path, chromium):
    with room(tmp_path, chromium, 2) as (site, _, opened):
        page = opened(site.someone("researcher"), "/labelling")
        page.click("#new > summary")
        page.fill("#new-name", "nodules <b>")
        page.select_option("#new-asks", "exclusive")
        page.fill("#new-labels", "none\n nodule \n\n")
        page.select_option("#new-modality", "CT")
        page.fill("#new-twice", "100")
        page.click("#new-labelling button")
        page.wait_for_selector("h1:has-text('nodules <b>')")
        (made,) = rows_of(site.service, labelling_tables.labellings)
        assert (made.labels, made.exclusive, made.asks, made.twice) == (["none", "nodule"], True, "classes", 1.0)
        for number, row in enumerate(rows_of(site.service, tables.series)):
            an_annotation(site, made.id, row.id, "one", {"classes": ["nodule"]}, comment="secret")
            an_annotation(site, made.id, row.id, "two", {"classes": ["nodule" if number else "none"]})
        page.reload()
        text = page.locator("main").inner_text()
        assert "1 series was answered otherwise" in text
        assert "shown once you have answered" in text
        assert "too few: 2 patients" in text
        steward = opened(site.someone("steward"), f"/labelling/{made.id}", **{"diascope-language": "zh-CN"})
        told = steward.locator("#differences").inner_text()
        assert "nodule" in told
        assert "one" in told
        page.on("dialog", lambda dialog: dialog.accept())
        page.click("#close")
        until(lambda: rows_of(site.service, labelling_tables.labellings)[0].closed is not None)
        page.wait_for_selector("header .warning")
        assert page.locator("#start").count() == 0
