"""Who newly qualifies, and when: the flow that sales take, for every line at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STOCK_WEEKS = 4.0
"""Weeks over which sales work off the groups of a first and only snapshot."""

COLUMNS = ("group_id", "as_of", "readiness", "completeness")


@dataclass(frozen=True)
class Flow:
    """Entries at every line: a row enters at lines with now >= line > before.

    Attributes:
        place: shape (entries,); the place of each in the rows that were given.
        now: shape (entries,); the highest line at which it qualifies, minus infinity if none.
        before: shape (entries,); the same of its group at the snapshot before, minus infinity if
            it was not there. At most `now`.
        weeks: that the entries are spread over.
    """

    place: NDArray[np.intp]
    now: Floats
    before: Floats
    weeks: float

    def entries(self, lines: Floats) -> NDArray[np.intp]:
        """Groups that newly qualify at each line, shape as `lines`."""
        return _at_or_above(self.now, lines) - _at_or_above(self.before, lines)

    def per_week(self, lines: Floats) -> Floats:
        """Groups a week that newly qualify at each line, shape as `lines`."""
        return self.entries(lines) / self.weeks

    def of(self, which: NDArray[np.bool_]) -> Flow:
        """The entries for which `which`, shape (entries,), holds; over the same weeks."""
        return Flow(self.place[which], self.now[which], self.before[which], self.weeks)


def flow_of(rows: pd.DataFrame, reach: Floats) -> Flow:
    """The flow of rows that qualify up to the line `reach`.

    The first snapshot is stock and not counted; with one snapshot only, its stock is spread over
    four weeks.

    Args:
        rows: group_id and as_of (timestamps), one row per group and snapshot.
        reach: shape (rows,); the highest line at which each row qualifies, minus infinity if
            none.
    """
    moments, snapshot = np.unique(rows["as_of"].to_numpy("datetime64[us]"), return_inverse=True)
    group = pd.factorize(rows["group_id"])[0]
    order = np.lexsort((snapshot, group))
    snapshot, group, now = snapshot[order], group[order], reach[order]
    follows = (np.diff(group) == 0) & (np.diff(snapshot) == 1)
    before = np.concatenate(([-np.inf], np.where(follows, now[:-1], -np.inf)))
    before = np.minimum(now, before)
    if moments.size == 1:
        return Flow(order, now, before, STOCK_WEEKS)
    weeks = float((moments[-1] - moments[0]) / np.timedelta64(7, "D"))
    counted = snapshot > 0
    return Flow(order[counted], now[counted], before[counted], weeks)


def require_rows(rows: pd.DataFrame, columns: tuple[str, ...] = COLUMNS) -> None:
    """Makes sure that a line can be learned on rows.

    Raises:
        ValueError: a column is missing, there are no rows, a (group_id, as_of) stands twice, or
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
    if twice := int(rows.duplicated(["group_id", "as_of"]).sum()):
        raise ValueError(
            f"each group must stand once per snapshot, got {twice} rows again: drop the repeats"
        )


def _at_or_above(values: Floats, lines: Floats) -> NDArray[np.intp]:
    return values.size - np.searchsorted(np.sort(values), lines)
