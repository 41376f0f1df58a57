"""What the reading room needs: openings, drawings, signatures; what a result suggests; what a reading adds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from diascope.serve.reading.suggestion import suggestion

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the change."""
    _add_tables()
    with op.batch_alter_table("readings") as table:
        table.add_column(sa.Column("reason", sa.String(length=32), nullable=False, server_default=""))
        table.add_column(sa.Column("added", sa.JSON(), nullable=True))
        table.add_column(sa.Column("seconds", sa.Double(), nullable=True))
    with op.batch_alter_table("results") as table:
        table.add_column(sa.Column("priority", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("probability", sa.Double(), nullable=True))
        table.add_column(sa.Column("says", sa.String(length=256), nullable=False, server_default=""))
    _suggest()


def _add_tables() -> None:
    op.create_table(
        "openings",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("study_id", NUMBER, nullable=False),
        sa.Column("reader", sa.String(length=32), nullable=False),
        sa.Column("still", sa.Boolean(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_id"], ["studies.id"], name=op.f("fk_openings_study_id_studies"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_openings")),
    )
    op.create_index("ix_openings_study_id_at", "openings", ["study_id", "at"])
    op.create_table(
        "drawings",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("series_id", NUMBER, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("reader", sa.String(length=32), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("shape", sa.JSON(), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["series_id"], ["series.id"], name=op.f("fk_drawings_series_id_series"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drawings")),
        sa.UniqueConstraint("key", name=op.f("uq_drawings_key")),
    )
    op.create_index(op.f("ix_drawings_series_id"), "drawings", ["series_id"])
    op.create_table(
        "signatures",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("study_id", NUMBER, nullable=False),
        sa.Column("reader", sa.String(length=32), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.Column("readings", sa.JSON(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_id"], ["studies.id"], name=op.f("fk_signatures_study_id_studies"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signatures")),
    )
    op.create_index("ix_signatures_study_id_at", "signatures", ["study_id", "at"])


def _suggest() -> None:
    """Say of the results that are there what a new one says of itself."""
    table = sa.table(
        "results",
        sa.column("id"), sa.column("state"), sa.column("findings", sa.JSON),
        sa.column("priority"), sa.column("probability"), sa.column("says"),
    )  # fmt: skip
    connection = op.get_bind()
    names = connection.execute(sa.select(table.c.id)).scalars().all()
    for name in names:
        row = connection.execute(sa.select(table).where(table.c.id == name)).one()
        found = suggestion(row.state, row.findings)
        connection.execute(sa.update(table).where(table.c.id == name).values(**found))
