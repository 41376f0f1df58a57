"""From the headers of one series to one volume: order by geometry, refuse what is not sound, name the slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from diascope.core.errors import UnsoundGeometry
from diascope.core.geometry import Geometry
from diascope.formats.dicomio.headers import Instance, Plane

SAME_PLACE = 0.01
"""Slices nearer than this fraction of the spacing (or 0.001 mm) are at the same place."""

UNEVEN = 0.02
"""A slice may lie this fraction of the spacing off an even stack ..."""

ROUNDED = 0.06
"""... or these millimetres, but not a tenth of the spacing: many headers round positions to 0.1 mm."""

TILTED = 0.1
"""Degrees between the stacking direction and the slice normal above which it is a gantry tilt."""


@dataclass(frozen=True)
class Slice:
    """One frame of one file, and where it is."""

    instance: Instance
    frame: int
    plane: Plane

    @property
    def name(self) -> str:
        """For errors: file and place."""
        place = "" if self.plane.position is None else f" at {tuple(round(v, 3) for v in self.plane.position)} mm"
        number = f" frame {self.frame + 1}" if self.instance.frames > 1 else ""
        return f"{self.instance.path.name}{number}{place}"


@dataclass(frozen=True)
class Stack:
    """Slices in order, and where the volume lies.

    Args:
        slices: From the lowest to the highest along the slice normal.
        copies: Further slices at a place that is taken, with the index of the slice that they must equal.
        geometry: Sheared where the gantry was tilted.
        tilt: Degrees of gantry tilt, 0 where there is none.
        notes: What the user should know.
    """

    slices: tuple[Slice, ...]
    copies: tuple[tuple[Slice, int], ...]
    geometry: Geometry
    tilt: float = 0.0
    notes: tuple[str, ...] = ()


def stack(instances: Sequence[Instance]) -> Stack:
    """Order the frames of one series along the slice normal (never by name or instance number).

    Raises:
        UnsoundGeometry: Two patients, series or frames of reference; mixed orientation, size or spacing; a missing,
            doubled or unevenly spaced slice. Names the slice.
    """
    slices = [Slice(one, number, plane) for one in instances for number, plane in enumerate(_planes(one))]
    _refuse_mixture(slices)
    if any(one.plane.position is None or one.plane.orientation is None for one in slices):
        return _without_position(slices)
    normal, axes = axes_of(slices[0].plane, slices[0].name)
    heights = np.array([np.dot(normal, one.plane.position or ()) for one in slices])
    order = np.argsort(heights, kind="stable")
    slices, heights = [slices[k] for k in order], heights[order]
    slices, copies = _without_copies(slices, heights)
    points = np.array([one.plane.position for one in slices], dtype=np.float64)
    step, notes = _step(slices, points, normal)
    spacing = slices[0].plane.spacing
    physical = spacing is not None
    row, column = spacing or (1.0, 1.0)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = step, axes[1] * row, axes[0] * column
    affine[:3, 3] = points[0]
    geometry = Geometry(affine, physical, slices[0].instance.frame_of_reference)
    tilt = float(np.degrees(np.arccos(min(1.0, float(np.dot(step, normal) / np.linalg.norm(step))))))
    return Stack(tuple(slices), tuple(copies), geometry, tilt if tilt > TILTED else 0.0, tuple(notes))


def _planes(instance: Instance) -> tuple[Plane, ...]:
    """One plane a frame.

    Raises:
        UnsoundGeometry: For a classic multi-frame object: its frames have no place of their own.
    """
    if len(instance.planes) != instance.frames:
        raise UnsoundGeometry(
            f"{instance.frames} frames without a position in the patient are not the slices of a volume",
            given=instance.path.name,
            todo="Read one frame at a time, with the item frame:N",
        )
    return instance.planes


def _refuse_mixture(slices: Sequence[Slice]) -> None:
    """Everything that one volume must share; the odd one out is named."""
    first = slices[0]
    if first.plane.spacing is not None and min(first.plane.spacing) <= 0:
        raise UnsoundGeometry("the pixel spacing must be positive", given=f"{first.plane.spacing} in {first.name}")
    for one in slices:
        a, b = one.instance, first.instance
        for what, same in (
            ("another modality", a.modality == b.modality),
            ("another patient", a.patient_id == b.patient_id),
            ("another series", a.series_uid == b.series_uid),
            ("another frame of reference", a.frame_of_reference == b.frame_of_reference),
            ("another size", (a.rows, a.columns, a.samples) == (b.rows, b.columns, b.samples)),
            ("another pixel coding", (a.photometric, a.signed) == (b.photometric, b.signed)),
            ("another orientation", _near(one.plane.orientation, first.plane.orientation, 1e-3)),
            ("another pixel spacing", _near(one.plane.spacing, first.plane.spacing, 1e-3)),
        ):
            if not same:
                raise UnsoundGeometry(
                    f"the files are not one volume: {one.name} has {what} than {first.name}",
                    todo="Read each part apart, or remove the slice that does not belong",
                )


def _near(a: tuple[float, ...] | None, b: tuple[float, ...] | None, tolerance: float) -> bool:
    if a is None or b is None:
        return a is b
    return all(abs(left - right) <= tolerance for left, right in zip(a, b, strict=True))


def _without_position(slices: list[Slice]) -> Stack:
    """One frame without a place in the patient: a projection, a photograph, an ultrasound frame."""
    if len(slices) > 1:
        raise UnsoundGeometry(
            f"{len(slices)} images without a position in the patient are not the slices of a volume",
            given=f"{slices[0].name} and others",
            todo="Read one file at a time",
        )
    plane = slices[0].plane
    if plane.spacing is None:
        return Stack(tuple(slices), (), Geometry.unknown())
    geometry = Geometry.from_spacing((1.0, *plane.spacing), frame_of_reference=slices[0].instance.frame_of_reference)
    note = "pixel spacing at the detector: structures nearer to the source look larger"
    return Stack(tuple(slices), (), geometry, notes=(note,) if slices[0].instance.spacing_is_imager else ())


def axes_of(plane: Plane, name: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Slice normal (3,), and the directions of growing column and row index (2, 3); orthonormal.

    Raises:
        UnsoundGeometry: When the orientation is not two perpendicular unit vectors.
    """
    axes = np.array(plane.orientation, dtype=np.float64).reshape(2, 3)
    lengths = np.linalg.norm(axes, axis=1)
    if not np.allclose(lengths, 1, atol=0.01) or abs(np.dot(*axes)) > 0.01:
        raise UnsoundGeometry("an image orientation must be two perpendicular unit vectors", given=name)
    x = axes[0] / lengths[0]
    y = axes[1] - np.dot(axes[1], x) * x
    y /= np.linalg.norm(y)
    return np.cross(x, y), np.stack([x, y])


def _without_copies(
    slices: list[Slice], heights: npt.NDArray[np.float64]
) -> tuple[list[Slice], list[tuple[Slice, int]]]:
    """Set apart the slices whose place is taken: they are copies, or (the pixels will tell) a contradiction."""
    gaps = np.diff(heights)
    tolerance = max(1e-3, SAME_PLACE * float(np.median(gaps))) if len(gaps) else 1e-3
    kept: list[Slice] = []
    copies: list[tuple[Slice, int]] = []
    height = -np.inf
    for one, at in zip(slices, heights, strict=True):
        if at - height > tolerance:
            kept.append(one)
            height = at
        elif not _near(one.plane.position, kept[-1].plane.position, tolerance + 1e-3):
            raise UnsoundGeometry(f"two slices in one plane, displaced: {kept[-1].name} and {one.name}")
        else:
            copies.append((one, len(kept) - 1))
    return kept, copies


def _step(
    slices: list[Slice], points: npt.NDArray[np.float64], normal: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], list[str]]:
    """Millimetres (x, y, z) from slice to slice.

    Raises:
        UnsoundGeometry: A missing slice, or uneven spacing.
    """
    if len(slices) == 1:
        plane = slices[0].plane
        thickness = plane.between or plane.thickness
        return normal * abs(thickness or 1.0), [] if thickness else ["one slice of unknown thickness: 1 mm was taken"]
    _refuse_uneven(slices, points @ normal)
    step = (points[-1] - points[0]) / (len(points) - 1)
    off = np.linalg.norm(points - points[0] - np.arange(len(points))[:, None] * step, axis=1)
    worst = int(off.argmax())
    if off[worst] > 2 * _allowance(float(step @ normal)):
        raise UnsoundGeometry(
            f"the slices are not on one line: {slices[worst].name} is {off[worst]:.3f} mm off",
            todo="Read each part apart",
        )
    return step, []


def _allowance(spacing: float) -> float:
    """Millimetres that a slice may lie off."""
    return max(UNEVEN * spacing, min(ROUNDED, 0.1 * spacing))


def _refuse_uneven(slices: Sequence[Slice], heights: npt.NDArray[np.float64]) -> None:
    """A missing slice, or uneven spacing; names the two slices at the gap."""
    gaps = np.diff(heights)
    usual = float(np.median(gaps))
    off = np.abs(heights - np.linspace(heights[0], heights[-1], len(heights)))
    if off.max() <= _allowance(usual):
        return
    k = int(np.abs(gaps - usual).argmax())
    missing = round(gaps[k] / usual) - 1
    even = missing >= 1 and abs(gaps[k] - (missing + 1) * usual) <= 0.1 * usual
    what = f"{missing} slice{'s are' if missing > 1 else ' is'} missing" if even else "uneven slice spacing"
    raise UnsoundGeometry(
        f"{what}: {gaps[k]:.3f} mm between {slices[k].name} and {slices[k + 1].name}, elsewhere {usual:.3f} mm",
        todo="Export the series again, completely",
    )
