"""A CSV with a row a box: `image,xmin,ymin,xmax,ymax,label`, and the images that it names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from diascope.core.errors import DataRefused
from diascope.sources import Listing, SourceOptions
from diascope.sources.folders.drawn import Images, boxes_target, case_of, refuse_mixed_images, words
from diascope.sources.folders.files import contents, reason, stem_of
from diascope.sources.tables.describe import Rows, describe
from diascope.sources.tables.drawn import Sides, boxes_alone, boxes_by_image, sides_of
from diascope.sources.tables.sheet import read_columns, read_sheet


class BoxTable:
    """Boxes as rows; other columns (patient, split, site, age) are those of the image, from its first row."""

    def recognises(self, location: str) -> str | None:
        return reason(location, _why)

    def list(self, location: str, options: SourceOptions) -> Listing:
        """List the images that the table names.

        Raises:
            DataRefused: When there is no such table, or several, or none of the images is there.
            UnknownName: When a column that the user named does not exist.
        """
        path, sides = _table(Path(location))
        sheet, root = read_sheet(path), path.parent
        boxes, rows = boxes_by_image(sheet, sides)
        images = Images(root, [f"{name}/" for name in contents(root)[0]])
        found = {name: place for name in boxes if (place := images.find(name)) is not None}
        if not found:
            raise DataRefused(
                f"none of the {len(boxes)} images that {path.name} names is there", given=next(iter(boxes), ""),
                todo="Write paths relative to the table, or put the images beside it",
            )  # fmt: skip
        _refuse_twice(found, path)
        refuse_mixed_images(found.values(), root)
        stems = {name: stem_of(place) for name, place in found.items()}
        same = len(set(stems.values())) < len(stems)
        ids = {name: place if same else stems[name] for name, place in found.items()}
        cases = [case_of(ids[name], place, boxes[name]) for name, place in found.items()]
        of_case = {ids[name]: rows[name] for name in found}
        target = boxes_target([boxes[name] for name in found], path)
        described = describe(
            cases, options, boxes_alone(Rows(sheet.columns, of_case, sides.columns), options), [target]
        )
        notes = [*sheet.notes, f"boxes: {words(boxes[name] for name in found)}"]
        if len(boxes) > len(found):
            missing = next(name for name in boxes if name not in found)
            notes.append(f"{len(boxes) - len(found)} images of {path.name} are not there, such as {missing}: left out")
        return Listing(root, described.cases, described.targets, (*notes, *described.notes))


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
    tables = _tables(place)
    return f"{tables[0].name} has a row a box" if len(tables) == 1 else None


def _tables(place: Path) -> list[Path]:
    """The CSV files with columns of boxes: the file itself, or those in the folder."""
    if place.is_dir():
        paths = [place / name for name in contents(place)[1] if name.lower().endswith(".csv")]
    else:
        paths = [place] if place.name.lower().endswith(".csv") and place.is_file() else []
    return [path for path in paths if sides_of(read_columns(path)) is not None]


def _table(place: Path) -> tuple[Path, Sides]:
    tables = _tables(place)
    if len(tables) != 1:
        raise DataRefused(
            f"{len(tables)} tables with a row a box lie here",
            given=", ".join(path.name for path in tables) or place,
            todo="Name one with the columns image, xmin, ymin, xmax, ymax and label",
        )
    sides = sides_of(read_columns(tables[0]))
    if sides is None:
        raise DataRefused("this table has no columns of boxes", given=tables[0])
    return tables[0], sides


SOURCE = BoxTable()
