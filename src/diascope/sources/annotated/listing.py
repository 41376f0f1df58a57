"""Texts with marked spans as cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from diascope.core.case import Case, FileRef, Label, Split, Target
from diascope.core.errors import DataRefused
from diascope.core.spans import Spans
from diascope.formats.annotated.notes import Note
from diascope.sources import Listing, SourceOptions
from diascope.sources.annotated.concepts import code_of
from diascope.sources.tables.describe import Rows, describe

INPUT = "text"
"""Name of the input."""
TARGET = "entities"
"""Name of the target, and of its column."""
SHOWN = 3
"""Remarks that a listing names."""


@dataclass(frozen=True)
class Listed:
    """One text that a source found.

    Args:
        case: Name of the case.
        path: Of its file, relative to the root.
        item: Its number in the file; the first is 1.
        note: What the file holds.
        split: The part that the file belongs to.
    """

    case: str
    path: str
    item: int
    note: Note
    split: Split | None


def listing(root: Path, form: str, texts: Sequence[Listed], options: SourceOptions) -> Listing:
    """Cases with a text, and the spans as the target `entities` where anything is marked.

    Args:
        root: Folder that the paths start at.
        form: Name of the format that reads them.
        texts: All of them.
        options: What the user said.

    Raises:
        DataRefused: When there is no text.
        UnknownName: When a column that the user named does not exist.
    """
    if not texts:
        raise DataRefused(f"no annotated text in {root}", todo="See docs/how-to/entities.md")
    counts = Counter(label for one in texts for _, _, label in one.note.spans or ())
    parts = {one.split for one in texts}
    cases = [_case(one, form, parts, bool(counts)) for one in texts]
    labels = tuple(Label(name=name, value=n, code=code_of(name)) for n, name in enumerate(sorted(counts), start=1))
    targets = [Target(name=TARGET, kind="spans", columns=(TARGET,), labels=labels)] if counts else []
    columns = tuple(dict.fromkeys(name for one in texts for name in one.note.fields))
    rows = Rows(columns, {one.case: {name: one.note.fields.get(name) for name in columns} for one in texts})
    described = describe(cases, options, rows, targets)
    notes = (_on_entities(counts), *_on_files(texts), *_remarks(texts), *described.notes)
    return Listing(root=root, cases=described.cases, targets=described.targets, notes=notes)


def _case(one: Listed, form: str, parts: set[Split | None], marked: bool) -> Case:
    # Files of which none is called as a part to test on divide nothing.
    split = one.split if parts & {"val", "test"} else None
    spans = None if one.note.spans is None else Spans.of(len(one.note.text), one.note.spans)
    return Case(
        id=one.case,
        patient=one.case,
        patient_known=False,
        inputs={INPUT: FileRef(format=form, paths=(one.path,), item=str(one.item), kind="text")},
        targets={TARGET: spans} if marked else {},
        split=split,
    )


def _on_entities(counts: Counter[str]) -> str:
    if not counts:
        return "nothing is marked in any of the texts"
    named = ", ".join(f"{name} {number:,}" for name, number in sorted(counts.items(), key=lambda pair: -pair[1]))
    return f"entities: {named}"


def _on_files(texts: Sequence[Listed]) -> list[str]:
    counts = Counter((one.path, one.split) for one in texts)
    if not 1 < len(counts) <= SHOWN + 2:
        return []
    named = (f"{path} {number:,}" + (f" ({split})" if split else "") for (path, split), number in counts.items())
    return [f"texts: {', '.join(named)}"]


def _remarks(texts: Sequence[Listed]) -> list[str]:
    found = [remark for one in texts for remark in one.note.remarks]
    rest = len(found) - SHOWN
    return found[:SHOWN] + ([f"and {rest:,} remarks of this kind more"] if rest > 0 else [])


def named(path: str, item: int, count: int) -> str:
    """Name of the case of a text: the file's, with the number of the text where there are several."""
    stem = path.rpartition(".")[0] or path
    return stem if count == 1 else f"{stem}-{item}"
