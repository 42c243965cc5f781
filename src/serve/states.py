"""How groups move between nurture, qualified, accepted, rejected and recycled (design.md)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from ..model.thresholds import NOBODY, reaches
from ..settings import States

NURTURE, QUALIFIED, ACCEPTED = "nurture", "qualified", "accepted"
REJECTED, RECYCLED = "rejected", "recycled"

REASONS = {
    "reached": "readiness and completeness reached their thresholds",
    "fell": "one of them stayed below the lower line for the dwell time",
    "accepted": "sales accepted the group",
    "rejected": "sales rejected it",
    "sent_back": "sales rejected it with a reason that sends it back at once",
    "rejection_ended": "the rejection is older than it may be",
    "reopened": "the group was closed and opened again: another attempt begins",
}
"""Why a group moved, by the word that a transition carries."""

STATES = ("group_id", "as_of", "status", "since", "below_since", "alerted_at", "verdict_at")
"""Columns of a state; those of `Moved.transitions` are `TRANSITIONS`."""

TRANSITIONS = (
    "group_id", "as_of", "from_status", "to_status", "reason", "score", "readiness", "threshold",
    "completeness", "completeness_threshold", "model_version", "alert",
)  # fmt: skip

_TIMES = ("since", "below_since", "alerted_at", "verdict_at")


@dataclass(frozen=True)
class Moved:
    """What a run made of the states.

    Attributes:
        status: of each row of the scores, in their order.
        states: of the groups where something changed; columns `STATES`.
        transitions: of the groups whose status changed; columns `TRANSITIONS`. `alert` tells those
            that deserve one: the group qualified, and its last alert is long enough ago.
    """

    status: pd.Series[str]
    states: pd.DataFrame
    transitions: pd.DataFrame


def moved(
    before: pd.DataFrame,
    scores: pd.DataFrame,
    verdicts: pd.DataFrame,
    settings: States,
    as_of: datetime,
) -> Moved:
    """Moves every scored group by at most one step.

    Depends on nothing but what was before the cut-off, so running past dates in order gives the
    same history, and running a date twice changes nothing. A group that is not scored, being
    converted or closed, keeps its state.

    A new verdict of sales goes before everything else. A group enters at its thresholds and leaves
    below a lower line only after a dwell time (hysteresis). What leaves, or is sent back, is
    `recycled` and may qualify again.

    Args:
        before: the latest state of each group before the cut-off; columns `STATES`. A group
            without one is in nurture.
        scores: of one cut-off; the columns of `tables.SCORES`. `status` is not read.
        verdicts: as `verdicts_known` gives them.
        settings: lower line, dwell, recycling and pause.
        as_of: the cut-off.
    """
    known = _joined(before, scores, verdicts)
    old = known["status"]
    below_since = _below_since(known, scores, settings, as_of)
    new, reason = _next(known, scores, below_since, settings, as_of)
    step = new != old
    paused = as_of - known["alerted_at"] < pd.Timedelta(days=settings.alert_pause_days)
    alert = step & (new == QUALIFIED) & ~paused
    heard = _new_verdict(known)
    after = pd.DataFrame(
        {
            "group_id": scores["group_id"].to_numpy(),
            "as_of": as_of,
            "status": new,
            "since": known["since"].mask(step, as_of),
            "below_since": below_since.where(new == QUALIFIED),
            "alerted_at": known["alerted_at"].mask(alert, as_of),
            "verdict_at": known["verdict_at"].mask(heard, known["decided_at"]),
        }
    )
    changed = step | heard
    for column in _TIMES:
        same = (after[column] == known[column]) | (after[column].isna() & known[column].isna())
        changed |= ~same
    return Moved(new, after[changed], _transitions(scores, old, new, reason, alert, as_of)[step])


def _joined(before: pd.DataFrame, scores: pd.DataFrame, verdicts: pd.DataFrame) -> pd.DataFrame:
    """State and verdict of each scored group, in the order of the scores."""
    known = (
        scores[["group_id"]]
        .reset_index(drop=True)
        .merge(before.drop(columns="as_of"), "left", "group_id", validate="one_to_one")
        .merge(verdicts, "left", "group_id", validate="one_to_one")
    )
    known["status"] = known["status"].astype(object).where(known["status"].notna(), NURTURE)
    for column in (*_TIMES, "decided_at", "reopened_at"):
        known[column] = known[column].astype("datetime64[us]")
    return known


def _below_since(
    known: pd.DataFrame, scores: pd.DataFrame, settings: States, as_of: datetime
) -> pd.Series[Any]:
    """Since when each qualified group is under the lower line without a break."""
    below = (known["status"] == QUALIFIED) & ~_reaches(scores, settings.leave_below)
    return known["below_since"].fillna(pd.Timestamp(as_of)).where(below)


def _reaches(scores: pd.DataFrame, share: float) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether each group reaches this share of both its thresholds."""
    threshold = scores["threshold"].to_numpy(np.float64)
    # The table writes a line that nobody reaches as 1; a share of 1 could be reached.
    line = np.where(threshold >= 1, NOBODY / share, threshold)
    return reaches(
        scores["readiness"].to_numpy(np.float64),
        scores["completeness"].to_numpy(np.float64),
        share * line,
        share * scores["completeness_threshold"].to_numpy(np.float64),
    )


def _new_verdict(known: pd.DataFrame) -> pd.Series[bool]:
    decided, counted = known["decided_at"], known["verdict_at"]
    return decided.notna() & (counted.isna() | (decided > counted))


def _next(
    known: pd.DataFrame,
    scores: pd.DataFrame,
    below_since: pd.Series[Any],
    settings: States,
    as_of: datetime,
) -> tuple[pd.Series[Any], pd.Series[Any]]:
    """The next status of each group, and the reason where it differs. The first rule decides."""
    old, heard = known["status"], _new_verdict(known)
    sent_back = {text.strip().casefold() for text in settings.sent_back_reasons}
    said = known["reason"].map(lambda text: isinstance(text, str) and text.strip().casefold())
    rejection = heard & (known["verdict"] == REJECTED)
    rejected_at = known["decided_at"].where(rejection, known["verdict_at"])
    ended = as_of - rejected_at >= pd.Timedelta(days=settings.recycle_days)
    dwelt = as_of - below_since >= pd.Timedelta(days=settings.dwell_days)
    begun = old.isin([QUALIFIED, ACCEPTED, REJECTED])
    rules = (
        (heard & (known["verdict"] == ACCEPTED), ACCEPTED, "accepted"),
        (rejection & said.isin(sent_back), RECYCLED, "sent_back"),
        (rejection & ~ended, REJECTED, "rejected"),
        ((rejection | (old == REJECTED)) & ended, RECYCLED, "rejection_ended"),
        (begun & (known["reopened_at"] >= known["since"]), RECYCLED, "reopened"),
        ((old == QUALIFIED) & dwelt, RECYCLED, "fell"),
        (old.isin([NURTURE, RECYCLED]) & _reaches(scores, 1.0), QUALIFIED, "reached"),
    )
    holds = [rule.to_numpy(bool) for rule, _to, _why in rules]
    status = np.select(holds, [to for _rule, to, _why in rules], old.to_numpy(str))
    reason = np.select(holds, [why for _rule, _to, why in rules], "")
    return pd.Series(status, dtype=object), pd.Series(reason, dtype=object)


def _transitions(
    scores: pd.DataFrame,
    old: pd.Series[Any],
    new: pd.Series[Any],
    reason: pd.Series[Any],
    alert: pd.Series[bool],
    as_of: datetime,
) -> pd.DataFrame:
    """A row for each group, whether it moved or not."""
    rows = scores.reset_index(drop=True).assign(
        as_of=as_of, from_status=old, to_status=new, reason=reason, alert=alert
    )
    return rows[list(TRANSITIONS)]
