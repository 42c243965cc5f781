"""Labels: did a group convert in [as_of, as_of + horizon)?"""

from __future__ import annotations

import difflib
from datetime import datetime, timedelta

import ibis.expr.types as ir
import pyarrow as pa

from ...contract import BadInput
from ...settings import TargetSettings


def converted_groups(stage_events: ir.Table, target: TargetSettings, as_of: datetime) -> pa.Array:
    """Ids of the groups with an event of the target stage in [as_of, as_of + horizon)."""
    horizon_end = as_of + timedelta(days=target.horizon_days)
    conversions = stage_events.filter(
        stage_events.stage == target.stage,
        stage_events.occurred_at >= as_of,
        stage_events.occurred_at < horizon_end,
    )
    ids: pa.Array = (
        conversions.select("group_id").distinct().to_pyarrow()["group_id"].combine_chunks()
    )
    return ids


def require_target_stage(stage_events: ir.Table, target: TargetSettings) -> None:
    """Refuses a target that never occurs while other stages do: it is misspelt, not rare.

    Raises:
        BadInput: it names the nearest stage of the data.
    """
    stages = stage_events.select("stage").distinct().to_pyarrow()["stage"].to_pylist()
    if stages and target.stage not in stages:
        closest = difflib.get_close_matches(target.stage, stages, n=1, cutoff=0.0)[0]
        raise BadInput(
            f"train: expected events of the stage {target.stage!r}, found only "
            f"{', '.join(map(repr, sorted(stages)[:10]))}; "
            f"set [target] stage, perhaps to {closest!r}"
        )
