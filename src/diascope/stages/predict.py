"""predict: a release reads studies that it has not seen, or refuses and says why."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from diascope import formats
from diascope.core import registry
from diascope.core.case import Case, FileRef, TableRef
from diascope.core.errors import BadUsage, DataRefused, DiascopeError, OutOfScope
from diascope.core.finding import Finding, Findings
from diascope.core.image import Image
from diascope.engine.choosing import SAME_LABELS, agreement
from diascope.engine.devices import prepare_process
from diascope.engine.fit import load_weights
from diascope.engine.gate import broken_rules, distance, features, refusals
from diascope.engine.preparing import prepare, read_images
from diascope.engine.progress import Tell, silent
from diascope.engine.reading import Reader, buffer_bytes
from diascope.engine.task import Prediction
from diascope.formats.dicomio.headers import is_dicom, scan, series
from diascope.privacy.pseudonym import pseudonym
from diascope.reports.pictures import slice_picture
from diascope.sources import SourceOptions, recognise
from diascope.sources.publicsets.locating import located
from diascope.sources.studies.choosing import choose
from diascope.store.files import file_digest
from diascope.store.releases import OpenRelease, open_release

WRITES_MASK_AS = "nifti"


TREE = "dicom_tree"
"""The source that finds several images of a study."""


@dataclass(frozen=True)
class Incoming:
    """Something to read: a case without targets, and where its files are."""

    case: Case
    root: Path
    notes: tuple[str, ...] = ()


class Predictor:
    """An opened release, ready to read.

    Args:
        folder: Of the release.
        backend: Back end to use; None is the release's own where it is available.
        memory_gb: Bound for the buffers of reading; None is the plan's.

    Raises:
        Tampered: When the release's bytes were changed.
        DiascopeError: When the back end does not reproduce the release's stored answers.
    """

    def __init__(self, folder: Path, backend: str | None = None, memory_gb: float | None = None) -> None:
        prepare_process()
        self.opened: OpenRelease = open_release(folder)
        release, plan = self.opened.release, self.opened.plan
        networks = [load_weights(plan, self.opened.folder / member) for member in release.members]
        if plan["table_inputs"] and backend not in (None, release.backend):
            raise BadUsage("rows of tables are read by torch only", given=f"--backend {backend}")
        self.backend, self.precision = _available(release.backend, release.precision, backend)
        memory = buffer_bytes(memory_gb or plan["memory_gb"])
        self.reader = Reader(networks, plan, self.backend, self.precision, memory)
        if (self.backend, self.precision) != (release.backend, release.precision):
            _prove(self.reader, self.opened)
        self.distance = self.opened.arrays("gate.safetensors")

    def read(self, incoming: Incoming) -> tuple[Prediction, Mapping[str, Image]]:
        """What the release says about a case.

        Raises:
            OutOfScope: When the input gate refuses it; names every reason.
        """
        release, plan = self.opened.release, self.opened.plan
        images = read_images(incoming.case, incoming.root, tuple(plan["image_inputs"]))
        if reasons := broken_rules(release.gate, images):
            raise OutOfScope(incoming.case.id, reasons)
        example = prepare(incoming.case, images, plan)
        output = self.reader.read(example)
        limit = release.gate.distance_limit
        if limit is not None:
            apart = distance(features(example, output), self.distance)
            if not apart <= limit:
                raise OutOfScope(
                    incoming.case.id,
                    [
                        f"it looks unlike the training images: distance {apart:.1f}, limit {limit:.1f} "
                        f"({refusals(release.gate)})"
                    ],
                )
        task = registry.get("tasks", plan.task)
        return task.decode(output, example, release.decision, plan), images


def predict(
    release: Path,
    location: str,
    out: Path,
    backend: str | None = None,
    memory_gb: float | None = None,
    tell: Tell = silent,
) -> list[Findings]:
    """Read everything at a location and write a folder for each case.

    Returns:
        The findings; a case that the gate refused has one abstained finding with the reasons.

    Raises:
        BadUsage: When there is nothing to read at the location.
        OutOfScope: When the only case was refused.
    """
    predictor = Predictor(release, backend, memory_gb)
    found, refused = [], []
    cases = list(incoming(location, predictor.opened, tell))
    for number, one in enumerate(cases):
        tell({"event": "progress", "what": "reading", "done": number, "total": len(cases)})
        try:
            found.append(_written(predictor, one, out))
        except DataRefused as error:
            refused.append(error)
            found.append(_abstained(predictor, one, out, error))
            tell({"event": "warning", "message": str(error)})
    if refused and len(refused) == len(cases):
        raise refused[0]
    return found


def incoming(location: str, opened: OpenRelease, tell: Tell = silent) -> Iterator[Incoming]:
    """The cases at a location: one file, a DICOM series or study, anything a source recognises, or a folder of files.

    Raises:
        BadUsage: When there is nothing to read.
    """
    location = located(location, tell).location
    path = Path(location)
    name = next(iter(opened.plan["image_inputs"]), None)
    if path.is_file() and name is not None and (single := _file(path, name)) is not None:
        yield single
        return
    if path.is_dir() and any(is_dicom(file) for file in _some_files(path)):
        several = len(opened.plan["image_inputs"]) > 1
        yield from _side_by_side(path, opened) if several else _studies(path, name or "image", opened)
        return
    try:
        source = recognise(location)
    except DiascopeError as error:
        files = [one for file in sorted(path.iterdir()) if name and (one := _file(file, name))] if path.is_dir() else []
        if files:
            yield from files
            return
        yield from _as_trained(location, opened, error)
        return
    yield from _listed(location, source)


def _as_trained(location: str, opened: OpenRelease, why: DiascopeError) -> Iterator[Incoming]:
    """What has no layout of its own (a table without answers), listed as the training data was.

    Raises:
        BadUsage: When that fails as well.
    """
    source = opened.release.source
    try:
        if source not in registry.names("sources"):
            raise why
        yield from _listed(location, source)
    except DiascopeError as error:
        raise BadUsage(
            f"nothing to read at {location}",
            given=why.wrong if error is why else f"{why.wrong}; as {source}: {error.wrong}",
            todo="Give an image, a series, a folder, or data in the layout of the training data",
        ) from error


def _listed(location: str, source: str) -> Iterator[Incoming]:
    listing = registry.get("sources", source).list(location, SourceOptions())
    for case in listing.cases:
        yield Incoming(case.model_copy(update={"targets": {}}), listing.root)


def _some_files(folder: Path) -> list[Path]:
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            found.append(path)
        if len(found) >= 50:
            break
    return found


def _file(path: Path, name: str) -> Incoming | None:
    format_name = formats.format_of(path) if path.is_file() else None
    if format_name is None or format_name == "npz":
        return None
    ref = FileRef(format=format_name, paths=(path.name,), digest=file_digest([path]))
    return Incoming(Case(id=_stem(path), patient=_stem(path), patient_known=False, inputs={name: ref}), path.parent)


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").rsplit(".", 1)[0] or path.name


def _side_by_side(folder: Path, opened: OpenRelease) -> Iterator[Incoming]:
    """One case a study with all the images that the release reads, found as in training (`sources/dicom_tree.py`)."""
    listing = registry.get("sources", TREE).list(str(folder), SourceOptions())
    for case in listing.cases:
        named = case.model_copy(update={"targets": {}, "inputs": _as_the_release_calls_them(case, opened)})
        yield Incoming(named, listing.root, listing.notes)


def _as_the_release_calls_them(case: Case, opened: OpenRelease) -> dict[str, FileRef | TableRef]:
    """The inputs under the release's names: the case's own where they are the same, else by what alone has a modality.

    What is not found is left out: reading the case then says which input it lacks.
    """
    wanted = tuple(opened.plan["image_inputs"])
    if set(wanted) <= set(case.inputs):
        return {name: case.inputs[name] for name in wanted}
    found: dict[str, FileRef | TableRef] = {}
    modality = {rule.input: rule.modality for rule in opened.release.gate.rules}
    for name in wanted:
        alike = [ref for ref in case.inputs.values() if isinstance(ref, FileRef) and ref.modality == modality.get(name)]
        if len(alike) == 1 and list(modality.values()).count(modality[name]) == 1:
            found[name] = alike[0]
    return found or dict(case.inputs)


def _studies(folder: Path, name: str, opened: OpenRelease) -> Iterator[Incoming]:
    """One case a study: its series is chosen by declared rules, and the reason is kept."""
    found = scan(folder)
    studies: dict[str, list[Any]] = {}
    for one in series(found.instances):
        studies.setdefault(one.first.study_uid, []).append(one)
    if not studies:
        raise BadUsage(f"no DICOM image series in {folder}", given=f"{len(found.unreadable)} unreadable files")
    codes = [
        code for rule in opened.release.gate.rules for code in registry.get("modalities", rule.modality).dicom_codes
    ]
    for candidates in studies.values():
        chosen = choose(candidates, frozenset(), codes[0] if codes else None)
        if not chosen.clear:
            raise DataRefused(
                "a study has several series that could be meant",
                given="; ".join(chosen.candidates),
                todo="Give the folder of one series",
            )
        notes = (f"series chosen: {chosen.reason}",) if len(candidates) > 1 and chosen.reason else ()
        for picked in chosen.chosen:
            paths = tuple(str(path.relative_to(folder)) for path in picked.paths)
            label = pseudonym(picked.uid + picked.part, "series")
            ref = FileRef(format="dicom", paths=paths)
            yield Incoming(Case(id=label, patient=label, patient_known=False, inputs={name: ref}), folder, notes)


def _available(name: str, precision: str, wanted: str | None) -> tuple[str, str]:
    if wanted is not None:
        backend = registry.get("backends", wanted)
        if not backend.is_available():
            raise BadUsage(f"the back end {wanted!r} is not installed here", todo="pip install 'diascope[fast]'")
        return wanted, precision if wanted == name else "fp32"
    if name in registry.names("backends") and registry.get("backends", name).is_available():
        return name, precision
    return "torch", "fp32"


def _prove(reader: Reader, opened: OpenRelease) -> None:
    """Another arithmetic must give the release's stored answers before it is used.

    Raises:
        DiascopeError: When it does not.
    """
    stored = opened.arrays("reference.safetensors")
    for key in sorted(key for key in stored if key.endswith("/image")):
        expected = torch.from_numpy(stored[key.replace("/image", "/answer")])
        with torch.no_grad():
            answer = reader.answer(torch.from_numpy(stored[key]))[:, : expected.shape[1]]
        agrees, words = agreement(expected, answer)
        if not agrees or not bool((answer.argmax(1) == expected.argmax(1)).float().mean() >= SAME_LABELS):
            raise DiascopeError(
                f"the back end {reader.backend} does not reproduce the decisions of {opened.release.label}: {words}",
                todo="Use --backend torch",
            )


def _written(predictor: Predictor, one: Incoming, out: Path) -> Findings:
    prediction, images = predictor.read(one)
    folder = out / _safe(one.case.id)
    folder.mkdir(parents=True, exist_ok=True)
    files = _files(predictor, prediction, images, (folder, one))
    notes = tuple(dict.fromkeys([*one.notes, *(line for image in images.values() for line in image.history)]))
    return _record(predictor, one, prediction.findings, {"files": files, "notes": notes, "images": images}, folder)


def _files(
    predictor: Predictor, prediction: Prediction, images: Mapping[str, Image], place: tuple[Path, Incoming]
) -> dict[str, str]:
    """Write the mask, the picture and whatever else leaves; returns kind to file name."""
    folder, one = place
    release = predictor.opened.release
    files: dict[str, str] = {}
    first = next(iter(images.values()), None)
    if prediction.mask is not None:
        algorithm = {"name": release.name, "version": release.version, "release_hash": release.content_hash()}
        mask = Image(
            prediction.mask.array,
            prediction.mask.geometry,
            unit="label",
            attributes={**prediction.mask.attributes, "algorithm": algorithm},
        )
        registry.get("formats", WRITES_MASK_AS).write(mask, folder / "mask.nii.gz")
        files["mask"] = "mask.nii.gz"
        ref = next(ref for ref in one.case.inputs.values() if isinstance(ref, FileRef))
        if ref.format == "dicom":
            registry.get("formats", "dicom_seg").write(
                mask, folder / "mask.dcm", [one.root / path for path in ref.paths]
            )
            files["dicom_seg"] = "mask.dcm"
    if first is not None:
        words = ", ".join(_words(finding) for finding in prediction.findings)
        shown = slice_picture(first, prediction.mask, None, release.target.labels, caption=words, case=one.case.id)
        (folder / "picture.png").write_bytes(base64.b64decode(shown.png))
        files["picture"] = "picture.png"
    for number, image in enumerate(prediction.images):
        shown = slice_picture(image, caption="", case=one.case.id)
        (folder / f"image-{number}.png").write_bytes(base64.b64decode(shown.png))
        files[f"image-{number}"] = f"image-{number}.png"
    return files


def _words(finding: Finding) -> str:
    return f"{finding.concept}: {finding.status}"


def _record(
    predictor: Predictor, one: Incoming, findings: Sequence[Finding], facts: Mapping[str, Any], folder: Path
) -> Findings:
    release = predictor.opened.release
    written = Findings(
        release=f"{release.label} {release.content_hash()[:16]}",
        signed_by=release.signed_by,
        task=release.task,
        case=one.case.id,
        inputs={name: _identity(ref, one.root, facts["images"].get(name)) for name, ref in one.case.inputs.items()},
        backend=f"{predictor.backend} {predictor.precision}",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        findings=tuple(findings),
        notes=tuple(facts["notes"]),
        files=dict(facts["files"]),
    )
    written.write(folder / "findings.json")
    return written


def _abstained(predictor: Predictor, one: Incoming, out: Path, error: DataRefused) -> Findings:
    """Not available is not negative: every concept abstains, with the reason."""
    reasons = "; ".join(getattr(error, "reasons", (str(error),)))
    labels = [label.name for label in predictor.opened.release.target.labels] or [predictor.opened.release.target.name]
    findings = [
        Finding(concept=name, status="abstained", reason=f"not available, because {reasons}") for name in labels
    ]
    folder = out / _safe(one.case.id)
    return _record(predictor, one, findings, {"files": {}, "notes": one.notes, "images": {}}, folder)


def _identity(ref: FileRef | TableRef, root: Path, image: Image | None) -> tuple[str, ...]:
    if isinstance(ref, TableRef):
        return (f"row sha256:{ref.content_hash()}",)
    if image is not None and "sop_uids" in image.attributes:
        return tuple(image.attributes["sop_uids"])
    return tuple(
        f"{Path(path).name} sha256:{file_digest([root / path])}" for path in ref.paths if (root / path).is_file()
    )


def _safe(name: str) -> str:
    """A folder name of our own making: nothing that came from outside can leave the output folder (B5)."""
    kept = "".join(c if c.isalnum() or c in "-_." else "-" for c in name).strip(".")[:80]
    return kept or "case"
