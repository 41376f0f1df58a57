"""The page of a study that holds a recording: paper true to the samples, measuring, keys, and what led to a finding."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from diascope.explainers import sanity
from diascope.serve.database import tables
from diascope.serve.room.static import built
from diascope.testing.objects import uids
from diascope.testing.reading import a_rule, a_volume, arrive, become_complete, rows_of, work_off
from diascope.testing.serving import served
from diascope.testing.signals import AMBULATORY, LEADS, RHYTHMS, a_group, a_recording, a_rhythm_release, an_ecg, waves
from diascope.testing.waiting import until
from diascope.testing.web import Site, a_site

AXE = Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
pytestmark = [pytest.mark.browser, pytest.mark.skipif(built() is None, reason="the pages are not built (make web)")]


@contextmanager
def recording_page(
    folder: Path,
    chromium: Any,
    contents: Sequence[bytes],
    theme: str = "dark",
    first: str = "#signal",
    bare: bool = False,
    lang: str = "en",
) -> Iterator[tuple[Site, Any]]:
    """The page of study 1, with the paper drawn; `bare`: without its policy, so that axe can be put into it."""
    site = a_site(folder)
    a_rhythm_release(site.service)
    a_rule(site.service, RHYTHMS)
    arrive(site.service, contents)
    become_complete(site.service)
    work_off(site.service)
    who = site.someone("reader")
    with served(site.app) as url:
        context = chromium.new_context(viewport={"width": 1366, "height": 768}, bypass_csp=bare)
        jar = {**who.cookies, "diascope-theme": theme, "diascope-language": lang}
        context.add_cookies([{"name": name, "value": value, "url": url} for name, value in jar.items()])
        page = context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.goto(f"{url}/studies/{uids(1)[0]}")
        page.wait_for_selector(f"{first}[data-loaded]")
        yield site, page
        context.close()
        assert complaints == []


def test_an_ecg_is_read_answered_and_explained(tmp_path: Path, chromium: Any) -> None:
    with recording_page(tmp_path, chromium, an_ecg(1, late=True, seconds=10.0, rate=500)) as (site, page):
        assert not page.locator("#viewer").is_visible()
        assert page.locator(".finding.present h3").first.inner_text() == "late"
        page.click("[data-finding=late] .more summary")
        page.click("[data-finding=late] .explainers button:has-text('Occlusion')")
        until(lambda: rows_of(site.service, tables.jobs, tables.jobs.c.kind == "explain"))
        work_off(site.service)
        page.wait_for_selector("#paper[data-heat=true]")
        said = page.inner_text("[data-finding=late] [role=status]")
        assert "depend on what was learnt" in said
        assert "Shaded" in said
        page.click("[data-verdict=accept]")
        page.wait_for_selector(".result[data-done=true]")
        (reading,) = rows_of(site.service, tables.readings)
        assert reading.shown["series"] == uids(1)[1]
        work_off(site.service)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_lines_and_the_samples_lie_where_they_are_measured(tmp_path: Path, chromium: Any, theme: str) -> None:
    values = waves(seconds=10.0, rate=500, leads=("I", "II")) * 0
    values[1000:1500, 0] = 1.0  # from 2 to 3 s, 1 mV
    contents = [a_recording(1, a_group(values, ("I", "II"), 500))]
    with recording_page(tmp_path, chromium, contents, theme=theme) as (_, page):
        assert page.input_value("#signal-layout") == "rows"
        box = page.locator("#signal-canvas").bounding_box()
        per_second = float(page.get_attribute("#paper", "data-per-second"))
        page.click("#signal-measure")
        page.mouse.move(box["x"] + 1.5 * per_second, box["y"] + 20)
        page.mouse.down()
        page.mouse.move(box["x"] + 2.5 * per_second, box["y"] + 20, steps=3)
        page.mouse.up()
        said = page.inner_text("#signal-measured")
        ms, value = (float(part) for part in re.findall(r"I: (\d+) ms, ([\d.]+) mV", said)[0])
        assert ms == pytest.approx(1000, abs=8), said
        assert value == pytest.approx(1.0, abs=0.01), said
        assert re.search(r"is (59|60|61) beats/min", said)
        picture = np.asarray(Pillow.open(io.BytesIO(page.locator("#signal-canvas").screenshot())).convert("L"), float)
        bright = picture if theme == "dark" else 255 - picture
        scale = per_second / 25
        lane = round(bright.shape[0] / 2)
        step = bright[:lane, round(2.5 * per_second)].argmax() - bright[:lane, round(1.5 * per_second)].argmax()
        assert abs(step) == pytest.approx(10 * scale, abs=2.5), "1 mV is 10 mm"


def test_keys_scroll_enlarge_and_measure(tmp_path: Path, chromium: Any) -> None:
    with recording_page(tmp_path, chromium, an_ecg(1, seconds=60.0, rate=250)) as (_, page):
        paper = page.locator("#paper")
        wide = float(paper.get_attribute("data-per-second"))
        paper.focus()
        page.keyboard.press("End")
        page.wait_for_selector("#paper[data-begin^='49.'], #paper[data-begin^='50.']")
        page.keyboard.press("Home")
        page.keyboard.press("ArrowRight")
        page.wait_for_selector("#paper[data-begin^='0.9'], #paper[data-begin^='1.']")
        page.keyboard.press("+")
        assert float(paper.get_attribute("data-per-second")) == pytest.approx(1.25 * wide, rel=1e-3)
        page.keyboard.press("k")
        page.keyboard.press("Enter")
        for _ in range(8):
            page.keyboard.press("Shift+ArrowRight")
        assert ": 800 ms, " in page.inner_text("#signal-measured")
        assert "75 beats/min" in page.inner_text("#signal-measured")
        page.keyboard.press("Escape")
        assert page.inner_text("#signal-measured") == ""
        assert page.locator("#signal-begin").is_visible()
        page.select_option("#signal-speed", "50")
        assert float(paper.get_attribute("data-per-second")) == pytest.approx(2 * 1.25 * wide, rel=1e-3)


def test_what_has_no_unit_is_measured_without_one_and_the_words_say_all(tmp_path: Path, chromium: Any) -> None:
    values = waves(seconds=10.0, rate=250, leads=("I", "II", "V1"))
    contents = [
        a_recording(1, a_group(values, ("P1", "P2", "P3"), 250, unit=""), Modality="HD", SeriesDescription="pressures")
    ]
    with recording_page(tmp_path, chromium, contents, theme="light", lang="zh-CN") as (_, page):
        assert page.input_value("#signal-gain") == "fit"
        assert page.locator("#signal-gain").is_disabled()
        page.click(".signal-facts summary")
        words = page.inner_text("#signal-facts")
        assert "时长 10 秒，采样率 250 Hz" in words
        assert "文件未注明单位" in words
        assert "mV" not in words
        assert page.locator("#signal-facts tbody tr").count() == 3
        assert "rhythms@1" in page.inner_text("#cards")


def test_a_map_that_failed_its_check_is_not_drawn(tmp_path: Path, chromium: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(sanity, "LIMIT", -2.0)  # no map passes
    with recording_page(tmp_path, chromium, an_ecg(1, late=True)) as (site, page):
        page.click("[data-finding=late] .more summary")
        page.click("[data-finding=late] .explainers button:has-text('Occlusion')")
        until(lambda: rows_of(site.service, tables.jobs, tables.jobs.c.kind == "explain"))
        work_off(site.service)
        page.wait_for_selector("[data-finding=late] [role=status]:has-text('correlation')")
        assert "hidden" in page.inner_text("[data-finding=late] [role=status]")
        assert page.get_attribute("#paper", "data-heat") == "false"


def test_pictures_and_a_recording_take_turns(tmp_path: Path, chromium: Any) -> None:
    ecg = a_recording(1, a_group(waves(), LEADS), SeriesInstanceUID=uids(1, 2)[1], SOPInstanceUID=uids(1, 2, 1)[2])
    with recording_page(tmp_path, chromium, [*a_volume(1), ecg], first="#viewer") as (_, page):
        page.wait_for_selector("#viewer[data-loaded]")
        assert not page.locator("#signal").is_visible()
        assert page.locator("#viewer canvas").first.is_visible()
        page.click(f"button[data-series='{uids(1, 2)[1]}']")
        page.wait_for_selector("#signal[data-loaded]")
        assert not page.locator("#viewer").is_visible()


def test_hours_are_fetched_as_they_are_looked_at(tmp_path: Path, chromium: Any) -> None:
    values = np.zeros((1_010_000, 2), np.float32)  # more than two hours
    values[::125] = 0.5
    values[-375:, 0] = np.linspace(0, 1.5, 375)
    group = a_group(values, ("I", "II"), 125)
    contents = [a_recording(1, group, SOPClassUID=AMBULATORY, SeriesDescription="Holter")]
    asked = []
    with recording_page(tmp_path, chromium, contents) as (_, page):
        page.on("request", lambda request: asked.append(request.url))
        page.focus("#paper")
        page.keyboard.press("End")
        page.wait_for_selector("#paper[data-begin^='80']")
        page.wait_for_load_state("networkidle")
        assert len(asked) <= 2
        assert all("from=" in one and "to=" in one for one in asked)
        box = page.locator("#signal-canvas").bounding_box()
        page.click("#signal-measure")
        page.mouse.click(box["x"] + box["width"] - 2, box["y"] + 20)
        value = float(re.findall(r": ([\d.]+) mV", page.inner_text("#signal-measured").replace("no time", ""))[0])
        assert value == pytest.approx(1.5, abs=0.05)


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not there (npm ci)")
@pytest.mark.parametrize("width", [1366, 820])
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_axe_finds_nothing_serious_and_nothing_scrolls_sideways(
    tmp_path: Path, chromium: Any, theme: str, width: int
) -> None:
    with recording_page(tmp_path, chromium, an_ecg(1, late=True, seconds=20.0), theme=theme, bare=True) as (_, page):
        page.set_viewport_size({"width": width, "height": 768})
        page.click(".signal-facts summary")
        page.click("#signal-measure")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        page.add_script_tag(path=AXE)
        found = page.evaluate("async tags => await axe.run({runOnly: tags})", RULES)
        wrong = [one["id"] for one in found["violations"] if one["impact"] in ("serious", "critical")]
        assert wrong == []
