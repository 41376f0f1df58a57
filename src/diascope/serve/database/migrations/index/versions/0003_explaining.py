"""Explanation maps, and the features by which similar cases are found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the change."""
    op.create_table(
        "explanations",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("result_id", sa.String(length=32), nullable=False),
        sa.Column("finding", sa.String(length=256), nullable=False),
        sa.Column("explainer", sa.String(length=64), nullable=False),
        sa.Column("similarity", sa.Double(), nullable=True),
        sa.Column("limit", sa.Double(), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("shape", sa.JSON(), nullable=False),
        sa.Column("voxels", sa.LargeBinary(), nullable=False),
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["result_id"], ["results.id"], name=op.f("fk_explanations_result_id_results"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_explanations")),
        sa.UniqueConstraint(
            "result_id", "finding", "explainer", name=op.f("uq_explanations_result_id_finding_explainer")
        ),
    )
    op.create_table(
        "features",
        sa.Column("result_id", sa.String(length=32), nullable=False),
        sa.Column("release", sa.String(length=256), nullable=False),
        sa.Column("seal", sa.String(length=64), nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["result_id"], ["results.id"], name=op.f("fk_features_result_id_results"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("result_id", name=op.f("pk_features")),
    )
    op.create_index("ix_features_release_seal_at", "features", ["release", "seal", "at"])
