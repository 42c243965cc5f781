"""Who newly qualifies, and when: the flow that sales take, for every threshold at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

INITIAL_STOCK_WEEKS = 4.0
"""Weeks over which sales work off the groups of a first and only snapshot."""

SCORED_COLUMNS = ("group_id", "as_of", "readiness", "completeness")


@dataclass(frozen=True)
class NewEntries:
    """Entries at every threshold: a row enters at thresholds with now >= threshold > before.

    Attributes:
        row_index: shape (entries,); the place of each in the rows that were given.
        qualifying_threshold: shape (entries,); the highest threshold at which it qualifies, minus
            infinity if none.
        previous_threshold: shape (entries,); the same of its group at the snapshot before, minus
            infinity if it was not there. At most `qualifying_threshold`.
        weeks: that the entries are spread over.
    """

    row_index: NDArray[np.intp]
    qualifying_threshold: Floats
    previous_threshold: Floats
    weeks: float

    def count(self, thresholds: Floats) -> NDArray[np.intp]:
        """Groups that newly qualify at each threshold, shape as `thresholds`."""
        return _count_at_or_above(self.qualifying_threshold, thresholds) - _count_at_or_above(
            self.previous_threshold, thresholds
        )

    def per_week(self, thresholds: Floats) -> Floats:
        """Groups a week that newly qualify at each threshold, shape as `thresholds`."""
        return self.count(thresholds) / self.weeks

    def select(self, mask: NDArray[np.bool_]) -> NewEntries:
        """The entries for which `mask`, shape (entries,), holds; over the same weeks."""
        return NewEntries(
            self.row_index[mask],
            self.qualifying_threshold[mask],
            self.previous_threshold[mask],
            self.weeks,
        )


def find_new_entries(rows: pd.DataFrame, qualifying_threshold: Floats) -> NewEntries:
    """The flow of rows that qualify up to the threshold `qualifying_threshold`.

    The first snapshot is stock and not counted; with one snapshot only, its stock is spread over
    four weeks.

    Args:
        rows: group_id and as_of (timestamps), one row per group and snapshot.
        qualifying_threshold: shape (rows,); the highest threshold at which each row qualifies,
            minus infinity if none.
    """
    cutoffs, snapshot = np.unique(rows["as_of"].to_numpy("datetime64[us]"), return_inverse=True)
    group = pd.factorize(rows["group_id"])[0]
    order = np.lexsort((snapshot, group))
    snapshot, group, current = snapshot[order], group[order], qualifying_threshold[order]
    consecutive = (np.diff(group) == 0) & (np.diff(snapshot) == 1)
    previous = np.concatenate(([-np.inf], np.where(consecutive, current[:-1], -np.inf)))
    previous = np.minimum(current, previous)
    if cutoffs.size == 1:
        return NewEntries(order, current, previous, INITIAL_STOCK_WEEKS)
    weeks = float((cutoffs[-1] - cutoffs[0]) / np.timedelta64(7, "D"))
    counted = snapshot > 0
    return NewEntries(order[counted], current[counted], previous[counted], weeks)


def require_scored_rows(rows: pd.DataFrame, columns: tuple[str, ...] = SCORED_COLUMNS) -> None:
    """Makes sure that a threshold can be learned on rows.

    Raises:
        ValueError: a column is missing, there are no rows, a (group_id, as_of) appears twice, or
            a readiness or completeness is missing or outside [0, 1].
    """
    if missing := [name for name in columns if name not in rows.columns]:
        raise ValueError(f"a threshold needs the columns {list(columns)}; missing: {missing}")
    if rows.empty:
        raise ValueError(
            "a threshold needs at least one scored snapshot, got none: "
            "leave more snapshots for calibration"
        )
    for name in ("readiness", "completeness"):
        if outside := int((~rows[name].between(0, 1)).sum()):
            raise ValueError(
                f"{name} must lie in 0..1 in every row, got {outside} rows where it does not"
            )
    if duplicates := int(rows.duplicated(["group_id", "as_of"]).sum()):
        raise ValueError(
            f"each group must appear once per snapshot, got {duplicates} rows again: "
            "drop the repeats"
        )


def _count_at_or_above(values: Floats, thresholds: Floats) -> NDArray[np.intp]:
    return values.size - np.searchsorted(np.sort(values), thresholds)
