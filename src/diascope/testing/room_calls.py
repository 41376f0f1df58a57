"""Samples of the pages that have no file of their own here; see `calls.py`."""

from __future__ import annotations

from diascope.serve.room.static import built
from diascope.testing.calls import SAMPLES, Call, a_study, sample
from diascope.testing.web import ORIGIN, Browser, Site


@sample("GET", "/")
def _worklist(site: Site, project: str, who: Browser) -> Call:
    uid = a_study(site, project)
    return Call(f"{ORIGIN}/", own=uid)


@sample("GET", "/studies/{study}")
def _study(site: Site, project: str, who: Browser) -> Call:
    return Call(f"{ORIGIN}/studies/{a_study(site, project)}")


@sample("GET", "/static/{name:path}")
def _static(site: Site, project: str, who: Browser) -> Call:
    found = built()
    return Call(f"{ORIGIN}/static/{found.style if found else 'not-built'}")


SAMPLES["GET", "/account"] = lambda site, project, who: Call(f"{ORIGIN}/account")
