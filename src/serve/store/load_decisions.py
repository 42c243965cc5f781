"""What the last night decided of groups, for those who score a group by itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from ..batch.night_decisions import NightDecision
from .schema import RUN_TABLES, runs


def load_decisions(
    connection: sa.Connection, group_ids: Sequence[str], as_of: datetime, model_version: str
) -> dict[str, NightDecision]:
    """What the last run at or before a cut-off decided; groups that it had not are left out.

    Args:
        connection: of the store.
        group_ids: a few groups.
        as_of: the cut-off.
        model_version: that scores now; what another model's night decided does not hold for it.
    """
    last = sa.select(runs.c.as_of, runs.c.model_version, runs.c.rows_kept)
    last = last.where(runs.c.as_of <= as_of).order_by(runs.c.as_of.desc()).limit(1)
    run = connection.execute(last).first()
    if run is None or not run.rows_kept or run.model_version != model_version:
        return {}
    table = RUN_TABLES["scores"]
    rows = sa.select(
        table.c.group_id, table.c.threshold, table.c.completeness_threshold, table.c.status
    ).where(table.c.as_of == run.as_of, table.c.group_id.in_(group_ids))
    return {
        row.group_id: NightDecision(
            run.as_of, row.threshold, row.completeness_threshold, row.status
        )
        for row in connection.execute(rows)
    }
