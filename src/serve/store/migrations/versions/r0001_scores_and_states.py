"""What a run writes, the states of groups, and their history."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

Type = sa.types.TypeEngine[Any]
Columns = dict[str, Type]

TEXT: Type = sa.Text()
REAL: Type = sa.Double()
WHOLE: Type = sa.BigInteger()
TIME: Type = sa.DateTime()
FLAG: Type = sa.Boolean()


def upgrade() -> None:
    """Makes the tables."""
    _of_run(
        "scores",
        {"as_of": TIME, "group_id": TEXT},
        {
            "account_id": TEXT, "solution_id": TEXT, "model_version": TEXT, "readiness": REAL,
            "readiness_low": REAL, "readiness_high": REAL, "score": WHOLE, "log_odds": REAL,
            "base_log_odds": REAL, "completeness": REAL, "engaged_completeness": REAL,
            "engagement": REAL, "threshold": REAL, "completeness_threshold": REAL,
            "status": TEXT, "rank": WHOLE, "missing_roles": TEXT, "top_reasons": TEXT,
            "single_point_of_failure": TEXT,
        },
    )  # fmt: skip
    _of_run(
        "stakeholders",
        {"as_of": TIME, "group_id": TEXT, "contact_id": TEXT},
        {
            "role": TEXT, "contribution": REAL, "contribution_se": REAL, "points": REAL,
            "last_activity_at": TIME, "last_activity_kind": TEXT, "activities_30d": WHOLE,
            "top_kinds": TEXT, "if_leaves": REAL, "summary": TEXT,
        },
    )  # fmt: skip
    _of_run(
        "actions",
        {"as_of": TIME, "group_id": TEXT, "place": WHOLE},
        {
            "action": TEXT, "role": TEXT, "contact_id": TEXT, "points": REAL, "support": WHOLE,
            "text": TEXT,
        },
    )  # fmt: skip
    _of_run(
        "horizons",
        {"as_of": TIME, "group_id": TEXT, "horizon_days": WHOLE},
        {"readiness": REAL},
    )
    _of_run(
        "themes",
        {"as_of": TIME, "group_id": TEXT, "contact_id": TEXT, "theme": TEXT},
        {"contribution": REAL, "points": REAL},
    )
    _of_run("summaries", {"as_of": TIME, "group_id": TEXT}, {"summary": TEXT})
    if op.get_context().dialect.name == "postgresql":
        op.create_index("scores_of_group", "scores", ["group_id"])
    _kept("runs", {"as_of": TIME}, {"model_version": TEXT, "groups": WHOLE, "digest": TEXT})
    _kept(
        "states",
        {"group_id": TEXT, "as_of": TIME},
        {"status": TEXT, "since": TIME},
        {"below_since": TIME, "alerted_at": TIME, "verdict_at": TIME},
    )
    _kept(
        "transitions",
        {"group_id": TEXT, "as_of": TIME},
        {
            "from_status": TEXT, "to_status": TEXT, "reason": TEXT, "score": WHOLE,
            "readiness": REAL, "threshold": REAL, "completeness": REAL,
            "completeness_threshold": REAL, "model_version": TEXT, "alert": FLAG,
        },
    )  # fmt: skip
    _kept("meta", {"key": TEXT}, {"value": TEXT})


def _of_run(name: str, key: Columns, others: Columns) -> None:
    """A table that a run fills; without its key on DuckDB, where keys cost too much."""
    op.create_table(
        name,
        *_columns(key, nullable=False),
        *_columns(others, nullable=True),
        sa.PrimaryKeyConstraint(*key).ddl_if(dialect="postgresql"),
    )


def _kept(name: str, key: Columns, needed: Columns, others: Columns | None = None) -> None:
    op.create_table(
        name,
        *_columns({**key, **needed}, nullable=False),
        *_columns(others or {}, nullable=True),
        sa.PrimaryKeyConstraint(*key),
    )


def _columns(types: Columns, *, nullable: bool) -> list[sa.Column[Any]]:
    return [
        sa.Column(name, kind, nullable=nullable, autoincrement=False)
        for name, kind in types.items()
    ]
