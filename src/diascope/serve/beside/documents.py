"""Texts about a study: reports, histories, letters. Their words lie in the archive, and are never changed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, RowMapping, func, select

from diascope.core.errors import BadUsage
from diascope.core.text import language_of
from diascope.serve.database.beside_tables import documents, marks
from diascope.serve.database.tables import studies
from diascope.serve.service import Service

LONGEST = 200_000
"""Characters of a text."""

Kind = Literal["report", "history", "letter", "note"]


@dataclass(frozen=True)
class Written:
    """A text as it is kept.

    Args:
        text: Lines end with a line feed; nothing stands before the first word or behind the last.
        language: "en", "zh", another BCP 47 tag, or "" where nobody said and its letters do not tell.
    """

    text: str = field(repr=False)
    language: str

    @property
    def content(self) -> bytes:
        """Its bytes in the archive."""
        return self.text.encode()

    @property
    def sha256(self) -> str:
        """Of those bytes."""
        return hashlib.sha256(self.content).hexdigest()


def as_kept(text: str, language: str = "") -> Written:
    """A text as it is kept: as releases read a text file, so that their spans are of the very same characters.

    Raises:
        BadUsage: When it says nothing, is too long, or holds characters of no text.
    """
    plain = text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff").strip()
    if not plain or len(plain) > LONGEST:
        raise BadUsage(
            "this is no text that can be kept",
            given=f"{len(plain)} characters",
            todo=f"Send 1 to {LONGEST} characters",
        )
    odd = sum(
        (one < " " and one not in "\t\n") or "\x7f" <= one <= "\x9f" or "\ud800" <= one <= "\udfff" for one in plain
    )
    if odd:
        raise BadUsage("the text holds control or half characters", given=odd, todo="Send plain text")
    return Written(plain, language or language_of(plain))


def rows_of(connection: Connection, study: int) -> Sequence[RowMapping]:
    """The texts of a study, the newest first."""
    written = func.coalesce(documents.c.written, documents.c.at).desc()
    query = select(documents).where(documents.c.study_id == study).order_by(written, documents.c.id)
    return connection.execute(query).mappings().all()


def row_of(connection: Connection, document: str, of: ColumnElement[bool]) -> RowMapping | None:
    """A text by its id, with `study` (UID) and `project`; None where there is none under that condition."""
    named = (studies.c.uid.label("study"), studies.c.project_id.label("project"))
    query = select(documents, *named).join(studies, studies.c.id == documents.c.study_id)
    return connection.execute(query.where((documents.c.id == document) & of)).mappings().first()


def words_of(service: Service, row: Mapping[Any, Any]) -> str:
    """The words of a text.

    Raises:
        Tampered: When they are not what was kept.
        StorageFailed: When the archive does not answer.
    """
    return service.archive.read(row["key"], row["sha256"]).decode()


def marks_of(connection: Connection, found: Sequence[str]) -> dict[str, list[RowMapping]]:
    """What releases marked in some texts, by id of the text and name of the release."""
    rows = connection.execute(select(marks).where(marks.c.document_id.in_(found)).order_by(marks.c.release))
    made: dict[str, list[RowMapping]] = {each: [] for each in found}
    for row in rows.mappings():
        made[row["document_id"]].append(row)
    return made
