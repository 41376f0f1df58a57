"""Image files as unseen cases: a file each, or the images of one case as its channels or side by side (`x_0000`)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from diascope import formats
from diascope.core.case import Case, FileRef, TableRef
from diascope.core.errors import DataRefused, UnreadableFile
from diascope.sources.folders.files import PICTURES, contents, stem_of, suffix_of
from diascope.sources.studies.unseen import Incoming
from diascope.store.files import file_digest
from diascope.store.releases import OpenRelease

CHANNEL_FILE = re.compile(r"^(?P<case>.+)_(?P<channel>\d{4})(?P<ending>\.[^/]+)$")
"""`NAME_0001.nii.gz`, the second channel of the case NAME (nnU-Net, documentation/dataset_format.md)."""
ARCHIVE = "npz"
"""A format whose files hold many cases."""


def of_file(path: Path, opened: OpenRelease) -> list[Incoming]:
    """The case of one file, with the channel files beside it; none where no format reads it as one image."""
    names = [path.name]
    match = CHANNEL_FILE.match(path.name)
    if match is not None and len(opened.plan["image_inputs"]) > 1:
        names = [name for name in contents(path.parent)[1] if _group(name) == _group(path.name)]
    return [one for one in of_files(path.parent, names, opened) if path.name in _paths(one.case)]


def of_files(root: Path, names: Sequence[str], opened: OpenRelease) -> Iterator[Incoming]:
    """The cases that image files make; with other channels than the release reads, a case comes refused.

    Args:
        root: Folder that the names start at.
        names: Paths of files; what no format reads as one image is left out.
        opened: A release; one that reads no image makes no cases.
    """
    wanted = tuple(opened.plan["image_inputs"])
    refs = {name: ref for name in names if wanted and (ref := _ref(root, name)) is not None}
    if len(wanted) == 1:
        yield from (_case(stem_of(name), {wanted[0]: ref}, root) for name, ref in refs.items())
        return
    groups: dict[tuple[str, str], dict[int, FileRef]] = {}
    for name, ref in refs.items():
        match = CHANNEL_FILE.match(name) if suffix_of(name) else None  # a slice of DICOM is no channel
        groups.setdefault(_group(name) if match else (name, ""), {})[int(match["channel"]) if match else 0] = ref
    modality = {rule.input: rule.modality for rule in opened.release.gate.rules if rule.modality != "unknown"}
    inputs = {name: modality.get(name) for name in wanted}
    for (name, ending), files in groups.items():
        yield from _side_by_side(name, files, root, inputs) if ending else [_stacked(files[0], root, inputs)]


def _ref(root: Path, name: str) -> FileRef | None:
    path = root / name
    format_name = formats.format_of(path) if path.is_file() else None
    if format_name is None or format_name == ARCHIVE:
        return None
    return FileRef(format=format_name, paths=(name,), digest=file_digest([path]))


def _group(name: str) -> tuple[str, str]:
    """What the channel files of one case share: its name and the ending."""
    match = CHANNEL_FILE.match(name)
    return (match["case"], match["ending"]) if match is not None else (name, "")


def _side_by_side(
    name: str, files: Mapping[int, FileRef], root: Path, inputs: Mapping[str, str | None]
) -> Iterator[Incoming]:
    """The case of files that are numbered as channels; where they are not, files that hold all channels are cases."""
    if sorted(files) == list(range(len(inputs))):
        known = {one: _with(files[at], modality) for at, (one, modality) in enumerate(inputs.items())}
        yield _case(name, known, root)
        return
    whole = {at: ref for at, ref in files.items() if _channels(ref, root) == len(inputs)}
    yield from (_stacked(ref, root, inputs) for ref in whole.values())
    rest = {f"{at:04d}": files[at] for at in sorted(set(files) - set(whole))}
    if rest:
        needed = ", ".join(f"{at:04d} ({one})" for at, one in enumerate(inputs))
        refused = DataRefused(
            f"{name} has the channel files {', '.join(rest)}, and the release reads {len(inputs)} images",
            given=f"it needs {needed}",
            todo="Complete the case or remove it",
        )
        yield _case(name, rest, root, refused)


def _stacked(ref: FileRef, root: Path, inputs: Mapping[str, str | None]) -> Incoming:
    """The case of one file: its channels are the images, in the order in which the release names them."""
    (path,) = ref.paths
    count, name = _channels(ref, root), stem_of(path)
    if count is not None and count != len(inputs):
        refused = DataRefused(
            f"{path} holds {count} channel{'s' if count > 1 else ''}, "
            f"and the release reads {len(inputs)} images: {', '.join(inputs)}",
            todo=f"Give one file with these channels in this order, or a file for each, {name}_0000 to "
            f"{name}_{len(inputs) - 1:04d}",
        )
        return _case(name, {next(iter(inputs)): ref}, root, refused)
    known = {one: _with(ref, modality, f"channel:{at}") for at, (one, modality) in enumerate(inputs.items())}
    return _case(name, known, root)


def _channels(ref: FileRef, root: Path) -> int | None:
    """How many channels a file holds that may be images of their own; None where its header does not tell."""
    (path,) = ref.paths
    if suffix_of(path) in ("", *PICTURES):
        return 1  # DICOM, and colour, are one image
    try:
        extent = formats.extent(ref, root)
    except UnreadableFile:
        return None  # reading it says what is wrong
    return None if extent is None else extent.shape[0]


def _with(ref: FileRef, modality: str | None, item: str | None = None) -> FileRef:
    """What the release takes the image for, as the layouts of training data state it: such files do not say."""
    return ref.model_copy(update={"modality": modality, "item": item})


def _case(name: str, inputs: Mapping[str, FileRef], root: Path, refused: DataRefused | None = None) -> Incoming:
    refs: dict[str, FileRef | TableRef] = dict(inputs)
    return Incoming(Case(id=name, patient=name, patient_known=False, inputs=refs), root, refused=refused)


def _paths(case: Case) -> set[str]:
    return {path for ref in case.inputs.values() if isinstance(ref, FileRef) for path in ref.paths}
