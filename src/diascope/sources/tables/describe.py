"""Patient, site, split, covariates and further targets of cases, from the rows of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from diascope.core.case import Case, Scalar, Split, Target
from diascope.core.errors import DataRefused, UnknownName
from diascope.core.presence import LABELS
from diascope.sources import SourceOptions
from diascope.sources.folders.splits import split_of_cell
from diascope.sources.tables.cells import number_in, values_of
from diascope.sources.tables.columns import (
    COVARIATE,
    IDENTITY,
    MADE,
    NOT_MADE,
    TARGET,
    Roles,
    likeliest,
    plain,
    roles_of,
)
from diascope.sources.tables.files import unit_of
from diascope.sources.tables.findings import FEWEST, columns_asked, said, says_presence, target_of
from diascope.sources.tables.sheet import Cells
from diascope.sources.tables.survival import outcome_of, with_outcome
from diascope.sources.tables.targets import NO_CLASSES, ColumnKind, category, class_name, kind_of, scalar_of


@dataclass(frozen=True)
class Rows:
    """The rows of a table, matched to cases.

    Args:
        columns: Every column of the table, in its order.
        of: Case id to row; a case without one is described by nothing.
        used: Columns that name files or cases and describe nothing.
        read: Columns that a model reads: they describe cases only where their name says that they do.
    """

    columns: tuple[str, ...] = ()
    of: Mapping[str, Cells] | None = None
    used: frozenset[str] = frozenset()
    read: frozenset[str] = frozenset()

    def values(self, column: str, cases: Sequence[Case]) -> list[str | None]:
        """One cell a case."""
        rows = self.of or {}
        return [rows[case.id][column] if case.id in rows else None for case in cases]


@dataclass(frozen=True)
class Described:
    """Cases with what the table says about them; every possible target, the likeliest first."""

    cases: tuple[Case, ...]
    targets: tuple[Target, ...]
    notes: tuple[str, ...]


def describe(
    cases: Sequence[Case], options: SourceOptions, rows: Rows | None = None, targets: Sequence[Target] = ()
) -> Described:
    """Add what a table says to cases that have inputs, and perhaps targets from the layout.

    Args:
        cases: With the layout's targets and splits.
        options: Columns that the user named.
        rows: The table; None where there is none.
        targets: Those of the layout (a class folder, a mask).

    Raises:
        UnknownName: When a column that the user named does not exist.
        DataRefused: When table and layout contradict each other.
    """
    rows = rows or Rows()
    roles = roles_of(rows.columns, options)
    of_layout = {target.name for target in targets}
    translations = _translations(cases, rows, targets)
    _refuse_unknown(options.without, rows.columns)
    left_out = rows.used | roles.columns | of_layout | set(options.without)
    asked = options.target if options.target not in of_layout else None
    outcome = outcome_of(rows.columns, tuple((rows.of or {}).values()), asked, left_out)
    if outcome is not None:
        left_out |= {outcome.time, outcome.event}
        asked = None
    free = tuple(name for name in rows.columns if name not in left_out)
    together, offered = _together(cases, rows, free, asked)
    if asked is not None and together is None and asked not in rows.columns:
        raise UnknownName("target column", asked, {*of_layout, *free, *(one.name for one in offered)})
    kinds = {name: _kind_of(name, rows.values(name, cases)) for name in free}
    alone = [*targets, *_targets(cases, rows, kinds, asked)]
    if asked is None and offered and {one.name for one in alone} <= set(offered[0].columns):
        # Whatever could be learnt is one of these labels.
        together, offered = offered[0], ()
    found = _in_order(alone, together, options.target)
    if outcome is not None:
        found = [*targets, outcome.target, *(one for one in found if one not in targets)]
    described = {
        name: kind
        for name, kind in kinds.items()
        if not (together and name in together.columns) and (name not in rows.read or plain(name) in COVARIATE)
    }
    covariates, notes = _covariates(cases, rows, described, found)
    told = tuple(_with_row(case, (rows.of or {}).get(case.id), roles, found, covariates) for case in cases)
    if outcome is not None:
        told = tuple(with_outcome(told, rows.of or {}, outcome))
    of_parts = (*_on_parts(told), *_on_labels(together), *_on_synthetic(told))
    notes = [*_on_patients(told, roles), *roles.notes, *translations, *notes, *of_parts]
    return Described(told, (*found, *offered), tuple(notes))


def _together(
    cases: Sequence[Case], rows: Rows, free: Sequence[str], asked: str | None
) -> tuple[Target | None, tuple[Target, ...]]:
    """Columns of presence that are learnt together because the user named them, and those that could be."""
    named = columns_asked(asked, rows.columns)
    if named:
        return target_of(named, rows.columns), ()
    columns = [
        name
        for name in free
        if name not in rows.read
        and plain(name) not in (*COVARIATE, *IDENTITY, *TARGET)
        and says_presence(rows.values(name, cases))
    ]
    if len(columns) < FEWEST:
        return None, ()
    offered = target_of(columns, rows.columns)
    return (offered, ()) if asked == offered.name else (None, (offered,))


def _in_order(alone: Sequence[Target], together: Target | None, asked: str | None) -> list[Target]:
    """The likeliest first; a column that is learnt together with others is no target of its own."""
    if together is not None:
        return [together, *(one for one in alone if not set(one.columns) & set(together.columns))]
    meant = asked or likeliest(target.name for target in alone)
    return sorted(alone, key=lambda target: target.name != meant)


def _on_labels(together: Target | None) -> list[str]:
    if together is None:
        return []
    names = ", ".join(together.columns)
    return [f"{len(together.columns)} columns say whether something is present, and are learnt together: {names}"]


def _refuse_unknown(without: Sequence[str], columns: Sequence[str]) -> None:
    for name in without:
        if name not in columns:
            raise UnknownName("column to leave out", name, columns)


def _translations(cases: Sequence[Case], rows: Rows, targets: Sequence[Target]) -> list[str]:
    """Notes on columns that say what the folders say in other words (0 and 1 for normal and ill), one to one.

    Raises:
        DataRefused: When a column contradicts the folders: a word for two folders, two for one, or that of another.
    """
    notes = []
    for target in targets:
        if target.kind != "category" or target.name not in rows.columns:
            continue
        folders = {label.name for label in target.labels}
        said: dict[str, str] = {}
        for case, cell in zip(cases, map(class_name, rows.values(target.name, cases)), strict=True):
            folder = str(case.targets[target.name])
            if cell is None:
                continue
            known = said.setdefault(folder, cell)
            if known != cell or (cell != folder and cell in folders) or _elsewhere(cell, folder, said):
                raise DataRefused(
                    f"{case.id} lies in the folder {folder!r}, and the table calls it {cell!r}",
                    todo=f"Mend the column {target.name!r}, or rename it",
                )
        if any(folder != cell for folder, cell in said.items()):
            words = ", ".join(f"{cell} is {folder}" for folder, cell in sorted(said.items()))
            notes.append(f"the column {target.name!r} says the folders in other words, one to one: {words}")
    return notes


def _elsewhere(cell: str, folder: str, said: Mapping[str, str]) -> bool:
    return any(other == cell and name != folder for name, other in said.items())


def _targets(cases: Sequence[Case], rows: Rows, kinds: Mapping[str, ColumnKind], asked: str | None) -> list[Target]:
    """Targets from columns: the one that the user named, then those named like a target, then other classes.

    A column that is named like a target is one even where it makes no classes, so that it is refused by its name and no
    other column is learnt in its place.
    """
    named = [name for name in kinds if name == asked or plain(name) in TARGET]
    others = [
        name
        for name, kind in kinds.items()
        if name not in named
        and kind == "category"
        and plain(name) not in (*COVARIATE, *IDENTITY)
        and len(set(rows.values(name, cases)) - {None}) > 1
    ]
    return [_target(name, rows.values(name, cases), name == asked) for name in (*named, *others)]


def _kind_of(name: str, values: Sequence[str | None]) -> ColumnKind:
    """As `kind_of`; what is measured in a unit, or has a limit of detection among numbers, is a number."""
    kind = kind_of(values)
    known = [cell for cell in values if cell is not None]
    if kind not in ("category", "text") or values_of(name, known).kind != "number":
        return kind
    texts = [str(number) for cell in known if (number := number_in(cell)) is not None]
    return "number" if kind_of(texts) == "number" or unit_of(name)[1] else kind


def _target(name: str, values: Sequence[str | None], asked: bool) -> Target:
    kind = _kind_of(name, values)
    present = [class_name(value) for value in values if value is not None]
    if kind == "category" or (kind == "text" and 2 * len(set(present)) <= len(present)):
        return category(name, present)
    if asked and kind != "number":
        raise DataRefused(
            f"the column {name!r} makes no classes: {NO_CLASSES[kind]}",
            given=f"{len(set(present))} different texts in {len(present)} cases",
            todo="Choose another target column",
        )
    return Target(name=name, kind=kind, columns=(name,), unit=unit_of(name)[1] if kind == "number" else "")


def _covariates(
    cases: Sequence[Case], rows: Rows, kinds: Mapping[str, ColumnKind], targets: Sequence[Target]
) -> tuple[tuple[str, ...], list[str]]:
    """Columns that describe cases, and notes on those that were left out."""
    main = targets[0] if targets else None
    chosen, private, wordy, files, same = [], [], [], [], []
    for name, kind in kinds.items():
        if plain(name) in IDENTITY:
            private.append(name)
        elif kind == "text":
            wordy.append(name)
        elif kind == "files":
            files.append(name)
        elif kind == "empty" or (main is not None and name == main.name):
            continue
        elif main is not None and _says_the_same(name, cases, rows, main):
            same.append(name)
        else:
            chosen.append(name)
    notes = []
    if chosen:
        notes.append(f"covariates: {', '.join(chosen)}")
    for names, why in (
        (private, "say who the patient is"),
        (wordy, "hold too many different texts"),
        (files, "name files"),
        (same, f"say the target {main.name!r} in other words" if main else ""),
    ):
        if names:
            notes.append(f"not copied, because they {why}: {', '.join(names)}")
    return tuple(chosen), notes


def _says_the_same(name: str, cases: Sequence[Case], rows: Rows, main: Target) -> bool:
    """Whether one of a column and the target follows from the other; never so for what describes a case by name."""
    if main.kind != "category" or plain(name) in COVARIATE or kind_of(rows.values(name, cases)) != "category":
        return False
    if main.name in rows.columns:
        answers = [class_name(value) for value in rows.values(main.name, cases)]
    else:
        answers = [str(case.targets[main.name]) for case in cases]
    pairs = {
        (value, answer)
        for value, answer in zip(rows.values(name, cases), answers, strict=True)
        if value is not None and answer is not None
    }
    values, meanings = {value for value, _ in pairs}, {answer for _, answer in pairs}
    return len(meanings) > 1 and len(values) > 1 and len(pairs) == max(len(values), len(meanings))


def _with_row(
    case: Case, row: Cells | None, roles: Roles, targets: Sequence[Target], covariates: tuple[str, ...]
) -> Case:
    if row is None:
        missing = {column: None for target in targets for column in target.columns if column not in case.targets}
        return case.model_copy(update={"targets": {**case.targets, **missing}})
    of_row: dict[str, Scalar] = {}
    for target in targets:
        of_row |= {name: _answer(row[name], name, target) for name in target.columns if name not in case.targets}
    told = {name: scalar_of(row[name]) for name in covariates}
    kept = {name: value for name, value in told.items() if value is not None or name not in case.covariates}
    patient = row[roles.patient] if roles.patient else None
    group = row[roles.group] if roles.group else case.group
    if roles.group and group and patient and not roles.group_joins:
        group = f"{patient}/{group}"
    return case.model_copy(
        update={
            "patient": patient or case.patient,
            "patient_known": patient is not None or case.patient_known,
            "group": group,
            "site": row[roles.site] if roles.site else case.site,
            "split": _split(case, row, roles.split),
            "synthetic": _is_made(case, row, roles) or case.synthetic,
            "targets": {**case.targets, **of_row},
            "covariates": {**case.covariates, **kept},
        }
    )


def _answer(cell: str | None, column: str, target: Target) -> Scalar:
    """A cell as what is learnt from it; what is no target is not copied."""
    if target.kind == LABELS:
        return said(cell, column)
    if target.kind == "category":
        return class_name(cell)
    return number_in(cell) if target.kind == "number" and cell is not None else None


def _split(case: Case, row: Cells, column: str | None) -> Split | None:
    cell = row[column] if column else None
    if column is None or cell is None:
        return case.split
    split = split_of_cell(cell, column)
    if case.split not in (None, split):
        raise DataRefused(
            f"{case.id} lies in the {case.split} part, and the table says {split}",
            todo=f"Mend the column {column!r}, or move the file",
        )
    return split


def _is_made(case: Case, row: Cells, roles: Roles) -> bool:
    """Whether the table marks a case as synthetic.

    Raises:
        DataRefused: When the cell is neither yes nor no, or what was made is to be tested on.
    """
    cell = (row[roles.synthetic] or "no").strip().lower() if roles.synthetic else "no"
    if cell not in (*MADE, *NOT_MADE):
        raise DataRefused(
            f"the column {roles.synthetic!r} says neither yes nor no of {case.id}", given=row[str(roles.synthetic)]
        )
    split = _split(case, row, roles.split)
    if cell in MADE and split in ("val", "test"):
        raise DataRefused(
            f"{case.id} is synthetic and given as {split}: what was made can be trained on, and tests nothing",
            todo="Leave its split empty",
        )
    return cell in MADE


def _on_synthetic(cases: Sequence[Case]) -> list[str]:
    made = sum(case.synthetic for case in cases)
    return [f"{made} of {len(cases)} cases are synthetic: they are only trained on"] if made else []


def _on_patients(cases: Sequence[Case], roles: Roles) -> list[str]:
    """Where the patient comes from; the layout itself may know it (a DICOM header)."""
    unknown = sum(not case.patient_known for case in cases)
    if roles.patient is None and unknown < len(cases):
        return [f"{unknown} of {len(cases)} cases have no patient: each counts as its own"] if unknown else []
    if roles.patient is None or not unknown:
        return [roles.why_patient]
    return [roles.why_patient, f"{unknown} of {len(cases)} cases have no patient there: each counts as its own"]


def _on_parts(cases: Sequence[Case]) -> list[str]:
    """What to do with data of which nothing may be trained on."""
    if not cases or any(case.split in (None, "train") for case in cases):
        return []
    parts = " and ".join(sorted({str(case.split) for case in cases}))
    return [f"all cases are given as {parts}: a model can be evaluated on them (diascope evaluate), not trained"]
