"""What releases say of texts and results, in the browser: shaded words, signs, hidden without suggestions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from diascope.serve.jobs.worker import Worker
from diascope.serve.room.static import built
from diascope.testing.objects import uids
from diascope.testing.reading import a_rule, a_signed_release, a_volume, arrive, become_complete, work_off
from diascope.testing.serving import served
from diascope.testing.statement_calls import ROWS, a_row_release, a_text_release, results
from diascope.testing.web import Site, a_site

pytestmark = [pytest.mark.browser, pytest.mark.skipif(built() is None, reason="the pages are not built (make web)")]
STUDY = uids(1)[0]
AXE = Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
TEXT = "🫁 The lungs are clear. <img src=x onerror=\"document.title='hacked'\"> small effusion"


@pytest.fixture
def place(tmp_path: Any) -> Iterator[tuple[Site, str]]:
    """A study with a suggestion, a text that a release has answered, and results that one waits for."""
    site = a_site(tmp_path)
    a_signed_release(site.service)
    a_rule(site.service)
    a_text_release(site.service)
    a_row_release(site.service)
    arrive(site.service, a_volume(1))
    become_complete(site.service)
    results(site, STUDY)
    body = {"text": TEXT, "language": "en"}
    assert site.someone("steward").post(f"/studies/{STUDY}/documents", json=body).status_code == 201
    work_off(site.service)
    with served(site.app) as url:
        yield site, url


def opened(chromium: Any, place: tuple[Site, str], theme: str = "dark", **options: Any) -> Any:
    site, url = place
    cookies = {"diascope-language": "en", "diascope-theme": theme, **site.someone("reader").cookies}
    context = chromium.new_context(viewport={"width": 1366, "height": 768}, **options)
    context.add_cookies([{"name": name, "value": value, "url": url} for name, value in cookies.items()])
    page = context.new_page()
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("console", lambda said: said.type == "error" and page.complaints.append(said.text))
    page.goto(f"{url}/studies/{STUDY}")
    page.wait_for_selector("#viewer canvas")
    return page


def test_words_are_shaded_where_they_stand_and_hidden_without_suggestions(place, chromium):
    page = opened(chromium, place)
    page.click("#tab-texts")
    page.click("[data-shade]")
    page.wait_for_selector(".shaded:not([hidden]) .weighed")
    assert page.locator(".shaded .words").inner_text() == TEXT
    strongest = page.locator(".weighed.l4.for")
    assert "effusion" in strongest.all_inner_texts()
    assert strongest.first.get_attribute("data-sign") == "+"
    assert "clear" in page.locator(".weighed.against").all_inner_texts()
    assert page.title() != "hacked"
    page.click("#without-ai")
    page.wait_for_selector(".statement", state="hidden")
    assert page.locator("#panel-texts .statements-hidden").is_visible()
    page.click("#without-ai")
    page.wait_for_selector(".shaded .weighed")
    page.click("[data-shade]")
    assert page.locator(".shaded").is_hidden()
    assert page.complaints == []


def test_a_release_is_asked_about_results_and_its_answer_is_there_when_the_page_is_loaded_again(place, chromium):
    page = opened(chromium, place)
    page.click("#tab-laboratory")
    page.click(f"[data-ask='{ROWS}']")
    page.wait_for_selector("#panel-laboratory [role=status]")
    page.wait_for_load_state("networkidle")
    work_off(place[0].service, Worker(place[0].service))
    page.click("#panel-laboratory [role=status] button")
    page.wait_for_selector("#viewer canvas")
    page.click("#tab-laboratory")
    assert page.locator("#panel-laboratory .statement h4").all_inner_texts() == ["working", "kidney failure"]
    assert page.locator(".led tbody tr").first.inner_text().split()[0] == "Creatinine"
    assert page.complaints == []


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_axe_finds_nothing_serious(place, chromium, theme):
    place[0].someone("reader").post(f"/studies/{STUDY}/statements", json={"release": ROWS})
    work_off(place[0].service)
    page = opened(chromium, place, theme, bypass_csp=True)
    page.add_script_tag(path=str(AXE))
    for tab in ("texts", "laboratory"):
        page.click(f"#tab-{tab}")
        if tab == "texts":
            page.click("[data-shade]")
            page.wait_for_selector(".shaded .weighed")
        run = f"axe.run(document, {{runOnly: {RULES}}}).then(found => found.violations)"
        found = [one["id"] for one in page.evaluate(run) if one["impact"] in ("serious", "critical")]
        assert found == []
