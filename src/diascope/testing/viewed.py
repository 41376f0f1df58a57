"""Made-up series for the viewer whose voxels are known, and where those lie in a window."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from diascope.testing.viewer import Seen, Series

WIDE, HIGH = 1200, 800
STRAIGHT: list[list[float]] = [[0, 0, 1.0, -60], [0, 1.5, 0, -70], [3.0, 0, 0, 10], [0, 0, 0, 1]]
"""Voxels of 3, 1.5 and 1 mm, along the axes of the patient."""
COUNT, ROWS, COLUMNS = 40, 96, 128
SCALE = HIGH / (ROWS * 1.5)
"""CSS pixels per mm of a frame of the volume that fits: its height decides."""
SOFT = [{"name": "as sent", "centre": 0, "width": 1001}, {"name": "bone", "centre": 500, "width": 2000}]
"""Windows."""
RED = "#ff0000"
MARK = (15, 40, 30)
"""A voxel (z, y, x)."""
FILL = """([start, stop, value, colour, opacity]) => {
  const {count, rows, columns} = viewer.description, voxels = new Uint8Array(count * rows * columns)
  for (let z = start[0]; z < stop[0]; z++) for (let y = start[1]; y < stop[1]; y++)
    for (let x = start[2]; x < stop[2]; x++) voxels[(z * rows + y) * columns + x] = value
  viewer.mask({labels: [{value, name: 'mass', colour}], voxels})
  viewer.maskOpacity(opacity)
}"""
"""Gives a mask with one full block and an opacity."""
DRAWN = """() => { const {rows, columns} = viewer.description, found = []
  viewer.readMask().forEach((value, at) => { if (value)
    found.push([Math.floor(at / rows / columns), Math.floor(at / columns) % rows, at % columns, value]) })
  return found }"""
"""The voxels (z, y, x) that are not 0, with their labels."""
MEASURED = """count => new Promise(done => {
  const look = () => { if (viewer.measurements().length >= count) done() }
  viewer.on('measured', look)
  look()
})"""
"""Waits until so many things are measured."""


def place(row: float, col: float, zoom: float = 1.0) -> tuple[float, float]:
    """Where the centre of a voxel of a frame of the volume lies in the window."""
    right = (col + 0.5 - COLUMNS / 2) * SCALE * zoom
    down = (row + 0.5 - ROWS / 2) * 1.5 * SCALE * zoom
    return WIDE / 2 + right, HIGH / 2 + down


def grey(value: float, centre: float = 0, width: float = 1001) -> int:
    """What a value looks like (DICOM PS3.3 C.11.2.1.2)."""
    return round(max(0, min(1, (value - (centre - 0.5)) / (width - 1) + 0.5)) * 255)


def reddest(viewer: Seen) -> np.ndarray[Any, Any]:
    """Rows and columns of the screen that are as red as an opaque mask."""
    picture = viewer.picture()
    return np.argwhere((picture[..., 0] > 240) & (picture[..., 1] < 20))


def port(viewer: Seen, plane: str) -> tuple[float, float, float, float]:
    """Left, top, width and height of a pane in the window."""
    box = viewer.page.locator(f"[data-plane={plane}] .viewer-port").bounding_box()
    return box["x"], box["y"], box["width"], box["height"]


def volume() -> np.ndarray[Any, Any]:
    """Dark, with a ramp to the left of the patient and one bright block; no axis or side is like another."""
    array = np.full((COUNT, ROWS, COLUMNS), -400, np.int16) + np.arange(COLUMNS, dtype=np.int16)
    array[10:20, 30:50, 20:60] = 400
    return array


def oblique() -> list[list[float]]:
    """Turned by 30 degrees about the patient's length, with slices from the head down."""
    c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    axes = np.array([[0, -s * 1.5, c], [0, c * 1.5, s], [-3, 0, 0]])
    return [*np.c_[axes, [-20, -90, 60]].tolist(), [0, 0, 0, 1]]


def spot() -> np.ndarray[Any, Any]:
    """Black, but for a few voxels around the mark."""
    array = np.full((COUNT, ROWS, COLUMNS), -1000, np.int16)
    z, y, x = MARK
    array[z - 1 : z + 2, y - 2 : y + 3, x - 3 : x + 4] = 1000
    return array


def colours() -> np.ndarray[Any, Any]:
    """A photograph whose left third is orange and whose rest is blue."""
    array = np.full((1, 300, 400, 3), (20, 60, 200), np.uint8)
    array[:, :, :133] = (200, 100, 50)
    return array


SERIES: Mapping[str, Series] = {
    "volume": Series(volume(), STRAIGHT, windows=SOFT),
    "oblique": Series(spot(), oblique(), windows=SOFT),
    "film": Series(
        np.tile(np.arange(600, dtype=np.uint16) * 5, (400, 1))[None],
        physical=False,
        unit=None,
        windows=[{"name": "as sent", "centre": 1500, "width": 3000}],
    ),
    "photo": Series(colours(), physical=False, unit=None),
    "cine": Series(
        np.arange(5, dtype=np.uint8)[:, None, None] * np.full((1, 64, 64), 40, np.uint8), physical=False, unit=None
    ),
    "map": Series((volume() / 1000).astype(np.float32), STRAIGHT, unit="1/s"),
    "grows": Series(np.stack([np.full((64, 64), value, np.float32) for value in (0.2, 0.1, 0.3, 9.0)]), physical=False),
    "long": Series(np.zeros((60, 512, 512), np.int16), STRAIGHT, windows=SOFT),
}
