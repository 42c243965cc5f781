"""Runs and their rows, the states of groups and their history, and the outbox."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None

Type = sa.types.TypeEngine[Any]
Columns = dict[str, Type]

TEXT: Type = sa.Text()
REAL: Type = sa.Double()
WHOLE: Type = sa.BigInteger()
TIME: Type = sa.DateTime()
FLAG: Type = sa.Boolean()
NUMBER: Type = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "runs",
        sa.Column("run_id", NUMBER, primary_key=True, autoincrement=False),
        sa.Column("as_of", TIME, nullable=False, unique=True),
        sa.Column("model_version", TEXT, nullable=False),
        sa.Column("groups", WHOLE, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("rows_kept", FLAG, nullable=False),
    )
    _rows_of_runs()
    _history()
    op.create_table(
        "meta",
        sa.Column("key", TEXT, primary_key=True),
        sa.Column("value", TEXT, nullable=False),
    )
    op.create_table(
        "outbox",
        *_columns({"target": TEXT, "kind": TEXT, "object_id": TEXT}, nullable=False),
        *_columns({"payload": TEXT, "payload_hash": TEXT, "state": TEXT}, nullable=False),
        *_columns({"attempts": WHOLE}, nullable=False),
        *_columns({"sent_payload": TEXT, "sent_hash": TEXT, "last_error": TEXT}, nullable=True),
        *_columns({"next_attempt_at": TIME, "remote_id": TEXT}, nullable=True),
        *_columns({"fingerprint": TEXT, "as_of": TIME}, nullable=True),
        sa.PrimaryKeyConstraint("target", "kind", "object_id"),
    )


def _rows_of_runs() -> None:
    _run_table(
        "scores",
        {"group_id": TEXT},
        {
            "account_id": TEXT, "solution_id": TEXT, "model_version": TEXT, "readiness": REAL,
            "readiness_low": REAL, "readiness_high": REAL, "score": WHOLE, "log_odds": REAL,
            "base_log_odds": REAL, "completeness": REAL, "engaged_completeness": REAL,
            "engagement": REAL, "status": TEXT, "missing_roles": TEXT, "top_reasons": TEXT,
            "single_point_of_failure": TEXT,
        },
    )  # fmt: skip
    _run_table(
        "rankings",
        {"group_id": TEXT},
        {"threshold": REAL, "completeness_threshold": REAL},
        sa.Column("rank", WHOLE, nullable=False),
    )
    _run_table(
        "stakeholders",
        {"group_id": TEXT, "contact_id": TEXT},
        {
            "role": TEXT, "contribution": REAL, "contribution_se": REAL, "points": REAL,
            "last_activity_at": TIME, "last_activity_kind": TEXT, "activities_30d": WHOLE,
            "top_kinds": TEXT, "if_leaves": REAL, "summary": TEXT,
        },
    )  # fmt: skip
    _run_table(
        "actions",
        {"group_id": TEXT, "place": WHOLE},
        {
            "action": TEXT, "role": TEXT, "contact_id": TEXT, "points": REAL, "support": WHOLE,
            "text": TEXT,
        },
    )  # fmt: skip
    _run_table("horizons", {"group_id": TEXT, "horizon_days": WHOLE}, {"readiness": REAL})
    _run_table(
        "themes",
        {"group_id": TEXT, "contact_id": TEXT},
        {"theme": TEXT, "contribution": TEXT, "points": TEXT},
    )
    _run_table("summaries", {"group_id": TEXT}, {"summary": TEXT})


def _history() -> None:
    _by_group_and_run(
        "states",
        {"status": TEXT, "since": TIME},
        {"below_since": TIME, "alerted_at": TIME, "verdict_at": TIME},
    )
    _by_group_and_run(
        "transitions",
        {
            "from_status": TEXT, "to_status": TEXT, "reason": TEXT, "score": WHOLE,
            "readiness": REAL, "threshold": REAL, "completeness": REAL,
            "completeness_threshold": REAL, "model_version": TEXT, "alert": FLAG,
        },
        {},
    )  # fmt: skip


def _run_table(name: str, key: Columns, others: Columns, *more: sa.Column[Any]) -> None:
    """A table of rows that hold from one run on until another."""
    op.create_table(
        name,
        sa.Column("row_id", NUMBER, primary_key=True),
        sa.Column(
            "first_run", NUMBER, sa.ForeignKey("runs.run_id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("until_run", NUMBER, sa.ForeignKey("runs.run_id", ondelete="SET NULL")),
        *_columns(key, nullable=False),
        *_columns(others, nullable=True),
        *more,
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.UniqueConstraint(*key, "first_run", name=f"{name}_versions"),
    )
    op.create_index(f"ix_{name}_first_run", name, ["first_run"])
    op.create_index(f"ix_{name}_until_run", name, ["until_run", *(one.name for one in more)])


def _by_group_and_run(name: str, needed: Columns, others: Columns) -> None:
    op.create_table(
        name,
        sa.Column("group_id", TEXT, nullable=False),
        sa.Column("as_of", TIME, sa.ForeignKey("runs.as_of", ondelete="CASCADE"), nullable=False),
        *_columns(needed, nullable=False),
        *_columns(others, nullable=True),
        sa.PrimaryKeyConstraint("group_id", "as_of"),
    )
    op.create_index(f"ix_{name}_as_of", name, ["as_of"])


def _columns(types: Columns, *, nullable: bool) -> list[sa.Column[Any]]:
    return [
        sa.Column(name, kind, nullable=nullable, autoincrement=False)
        for name, kind in types.items()
    ]
