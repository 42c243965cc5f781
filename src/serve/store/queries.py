"""What pages, the API and alerts ask of the store."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from ...contract import BadInput
from ..batch.score_tables import SCORE_SCHEMAS
from .schema import (
    PACKED,
    POSITION,
    RANKED,
    RANKINGS,
    RUN_TABLES,
    STORED_TABLES,
    is_of_latest_run,
    meta,
    runs,
    transitions,
)

Row = dict[str, Any]

FORGOTTEN_KEY = "forgotten"
"""Key of `schema.meta`: a text that is another one after each time that somebody was forgotten."""

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


# Made once: to build them again would take longer than to ask them.
_GROUP_QUERIES = {
    name: sa.select(table).where(
        table.c.group_id == sa.bindparam("of_group"), table.c.as_of == sa.bindparam("at")
    )
    for name, table in RUN_TABLES.items()
}
_GROUP_TRANSITIONS = (
    sa.select(transitions)
    .where(
        transitions.c.group_id == sa.bindparam("of_group"),
        transitions.c.as_of <= sa.bindparam("at"),
    )
    .order_by(transitions.c.as_of)
)


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
    columns = (runs.c.as_of, runs.c.model_version, runs.c.groups, runs.c.digest)
    row = connection.execute(sa.select(*columns).order_by(runs.c.as_of.desc()).limit(1)).first()
    return None if row is None else BatchRun(*row)


def compute_signature(connection: sa.Connection, run: BatchRun) -> tuple[object, ...]:
    """What changes whenever the latest run does, by a night as by `mqbg forget`.

    Args:
        connection: of the store.
        run: the latest one.
    """
    forgotten = connection.scalar(sa.select(meta.c.value).where(meta.c.key == FORGOTTEN_KEY))
    return (run, forgotten)


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
    latest = connection.scalar(sa.select(sa.func.max(runs.c.as_of))) == as_of
    page_query = (_query_latest_page if latest else _query_earlier_page)(
        group_filter or GroupFilter(), sort, as_of
    )
    order = page_query.column.desc() if descending else page_query.column.asc()
    # Nulls are last as it is in ranks, which have none; to ask for it would keep their index out.
    order = order if sort == "rank" else order.nulls_last()
    group_id = page_query.group_id
    query = sa.select(group_id).where(*page_query.condition).order_by(order, group_id)
    ids = connection.scalars(query.limit(limit).offset(offset)).all()
    rows = sa.select(table).where(table.c.as_of == as_of, table.c.group_id.in_(ids))
    found = {row["group_id"]: row for row in load_run_rows(connection, "scores", rows)}
    total = connection.scalar(page_query.counted)
    return GroupPage([found[one] for one in ids], int(total or 0))


@dataclass(frozen=True)
class _PageQuery:
    """By what the ids of a page are selected, and how many there are in all.

    Rows, which are put together of two tables, are read for the ids of the page alone.
    """

    column: sa.ColumnElement[Any]
    group_id: sa.ColumnElement[str]
    condition: tuple[sa.ColumnElement[bool], ...]
    counted: sa.Select[Any]


def _query_earlier_page(group_filter: GroupFilter, sort: str, as_of: datetime) -> _PageQuery:
    table = RUN_TABLES["scores"]
    condition = (table.c.as_of == as_of, *_filter_conditions(table, group_filter))
    counted = sa.select(sa.func.count()).select_from(table).where(*condition)
    return _PageQuery(table.c[sort], table.c.group_id, condition, counted)


def _query_latest_page(group_filter: GroupFilter, sort: str, _as_of: datetime) -> _PageQuery:
    """By the tables themselves, whose rows of the latest run are indexed."""
    scores, rankings = STORED_TABLES["scores"], STORED_TABLES[RANKINGS]
    conditions = _filter_conditions(scores, group_filter)
    condition = (is_of_latest_run(scores), *conditions)
    counted = sa.select(sa.func.count()).select_from(scores).where(*condition)
    if sort not in RANKED:
        column = scores.c.group_id if sort == "as_of" else scores.c[sort]
        return _PageQuery(column, scores.c.group_id, condition, counted)
    group_id = rankings.c.group_id
    matching = [group_id.in_(sa.select(scores.c.group_id).where(*condition))] if conditions else []
    return _PageQuery(rankings.c[sort], group_id, (is_of_latest_run(rankings), *matching), counted)


def load_group(connection: sa.Connection, group_id: str, as_of: datetime) -> Group | None:
    """One group of a run; None where it was not scored."""
    group_filter = {"of_group": group_id, "at": as_of}
    rows_by_table = {
        name: _decode_rows(name, connection.execute(page_query, group_filter).mappings())
        for name, page_query in _GROUP_QUERIES.items()
    }
    if not rows_by_table["scores"]:
        return None
    transition_rows = [
        dict(row) for row in connection.execute(_GROUP_TRANSITIONS, group_filter).mappings()
    ]
    return assemble_group(rows_by_table, transition_rows)


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


def _filter_conditions(
    table: sa.FromClause, group_filter: GroupFilter
) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = [
        table.c[name].in_(list(getattr(group_filter, name)))
        for name in ("status", "solution_id", "account_id", "group_id")
        if getattr(group_filter, name)
    ]
    if group_filter.least_readiness is not None:
        conditions.append(table.c.readiness >= group_filter.least_readiness)
    if group_filter.search:
        ids = (table.c[name] for name in ("group_id", "account_id", "solution_id"))
        conditions.append(
            sa.or_(*(column.icontains(group_filter.search, autoescape=True) for column in ids))
        )
    return conditions


def load_run_rows(connection: sa.Connection, name: str, query: sa.Select[Any]) -> list[Row]:
    """Rows of a table of a run as the batch wrote them.

    Args:
        connection: of the store.
        name: of the table.
        query: which of its rows.
    """
    rows = _decode_rows(name, connection.execute(query).mappings())
    return [_without_position(row) for row in rows]


def _load_rows(connection: sa.Connection, query: sa.Select[Any]) -> list[Row]:
    return [dict(row._mapping) for row in connection.execute(query)]


def _decode_rows(name: str, rows: Iterable[sa.RowMapping]) -> list[Row]:
    """Rows of a table of a run: lists as lists again, and one for each element of packed ones."""
    lists, packed = LIST_COLUMNS[name], PACKED.get(name, ())
    decoded = [dict(row) for row in rows]
    for row in decoded:
        for column in (*lists, *packed):
            row[column] = row[column] and json.loads(row[column])
    if not packed:
        return decoded
    return [
        row | dict(zip(packed, values, strict=True))
        for row in decoded
        for values in zip(*(row[column] for column in packed), strict=True)
    ]


def _without_position(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != POSITION}
