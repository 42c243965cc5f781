"""What sales said of the groups, and which of them began anew."""

from __future__ import annotations

from datetime import datetime

import ibis.expr.types as ir
import pandas as pd

from ..features.prepared import FeatureSource
from ..features.snapshots import REOPENED


def verdicts_known(source: FeatureSource, as_of: datetime) -> pd.DataFrame:
    """The latest verdict on each group, known before a cut-off; not inside a moment of another.

    A verdict from before the group was last reopened speaks of another attempt and does not
    stand.

    Returns:
        One row for each group with a verdict that stands, or reopened before the cut-off:
        group_id, decided_at, verdict, reason (null without a verdict, or as the data has it),
        reopened_at (null where it never was).
    """
    verdicts, events = source.tables["verdicts"], source.tables["stage_events"]
    queries = source.queries
    instant = queries.as_of(as_of)

    def again() -> ir.Table:
        past = events.filter(events.stage == REOPENED, events.occurred_at < instant)
        return past.group_by("group_id").agg(reopened_at=past.occurred_at.max())

    def said() -> ir.Table:
        past = verdicts.filter(verdicts.decided_at < instant)
        return past.select("group_id", "decided_at", "verdict", "reason")

    reopened = queries.fetch("reopened", again).to_pandas()
    rows = queries.fetch("verdicts_given", said).to_pandas()
    # Two at one instant: the same one must win however the rows stand.
    order = ["decided_at", "verdict", "reason"]
    latest: pd.DataFrame = rows.sort_values(order).drop_duplicates("group_id", keep="last")
    both = latest.merge(reopened, "outer", "group_id", validate="one_to_one")
    void = both["decided_at"] <= both["reopened_at"]
    both.loc[void, ["decided_at", "verdict", "reason"]] = None
    return both
