"""A doctor's whole way through the reading room, in both languages: log in, open, scroll, correct, add, sign."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import highdicom as hd
import numpy as np
import pytest
from pydicom import dcmread
from sqlalchemy import select, update

from diascope.serve.database import room_tables, tables
from diascope.serve.room.static import built
from diascope.testing.reading import (
    DEPTH,
    SIDE,
    a_rule,
    a_signed_release,
    a_volume,
    arrive,
    become_complete,
    rows_of,
    work_off,
)
from diascope.testing.service import events
from diascope.testing.serving import served
from diascope.testing.waiting import until
from diascope.testing.web import OWN, PASSWORD, Site, a_site
from diascope.testing.work_calls import a_result

pytestmark = [pytest.mark.browser, pytest.mark.skipif(built() is None, reason="the pages are not built (make web)")]

SAYS = {
    "en": {"login": "Log in", "correct": "Correct", "draw": "Draw the outline", "save": "Save correction", "add": "Add",
           "missed": "Add what was missed", "draft": "Write the draft", "sign": "Sign", "signed": "Signed"},
    "zh-CN": {"login": "登录", "correct": "修改", "draw": "勾画轮廓", "save": "保存修改",
              "missed": "补充遗漏的发现", "add": "补充", "draft": "生成草稿", "sign": "签发", "signed": "已签发"},
}  # fmt: skip


@dataclass
class Room:
    """A service with a study that was read, and a page in the browser."""

    site: Site
    url: str
    page: Any
    complaints: list[str] = field(default_factory=list)

    def log_in(self, lang: str) -> None:
        self.site.user("reader", "dr-wang")
        self.page.context.add_cookies([{"name": "diascope-language", "value": lang, "url": self.url}])
        self.page.goto(self.url)
        self.page.fill("#name", "dr-wang")
        self.page.fill("#password", PASSWORD)
        self.page.get_by_role("button", name=SAYS[lang]["login"]).click()
        self.page.wait_for_selector("#worklist")

    def open(self) -> None:
        self.page.click("#worklist tbody a")
        self.page.wait_for_selector("#viewer canvas")
        self.page.wait_for_selector("#viewer[data-loaded]")


@pytest.fixture
def room(tmp_path: Any, chromium: Any) -> Iterator[Room]:
    site = a_site(tmp_path)
    a_signed_release(site.service)
    a_rule(site.service)
    arrive(site.service, a_volume(1))
    become_complete(site.service)
    work_off(site.service)
    with served(site.app) as url:
        context = chromium.new_context(viewport={"width": 1366, "height": 768})
        found = Room(site, url, context.new_page())
        found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
        found.page.on("console", lambda said: said.type == "error" and found.complaints.append(said.text))
        yield found
        context.close()


def painted(page: Any) -> None:
    """A stroke of the brush over the middle of the picture."""
    box = page.locator("#viewer").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 30, y)
    page.mouse.down()
    page.mouse.move(x + 30, y, steps=8)
    page.mouse.up()


def drawn(site: Site) -> tuple[str, np.ndarray]:
    """The drawing that was kept: the name of its structure and its voxels."""
    (row,) = rows_of(site.service, room_tables.drawings)
    content = zlib.decompress(site.service.archive.read(row.key, row.sha256))
    (label,) = row.labels if isinstance(row.labels, list) else [{"name": name} for name in row.labels.values()]
    return label["name"], np.frombuffer(content, np.uint8).reshape(row.shape)


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_a_study_is_opened_corrected_and_signed(room, lang):
    page, site, says = room.page, room.site, SAYS[lang]
    room.log_in(lang)
    assert page.locator("html").get_attribute("lang") == lang
    room.open()
    viewer = page.locator("#viewer")
    before = viewer.inner_text()
    viewer.hover()
    page.mouse.wheel(0, 120)
    until(lambda: viewer.inner_text() != before)

    page.get_by_text(says["missed"]).click()
    page.fill("#add-concept", "nodule")
    page.locator("#add").get_by_role("button", name=says["add"], exact=True).click()
    page.wait_for_selector("#added li")

    page.get_by_role("button", name=says["correct"]).first.click()
    page.get_by_role("button", name=says["draw"]).first.click()
    painted(page)
    page.get_by_role("button", name=says["save"]).click()
    page.wait_for_selector(".result[data-done=true]")
    (reading,) = rows_of(site.service, tables.readings)
    assert reading.verdict == "amend"
    assert [one["concept"] for one in reading.added] == ["nodule"]
    name, voxels = drawn(site)
    assert reading.amended == {name: {"drawing": rows_of(site.service, room_tables.drawings)[0].id}}
    assert voxels.shape == (DEPTH, SIDE, SIDE)

    page.get_by_role("button", name=says["draft"]).click()
    page.locator("#report").get_by_role("button", name=says["sign"]).click()
    page.wait_for_selector("#state.signed")
    assert says["signed"] in page.locator("#state").inner_text()
    (signature,) = rows_of(site.service, room_tables.signatures)
    assert signature.language == lang
    assert signature.readings == [reading.id]

    told = [one["action"] for one in events(site.service)]
    assert {"study.opened", "drawing.kept", "reading.written", "report.signed"} <= set(told)
    work_off(site.service)
    assert_exported(site, name, voxels)
    assert [one for one in room.complaints if "401" not in one] == []


def assert_exported(site: Site, name: str, voxels: np.ndarray) -> None:
    """The SEG that goes out has the reader's outline and says who reviewed it; the first one is still there."""
    with site.service.database.reading() as connection:
        query = select(tables.instances).join(
            tables.result_objects, tables.result_objects.c.instance_uid == tables.instances.c.uid
        )
        row = connection.execute(query.where(tables.result_objects.c.kind == "seg")).one()
        all_of_them = connection.execute(
            select(tables.instances.c.uid).where(tables.instances.c.sop_class == row.sop_class)
        ).all()
    assert len(all_of_them) == 2
    with site.service.archive.local(row.key, row.sha256) as path:
        seg = hd.seg.Segmentation.from_dataset(dcmread(path), copy=False)
        (number,) = [one.SegmentNumber for one in seg.SegmentSequence if one.SegmentLabel == name]
        sources = sorted(
            ((dcmread_uid(content), content) for content in a_volume(1)), key=lambda pair: position(pair[1])
        )
        planes = seg.get_pixels_by_source_instance(
            [uid for uid, _ in sources], segment_numbers=[number], assert_missing_frames_are_empty=True
        )[..., 0]
    assert (planes.astype(bool) == voxels.astype(bool)).all() or (
        planes[::-1].astype(bool) == voxels.astype(bool)
    ).all()
    assert "dr-wang" in str(seg.get("SeriesDescription", "")) + str(seg)


def dcmread_uid(content: bytes) -> str:
    return str(dcmread(BytesIO(content), stop_before_pixels=True).SOPInstanceUID)


def position(content: bytes) -> float:
    return float(dcmread(BytesIO(content), stop_before_pixels=True).ImagePositionPatient[2])


def test_a_password_for_one_time_is_changed_before_anything_is_shown(room):
    page, site = room.page, room.site
    site.user("reader", "dr-new", must_change=True)
    page.goto(room.url)
    page.fill("#name", "dr-new")
    page.fill("#password", PASSWORD)
    page.click("button.main")
    page.wait_for_selector("form#password")
    page.fill("#old", PASSWORD)
    page.fill("#new", "short")
    page.click("form#password button.main")
    page.wait_for_selector("#wrong:not(:empty)")
    page.fill("#new", "copper-meadow-violin-31")
    page.click("form#password button.main")
    page.wait_for_selector("#worklist")
    (one,) = (row for row in rows_of(site.service, tables.users) if row.name == "dr-new")
    assert not one.must_change


MARKS = (
    "<script>{}</script>",
    "<img src=x onerror={}>",
    "<svg onload={}>",
    "<body onload={}>",
    "<iframe src=javascript:{}>",
    "<details open ontoggle={}>",
    "<input autofocus onfocus={}>",
    "<a href=javascript:{}>x</a>",
    "<math><mi xlink:href=javascript:{}>",
    "<video><source onerror={}>",
    "<marquee onstart={}>",
    "<style>@import'javascript:{}'</style>",
    "<object data=javascript:{}>",
    "<form action=javascript:{}><button>",
    "<base href=javascript:{}//>",
    "<template><img src=x onerror={}></template>",
)
WRAPS = ("{}", "\"'>{}", "</script>{}", "--><!-->{}")
PAYLOADS = [wrap.format(mark.format(f"alert({n})")) for n, mark in enumerate(MARKS) for wrap in WRAPS]


def test_nothing_that_came_from_outside_runs(room):
    """B10: 64 payloads as descriptions, findings, reasons, notes, releases: text everywhere, and no complaint."""
    site, page = room.site, room.page
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    last = ""
    for payload in PAYLOADS:
        finding = {"concept": payload, "status": "present", "measures": {}, "rule": payload, "reason": payload}
        said = {"findings": [finding], "notes": [payload], "signed_by": payload}
        result = a_result(site, OWN, findings=said, release=payload[:200], says=payload[:256], priority=2)
        last = described(site, result, payload)
    room.log_in("en")
    page.wait_for_load_state("networkidle")
    for number in (1, 2):
        page.goto(f"{room.url}/?page={number}")
        page.wait_for_selector("#worklist tbody tr")
    shown = page.locator("#worklist").inner_text()
    assert sum(payload in shown for payload in PAYLOADS) >= 10
    page.goto(f"{room.url}/studies/{last}")
    page.wait_for_load_state("networkidle")
    assert PAYLOADS[-1] in page.locator("h1").inner_text()
    assert PAYLOADS[-1] in page.locator(".finding h3").first.inner_text()
    page.goto(f"{room.url}/dashboard")
    page.wait_for_load_state("networkidle")
    assert dialogs == []
    assert [one for one in room.complaints if "401" not in one and "404" not in one] == []


def described(site: Site, result: str, text: str) -> str:
    """Describes the study of a result and its series; the study's UID."""

    def work(connection: Any) -> str:
        of = select(tables.results.c.study_id).where(tables.results.c.id == result)
        study = connection.execute(of).scalar_one()
        named = update(tables.studies).where(tables.studies.c.id == study).values(description=text)
        connection.execute(named)
        connection.execute(update(tables.series).where(tables.series.c.study_id == study).values(description=text))
        return str(connection.execute(select(tables.studies.c.uid).where(tables.studies.c.id == study)).scalar_one())

    return site.service.database.change(work)
