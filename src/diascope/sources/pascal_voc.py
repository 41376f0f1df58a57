"""Pascal VOC: `Annotations/7.xml` with boxes, `JPEGImages/7.jpg`, and lists of parts in `ImageSets/Main`."""

from __future__ import annotations

from pathlib import Path

from diascope.core.boxes import Boxes
from diascope.core.case import Case, Split
from diascope.core.errors import DataRefused, UnreadableFile
from diascope.core.problem import Problem
from diascope.formats.boxes.voc import Annotation, read_voc
from diascope.sources import Listing, SourceOptions
from diascope.sources.folders.drawn import Images, boxes_target, by_path, case_of, words, xml_files, xml_folder
from diascope.sources.folders.files import case_ids, is_declared, reason, refuse_mixed
from diascope.sources.tables.beside import rows_beside
from diascope.sources.tables.describe import describe

LISTS = "ImageSets/Main"
PARTS: dict[str, Split] = {"train": "train", "trainval": "train", "val": "val", "test": "test"}
"""Lists that give parts; other files there are lists of single labels."""


class PascalVoc:
    """One XML file an image."""

    def recognises(self, location: str) -> str | None:
        return reason(location, _why)

    def list(self, location: str, options: SourceOptions) -> Listing:
        """List the images that have an annotation.

        Raises:
            DataRefused: When there is none, or two annotations are about one image.
            UnknownName: When a column that the user named does not exist.
        """
        root = Path(location)
        folder = xml_folder(root)
        if folder is None:
            raise DataRefused("no folder of XML annotations lies here", given=root, todo="See docs/how-to/layouts.md")
        read, problems = _read(root, folder)
        images = Images(root, [folder])
        found = {name: path for name, one in read.items() if (path := images.find(name, one.image)) is not None}
        if not found:
            raise DataRefused(
                f"no image belongs to any of the {len(read)} annotations", given=root,
                todo="Put the images into JPEGImages, with the stems of the annotations",
            )  # fmt: skip
        by_path(found, root)
        refuse_mixed(found.values(), root)
        cases, notes = _cases(root, found, read)
        drawn = [boxes for case in cases if isinstance(boxes := case.targets["boxes"], Boxes)]
        rows, table_notes = rows_beside(root, cases)
        described = describe(cases, options, rows, [boxes_target(drawn, root)])
        if len(read) > len(found):
            notes.append(f"{len(read) - len(found)} annotations belong to no image: left out")
        alone = len(set(images.paths) - set(found.values()))
        if alone:
            notes.append(f"{alone} images have no annotation: left out")
        return Listing(
            root=root,
            cases=described.cases,
            targets=described.targets,
            notes=(f"boxes: {words(drawn)}", *notes, *table_notes, *described.notes),
            problems=tuple(problems),
        )


def _why(root: Path) -> str | None:
    if not root.is_dir() or is_declared(root):
        return None
    folder = xml_folder(root)
    return f"XML annotations in {folder or 'the folder itself'}" if folder is not None else None


def _read(root: Path, folder: str) -> tuple[dict[str, Annotation], list[Problem]]:
    """Stem to what the file says, and which files could not be read."""
    found, broken = {}, dict[str, str]()
    for name in xml_files(root / folder):
        try:
            found[Path(name).stem] = read_voc(root / folder / name)
        except UnreadableFile as error:
            broken[name] = error.reason
    if not broken:
        return found, []
    first = next(iter(broken))
    title = f"{len(broken)} of {len(broken) + len(found)} annotations could not be read"
    detail = f"{first}: {broken[first]}. Their images are left out; mend the files to have them back."
    return found, [Problem(check="boxes", severity="warn", title=title, detail=detail)]


def _cases(root: Path, found: dict[str, str], read: dict[str, Annotation]) -> tuple[list[Case], list[str]]:
    parts = _parts(root)
    listed = {name: path for name, path in found.items() if not parts or name in parts}
    stems = {path: name for name, path in listed.items()}
    ids = case_ids(listed.values())
    # The stem alone is what people call the image; paths only where stems come twice.
    short = {name: Path(name).name for name in ids}
    names = short if len(set(short.values())) == len(short) else {name: name for name in ids}
    cases = [case_of(names[key], path, read[stems[path]].boxes, parts.get(stems[path])) for key, path in ids.items()]
    notes = [f"parts are those of {LISTS}"] if parts else []
    if len(listed) < len(found):
        notes.append(f"{len(found) - len(listed)} images are in no list of {LISTS}: left out")
    return cases, notes


def _parts(root: Path) -> dict[str, Split]:
    """Stem to the part that `ImageSets/Main` puts it in; `trainval` where neither of the two lists it."""
    found: dict[str, Split] = {}
    for name in ("test", "val", "train", "trainval"):
        path = root / LISTS / f"{name}.txt"
        if not path.is_file():
            continue
        try:
            lines = path.read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise UnreadableFile(path, str(error)) from error
        for stem in (line.split()[0] for line in lines if line.strip()):
            if found.get(stem, PARTS[name]) != PARTS[name] and name != "trainval":
                raise DataRefused(f"{stem} is in two lists of {LISTS}", given=root, todo="Keep it in one of them")
            found.setdefault(stem, PARTS[name])
    return found


SOURCE = PascalVoc()
