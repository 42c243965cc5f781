"""What the data of a training looked like in its last 90 days: kept to compare later data with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import ibis
import ibis.expr.types as ir

from ..contract import TABLES
from ..features.time_rules.eligible_groups import eligible_groups
from ..settings import Settings

RECENT = timedelta(days=90)
"""Activities that are compared: older ones may have had other names."""

MAX_KINDS = 200  # the most frequent ones are kept
_TABLES = ("accounts", "contacts", "activities")  # whose optional columns are compared


@dataclass(frozen=True, slots=True)
class DataProfile:
    """Volumes and filled columns at a cut-off.

    Attributes:
        groups: open buying groups.
        kinds: activities of the last 90 days, by kind.
        filled: share of the rows (of activities: those of 90 days) that fill a column, by
            `table.column`; tables without a row have none.
    """

    groups: int
    kinds: Mapping[str, int] = field(default_factory=dict)
    filled: Mapping[str, float] = field(default_factory=dict)


def data_profile(
    tables: Mapping[str, ir.Table], settings: Settings, as_of: datetime
) -> DataProfile:
    """The profile of what is known at a cut-off.

    Args:
        tables: the contract's.
        settings: which stages end a group.
        as_of: the cut-off.
    """
    groups = eligible_groups(tables, settings, as_of).count().to_pyarrow().as_py()
    recent = recent_activities(tables["activities"], as_of)
    by_kind = recent.group_by("kind").agg(rows=recent.count(), **_filled(recent, "activities"))
    found = by_kind.to_pyarrow().to_pylist()
    found.sort(key=lambda row: (-row["rows"], row["kind"]))
    filled = {}
    for name in _TABLES[:2]:
        rows = tables[name]
        row = rows.agg(rows=rows.count(), **_filled(rows, name)).to_pyarrow().to_pylist()[0]
        filled.update(_shares(name, [row]))
    return DataProfile(
        int(groups),
        {row["kind"]: row["rows"] for row in found[:MAX_KINDS]},
        {**filled, **_shares("activities", found)},
    )


def recent_activities(activities: ir.Table, as_of: datetime) -> ir.Table:
    """Those of the 90 days before a cut-off that were known by then."""
    known_at = ibis.coalesce(activities.recorded_at, activities.occurred_at)
    return activities.filter(
        known_at < as_of, activities.occurred_at < as_of, activities.occurred_at >= as_of - RECENT
    )


def _filled(rows: ir.Table, table: str) -> dict[str, ir.IntegerScalar]:
    return {name: rows[name].count() for name in _optional(table)}


def _optional(table: str) -> list[str]:
    return [column.name for column in TABLES[table].columns if not column.required]


def _shares(table: str, rows: list[dict[str, int]]) -> dict[str, float]:
    total = sum(row["rows"] for row in rows)
    if not total:
        return {}
    return {f"{table}.{name}": sum(row[name] for row in rows) / total for name in _optional(table)}
