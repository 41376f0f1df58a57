"""What is in a folder of DICOM files: one `Instance` a file, grouped into `Series`. Headers only, no pixels.

Identity (`patient_id`, dates) is held here and nowhere else: `Image.attributes` never gets it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from diascope.core.errors import UnreadableFile
from diascope.formats.dicomio.decoder import Decoder, decoder

STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"
"""SOP class of an RTSTRUCT: RT Structure Set storage."""

SEGMENTATION = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
"""SOP classes of DICOM SEG: Segmentation and Label Map Segmentation storage."""

WAVEFORM = "1.2.840.10008.5.1.4.1.1.9."
"""How the SOP classes of waveforms begin: ECG, haemodynamic, respiratory, EEG (PS3.4 B.5)."""

DIRECTORY = "1.2.840.10008.1.3.10"
"""Media Storage Directory: a DICOMDIR is an index, not an image."""

SUFFIXES = (".dcm", ".dicom", ".ima", ".seg")


@dataclass(frozen=True)
class Plane:
    """Where one frame is and how its values are scaled.

    Args:
        position: Centre of the first voxel, (x, y, z) in mm, LPS.
        orientation: Direction of growing column, then of growing row index (PS3.3 C.7.6.2.1.1).
        spacing: Millimetres between rows, between columns.
        thickness: Slice thickness in mm.
        between: Spacing between slices in mm, as declared.
        slope: Rescale slope.
        intercept: Rescale intercept.
        unit: Rescale type of this frame.
        stack: Stack id of an enhanced object.
        temporal_position: Temporal position index of an enhanced object.
        segment: Segment number of a SEG frame.
        source: SOP instance UID that a SEG frame was derived from.
    """

    position: tuple[float, float, float] | None = None
    orientation: tuple[float, ...] | None = None
    spacing: tuple[float, float] | None = None
    thickness: float | None = None
    between: float | None = None
    slope: float = 1.0
    intercept: float = 0.0
    unit: str = ""
    stack: str = ""
    temporal_position: float | None = None
    segment: int | None = None
    source: str = ""


@dataclass(frozen=True)
class Segment:
    """One segment of a SEG; `scheme` and `code` are its property type."""

    number: int
    name: str
    scheme: str = ""
    code: str = ""
    algorithm: str = ""
    algorithm_version: str = ""


@dataclass(frozen=True)
class Roi:
    """One region of interest of an RT Structure Set (PS3.3 C.8.8.5, C.8.8.6).

    Args:
        number: ROI number: means something in its own file only.
        name: What the people who drew it call it.
        frame_of_reference: UID of the frame that its millimetres are in.
        series_uids: Series that the structure set lists in this frame.
        interpreted_type: `ORGAN`, `PTV`, `EXTERNAL`, ... (PS3.3 C.8.8.8.1), "" where nobody said.
        closed: Number of contours that enclose an area.
        ignored: Number of the others (points, lines).
        scheme: Coding scheme of what it is.
        code: Its code there.
    """

    number: int
    name: str
    frame_of_reference: str | None = None
    series_uids: tuple[str, ...] = ()
    interpreted_type: str = ""
    closed: int = 0
    ignored: int = 0
    scheme: str = ""
    code: str = ""

    def has_frame_of(self, image: Instance) -> bool:
        """Whether its frame of reference is that of an image, as far as both say."""
        ours, theirs = self.frame_of_reference, image.frame_of_reference
        return not ours or not theirs or ours == theirs

    def fits(self, image: Instance) -> bool:
        """Whether it can be drawn on the series of an image: same frame of reference, or that series is named.

        rt-utils makes up the UID of the frame; what it names is the series.
        """
        return self.has_frame_of(image) or image.series_uid in self.series_uids


@dataclass(frozen=True)
class Instance:
    """The header of one file. Names follow DICOM; absent text is "", an absent number None."""

    path: Path
    sop_class: str
    sop_uid: str
    study_uid: str
    series_uid: str
    patient_id: str
    modality: str
    series_description: str = ""
    protocol: str = ""
    corrected: tuple[str, ...] = ()
    """What a PET was corrected for (0028,0051): `ATTN`, `SCAT`, ..."""
    image_type: tuple[str, ...] = ()
    frame_of_reference: str | None = None
    position: tuple[float, float, float] | None = None
    orientation: tuple[float, ...] | None = None
    spacing: tuple[float, float] | None = None
    slice_thickness: float | None = None
    planes: tuple[Plane, ...] = ()
    rows: int = 0
    columns: int = 0
    frames: int = 0
    samples: int = 1
    bits_allocated: int = 0
    bits_stored: int = 0
    signed: bool = False
    photometric: str = ""
    transfer_syntax: str = ""
    pixel_bytes: int = 0
    value_unit: str = ""
    value_table: bool = False
    tiled: bool = False
    spacing_is_imager: bool = False
    body_part: str | None = None
    laterality: str | None = None
    view: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    kvp: float | None = None
    age: float | None = None
    """Years."""
    sex: str | None = None
    study_date: str | None = None
    instance_number: float | None = None
    acquisition: float | None = None
    temporal_position: float | None = None
    echo: float | None = None
    echo_time: float | None = None
    trigger_time: float | None = None
    b_value: float | None = None
    referenced_series_uids: tuple[str, ...] = ()
    referenced_sop_uids: tuple[str, ...] = ()
    rois: tuple[Roi, ...] = ()
    segments: tuple[Segment, ...] = ()
    segmentation_type: str = ""
    largest_fraction: int = 1

    @property
    def is_image(self) -> bool:
        """Whether it holds pixels that are an image (not a SEG)."""
        return self.rows > 0 and self.columns > 0 and not self.is_segmentation

    @property
    def is_segmentation(self) -> bool:
        """Whether it is a DICOM SEG."""
        return self.sop_class in SEGMENTATION

    @property
    def is_structure_set(self) -> bool:
        """Whether it is an RTSTRUCT."""
        return self.sop_class == STRUCTURE_SET


@dataclass(frozen=True)
class Scan:
    """What was found under a folder, sorted by path."""

    root: Path
    instances: tuple[Instance, ...]
    unreadable: dict[Path, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Series:
    """Instances that belong together: one volume, or one projection image or cine.

    Args:
        uid: Series instance UID.
        instances: In the order of their paths.
        part: What tells it from the other parts of the same series (`orientation 2`, `echo 1`), "" where it is whole.
    """

    uid: str
    instances: tuple[Instance, ...]
    part: str = ""

    @property
    def first(self) -> Instance:
        """Any one of them: for what all share."""
        return self.instances[0]

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files."""
        return tuple(instance.path for instance in self.instances)


def is_dicom(path: Path) -> bool:
    """Whether a file looks like DICOM by its content. Never raises; a DICOMDIR counts as no image and gives False."""
    head = _head(path)
    if head[128:132] == b"DICM":
        return DIRECTORY.encode() not in head[:1024]
    # Files without a preamble begin with group 0002 or 0008, little or big endian.
    return len(head) >= 140 and head[:2] in (b"\x02\x00", b"\x08\x00", b"\x00\x08", b"\x00\x02") and _has_element(head)


def is_segmentation(path: Path) -> bool:
    """Whether a file is a DICOM SEG, by its first kilobyte. Never raises."""
    head = _head(path)
    return head[128:132] == b"DICM" and any(uid.encode() in head for uid in SEGMENTATION)


def is_structure_set(path: Path) -> bool:
    """Whether a file is an RTSTRUCT, by the SOP class in its meta header. Never raises."""
    return _sop_class(path) == STRUCTURE_SET


def is_waveform(path: Path) -> bool:
    """Whether a file holds sampled curves, by the SOP class in its meta header. Never raises."""
    return _sop_class(path).startswith(WAVEFORM)


def scan(root: Path) -> Scan:
    """Find every DICOM file under a folder by its content, and read the headers, in the decoder child.

    Args:
        root: A folder, or one file.

    Returns:
        Instances; and a reason for each file that looks like DICOM (by content or name) and cannot be read.
    """
    candidates = [path for path in _files(Path(root)) if is_dicom(path) or path.suffix.lower() in SUFFIXES]
    candidates = [path for path in candidates if path.name.upper() != "DICOMDIR"]
    chunks = [candidates[start : start + 64] for start in range(0, len(candidates), 64)]
    instances, unreadable = [], {}
    with ThreadPoolExecutor(decoder().size) as threads:
        for chunk in threads.map(lambda paths: list(decoder().headers(paths)), chunks):
            for path, facts in chunk:
                if isinstance(facts, str):
                    unreadable[path] = facts
                elif facts["sop_class"] != DIRECTORY:
                    instances.append(_instance(path, facts))
    return Scan(Path(root), tuple(instances), unreadable)


def headers(paths: Sequence[Path], keep: bool = False, reader: Decoder | None = None) -> tuple[Instance, ...]:
    """The headers of some files, in their order.

    Args:
        paths: Files.
        keep: Whether the pixels of the same files will be read next.
        reader: That parses them; the one of this process where None.

    Raises:
        UnreadableFile: For the first that has none, with the reason.
    """
    found = []
    for path, facts in (reader or decoder()).headers([Path(path) for path in paths], keep):
        if isinstance(facts, str):
            raise UnreadableFile(path, facts)
        found.append(_instance(path, facts))
    return tuple(found)


def series(instances: Iterable[Instance]) -> tuple[Series, ...]:
    """Group images by series instance UID, and split a series where one file after another cannot be one volume.

    A series is split into: each multi-frame file; each file without a position (projections, secondary captures); the
    orientations (a localiser has several); and, where positions repeat, into the first of echo, temporal position,
    b-value, trigger time or acquisition that makes every part a set of distinct positions of the same number. Where
    none does, it stays whole and reading refuses it. Objects that are no images (SR, RTSTRUCT, SEG) are left out.
    """
    by_uid: dict[str, list[Instance]] = {}
    for instance in instances:
        if instance.is_image:
            by_uid.setdefault(instance.series_uid or str(instance.path), []).append(instance)
    return tuple(part for uid in sorted(by_uid) for part in _split(uid, by_uid[uid]))


def _split(uid: str, members: list[Instance]) -> Iterator[Series]:
    members = sorted(members, key=lambda instance: instance.path)
    alone = [one for one in members if one.frames > 1 or one.position is None or one.orientation is None]
    stacked = [one for one in members if one not in alone]
    groups: dict[tuple[float, ...], list[Instance]] = {}
    for one in stacked:
        groups.setdefault(
            (*(round(value, 2) + 0.0 for value in one.orientation or ()), one.rows, one.columns), []
        ).append(one)
    several = len(groups) + len(alone) > 1
    for number, group in enumerate(groups.values(), 1):
        name = f"orientation {number}" if len(groups) > 1 else ("stack" if several else "")
        yield from _split_by_time(uid, group, name)
    for number, one in enumerate(alone, 1):
        yield Series(uid, (one,), f"image {number}" if several else "")


_DYNAMICS = ("echo", "echo_time", "temporal_position", "b_value", "trigger_time", "acquisition")


def _split_by_time(uid: str, group: list[Instance], name: str) -> Iterator[Series]:
    places = {_place(one) for one in group}
    if len(places) < len(group):
        for key in _DYNAMICS:
            parts: dict[Any, list[Instance]] = {}
            for one in group:
                parts.setdefault(getattr(one, key), []).append(one)
            whole = all({_place(one) for one in part} == places for part in parts.values())
            if None not in parts and len(parts) > 1 and whole and len(parts) * len(places) == len(group):
                for value, part in sorted(parts.items()):
                    yield Series(uid, tuple(part), f"{name} {key} {value:g}".strip())
                return
    yield Series(uid, tuple(group), name)


def _place(one: Instance) -> tuple[float, ...]:
    return tuple(round(value, 2) + 0.0 for value in one.position or ())


_SEQUENCES = {"planes": Plane, "rois": Roi, "segments": Segment}
_NAMES = frozenset(entry.name for entry in fields(Instance))


def _instance(path: Path, facts: dict[str, Any]) -> Instance:
    values: dict[str, Any] = {}
    for name, value in facts.items():
        if name in _SEQUENCES:
            values[name] = tuple(_SEQUENCES[name](**_frozen(item)) for item in value)
        elif name in _NAMES:
            values[name] = tuple(value) if isinstance(value, list) else value
    return Instance(path=path, **values)


def _frozen(item: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in item.items()}


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    for folder, names, files in os.walk(root):
        names.sort()
        for name in sorted(files):
            path = Path(folder, name)
            if path.is_file():  # no sockets, no dangling links
                yield path


def _head(path: Path) -> bytes:
    try:
        with Path(path).open("rb") as stream:
            return stream.read(2048)
    except OSError:
        return b""


def _sop_class(path: Path) -> str:
    """Element (0002,0002): RT plans and doses name the class of their structure set elsewhere. PS3.10 7.1."""
    head = _head(path)
    at = head.find(b"\x02\x00\x02\x00UI") if head[128:132] == b"DICM" else -1
    length = int.from_bytes(head[at + 6 : at + 8], "little")
    return head[at + 8 : at + 8 + length].rstrip(b"\0 ").decode("latin-1") if at > 0 else ""


def _has_element(head: bytes) -> bool:
    """Whether the first element has a value representation of two capitals, or (implicit) a length that is small."""
    element, representation, length = tuple(head[2:4]), head[4:6], int.from_bytes(head[4:8], "little")
    if element not in ((0, 0), (1, 0), (5, 0), (8, 0), (0, 5), (0, 8), (18, 0), (22, 0)):
        return False
    return (representation.isalpha() and representation.isupper()) or 0 < length < 128
