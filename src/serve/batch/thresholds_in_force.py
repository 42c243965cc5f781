"""The line between nurture and qualified on the day of a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import pandas as pd
import pyarrow as pa

from ...features.tables.feature_source import FeatureSource
from ...features.tables.feature_table import open_snapshot
from ...features.time_rules.eligible_groups import cutoffs
from ...model.bundle import Bundle
from ...model.threshold_update import SEGMENT_COLUMNS, follow, segment_values
from ...model.thresholds import Thresholds

SNAPSHOTS = 4
"""So many snapshots find the flow again, however long ago training was."""

Progress = Callable[[str, float], None]


def lines_in_force(
    source: FeatureSource, bundle: Bundle, as_of: datetime, progress: Progress
) -> Thresholds:
    """The bundle's thresholds, with the capacity line followed up to a cut-off.

    A capacity line that stays where training left it lets in ever more groups as a portfolio
    grows (see `following`). So the snapshots that came since are scored, in the rhythm of the
    training, and the line is drawn anew at each. Nothing but the data and the cut-off decides.

    Args:
        source: prepared with the bundle's settings.
        bundle: the model.
        as_of: the cut-off of the batch.
        progress: called with a label and the share done.
    """
    lines = bundle.thresholds
    every = bundle.settings.snapshots.every
    known = lines.followed_until
    due = [
        at
        for at in cutoffs(bundle.training.first_as_of, as_of, every)
        if known is None or at > known
    ]
    if lines.policy != "capacity" or not due:
        return lines
    snapshots = cutoffs(bundle.training.first_as_of, as_of, every)[-SNAPSHOTS:]
    parts = []
    for number, at in enumerate(snapshots):
        progress("lines", number / len(snapshots))
        parts.append(_scored(source, bundle, at))
    progress("lines", 1.0)
    return follow(pd.concat(parts, ignore_index=True), lines, bundle.settings.thresholds)


def _scored(source: FeatureSource, bundle: Bundle, at: datetime) -> pd.DataFrame:
    with open_snapshot(source, bundle.catalogue, at) as now:
        features = now.features()
        groups = now.group_rows
    readiness = bundle.readiness(bundle.log_odds(features))
    return described(features, groups["solution_id"].to_pylist()).assign(
        as_of=at, readiness=readiness
    )


def described(features: pa.Table, solutions: Sequence[str]) -> pd.DataFrame:
    """What lines are drawn by: group_id, completeness, and the columns of the segments.

    Args:
        features: the feature table of one cut-off.
        solutions: solution_id of each row.
    """
    columns = set(SEGMENT_COLUMNS.values()) - {"solution_id"}
    return pd.DataFrame(
        {
            "group_id": features["group_id"].to_pylist(),
            "completeness": features["completeness"].to_numpy(),
            "solution_id": list(solutions),
            **{name: features[name].to_pylist() for name in sorted(columns)},
        }
    )


def segments_of(features: pa.Table, solutions: Sequence[str], lines: Thresholds) -> list[Any]:
    """The segment of each row that the lines tell apart; None for each where they tell none.

    Args:
        features: as above.
        solutions: as above.
        lines: in force.
    """
    if lines.segment is None:
        return [None] * features.num_rows
    return segment_values(described(features, solutions), lines)
