"""What sales said of the groups, and which of them began anew."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from ...features.tables.feature_source import FeatureSource
from ...features.time_rules.eligible_groups import REOPENED

_INSTANT = pa.timestamp("us")
_SCHEMA = pa.schema(
    [
        ("group_id", pa.string()), ("decided_at", _INSTANT), ("verdict", pa.string()),
        ("reason", pa.string()), ("reopened_at", _INSTANT),
    ]
)  # fmt: skip
_NOTHING: Mapping[str, Any] = {"decided_at": None, "verdict": None, "reason": None}


def verdicts_known(source: FeatureSource, as_of: datetime) -> pd.DataFrame:
    """The latest verdict on each group, known before a cut-off; not inside a moment of another.

    A verdict from before the group was last reopened speaks of another attempt and does not
    stand.

    Returns:
        One row for each group with a verdict that stands, or reopened before the cut-off:
        group_id, decided_at, verdict, reason (null without a verdict, or as the data has it),
        reopened_at (null where it never was).
    """
    found: pd.DataFrame = pa.Table.from_pylist(_standing(source, as_of), _SCHEMA).to_pandas()
    return found


def latest_verdicts(source: FeatureSource, as_of: datetime) -> dict[str, str]:
    """The verdict of sales that stands for each group, known before the cut-off."""
    return {row["group_id"]: row["verdict"] for row in _standing(source, as_of) if row["verdict"]}


def _standing(source: FeatureSource, as_of: datetime) -> list[dict[str, Any]]:
    """Rows of `verdicts_known`, by group_id; in plain Python, as one group has few."""
    verdicts, events = source.tables["verdicts"], source.tables["stage_events"]
    queries = source.query_runner
    instant = queries.set_as_of(as_of)

    def again() -> ir.Table:
        past = events.filter(events.stage == REOPENED, events.occurred_at < instant)
        return past.group_by("group_id").agg(reopened_at=past.occurred_at.max())

    def said() -> ir.Table:
        past = verdicts.filter(verdicts.decided_at < instant)
        return past.select("group_id", "decided_at", "verdict", "reason")

    found: dict[str, dict[str, Any]] = {}
    for row in sorted(queries.fetch("verdicts_given", said).to_pylist(), key=_order):
        found[row["group_id"]] = {**row, "reopened_at": None}
    for row in queries.fetch("reopened", again).to_pylist():
        latest = found.get(row["group_id"])
        stands = latest is not None and latest["decided_at"] > row["reopened_at"]
        found[row["group_id"]] = {**_NOTHING, **(latest if latest and stands else {}), **row}
    return [found[group_id] for group_id in sorted(found)]


def _order(row: Mapping[str, Any]) -> tuple[Any, ...]:
    # Two at one instant: the same one must win however the rows stand.
    reason = row["reason"]
    return row["decided_at"], row["verdict"], reason is None, reason or ""
