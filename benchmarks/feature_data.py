"""The data of the feature benchmark: copies of one simulated world, laid side by side."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from mqbg.settings import Settings
from mqbg.simulate import simulate
from numpy.typing import NDArray

SEED = 7
WORLD_GROUPS = 4_000
CUTOFFS = tuple(datetime(2025, month, 1) for month in range(7, 13))
_COPIED_IDS = {
    "accounts": ("account_id",),
    "contacts": ("contact_id", "account_id"),
    "buying_groups": ("group_id", "account_id"),
    "members": ("group_id", "contact_id"),
    "stage_events": ("group_id",),
    "verdicts": ("group_id",),
    "answers": ("group_id", "contact_id"),
    "activities": ("activity_id", "contact_id", "group_id"),
}
_SHARED = ("solutions", "contents", "costs")
_GOLDEN = 0.6180339887498949


@dataclass(frozen=True, slots=True)
class Size:
    """How large one case is.

    Attributes:
        name: as on the command line.
        copies: of the simulated world.
        share: of the world's activities that each copy keeps; the same in each size, so that a
            group has as many of them and time grows linearly if the work does.
    """

    name: str
    copies: int
    share: float = 0.3206


SIZES = {size.name: size for size in (Size("1m", 5), Size("10m", 50), Size("50m", 250))}


def prepare(scratch: Path, size: Size, *, world_groups: int = WORLD_GROUPS) -> Path:
    """The folder of contract tables of one size; written if it is not there yet.

    Ids get the number of their copy. Which activities are kept is drawn once per activity_id and
    turned by a golden ratio from copy to copy. Times move by about a second a copy, for no log
    holds the same microsecond fifty times. Rows stand in the order of time, as in a log.

    Args:
        scratch: where worlds are kept between runs.
        size: how large.
        world_groups: groups of the world that is copied; fewer for a test.
    """
    folder = scratch / f"features-{size.name}-{world_groups}"
    if folder.exists():
        return folder
    world = scratch / f"world-{world_groups}"
    if not world.exists():
        simulate(world, groups=world_groups, seed=SEED)
    aside = scratch / f"{folder.name}-unfinished"
    aside.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(config={"temp_directory": str(scratch / "spill")}) as database:
        for table in _COPIED_IDS:
            rows = pq.read_table(world / f"{table}.parquet")
            _lay_copies(database, table, rows, size, aside)
    for table in _SHARED:
        pq.write_table(pq.read_table(world / f"{table}.parquet"), aside / f"{table}.parquet")
    return aside.rename(folder)


def _lay_copies(
    database: duckdb.DuckDBPyConnection, table: str, rows: pa.Table, size: Size, folder: Path
) -> None:
    if table == "activities":
        rows = rows.append_column("draw", pa.array(_draw(rows["activity_id"])))
    names = [name for name in rows.column_names if name != "draw"]
    kept = "true" if table != "activities" else f"(draw + copy * {_GOLDEN}) % 1.0 < {size.share}"
    values = ", ".join(_copied(table, name) for name in names)
    database.register("original", rows)
    database.execute(
        f"""
        COPY (
            SELECT {values}
            FROM (SELECT *, unnest(range({size.copies}))::INTEGER AS copy FROM original)
            WHERE {kept}
        ) TO '{folder / table}.parquet' (FORMAT parquet, COMPRESSION zstd)
        """  # noqa: S608 - names are the contract's
    )


def _copied(table: str, name: str) -> str:
    if name in _COPIED_IDS[table]:
        return f"{name} || '-' || copy AS {name}"
    if table == "activities" and name in ("occurred_at", "recorded_at"):
        return f"{name} + copy * INTERVAL 997 MILLISECOND AS {name}"
    return name


def _draw(activity_ids: pa.ChunkedArray) -> NDArray[np.float64]:
    """One number in [0, 1) for each row, the same for rows of the same id."""
    codes = activity_ids.combine_chunks().dictionary_encode().indices.to_numpy()
    drawn = np.random.default_rng(SEED).random(int(codes.max()) + 1)
    return np.asarray(drawn[codes], dtype=np.float64)


def write_part(data: Path, out: Path, groups: int) -> int:
    """A small part for featuretools: activities of a few groups, attached to them beforehand.

    Args:
        data: folder of the contract tables.
        out: Parquet file of group_id, known_at, direction and high_intent; one row for each
            activity and group that it counts for. Membership is left out.
        groups: so many.

    Returns:
        The number of rows.
    """
    known = ", ".join(
        f"('{name}', '{kind.direction}', {kind.high_intent})"
        for name, kind in Settings().kinds.items()
    )
    query = f"""
        WITH few AS (
            SELECT group_id, solution_id FROM '{data}/buying_groups.parquet'
            ORDER BY group_id LIMIT {groups}
        ), pairs AS (
            SELECT DISTINCT group_id, solution_id, contact_id
            FROM few JOIN '{data}/members.parquet' USING (group_id)
        )
        SELECT pairs.group_id, greatest(occurred_at, recorded_at) AS known_at,
               coalesce(direction, 'inbound') AS direction,
               coalesce(high_intent, false) AS high_intent
        FROM '{data}/activities.parquet' AS done
        JOIN pairs ON done.contact_id = pairs.contact_id
            AND (done.group_id = pairs.group_id OR (done.group_id IS NULL
                 AND (done.solution_id IS NULL OR done.solution_id = pairs.solution_id)))
        LEFT JOIN (VALUES {known}) AS known(kind, direction, high_intent) USING (kind)
        ORDER BY known_at, pairs.group_id
    """  # noqa: S608 - our own path and settings
    with duckdb.connect() as database:
        rows = database.sql(query).to_arrow_table()
    pq.write_table(rows, out)
    return int(rows.num_rows)
