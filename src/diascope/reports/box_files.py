"""Boxes as files that other programs read: COCO JSON of a picture, JSON and CSV of a volume, DICOM SR of DICOM."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from diascope.core.boxes import Boxes
from diascope.core.case import Case, FileRef
from diascope.core.errors import DiascopeError
from diascope.core.image import Image
from diascope.formats.boxes.coco import write_coco
from diascope.formats.boxes.volumes import write_volume_boxes
from diascope.store.releases import OpenRelease

DICOM = "dicom"


def box_files(
    opened: OpenRelease, boxes: Boxes, place: tuple[Case, Path, Path], images: Mapping[str, Image]
) -> tuple[dict[str, str], list[str]]:
    """Write what a release said as COCO JSON, or JSON and CSV in millimetres, and, of DICOM, as SR.

    Args:
        opened: The release.
        boxes: On the grid of the first image as it was read.
        place: The case, the folder that its paths start at, and the folder of the answer.
        images: As they were read.

    Returns:
        Kind of file to its name, and why one is missing.
    """
    (case, root, folder), release = place, opened.release
    name = opened.plan["image_inputs"][0]
    ref, shape = case.inputs[name], images[name].shape
    files: dict[str, str] = {}
    missing: list[str] = []
    labels, about = release.target.labels, f"{release.label}, unreviewed"
    file = Path(ref.paths[0]).name if isinstance(ref, FileRef) and len(ref.paths) == 1 else case.id
    if shape[0] == 1:
        write_coco([(file, shape, boxes)], labels, folder / "boxes.json", about)
        files["coco"] = "boxes.json"
    elif images[name].geometry.physical:
        files["boxes"], files["table"] = write_volume_boxes(file, boxes, images[name].geometry, labels, folder, about)
    else:
        missing.append("no boxes in millimetres were written: the volume has none")
    if isinstance(ref, FileRef) and ref.format == DICOM:
        from diascope.formats.boxes.sr import write_sr  # highdicom takes a second to load

        algorithm = {"name": release.name, "version": release.version, "release_hash": release.seal}
        try:
            write_sr(boxes, labels, folder / "boxes.dcm", [root / path for path in ref.paths], algorithm)
            files["dicom_sr"] = "boxes.dcm"
        except DiascopeError as error:
            missing.append(f"no DICOM SR was written: {error}")
    return files, missing
