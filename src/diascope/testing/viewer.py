"""The viewer alone: a tiny server with its built files and made-up series, and what a browser shows of them."""

from __future__ import annotations

import http.server
import io
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from diascope.core.errors import Unavailable
from diascope.serve.room.page import POLICY

FRAMES = re.compile(r"/api/v1/studies/[^/]+/series/(?P<series>[^/]+)/frames(?:/(?P<first>\d+)-(?P<last>\d+))?$")
PAGE = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>viewer</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/harness.css">{styles}</head>
<body><div id="place" class="viewer"></div>
<script type="module" src="/harness.js"></script></body></html>"""
CSS = "html, body { height: 100%; margin: 0; background: #111; } #place { width: 100%; height: 100%; }"
SCRIPT = """import { openViewer } from "/static/%s";
const asked = new URL(location.href).searchParams;
const words = %s;
const options = { study: "s", series: asked.get("series"), words, rendering: asked.get("rendering") ?? "cpu" };
if (asked.has("first")) options.first = Number(asked.get("first"));
async function open() {
  window.viewer = await openViewer(document.getElementById("place"), options);
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  window.shown = performance.now();
}
window.opened = open().then(() => "", (error) => error.message);
const loaded = (done) => (viewer.loaded ? done() : viewer.on("loaded", () => done()));
window.whole = window.opened.then((wrong) => wrong || new Promise(loaded));
"""

SETTLE = """() => new Promise(done =>
  requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(done))))"""


@dataclass
class Series:
    """Frames as the service gives them.

    Args:
        array: (Z, Y, X) or (Z, Y, X, 3), as it is sent.
        affine: Voxel (z, y, x, 1) to LPS, or None.
    """

    array: np.ndarray[Any, Any]
    affine: list[list[float]] | None = None
    physical: bool = True
    unit: str | None = "HU"
    windows: list[dict[str, Any]] = field(default_factory=list)

    def described(self, name: str) -> dict[str, Any]:
        """What `GET …/frames` answers."""
        count, rows, columns = self.array.shape[:3]
        middle = self.array[count // 2]
        return {
            "study": "s", "series": name, "revision": 1, "modality": "ct", "unit": self.unit, "count": count,
            "rows": rows, "columns": columns, "samples": 3 if self.array.ndim == 4 else 1,
            "type": self.array.dtype.name, "affine": self.affine, "physical": self.physical,
            "frame_of_reference": "1.2.3", "windows": self.windows,
            "range": [float(middle.min()), float(middle.max())], "remarks": [], "instances": [], "spacing": None,
        }  # fmt: skip


def static_files(folder: Path) -> tuple[str, list[str]]:
    """The viewer's script, and the styles of the pages.

    Raises:
        FileNotFoundError: When the pages' files are not built.
        KeyError: When they are built without the viewer.
    """
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    styles = [one["file"] for one in manifest.values() if one["file"].endswith(".css")]
    return manifest["viewer/index.ts"]["file"], styles


class Fake(http.server.ThreadingHTTPServer):
    """Serves a page with the viewer in it: `/?series=NAME`."""

    daemon_threads = True

    def __init__(self, static: Path, series: Mapping[str, Series], words: Mapping[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        script, styles = static_files(static)
        links = "".join(f'<link rel="stylesheet" href="/static/{one}">' for one in styles)
        self.static, self.series = static, series
        self.fixed = {
            "/": ("text/html", PAGE.format(styles=links).encode()),
            "/harness.js": ("text/javascript", (SCRIPT % (script, json.dumps(words))).encode()),
            "/harness.css": ("text/css", CSS.encode()),
        }
        self.asked: list[tuple[int, int]] = []
        """The ranges of frames that were asked for, in order, from 1."""
        self.failing = False
        """Whether ranges of more than one frame are refused."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    """One request; every answer carries the policy of the pages."""

    protocol_version = "HTTP/1.1"
    server: Fake

    def do_GET(self) -> None:
        """Pages, static files, and frames."""
        path = self.path.partition("?")[0]
        found = FRAMES.match(path)
        if path in self.server.fixed:
            self.answer(*self.server.fixed[path])
        elif path.startswith("/static/"):
            file = self.server.static / path.removeprefix("/static/")
            self.answer("text/css" if file.suffix == ".css" else "text/javascript", file.read_bytes())
        elif found and found["series"] in self.server.series:
            self.frames(self.server.series[found["series"]], found)
        else:
            self.refuse(404, "no such series")

    def frames(self, one: Series, found: re.Match[str]) -> None:
        """The description of a series, or some of its frames."""
        if not found["first"]:
            return self.answer("application/json", json.dumps(one.described(found["series"])).encode())
        first, last = int(found["first"]), int(found["last"])
        self.server.asked.append((first, last))
        if self.server.failing and last > first:
            return self.refuse(503, "the archive is away")
        values = np.ascontiguousarray(one.array[first - 1 : last])
        return self.answer("application/octet-stream", values.data.cast("B"))

    def refuse(self, status: int, wrong: str) -> None:
        """An error as the service tells it."""
        self.answer("application/json", json.dumps({"error": {"wrong": wrong, "todo": ""}}).encode(), status)

    def answer(self, kind: str, body: bytes | memoryview, status: int = 200) -> None:
        """One answer."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        self.wfile.write(body)

    def handle(self) -> None:
        """A page that is closed hangs up in the middle of its frames."""
        with suppress(ConnectionError):
            super().handle()

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@contextmanager
def serving(static: Path, series: Mapping[str, Series], words: Mapping[str, str]) -> Iterator[Fake]:
    """The server while it runs."""
    server = Fake(static, series, words)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


class Seen:
    """A viewer in the browser."""

    def __init__(self, page: Any, server: Fake) -> None:
        self.page, self.server = page, server
        self.complaints: list[str] = []
        page.on("console", lambda said: self.complaints.append(f"{said.type}: {said.text}"))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, series: str, more: str = "", whole: bool = True) -> Seen:
        """Opens a series and waits until all of it has come."""
        self.page.goto(f"{self.server.address}/?series={series}{more}")
        wrong = self.page.evaluate("() => window.opened")
        if wrong:
            raise Unavailable(
                "the viewer did not open", given=f"{series}: {wrong}", todo="Look at the page in a browser"
            )
        if whole:
            self.page.evaluate("() => window.whole")
        return self.settle()

    def settle(self) -> Seen:
        """Waits until what was asked for is drawn."""
        self.page.evaluate(SETTLE)
        return self

    def do(self, script: str, given: Any = None) -> Any:
        """Runs a script and waits until it is drawn."""
        answer = self.page.evaluate(script, given)
        self.settle()
        return answer

    def keys(self, *names: str) -> Seen:
        """Presses keys, one after the other."""
        for name in names:
            self.page.keyboard.press(name)
        return self.settle()

    def drag(self, *places: tuple[float, float], button: str = "left") -> Seen:
        """Goes with a button held from place to place of the window."""
        mouse = self.page.mouse
        mouse.move(*places[0])
        mouse.down(button=button)
        for place in places[1:]:
            mouse.move(*place)
        mouse.up(button=button)
        return self.settle()

    def picture(self) -> np.ndarray[Any, Any]:
        """What is on the screen, (rows, columns, 3)."""
        return np.asarray(Pillow.open(io.BytesIO(self.page.screenshot())).convert("RGB")).astype(int)

    def colour(self, place: tuple[float, float]) -> tuple[int, int, int]:
        """The colour at a place of the window."""
        ratio = self.page.evaluate("devicePixelRatio")
        red, green, blue = self.picture()[int(place[1] * ratio), int(place[0] * ratio)]
        return int(red), int(green), int(blue)

    def text(self, kind: str, plane: str = "stack") -> str:
        """What a part of the read-out says."""
        return str(self.page.locator(f"[data-plane={plane}] .viewer-{kind}").first.inner_text())

    def letters(self, plane: str = "stack") -> dict[str, str]:
        """The sides of the patient, by the side of the picture."""
        found = self.page.locator(f"[data-plane={plane}] .viewer-letter")
        return dict(found.evaluate_all("all => all.map(one => [one.dataset.side, one.textContent])"))
