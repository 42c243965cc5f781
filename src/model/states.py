"""How groups move between nurture, qualified, accepted, rejected and recycled (design.md)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..settings import StateSettings
from .entry_budget import EntryQuota
from .thresholds import UNREACHABLE, meets_thresholds

NURTURE, QUALIFIED, ACCEPTED = "nurture", "qualified", "accepted"
REJECTED, RECYCLED = "rejected", "recycled"

TRANSITION_REASONS = {
    "reached": "readiness and completeness reached their thresholds",
    "fell": "one of them stayed below the lower line for the dwell time",
    "accepted": "sales accepted the group",
    "rejected": "sales rejected it",
    "sent_back": "sales rejected it with a reason that sends it back at once",
    "rejection_ended": "the rejection is older than it may be",
    "reopened": "the group was closed and opened again: another attempt begins",
}
"""Why a group moved, by the word that a transition carries."""

STATE_COLUMNS = ("group_id", "as_of", "status", "since", "below_since", "alerted_at", "verdict_at")
"""Columns of a state; those of `StateUpdate.transitions` are `TRANSITION_COLUMNS`."""

TRANSITION_COLUMNS = (
    "group_id", "as_of", "from_status", "to_status", "reason", "score", "readiness", "threshold",
    "completeness", "completeness_threshold", "model_version", "alert",
)  # fmt: skip

_TIME_COLUMNS = ("since", "below_since", "alerted_at", "verdict_at")


@dataclass(frozen=True)
class StateUpdate:
    """What a run made of the states.

    Attributes:
        status: of each row of the scores, in their order.
        states: of the groups where something changed; columns `STATE_COLUMNS`.
        transitions: of the groups whose status changed; columns `TRANSITION_COLUMNS`. `alert` tells
            those that deserve one: the group qualified, and its last alert is long enough ago.
        threshold: of each row of the scores, in their order; the readiness that was in force.
    """

    status: pd.Series[str]
    states: pd.DataFrame
    transitions: pd.DataFrame
    threshold: pd.Series[float]


def is_stagnant(
    status: str, last_active_at: datetime | None, as_of: datetime, settings: StateSettings
) -> bool:
    """Whether a group is with sales, or should be, and nobody in it was active for long.

    Args:
        status: of the group.
        last_active_at: the latest inbound activity of its members; None where there is none.
        as_of: the cut-off.
        settings: `stagnant_days` is read.
    """
    if status not in (QUALIFIED, ACCEPTED):
        return False
    return (
        last_active_at is None
        or (as_of - last_active_at).total_seconds() > settings.stagnant_days * 86_400
    )


def update_states(
    earlier: pd.DataFrame,
    scores: pd.DataFrame,
    verdicts: pd.DataFrame,
    settings: StateSettings,
    as_of: datetime,
    quota: EntryQuota | None = None,
) -> StateUpdate:
    """Moves every scored group by at most one step.

    Depends on nothing but what was before the cut-off, so running past dates in order gives the
    same history, and running a date twice changes nothing. A group that is not scored, being
    converted or closed, keeps its state.

    A new verdict of sales goes before everything else. A group enters at its thresholds and leaves
    below a lower threshold only after a dwell time (hysteresis). What leaves, or is sent back, is
    `recycled` and may qualify again.

    With a quota it alone decides who enters and gives the threshold; a group then leaves below the
    lower threshold of the looser one of that threshold and the one it was scored with, so that a
    night without capacity sends nobody back.

    Args:
        earlier: the latest state of each group before the cut-off; columns `STATE_COLUMNS`. A group
            without one is in nurture.
        scores: of one cut-off; the columns of `score_tables.SCORES`. `status` is not read.
        verdicts: as `verdicts_as_of` gives them.
        settings: lower threshold, dwell, recycling and pause.
        as_of: the cut-off.
        quota: what the run may let in; None lets in every group that reaches its thresholds.
    """
    current = _current_states(earlier, scores, verdicts)
    old_status = current["status"]
    enters, threshold = _entries(current, scores, settings, as_of, quota)
    leaving = scores.assign(threshold=np.minimum(threshold, scores["threshold"].to_numpy()))
    below_since = _below_threshold_since(current, leaving, settings, as_of)
    new_status, reason = _next_status(current, enters, below_since, settings, as_of)
    scores = scores.assign(threshold=threshold)
    changed_status = new_status != old_status
    paused = as_of - current["alerted_at"] < pd.Timedelta(days=settings.alert_pause_days)
    alert = changed_status & (new_status == QUALIFIED) & ~paused
    has_new_verdict = _has_new_verdict(current)
    after = pd.DataFrame(
        {
            "group_id": scores["group_id"].to_numpy(),
            "as_of": as_of,
            "status": new_status,
            "since": current["since"].mask(changed_status, as_of),
            "below_since": below_since.where(new_status == QUALIFIED),
            "alerted_at": current["alerted_at"].mask(alert, as_of),
            "verdict_at": current["verdict_at"].mask(has_new_verdict, current["decided_at"]),
        }
    )
    changed = changed_status | has_new_verdict
    for column in _TIME_COLUMNS:
        unchanged = (after[column] == current[column]) | (
            after[column].isna() & current[column].isna()
        )
        changed |= ~unchanged
    return StateUpdate(
        new_status,
        after[changed],
        _transitions(scores, old_status, new_status, reason, alert, as_of)[changed_status],
        pd.Series(threshold),
    )


def _entries(
    current: pd.DataFrame,
    scores: pd.DataFrame,
    settings: StateSettings,
    as_of: datetime,
    quota: EntryQuota | None,
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Who enters if nothing else happens to it, and the threshold of each row, shape (rows,)."""
    if quota is None:
        return _meets_thresholds(scores, 1.0), scores["threshold"].to_numpy(np.float64)
    complete = scores["completeness"].to_numpy(np.float64) >= scores[
        "completeness_threshold"
    ].to_numpy(np.float64)
    nobody_leaves = pd.Series(pd.NaT, index=current.index, dtype="datetime64[us]")
    status, _reason = _next_status(current, complete, nobody_leaves, settings, as_of)
    candidate = ((status == QUALIFIED) & (current["status"] != QUALIFIED)).to_numpy(np.bool_)
    enters, threshold = quota.admit(scores, candidate)
    return enters, np.minimum(threshold, 1.0)


def _current_states(
    earlier: pd.DataFrame, scores: pd.DataFrame, verdicts: pd.DataFrame
) -> pd.DataFrame:
    """State and verdict of each scored group, in the order of the scores."""
    current = (
        scores[["group_id"]]
        .reset_index(drop=True)
        .merge(earlier.drop(columns="as_of"), "left", "group_id", validate="one_to_one")
        .merge(verdicts, "left", "group_id", validate="one_to_one")
    )
    current["status"] = current["status"].astype(object).where(current["status"].notna(), NURTURE)
    for column in (*_TIME_COLUMNS, "decided_at", "reopened_at"):
        current[column] = current[column].astype("datetime64[us]")
    return current


def _below_threshold_since(
    current: pd.DataFrame, scores: pd.DataFrame, settings: StateSettings, as_of: datetime
) -> pd.Series[Any]:
    """Since when each qualified group is under the lower threshold without a break."""
    below = (current["status"] == QUALIFIED) & ~_meets_thresholds(scores, settings.leave_below)
    return current["below_since"].fillna(pd.Timestamp(as_of)).where(below)


def _meets_thresholds(scores: pd.DataFrame, share: float) -> NDArray[np.bool_]:
    """Whether each group reaches this share of both its thresholds."""
    threshold = scores["threshold"].to_numpy(np.float64)
    # The table writes a threshold that nobody reaches as 1; a share of 1 could be reached.
    reachable = np.where(threshold >= 1, UNREACHABLE / share, threshold)
    return meets_thresholds(
        scores["readiness"].to_numpy(np.float64),
        scores["completeness"].to_numpy(np.float64),
        share * reachable,
        share * scores["completeness_threshold"].to_numpy(np.float64),
    )


def _has_new_verdict(current: pd.DataFrame) -> pd.Series[bool]:
    decided, counted = current["decided_at"], current["verdict_at"]
    return decided.notna() & (counted.isna() | (decided > counted))


def _next_status(
    current: pd.DataFrame,
    enters: NDArray[np.bool_],
    below_since: pd.Series[Any],
    settings: StateSettings,
    as_of: datetime,
) -> tuple[pd.Series[Any], pd.Series[Any]]:
    """The next status of each group, and the reason where it differs. The first rule decides."""
    old_status, has_new_verdict = current["status"], _has_new_verdict(current)
    sent_back = {text.strip().casefold() for text in settings.sent_back_reasons}
    verdict_reason = current["reason"].map(
        lambda text: isinstance(text, str) and text.strip().casefold()
    )
    rejection = has_new_verdict & (current["verdict"] == REJECTED)
    rejected_at = current["decided_at"].where(rejection, current["verdict_at"])
    rejection_expired = as_of - rejected_at >= pd.Timedelta(days=settings.recycle_days)
    dwell_passed = as_of - below_since >= pd.Timedelta(days=settings.dwell_days)
    in_progress = old_status.isin([QUALIFIED, ACCEPTED, REJECTED])
    rules = (
        (has_new_verdict & (current["verdict"] == ACCEPTED), ACCEPTED, "accepted"),
        (rejection & verdict_reason.isin(sent_back), RECYCLED, "sent_back"),
        (rejection & ~rejection_expired, REJECTED, "rejected"),
        ((rejection | (old_status == REJECTED)) & rejection_expired, RECYCLED, "rejection_ended"),
        (in_progress & (current["reopened_at"] >= current["since"]), RECYCLED, "reopened"),
        ((old_status == QUALIFIED) & dwell_passed, RECYCLED, "fell"),
        (
            old_status.isin([NURTURE, RECYCLED]) & enters,
            QUALIFIED,
            "reached",
        ),
    )
    holds = [rule.to_numpy(bool) for rule, _to, _why in rules]
    status = np.select(holds, [to for _rule, to, _why in rules], old_status.to_numpy(str))
    reason = np.select(holds, [why for _rule, _to, why in rules], "")
    return pd.Series(status, dtype=object), pd.Series(reason, dtype=object)


def _transitions(
    scores: pd.DataFrame,
    old_status: pd.Series[Any],
    new_status: pd.Series[Any],
    reason: pd.Series[Any],
    alert: pd.Series[bool],
    as_of: datetime,
) -> pd.DataFrame:
    """A row for each group, whether it moved or not."""
    rows = scores.reset_index(drop=True).assign(
        as_of=as_of, from_status=old_status, to_status=new_status, reason=reason, alert=alert
    )
    return rows[list(TRANSITION_COLUMNS)]
