"""What pages, the API and alerts ask of the store."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from ...contract import BadInput
from ..batch.score_tables import SCORE_SCHEMAS
from .schema import POSITION, RUN_TABLES, runs, transitions

Row = dict[str, Any]

LIST_COLUMNS: Mapping[str, tuple[str, ...]] = {
    name: tuple(item.name for item in schema if pa.types.is_list(item.type))
    for name, schema in SCORE_SCHEMAS.items()
}
"""Columns that the store keeps as JSON, by table."""

_ROW_ORDER = {
    "stakeholders": ("contact_id",),
    "themes": ("contact_id", "theme"),
    "horizons": ("horizon_days",),
    "actions": (POSITION,),
}


@dataclass(frozen=True)
class BatchRun:
    """One run of the batch.

    Attributes:
        as_of: its cut-off.
        model_version: that scored.
        groups: how many were open.
        digest: SHA-256 of its scores.
    """

    as_of: datetime
    model_version: str
    groups: int
    digest: str


@dataclass(frozen=True)
class GroupFilter:
    """Which groups; what is empty or None leaves all.

    Attributes:
        status: any of these.
        solution_id: any of these.
        account_id: any of these.
        group_id: any of these.
        least_readiness: 0..1.
        search: a part of the id of group, account or solution, in capitals or not.
    """

    status: Sequence[str] = ()
    solution_id: Sequence[str] = ()
    account_id: Sequence[str] = ()
    group_id: Sequence[str] = ()
    least_readiness: float | None = None
    search: str = ""


@dataclass(frozen=True)
class GroupPage:
    """Some groups of a run.

    Attributes:
        groups: rows of `scores`, in the order asked for.
        total: groups that the filter leaves, on this page or not.
    """

    groups: list[Row]
    total: int


@dataclass(frozen=True)
class Group:
    """All that a run says of one group, with lists as lists.

    Attributes:
        score: its row of `scores`.
        stakeholders: the strongest first.
        actions: in the order of the run.
        horizons: the shortest first.
        themes: of its members.
        summary: None where there is none.
        transitions: of all runs up to this one, the earliest first.
    """

    score: Row
    stakeholders: list[Row] = field(default_factory=list)
    actions: list[Row] = field(default_factory=list)
    horizons: list[Row] = field(default_factory=list)
    themes: list[Row] = field(default_factory=list)
    summary: str | None = None
    transitions: list[Row] = field(default_factory=list)


def load_latest_run(connection: sa.Connection) -> BatchRun | None:
    """The latest run; None before the first one."""
    rows = connection.execute(sa.select(runs).order_by(runs.c.as_of.desc()).limit(1)).all()
    return BatchRun(**rows[0]._mapping) if rows else None


def load_groups_page(
    connection: sa.Connection,
    as_of: datetime,
    *,
    group_filter: GroupFilter | None = None,
    sort: str = "rank",
    descending: bool = False,
    limit: int = 50,
    offset: int = 0,
) -> GroupPage:
    """Some groups of a run.

    Args:
        connection: of the store.
        as_of: of the run.
        group_filter: what they must be.
        sort: a column of `scores`; groups that are equal in it, or have none, come last, by id.
        descending: the largest first.
        limit: of groups.
        offset: how many to leave out first.

    Raises:
        BadInput: there is no such column.
    """
    table = RUN_TABLES["scores"]
    if sort not in table.c or sort in LIST_COLUMNS["scores"]:
        known = [name for name in table.c.keys() if name not in LIST_COLUMNS["scores"]]  # noqa: SIM118
        raise BadInput(f"sort: expected a column of scores, got {sort!r}; there are {known}")
    condition = sa.and_(
        table.c.as_of == as_of, *_filter_conditions(table, group_filter or GroupFilter())
    )
    column = table.c[sort]
    rows = connection.execute(
        sa.select(table)
        .where(condition)
        .order_by((column.desc() if descending else column.asc()).nulls_last(), table.c.group_id)
        .limit(limit)
        .offset(offset)
    ).all()
    total = connection.scalar(sa.select(sa.func.count()).select_from(table).where(condition))
    return GroupPage([decode_row("scores", dict(row._mapping)) for row in rows], int(total or 0))


def load_group(connection: sa.Connection, group_id: str, as_of: datetime) -> Group | None:
    """One group of a run; None where it was not scored."""
    rows_by_table = {
        name: _load_group_rows(connection, name, group_id, as_of) for name in RUN_TABLES
    }
    if not rows_by_table["scores"]:
        return None
    transitions_query = sa.select(transitions).where(
        transitions.c.group_id == group_id, transitions.c.as_of <= as_of
    )
    return assemble_group(
        rows_by_table, _load_rows(connection, transitions_query.order_by(transitions.c.as_of))
    )


def assemble_group(rows_by_table: Mapping[str, list[Row]], transition_rows: list[Row]) -> Group:
    """A group of its rows.

    Args:
        rows_by_table: rows of each table of a run, in any order.
        transition_rows: its transitions, the earliest first.
    """
    rows = {
        name: sorted(rows_by_table[name], key=itemgetter(*columns))
        for name, columns in _ROW_ORDER.items()
    }
    return Group(
        score=rows_by_table["scores"][0],
        stakeholders=sorted(rows["stakeholders"], key=lambda row: -row["points"]),
        actions=[_without_position(row) for row in rows["actions"]],
        horizons=rows["horizons"],
        themes=rows["themes"],
        summary=next((row["summary"] for row in rows_by_table["summaries"]), None),
        transitions=transition_rows,
    )


def load_score_history(connection: sa.Connection, group_id: str) -> list[Row]:
    """A group's row of `scores` in every run that is kept, the earliest first."""
    table = RUN_TABLES["scores"]
    query = sa.select(table).where(table.c.group_id == group_id).order_by(table.c.as_of)
    return load_run_rows(connection, "scores", query)


def load_transitions(connection: sa.Connection, group_id: str) -> list[Row]:
    """Every transition of a group, the earliest first."""
    query = sa.select(transitions).where(transitions.c.group_id == group_id)
    return _load_rows(connection, query.order_by(transitions.c.as_of))


def load_alertable_transitions(
    connection: sa.Connection, since: datetime | None = None, until: datetime | None = None
) -> list[Row]:
    """Transitions that deserve an alert, by run and group.

    Whether one was sent is known to the outbox: group_id, as_of and to_status name it, and stay
    the same when a run is repeated.

    Args:
        connection: of the store.
        since: the first run that is asked for; None for all.
        until: the last one.
    """
    table = transitions
    query = sa.select(table).where(table.c.alert)
    if since is not None:
        query = query.where(table.c.as_of >= since)
    if until is not None:
        query = query.where(table.c.as_of <= until)
    return _load_rows(connection, query.order_by(table.c.as_of, table.c.group_id))


def _filter_conditions(table: sa.Table, group_filter: GroupFilter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = [
        table.c[name].in_(list(getattr(group_filter, name)))
        for name in ("status", "solution_id", "account_id", "group_id")
        if getattr(group_filter, name)
    ]
    if group_filter.least_readiness is not None:
        conditions.append(table.c.readiness >= group_filter.least_readiness)
    if group_filter.search:
        ids = (table.c.group_id, table.c.account_id, table.c.solution_id)
        conditions.append(
            sa.or_(*(column.icontains(group_filter.search, autoescape=True) for column in ids))
        )
    return conditions


def _load_group_rows(
    connection: sa.Connection, name: str, group_id: str, as_of: datetime
) -> list[Row]:
    table = RUN_TABLES[name]
    query = sa.select(table).where(table.c.group_id == group_id, table.c.as_of == as_of)
    return [decode_row(name, dict(row._mapping)) for row in connection.execute(query)]


def load_run_rows(connection: sa.Connection, name: str, query: sa.Select[Any]) -> list[Row]:
    """Rows of a table of a run as the batch wrote them.

    Args:
        connection: of the store.
        name: of the table.
        query: which of its rows.
    """
    rows = [decode_row(name, dict(row._mapping)) for row in connection.execute(query)]
    return [_without_position(row) for row in rows]


def _load_rows(connection: sa.Connection, query: sa.Select[Any]) -> list[Row]:
    return [dict(row._mapping) for row in connection.execute(query)]


def decode_row(name: str, row: Row) -> Row:
    """A row of a table of a run, lists as lists again.

    Args:
        name: of the table.
        row: as it is stored.
    """
    decoded = {column: row[column] and json.loads(row[column]) for column in LIST_COLUMNS[name]}
    return {**row, **decoded}


def _without_position(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != POSITION}
