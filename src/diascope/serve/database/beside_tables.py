"""Tables of what lies beside the pictures of a study: laboratory results, and reports in words."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Double, ForeignKey, Index, String, Table, Text
from sqlalchemy import UniqueConstraint as Unique

from diascope.serve.database.tables import index

observations = Table(
    "observations",
    index,
    Column("id", String(32), primary_key=True),
    Column("study_id", ForeignKey("studies.id", ondelete="CASCADE"), nullable=False),
    Column("code", String(32), nullable=False, default=""),
    Column("name", String(128), nullable=False),
    Column("value", Double),
    Column("said", String(256), nullable=False, default=""),
    Column("unit", String(32), nullable=False, default=""),
    Column("low", Double),
    Column("high", Double),
    Column("taken", Double),
    Column("by", String(128), nullable=False),
    Column("at", Double, nullable=False),
    Index("ix_observations_study_id_taken", "study_id", "taken"),
)
"""A laboratory result or a vital sign. `code`: LOINC. `value` in `unit` (UCUM), or `said` where it is no number. `low`,
`high`: the laboratory's reference range in the same unit, NULL where it gave none. `taken`: when; `at`: when it
arrived."""

documents = Table(
    "documents",
    index,
    Column("id", String(32), primary_key=True),
    Column("study_id", ForeignKey("studies.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("language", String(16), nullable=False, default=""),
    Column("key", String(128), nullable=False, unique=True),
    Column("sha256", String(64), nullable=False),
    Column("written", Double),
    Column("by", String(128), nullable=False),
    Column("at", Double, nullable=False),
)
"""A text about a study: report, history, letter. It may name the patient: its words lie in the archive (sealed where
that is), and only who may see identities reads them. `written`: when its author wrote it."""

marks = Table(
    "marks",
    index,
    Column("id", String(32), primary_key=True),
    Column("document_id", ForeignKey("documents.id", ondelete="CASCADE"), nullable=False),
    Column("release", String(256), nullable=False),
    Column("seal", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("spans", JSON, nullable=False),
    Column("at", Double, nullable=False),
    Unique("document_id", "release"),
)
"""What a release of entities found in a text. `state`: answered, unavailable. `spans`: `{"label", "start", "stop",
"probability"}`, characters of the text as it is kept; the words themselves are not repeated here."""
