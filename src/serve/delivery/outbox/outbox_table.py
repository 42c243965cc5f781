"""The outbox's table: one row for each target and object, and for each alert."""

from __future__ import annotations

import sqlalchemy as sa

from ...store.schema import metadata

PENDING, SENDING, SENT, FAILED, DEAD = "pending", "sending", "sent", "failed", "dead"
DIGESTED = "digested"  # an alert that is part of the digest of its night, a row of its own

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("target", sa.Text(), nullable=False),
    sa.Column("kind", sa.Text(), nullable=False),  # group, member, note, alert
    sa.Column("object_id", sa.Text(), nullable=False),
    sa.Column("payload", sa.Text(), nullable=False),  # JSON: what the target should hold
    sa.Column("payload_hash", sa.Text(), nullable=False),
    sa.Column("sent_payload", sa.Text()),  # what it held before `payload`
    sa.Column("sent_hash", sa.Text()),  # of what it holds; null where nobody knows
    sa.Column("state", sa.Text(), nullable=False),
    sa.Column("attempts", sa.BigInteger(), nullable=False),  # refusals since the last success
    sa.Column("last_error", sa.Text()),
    sa.Column("next_attempt_at", sa.DateTime()),
    sa.Column("remote_id", sa.Text()),  # the target's own id, once it has said it
    sa.Column("fingerprint", sa.Text()),  # of the endpoint and account that it is for
    sa.Column("as_of", sa.DateTime()),  # cut-off that `payload` came with
    sa.PrimaryKeyConstraint("target", "kind", "object_id"),
)
