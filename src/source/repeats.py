"""Rows that stand twice: copies, late corrections, and different rows under one id."""

from __future__ import annotations

from collections.abc import Iterator

import ibis

from ..contract import TABLES
from .staging import Source, count_rows

# Two rows of one id that agree in these are one activity, recorded again.
_IDENTITY = ("contact_id", "group_id", "kind", "occurred_at")


def repeat_warnings(source: Source) -> Iterator[str]:
    """Sentences on what stands twice and counts once."""
    for name, staged in source.staged.items():
        if not TABLES[name].copies:
            continue
        copies = count_rows(source, staged.table) - count_rows(source, source.tables[name])
        if copies > 0:
            yield f"{staged.name}: exact copies of other rows, which count once: {copies:,}"
    yield from _repeated_activities(source)


def _repeated_activities(source: Source) -> Iterator[str]:
    activities = source.tables["activities"]
    repeated = activities.group_by("activity_id").having(lambda t: t.count() > 1).agg()
    rows = activities.semi_join(repeated, "activity_id")
    identity = ibis.struct({name: rows[name] for name in _IDENTITY}).hash()
    by_id = rows.select("activity_id", identity=identity).group_by("activity_id")
    ids = by_id.agg(rows=lambda t: t.count(), different=lambda t: t.identity.nunique())
    found = source.backend.to_pyarrow(
        ids.agg(
            repeats=(ids.rows - ids.different).sum().fill_null(0),
            lost=(ids.different - 1).sum().fill_null(0),
            first=ids.activity_id.min(where=ids.different > 1),
        )
    ).to_pylist()[0]
    if found["repeats"]:
        yield f"activities that repeat an activity_id and count once: {found['repeats']:,}"
    if found["lost"]:
        yield (
            f"different activities under an activity_id that another has, of which one counts and "
            f"the others are lost: {found['lost']:,}, such as {found['first']}; where ids are "
            "unique for each source only, put the source before them, such as calls_17"
        )
