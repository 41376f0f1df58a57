"""Every page in both languages and themes: axe-core finds nothing serious, nothing scrolls sideways, keys suffice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from diascope.serve.database import tables
from diascope.serve.room.static import built
from diascope.testing.labelling_calls import a_labelling
from diascope.testing.models_calls import a_measured
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
from diascope.testing.serving import served
from diascope.testing.training_calls import a_command, an_upload
from diascope.testing.web import OWN, Browser, Site, a_site

AXE = Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(built() is None or not AXE.exists(), reason="the pages are not built (make web)"),
]
PAGES = ("/", f"/studies/{uids(1)[0]}", "/models", f"/models/{SOLID}", "/dashboard", "/account")
PAGES += ("/labelling", "/labelling/labels", f"/labelling/labels/label?study={uids(1)[0]}&series={uids(1)[1]}")
PAGES += ("/training", "/training/new", "/training/jobs/checked", "/training/jobs/trained")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: Any) -> Iterator[tuple[Site, str]]:
    """A service with a study that was read."""
    site = a_site(tmp_path_factory.mktemp("room"))
    a_signed_release(site.service)
    a_rule(site.service)
    arrive(site.service, a_volume(1))
    become_complete(site.service)
    work_off(site.service)
    a_labelling(site, OWN, id="labels", asks="masks")
    an_upload(site, OWN)
    problems = [{"check": "labels", "severity": "refuse", "title": "two films differ", "detail": "", "cases": ["a"]}]
    said = {"cases": 12, "patients": 7, "refused": ["labels"], "problems": problems}
    a_command(site, OWN, "check", id="checked", result={"said": said, "made": []})
    label = a_measured(site, "films@1", signed_by=None)
    a_command(site, OWN, "train", id="trained", result={"made": [{"kind": "releases", "name": label}]})
    with served(site.app) as url:
        yield site, url


def somebody(site: Site, address: str) -> Browser:
    """Who sees a page, with all that can be done on it."""
    roles = {"/training/jobs/trained": "steward", "/training": "researcher"}
    return site.someone(next((role for begins, role in roles.items() if address.startswith(begins)), "reader"))


def opened(chromium: Any, url: str, who: Browser | None, lang: str, theme: str, width: int = 1366) -> Any:
    """A page of somebody; the policy is set aside so that axe can be put into it."""
    context = chromium.new_context(viewport={"width": width, "height": 768}, bypass_csp=True)
    cookies = {"diascope-language": lang, "diascope-theme": theme, **(who.cookies if who else {})}
    context.add_cookies([{"name": name, "value": value, "url": url} for name, value in cookies.items()])
    return context.new_page()


def serious(page: Any) -> list[str]:
    page.add_script_tag(path=AXE)
    found = page.evaluate("async tags => await axe.run({runOnly: tags})", RULES)
    return [
        f"{one['id']}: {node['target']} {node.get('failureSummary', '')}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize(
    ("lang", "theme"),
    [
        ("en", "dark"),
        ("zh-CN", "light"),
        pytest.param("en", "light", marks=pytest.mark.nightly),
        pytest.param("zh-CN", "dark", marks=pytest.mark.nightly),
    ],
)
def test_axe_finds_nothing_serious(place, chromium, lang, theme):
    site, url = place
    wrong = {}
    for address in ("login", *PAGES):
        page = opened(chromium, url, None if address == "login" else somebody(site, address), lang, theme)
        page.goto(url if address == "login" else url + address)
        page.wait_for_load_state("networkidle")
        if found := serious(page):
            wrong[address] = found
        page.context.close()
    assert wrong == {}


@pytest.mark.parametrize("width", [1366, pytest.param(1024, marks=pytest.mark.nightly), 820])
def test_nothing_scrolls_sideways(place, chromium, width):
    site, url = place
    wide = {}
    for address in PAGES:
        page = opened(chromium, url, somebody(site, address), "zh-CN", "dark", width)
        page.goto(url + address)
        page.wait_for_load_state("networkidle")
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if overflow > 0:
            wide[address] = overflow
        page.context.close()
    assert wide == {}


def test_a_study_is_opened_and_accepted_with_keys_alone(place, chromium):
    site, url = place
    page = opened(chromium, url, site.someone("reader"), "en", "dark")
    page.goto(url)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_selector("#viewer canvas")
    page.wait_for_load_state("networkidle")
    page.keyboard.press("a")
    page.wait_for_selector(".result[data-done=true]")
    assert [one.verdict for one in rows_of(site.service, tables.readings)] == ["accept"]
    page.context.close()


def test_axe_would_find_something(place, chromium):
    """A control: what is wrong on purpose is found."""
    _, url = place
    page = opened(chromium, url, None, "en", "dark")
    page.goto(url)
    page.evaluate("document.querySelector('label').remove(); document.querySelector('h1').style.color = '#222'")
    assert {one.partition(":")[0] for one in serious(page)} >= {"label", "color-contrast"}
    page.context.close()
