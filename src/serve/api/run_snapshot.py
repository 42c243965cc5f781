"""The latest run of the store held in memory, so that a question costs no open file.

Its scores are a small database with the store's own table, asked by the same reader as the store;
the rest lies in Arrow, the rows of each group together.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.pool import StaticPool

from ..store.connection import Store
from ..store.copy_rows import fetch_table
from ..store.queries import BatchRun, Group, Row, assemble_group, decode_row, load_latest_run
from ..store.schema import RUN_TABLES, metadata, transitions

SCORES = RUN_TABLES["scores"]
INSERT_BATCH_SIZE = 5_000

RunSignature = tuple[object, ...]


@dataclass(frozen=True)
class _GroupedRows:
    """Rows of a table; those of the n-th group are `starts[n]` to `starts[n + 1]`."""

    table: pa.Table
    starts: NDArray[np.intp]

    def rows_of_group(self, number: int) -> list[Row]:
        start, end = self.starts[number], self.starts[number + 1]
        rows: list[Row] = self.table.slice(start, end - start).to_pylist()
        return rows


@dataclass(frozen=True)
class RunSnapshot:
    """A copy of one run, and of the transitions up to it.

    Attributes:
        run: which.
        signature: see `compute_signature`.
        engine: of the copy of the scores.
        group_numbers: of the groups.
        rows: of each table of the run.
        transitions: the transitions.
        lock: whose it is to read the scores.
    """

    run: BatchRun
    signature: RunSignature
    engine: sa.Engine
    group_numbers: Mapping[str, int]
    rows: Mapping[str, _GroupedRows]
    transitions: _GroupedRows
    lock: threading.Lock = field(default_factory=threading.Lock, compare=False, repr=False)

    @contextmanager
    def connect(self) -> Iterator[sa.Connection]:
        """A connection to the scores: one reader at a time."""
        with self.lock, self.engine.connect() as connection:
            yield connection

    def group(self, group_id: str) -> Group | None:
        """A group of the run; None where it has none of that id."""
        number = self.group_numbers.get(group_id)
        if number is None:
            return None
        rows_by_table = {
            name: [decode_row(name, row) for row in rows.rows_of_group(number)]
            for name, rows in self.rows.items()
        }
        return assemble_group(rows_by_table, self.transitions.rows_of_group(number))


def compute_signature(connection: sa.Connection, run: BatchRun) -> RunSignature:
    """What changes whenever the latest run does, by a night as by `mqbg forget`.

    Args:
        connection: of the store.
        run: the latest one.
    """
    counts = [
        _count(connection, sa.select(sa.func.count()).where(table.c.as_of == run.as_of))
        for table in RUN_TABLES.values()
    ]
    transition_count = _count(connection, sa.select(sa.func.count()).select_from(transitions))
    return (run.as_of, run.digest, *counts, transition_count)


def _count(connection: sa.Connection, count_query: sa.Select[Any]) -> int:
    # Read whole: DuckDB refuses other work on a connection while a result is not.
    rows: list[tuple[int]] = [tuple(row) for row in connection.execute(count_query).all()]
    return rows[0][0]


def load_run_snapshot(store: Store, previous: RunSnapshot | None) -> RunSnapshot | None:
    """The latest run of a store; `previous` where nothing has changed, None before the first run.

    Raises:
        StoreFailed: the store cannot be read.
    """
    with store.begin() as connection:
        run = load_latest_run(connection)
        if run is None:
            return None
        signature = compute_signature(connection, run)
        if previous is not None and previous.signature == signature:
            return previous
        tables = {
            name: fetch_table(connection, sa.select(table).where(table.c.as_of == run.as_of))
            for name, table in RUN_TABLES.items()
        }
        transition_rows = fetch_table(
            connection,
            sa.select(transitions)
            .where(transitions.c.as_of <= run.as_of)
            .order_by(transitions.c.as_of),
        )
    groups = pc.unique(tables["scores"]["group_id"])
    return RunSnapshot(
        run,
        signature,
        _in_memory_scores(tables["scores"]),
        {group_id: number for number, group_id in enumerate(groups.to_pylist())},
        {name: _group_rows(table, groups) for name, table in tables.items()},
        _group_rows(transition_rows, groups),
    )


def _group_rows(table: pa.Table, groups: pa.Array) -> _GroupedRows:
    numbers = pc.index_in(table["group_id"], value_set=groups)
    numbered = table.append_column("number", numbers).filter(pc.is_valid(numbers))
    # Arrow keeps the order of rows that are equal.
    ordered = numbered.take(pc.array_sort_indices(numbered["number"])).combine_chunks()
    starts = np.searchsorted(ordered["number"].to_numpy(), np.arange(len(groups) + 1))
    return _GroupedRows(ordered.drop_columns("number"), starts)


def _in_memory_scores(table: pa.Table) -> sa.Engine:
    engine = sa.create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    with engine.begin() as connection:
        metadata.create_all(connection, tables=[SCORES])
        for batch in table.to_batches(max_chunksize=INSERT_BATCH_SIZE):
            connection.execute(sa.insert(SCORES), batch.to_pylist())
    return engine
