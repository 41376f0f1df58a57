"""The tables of the index. Identities are not here: see `identity_tables.py`.

Times are seconds since 1970 (UTC) as the server's clock gave them. What a client chose (UIDs, AE titles, names) is data
in a column, never part of a path.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Constraints have names of their own, so that migrations can change them on every database."""

index = MetaData(naming_convention=NAMES)
NUMBER = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts rows in INTEGER keys only."""

# Who may do what.

projects = Table(
    "projects",
    index,
    Column("id", String(32), primary_key=True),
    Column("name", String(128), nullable=False, unique=True),
    Column("created", Double, nullable=False),
)

users = Table(
    "users",
    index,
    Column("id", String(32), primary_key=True),
    Column("name", String(128), nullable=False, unique=True),
    Column("display", String(256), nullable=False, default=""),
    Column("role", String(32), nullable=False),
    Column("password", String(256)),
    Column("must_change", Boolean, nullable=False, default=False),
    Column("disabled", Boolean, nullable=False, default=False),
    Column("created", Double, nullable=False),
)

memberships = Table(
    "memberships",
    index,
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("project_id", ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
)

sessions = Table(
    "sessions",
    index,
    Column("digest", String(64), primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("csrf", String(64), nullable=False),
    Column("address", String(64), nullable=False),
    Column("created", Double, nullable=False),
    Column("used", Double, nullable=False),
)
"""`digest`: SHA-256 of the cookie; the cookie itself is nowhere on the server."""

tokens = Table(
    "tokens",
    index,
    Column("id", String(32), primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", String(128), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("scopes", JSON, nullable=False),
    Column("created", Double, nullable=False),
    Column("expires", Double, nullable=False),
    Column("revoked", Double),
    Column("used", Double),
)

attempts = Table(
    "attempts",
    index,
    Column("id", NUMBER, primary_key=True),
    Column("account", String(64), nullable=False),
    Column("address", String(64), nullable=False),
    Column("at", Double, nullable=False, index=True),
    Column("succeeded", Boolean, nullable=False),
    Index("ix_attempts_account_at", "account", "at"),
    Index("ix_attempts_address_at", "address", "at"),
)
"""Logins. `account`: SHA-256 of the name that was typed, for people type passwords into the wrong field."""

# What arrived.

studies = Table(
    "studies",
    index,
    Column("id", NUMBER, primary_key=True),
    Column("uid", String(64), nullable=False, unique=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("patient", String(64), nullable=False, index=True),
    Column("date", String(8), nullable=False, default=""),
    Column("time", String(16), nullable=False, default=""),
    Column("description", Text, nullable=False, default=""),
    Column("attributes", JSON, nullable=False),
    Column("created", Double, nullable=False),
    Column("changed", Double, nullable=False),
    Index("ix_studies_project_id_date_id_description", "project_id", "date", "id", "description"),
    Index("ix_studies_date_id", "date", "id"),
)
"""`patient`: pseudonym. `attributes`: what QIDO answers beside the columns, DICOM keyword to text."""

series = Table(
    "series",
    index,
    Column("id", NUMBER, primary_key=True),
    Column("study_id", ForeignKey("studies.id", ondelete="CASCADE"), nullable=False),
    Column("uid", String(64), nullable=False, index=True),
    Column("modality", String(16), nullable=False, default=""),
    Column("body_part", String(64), nullable=False, default=""),
    Column("description", Text, nullable=False, default=""),
    Column("number", Integer),
    Column("attributes", JSON, nullable=False),
    Column("made", Boolean, nullable=False, default=False),
    Column("peer", String(64), nullable=False, default=""),
    Column("expected", Integer),
    Column("arrived", Double, nullable=False),
    Column("due", Double, index=True),
    Column("completed", Double),
    Column("revision", Integer, nullable=False, default=0),
    UniqueConstraint("study_id", "uid"),
    Index("ix_series_modality_study_id", "modality", "study_id"),
)
"""`made`: written by this service (SEG, SR), and never read by a release. `peer`: who sent its last instance. `due`:
when it counts as complete unless more arrives, NULL when it does. `revision`: how often it has become complete."""

instances = Table(
    "instances",
    index,
    Column("id", NUMBER, primary_key=True),
    Column("series_id", ForeignKey("series.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("uid", String(64), nullable=False, unique=True),
    Column("sop_class", String(64), nullable=False),
    Column("syntax", String(64), nullable=False),
    Column("number", Integer),
    Column("rows", Integer),
    Column("columns", Integer),
    Column("frames", Integer),
    Column("attributes", JSON, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("key", String(128), nullable=False, unique=True),
    Column("received", Double, nullable=False),
)
"""`key`: name in the archive, of the server's own making. `sha256`, `size`: of the bytes that arrived."""

changes = Table(
    "changes",
    index,
    Column("id", NUMBER, primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("study_uid", String(64), nullable=False),
    Column("series_uid", String(64), nullable=False, default=""),
    Column("instance_uid", String(64), nullable=False, default=""),
    Column("at", Double, nullable=False),
)
"""What happened to the archive, in order: `instance_stored`, `series_completed`, `study_deleted`."""

# What is to be done, and what was said.

jobs = Table(
    "jobs",
    index,
    Column("id", String(32), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("key", String(128), unique=True),
    Column("payload", JSON, nullable=False),
    Column("project_id", String(32), nullable=False, default=""),
    Column("by", String(128), nullable=False, default=""),
    Column("state", String(16), nullable=False),
    Column("priority", Integer, nullable=False, default=0),
    Column("attempts", Integer, nullable=False, default=0),
    Column("ready", Double, nullable=False),
    Column("worker", String(128), nullable=False, default=""),
    Column("lease", Double),
    Column("cancelling", Boolean, nullable=False, default=False),
    Column("progress", JSON),
    Column("result", JSON),
    Column("error", JSON),
    Column("created", Double, nullable=False),
    Column("started", Double),
    Column("ended", Double),
    Index("ix_jobs_state_ready", "state", "ready"),
    Index("ix_jobs_created", "created"),
)
"""`key`: the same key is the same job, and is enqueued once. `lease`: until when its worker has it."""

peers = Table(
    "peers",
    index,
    Column("id", String(32), primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("settings", JSON, nullable=False),
    Column("rights", JSON, nullable=False),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("enabled", Boolean, nullable=False, default=True),
    Column("created", Double, nullable=False),
)
"""`kind`: dimse, dicomweb, mllp, fhir, webhook. `settings`: of the kind (AE title, host, port, TLS, URL). `rights`:
what a DIMSE peer may ask for: store, find, get, move, identity. `project_id`: where the studies that it sends go."""

rules = Table(
    "rules",
    index,
    Column("id", String(32), primary_key=True),
    Column("name", String(128), nullable=False, unique=True),
    Column("position", Integer, nullable=False),
    Column("enabled", Boolean, nullable=False, default=True),
    Column("body", JSON, nullable=False),
    Column("created", Double, nullable=False),
    Column("changed", Double, nullable=False),
)

served = Table(
    "served",
    index,
    Column("release", String(256), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("by", String(128), nullable=False),
    Column("at", Double, nullable=False),
)
"""Releases that were put into service or withdrawn by hand; a signed release that is not here is in service."""

results = Table(
    "results",
    index,
    Column("id", String(32), primary_key=True),
    Column("study_id", ForeignKey("studies.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("series_id", ForeignKey("series.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("revision", Integer, nullable=False),
    Column("release", String(256), nullable=False),
    Column("seal", String(64), nullable=False),
    Column("rule", String(128), nullable=False, default=""),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("findings", JSON, nullable=False),
    Column("priority", Integer, nullable=False, default=0),
    Column("probability", Double),
    Column("distance", Double),
    Column("says", String(256), nullable=False, default=""),
    Column("completed", Double, nullable=False),
    Column("answered", Double, nullable=False),
    Column("superseded", Double),
    Column("job_id", String(32), nullable=False, default=""),
    UniqueConstraint("series_id", "revision", "release"),
)
"""What a release said about a series at one revision. `state`: answered, unavailable ("not available, because
`reason`"). `findings`: the record `Findings`; `priority`, `probability` and `says` are made of it for the worklist
(`reading/suggestion.py`). `distance`: of the input from the training cases, as the release's gate measures it; NULL
where it measures none, or nothing was answered. `completed`: when the series was, from which latency counts."""

result_objects = Table(
    "result_objects",
    index,
    Column("id", NUMBER, primary_key=True),
    Column("result_id", ForeignKey("results.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("instance_uid", String(64), nullable=False),
    UniqueConstraint("result_id", "kind"),
)
"""What was written of a result: seg, sr, sc, pdf; the instance lies in the archive as any other."""

deliveries = Table(
    "deliveries",
    index,
    Column("id", NUMBER, primary_key=True),
    Column("result_id", ForeignKey("results.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("peer_id", ForeignKey("peers.id", ondelete="CASCADE"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("at", Double, nullable=False),
    UniqueConstraint("result_id", "kind", "peer_id"),
)
"""What was sent where: waiting, sent, failed; `unsigned` is the report of the study until a reader signs it."""

readings = Table(
    "readings",
    index,
    Column("id", String(32), primary_key=True),
    Column("result_id", ForeignKey("results.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("reader", String(32), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("reason", String(32), nullable=False, default=""),
    Column("shown", JSON, nullable=False),
    Column("amended", JSON),
    Column("added", JSON),
    Column("comment", Text, nullable=False, default=""),
    Column("seconds", Double),
    Column("at", Double, nullable=False),
)
"""What a reader decided: accept, reject, amend, unsure. Append-only; the result stays what the release said.
`reason`: of a rejection. `added`: what the release missed. `seconds`: since the reader opened the study."""

feedback = Table(
    "feedback",
    index,
    Column("id", String(32), primary_key=True),
    Column("reading_id", ForeignKey("readings.id", ondelete="CASCADE"), nullable=False),
    Column("labels", JSON, nullable=False),
    Column("author", String(32), nullable=False),
    Column("at", Double, nullable=False),
)
"""Readings turned into label changes."""

nouns = Table(
    "nouns",
    index,
    Column("kind", String(16), primary_key=True),
    Column("name", String(256), primary_key=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("by", String(128), nullable=False),
    Column("created", Double, nullable=False),
)
"""To whom the files of the workspace belong: data sets, plans, runs, …; see `serve/nouns.py`."""

idempotent = Table(
    "idempotent",
    index,
    Column("id", NUMBER, primary_key=True),
    Column("user_id", String(32), nullable=False),
    Column("key", String(128), nullable=False),
    Column("request", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("at", Double, nullable=False, index=True),
    UniqueConstraint("user_id", "key"),
)
"""Answers to writes that carried an idempotency key. `request`: SHA-256 of method, path and body."""

# What was done, by whom.

audit = Table(
    "audit",
    index,
    Column("sequence", NUMBER, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False, index=True),
    Column("actor", String(128), nullable=False),
    Column("action", String(64), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("object", String(256), nullable=False, default=""),
    Column("project_id", String(32), nullable=False, default=""),
    Column("address", String(64), nullable=False, default=""),
    Column("detail", JSON, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
)
"""`digest`: SHA-256 of the canonical JSON of all other columns; `previous` is the digest of the record before."""

audit_head = Table(
    "audit_head",
    index,
    Column("id", Integer, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
)
"""One row; whoever appends locks it."""
