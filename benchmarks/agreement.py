"""Whether two contestants made the same table."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .rivals import DOZEN, SUMS_OF_AMOUNTS

_ROUNDING = 2.0**-21  # ours rounds each amount to a multiple of 2**-20
_RELATIVE = 1e-6


def disagreements(ours: pa.Table, other: pa.Table) -> list[str]:
    """What differs, one line a column; empty if nothing does.

    Rows must be the same, whole numbers equal to the unit, sums of amounts equal to 1e-6 of the
    value beside what rounding each of the group's activities may add up to.

    Args:
        ours: group_id, as_of, the dozen, as the pipeline makes them.
        other: the same of a rival, rows in any order.
    """
    left, right = _sorted(ours), _sorted(other)
    if left.num_rows != right.num_rows:
        return [f"rows: ours {left.num_rows:,}, theirs {right.num_rows:,}"]
    if any(not left[key].equals(right[key].cast(left[key].type)) for key in ("group_id", "as_of")):
        return ["the rows speak for other groups or cut-offs"]
    rounding = _ROUNDING * np.nan_to_num(_numbers(left, "inbound_ever"))
    lines = []
    for name in DOZEN:
        a, b = _numbers(left, name), _numbers(right, name)
        allowed = rounding + _RELATIVE * np.abs(b) if name in SUMS_OF_AMOUNTS else 0.0
        wrong = (np.isnan(a) != np.isnan(b)) | (np.abs(a - b) > allowed)
        if wrong.any():
            first = int(np.argmax(wrong))
            lines.append(
                f"{name}: {wrong.sum():,} of {a.size:,} rows differ, the first in group "
                f"{left['group_id'][first]} at {left['as_of'][first]}: "
                f"ours {a[first]}, theirs {b[first]}"
            )
    return lines


def _sorted(table: pa.Table) -> pa.Table:
    rows = table.select(["group_id", "as_of", *DOZEN])
    return rows.sort_by([("as_of", "ascending"), ("group_id", "ascending")])


def _numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    """The column as float64, null as NaN."""
    return np.asarray(table[name].cast("float64").to_numpy(zero_copy_only=False), dtype=float)
