"""The reading room in Chromium: the worklist of 10,000 studies, the first picture of a 200-slice CT, scrolling it.

    python benchmarks/reading_room.py --times 5

The service is a process of its own, the browser another one, on the same cores, with software rendering and nothing
else running. Times are the browser's: from the start of the navigation until two frames after what was waited for is
there. Scrolling is a turn of the wheel at each frame of the screen once everything is loaded; its frame times are the
gaps between the frames. Sizes are of what the pages load beside the viewer's library.
"""

from __future__ import annotations

import argparse
import gzip
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from playwright.sync_api import sync_playwright
from qido import fill, insert_all
from recording.rows import commit, machine
from sqlalchemy import select

from diascope.serve.database.tables import results, series, studies
from diascope.serve.reading.suggestion import suggestion
from diascope.serve.room.static import FOLDER, built
from diascope.serve.service import FIRST_PROJECT, Service, service_folder
from diascope.serve.settings import read_settings
from diascope.store.workspace import Workspace
from diascope.testing.objects import a_dataset, as_bytes, uids
from diascope.testing.reading import arrive
from diascope.testing.running import prepare, served
from diascope.testing.service import PASSWORD, a_user

STUDIES, SLICES, SIDE = 10_000, 200, 512
FRAMES = 400
"""Of a scroll."""

SHOWN = """(wanted) => new Promise((done) => {
  const look = () => document.querySelector(wanted)
    ? requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now())))
    : requestAnimationFrame(look);
  look();
})"""
SCROLL = """(frames) => new Promise((done) => {
  const at = document.querySelector('#viewer canvas'), times = [];
  let last = performance.now(), way = 120;
  const step = () => {
    const now = performance.now();
    times.push(now - last);
    last = now;
    if (times.length > frames) return done(times.slice(1));
    if (times.length % 90 === 0) way = -way;
    at.dispatchEvent(new WheelEvent('wheel', {deltaY: way, bubbles: true, cancelable: true}));
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})"""


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--studies", type=int, default=STUDIES)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        token = filled(Path(folder), options.studies)
        with served(Path(folder), token) as process:
            browser = driver.chromium.launch(executable_path=shutil.which("chromium"))
            page = browser.new_page(viewport={"width": 1366, "height": 768})
            settle(process.process.pid)
            log_in(page, process.web)
            lists = [milliseconds(page, process.web, "#worklist tbody tr") for _ in range(options.times)]
            study = f"{process.web}/studies/{uids(9_999_999)[0]}"
            first, loaded, frames = [], [], []
            for _ in range(options.times):
                first.append(milliseconds(page, study, "#viewer canvas"))
                page.wait_for_selector("#viewer[data-loaded]", timeout=60_000)
                loaded.append(page.evaluate("() => performance.now()"))
                frames += page.evaluate(SCROLL, FRAMES)
            browser.close()
    print(f"{machine()}; commit {commit()}; {options.times} times; Chromium, software rendering")
    print(f"worklist of {options.studies:,} studies: {told(lists)} ms")
    print(f"first picture of a CT of {SLICES} slices of {SIDE} x {SIDE}: {told(first)} ms; loaded: {told(loaded)} ms")
    middle, late = np.percentile(frames, [50, 95])
    print(f"scrolling: frame time p50 {middle:.1f} ms, p95 {late:.1f} ms, {len(frames)} frames")
    print(f"own scripts and styles: {own() / 1000:.1f} kB ({own(packed=True) / 1000:.1f} kB packed)")


def settle(pid: int) -> None:
    """Wait until the service has loaded what it keeps ready (torch takes seconds) and does nothing."""
    process, still = psutil.Process(pid), 0
    while still < 4:
        still = still + 1 if process.cpu_percent(1.0) < 5 else 0


def told(values: list[float]) -> str:
    """Middle and worst."""
    return f"median {np.median(values):.0f}, worst {max(values):.0f}"


def log_in(page: Any, url: str) -> None:
    """As a reader does."""
    page.goto(url)
    page.fill("#name", "reader")
    page.fill("#password", PASSWORD)
    page.click("button.main")
    page.wait_for_selector("#worklist")


def milliseconds(page: Any, url: str, wanted: str) -> float:
    """From the start of a navigation until something is on the screen."""
    page.goto(url, wait_until="commit")
    found: float = page.evaluate(SHOWN, wanted)
    return found


def own(packed: bool = False) -> int:
    """Bytes of scripts and styles that are not the viewer's library."""
    found = built()
    names = [name for name in (found.files if found else ()) if name.endswith((".js", ".css"))]
    contents = [(FOLDER / name).read_bytes() for name in names]
    mine = [one for one in contents if len(one) < 500_000]
    return sum(len(gzip.compress(one)) if packed else len(one) for one in mine)


def filled(folder: Path, count: int) -> str:
    """The workspace of a service with many studies that were read, and one CT; a token, as `served` wants one."""
    token = prepare(folder, {}, [], lookups_per_minute=10**9)
    place = Workspace(folder)
    service = Service.open(place, read_settings(service_folder(place), {}))
    fill(service, count)
    with service.database.reading() as connection:
        query = select(studies.c.id, series.c.id).join(series, series.c.study_id == studies.c.id)
        pairs = dict(connection.execute(query).all())
    lot = np.random.default_rng(0)
    rows = []
    for study, one in pairs.items():
        value = float(lot.random())
        finding = {
            "concept": "pneumonia", "status": "present" if value > 0.7 else "absent",
            "measures": {"probability": {"value": value, "unit": "1"}},
            "operating_point": {"of": "pneumonia", "rule": "youden"},
        }  # fmt: skip
        found = {"findings": [finding]}
        rows.append(
            {
                "id": secrets.token_hex(16), "study_id": study, "series_id": one, "revision": 1, "release": "chest@1",
                "seal": "", "state": "answered", "findings": found, "completed": 1.7e9, "answered": 1.7e9,
                **suggestion("answered", found),
            }
        )  # fmt: skip
    insert_all(service.database, {results: rows})
    pixels = lot.integers(0, 2000, (SLICES, SIDE, SIDE)).astype(np.uint16)
    frame = {"FrameOfReferenceUID": "1.2.3.4", "PixelSpacing": [0.7, 0.7], "RescaleIntercept": -1024}
    arrive(service, [as_bytes(a_dataset(9_999_999, 1, z + 1, pixels[z], **frame)) for z in range(SLICES)])
    a_user(service, "reader", projects=[FIRST_PROJECT])
    service.close()
    return token


if __name__ == "__main__":
    main()
