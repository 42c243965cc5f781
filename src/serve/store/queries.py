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
from .schema import OF_RUN, PLACE, runs, transitions

Row = dict[str, Any]

LISTS: Mapping[str, tuple[str, ...]] = {
    name: tuple(item.name for item in schema if pa.types.is_list(item.type))
    for name, schema in SCORE_SCHEMAS.items()
}
"""Columns that the store keeps as JSON, by table."""

_ORDER = {
    "stakeholders": ("contact_id",),
    "themes": ("contact_id", "theme"),
    "horizons": ("horizon_days",),
    "actions": (PLACE,),
}


@dataclass(frozen=True)
class Run:
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
class Filter:
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
class Page:
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


def latest_run(connection: sa.Connection) -> Run | None:
    """The latest run; None before the first one."""
    rows = connection.execute(sa.select(runs).order_by(runs.c.as_of.desc()).limit(1)).all()
    return Run(**rows[0]._mapping) if rows else None


def groups_page(
    connection: sa.Connection,
    as_of: datetime,
    *,
    which: Filter | None = None,
    sort: str = "rank",
    descending: bool = False,
    limit: int = 50,
    offset: int = 0,
) -> Page:
    """Some groups of a run.

    Args:
        connection: of the store.
        as_of: of the run.
        which: what they must be.
        sort: a column of `scores`; groups that are equal in it, or have none, come last, by id.
        descending: the largest first.
        limit: of groups.
        offset: how many to leave out first.

    Raises:
        BadInput: there is no such column.
    """
    table = OF_RUN["scores"]
    if sort not in table.c or sort in LISTS["scores"]:
        known = [name for name in table.c.keys() if name not in LISTS["scores"]]  # noqa: SIM118
        raise BadInput(f"sort: expected a column of scores, got {sort!r}; there are {known}")
    wanted = sa.and_(table.c.as_of == as_of, *_conditions(table, which or Filter()))
    column = table.c[sort]
    rows = connection.execute(
        sa.select(table)
        .where(wanted)
        .order_by((column.desc() if descending else column.asc()).nulls_last(), table.c.group_id)
        .limit(limit)
        .offset(offset)
    ).all()
    total = connection.scalar(sa.select(sa.func.count()).select_from(table).where(wanted))
    return Page([row_of_run("scores", dict(row._mapping)) for row in rows], int(total or 0))


def group(connection: sa.Connection, group_id: str, as_of: datetime) -> Group | None:
    """One group of a run; None where it was not scored."""
    parts = {name: _of_group(connection, name, group_id, as_of) for name in OF_RUN}
    if not parts["scores"]:
        return None
    moves = sa.select(transitions).where(
        transitions.c.group_id == group_id, transitions.c.as_of <= as_of
    )
    return group_of(parts, _rows(connection, moves.order_by(transitions.c.as_of)))


def group_of(parts: Mapping[str, list[Row]], moves: list[Row]) -> Group:
    """A group of its rows.

    Args:
        parts: rows of each table of a run, in any order.
        moves: its transitions, the earliest first.
    """
    rows = {name: sorted(parts[name], key=itemgetter(*columns)) for name, columns in _ORDER.items()}
    return Group(
        score=parts["scores"][0],
        stakeholders=sorted(rows["stakeholders"], key=lambda row: -row["points"]),
        actions=[_without_place(row) for row in rows["actions"]],
        horizons=rows["horizons"],
        themes=rows["themes"],
        summary=next((row["summary"] for row in parts["summaries"]), None),
        transitions=moves,
    )


def history(connection: sa.Connection, group_id: str) -> list[Row]:
    """A group's row of `scores` in every run that is kept, the earliest first."""
    table = OF_RUN["scores"]
    chosen = sa.select(table).where(table.c.group_id == group_id).order_by(table.c.as_of)
    return rows_of(connection, "scores", chosen)


def transitions_of(connection: sa.Connection, group_id: str) -> list[Row]:
    """Every transition of a group, the earliest first."""
    chosen = sa.select(transitions).where(transitions.c.group_id == group_id)
    return _rows(connection, chosen.order_by(transitions.c.as_of))


def transitions_to_alert(
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
    chosen = sa.select(table).where(table.c.alert)
    if since is not None:
        chosen = chosen.where(table.c.as_of >= since)
    if until is not None:
        chosen = chosen.where(table.c.as_of <= until)
    return _rows(connection, chosen.order_by(table.c.as_of, table.c.group_id))


def _conditions(table: sa.Table, which: Filter) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = [
        table.c[name].in_(list(getattr(which, name)))
        for name in ("status", "solution_id", "account_id", "group_id")
        if getattr(which, name)
    ]
    if which.least_readiness is not None:
        found.append(table.c.readiness >= which.least_readiness)
    if which.search:
        ids = (table.c.group_id, table.c.account_id, table.c.solution_id)
        found.append(sa.or_(*(column.icontains(which.search, autoescape=True) for column in ids)))
    return found


def _of_group(connection: sa.Connection, name: str, group_id: str, as_of: datetime) -> list[Row]:
    table = OF_RUN[name]
    chosen = sa.select(table).where(table.c.group_id == group_id, table.c.as_of == as_of)
    return [row_of_run(name, dict(row._mapping)) for row in connection.execute(chosen)]


def rows_of(connection: sa.Connection, name: str, chosen: sa.Select[Any]) -> list[Row]:
    """Rows of a table of a run as the batch wrote them.

    Args:
        connection: of the store.
        name: of the table.
        chosen: which of its rows.
    """
    found = [row_of_run(name, dict(row._mapping)) for row in connection.execute(chosen)]
    return [_without_place(row) for row in found]


def _rows(connection: sa.Connection, chosen: sa.Select[Any]) -> list[Row]:
    return [dict(row._mapping) for row in connection.execute(chosen)]


def row_of_run(name: str, row: Row) -> Row:
    """A row of a table of a run, lists as lists again.

    Args:
        name: of the table.
        row: as it is stored.
    """
    read = {column: row[column] and json.loads(row[column]) for column in LISTS[name]}
    return {**row, **read}


def _without_place(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != PLACE}
