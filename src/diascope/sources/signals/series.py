"""Image series over time in a manifest: as frames of an image, or as curves of regions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from diascope.core.case import FileRef
from diascope.core.errors import DataRefused
from diascope.formats.dicomio.headers import is_dicom
from diascope.formats.region_curves import LABELS
from diascope.sources.folders.files import file_ref

FRAMES, CURVES, REGIONS = "image_series", "curves", "regions"
"""Columns: a series that is read as frames; one that is read as curves; and the masks of its regions."""


def frames_ref(root: Path, cell: str) -> FileRef:
    """A series over time, whose frames are the channels of an image.

    Args:
        root: Folder of the manifest.
        cell: A 4-D image, or a DICOM cine, or the folder of one DICOM series.
    """
    full = root / cell
    if full.is_dir():
        files = sorted(entry.name for entry in full.iterdir() if entry.is_file())
        return FileRef(format="dicom_dynamic", paths=tuple(f"{cell.rstrip('/')}/{name}" for name in files))
    return FileRef(format="dicom_dynamic", paths=(cell,)) if is_dicom(full) else file_ref(cell)


def curves_ref(root: Path, cell: str, regions: str | None) -> FileRef:
    """A series over time and the mask of its regions, of which each gives a curve.

    Raises:
        DataRefused: When there is no mask.
    """
    if regions is None:
        raise DataRefused(
            f"the curves of {cell} have no regions", todo=f"Name the mask of each series in a column {REGIONS!r}"
        )
    names = ((Path(regions).parent / LABELS).as_posix(), LABELS)
    declared = next(((name,) for name in names if (root / name).is_file()), ())
    series = frames_ref(root, cell).paths
    return FileRef(format="region_curves", paths=(*series, regions, *declared), kind="signal")


def regions_of(name: str, column: str, columns: Mapping[str, str | None]) -> str | None:
    """The cell that names the mask of a column of curves: `regions:NAME` for `curves:NAME`, else `regions`."""
    wanted = (f"{REGIONS}:{name}", REGIONS) if ":" in column else (REGIONS,)
    for key in wanted:
        for own, cell in columns.items():
            if own.strip().lower() == key.lower() and cell is not None:
                return cell.replace("\\", "/").removeprefix("./")
    return None
