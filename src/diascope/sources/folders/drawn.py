"""Images on which boxes were drawn: their target, and where the images of annotations lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from diascope.core.boxes import Boxes
from diascope.core.case import Case, FileRef, Label, Split, Target
from diascope.core.errors import DataRefused
from diascope.formats.boxes.coco import looks_like_coco
from diascope.sources.folders.files import contents, file_ref, refuse_mixed, stem_of, suffix_of
from diascope.sources.folders.pairs import IMAGE_FOLDERS, plain
from diascope.sources.folders.splits import split_of
from diascope.sources.tables.targets import DICOM

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
    return bool(xml_folders(root) or coco_files(root))


def xml_folders(root: Path) -> list[tuple[Split | None, str]]:
    """Split and prefix of each folder of XML files: of the whole set, else of folders that are called as parts."""
    whole = _xml_folder(root)
    if whole is not None:
        return [(None, whole)]
    parts = [(split_of(name), f"{name}/", _xml_folder(root / name)) for name in contents(root)[0]]
    return [(split, f"{prefix}{inner}") for split, prefix, inner in parts if split is not None and inner is not None]


def _xml_folder(root: Path) -> str | None:
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
        inputs={"image": image_ref(path)},
        targets={TARGET_NAME: boxes},
        split=split,
    )


def image_ref(path: str) -> FileRef:
    """The image of a case, by its path."""
    return FileRef(format="dicom", paths=(path,)) if is_dicom(path) else file_ref(path)


class Images:
    """Where images lie that annotations name by their file name, stem or path.

    Args:
        root: Of the data set.
        beside: Prefixes of the folders of the annotations, which may hold the images as well.
    """

    def __init__(self, root: Path, beside: Sequence[str] = ()) -> None:
        self.root = root
        own = [f"{name}/" for name in contents(root)[0] if plain(name) in OF_IMAGES]
        self._prefixes = (*own, "", *beside)
        self.paths = [f"{prefix}{name}" for prefix in self._prefixes for name in _images_in(root / prefix)]
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
            if plain_name in self._by:
                return self._by[plain_name]
            # A path is more than the name at its end, which images in other folders may have as well.
            for prefix in ("", *self._prefixes) if _is_image(plain_name) else ():
                if (self.root / prefix / plain_name).is_file():
                    return plain_name if Path(plain_name).is_absolute() else f"{prefix}{plain_name}"
            for key in (last, stem_of(last)):
                if key in self._by:
                    return self._by[key]
        return None


def image_folders(root: Path) -> list[str]:
    """Folders in the root, and in those of them that are called as folders of images (`images/train2017`)."""
    folders = contents(root)[0]
    inner = [f"{one}/{name}" for one in folders if plain(one) in OF_IMAGES for name in contents(root / one)[0]]
    return [*folders, *inner]


def is_dicom(path: str) -> bool:
    """Whether a file is called as DICOM is."""
    return path.lower().endswith(DICOM)


def refuse_mixed_images(paths: Iterable[str], where: Path) -> None:
    """Refuse files of several kinds in one data set; DICOM is one of them.

    Raises:
        DataRefused: With the number of files of each kind.
    """
    paths = list(paths)
    of_dicom = [path for path in paths if is_dicom(path)]
    if of_dicom and len(of_dicom) < len(paths):
        raise DataRefused(
            f"files of several kinds are mixed in {where}",
            given=f"{len(of_dicom)} of DICOM, {len(paths) - len(of_dicom)} others",
            todo="Keep one kind in a data set",
        )
    if not of_dicom:
        refuse_mixed(paths, where)


def _is_image(name: str) -> bool:
    return bool(suffix_of(name)) or is_dicom(name)


def _images_in(folder: Path) -> list[str]:
    return [name for name in contents(folder)[1] if _is_image(name)]
