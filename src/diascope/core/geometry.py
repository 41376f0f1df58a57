"""Where voxels are: the one convention of the whole system, in one place.

Arrays are (C, Z, Y, X). A voxel index is (z, y, x). The patient frame is LPS millimetres, as in DICOM
(PS3.3 C.7.6.2.1.1): x grows to the patient's left, y to the back (posterior), z to the head (superior).
`Geometry.affine` takes a homogeneous voxel index (z, y, x, 1) to a homogeneous point (x, y, z, 1).
Other frames (RAS in NIfTI) are converted in `formats/` and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from diascope.core.errors import NotPhysical, UnsoundGeometry

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Geometry:
    """Voxel index (z, y, x) to patient millimetres (x, y, z), LPS.

    Args:
        affine: (4, 4), maps (z, y, x, 1) to (x, y, z, 1).
        physical: False where no millimetres exist (a photograph); lengths then raise `NotPhysical`.
        frame_of_reference: DICOM Frame of Reference UID (or another key), None where unknown.
    """

    affine: Array
    physical: bool = True
    frame_of_reference: str | None = field(default=None)

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise UnsoundGeometry("an affine must be 4 x 4 and finite", given=affine.tolist())
        if abs(np.linalg.det(affine[:3, :3])) < 1e-12:
            raise UnsoundGeometry("an affine must be invertible", given=affine.tolist())
        affine.setflags(write=False)
        object.__setattr__(self, "affine", affine)

    @classmethod
    def unknown(cls) -> Self:
        """The geometry of an image without millimetres: one unit a pixel, `physical=False`."""
        return cls.from_spacing((1.0, 1.0, 1.0), physical=False)

    @classmethod
    def from_spacing(
        cls,
        spacing: tuple[float, float, float],
        origin: tuple[float, float, float] = (0.0, 0.0, 0.0),
        directions: npt.ArrayLike | None = None,
        physical: bool = True,
        frame_of_reference: str | None = None,
    ) -> Self:
        """Build from parts.

        Args:
            spacing: Millimetres between voxel centres along (z, y, x).
            origin: Position (x, y, z) in mm of the centre of voxel (0, 0, 0).
            directions: (3, 3), column k is the unit vector (x, y, z) along array axis k (z, y, x). Default: axial,
                array axes along +z, +y, +x of the patient.
            physical: As in the class.
            frame_of_reference: As in the class.
        """
        axes = np.eye(3)[::-1] if directions is None else np.asarray(directions, dtype=np.float64)
        affine = np.eye(4)
        affine[:3, :3] = axes * np.asarray(spacing, dtype=np.float64)
        affine[:3, 3] = origin
        return cls(affine, physical, frame_of_reference)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Millimetres between voxel centres along (z, y, x).

        Raises:
            NotPhysical: Where no millimetres exist.
        """
        if not self.physical:
            raise NotPhysical("this image has no millimetres", todo="Measure in pixels, or give the spacing")
        return self.steps

    @property
    def steps(self) -> tuple[float, float, float]:
        """Lengths of the affine's columns along (z, y, x): millimetres if `physical`, else pixel units."""
        z, y, x = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(z), float(y), float(x)

    @property
    def directions(self) -> Array:
        """(3, 3): column k is the unit vector (x, y, z) along array axis k (z, y, x)."""
        return np.asarray(self.affine[:3, :3] / np.asarray(self.steps))

    @property
    def origin(self) -> tuple[float, float, float]:
        """Position (x, y, z) of the centre of voxel (0, 0, 0)."""
        x, y, z = self.affine[:3, 3]
        return float(x), float(y), float(z)

    def to_mm(self, index: npt.ArrayLike) -> Array:
        """Voxel indices (..., 3) as (z, y, x) to points (..., 3) as (x, y, z) in mm."""
        if not self.physical:
            raise NotPhysical("this image has no millimetres", todo="Use voxel indices")
        return np.asarray(np.asarray(index, dtype=np.float64) @ self.affine[:3, :3].T + self.affine[:3, 3])

    def to_voxel(self, points: npt.ArrayLike) -> Array:
        """Points (..., 3) as (x, y, z) in mm to (fractional) voxel indices (..., 3) as (z, y, x)."""
        if not self.physical:
            raise NotPhysical("this image has no millimetres", todo="Use voxel indices")
        inverse = np.linalg.inv(self.affine)
        return np.asarray(np.asarray(points, dtype=np.float64) @ inverse[:3, :3].T + inverse[:3, 3])

    def index_map(self, other: Geometry) -> Array:
        """(4, 4): takes a homogeneous voxel index (z, y, x, 1) here to the index of the same place in `other`.

        Of two grids of one image this needs no millimetres.
        """
        return np.asarray(np.linalg.inv(other.affine) @ self.affine)

    def voxel_volume(self) -> float:
        """Volume of one voxel in mm³ (also where the axes are sheared)."""
        if not self.physical:
            raise NotPhysical("this image has no millimetres", todo="Count voxels instead")
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    def moved(self, start: npt.ArrayLike) -> Self:
        """The geometry after cropping (or, negative, padding) so that old voxel `start` becomes voxel 0."""
        affine = np.array(self.affine)
        affine[:3, 3] = self.affine[:3, :3] @ np.asarray(start, dtype=np.float64) + self.affine[:3, 3]
        return replace(self, affine=affine)

    def flipped(self, axis: int, size: int) -> Self:
        """The geometry after reversing array axis `axis` (0 = z, 1 = y, 2 = x) of length `size`."""
        start = np.zeros(3)
        start[axis] = size - 1
        affine = np.array(self.moved(start).affine)
        affine[:3, axis] *= -1
        return replace(self, affine=affine)

    def permuted(self, order: tuple[int, int, int]) -> Self:
        """The geometry after `array.transpose(order)` of the three space axes."""
        affine = np.array(self.affine)
        affine[:3, :3] = self.affine[:3, :3][:, list(order)]
        return replace(self, affine=affine)

    def resized(self, old: tuple[int, int, int], new: tuple[int, int, int]) -> Self:
        """The geometry of the same box with another number of voxels; the outer faces stay where they are."""
        ratio = np.asarray(old, dtype=np.float64) / np.asarray(new, dtype=np.float64)
        affine = np.array(self.moved((ratio - 1) / 2).affine)
        affine[:3, :3] = self.affine[:3, :3] * ratio
        return replace(self, affine=affine)

    def is_close(self, other: Geometry, tolerance_mm: float = 1e-3) -> bool:
        """Whether both put the corners of a 100-voxel cube within `tolerance_mm` of each other."""
        if self.physical != other.physical:
            return False
        corners = np.array([[z, y, x, 1] for z in (0, 100) for y in (0, 100) for x in (0, 100)], dtype=np.float64)
        apart = np.abs(corners @ (self.affine - other.affine).T).max()
        return bool(apart <= tolerance_mm)
