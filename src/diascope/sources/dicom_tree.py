"""A tree of DICOM files: one case a study, with targets from a table, or from DICOM SEG or RTSTRUCT in the tree."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from diascope.core.case import Case, FileRef, Scalar, Target
from diascope.core.errors import DataRefused
from diascope.core.problem import Problem
from diascope.formats.dicomio.headers import SUFFIXES, Instance, is_dicom, is_waveform, scan, series
from diascope.modalities import of_dicom_code
from diascope.privacy.pseudonym import pseudonym
from diascope.sources import Listing, SourceOptions
from diascope.sources.folders.drawn import is_annotated
from diascope.sources.folders.files import contents, is_declared, reason, suffix_of
from diascope.sources.studies.choosing import PROJECTIONS
from diascope.sources.studies.chosen import Chosen, of_studies, one_input
from diascope.sources.studies.keyed import Keyed, keyed
from diascope.sources.studies.labels import mask_notes, mask_ref, mask_target, masks_of
from diascope.sources.tables.describe import Rows, describe
from diascope.sources.tables.drawn import box_tables
from diascope.sources.tables.sheet import BESIDE, Cells, read_sheet

FORMAT = "dicom"
MOST_LOOKED_AT = 200
"""Files that are opened to recognise a tree."""


class DicomTree:
    """Studies, whatever the folders and files are called."""

    def recognises(self, location: str) -> str | None:
        return reason(location, _why)

    def list(self, location: str, options: SourceOptions) -> Listing:
        """List the studies, their series chosen by declared rules (`studies/choosing.py`, `studies/inputs.py`).

        Raises:
            DataRefused: When there are no images, the rules do not decide between series, or the table has no key.
            UnknownName: When a column that the user named does not exist.
        """
        root = Path(location).resolve()
        found = scan(root)
        images = [one for one in found.instances if one.is_image]
        if not images:
            raise DataRefused(
                f"no DICOM image can be read in {root}", given=f"{len(found.unreadable)} unreadable files"
            )
        table = _table(root, images, options)
        masks = masks_of(found.instances)
        chosen, notes = _chosen(images, masks, table)
        cases = [_case(one, root) for one in chosen]
        drawn = [one.drawn for one in chosen if one.drawn is not None]
        target = mask_target(drawn, None if table is not None and options.target in table.columns else options.target)
        if target is not None:
            cases = [_with_mask(case, one, target, root) for case, one in zip(cases, chosen, strict=True)]
            notes += mask_notes(drawn, target, masks)
        rows = _rows(table, cases, chosen)
        described = describe(cases, options, rows, () if target is None else (target,))
        if table is not None:
            notes.append(f"the column {table.column!r} is the key: a row describes a {table.level}")
        return Listing(
            root=root,
            cases=described.cases,
            targets=described.targets,
            notes=(*notes, *described.notes),
            problems=_problems(found.unreadable, root),
        )


def _why(root: Path) -> str | None:
    if not root.is_dir() or is_declared(root) or is_annotated(root) or box_tables(root):
        return None
    for count, path in enumerate(_candidates(root)):
        if is_dicom(path) and not is_waveform(path):
            return f"DICOM files, such as {path.relative_to(root).as_posix()}"
        if count >= MOST_LOOKED_AT:
            return None
    return None


def _candidates(root: Path) -> Iterator[Path]:
    """Files that may be DICOM by their name."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            ending = Path(name).suffix.lower()
            plain_name = ending in SUFFIXES or not ending or ending[1:].isdigit()
            if plain_name and not name.startswith(".") and not suffix_of(name):
                yield Path(folder, name)


def _table(root: Path, images: Sequence[Instance], options: SourceOptions) -> Keyed | None:
    names = [name for name in contents(root)[1] if name.lower().endswith(".csv")]
    names = [name for name in names if name in BESIDE] or names
    if not names:
        return None
    if len(names) > 1:
        raise DataRefused(f"several tables lie in {root}: {', '.join(names)}", todo=f"Call the right one {BESIDE[1]}")
    return keyed(read_sheet(root / names[0]), images, options)


def _chosen(
    images: Sequence[Instance], masks: Sequence[Instance], table: Keyed | None
) -> tuple[list[Chosen], list[str]]:
    parts = series(images)
    if table is None or table.level != "series":
        return of_studies(parts, masks)
    named = [part for part in parts if part.uid in table.rows]
    notes = [f"{len(named)} series are named by the table; {len(parts) - len(named)} others were left out"]
    kind = "image" if all(part.first.modality in PROJECTIONS for part in named) else "series"
    return [one_input(part, masks, kind) for part in named], notes


def _case(one: Chosen, root: Path) -> Case:
    first = one.series.first
    name = one.id
    covariates: dict[str, Scalar] = {"sex": first.sex, "age": first.age, "manufacturer": first.manufacturer}
    return Case(
        id=name,
        patient=pseudonym(first.patient_id, "patient") if first.patient_id else name,
        patient_known=bool(first.patient_id),
        inputs={
            name: FileRef(
                format=FORMAT,
                paths=tuple(path.relative_to(root).as_posix() for path in part.paths),
                modality=of_dicom_code(part.first.modality),
            )
            for name, part in one.inputs.items()
        },
        group=pseudonym(first.study_uid, "study") if first.study_uid else None,
        covariates={key: value for key, value in covariates.items() if value is not None},
    )


def _with_mask(case: Case, one: Chosen, target: Target, root: Path) -> Case:
    mask = None if one.drawn is None else mask_ref(*one.drawn, target, root)
    return case.model_copy(update={"targets": {target.name: mask}})


def _rows(table: Keyed | None, cases: Sequence[Case], chosen: Sequence[Chosen]) -> Rows | None:
    if table is None:
        return None
    rows: dict[str, Cells] = {}
    for case, one in zip(cases, chosen, strict=True):
        first = one.series.first
        key = {"series": one.series.uid, "study": first.study_uid, "patient": first.patient_id}[table.level]
        if key in table.rows:
            rows[case.id] = table.rows[key]
    return Rows(table.columns, rows)


def _problems(unreadable: Mapping[Path, str], root: Path) -> tuple[Problem, ...]:
    if not unreadable:
        return ()
    listed = "; ".join(f"{path.relative_to(root).as_posix()}: {why}" for path, why in list(unreadable.items())[:20])
    return (
        Problem(
            check="unreadable",
            severity="warn",
            title=f"{len(unreadable)} DICOM files cannot be read",
            detail=f"They are in no case. {listed}",
        ),
    )


SOURCE = DicomTree()
