"""The outbox of pushes and alerts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Makes the table; without its key on DuckDB, where keys cost too much."""
    needed = ("target", "kind", "object_id", "payload", "payload_hash", "state")
    op.create_table(
        "outbox",
        *(sa.Column(name, sa.Text(), nullable=False) for name in needed),
        sa.Column("attempts", sa.BigInteger(), nullable=False, autoincrement=False),
        *(
            sa.Column(name, sa.Text())
            for name in ("sent_payload", "sent_hash", "last_error", "remote_id")
        ),
        sa.Column("next_attempt_at", sa.DateTime()),
        sa.PrimaryKeyConstraint("target", "kind", "object_id").ddl_if(dialect="postgresql"),
    )
