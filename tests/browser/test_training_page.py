"""The way from an uploaded zip to a model in service, walked in Debian's Chromium: upload, check, plan, train, sign."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from sqlalchemy import select

from diascope.serve.database import tables
from diascope.serve.jobs.worker import Worker
from diascope.serve.room.static import built
from diascope.testing.serving import served
from diascope.testing.training_calls import a_zip
from diascope.testing.web import Browser, Site, a_site

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(built() is None, reason="the pages are not built (make web)"),
]
LATE = 400_000
"""Milliseconds that a step may take on a machine that is busy: jobs give way to everything else."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: Any) -> Iterator[tuple[Site, str]]:
    """A service that does jobs, by the clock of the world."""
    site = a_site(tmp_path_factory.mktemp("room"), clock=time.time)
    worker = Worker(site.service, 1)
    worker.start()
    with served(site.app) as url:
        yield site, url
    worker.stop()


def films(folder: Path) -> Path:
    """40 small pictures of two classes, two of each patient, as a zip with a folder around everything."""
    rng, files, rows = np.random.default_rng(0), dict[str, bytes](), ["image,patient"]
    for number, name in enumerate(("benign", "malignant")):
        for index in range(20):
            array = rng.integers(0, 120, (24, 20), dtype=np.uint8)
            array[4 + number : 12, 3:11] += np.uint8(100 * number)
            content = io.BytesIO()
            Pillow.fromarray(array).save(content, "png")
            files[f"films/{name}/{index:02}.png"] = content.getvalue()
            rows.append(f"{name}/{index:02}.png,P{number}{index // 2:02}")
    files["films/index.csv"] = "\n".join(rows).encode()
    path = folder / "films.zip"
    path.write_bytes(a_zip(files, zipfile.ZIP_STORED))
    return path


def opened(chromium: Any, url: str, who: Browser, lang: str = "en") -> tuple[Any, list[str]]:
    """A window of somebody, and what it complains about."""
    context = chromium.new_context(viewport={"width": 1366, "height": 768})
    cookies = {"diascope-language": lang, **who.cookies}
    context.add_cookies([{"name": name, "value": value, "url": url} for name, value in cookies.items()])
    page, complaints = context.new_page(), list[str]()
    page.on("console", lambda said: complaints.append(f"{said.type}: {said.text}") if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page, complaints


TINY = {"depth": [1] * 4, "width": 8, "stem": [1, 3, 3], "strides": [[1, 1, 1]] * 4 + [[1, 2, 2]] * 2}
SMALLEST = {
    "steps": 12, "batch": 4, "log_every": 3, "checkpoint_every": 12, "threads": 1, "model_options": TINY,
}  # fmt: skip
"""A budget of minutes would make the plan depend on how busy the machine is."""


def ended(page: Any, selector: str) -> None:
    """Wait for the end of a step, and for what it shows then."""
    page.wait_for_selector(".work:is(.done, .failed, .cancelled)", timeout=LATE)
    assert page.locator(".failed[role=alert]").all_inner_texts() == []
    page.wait_for_selector(selector)


@pytest.mark.nightly
def test_from_an_upload_to_a_model_in_service(place: tuple[Site, str], chromium: Any, tmp_path: Path) -> None:
    """One walk: what each step shows is there when the next one needs it."""
    site, url = place
    page, complaints = opened(chromium, url, site.someone("researcher"))
    page.goto(f"{url}/training")
    page.click("text=New training")
    page.set_input_files("#ask-file", films(tmp_path))
    page.click("#check button[type=submit]")

    page.wait_for_url("**/training/jobs/*")
    checked = page.url
    ended(page, "#found .problem")
    assert "40" in page.inner_text("#found .cards")
    page.fill("#plan-minutes", "10")
    page.click("#plan summary")
    page.fill("#plan-settings", json.dumps(SMALLEST))
    page.click("#plan button[type=submit]")

    page.wait_for_url(lambda url: url not in (checked, f"{checked}#"))
    planned = page.url
    ended(page, "#planned table.plan")
    assert page.inner_text("#planned .cards .big >> nth=0")
    page.click("#start button[type=submit]")

    page.wait_for_url(lambda url: url not in (planned, f"{planned}#"))
    page.wait_for_selector("#curves svg", timeout=LATE)  # while it goes on, or, where that was quick, after its end
    ended(page, "#result .card")
    page.wait_for_selector("#curves svg")
    assert "network" in page.inner_text("#said").lower()
    assert page.locator("#sign").count() == 0, "a researcher signs nothing"
    assert "steward" in page.inner_text("#standing")
    training = page.url
    page.goto(f"{url}/training")
    assert page.locator("#candidates tbody tr").count() == 1
    assert complaints == []
    page.context.close()

    page, complaints = opened(chromium, url, site.someone("steward", display="Dr. Li Wei"), "zh-CN")
    page.goto(training)
    page.fill("#sign [name=name]", "Somebody Else")
    page.fill("#sign [name=reason]", "像素级验证通过")
    page.click("#sign button[type=submit]")
    page.wait_for_selector("#told[data-kind=bad]")
    page.fill("#sign [name=name]", "Dr. Li Wei")
    page.click("#sign button[type=submit]")
    page.wait_for_selector("#standing")
    page.goto(f"{url}/models")
    assert "Dr. Li Wei" in page.inner_text(".in_service")
    page.context.close()
    assert [one.split(":")[0] for one in complaints] == ["error"], (
        "the browser itself tells of the name that was refused"
    )
    with site.service.database.reading() as connection:
        signed = connection.execute(select(tables.audit).where(tables.audit.c.action == "release.signed")).one()
    assert signed.detail["reason"] == "像素级验证通过"


def test_a_file_that_is_refused_says_why(place: tuple[Site, str], chromium: Any, tmp_path: Path) -> None:
    site, url = place
    page, _ = opened(chromium, url, site.someone("researcher"))
    page.goto(f"{url}/training/new")
    (tmp_path / "bad.zip").write_bytes(a_zip({"../x.png": b""}))
    page.set_input_files("#ask-file", tmp_path / "bad.zip")
    page.click("#check button[type=submit]")
    page.wait_for_selector("#told[data-kind=bad]")
    assert "a name that can't be kept" in page.inner_text("#told")
    assert page.is_enabled("#check button[type=submit]")
    page.context.close()
