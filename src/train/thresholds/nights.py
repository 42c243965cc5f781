"""Snapshots in order, as the nights of the job that scores them: who newly qualifies when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import numpy as np
import pandas as pd

from ...model.entry_budget import EntryBudget, EntryQuota, team_capacities, teams
from ...model.states import QUALIFIED, STATE_COLUMNS, update_states
from ...model.threshold_update import rows_by_snapshot, segment_values
from ...model.thresholds import Thresholds
from ...settings import StateSettings, ThresholdSettings
from .new_entries import require_scored_rows

Verdicts = Callable[[datetime], pd.DataFrame]

_NO_VERDICTS = pd.DataFrame(columns=["group_id", "decided_at", "verdict", "reason", "reopened_at"])


def no_verdicts(_as_of: datetime) -> pd.DataFrame:
    """Sales said nothing."""
    return _NO_VERDICTS


def replay_nights(
    rows: pd.DataFrame,
    thresholds: Thresholds,
    settings: ThresholdSettings,
    states: StateSettings,
    verdicts: Verdicts = no_verdicts,
) -> pd.DataFrame:
    """What the job would have made of snapshots, by the state machine that it runs.

    The first snapshot is stock: those who reach the thresholds in force are qualified and not
    newly so. By capacity each later one lets in what has added up since the one before it (see
    `model.entry_budget`); by another policy, everyone who reaches the thresholds.

    Args:
        rows: group_id, as_of, readiness, completeness, engagement (0 where it is missing), and the
            column of the segment, if there are segments; one row per open group and snapshot.
        thresholds: those learned, with their schedule.
        settings: whose capacities count.
        states: lower threshold, dwell and recycling.
        verdicts: what sales had said by a cut-off, as `features.time_rules.verdicts` gives it.

    Returns:
        The rows in order of time, with status, threshold (of readiness, in force at the snapshot)
        and entered: whether the group newly qualified.

    Raises:
        ValueError: as `require_scored_rows`.
    """
    require_scored_rows(rows)
    if "engagement" not in rows.columns:
        rows = rows.assign(engagement=0.0)
    known = pd.DataFrame(columns=list(STATE_COLUMNS))
    budget: EntryBudget | None = None
    parts: list[pd.DataFrame] = []
    for as_of, snapshot in rows_by_snapshot(rows):
        segments = segment_values(snapshot, thresholds)
        scores = snapshot.reset_index(drop=True).assign(
            threshold=np.minimum(thresholds.readiness_thresholds(segments, as_of), 1.0),
            completeness_threshold=thresholds.completeness,
            score=0,
            model_version="",
        )
        quota = None
        if budget is not None:
            budget = budget.advance(as_of)
            quota = EntryQuota(teams(segments, settings), budget, thresholds.floor)
        done = update_states(known, scores, verdicts(as_of), states, as_of, quota)
        entered = scores["group_id"].isin(
            done.transitions.loc[done.transitions["to_status"] == QUALIFIED, "group_id"]
        )
        if budget is not None and quota is not None:
            budget = budget.spend(quota.entries(entered.to_numpy(np.bool_)))
        elif thresholds.policy == "capacity":
            nothing_left = dict.fromkeys(team_capacities(settings, as_of.month), 0.0)
            budget = EntryBudget(settings, as_of, nothing_left)
        known = _latest(known, done.states)
        parts.append(
            snapshot.assign(
                status=done.status.to_numpy(),
                threshold=done.threshold.to_numpy(),
                entered=entered.to_numpy(np.bool_) & bool(parts),
            )
        )
    return pd.concat(parts)


def _latest(known: pd.DataFrame, changed: pd.DataFrame) -> pd.DataFrame:
    """The states of groups after some of them changed."""
    if changed.empty:
        return known
    if known.empty:
        return changed
    unchanged = known[~known["group_id"].isin(changed["group_id"])]
    return pd.concat([unchanged, changed], ignore_index=True)
