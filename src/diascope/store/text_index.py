"""A full-text index of reports in one SQLite file (FTS5); it holds texts and the ids of cases, and nobody's name."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from diascope.core.errors import DiascopeError, Tampered
from diascope.store.text_query import Query, indexed, places, snippet

TABLES = """
CREATE TABLE reports (id INTEGER PRIMARY KEY, "case" TEXT NOT NULL, input TEXT NOT NULL, text TEXT NOT NULL);
CREATE VIRTUAL TABLE tokens USING fts5(text, content='', tokenize='unicode61 remove_diacritics 2');
"""
FIND = """
SELECT r."case", r.input, r.text, -bm25(tokens) FROM tokens JOIN reports r ON r.id = tokens.rowid
WHERE tokens MATCH ? ORDER BY bm25(tokens), r.id LIMIT ?
"""
COUNT = "SELECT count(*) FROM tokens WHERE tokens MATCH ?"


@dataclass(frozen=True)
class Hit:
    """A report in which something was found.

    Args:
        case: Id of the case.
        input: Name of the input that the text is.
        snippet: The part of the text around it.
        marks: Places in the snippet, (start, end).
        score: By BM25; the higher the better, and only to be compared within one answer.
    """

    case: str
    input: str
    snippet: str
    marks: tuple[tuple[int, int], ...]
    score: float


def build(path: Path, texts: Iterable[tuple[str, str, str]]) -> int:
    """Write an index; returns how many texts it holds. It appears whole, or not at all.

    Args:
        path: Of the file.
        texts: Case id, name of the input, text.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    count = 0
    try:
        with closing(sqlite3.connect(part)) as database, _readable(part):
            database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + TABLES)
            for count, (case, name, text) in enumerate(texts, start=1):
                database.execute("INSERT INTO reports VALUES (?, ?, ?, ?)", (count, case, name, text))
                database.execute("INSERT INTO tokens (rowid, text) VALUES (?, ?)", (count, indexed(text)))
            database.execute("INSERT INTO tokens (tokens) VALUES ('optimize')")
            database.commit()
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return count


def find(path: Path, query: Query, limit: int) -> tuple[int, list[Hit]]:
    """How many reports of an index hold what is looked for, and the best of them.

    Raises:
        Tampered: When the file is no sound index.
    """
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database, _readable(path):
        total = int(database.execute(COUNT, (query.expression,)).fetchone()[0])
        return total, list(_hits(database, query, limit))


def _hits(database: sqlite3.Connection, query: Query, limit: int) -> Iterator[Hit]:
    for case, name, text, score in database.execute(FIND, (query.expression, limit)):
        part, marks = snippet(text, places(text, query))
        yield Hit(case, name, part, tuple(marks), float(score))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if "fts5" in str(error):
            raise DiascopeError(
                "this SQLite has no full-text search (FTS5)", given=sqlite3.sqlite_version, todo="Use Debian's Python"
            ) from error
        raise Tampered(f"cannot use the index {path}: {error}", todo="Remove the file: it is made again") from error
    except sqlite3.DatabaseError as error:
        raise Tampered(f"cannot use the index {path}: {error}", todo="Remove the file: it is made again") from error
