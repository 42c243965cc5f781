"""What sales said of the groups, and which of them began again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from ..tables.feature_source import FeatureSource
from .eligible_groups import REOPENED

_INSTANT = pa.timestamp("us")
_SCHEMA = pa.schema(
    [
        ("group_id", pa.string()), ("decided_at", _INSTANT), ("verdict", pa.string()),
        ("reason", pa.string()), ("reopened_at", _INSTANT),
    ]
)  # fmt: skip
_NO_VERDICT: Mapping[str, Any] = {"decided_at": None, "verdict": None, "reason": None}


def verdicts_as_of(source: FeatureSource, as_of: datetime) -> pd.DataFrame:
    """The latest verdict on each group, known before a cut-off; not inside a moment of another.

    A verdict from before the group was last reopened speaks of another attempt and does not
    stand.

    Returns:
        One row for each group with a verdict that stands, or reopened before the cut-off:
        group_id, decided_at, verdict, reason (null without a verdict, or as the data has it),
        reopened_at (null where it never was).
    """
    found: pd.DataFrame = pa.Table.from_pylist(_valid_verdicts(source, as_of), _SCHEMA).to_pandas()
    return found


@dataclass(frozen=True, slots=True)
class LatestVerdict:
    """What sales said last of a group, and when."""

    verdict: str
    decided_at: datetime


def latest_verdicts(source: FeatureSource, as_of: datetime) -> dict[str, LatestVerdict]:
    """The verdict of sales that is valid for each group, known before the cut-off."""
    return {
        row["group_id"]: LatestVerdict(row["verdict"], row["decided_at"])
        for row in _valid_verdicts(source, as_of)
        if row["verdict"]
    }


def _valid_verdicts(source: FeatureSource, as_of: datetime) -> list[dict[str, Any]]:
    """Rows of `verdicts_as_of`, by group_id; in plain Python, as one group has few."""
    verdicts, events = source.tables["verdicts"], source.tables["stage_events"]
    queries = source.query_runner
    instant = queries.set_as_of(as_of)

    def reopenings() -> ir.Table:
        past = events.filter(events.stage == REOPENED, events.occurred_at < instant)
        return past.group_by("group_id").agg(reopened_at=past.occurred_at.max())

    def given_verdicts() -> ir.Table:
        past = verdicts.filter(verdicts.decided_at < instant)
        return past.select("group_id", "decided_at", "verdict", "reason")

    by_group: dict[str, dict[str, Any]] = {}
    for row in sorted(
        queries.fetch("verdicts_given", given_verdicts).to_pylist(), key=_verdict_order
    ):
        by_group[row["group_id"]] = {**row, "reopened_at": None}
    for row in queries.fetch("reopened", reopenings).to_pylist():
        latest = by_group.get(row["group_id"])
        is_valid = latest is not None and latest["decided_at"] > row["reopened_at"]
        by_group[row["group_id"]] = {
            **_NO_VERDICT,
            **(latest if latest and is_valid else {}),
            **row,
        }
    return [by_group[group_id] for group_id in sorted(by_group)]


def _verdict_order(row: Mapping[str, Any]) -> tuple[Any, ...]:
    # Two at one instant: the same one must win however the rows stand.
    reason = row["reason"]
    return row["decided_at"], row["verdict"], reason is None, reason or ""
