"""Rows that occur twice: copies, late corrections, and different rows under one id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from ..contract import TABLES
from .compiled_queries import fetch_count, fetch_rows
from .staging import Source

if TYPE_CHECKING:
    import ibis.expr.types as ir

# Two rows of one id that agree in these are one activity, recorded again.
_IDENTITY = ("contact_id", "group_id", "kind", "occurred_at")


def repeat_warnings(source: Source, rows: Mapping[str, int]) -> Iterator[str]:
    """Sentences on what occurs twice and counts once; `rows` as each table was read."""
    for name, staged in source.staged.items():
        if not TABLES[name].copies:
            continue
        copies = rows[name] - fetch_count(
            source.session, f"distinct {name}", partial(source.tables.__getitem__, name)
        )
        if copies > 0:
            yield f"{staged.name}: exact copies of other rows, which count once: {copies:,}"
    yield from _repeated_activities(source)


def _repeated_activities(source: Source) -> Iterator[str]:
    found = fetch_rows(
        source.session, "repeated activities", lambda: _repeats(source.tables["activities"])
    )[0]
    if found["repeats"]:
        yield f"activities that repeat an activity_id and count once: {found['repeats']:,}"
    if found["lost"]:
        yield (
            f"different activities under an activity_id that another has, of which one counts and "
            f"the others are lost: {found['lost']:,}, such as {found['first']}; where ids are "
            "unique for each source only, put the source before them, such as calls_17"
        )


def _repeats(activities: ir.Table) -> ir.Table:
    """repeats, lost, first: rows that repeat an activity, others under its id, one such id."""
    import ibis

    repeated = activities.group_by("activity_id").having(lambda t: t.count() > 1).agg()
    rows = activities.semi_join(repeated, "activity_id")
    identity = ibis.struct({name: rows[name] for name in _IDENTITY}).hash()
    by_id = rows.select("activity_id", identity=identity).group_by("activity_id")
    ids = by_id.agg(rows=lambda t: t.count(), different=lambda t: t.identity.nunique())
    return ids.agg(
        repeats=(ids.rows - ids.different).sum().fill_null(0),
        lost=(ids.different - 1).sum().fill_null(0),
        first=ids.activity_id.min(where=ids.different > 1),
    )
