"""Real pages, made once for all modules, and Debian's Chromium without a network to open them in."""

from __future__ import annotations

import csv
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from diascope import api
from diascope.engine.progress import silent
from diascope.serve.room.words import words
from diascope.store.workspace import Workspace
from diascope.testing.viewed import HIGH, SERIES, WIDE
from diascope.testing.viewer import Fake, Seen, serving
from diascope.workflows.fit import finish

CLASSES = ("benign", "malignant", "正常")
EACH = 60
TINY = {"depth": [1] * 4, "width": 8, "stem": [1, 3, 3], "strides": [[1, 1, 1]] * 4 + [[1, 2, 2]] * 2}
SETTINGS = {"steps": 6, "batch": 4, "checkpoint_every": 6, "threads": 1, "model_options": TINY}
PAGES = (("report", "en"), ("report", "zh-CN"), ("check", "en"), ("check", "zh-CN"))


@dataclass
class Visit:
    """A page in the browser, and what happened while it was open."""

    page: Any
    requests: list[str] = field(default_factory=list)
    """Addresses that were asked for, the page's own left out; none was answered."""
    complaints: list[str] = field(default_factory=list)
    """Errors and warnings of the console, of scripts, and of the policy."""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Debian's Chromium, started once."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed (Debian: apt install chromium)")
    drivers = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install playwright)")
    with drivers.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any) -> Iterator[Callable[..., Visit]]:
    """Opens a file: `visit(path, width=1280, **options of the context)`."""
    contexts = []

    def opened(path: Path, width: int = 1280, **options: Any) -> Visit:
        context = chromium.new_context(viewport={"width": width, "height": 800}, **options)
        contexts.append(context)
        visited = Visit(context.new_page())
        page, own = visited.page, path.as_uri()

        def refuse(route: Any) -> None:
            if route.request.url == own:
                route.continue_()
            else:
                visited.requests.append(route.request.url)
                route.abort()

        context.route("**/*", refuse)
        page.on("console", lambda said: visited.complaints.append(f"{said.type}: {said.text}"))
        page.on("pageerror", lambda error: visited.complaints.append(str(error)))
        page.goto(own)
        return visited

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def viewer_server(chromium: Any) -> Iterator[Fake]:
    """The viewer and its series. Needs the built files (`make web`), or those in $DIASCOPE_TEST_STATIC."""
    static = Path(os.environ.get("DIASCOPE_TEST_STATIC", str(files("diascope.serve.room") / "static")))
    if not (static / "manifest.json").exists():
        pytest.skip("the files of the pages are not built (make web)")
    with serving(static, SERIES, words("en").of_script("viewer")) as server:
        yield server


@pytest.fixture
def viewer(chromium: Any, viewer_server: Fake) -> Iterator[Seen]:
    """A window in which nothing may be complained about."""
    context = chromium.new_context(viewport={"width": WIDE, "height": HIGH})
    seen = Seen(context.new_page(), viewer_server)
    yield seen
    context.close()
    assert seen.complaints == []


@pytest.fixture(params=PAGES, ids="-".join)
def opened_file(request: pytest.FixtureRequest, pages: Mapping[tuple[str, str], Path]) -> Path:
    """Each page in each language; the language ends the name."""
    return pages[request.param]


@pytest.fixture(scope="session")
def pages(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Mapping[tuple[str, str], Path]:
    """Kind and language to the file. Asks for the browser first: without one nothing is made."""
    folder = tmp_path_factory.mktemp("pages")
    good, bad = films(folder / "films"), spoilt(films(folder / "spoilt", ("train/", "test/")))
    made = {("check", lang): api.check(bad, folder / "ws", lang=lang).report for lang in ("en", "zh-CN")}
    fitted = api.fit(good, folder / "ws", minutes=1, folds=1, settings=SETTINGS)
    again = finish(Workspace(folder / "ws"), fitted.run, (time.monotonic(), silent, "zh-CN"))
    made |= {("report", "en"): fitted.report, ("report", "zh-CN"): again.report}
    return {key: path.rename(folder / f"{key[0]}.{key[1]}.html") for key, path in made.items()}


def films(folder: Path, splits: tuple[str, ...] = ("",)) -> Path:
    """Small pictures with a class a sub-folder, and a table of patients, sites, ages and sexes."""
    rng = np.random.default_rng(0)
    rows = []
    for number, name in enumerate(CLASSES):
        for index in range(EACH):
            path = f"{splits[index % len(splits)]}{name}/{name}{index:03}.png"
            array = rng.integers(0, 120, (24, 20), dtype=np.uint8)
            array[4 + number : 12, 3:11] += np.uint8(60 * number)
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            Pillow.fromarray(array).save(folder / path)
            rows.append(
                [path, f"P{number}{index:03}", "north" if index % 3 else "harbour", 20 + index, "FM"[index % 2]]
            )
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([["image", "patient", "site", "age", "sex"], *rows])
    return folder


def spoilt(folder: Path) -> Path:
    """With something of every severity: a patient on both sides, copies, a broken and an empty file."""
    table = folder / "index.csv"
    table.write_text(table.read_text(encoding="utf-8").replace(",P0001,", ",P0000,"), encoding="utf-8")
    shutil.copy(folder / "train/benign/benign004.png", folder / "train/malignant/malignant004.png")
    shutil.copy(folder / "train/benign/benign006.png", folder / "test/benign/benign007.png")
    (folder / "train/benign/benign002.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    Pillow.fromarray(np.zeros((24, 20), np.uint8)).save(folder / "train/benign/benign008.png")
    return folder
