"""What a release is asked about: cases without targets, and those that a tree of DICOM makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from diascope.core import registry
from diascope.core.case import Case, FileRef, TableRef
from diascope.core.errors import BadUsage, DataRefused
from diascope.formats.dicomio.headers import Scan, Series, scan, series
from diascope.modalities import of_dicom_code
from diascope.privacy.pseudonym import pseudonym
from diascope.sources import SourceOptions
from diascope.sources.studies.choosing import choose
from diascope.sources.studies.chosen import of_studies
from diascope.sources.studies.damage import Damage, damages, may_belong
from diascope.store.releases import OpenRelease

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


def of_dicom(folder: Path, name: str, opened: OpenRelease) -> Iterator[Incoming]:
    """The cases of a tree of DICOM; whatever a damaged file may belong to is refused, and so is the file by itself.

    Args:
        folder: Where the tree starts.
        name: Of the first image that the release reads.
        opened: The release.

    Raises:
        BadUsage: When the tree holds no image.
    """
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
