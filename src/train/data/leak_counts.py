"""What leak probes count: memberships, the activities of groups, cautious shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from scipy.stats import rankdata

from ..wilson import wilson_interval


def memberships_by_group(
    tables: Mapping[str, ir.Table], as_of: pd.Timestamp | None = None
) -> ir.Table:
    """Each membership with the solution of its group, at a cut-off or at any time."""
    members = tables["members"]
    if as_of is not None:
        members = members.filter(
            members.joined_at < as_of, members.left_at.isnull() | (members.left_at >= as_of)
        )
    group_solutions = tables["buying_groups"].select("group_id", group_solution_id="solution_id")
    return members.select("group_id", "contact_id").distinct().join(group_solutions, "group_id")


def group_activities(memberships: ir.Table, activities: ir.Table, *columns: str) -> ir.Table:
    """group_id and values of all that counts for a group (design.md, rules of time).

    The contract's ids do here: features number them for speed, and one look needs none.
    """
    with_group = activities.filter(activities.group_id.notnull())
    by_members = with_group.semi_join(memberships, ["group_id", "contact_id"])
    without_group = activities.filter(activities.group_id.isnull()).drop("group_id")
    candidates = memberships.join(without_group, "contact_id")
    solution_matches = candidates.solution_id.isnull() | (
        candidates.solution_id == candidates.group_solution_id
    )
    parts = (
        with_group.filter(with_group.contact_id.isnull()),
        by_members,
        candidates.filter(solution_matches),
    )
    return ibis.union(*(part.select("group_id", *columns) for part in parts))


def share_interval(hits: float, total: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share; `hits` may be a share of `total` that is not whole.

    Raises:
        ValueError: `total` is not above 0, or `hits` is not between 0 and it.
    """
    if not 0 <= hits <= total or total <= 0:
        raise ValueError(f"need 0 <= hits <= total and total > 0, got {hits} of {total}")
    low, high = wilson_interval(np.array([hits / total]), np.array([total]))
    return float(low[0]), float(high[0])


def ranking_auc(values: NDArray[np.float64], converted: NDArray[np.bool_]) -> float:
    """ROC AUC of values, shape (rows,), for outcomes, of which there are both; ties count half."""
    positives, negatives = float(converted.sum()), float((~converted).sum())
    above = float(rankdata(values)[converted].sum()) - positives * (positives + 1) / 2
    return above / (positives * negatives)


def memtable(frame: pd.DataFrame) -> ir.Table:
    """A frame as a table of the engine."""
    # By way of Arrow: Ibis 12 reads a pandas option that pandas 3 deprecates.
    return ibis.memtable(pa.Table.from_pandas(frame, preserve_index=False))


def records(table: ir.Table) -> list[dict[str, Any]]:
    """The rows of a table."""
    rows: list[dict[str, Any]] = table.to_pyarrow().to_pylist()
    return rows
