"""The folder of a feedback: a table that `check` and `fit` read as any other, the images, the masks, and who said so.

Images are pseudonymised copies of what arrived: what is learnt from is what a release reads. A mask or a box counts
on the grid of its series.
"""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import RowMapping

from diascope.core.errors import DiascopeError
from diascope.core.feedback import LabelChange, Value
from diascope.core.record import canonical_json, hash_of, write_durably
from diascope.serve.dicomweb.wado import selected
from diascope.serve.feedback.judging import Judged
from diascope.serve.feedback.masks import write_mask
from diascope.serve.feedback.settling import Row, Settled
from diascope.serve.outgoing.copies import copied, why_not_copied
from diascope.serve.service import Service
from diascope.serve.viewing.series import series_by_id
from diascope.sources.tables.named import MANIFEST

BOXES, LABELS, CHANGES = "boxes.csv", "labels.json", "changes.csv"
SIDES = ("xmin", "ymin", "zmin", "xmax", "ymax", "zmax")
CHUNK = 1 << 20

Tell = Callable[[int, int], None]


@dataclass
class Writing:
    """Writes the files of a feedback.

    Args:
        service: That has the images.
        folder: To write into; it exists and is empty.
        values: Name to its voxel value in masks.
    """

    service: Service
    folder: Path
    values: Mapping[str, int]
    left: dict[str, int] = field(default_factory=dict)
    files: dict[int, str] = field(default_factory=dict)
    """Id of a judged change (of this process) to its mask."""

    def write(self, settled: Settled, tell: Tell) -> list[Row]:
        """Write images, masks and tables.

        Args:
            settled: What can be learnt.
            tell: Told how many cases of how many are done; may raise, to stop.

        Returns:
            The rows of the table: those whose images could be written.
        """
        rows = []
        for done, row in enumerate(settled.rows):
            tell(done, len(settled.rows))
            try:
                self._images(row)
                self._masks(row)
            except DiascopeError as error:
                shutil.rmtree(self.folder / "images" / row.case, ignore_errors=True)
                self._leave(error.wrong)
                continue
            if row.values or row.drawn:
                rows.append(row)
        self._tables(rows, settled)
        return rows

    def beyond(self, judged: Iterable[Judged]) -> None:
        """Write the masks of what readers added and nobody asks for."""
        drawn = [one for one in judged if not one.asked and one.mask is not None]
        for number, one in enumerate(drawn, start=1):  # a reader may have added two things of one name
            place = self.folder / "added" / _named(one.change.column)
            self._mask(one, place / f"{one.change.case}-{number}.nii.gz")

    def _images(self, row: Row) -> None:
        """Raises DiascopeError when an image can't be taken out: a case is whole or it is not there."""
        place = self.folder / "images" / row.case
        place.mkdir(parents=True)
        for number, one in enumerate(_instances(self.service, row.series), start=1):
            with copied(self.service, one) as content, (place / f"{number:06d}.dcm").open("wb") as out:
                shutil.copyfileobj(content, out, CHUNK)

    def _masks(self, row: Row) -> None:
        for column, one in list(row.drawn.items()):
            path = self.folder / "masks" / _named(column) / f"{row.case}.nii.gz"
            if one.mask is not None and not self._mask(one, path):
                del row.drawn[column]

    def _mask(self, one: Judged, path: Path) -> bool:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            if one.mask is not None:
                write_mask(self.service, one.series, one.mask, self.values, path)
        except DiascopeError as error:
            self._leave(error.wrong)
            return False
        self.files[id(one)] = path.relative_to(self.folder).as_posix()
        return True

    def _leave(self, why: str) -> None:
        self.left[why] = self.left.get(why, 0) + 1

    def _tables(self, rows: Sequence[Row], settled: Settled) -> None:
        masks = [column for column, kind in settled.columns.items() if kind == "mask"]
        values = [column for column, kind in settled.columns.items() if kind not in ("mask", "boxes")]
        if masks or values:
            head = ["case", "patient", "image", *values, *("mask" if one == "mask" else f"mask:{one}" for one in masks)]
            _write(self.folder / MANIFEST, head, ([*self._cells(row, values, masks)] for row in rows))
        boxed = [column for column, kind in settled.columns.items() if kind == "boxes"]
        if boxed:
            head = ["image", "patient", *SIDES, "label"]
            _write(self.folder / BOXES, head, (cells for row in rows for cells in _boxes(row, boxed)))
        if masks:
            write_durably(self.folder / LABELS, (canonical_json(dict(self.values), indent=1) + "\n").encode())

    def _cells(self, row: Row, values: Sequence[str], masks: Sequence[str]) -> list[str]:
        drawn = [self.files.get(id(row.drawn[one]), "") if one in row.drawn else "" for one in masks]
        return [row.case, row.patient, f"images/{row.case}", *(_cell(row.values.get(one)) for one in values), *drawn]


def write_changes(path: Path, changes: Sequence[LabelChange]) -> None:
    """The label changes as a table for people: who said what of which case, and when."""
    names = ("case", "patient", "column", "kind", "before", "after", "change", "origin", "verdict", "reason", "release",
             "file", "author", "at")  # fmt: skip
    _write(path, names, ([_cell(getattr(one, name)) for name in names] for one in changes))


def _instances(service: Service, series: int) -> Sequence[RowMapping]:
    row = series_by_id(service, series)
    if row is None:
        raise DiascopeError("the series was deleted")
    found = selected(service, row["study_uid"], row["uid"])
    for why in filter(None, map(why_not_copied, found)):
        raise DiascopeError(why)
    return found


def _boxes(row: Row, columns: Sequence[str]) -> Iterable[list[str]]:
    """The rows of a case; one without numbers says that there is nothing."""
    image = f"images/{row.case}"
    for column in columns:
        if column not in row.drawn:
            continue
        boxes = row.drawn[column].change.boxes
        for label, start, stop in boxes:
            yield [image, row.patient, *map(str, (*start[::-1], *stop[::-1])), label]
        if not boxes:
            yield [image, row.patient, *("" for _ in SIDES), ""]


def _cell(value: Value) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return "" if value is None else str(value)


def _named(column: str) -> str:
    """A column as the name of a folder, another one for each."""
    plain = re.sub(r"[^\w-]+", "-", column).strip("-")
    return plain if plain == column else f"{plain}-{hash_of(column)[:6]}"


def _write(path: Path, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        table = csv.writer(out)
        table.writerow(head)
        table.writerows(rows)
