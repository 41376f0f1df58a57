"""The static files that Vite built (`make web`): which file an entry is, and what is sent of it."""

from __future__ import annotations

import json
import mimetypes
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).with_name("static")
MANIFEST = "manifest.json"
STYLE = "style/room.css"


@dataclass(frozen=True)
class Built:
    """What was built.

    Args:
        scripts: Name of an entry (`study`) to its file.
        style: Of all pages.
        files: Everything that may be sent.
    """

    scripts: dict[str, str]
    style: str
    files: frozenset[str]


def built() -> Built | None:
    """The static files; None where nobody has built them. They may be built anew while the service runs."""
    try:
        return _built((FOLDER / MANIFEST).stat().st_mtime_ns)
    except FileNotFoundError:
        return None


@lru_cache(maxsize=1)
def _built(_: int) -> Built:
    manifest = json.loads((FOLDER / MANIFEST).read_text(encoding="utf-8"))
    scripts = {Path(name).stem: one["file"] for name, one in manifest.items() if name.startswith("pages/")}
    found = (path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file())
    return Built(scripts, manifest[STYLE]["file"], frozenset(found) - {MANIFEST})


def media_type(name: str) -> str:
    """Of a static file; scripts must have one that browsers run as modules."""
    known = {".js": "text/javascript", ".wasm": "application/wasm"}
    return known.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
