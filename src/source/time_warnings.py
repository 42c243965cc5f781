"""Rows in a time that the rest of the data does not reach, and what they would have done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from ..contract import EARLIEST, LATEST, TABLES
from ..settings import Settings
from .compiled_queries import fetch_rows
from .observation import (
    LONG_BEFORE,
    OBSERVED_TABLES,
    Day,
    days_by_name,
    first_ordinary_day,
    known_times,
    last_ordinary_day,
    merge_days,
    rows_by_day,
    start_of_activities,
)
from .staging import Source, count_rows

if TYPE_CHECKING:
    import ibis.expr.types as ir

_MAX_SHOWN = 3
_COUNTED_FROM = "activities, from where they count"
_MOVED = "; taken for its end they would label groups whose horizon is not over"

_BEFORE: Mapping[str, str] = {
    "activities": "every feature that looks far back counts them",
    "stage_events": "a closing stage closes its group for the whole history",
    "members": "these people count as members from the group's first day",
    "buying_groups": "training begins without them, and their age is a feature",
    "verdicts": "they count as the group's from its first day",
    "answers": "they count as the group's from its first day",
    "costs": "they are no costs of this data's time",
}
"""By table, what rows long before groups begin do."""


def time_warnings(source: Source, settings: Settings) -> Iterator[str]:
    """Sentences on rows after the end of observation, and long before groups begin."""
    days = _days_of(source)
    groups = merge_days(days.get("buying_groups", ()))
    if not groups:
        return  # what is wrong with every group is a problem of its own
    known = [days[name] for name in OBSERVED_TABLES if name in days]
    end = settings.observation.until or last_ordinary_day(merge_days(*known)).last
    start = first_ordinary_day(groups).first
    for name in _BEFORE:
        if name not in source.staged:
            continue
        of_table = days.get(_COUNTED_FROM if name == "activities" else name, [])
        if any(day.last > end for day in of_table):
            yield from _after(source, name, end)
        if any(day.first < start - LONG_BEFORE for day in of_table):
            yield from _before(source, name, start, settings)


def _days_of(source: Source) -> dict[str, list[Day]]:
    """The days of all times that are known, and of those from which activities count."""

    def query() -> ir.Table:
        times = known_times(source.tables)
        counted, costs = (_with_known(source, name) for name in ("activities", "costs"))
        return rows_by_day(
            {**times, _COUNTED_FROM: (counted, counted.known), "costs": (costs, costs.known)}
        )

    return days_by_name(fetch_rows(source.session, "days", query))


def _with_known(source: Source, name: str) -> ir.Table:
    """The rows of a table with `known`; an activity is also not known before it occurred."""
    import ibis

    if name == "costs":
        costs = source.tables[name]
        return costs.mutate(known=costs.month)
    table, known = known_times(source.tables)[name]
    time = ibis.greatest(known, table.occurred_at) if name == "activities" else known
    return table.mutate(known=time)


def _after(source: Source, name: str, end: datetime) -> Iterator[str]:
    rows = _with_known(source, name)
    late = rows.filter(rows.known > end, rows.known <= LATEST)
    observed = name in OBSERVED_TABLES
    if number := count_rows(source, late):
        yield (
            f"{source.staged[name].name}: rows after {end:%Y-%m-%d}, the end of observation: "
            f"{number:,}, such as {_examples(source, name, late)}{_MOVED if observed else ''}. "
            "Correct planned and wrong dates, or set [observation] until"
        )


def _before(source: Source, name: str, start: datetime, settings: Settings) -> Iterator[str]:
    rows = _with_known(source, name)
    early = rows.filter(rows.known < start - LONG_BEFORE, rows.known >= EARLIEST)
    if number := count_rows(source, early):
        yield (
            f"{source.staged[name].name}: rows more than three years before groups begin "
            f"({start:%Y-%m-%d}): {number:,}, such as {_examples(source, name, early)}; "
            f"{_effect(source, name, start, settings)}. Correct wrong dates"
        )


def _effect(source: Source, name: str, start: datetime, settings: Settings) -> str:
    """What rows long before groups begin do."""
    if name == "activities":
        since = settings.observation.since or start_of_activities(source.tables, start)
        if since:
            return f"no feature counts activities before {since:%Y-%m-%d}"
    return _BEFORE[name]


def _examples(source: Source, name: str, rows: ir.Table) -> str:
    key = TABLES[name].key
    shown = {column: rows[column].cast("string") for column in key if column != "month"}
    chosen = rows.order_by("known", *key).limit(_MAX_SHOWN).select(**shown, known=rows.known)
    found = source.backend.to_pyarrow(chosen).to_pylist()
    return ", ".join(
        f"{'/'.join(str(row[column]) for column in shown)} ({row['known']:%Y-%m-%d})"
        for row in found
    )
