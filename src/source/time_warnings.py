"""Rows in a time that the rest of the data does not reach, and what they would have done."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import ibis
import ibis.expr.types as ir

from ..contract import EARLIEST, LATEST, TABLES
from ..settings import Settings
from .observation import (
    LONG_BEFORE,
    end_of_observation,
    known_times,
    start_of_activities,
    start_of_groups,
)
from .staging import Source, count_rows

_MAX_SHOWN = 3


def time_warnings(source: Source, settings: Settings) -> Iterator[str]:
    """Sentences on rows after the end of observation, and long before groups begin."""
    groups = source.tables["buying_groups"]
    if not count_rows(source, groups.filter(groups.created_at.between(EARLIEST, LATEST))):
        return  # what is wrong with every group is a problem of its own
    end, start = end_of_observation(source.tables, settings), start_of_groups(source.tables)
    for name, (table, known) in known_times(source.tables).items():
        if name not in source.staged:
            continue
        time = known
        if name == "activities":
            time = ibis.greatest(known, table.occurred_at)
        yield from _after(source, name, table.mutate(known=time), end)
        yield from _before(source, name, table.mutate(known=time), start, settings)


def _after(source: Source, name: str, rows: ir.Table, end: datetime) -> Iterator[str]:
    late = rows.filter(rows.known > end, rows.known <= LATEST)
    if number := count_rows(source, late):
        yield (
            f"{source.staged[name].name}: rows after {end:%Y-%m-%d}, the end of observation: "
            f"{number:,}, such as {_examples(source, name, late)}; taken for its end they would "
            "label groups whose horizon is not over. Correct planned and wrong dates, or set "
            "[observation] until"
        )


def _before(
    source: Source, name: str, rows: ir.Table, start: datetime, settings: Settings
) -> Iterator[str]:
    early = rows.filter(rows.known < start - LONG_BEFORE, rows.known >= EARLIEST)
    if number := count_rows(source, early):
        since = settings.observation.since
        if name == "activities" and since is None:
            since = start_of_activities(source.tables, start)
        counted = f", and no feature counts activities before {since:%Y-%m-%d}" if since else ""
        yield (
            f"{source.staged[name].name}: rows more than three years before groups begin "
            f"({start:%Y-%m-%d}): {number:,}, such as {_examples(source, name, early)}; training "
            f"begins where groups begin{counted}. Correct wrong dates"
        )


def _examples(source: Source, name: str, rows: ir.Table) -> str:
    key = TABLES[name].key
    chosen = rows.order_by("known", *key).limit(_MAX_SHOWN).select(*key, "known")
    found = source.backend.to_pyarrow(chosen).to_pylist()
    return ", ".join(
        f"{'/'.join(str(row[column]) for column in key)} ({row['known']:%Y-%m-%d})" for row in found
    )
