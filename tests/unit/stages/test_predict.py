"""predict: every case has its own answer, whatever the others do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from diascope.core.finding import Findings
from diascope.stages.predict import predict
from diascope.testing.releases import a_release


def a_picture(path: Path, seed: int = 0) -> Path:
    Pillow.fromarray(np.random.default_rng(seed).integers(0, 255, (16, 16), dtype=np.uint8)).save(path)
    return path


def read(release: Path, location: Path, out: Path, **options: Any) -> dict[str, Findings]:
    """Folder name to what was written there."""
    predict(release, str(location), out, **options)
    return {path.parent.name: Findings.read(path) for path in out.glob("*/findings.json")}


def test_no_case_overwrites_another(tmp_path: Path) -> None:
    films = tmp_path / "films"
    films.mkdir()
    names = ("scan.png", "scan.bmp", "p 1.png", "p-1.png", "other.png")
    for number, name in enumerate(names):
        a_picture(films / name, number)
    release = a_release(tmp_path / "films@1")
    found = read(release, films, tmp_path / "out")
    assert len(found) == len(names)
    assert "other" in found
    assert {one.inputs["image"][0].split(" sha256")[0] for one in found.values()} == set(names)
    assert set(read(release, films, tmp_path / "again")) == set(found)
