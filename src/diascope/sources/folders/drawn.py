"""Images on which boxes were drawn: their target, and where the images of annotations lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from diascope.core.boxes import Boxes
from diascope.core.case import Case, Label, Split, Target
from diascope.core.errors import DataRefused
from diascope.formats.boxes.coco import looks_like_coco
from diascope.sources.folders.files import contents, file_ref, images_in, stem_of, suffix_of
from diascope.sources.folders.pairs import IMAGE_FOLDERS, plain
from diascope.sources.folders.splits import split_of

TARGET_NAME = "boxes"
"""Of the target; also its kind and its column."""
OF_IMAGES = ("jpegimages", "pngimages", *IMAGE_FOLDERS)
"""Folders that hold the images, in lower case; then the root, and the folder of the annotations."""


XML_FOLDERS = ("annotations", "annotation", "xmls", "xml")
"""Names of the folder of XML files, in lower case."""
COCO_FOLDERS = ("annotations", "annotation", "labels")
"""Folders that hold COCO JSON, in lower case; it may as well lie in the root, or in folders of parts."""


def is_annotated(root: Path) -> bool:
    """Whether files beside the images say what is where: a table there then says more about the images only."""
    return xml_folder(root) is not None or bool(coco_files(root))


def xml_folder(root: Path) -> str | None:
    """Prefix of the folder that holds XML files: one that is called so, else the root where images lie beside them."""
    for name in contents(root)[0]:
        if name.lower() in XML_FOLDERS and xml_files(root / name):
            return f"{name}/"
    names = {stem_of(name) for name in Images(root).paths if "/" not in name}
    return "" if any(Path(name).stem in names for name in xml_files(root)) else None


def xml_files(folder: Path) -> list[str]:
    """Names of the XML files in a folder."""
    return [name for name in contents(folder)[1] if name.lower().endswith(".xml")]


def coco_files(root: Path) -> list[str]:
    """Paths of the COCO files in the root, in a folder of annotations, and in folders of parts."""
    folders = [name for name in contents(root)[0] if name.lower() in COCO_FOLDERS or split_of(name) is not None]
    prefixes = ("", *(f"{one}/" for one in folders))
    names = [f"{prefix}{name}" for prefix in prefixes for name in contents(root / prefix)[1]]
    return [name for name in names if name.lower().endswith(".json") and looks_like_coco(root / name)]


def boxes_target(drawn: Iterable[Boxes], where: object) -> Target:
    """The target of some boxes: every label that occurs, in the order of names.

    Raises:
        DataRefused: When no box was drawn at all.
    """
    counts = Counter(label for boxes in drawn for label in boxes.labels)
    if not counts:
        raise DataRefused(
            "no box is drawn in any image", given=where, todo="Draw boxes, or list the images with another target"
        )
    labels = tuple(Label(name=name, value=value) for value, name in enumerate(sorted(counts), 1))
    return Target(name=TARGET_NAME, kind="boxes", columns=(TARGET_NAME,), labels=labels)


def words(drawn: Iterable[Boxes]) -> str:
    """How many boxes of each label there are."""
    counts = Counter(label for boxes in drawn for label in boxes.labels)
    return ", ".join(f"{count} {label}" for label, count in sorted(counts.items(), key=lambda one: -one[1]))


def case_of(name: str, path: str, boxes: Boxes | None, split: Split | None = None) -> Case:
    """A case of one image; None are no boxes that nobody drew, and not the statement that there is nothing."""
    return Case(
        id=name,
        patient=name,
        patient_known=False,
        inputs={"image": file_ref(path)},
        targets={TARGET_NAME: boxes},
        split=split,
    )


class Images:
    """Where images lie that annotations name by their file name, stem or path.

    Args:
        root: Of the data set.
        beside: Prefixes of the folders of the annotations, which may hold the images as well.
    """

    def __init__(self, root: Path, beside: Sequence[str] = ()) -> None:
        self.root = root
        prefixes = [f"{name}/" for name in contents(root)[0] if plain(name) in OF_IMAGES]
        self.paths = [f"{prefix}{name}" for prefix in (*prefixes, "", *beside) for name in images_in(root / prefix)]
        self._by: dict[str, str] = {}
        for path in dict.fromkeys(self.paths):
            name = path.rsplit("/", 1)[-1]
            for key in (path, name, stem_of(name)):
                self._by.setdefault(key, path)

    def find(self, *names: str) -> str | None:
        """Path of the first that is there, relative to the root, or absolute where it was named so."""
        for name in names:
            plain_name = name.replace("\\", "/").removeprefix("./")
            last = plain_name.rsplit("/", 1)[-1]
            for key in (plain_name, last, stem_of(last)):
                if key in self._by:
                    return self._by[key]
            if suffix_of(plain_name) and (self.root / plain_name).is_file():
                return plain_name
        return None


def by_path(found: Mapping[str, str], root: object) -> None:
    """Refuse two annotations of one image.

    Args:
        found: Name of the annotation to the path of its image.
        root: Of the data set, for the message.

    Raises:
        DataRefused: Names the image and both annotations.
    """
    owners: dict[str, str] = {}
    for name, path in found.items():
        if path in owners:
            raise DataRefused(
                f"two annotations are about the image {path}", given=f"{owners[path]} and {name} in {root}",
                todo="Keep one of them",
            )  # fmt: skip
        owners[path] = name
