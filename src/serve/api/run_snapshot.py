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
from ..store.copy_rows import fetched
from ..store.queries import Group, Row, Run, group_of, latest_run, row_of_run
from ..store.schema import OF_RUN, metadata, transitions

SCORES = OF_RUN["scores"]
ROWS_AT_A_TIME = 5_000

Signature = tuple[object, ...]


@dataclass(frozen=True)
class _Rows:
    """Rows of a table; those of the n-th group are `starts[n]` to `starts[n + 1]`."""

    table: pa.Table
    starts: NDArray[np.intp]

    def of(self, number: int) -> list[Row]:
        start, end = self.starts[number], self.starts[number + 1]
        rows: list[Row] = self.table.slice(start, end - start).to_pylist()
        return rows


@dataclass(frozen=True)
class Mirror:
    """A copy of one run, and of the transitions up to it.

    Attributes:
        run: which.
        signature: see `signature_of`.
        engine: of the copy of the scores.
        numbers: of the groups.
        rows: of each table of the run.
        moves: the transitions.
        turn: whose it is to read the scores.
    """

    run: Run
    signature: Signature
    engine: sa.Engine
    numbers: Mapping[str, int]
    rows: Mapping[str, _Rows]
    moves: _Rows
    turn: threading.Lock = field(default_factory=threading.Lock, compare=False, repr=False)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection to the scores: one reader at a time."""
        with self.turn, self.engine.connect() as connection:
            yield connection

    def group(self, group_id: str) -> Group | None:
        """A group of the run; None where it has none of that id."""
        number = self.numbers.get(group_id)
        if number is None:
            return None
        parts = {
            name: [row_of_run(name, row) for row in rows.of(number)]
            for name, rows in self.rows.items()
        }
        return group_of(parts, self.moves.of(number))


def signature_of(connection: sa.Connection, run: Run) -> Signature:
    """What changes whenever the latest run does, by a night as by `mqbg forget`.

    Args:
        connection: of the store.
        run: the latest one.
    """
    counts = [
        _count(connection, sa.select(sa.func.count()).where(table.c.as_of == run.as_of))
        for table in OF_RUN.values()
    ]
    moves = _count(connection, sa.select(sa.func.count()).select_from(transitions))
    return (run.as_of, run.digest, *counts, moves)


def _count(connection: sa.Connection, counted: sa.Select[Any]) -> int:
    # Read whole: DuckDB refuses other work on a connection while a result is not.
    rows: list[tuple[int]] = [tuple(row) for row in connection.execute(counted).all()]
    return rows[0][0]


def mirrored(store: Store, known: Mirror | None) -> Mirror | None:
    """The latest run of a store; `known` where nothing has changed, None before the first run.

    Raises:
        StoreFailed: the store cannot be read.
    """
    with store.begin() as connection:
        run = latest_run(connection)
        if run is None:
            return None
        signature = signature_of(connection, run)
        if known is not None and known.signature == signature:
            return known
        tables = {
            name: fetched(connection, sa.select(table).where(table.c.as_of == run.as_of))
            for name, table in OF_RUN.items()
        }
        moves = fetched(
            connection,
            sa.select(transitions)
            .where(transitions.c.as_of <= run.as_of)
            .order_by(transitions.c.as_of),
        )
    groups = pc.unique(tables["scores"]["group_id"])
    return Mirror(
        run,
        signature,
        _with_scores(tables["scores"]),
        {group_id: number for number, group_id in enumerate(groups.to_pylist())},
        {name: _by_group(table, groups) for name, table in tables.items()},
        _by_group(moves, groups),
    )


def _by_group(table: pa.Table, groups: pa.Array) -> _Rows:
    numbers = pc.index_in(table["group_id"], value_set=groups)
    known = table.append_column("number", numbers).filter(pc.is_valid(numbers))
    # Arrow keeps the order of rows that are equal.
    ordered = known.take(pc.array_sort_indices(known["number"])).combine_chunks()
    starts = np.searchsorted(ordered["number"].to_numpy(), np.arange(len(groups) + 1))
    return _Rows(ordered.drop_columns("number"), starts)


def _with_scores(table: pa.Table) -> sa.Engine:
    engine = sa.create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    with engine.begin() as copy:
        metadata.create_all(copy, tables=[SCORES])
        for part in table.to_batches(max_chunksize=ROWS_AT_A_TIME):
            copy.execute(sa.insert(SCORES), part.to_pylist())
    return engine
