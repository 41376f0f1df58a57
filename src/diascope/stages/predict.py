"""predict: a release reads studies that it has not seen, or refuses and says why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from diascope import formats
from diascope.core import registry
from diascope.core.case import FileRef
from diascope.core.errors import BadUsage, DiascopeError, DoesNotFit, OutOfScope, Stopped
from diascope.core.finding import Findings
from diascope.core.image import Image
from diascope.engine.batch import Example, Output
from diascope.engine.devices import capabilities, peak_memory_gb, prepare_process
from diascope.engine.gate import broken_rules, distance, features, refusals
from diascope.engine.opening import ready
from diascope.engine.preparing import prepare, read_images
from diascope.engine.progress import Tell, silent
from diascope.engine.room import Need, address_space_left, bounded, need
from diascope.engine.task import Prediction
from diascope.formats.dicomio.headers import is_dicom
from diascope.kinds import is_missing, kind_of
from diascope.kinds.tables.rows import broken_columns
from diascope.reports.answers import Answers, Asked, folder_names
from diascope.sources import recognise
from diascope.sources.folders.files import contents
from diascope.sources.publicsets.locating import located
from diascope.sources.studies.channels import of_file, of_files
from diascope.sources.studies.recorded import recorded
from diascope.sources.studies.unlabelled import listed
from diascope.sources.studies.unseen import TREE, Incoming, of_dicom
from diascope.store.releases import OpenRelease, open_usable

FREE_SHARE = 0.8
"""Of the memory that is free, as in a plan."""


@dataclass(frozen=True)
class Prepared:
    """A case that keeps the rules of the input gate: as the network sees it, and as it is in the files."""

    example: Example
    images: Mapping[str, Image]

    @property
    def nbytes(self) -> int:
        """Bytes that are held while it waits."""
        arrays = [*(image.array for image in self.images.values()), *self.example.inputs.values()]
        return sum(array.nbytes for array in arrays)


class Predictor:
    """An opened release, ready to read.

    Args:
        folder: Of the release.
        backend: Back end to use; None is the release's own where it is available.
        memory_gb: Most memory (10**9 bytes) of this process while it reads; None is 80 % of what is free.

    Raises:
        Blocked: When the release's own evaluation speaks against it.
        Tampered: When the release's bytes were changed.
        DiascopeError: When the back end does not reproduce the release's stored answers.
    """

    def __init__(self, folder: Path, backend: str | None = None, memory_gb: float | None = None) -> None:
        prepare_process()
        self.opened: OpenRelease = open_usable(folder)
        self.ready = ready(self.opened, backend, memory_gb)
        own = int(peak_memory_gb() * 1e9)  # with the networks, and what they hold of one patch
        self.memory = int(memory_gb * 1e9) if memory_gb else own + int(FREE_SHARE * capabilities().memory_available)
        if (left := address_space_left()) is not None:
            self.memory = min(self.memory, own + left)
        self.own = own
        self.distance = self.opened.arrays("gate.safetensors")

    def needs(self, one: Incoming) -> Need | None:
        """What reading a case needs, by the headers of its files; None where they do not tell.

        Raises:
            DataRefused: When the case was refused before, or a header cannot be read.
            DoesNotFit: When it needs more memory than it may have; nothing was read then.
        """
        if one.refused is not None:
            raise one.refused
        names = tuple(self.opened.plan["image_inputs"])
        refs = {name: ref for name in names if isinstance(ref := one.case.inputs.get(name), FileRef)}
        extents = {name: size for name, ref in refs.items() if (size := formats.extent(ref, one.root)) is not None}
        if not names or len(extents) < len(names):
            return None
        needs = need(self.opened.plan, extents, self.ready.reader.windowed)
        if self.own + needs.most > self.memory:
            z, y, x = extents[names[0]].shape[1:]
            raise DoesNotFit(
                f"reading {one.case.id} ({z} x {y} x {x} voxels) needs about {(self.own + needs.most) / 1e9:.2f} GB of "
                "memory",
                given=f"{self.memory / 1e9:.2f} GB, of which the program itself takes {self.own / 1e9:.2f} GB",
                todo="Allow more with --memory, or read it on a machine that has it",
            )
        return needs

    def has_room(self, needs: Need | None, held: int) -> bool:
        """Whether a case can be prepared beside `held` bytes that wait; what is not known may be as much again."""
        return self.own + held + (held if needs is None else needs.most) <= self.memory

    def prepared(self, one: Incoming, needs: Need | None) -> Prepared:
        """A case as the network sees it.

        Raises:
            OutOfScope: When it breaks rules of the input gate; names every one.
            DataRefused: When it cannot be read.
        """
        release, plan = self.opened.release, self.opened.plan
        if needs is not None:  # the windows get what is left beside the images (F5)
            self.ready.reader.memory_bytes = needs.buffers(self.memory - self.own)
        images = read_images(one.case, one.root, tuple(plan["image_inputs"]))
        reasons = [*broken_rules(release.gate, images, not images), *broken_columns(release.gate, one.case)]
        for name, settings in plan["readings"].items():
            reasons += kind_of(settings).refusals(one.case, name, one.root, settings)
        if reasons:
            raise OutOfScope(one.case.id, reasons)
        example = prepare(one.case, images, plan, one.root)
        if not images and all(is_missing(example.inputs[name]) for name in plan["readings"]):
            raise OutOfScope(one.case.id, ["every value of its inputs is missing"])
        return Prepared(example, images)

    def said(self, one: Prepared, output: Output) -> Prediction:
        """What the release says about a case that was read.

        Raises:
            OutOfScope: When it is unlike the training cases.
        """
        release, plan, example = self.opened.release, self.opened.plan, one.example
        limit, apart = release.gate.distance_limit, None
        if limit is not None:
            apart = distance(features(example, output, plan), self.distance)
            if not apart <= limit:
                reason = (
                    f"it is unlike the training cases: distance {apart:.1f}, limit {limit:.1f} "
                    f"({refusals(release.gate)})"
                )
                raise OutOfScope(example.case.id, [reason])
        prediction: Prediction = registry.get("tasks", plan.task).decode(output, example, release.decision, plan)
        return replace(prediction, features=output.features, distance=apart)


class Session:
    """Cases that are asked about one after the other; each has an answer of its own, whatever the others do.

    Flat images wait until a batch is full, or the memory is: a batch costs the same for one of them.

    Args:
        predictor: Reads.
        answers: Writes.
        tell: Told why a case was refused.
    """

    def __init__(self, predictor: Predictor, answers: Answers, tell: Tell = silent) -> None:
        self.predictor, self.answers, self.tell = predictor, answers, tell
        self.reader = predictor.ready.reader
        self.found: dict[Path, Findings] = {}
        self.refused = 0
        self.why: DiascopeError | None = None
        self._waiting: list[tuple[Asked, Prepared]] = []

    def ask(self, one: Incoming, asked: Asked) -> None:
        """Prepare a case, and read it, now or with those that follow."""
        with self._answering(asked):
            needs = self.predictor.needs(one)
            if not self.predictor.has_room(needs, sum(prepared.nbytes for _, prepared in self._waiting)):
                self.finish()
            self._waiting.append((asked, self.predictor.prepared(one, needs)))
        if self._waiting and len(self._waiting) >= self.reader.together(self._waiting[-1][1].example):
            self.finish()

    def finish(self) -> None:
        """Read what waits."""
        some, self._waiting = self._waiting, []
        for (asked, one), output in zip(some, self._outputs(some), strict=True):
            with self._answering(asked):
                output = output or self.reader.read(one.example)
                self.found[asked.folder] = self.answers.said(asked, self.predictor.said(one, output), one.images)

    def _outputs(self, some: Sequence[tuple[Asked, Prepared]]) -> Sequence[Output | None]:
        """What the network says; None for each case that is to be read alone, also where it fails for all together."""
        alone = [None] * len(some)
        if len(some) < 2:
            return alone
        try:
            with bounded(f"reading {some[0][0].case.id}"):
                return list(self.reader.read_all([one.example for _, one in some]))
        except Stopped:
            raise
        except DiascopeError:  # whose fault it is shows when each is read alone
            return alone

    @contextmanager
    def _answering(self, asked: Asked) -> Iterator[None]:
        """Around the work on one case: whatever is wrong with it is no reason not to read the others."""
        try:
            with bounded(f"reading {asked.case.id}"):
                yield
        except Stopped:
            raise
        except DiascopeError as error:
            self._refuse(asked, error)

    def _refuse(self, asked: Asked, error: DiascopeError) -> None:
        self.refused += 1
        self.why = self.why or error  # one is kept: an error holds the images of the case that it was raised for
        self.found[asked.folder] = self.answers.refused(asked, error)
        self.tell({"event": "warning", "message": f"{asked.case.id}: {error}"})


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
        DiascopeError: When no case could be read: the first reason.
    """
    return list(answered(release, location, out, backend, memory_gb, tell).values())


def answered(
    release: Path,
    location: str,
    out: Path,
    backend: str | None = None,
    memory_gb: float | None = None,
    tell: Tell = silent,
) -> dict[Path, Findings]:
    """The same, by the folder of each case: `Findings.files` are names in it."""
    predictor = Predictor(release, backend, memory_gb)
    cases = list(incoming(location, predictor.opened, tell))
    folders = [out / name for name in folder_names([one.case for one in cases])]
    session = Session(predictor, Answers(predictor.opened, predictor.ready.words, tell), tell)
    for note in predictor.ready.notes:
        tell({"event": "warning", "message": note})
    for number, (one, folder) in enumerate(zip(cases, folders, strict=True)):
        tell({"event": "progress", "what": "reading", "done": number, "total": len(cases)})
        session.ask(one, Asked(one.case, one.root, folder, (*predictor.ready.notes, *one.notes)))
    session.finish()
    if session.why is not None and session.refused == len(cases):
        raise session.why
    return {folder: session.found[folder] for folder in folders}


def incoming(location: str, opened: OpenRelease, tell: Tell = silent) -> Iterator[Incoming]:
    """The cases at a location: one file, a DICOM series or study, anything a source recognises, or a folder of files.

    A study that is ambiguous, or that a damaged file may belong to, comes with the reason why it is refused.

    Raises:
        BadUsage: When there is nothing to read.
    """
    location = located(location, tell).location
    path = Path(location)
    name = next(iter(opened.plan["image_inputs"]), None)
    if path.is_file() and (single := of_file(path, opened)):
        yield from single
        return
    alone = [] if _own_source(location, opened) else list(recorded(path, opened))
    if alone:
        yield from alone
        return
    if path.is_dir() and any(is_dicom(file) for file in _some_files(path)):
        yield from of_dicom(path, name or "image", opened)
        return
    try:
        source = _own_source(location, opened) or recognise(location)
    except DiascopeError as error:
        files = list(of_files(path, contents(path)[1], opened)) if path.is_dir() else []
        yield from files or _as_trained(location, opened, error)
        return
    yield from of_dicom(path, name or "image", opened) if source == TREE else listed(location, source, opened)


def _own_source(location: str, opened: OpenRelease) -> str | None:
    """The source of the training data, where it held rows and recognises this as well: another one may read no rows."""
    own = opened.release.source
    if not opened.plan["readings"] or own not in registry.names("sources"):
        return None
    return own if registry.get("sources", own).recognises(location) else None


def _as_trained(location: str, opened: OpenRelease, why: DiascopeError) -> Iterator[Incoming]:
    """What has no layout of its own (a table without answers), listed as the training data was.

    Raises:
        BadUsage: When that fails as well.
    """
    source = opened.release.source
    try:
        if source not in registry.names("sources"):
            raise why
        yield from listed(location, source, opened)
    except DiascopeError as error:
        raise BadUsage(
            f"nothing to read at {location}",
            given=why.wrong if error is why else f"{why.wrong}; as {source}: {error.wrong}",
            todo="Give an image, a series, a folder, or data in the layout of the training data",
        ) from error


def _some_files(folder: Path) -> list[Path]:
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            found.append(path)
        if len(found) >= 50:
            break
    return found
