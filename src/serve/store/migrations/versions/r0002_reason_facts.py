"""Reasons as facts, from which pages write them in any language."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0002"
down_revision = "r0001"


def upgrade() -> None:
    """Adds the column, null in the runs of before."""
    op.add_column("summaries", sa.Column("reason_facts", sa.Text(), nullable=True))
