"""Tables of what readers do in the reading room. They are part of the index; their rows are only ever added."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Double, ForeignKey, Index, Integer, String, Table

from diascope.serve.database.tables import NUMBER, index

openings = Table(
    "openings",
    index,
    Column("id", NUMBER, primary_key=True),
    Column("study_id", ForeignKey("studies.id", ondelete="CASCADE"), nullable=False),
    Column("reader", String(32), nullable=False),
    Column("still", Boolean, nullable=False, default=False),
    Column("at", Double, nullable=False),
    Index("ix_openings_study_id_at", "study_id", "at"),
)
"""A reader opened a study to read it; `still`: or said that it is still open."""

drawings = Table(
    "drawings",
    index,
    Column("id", String(32), primary_key=True),
    Column("series_id", ForeignKey("series.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("revision", Integer, nullable=False),
    Column("reader", String(32), nullable=False),
    Column("labels", JSON, nullable=False),
    Column("shape", JSON, nullable=False),
    Column("key", String(128), nullable=False, unique=True),
    Column("sha256", String(64), nullable=False),
    Column("at", Double, nullable=False),
)
"""A mask that a reader drew on the grid of a series at one revision. `labels`: voxel value to name. `shape`: (z, y, x).
The voxels lie in the archive: uint8, slices in the order of `viewing/`, compressed with zlib. Append-only."""

signatures = Table(
    "signatures",
    index,
    Column("id", String(32), primary_key=True),
    Column("study_id", ForeignKey("studies.id", ondelete="CASCADE"), nullable=False),
    Column("reader", String(32), nullable=False),
    Column("language", String(16), nullable=False),
    Column("report", JSON, nullable=False),
    Column("readings", JSON, nullable=False),
    Column("at", Double, nullable=False),
    Index("ix_signatures_study_id_at", "study_id", "at"),
)
"""A reader signed the report of a study; `report` is what was signed, `readings` the ids of those that it tells of."""
