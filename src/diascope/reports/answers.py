"""The answer to one case as a folder of its own: findings, mask, picture, DICOM SEG."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from diascope.core import registry
from diascope.core.case import Case, FileRef, TableRef
from diascope.core.errors import DiascopeError, UnreadableFile
from diascope.core.finding import Finding, Findings
from diascope.core.image import Image
from diascope.engine.progress import Tell, silent
from diascope.engine.task import Prediction
from diascope.formats.dicomio.headers import headers
from diascope.kinds import kind_of
from diascope.reports.box_files import box_files
from diascope.reports.made_files import MADE, NO_SERIES, is_series, made_files
from diascope.reports.outlines import counted
from diascope.reports.panels import panels
from diascope.reports.pictures import PictureParts, slice_picture
from diascope.store.files import file_digest
from diascope.store.releases import OpenRelease

DICOM = "dicom"
WAVEFORM = "dicom_waveform"
MASK_FORMAT = "nifti"
LONGEST = 80
"""Characters of a folder's name."""


@dataclass(frozen=True)
class Asked:
    """What was asked about, and where the answer goes.

    Args:
        case: Without targets.
        root: Folder that the paths of the case start at.
        folder: Of the answer.
        notes: What was noticed before anything was read.
    """

    case: Case
    root: Path
    folder: Path
    notes: tuple[str, ...] = ()


class Answers:
    """Writes what one release said.

    Args:
        opened: The release.
        backend: Back end and precision that read.
        tell: Told what could not be written.
    """

    def __init__(self, opened: OpenRelease, backend: str, tell: Tell = silent) -> None:
        self.opened, self.backend, self.tell = opened, backend, tell

    def said(self, asked: Asked, prediction: Prediction, images: Mapping[str, Image]) -> Findings:
        """Write everything that a reading gave."""
        asked.folder.mkdir(parents=True, exist_ok=True)
        history, plan = self.remarks(asked, images), self.opened.plan
        files: dict[str, str] = {}
        if prediction.mask is not None:
            files, missing = _mask_files(self.opened, prediction.mask, asked)
            history += missing
            for line in missing:
                self.tell({"event": "warning", "message": f"{asked.case.id}: {line}"})
        if prediction.boxes is not None:
            written, missing = box_files(self.opened, prediction.boxes, (asked.case, asked.root, asked.folder), images)
            files, history = files | written, history + missing
            for line in missing:
                self.tell({"event": "warning", "message": f"{asked.case.id}: {line}"})
        if prediction.made is not None:
            files |= made_files(self.opened, prediction, asked.case.inputs[plan["image_inputs"][0]], asked.folder)
            history.append(MADE)
            history += [NO_SERIES] if any(is_series(ref) for ref in asked.case.inputs.values()) else []
        files |= _pictures(self.opened, prediction, images, asked)
        return self._record(asked, prediction.findings, files, (images, history))

    def refused(self, asked: Asked, error: DiascopeError) -> Findings:
        """Not available is not negative: every concept abstains, with the reason."""
        reason = f"not available, because {'; '.join(getattr(error, 'reasons', (str(error),)))}"
        return self._record(asked, self.abstained(reason), {}, ({}, []))

    def abstained(self, reason: str) -> list[Finding]:
        """A finding for every concept of the release, none of which is available."""
        target = self.opened.release.target
        names = [label.name for label in target.labels] or [target.name]
        return [Finding(concept=name, status="abstained", reason=reason) for name in names]

    def remarks(self, asked: Asked, images: Mapping[str, Image]) -> list[str]:
        """What was corrected or missing while reading."""
        history, plan = [line for image in images.values() for line in image.history], self.opened.plan
        lacking = [name for name in (*plan["image_inputs"], *plan["readings"]) if name not in asked.case.inputs]
        history += [f"{name} is missing: read without it" for name in lacking]
        for name, settings in plan["readings"].items():
            history += kind_of(settings).remarks(asked.case, name, asked.root, settings)
        return history

    def _record(
        self,
        asked: Asked,
        findings: Sequence[Finding],
        files: Mapping[str, str],
        read: tuple[Mapping[str, Image], Sequence[str]],
    ) -> Findings:
        written = self.record(asked, findings, files, read)
        written.write(asked.folder / "findings.json")
        return written

    def record(
        self,
        asked: Asked,
        findings: Sequence[Finding],
        files: Mapping[str, str],
        read: tuple[Mapping[str, Image], Sequence[str]],
    ) -> Findings:
        """All that was said about a case; nothing is written.

        Args:
            asked: What was asked.
            findings: What was said.
            files: Kind to name of what was written.
            read: The images, and what was noticed while reading them.
        """
        images, history = read
        release = self.opened.release
        return Findings(
            release=f"{release.label} {release.seal[:16]}",
            signed_by=release.signed_by,
            signature="signed" if release.signed_by else "unsigned",
            task=release.task,
            case=asked.case.id,
            inputs={name: _identity(ref, asked.root, images.get(name)) for name, ref in asked.case.inputs.items()},
            backend=self.backend,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            findings=tuple(findings),
            notes=tuple(dict.fromkeys([*asked.notes, *history])),
            files=dict(files),
        )


def folder_names(cases: Sequence[Case]) -> list[str]:
    """A folder name for each case, none of them twice, also where a file system ignores capitals.

    The name is made of the case's id. Cases whose names would be one (`scan.png` and `scan.bmp`, `p 1` and `p-1`) all
    get the digest of what they are, so that no name hangs on the order of the cases.
    """
    plain = [_safe(case.id) for case in cases]
    shared = Counter(name.casefold() for name in plain)
    names: list[str] = []
    taken: set[str] = set()
    for case, name in zip(cases, plain, strict=True):
        if shared[name.casefold()] > 1:
            name = f"{name[: LONGEST - 13]}-{case.content_hash()[:12]}"
        whole, number = name, 1
        while whole.casefold() in taken:  # the same case twice, or an id that ends like a digest
            number += 1
            whole = f"{name}-{number}"
        taken.add(whole.casefold())
        names.append(whole)
    return names


def _safe(name: str) -> str:
    """A folder name of our own making: nothing that came from outside can leave the output folder (B5)."""
    kept = "".join(c if c.isalnum() or c in "-_." else "-" for c in name).strip(".")[:LONGEST]
    return kept or "case"


def _mask_files(opened: OpenRelease, found: Image, asked: Asked) -> tuple[dict[str, str], list[str]]:
    """Write the mask as NIfTI, and for DICOM input as a SEG; returns kind to file name, and why there is no SEG."""
    release, folder = opened.release, asked.folder
    algorithm = {"name": release.name, "version": release.version, "release_hash": release.seal}
    mask = Image(found.array, found.geometry, unit="label", attributes={**found.attributes, "algorithm": algorithm})
    registry.get("formats", MASK_FORMAT).write(mask, folder / "mask.nii.gz")
    ref = asked.case.inputs[opened.plan["image_inputs"][0]]  # the mask lies on the first image
    if not isinstance(ref, FileRef) or ref.format != DICOM:
        return {"mask": "mask.nii.gz"}, []
    try:
        registry.get("formats", "dicom_seg").write(mask, folder / "mask.dcm", [asked.root / path for path in ref.paths])
    except DiascopeError as error:
        return {"mask": "mask.nii.gz"}, [f"no DICOM SEG was written: {error}"]
    return {"mask": "mask.nii.gz", "dicom_seg": "mask.dcm"}, []


def picture(opened: OpenRelease, prediction: Prediction, images: Mapping[str, Image], case: str) -> bytes | None:
    """The most telling slice of the first image with what was said on it, as a PNG; None where there is no image."""
    first = next(iter(images.values()), None)
    if first is None:
        return None
    words = ", ".join(f"{finding.concept}: {finding.status}" for finding in prediction.findings)
    words = words if prediction.boxes is None else counted(prediction.boxes)
    parts: PictureParts = {"caption": words, "case": case, "boxes": prediction.boxes}
    shown = (
        panels((first, prediction.made), None, case)
        if prediction.made is not None
        else slice_picture(first, prediction.mask, None, opened.release.target.labels, **parts)
    )
    return base64.b64decode(shown.png)


def _pictures(opened: OpenRelease, prediction: Prediction, images: Mapping[str, Image], asked: Asked) -> dict[str, str]:
    """Write a picture with the overlay, and images that were made; returns kind to file name."""
    folder = asked.folder
    files: dict[str, str] = {}
    if (telling := picture(opened, prediction, images, asked.case.id)) is not None:
        (folder / "picture.png").write_bytes(telling)
        files["picture"] = "picture.png"
    for number, image in enumerate(prediction.images):
        shown = slice_picture(image, caption="", case=asked.case.id)
        (folder / f"image-{number}.png").write_bytes(base64.b64decode(shown.png))
        files[f"image-{number}"] = f"image-{number}.png"
    return files


def _identity(ref: FileRef | TableRef, root: Path, image: Image | None) -> tuple[str, ...]:
    if isinstance(ref, TableRef):
        return (f"row sha256:{ref.content_hash()}",)
    if image is not None and "sop_uids" in image.attributes:
        return tuple(image.attributes["sop_uids"])
    return tuple(_name(root / path, ref.format) for path in ref.paths if (root / path).is_file())


def _name(path: Path, form: str) -> str:
    """What a file that was not read (or is no DICOM) is known by: its SOP Instance UID, or its name and digest."""
    if form in (DICOM, WAVEFORM):
        try:
            (instance,) = headers([path])
        except UnreadableFile:
            pass
        else:
            if instance.sop_uid:
                return instance.sop_uid
    return f"{path.name} sha256:{file_digest([path])}"
