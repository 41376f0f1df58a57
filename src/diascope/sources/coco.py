"""COCO JSON: one file that lists images and their boxes, beside the images or in `annotations/`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from diascope.core.boxes import Boxes
from diascope.core.case import Case, Split
from diascope.core.errors import DataRefused
from diascope.formats.boxes.coco import Listed, looks_like_coco, read_coco
from diascope.sources import Listing, SourceOptions
from diascope.sources.folders.drawn import (
    Images,
    boxes_target,
    case_of,
    coco_files,
    image_folders,
    refuse_mixed_images,
    words,
)
from diascope.sources.folders.files import is_declared, reason, stem_of
from diascope.sources.folders.splits import SPLIT_NAMES, split_of
from diascope.sources.tables.beside import rows_beside
from diascope.sources.tables.describe import describe
from diascope.sources.tables.drawn import boxes_alone


class Coco:
    """One file for all images, or one for each part."""

    def recognises(self, location: str) -> str | None:
        return reason(location, _why)

    def list(self, location: str, options: SourceOptions) -> Listing:
        """List the images of every file.

        Raises:
            DataRefused: When no image is where a file says, or one is listed in two parts.
            UnreadableFile: When a file is no COCO JSON.
            UnknownName: When a column that the user named does not exist.
        """
        place = Path(location)
        root, files = (place.parent, [place.name]) if place.is_file() else (place, coco_files(place))
        if not files:
            raise DataRefused("no COCO JSON lies here", given=root, todo="See docs/how-to/layouts.md")
        cases, missing = _cases(root, files)
        if not cases:
            raise DataRefused(
                f"none of the {len(missing)} images of {', '.join(files)} is there",
                given=missing[0] if missing else "",
                todo="Put the images beside the file, or into a folder 'images'",
            )  # fmt: skip
        refuse_mixed_images(
            (ref.paths[0] for case in cases for ref in case.inputs.values() if hasattr(ref, "paths")), root
        )
        drawn = [boxes for case in cases if isinstance(boxes := case.targets["boxes"], Boxes)]
        rows, table_notes = rows_beside(root, cases)
        described = describe(cases, options, boxes_alone(rows, options), [boxes_target(drawn, root)])
        notes = [f"boxes: {words(drawn)}"]
        if missing:
            notes.append(f"{len(missing)} listed images are not there, such as {missing[0]}: left out")
        return Listing(
            root=root,
            cases=described.cases,
            targets=described.targets,
            notes=(*notes, *table_notes, *described.notes),
        )


def _why(place: Path) -> str | None:
    if place.is_file():
        return "a COCO JSON" if place.suffix.lower() == ".json" and looks_like_coco(place) else None
    files = coco_files(place) if place.is_dir() and not is_declared(place) else []
    return f"COCO JSON in {', '.join(files[:3])}" if files else None


def _cases(root: Path, files: Sequence[str]) -> tuple[list[Case], list[str]]:
    """A case for each image that is there, and the names of those that are not."""
    found: dict[str, tuple[Boxes, Split | None, str]] = {}
    missing: list[str] = []
    for name in files:
        part, places = _part(name), _places(root, name)
        for one in read_coco(root / name):
            path = _path(one, root, places)
            if path is None:
                missing.append(one.file)
            elif path in found:
                raise DataRefused(
                    f"the image {path} is listed twice", given=f"{found[path][2]} and {name}", todo="Keep one of them"
                )
            else:
                found[path] = (one.boxes, part, name)
    stems = {path: stem_of(path) for path in found}
    same = len(set(stems.values())) < len(stems)
    return [
        case_of(path if same else stems[path], path, boxes, part) for path, (boxes, part, _) in found.items()
    ], missing


def _places(root: Path, name: str) -> list[tuple[str, Images]]:
    """Where images may lie: a folder that is called as the part, what lies beside the file, the root."""
    prefix = f"{name.rsplit('/', 1)[0]}/" if "/" in name else ""
    own = [one for one in image_folders(root) if one.rpartition("/")[2] in Path(name).stem]
    prefixes = [*(f"{one}/" for one in own), prefix, ""]
    return [(one, Images(root / one)) for one in dict.fromkeys(prefixes)]


def _path(one: Listed, root: Path, places: Sequence[tuple[str, Images]]) -> str | None:
    found = ((prefix, images.find(one.file)) for prefix, images in places)
    return next((path if Path(path).is_absolute() else f"{prefix}{path}" for prefix, path in found if path), None)


def _part(name: str) -> Split | None:
    """The part that a file is about, by the folder that it lies in or by a word of its name (`instances_val2017`)."""
    folder = name.rsplit("/", 1)[0] if "/" in name else ""
    if (part := split_of(folder)) is not None:
        return part
    stem = "".join(c if c.isalpha() else " " for c in Path(name).stem.lower()).split()
    return next((part for part, names in SPLIT_NAMES.items() if set(stem) & set(names)), None)


SOURCE = Coco()
