"""The invented scanner: samples a body with partial volume, blur and correlated, dose-dependent noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from diascope.core.geometry import Geometry
from diascope.sources.phantoms.anatomy import LESION, LIVER, Body, Part, rotation

Values = npt.NDArray[np.float32]
Box = tuple[slice, slice, slice]
FINE = 2
"""Samples per voxel and axis: a voxel is the mean of eight, which is what partial volume is."""
AIR, GAS = -1000.0, -920.0
BEYOND = 120.0
"""Half length in mm that no volume here reaches."""


@dataclass(frozen=True)
class Scanner:
    """One site's machine."""

    site: str
    maker: str
    model: str
    kernel: str
    blur: float
    """Standard deviation of the point spread in the plane, in pixels."""
    slices: tuple[float, float]
    """Range of the slice thickness in mm."""


SCANNERS = (
    Scanner("north", "Diascope Phantoms", "Cylinder One", "SMOOTH", 0.70, (2.5, 3.5)),
    Scanner("south", "Diascope Phantoms", "Cylinder Two", "STANDARD", 0.55, (3.0, 4.5)),
    Scanner("harbour", "Diascope Phantoms", "Ellipse", "SHARP", 0.45, (2.0, 5.0)),
)


@dataclass(frozen=True)
class Protocol:
    """How one study was taken.

    Args:
        geometry: Of the voxels.
        shape: (Z, Y, X).
        exposure: mAs; noise falls with its square root.
    """

    geometry: Geometry
    shape: tuple[int, int, int]
    exposure: int


@dataclass(frozen=True)
class Scan:
    """What the scanner gave: (Z, Y, X) int16 HU and uint8 labels."""

    hu: npt.NDArray[np.int16]
    labels: npt.NDArray[np.uint8]


def draw_protocol(rng: np.random.Generator, scanner: Scanner) -> Protocol:
    """Draw field of view, spacing and orientation: half of the studies lie oblique by up to 15 degrees."""
    pixel = float(np.round(rng.uniform(2.6, 3.8), 2))
    slice_mm = float(np.round(rng.uniform(*scanner.slices), 2))
    across = int(np.clip(2 * round(124 / pixel), 64, 96))
    count = int(np.clip(round(104 / slice_mm), 24, 40))
    shape = (count, across, across)
    degrees = rng.uniform(3, 15) if rng.random() < 0.5 else 0.0
    axes = rotation(rng.normal(size=3), float(np.deg2rad(degrees))) @ np.eye(3)[::-1].T
    spacing = (slice_mm, pixel, pixel)
    middle = axes @ (np.asarray(spacing) * (np.asarray(shape) - 1) / 2)
    origin = rng.uniform(-5, 5, 3) - middle
    geometry = Geometry.from_spacing(spacing, (float(origin[0]), float(origin[1]), float(origin[2])), axes)
    return Protocol(geometry, shape, int(rng.integers(60, 241)))


def scan(rng: np.random.Generator, body: Body, scanner: Scanner, protocol: Protocol) -> Scan:
    """Take the picture; the labels say what fills most of a voxel."""
    shape = tuple(FINE * size for size in protocol.shape)
    grid = protocol.geometry.resized(protocol.shape, (shape[0], shape[1], shape[2]))
    hu, labels = np.full(shape, AIR, np.float32), np.zeros(shape, np.uint8)
    for part in body.parts:
        _paint(part, grid, hu, labels)
    voxels = _mean(hu)
    voxels = ndimage.gaussian_filter1d(ndimage.gaussian_filter1d(voxels, scanner.blur, 1), scanner.blur, 2)
    voxels += _noise(rng, voxels, scanner, protocol)
    lesion = _mean((labels == LESION).astype(np.float32))
    organ = _mean((labels > 0).astype(np.float32))
    seen = np.where(lesion >= 0.5, LESION, np.where(organ >= 0.5, LIVER, 0)).astype(np.uint8)
    return Scan(np.clip(np.round(voxels), -1024, 3071).astype(np.int16), seen)


def _paint(part: Part, grid: Geometry, hu: Values, labels: npt.NDArray[np.uint8]) -> None:
    box = _box(part, grid, hu.shape)
    points = _points(grid, box, part.centre)
    distance = _radius(part, points)
    wave = _wave(part, points) if part.texture or part.bumps else None
    if wave is not None and part.bumps:
        distance = distance * (1 + np.float32(part.bumps) * wave)
    inside = distance < 1
    density = np.full(distance.shape, part.hu, np.float32)
    if part.shell:
        density[distance > 1 - part.shell / min(part.semi)] = part.shell_hu
    if wave is not None:
        density += np.float32(part.texture) * wave
    if wave is not None and part.gas is not None:
        density[wave > part.gas] = GAS
    np.copyto(hu[box], density, where=inside)
    if part.label is not None:
        labels[box][inside] = part.label


def _box(part: Part, grid: Geometry, shape: tuple[int, ...]) -> Box:
    """The index range that a part can touch; cylinders end beyond the field of view."""
    inverse = np.linalg.inv(grid.affine)[:3, :3]
    semi = np.minimum(part.semi, BEYOND)
    middle = grid.to_voxel(part.centre)
    reach = np.linalg.norm(inverse @ part.turn * semi, axis=1) * (1 + 2 * part.bumps) + 1
    low = np.clip(np.floor(middle - reach), 0, shape).astype(int)
    high = np.clip(np.ceil(middle + reach) + 1, 0, shape).astype(int)
    z, y, x = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return z, y, x


def _points(grid: Geometry, box: Box, centre: tuple[float, float, float]) -> list[Values]:
    """Patient coordinates x, y, z of a box of samples, from `centre`."""
    steps = [np.arange(part.start, part.stop, dtype=np.float32) for part in box]
    along = [steps[0][:, None, None], steps[1][:, None], steps[2]]
    affine = grid.affine.astype(np.float32)
    return [
        affine[row, 0] * along[0]
        + affine[row, 1] * along[1]
        + (affine[row, 2] * along[2] + affine[row, 3] - np.float32(centre[row]))
        for row in range(3)
    ]


def _radius(part: Part, points: list[Values]) -> Values:
    """Distance from the centre in units of the half axes: 1 on the outline."""
    matrix = (part.turn / np.asarray(part.semi)).T.astype(np.float32)
    square: Values = np.zeros(1, np.float32)
    for row in matrix[np.abs(matrix).max(1) > 0]:
        terms = [weight * point for weight, point in zip(row, points, strict=True) if weight]
        square = square + sum(terms[1:], terms[0]) ** 2
    return np.asarray(np.sqrt(square))


def _wave(part: Part, points: list[Values]) -> Values:
    """A smooth random pattern with unit variance."""
    total: Values = np.zeros(1, np.float32)
    for a, b, c, phase in part.waves.astype(np.float32):
        total = total + np.cos(a * points[0] + b * points[1] + (c * points[2] + phase))
    return np.asarray(total / np.float32(np.sqrt(len(part.waves) / 2)))


def _mean(fine: Values) -> Values:
    z, y, x = (size // FINE for size in fine.shape)
    return np.asarray(fine.reshape(z, FINE, y, FINE, x, FINE).mean((1, 3, 5), dtype=np.float32))


def _noise(rng: np.random.Generator, voxels: Values, scanner: Scanner, protocol: Protocol) -> Values:
    """Quantum noise: deviation ~ 1 / sqrt(mAs x slice), more where there is more tissue, correlated by the kernel."""
    white = rng.standard_normal(voxels.shape, dtype=np.float32)
    grain = ndimage.gaussian_filter1d(ndimage.gaussian_filter1d(white, scanner.blur, 1), scanner.blur, 2)
    grain /= grain.std()
    deviation = 13 * np.sqrt(120 / protocol.exposure * 3 / protocol.geometry.spacing[0])
    tissue = np.clip(voxels / 1000 + 1, 0, 1.2)
    depth = ndimage.uniform_filter(tissue, (1, 31, 31), mode="nearest")
    return np.asarray(grain * (deviation * (0.5 + 0.6 * depth)), dtype=np.float32)
