"""Tables of labelling: what is asked of readers about series without a release, and what they answered."""

from sqlalchemy import JSON, Boolean, Column, Double, ForeignKey, Index, Integer, LargeBinary, String, Table, Text
from sqlalchemy import UniqueConstraint as Unique

from diascope.serve.database.tables import index

labellings = Table(
    "labellings",
    index,
    Column("id", String(32), primary_key=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("name", String(128), nullable=False),
    Column("asks", String(16), nullable=False),
    Column("labels", JSON, nullable=False),
    Column("exclusive", Boolean, nullable=False, default=False),
    Column("modality", String(16), nullable=False, default=""),
    Column("twice", Double, nullable=False, default=0.0),
    Column("release", String(256), nullable=False, default=""),
    Column("by", String(32), nullable=False),
    Column("created", Double, nullable=False),
    Column("closed", Double),
    Unique("project_id", "name"),
)
"""What readers are asked. `asks`: classes, masks or boxes. `labels`: names, in order. `exclusive`: one of them holds.
`modality`: of the series; "" is any. `twice`: share of the series that two readers are asked about, 0 to 1. `release`:
whose features and probabilities say what comes next; "" is none. `closed`: when nobody is asked any more."""

annotations = Table(
    "annotations",
    index,
    Column("id", String(32), primary_key=True),
    Column("labelling_id", ForeignKey("labellings.id", ondelete="CASCADE"), nullable=False),
    Column("series_id", ForeignKey("series.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("revision", Integer, nullable=False),
    Column("reader", String(32), nullable=False),
    Column("answer", JSON, nullable=False),
    Column("unsure", Boolean, nullable=False, default=False),
    Column("comment", Text, nullable=False, default=""),
    Column("seconds", Double),
    Column("at", Double, nullable=False),
    Index("ix_annotations_labelling_id_series_id", "labelling_id", "series_id"),
)
"""What a reader answered about a series; append-only, the newest of a reader counts. `answer`:
`{"classes": ["nodule"]}`, `{"drawing": "<id>"}` or `{"boxes": [{"label": "nodule", "start": [z, y, x], "stop": [z, y,
x]}]}`; `unsure`: the reader can't tell, and `answer` is empty."""

handed = Table(
    "handed",
    index,
    Column("labelling_id", ForeignKey("labellings.id", ondelete="CASCADE"), primary_key=True),
    Column("series_id", ForeignKey("series.id", ondelete="CASCADE"), primary_key=True),
    Column("reader", String(32), primary_key=True),
    Column("at", Double, nullable=False),
)
"""A series lies before a reader since `at`: for a while nobody else is given it, and the time that an answer took
counts from here. A row and no memory: on PostgreSQL several processes hand out, and a restart forgets nothing."""

descriptors = Table(
    "descriptors",
    index,
    Column("series_id", ForeignKey("series.id", ondelete="CASCADE"), primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("made_by", String(256), nullable=False),
    Column("vector", LargeBinary, nullable=False),
    Column("at", Double, nullable=False),
)
"""What a series looks like, where no release says it: numbers of `made_by`, float16, little endian, of length 1 as a
vector; empty where the series can't be read."""
