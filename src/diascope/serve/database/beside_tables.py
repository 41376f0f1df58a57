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

statements = Table(
    "statements",
    index,
    Column("id", String(32), primary_key=True),
    Column("study_id", ForeignKey("studies.id", ondelete="CASCADE"), nullable=False),
    Column("document_id", ForeignKey("documents.id", ondelete="CASCADE"), index=True),
    Column("release", String(256), nullable=False),
    Column("seal", String(64), nullable=False, default=""),
    Column("basis", String(64), nullable=False, default=""),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("findings", JSON, nullable=False),
    Column("explainer", String(64), nullable=False, default=""),
    Column("attributions", JSON, nullable=False),
    Column("unexplained", Text, nullable=False, default=""),
    Column("at", Double, nullable=False),
    Unique("study_id", "document_id", "release", "basis"),
)
"""What a release says of a text, or (`document_id` NULL) of a study's laboratory results as one row. `basis`: SHA-256
of what was read, "" where nothing could be. `state`: answered, unavailable. `findings`: the record `Findings`, empty
where it is not available. `attributions`: what led to a finding, `{"finding", "similarity", "limit", "passed",
"parts"}`, whose parts are places in the text, never its words, or columns; none where its check did not pass.
`unexplained`: why there are none. NULL equals nothing in a unique key: rows about laboratory results are replaced under
a lock of the study."""
