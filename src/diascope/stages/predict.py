"""predict: a release reads studies that it has not seen, or refuses and says why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diascope import formats
from diascope.core import registry
from diascope.core.case import Case, FileRef, TableRef
from diascope.core.errors import BadUsage, DataRefused, DiascopeError, OutOfScope
from diascope.core.finding import Findings
from diascope.core.image import Image
from diascope.engine.devices import prepare_process
from diascope.engine.gate import broken_rules, distance, features, refusals
from diascope.engine.opening import ready
from diascope.engine.preparing import prepare, read_images
from diascope.engine.progress import Tell, silent
from diascope.engine.task import Prediction
from diascope.formats.dicomio.headers import is_dicom, scan, series
from diascope.privacy.pseudonym import pseudonym
from diascope.reports.answers import Answers, Asked, folder_names
from diascope.sources import SourceOptions, recognise
from diascope.sources.publicsets.locating import located
from diascope.sources.studies.choosing import choose
from diascope.store.files import file_digest
from diascope.store.releases import OpenRelease, open_release

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
        self.ready = ready(self.opened, backend, memory_gb)
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
        output = self.ready.reader.read(example)
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
    names = folder_names([one.case for one in cases])
    answers = Answers(predictor.opened, predictor.ready.words)
    for note in predictor.ready.notes:
        tell({"event": "warning", "message": note})
    for number, (one, name) in enumerate(zip(cases, names, strict=True)):
        tell({"event": "progress", "what": "reading", "done": number, "total": len(cases)})
        asked = Asked(one.case, one.root, out / name, (*predictor.ready.notes, *one.notes))
        try:
            found.append(answers.said(asked, *predictor.read(one)))
        except DataRefused as error:
            refused.append(error)
            found.append(answers.refused(asked, error))
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
