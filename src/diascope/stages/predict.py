"""predict: a release reads studies that it has not seen, or refuses and says why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from diascope import formats
from diascope.core import registry
from diascope.core.case import Case, FileRef, TableRef
from diascope.core.errors import BadUsage, DataRefused, DiascopeError, DoesNotFit, OutOfScope, Stopped
from diascope.core.finding import Findings
from diascope.core.image import Image
from diascope.engine.devices import capabilities, peak_memory_gb, prepare_process
from diascope.engine.gate import broken_rules, distance, features, refusals
from diascope.engine.opening import ready
from diascope.engine.preparing import prepare, read_images
from diascope.engine.progress import Tell, silent
from diascope.engine.room import address_space_left, bounded, need
from diascope.engine.task import Prediction
from diascope.formats.dicomio.headers import Scan, Series, is_dicom, scan, series
from diascope.modalities import of_dicom_code
from diascope.privacy.pseudonym import pseudonym
from diascope.reports.answers import Answers, Asked, folder_names
from diascope.sources import SourceOptions, recognise
from diascope.sources.publicsets.locating import located
from diascope.sources.studies.choosing import choose
from diascope.sources.studies.chosen import of_studies
from diascope.sources.studies.damage import Damage, damages, may_belong
from diascope.store.files import file_digest
from diascope.store.releases import OpenRelease, open_release

FREE_SHARE = 0.8
"""Of the memory that is free, as in a plan."""
MOST_NAMED = 3
"""Damaged files that an error lists."""
TREE = "dicom_tree"
"""The source that finds several images of a study."""


@dataclass(frozen=True)
class Incoming:
    """Something to read: a case without targets, where its files are, and why it must not be read (None: it may)."""

    case: Case
    root: Path
    notes: tuple[str, ...] = ()
    refused: DataRefused | None = None


class Predictor:
    """An opened release, ready to read.

    Args:
        folder: Of the release.
        backend: Back end to use; None is the release's own where it is available.
        memory_gb: Most memory (10**9 bytes) of this process while it reads; None is 80 % of what is free.

    Raises:
        Tampered: When the release's bytes were changed.
        DiascopeError: When the back end does not reproduce the release's stored answers.
    """

    def __init__(self, folder: Path, backend: str | None = None, memory_gb: float | None = None) -> None:
        prepare_process()
        self.opened: OpenRelease = open_release(folder)
        self.ready = ready(self.opened, backend, memory_gb)
        own = int(peak_memory_gb() * 1e9)  # with the networks, and what they hold of one patch
        self.memory = int(memory_gb * 1e9) if memory_gb else own + int(FREE_SHARE * capabilities().memory_available)
        if (left := address_space_left()) is not None:
            self.memory = min(self.memory, own + left)
        self.own = own
        self.distance = self.opened.arrays("gate.safetensors")

    def read(self, incoming: Incoming) -> tuple[Prediction, Mapping[str, Image]]:
        """What the release says about a case.

        Raises:
            OutOfScope: When the input gate refuses it; names every reason.
            DoesNotFit: When it needs more memory than it may have; nothing was read then.
            DataRefused: When it was refused before, or cannot be read.
        """
        if incoming.refused is not None:
            raise incoming.refused
        release, plan = self.opened.release, self.opened.plan
        self._make_room(incoming)
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

    def _make_room(self, one: Incoming) -> None:
        """Give the windows what is left beside the images, or refuse before a voxel is read (F5)."""
        names = tuple(self.opened.plan["image_inputs"])
        refs = {name: ref for name in names if isinstance(ref := one.case.inputs.get(name), FileRef)}
        extents = {name: size for name, ref in refs.items() if (size := formats.extent(ref, one.root)) is not None}
        if not names or len(extents) < len(names):
            return
        needs = need(self.opened.plan, extents, self.ready.reader.output == "dense")
        whole = self.own + needs.most
        if whole > self.memory:
            z, y, x = extents[names[0]].shape[1:]
            raise DoesNotFit(
                f"reading {one.case.id} ({z} x {y} x {x} voxels) needs about {whole / 1e9:.2f} GB of memory",
                given=f"{self.memory / 1e9:.2f} GB, of which the program itself takes {self.own / 1e9:.2f} GB",
                todo="Allow more with --memory, or read it on a machine that has it",
            )
        self.ready.reader.memory_bytes = needs.buffers(self.memory - self.own)


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
        The findings; of a case that was refused, or could not be read, every finding abstains and says why.

    Raises:
        BadUsage: When there is nothing to read at the location.
        DiascopeError: When no case could be read: the reason of the first.
    """
    predictor = Predictor(release, backend, memory_gb)
    found: list[Findings] = []
    refused: list[DiascopeError] = []
    cases = list(incoming(location, predictor.opened, tell))
    names = folder_names([one.case for one in cases])
    answers = Answers(predictor.opened, predictor.ready.words, tell)
    for note in predictor.ready.notes:
        tell({"event": "warning", "message": note})
    for number, (one, name) in enumerate(zip(cases, names, strict=True)):
        tell({"event": "progress", "what": "reading", "done": number, "total": len(cases)})
        asked = Asked(one.case, one.root, out / name, (*predictor.ready.notes, *one.notes))
        try:
            with bounded(f"reading {one.case.id}"):
                found.append(answers.said(asked, *predictor.read(one)))
        except Stopped:
            raise
        except DiascopeError as error:  # whatever is wrong with one case is no reason not to read the others
            refused.append(error)
            found.append(answers.refused(asked, error))
            tell({"event": "warning", "message": f"{one.case.id}: {error}"})
    if refused and len(refused) == len(cases):
        raise refused[0]
    return found


def incoming(location: str, opened: OpenRelease, tell: Tell = silent) -> Iterator[Incoming]:
    """The cases at a location: one file, a DICOM series or study, anything a source recognises, or a folder of files.

    A study that is ambiguous, or that a damaged file may belong to, comes with the reason why it is refused.

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
        yield from _of_dicom(path, name or "image", opened)
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
    yield from _of_dicom(path, name or "image", opened) if source == TREE else _listed(location, source)


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


def _of_dicom(folder: Path, name: str, opened: OpenRelease) -> Iterator[Incoming]:
    """The cases of a tree of DICOM; whatever a damaged file may belong to is refused, and so is the file by itself."""
    found = scan(folder)
    several = len(opened.plan["image_inputs"]) > 1
    cases = list(_side_by_side(found, opened) if several else _studies(found, name, opened))
    broken = damages(found)
    if not cases and not broken:
        raise BadUsage(f"no DICOM image series in {folder}", given=f"{len(found.instances)} DICOM files without images")
    headers = {one.path: one for one in found.instances}
    placed: set[Path] = set()
    for one in cases:
        files = [one.root / path for ref in one.case.inputs.values() if isinstance(ref, FileRef) for path in ref.paths]
        near = [
            each for each in broken if may_belong(each, [headers[path] for path in files if path in headers], found)
        ]
        placed |= {each.path for each in near}
        yield replace(one, refused=one.refused or _damaged(near, folder)) if near else one
    for each in broken:
        if each.path not in placed:
            label = pseudonym(str(each.path.relative_to(folder)), "file")
            yield _case(label, {name: [each.path]}, folder, refused=_damaged([each], folder))


def _damaged(files: Sequence[Damage], folder: Path) -> DataRefused:
    named = "; ".join(f"{one.path.relative_to(folder)}: {one.reason}" for one in files[:MOST_NAMED])
    more = f"; and {len(files) - MOST_NAMED} more" if len(files) > MOST_NAMED else ""
    return DataRefused(
        f"{len(files)} file(s) that may belong to it cannot be read: {named}{more}",
        todo="Export the study again, completely, or remove the file",
    )


def _case(
    label: str,
    inputs: Mapping[str, Sequence[Path]],
    folder: Path,
    notes: tuple[str, ...] = (),
    refused: DataRefused | None = None,
) -> Incoming:
    refs: dict[str, FileRef | TableRef] = {
        name: FileRef(format="dicom", paths=tuple(str(path.relative_to(folder)) for path in paths))
        for name, paths in inputs.items()
    }
    return Incoming(Case(id=label, patient=label, patient_known=False, inputs=refs), folder, notes, refused)


def _side_by_side(found: Scan, opened: OpenRelease) -> Iterator[Incoming]:
    """One case a study with all the images that the release reads, found as in training (`sources/dicom_tree.py`)."""
    try:
        listing = registry.get("sources", TREE).list(str(found.root), SourceOptions())
    except DataRefused:
        yield from _one_by_one(found, opened)
        return
    for case in listing.cases:
        named = case.model_copy(update={"targets": {}, "inputs": _as_the_release_calls_them(case, opened)})
        yield Incoming(named, listing.root, listing.notes)


def _one_by_one(found: Scan, opened: OpenRelease) -> Iterator[Incoming]:
    """The same study by study, where the tree as a whole was refused: only the study that is to blame is."""
    for uid, candidates in _by_study(found).items():
        label = pseudonym(uid, "study")
        try:
            chosen, notes = of_studies(candidates, ())
            refused = None if len(chosen) == 1 else DataRefused("a study makes several cases", given=f"{len(chosen)}")
        except DataRefused as error:
            refused = error
        if refused is not None:
            everything = {"image": [path for one in candidates for path in one.paths]}
            yield _case(label, everything, found.root, refused=refused)
            continue
        parts = chosen[0].inputs
        one = _case(label, {name: part.paths for name, part in parts.items()}, found.root, tuple(notes))
        inputs = {
            name: ref.model_copy(update={"modality": of_dicom_code(parts[name].first.modality)})
            for name, ref in one.case.inputs.items()
        }
        case = one.case.model_copy(update={"inputs": inputs})
        yield replace(one, case=case.model_copy(update={"inputs": _as_the_release_calls_them(case, opened)}))


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


def _by_study(found: Scan) -> dict[str, list[Series]]:
    studies: dict[str, list[Series]] = {}
    for one in series(found.instances):
        studies.setdefault(one.first.study_uid, []).append(one)
    return studies


def _studies(found: Scan, name: str, opened: OpenRelease) -> Iterator[Incoming]:
    """One case a study: its series is chosen by declared rules, and the reason is kept; ambiguous is refused."""
    codes = [
        code for rule in opened.release.gate.rules for code in registry.get("modalities", rule.modality).dicom_codes
    ]
    for uid, candidates in _by_study(found).items():
        chosen = choose(candidates, frozenset(), codes[0] if codes else None)
        if not chosen.clear:
            refused = DataRefused(
                "a study has several series that could be meant",
                given="; ".join(chosen.candidates),
                todo="Give the folder of one series",
            )
            paths = [path for one in candidates for path in one.paths]
            yield _case(pseudonym(uid, "study"), {name: paths}, found.root, refused=refused)
            continue
        notes = (f"series chosen: {chosen.reason}",) if len(candidates) > 1 and chosen.reason else ()
        for picked in chosen.chosen:
            yield _case(pseudonym(picked.uid + picked.part, "series"), {name: picked.paths}, found.root, notes)
