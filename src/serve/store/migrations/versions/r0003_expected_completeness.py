"""The completeness to be expected of a group whose roles are uncertain."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0003"
down_revision = "r0002"


def upgrade() -> None:
    """Adds the column, null in the runs of before."""
    op.add_column("scores", sa.Column("expected_completeness", sa.Double(), nullable=True))
