"""Tables of what is made of results on demand. They are part of the index, and go with their result."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Double, ForeignKey, Index, Integer, LargeBinary, String, Table
from sqlalchemy import UniqueConstraint as Unique

from diascope.serve.database.tables import index

explanations = Table(
    "explanations",
    index,
    Column("id", String(32), primary_key=True),
    Column("result_id", ForeignKey("results.id", ondelete="CASCADE"), nullable=False),
    Column("finding", String(256), nullable=False),
    Column("explainer", String(64), nullable=False),
    Column("similarity", Double),
    Column("limit", Double, nullable=False),
    Column("passed", Boolean, nullable=False),
    Column("shape", JSON, nullable=False),
    Column("voxels", LargeBinary, nullable=False),
    Column("job_id", String(32), nullable=False, default=""),
    Column("at", Double, nullable=False),
    Unique("result_id", "finding", "explainer"),
)
"""A map of what in a series led to a finding. `similarity`, `limit`, `passed`: of its check with randomised weights.
`voxels`: uint8 in C order on the grid of the frames, `shape` (z, y, x), as gzip. It lies here and not in the archive:
it is small (about 4 MB of a CT of 300 slices), is written in the transaction that ends its job, can be made again, and
goes with its result, so that neither deletion nor the sweep of the archive can forget it."""

features = Table(
    "features",
    index,
    Column("result_id", ForeignKey("results.id", ondelete="CASCADE"), primary_key=True),
    Column("release", String(256), nullable=False),
    Column("seal", String(64), nullable=False),
    Column("length", Integer, nullable=False),
    Column("vector", LargeBinary, nullable=False),
    Column("at", Double, nullable=False),
    Index("ix_features_release_seal_at", "release", "seal", "at"),
)
"""What the encoder of a release made of a series: `length` numbers, float16, little endian, of length 1 as a vector.
`length` is 0 where the network has no such vector. `at`: when the result was answered."""
