"""Labels: did a group convert in [as_of, as_of + horizon)?"""

from __future__ import annotations

from datetime import datetime, timedelta

import ibis.expr.types as ir
import pyarrow as pa

from ..settings import Target


def converted_groups(stage_events: ir.Table, target: Target, as_of: datetime) -> pa.Array:
    """Ids of the groups with an event of the target stage in [as_of, as_of + horizon)."""
    until = as_of + timedelta(days=target.horizon_days)
    ahead = stage_events.filter(
        stage_events.stage == target.stage,
        stage_events.occurred_at >= as_of,
        stage_events.occurred_at < until,
    )
    ids: pa.Array = ahead.select("group_id").distinct().to_pyarrow()["group_id"].combine_chunks()
    return ids
