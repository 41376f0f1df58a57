"""Pascal VOC: `Annotations/7.xml` with boxes, `JPEGImages/7.jpg`, and lists of parts in `ImageSets/Main`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from diascope.core.boxes import Boxes
from diascope.core.case import Case, Split
from diascope.core.errors import DataRefused, UnreadableFile
from diascope.core.problem import Problem
from diascope.formats.boxes.voc import read_voc
from diascope.sources import Listing, SourceOptions
from diascope.sources.folders.drawn import (
    Images,
    boxes_target,
    case_of,
    refuse_mixed_images,
    words,
    xml_files,
    xml_folders,
)
from diascope.sources.folders.files import case_ids, is_declared, reason
from diascope.sources.tables.beside import rows_beside
from diascope.sources.tables.describe import describe
from diascope.sources.tables.drawn import boxes_alone

LISTS = "ImageSets/Main"
PARTS: dict[str, Split] = {"train": "train", "trainval": "train", "val": "val", "test": "test"}
"""Lists that give parts; other files there are lists of single labels."""


@dataclass
class Found:
    """What the annotations of one folder lead to.

    Args:
        split: That the folder is called after.
        boxes: Path of an image, relative to the root, to its boxes.
        stems: The same to the stem of its annotation.
        lost: Annotations that belong to no image.
        alone: Images without an annotation.
        broken: File to why it could not be read.
    """

    split: Split | None
    boxes: dict[str, Boxes] = field(default_factory=dict)
    stems: dict[str, str] = field(default_factory=dict)
    lost: int = 0
    alone: int = 0
    broken: dict[str, str] = field(default_factory=dict)


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
        folders = xml_folders(root)
        if not folders:
            raise DataRefused("no folder of XML annotations lies here", given=root, todo="See docs/how-to/layouts.md")
        found = [_found(root, prefix, split) for split, prefix in folders]
        paths = [path for one in found for path in one.boxes]
        if not paths:
            raise DataRefused(
                f"no image belongs to any of the {sum(one.lost for one in found)} annotations", given=root,
                todo="Put the images into JPEGImages, with the stems of the annotations",
            )  # fmt: skip
        refuse_mixed_images(paths, root)
        cases, notes = _cases(root, found)
        drawn = [boxes for case in cases if isinstance(boxes := case.targets["boxes"], Boxes)]
        rows, table_notes = rows_beside(root, cases)
        described = describe(cases, options, boxes_alone(rows, options), [boxes_target(drawn, root)])
        return Listing(
            root=root,
            cases=described.cases,
            targets=described.targets,
            notes=(f"boxes: {words(drawn)}", *notes, *_left_out(found), *table_notes, *described.notes),
            problems=_unreadable(found),
        )


def _why(root: Path) -> str | None:
    if not root.is_dir() or is_declared(root):
        return None
    prefixes = [prefix for _, prefix in xml_folders(root)]
    return f"XML annotations in {', '.join(prefix or 'the folder itself' for prefix in prefixes)}" if prefixes else None


def _found(root: Path, prefix: str, split: Split | None) -> Found:
    """The annotations of one folder, and the images that they are about."""
    part = f"{prefix.split('/')[0]}/" if split is not None else ""
    images, found = Images(root / part, [prefix.removeprefix(part)]), Found(split)
    for name in xml_files(root / prefix):
        try:
            read = read_voc(root / prefix / name)
        except UnreadableFile as error:
            found.broken[name] = error.reason
            continue
        stem = Path(name).stem
        path = images.find(stem, read.image)
        if path is None:
            found.lost += 1
            continue
        path = f"{part}{path}"
        if path in found.boxes:
            raise DataRefused(
                f"two annotations are about the image {path}",
                given=f"{found.stems[path]} and {stem} in {root}",
                todo="Keep one of them",
            )
        found.boxes[path], found.stems[path] = read.boxes, stem
    found.alone = len({f"{part}{path}" for path in images.paths} - set(found.boxes))
    return found


def _left_out(found: Sequence[Found]) -> list[str]:
    lost, alone = sum(one.lost for one in found), sum(one.alone for one in found)
    notes = [f"{lost} annotations belong to no image: left out"] if lost else []
    return [*notes, f"{alone} images have no annotation: left out"] if alone else notes


def _unreadable(found: Sequence[Found]) -> tuple[Problem, ...]:
    broken = {name: reason for one in found for name, reason in one.broken.items()}
    if not broken:
        return ()
    first, known = next(iter(broken)), sum(len(one.boxes) + one.lost for one in found)
    title = f"{len(broken)} of {len(broken) + known} annotations could not be read"
    detail = f"{first}: {broken[first]}. Their images are left out; mend the files to have them back."
    return (Problem(check="boxes", severity="warn", title=title, detail=detail),)


def _cases(root: Path, found: Sequence[Found]) -> tuple[list[Case], list[str]]:
    listed = _parts(root)
    owner = {path: one for one in found for path in one.boxes}
    paths = [path for path, one in owner.items() if not listed or one.stems[path] in listed]
    ids = case_ids(paths)
    # The stem alone is what people call the image; paths only where stems come twice.
    short = {name: Path(name).name for name in ids}
    names = short if len(set(short.values())) == len(short) else {name: name for name in ids}
    cases = [
        case_of(names[key], path, owner[path].boxes[path], owner[path].split or listed.get(owner[path].stems[path]))
        for key, path in ids.items()
    ]
    notes = [f"parts are those of {LISTS}"] if listed else []
    if len(paths) < len(owner):
        notes.append(f"{len(owner) - len(paths)} images are in no list of {LISTS}: left out")
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
