"""The worklist is searched by whose studies they are: nothing that was typed is in an address, in both languages."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from diascope.serve.database import tables
from diascope.serve.identities import Identity
from diascope.serve.room.static import built
from diascope.testing.calls import a_study
from diascope.testing.service import events
from diascope.testing.serving import served
from diascope.testing.web import OWN, a_site

pytestmark = [pytest.mark.browser, pytest.mark.skipif(built() is None, reason="the pages are not built (make web)")]


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_a_search_shows_the_studies_of_who_was_meant_and_leads_back(chromium: Any, tmp_path: Any, lang: str) -> None:
    site = a_site(tmp_path)
    meant, other = a_study(site, OWN), a_study(site, OWN)
    for uid, name in ((meant, "Wang^Xiaoming=王^小明"), (other, "Zyx^Quentin")):
        identity = Identity(name=name, number=f"N-{name[0]}", issuer="H", birth_date="19700102")
        known = {"patient": site.service.identities.keep(uid, identity)}
        change = update(tables.studies).where(tables.studies.c.uid == uid).values(**known)
        site.service.database.change(lambda connection, change=change: connection.execute(change))
    who = site.someone("reader")
    with served(site.app) as url:
        context = chromium.new_context()
        cookies = {"diascope-language": lang, **who.cookies}
        context.add_cookies([{"name": key, "value": value, "url": url} for key, value in cookies.items()])
        page, asked = context.new_page(), []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{url}/?tab=all")
        page.click("details summary")
        page.fill("#people-name", "nobody at all")
        page.click("#people button")
        page.wait_for_selector("#people-said:not(:empty)")
        page.fill("#people-name", "xiao wang" if lang == "en" else "王小")
        page.click("#people button")
        page.wait_for_selector("p.hidden a")
        assert page.locator("[data-study]").evaluate_all("rows => rows.map(row => row.dataset.study)") == [meant]
        assert "tab=all" in page.url, "the other filters stay"
        assert not events(site.service, "identity.read")
        page.click(f"[data-whose='{meant}']")
        page.wait_for_selector("td strong[tabindex]")
        assert "Wang Xiaoming" in page.inner_text("tbody")
        assert len(events(site.service, "identity.read")) == 1
        page.click("p.hidden a >> nth=0")
        page.wait_for_selector(f"[data-study='{other}']")
        assert "patient=" not in page.url
        said = " ".join(asked).lower()
        for typed in ("wang", "xiao", "%e7%8e%8b", "nobody"):
            assert typed not in said
        context.close()
