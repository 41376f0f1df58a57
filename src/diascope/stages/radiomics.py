"""radiomics: features of marked structures, one row a case, as a table that `fit` reads and other programs do."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

import diascope
from diascope import formats
from diascope.core import registry
from diascope.core.case import Case, FileRef, Scalar, Target
from diascope.core.errors import BadUsage, DataRefused, DiascopeError, UnknownName, UnsoundGeometry
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.core.record import canonical_json, write_durably
from diascope.engine.orienting import upright
from diascope.engine.placing import placed
from diascope.engine.preparing import read_images
from diascope.engine.progress import Tell, silent
from diascope.features import Bins, Features, Region
from diascope.formats.dicomio.placing import place_on
from diascope.sources import Listing, Request
from diascope.sources.publicsets.listing import listing_of
from diascope.transforms.resampling.volume import onto

HOUNSFIELD = 25.0
"""Width of a level where the unit means the same in every image (HU), as PyRadiomics has it."""
LEVELS = 32
"""Levels of a region elsewhere."""
SETTINGS = ".json"
Row = tuple[dict[str, Scalar], dict[str, float]]
"""What is known of a case, and its features."""
UNLIKE = 1.1
"""Ratio of spacings from which on texture is not comparable between cases."""


@dataclass(frozen=True)
class Measured:
    """What was measured.

    Args:
        out: The table.
        cases: Rows of it.
        features: Columns with a feature.
        left_out: Case id to the reason why it has no row.
        notes: What the user should know.
    """

    out: Path
    cases: int
    features: int
    left_out: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """What `diascope radiomics --json` prints."""
        return {**vars(self), "out": str(self.out), "left_out": dict(self.left_out), "notes": list(self.notes)}


@dataclass(frozen=True)
class Grid:
    """How regions are measured: the same for all cases.

    Args:
        bins: Grey levels; None is chosen by the unit of the first image.
        spacing: mm to which images and masks are resampled first; None leaves each on its own grid.
    """

    bins: Bins | None = None
    spacing: float | None = None


def radiomics(request: Request, out: Path, grid: Grid, tell: Tell = silent) -> Measured:
    """Measure the structures of every case that has a mask.

    Args:
        request: Which data; its target names the mask where there are several.
        out: CSV to write; how it was measured stands in a JSON file beside it.
        grid: Levels and spacing.
        tell: Told about progress.

    Raises:
        BadUsage: When there are several masks and none was named, or the table exists.
        DataRefused: When no case has an image and a mask that can be read.
    """
    if out.suffix.lower() != ".csv" or out.exists():
        raise BadUsage("a new CSV file is needed", given=out, todo="Give another name: nothing is written over")
    listing = listing_of(request, tell)
    target = _mask_of(listing, request.options.target)
    cases = [case for case in listing.cases if isinstance(case.targets.get(target.columns[0]), FileRef)]
    rows: list[Row] = []
    left_out: dict[str, str] = {}
    grids: list[Geometry] = []
    for number, case in enumerate(cases, start=1):
        tell({"event": "progress", "what": "measuring", "done": number, "total": len(cases)})
        try:
            images, mask = _read(case, listing.root, target)
            grid = Grid(grid.bins or _usual(images), grid.spacing)
            rows.append((_about(case), _features(images, mask, target, grid)))
            grids.append(next(iter(images.values())).geometry)
        except DiascopeError as error:
            left_out[case.id] = str(error)
    if not rows or grid.bins is None:
        raise DataRefused(
            f"no case of {request.location} could be measured",
            given="; ".join(f"{case}: {why}" for case, why in list(left_out.items())[:3]) or "no case has a mask",
        )
    notes = _notes(grids, grid)
    return _written(out, rows, left_out, _settings(request, target, grid, notes))


def _mask_of(listing: Listing, name: str | None) -> Target:
    masks = {target.name: target for target in listing.targets if target.kind == "mask"}
    if name is None and len(masks) == 1:
        return next(iter(masks.values()))
    if not masks:
        raise DataRefused("nothing here has a mask", given=", ".join(one.name for one in listing.targets) or "nothing")
    if name is None:
        raise BadUsage("there are several masks", given=", ".join(masks), todo="Choose one with --target")
    if name not in masks:
        raise UnknownName("mask", name, masks)
    return masks[name]


def _read(case: Case, root: Path, target: Target) -> tuple[dict[str, Image], npt.NDArray[Any]]:
    """Images and the mask in one order of axes, on the grid of the first image."""
    names = tuple(name for name, ref in case.inputs.items() if isinstance(ref, FileRef) and ref.kind == "image")
    marked = case.targets[target.columns[0]]
    if not names or not isinstance(marked, FileRef):
        raise DataRefused(f"case {case.id} has no image, or no mask")
    images = read_images(case, root, names)
    turned = upright(_lying(formats.read(marked, root), images))
    return {name: upright(image) for name, image in images.items()}, np.asarray(turned.array[0])


def _lying(mask: Image, images: Mapping[str, Image]) -> Image:
    """The mask on the grid of the first image: as it is, or moved there from another image that it lies on.

    Raises:
        UnsoundGeometry: When it lies on none: where it belongs would be a guess (`checks/mask_geometry.py`).
    """
    first, why = next(iter(images.values())), []
    for image in images.values():
        found, apart = placed(mask, image)
        if not apart:
            return found if image is first else place_on(found, first.geometry, first.shape)
        why.append(apart)
    raise UnsoundGeometry(why[0], todo="Write the mask on the grid of its image")


def _usual(images: Mapping[str, Image]) -> Bins:
    units = {image.unit for image in images.values()}
    return Bins(width=HOUNSFIELD) if units == {"HU"} else Bins(count=LEVELS)


def _about(case: Case) -> dict[str, Scalar]:
    """What else is known of a case: labels to learn, age, sex, ..."""
    known: dict[str, Scalar] = {"case": case.id, "patient": case.patient if case.patient_known else None}
    known |= {"split": case.split, "site": case.site}
    known |= {name: value for name, value in case.targets.items() if isinstance(value, str | int | float)}
    return known | {name: value for name, value in case.covariates.items() if name not in known}


def _features(images: Mapping[str, Image], mask: npt.NDArray[Any], target: Target, grid: Grid) -> dict[str, float]:
    first = next(iter(images.values()))
    found: dict[str, float] = {}
    for name, image in images.items():
        before = f"{name}_" if len(images) > 1 else ""
        for structure, marked in _structures(mask, target).items():
            values, inside, spacing = _on_grid(image, marked, first, grid.spacing)
            if not inside.any():
                continue  # An empty cell: it is not there, or was lost at this spacing.
            region = Region.cut(values, inside, spacing, grid.bins or _usual(images))
            found |= {f"{before}{structure}{key}": value for key, value in _of_region(region, image).items()}
    if not found:
        raise DataRefused("the mask marks nothing")
    return found


def _structures(mask: npt.NDArray[Any], target: Target) -> dict[str, npt.NDArray[np.bool_]]:
    """Prefix of the columns to the voxels of each structure; none where there is only one."""
    if not target.labels:
        return {"": mask > 0}
    marked = {label.name: np.isin(mask, label.members or (label.value,)) for label in target.labels}
    return {f"{name}_": one for name, one in marked.items()} if len(marked) > 1 else {"": next(iter(marked.values()))}


def _on_grid(
    image: Image, marked: npt.NDArray[np.bool_], first: Image, step: float | None
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_], tuple[float, float, float]]:
    """Grey values and mask (Z, Y, X) on one grid, with its spacing in mm."""
    if image.channels > 1:
        raise DataRefused("radiomics are of images with one channel", given=f"{image.channels} channels")
    volume = np.asarray(image.array, np.float32)
    if step is None and image.shape == first.shape and image.geometry.is_close(first.geometry):
        return volume[0], marked, image.geometry.steps
    geometry, shape = _grid(first, step)
    sampled = onto(torch.from_numpy(volume), image.geometry, geometry, shape)
    inside = onto(torch.from_numpy(marked[None].astype(np.uint8)), first.geometry, geometry, shape, order=0)
    return sampled[0].numpy(), inside[0].numpy() > 0, geometry.steps


def _grid(first: Image, step: float | None) -> tuple[Geometry, tuple[int, int, int]]:
    """The grid of the first image, or one with steps of `step` mm; a single slice keeps its thickness."""
    if step is None:
        return first.geometry, first.shape
    sides = zip(first.shape, first.geometry.spacing, strict=True)
    z, y, x = (max(1, round(side * mm / step)) if side > 1 else 1 for side, mm in sides)
    return first.geometry.resized(first.shape, (z, y, x)), (z, y, x)


def _of_region(region: Region, image: Image) -> dict[str, float]:
    """Every feature by the name of its column: group, feature, unit."""
    found = {}
    for group, plugin in registry.each("features"):
        features: Features = plugin
        if features.flat is not None and features.flat != region.flat:
            continue
        for name, value in features.measure(region).items():
            unit = features.units.get(name, "")
            unit = image.unit if unit == "image" else unit if image.geometry.physical else ""
            found[f"{group}_{name} [{unit}]" if unit and unit != "a.u." else f"{group}_{name}"] = float(value)
    return found


def _notes(grids: Sequence[Geometry], grid: Grid) -> list[str]:
    without = sum(not one.physical for one in grids)
    if without:
        return [f"{without} of {len(grids)} cases know no millimetres: their sizes are in pixels"]
    sizes = np.array([one.spacing for one in grids])
    if grid.spacing is not None or (sizes.max(axis=0) <= UNLIKE * sizes.min(axis=0)).all():
        return []
    low, high = (" x ".join(f"{one:.3g}" for one in ends) for ends in (sizes.min(axis=0), sizes.max(axis=0)))
    return [f"spacings from {low} to {high} mm: texture is comparable only after --spacing brings them to one"]


def _settings(request: Request, target: Target, grid: Grid, notes: Sequence[str]) -> dict[str, Any]:
    bins = grid.bins or Bins(count=LEVELS)
    return {
        "diascope": diascope.__version__,
        "source": request.location,
        "mask": target.name,
        "levels": {"width": bins.width} if bins.width is not None else {"count": bins.count},
        "spacing_mm": grid.spacing,
        "definitions": "PyRadiomics 3; directions at distance 1, symmetrical, averaged",
        "notes": list(notes),
    }


def _written(out: Path, rows: Sequence[Row], left_out: Mapping[str, str], settings: Mapping[str, Any]) -> Measured:
    about = list(dict.fromkeys(name for known, _ in rows for name, value in known.items() if value is not None))
    features = list(dict.fromkeys(name for _, found in rows for name in found))
    text = io.StringIO()
    table = csv.DictWriter(text, [*about, *features], lineterminator="\n", extrasaction="ignore")
    table.writeheader()
    for known, found in rows:
        # What is not defined is empty.
        table.writerow(known | {name: f"{value:.9g}" for name, value in found.items() if np.isfinite(value)})
    write_durably(out, text.getvalue().encode())
    write_durably(out.with_suffix(SETTINGS), (canonical_json(settings, indent=1) + "\n").encode())
    return Measured(out, len(rows), len(features), left_out, tuple(settings["notes"]))
