"""Rows that occur twice: copies, late corrections, and different rows under one id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from ..contract import TABLES
from .compiled_queries import fetch_count
from .staging import Source

# All ids at once would take more memory than all else that is checked.
_ROWS_OF_A_PORTION = 4_000_000

_NO_IDS = "CREATE OR REPLACE TEMP TABLE repeated_ids (activity_id VARCHAR)"
_ADD_IDS = """
INSERT INTO repeated_ids
SELECT activity_id FROM activities
WHERE hash(activity_id) % $1::UBIGINT = $2::UBIGINT GROUP BY activity_id HAVING count(*) > 1
"""
# Rows that repeat an activity, other rows under its id, one such id. Two rows of one id that agree
# in the identity are one activity, recorded again.
_REPEATS = """
WITH ids AS (
    SELECT activity_id, count(*) AS rows, count(DISTINCT hash(identity)) AS different
    FROM (
        SELECT activity_id, {c: contact_id, g: group_id, k: kind, o: occurred_at} AS identity
        FROM activities WHERE activity_id IN (SELECT activity_id FROM repeated_ids)
    ) GROUP BY activity_id
)
SELECT
    coalesce(sum(rows - different), 0), coalesce(sum(different - 1), 0),
    min(activity_id) FILTER (different > 1)
FROM ids
"""


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
    yield from _repeated_activities(source, rows.get("activities", 0))


def _repeated_activities(source: Source, rows: int) -> Iterator[str]:
    con = source.session.con
    portions = 1 + rows // _ROWS_OF_A_PORTION
    con.execute(_NO_IDS)
    for portion in range(portions):
        con.execute(_ADD_IDS, [portions, portion])
    repeats, lost, first = con.execute(_REPEATS).fetchone()
    if repeats:
        yield f"activities that repeat an activity_id and count once: {repeats:,}"
    if lost:
        yield (
            f"different activities under an activity_id that another has, of which one counts and "
            f"the others are lost: {lost:,}, such as {first}; where ids are "
            "unique for each source only, put the source before them, such as calls_17"
        )
