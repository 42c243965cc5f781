"""The threshold between nurture and qualified on the day of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pandas as pd
import pyarrow as pa

from ...features.tables.feature_source import FeatureSource
from ...features.tables.feature_table import open_snapshot
from ...features.time_rules.eligible_groups import cutoffs
from ...model.bundle import Bundle
from ...model.threshold_update import SEGMENT_COLUMNS, segment_values, update_threshold
from ...model.thresholds import Thresholds
from ...support.progress import Progress

UPDATE_SNAPSHOTS = 4
"""This many snapshots find the flow again, however long ago training was."""


def thresholds_in_force(
    source: FeatureSource, bundle: Bundle, as_of: datetime, progress: Progress
) -> Thresholds:
    """The bundle's thresholds, with the capacity threshold followed up to a cut-off.

    A capacity threshold that stays where training left it lets in ever more groups as a portfolio
    grows (see `threshold_update`). So the snapshots that came since are scored, in the rhythm of
    the training, and the threshold is drawn again at each. Nothing but the data and the cut-off
    decides.

    Args:
        source: prepared with the bundle's settings.
        bundle: the model.
        as_of: the cut-off of the batch.
        progress: called with a label and the share done.
    """
    thresholds = bundle.thresholds
    interval = bundle.settings.snapshots.every
    updated_until = thresholds.updated_until
    due = [
        cutoff
        for cutoff in cutoffs(bundle.training.first_as_of, as_of, interval)
        if updated_until is None or cutoff > updated_until
    ]
    if thresholds.policy != "capacity" or not due:
        return thresholds
    snapshots = cutoffs(bundle.training.first_as_of, as_of, interval)[-UPDATE_SNAPSHOTS:]
    parts = []
    for number, cutoff in enumerate(snapshots):
        progress("thresholds", number / len(snapshots))
        parts.append(score_snapshot(source, bundle, cutoff))
    progress("thresholds", 1.0)
    return update_threshold(
        pd.concat(parts, ignore_index=True), thresholds, bundle.settings.thresholds
    )


def score_snapshot(source: FeatureSource, bundle: Bundle, as_of: datetime) -> pd.DataFrame:
    """What the thresholds of a cut-off are drawn by.

    Returns:
        group_id, as_of, readiness, completeness, engagement (the rule score) and the columns of
        the segments; a row per open group.
    """
    with open_snapshot(source, bundle.catalogue, as_of) as snapshot:
        features = snapshot.features()
        groups = snapshot.group_rows
    readiness = bundle.readiness(bundle.log_odds(features))
    return segment_table(features, groups["solution_id"].to_pylist()).assign(
        as_of=as_of,
        readiness=readiness,
        engagement=features["rule_engagement"].to_numpy(),
    )


def segment_table(features: pa.Table, solutions: Sequence[str]) -> pd.DataFrame:
    """What thresholds are drawn by: group_id, completeness, and the columns of the segments.

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


def row_segments(features: pa.Table, solutions: Sequence[str], thresholds: Thresholds) -> list[Any]:
    """The segment of each row that the thresholds tell apart; None for each where they tell none.

    Args:
        features: as above.
        solutions: as above.
        thresholds: in force.
    """
    if thresholds.segment is None:
        return [None] * features.num_rows
    return segment_values(segment_table(features, solutions), thresholds)
