"""Statements that are kept: what releases say of texts and of laboratory results."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, RowMapping, select, true

from diascope.serve.database.beside_tables import statements


def about(texts: bool, results: bool) -> ColumnElement[bool]:
    """Condition on `statements`: those about texts, those about laboratory results."""
    if texts and results:
        return true()
    of_text = statements.c.document_id.is_not(None)
    return of_text if texts else statements.c.document_id.is_(None) & results


def newest(connection: Connection, study: int, mine: ColumnElement[bool]) -> dict[str | None, list[RowMapping]]:
    """The newest that each release says of each text, and of the laboratory results (None), by the release's name.

    Args:
        connection: Of the index.
        study: Id of its row.
        mine: Those that the reader may see.
    """
    query = select(statements).where((statements.c.study_id == study) & mine)
    rows = connection.execute(query.order_by(statements.c.at.desc(), statements.c.id)).mappings().all()
    found: dict[str | None, dict[str, RowMapping]] = {}
    for row in rows:
        found.setdefault(row["document_id"], {}).setdefault(row["release"], row)
    return {document: _by_name(said) for document, said in found.items()}


def _by_name(said: dict[str, RowMapping]) -> list[RowMapping]:
    names: Sequence[str] = sorted(said)
    return [said[name] for name in names]
