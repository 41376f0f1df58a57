"""A CSV with a row a box: `image,xmin,ymin,xmax,ymax,label`, and the images that it names; or one for each part.

In volumes `zmin` and `zmax` beside them, or the middle in millimetres and the diameter, as LUNA16 has them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from diascope import formats
from diascope.core.boxes import Boxes
from diascope.core.case import Case, FileRef, Split
from diascope.core.errors import DataRefused, UnreadableFile
from diascope.sources import Listing, SourceOptions
from diascope.sources.folders.drawn import Images, boxes_target, case_of, image_ref, refuse_mixed_images, words
from diascope.sources.folders.files import contents, posix, reason, stem_of
from diascope.sources.folders.files import image_ref as series_ref
from diascope.sources.tables.describe import Rows, describe
from diascope.sources.tables.drawn import Sides, box_tables, boxes_alone, boxes_by_image, in_voxels, sides_of
from diascope.sources.tables.sheet import Cells, Sheet, read_sheet


@dataclass(frozen=True)
class Part:
    """What one table leads to.

    Args:
        split: That its folder is called after.
        sheet: The table.
        sides: Its columns of boxes.
        places: Name of each image in the table to its path, relative to the root.
        boxes: Name to boxes.
        rows: Name to the first row.
        alone: Images beside the table that it does not name.
    """

    split: Split | None
    sheet: Sheet
    sides: Sides
    places: Mapping[str, str]
    boxes: Mapping[str, Boxes]
    rows: Mapping[str, Cells]
    alone: int


class BoxTable:
    """Boxes as rows; other columns (patient, split, site, age) are those of the image, from its first row."""

    def recognises(self, location: str) -> str | None:
        return reason(location, _why)

    def list(self, location: str, options: SourceOptions) -> Listing:
        """List the images that the tables name.

        Raises:
            DataRefused: When there is no such table, or several in one folder, or none of the images is there.
            UnknownName: When a column that the user named does not exist.
        """
        place = Path(location)
        root = place if place.is_dir() else place.parent
        parts = [_part(root, split, name) for split, name in _tables(place)]
        if not any(part.places for part in parts):
            named = [name for part in parts for name in part.boxes]
            raise DataRefused(
                f"none of the {len(named)} images that {_names(parts)} names is there", given=next(iter(named), ""),
                todo="Write paths relative to the table, or put the images beside it",
            )  # fmt: skip
        refuse_mixed_images([_a_file(root, path) for part in parts for path in part.places.values()], root)
        cases, rows = _cases(parts, root)
        drawn = [part.boxes[name] for part in parts for name in part.places]
        described = describe(cases, options, boxes_alone(rows, options), [boxes_target(drawn, place)])
        notes = [f"boxes: {words(drawn)}", *(note for part in parts for note in _notes(part))]
        return Listing(root, described.cases, described.targets, (*notes, *described.notes))


def _part(root: Path, split: Split | None, name: str) -> Part:
    path, prefix = root / name, f"{name.rpartition('/')[0]}/" if "/" in name else ""
    sheet = read_sheet(path)
    sides = sides_of(sheet.columns)
    if sides is None:
        raise DataRefused("this table has no columns of boxes", given=path)
    boxes, rows = boxes_by_image(sheet, sides)
    images = Images(root / prefix, [f"{one}/" for one in contents(root / prefix)[0]])
    found = {name: place for name in boxes if (place := images.find(name) or _folder(root / prefix, name)) is not None}
    _refuse_twice(found, path)
    alone = len(set(images.paths) - set(found.values()))
    places = {name: place if Path(place).is_absolute() else f"{prefix}{place}" for name, place in found.items()}
    if sides.form == "mm":
        boxes = {**boxes, **{name: _placed(boxes[name], places[name], root) for name in places}}
    return Part(split, sheet, sides, places, boxes, rows, alone)


def _folder(root: Path, name: str) -> str | None:
    """The folder of one DICOM series that a row names in the place of a file."""
    path = posix(name).rstrip("/")
    return path if path and (root / path).is_dir() else None


def _ref(root: Path, place: str) -> FileRef:
    return series_ref(root, place) if (root / place).is_dir() else image_ref(place)


def _a_file(root: Path, place: str) -> str:
    """A file of an image, to tell its kind by its name: a folder holds DICOM."""
    return f"{place}/1.dcm" if (root / place).is_dir() else place


def _placed(boxes: Boxes, place: str, root: Path) -> Boxes:
    """Boxes in millimetres of the patient as voxels of their image; as they are where it cannot be read.

    Raises:
        DataRefused: When the image has no millimetres.
    """
    ref = _ref(root, place)
    try:
        size = formats.extent(ref, root)
        geometry = formats.read(ref, root).geometry if size is None else size.geometry
    except UnreadableFile:
        return boxes  # the survey reads every file and reports this one with the reason
    if not geometry.physical:
        raise DataRefused(
            "boxes in millimetres on an image that has none",
            given=place,
            todo="Write voxels: xmin, ymin, zmin, xmax, ymax, zmax",
        )
    return in_voxels(boxes, geometry)


def _cases(parts: Sequence[Part], root: Path) -> tuple[list[Case], Rows]:
    """A case for each image that is there, and its first row."""
    paths = [path for part in parts for path in part.places.values()]
    same = len({stem_of(path) for path in paths}) < len(paths)
    columns = tuple(dict.fromkeys(column for part in parts for column in part.sheet.columns))
    cases, rows = [], {}
    for part in parts:
        for name, path in part.places.items():
            case = case_of(path if same else stem_of(path), _a_file(root, path), part.boxes[name], part.split)
            cases.append(case.model_copy(update={"inputs": {"image": _ref(root, path)}}))
            rows[case.id] = {column: part.rows[name].get(column) for column in columns}
    return cases, Rows(columns, rows, frozenset[str]().union(*(part.sides.columns for part in parts)))


def _notes(part: Part) -> list[str]:
    notes, table = list(part.sheet.notes), part.sheet.path.name
    if len(part.boxes) > len(part.places):
        missing = next(name for name in part.boxes if name not in part.places)
        lost = len(part.boxes) - len(part.places)
        notes.append(f"{lost} images of {table} are not there, such as {missing}: left out")
    if part.alone:
        notes.append(
            f"{part.alone} images are in no row of {table}: left out; give one in which nothing is an empty row"
        )
    return notes


def _names(parts: Sequence[Part]) -> str:
    return ", ".join(part.sheet.path.name for part in parts)


def _refuse_twice(found: Mapping[str, str], table: Path) -> None:
    """Refuse two names of one image: its boxes would be two cases.

    Raises:
        DataRefused: Names both.
    """
    names: dict[str, str] = {}
    for name, place in found.items():
        if place in names:
            raise DataRefused(
                f"{table.name} names the image {place} in two ways", given=f"{names[place]} and {name}",
                todo="Write its name in one way",
            )  # fmt: skip
        names[place] = name


def _why(place: Path) -> str | None:
    tables = box_tables(place)
    if not tables or _several(tables):
        return None
    return f"{tables[0][1]} has a row a box"


def _several(tables: Sequence[tuple[Split | None, str]]) -> bool:
    """Whether two tables lie in one folder."""
    return len({name.rpartition("/")[0] for _, name in tables}) < len(tables)


def _tables(place: Path) -> list[tuple[Split | None, str]]:
    tables = box_tables(place)
    if not tables or _several(tables):
        raise DataRefused(
            f"{len(tables)} tables with a row a box lie here",
            given=", ".join(name for _, name in tables) or place,
            todo="Name one with the columns image, xmin, ymin, xmax, ymax and label",
        )
    return tables


SOURCE = BoxTable()
