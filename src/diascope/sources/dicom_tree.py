"""A tree of DICOM files: one case a study, with targets from a table or from DICOM SEG objects in the tree."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from diascope.core.case import Case, FileRef, Scalar
from diascope.core.errors import DataRefused
from diascope.core.problem import Problem
from diascope.formats.dicomio.headers import SUFFIXES, Instance, Series, is_dicom, scan, series
from diascope.modalities import of_dicom_code
from diascope.privacy.pseudonym import pseudonym
from diascope.sources import Listing, SourceOptions
from diascope.sources.folders.files import contents, is_declared, reason, suffix_of
from diascope.sources.studies.choosing import PROJECTIONS, Choice, choose, in_words
from diascope.sources.studies.keyed import Keyed, keyed
from diascope.sources.studies.labels import TARGET_NAME, seg_of, seg_ref, seg_target
from diascope.sources.tables.describe import Rows, describe
from diascope.sources.tables.sheet import BESIDE, Cells, read_sheet

FORMAT = "dicom"
MOST_LOOKED_AT = 200
"""Files that are opened to recognise a tree."""
MOST_NAMED = 3
"""Ambiguous studies that an error lists."""


class DicomTree:
    """Studies, whatever the folders and files are called."""

    def recognises(self, location: str) -> str | None:
        return reason(location, _why)

    def list(self, location: str, options: SourceOptions) -> Listing:
        """List the studies, one series of each chosen by declared rules (`studies/choosing.py`).

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
        segs = [one for one in found.instances if one.is_segmentation]
        chosen, notes = _chosen(images, segs, table)
        cases = [_case(one, table, root) for one in chosen]
        target = seg_target(one.seg for one in chosen if one.seg is not None)
        if target is not None:
            cases = [_with_mask(case, one, root) for case, one in zip(cases, chosen, strict=True)]
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


@dataclass(frozen=True)
class _Chosen:
    """One case to be: its series, the SEG that labels it, and the kind of its id."""

    series: Series
    seg: Instance | None
    kind: str

    @property
    def id(self) -> str:
        first = self.series.first
        value = {"study": first.study_uid, "series": first.series_uid + self.series.part, "image": first.sop_uid}
        return pseudonym(value[self.kind] or str(first.path), self.kind)


def _why(root: Path) -> str | None:
    if not root.is_dir() or is_declared(root):
        return None
    for count, path in enumerate(_candidates(root)):
        if is_dicom(path):
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
    images: Sequence[Instance], segs: Sequence[Instance], table: Keyed | None
) -> tuple[list[_Chosen], list[str]]:
    parts = series(images)
    if table is not None and table.level == "series":
        named = [part for part in parts if part.uid in table.rows]
        notes = [f"{len(named)} series are named by the table; {len(parts) - len(named)} others were left out"]
        kind = "image" if all(part.first.modality in PROJECTIONS for part in named) else "series"
        return [_Chosen(part, seg_of(part, segs), kind) for part in named], notes
    by_study: dict[str, list[Series]] = {}
    for part in parts:
        by_study.setdefault(part.first.study_uid or part.uid, []).append(part)
    modality = _main_modality(by_study)
    chosen: list[_Chosen] = []
    choices: dict[str, Choice] = {}
    for uid, candidates in by_study.items():
        labelled = frozenset(part.uid for part in candidates if seg_of(part, segs) is not None)
        choice = choices[pseudonym(uid, "study")] = choose(candidates, labelled, modality)
        kind = "study" if len(choice.chosen) == 1 else "image"
        chosen += [_Chosen(part, seg_of(part, segs), kind) for part in choice.chosen]
    _refuse_unclear(choices)
    return chosen, _notes(choices)


def _main_modality(by_study: Mapping[str, Sequence[Series]]) -> str | None:
    """The modality that the most studies have, None where two are equally frequent."""
    counts = Counter(code for parts in by_study.values() for code in {part.first.modality for part in parts})
    ranked = counts.most_common(2)
    return None if len(ranked) > 1 and ranked[0][1] == ranked[1][1] else ranked[0][0]


def _refuse_unclear(choices: Mapping[str, Choice]) -> None:
    unclear = [(study, choice) for study, choice in choices.items() if not choice.clear]
    if unclear:
        listed = "; ".join(
            f"{study}: {' or '.join(in_words(one) for one in choice.chosen)}" for study, choice in unclear[:MOST_NAMED]
        )
        more = f"; and {len(unclear) - MOST_NAMED} more" if len(unclear) > MOST_NAMED else ""
        raise DataRefused(
            f"in {len(unclear)} of {len(choices)} studies no rule says which series to read: {listed}{more}",
            todo="Write a table keyed by SeriesInstanceUID, or keep one series a study",
        )


def _notes(choices: Mapping[str, Choice]) -> list[str]:
    """One note for each way in which a series was chosen, with the candidates of the first study."""
    ways: dict[tuple[str, bool], list[str]] = {}
    for study, choice in choices.items():
        ways.setdefault((choice.reason, len(choice.candidates) > 1), []).append(study)
    notes = []
    for (why, several), studies in ways.items():
        first = choices[studies[0]]
        if several:
            notes.append(
                f"{len(studies)} studies: {in_words(first.chosen[0])} was chosen ({why}) "
                f"of {', '.join(first.candidates)} (in {studies[0]})"
            )
        else:
            notes.append(f"{len(studies)} studies have one series")
    return notes


def _case(one: _Chosen, table: Keyed | None, root: Path) -> Case:
    first = one.series.first
    name = one.id
    covariates: dict[str, Scalar] = {"sex": first.sex, "age": first.age, "manufacturer": first.manufacturer}
    return Case(
        id=name,
        patient=pseudonym(first.patient_id, "patient") if first.patient_id else name,
        patient_known=bool(first.patient_id),
        inputs={
            "image": FileRef(
                format=FORMAT,
                paths=tuple(path.relative_to(root).as_posix() for path in one.series.paths),
                modality=of_dicom_code(first.modality),
            )
        },
        group=pseudonym(first.study_uid, "study") if first.study_uid else None,
        covariates={key: value for key, value in covariates.items() if value is not None},
    )


def _with_mask(case: Case, one: _Chosen, root: Path) -> Case:
    mask = None if one.seg is None else seg_ref(one.seg, root)
    return case.model_copy(update={"targets": {TARGET_NAME: mask}})


def _rows(table: Keyed | None, cases: Sequence[Case], chosen: Sequence[_Chosen]) -> Rows | None:
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
