"""Samples of the requests about recordings."""

from __future__ import annotations

import itertools

from diascope.testing.calls import Call, sample
from diascope.testing.objects import uids
from diascope.testing.signals import an_ecg
from diascope.testing.viewing_calls import API, SERIES, received
from diascope.testing.web import Browser, Site

_NUMBERS = itertools.count(70_000)


def a_recorded_series(site: Site, project: str) -> tuple[str, str]:
    """A series with an ECG, made once for each project; UIDs of its study and of itself."""
    key = f"signal of {project}"
    if key not in site.kept:
        number = next(_NUMBERS)
        received(site, an_ecg(number, leads=("I", "II")), project)
        site.kept[key] = uids(number)
    study, series, _ = site.kept[key]
    return study, series


@sample("GET", f"{API}{SERIES}/signal")
def _signal(site: Site, project: str, who: Browser) -> Call:
    study, series = a_recorded_series(site, project)
    return Call(f"/studies/{study}/series/{series}/signal")


@sample("GET", f"{API}{SERIES}/signal/{{group}}")
def _samples(site: Site, project: str, who: Browser) -> Call:
    study, series = a_recorded_series(site, project)
    return Call(f"/studies/{study}/series/{series}/signal/1", query={"from": "0.5", "to": "1"})
