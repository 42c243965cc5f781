"""A small model of a simulated world, stores on both databases, and runs of a few literal rows."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy as sa
from mqbg.serve.batch.score_tables import SCORE_SCHEMAS
from mqbg.serve.batch.scoring import ScoreTables
from mqbg.serve.store.connection import Store, open_store
from mqbg.serve.store.schema import ROW_ID, metadata

Rows = Mapping[str, list[dict[str, Any]]]
NO_VERDICTS = pd.DataFrame(columns=["group_id", "decided_at", "verdict", "reason", "reopened_at"])


def _filled(name: str, row: dict[str, Any], as_of: datetime) -> dict[str, Any]:
    """The row, and in columns that it leaves out something of their type."""
    plain = {pa.string(): "x", pa.float64(): 0.25, pa.int64(): 25, pa.timestamp("us"): as_of}
    filled = {field.name: plain.get(field.type, ["x"]) for field in SCORE_SCHEMAS[name]}
    return {**filled, "as_of": as_of, **row}


def _run_of(as_of: datetime, rows: Rows) -> ScoreTables:
    return ScoreTables(
        **{
            name: pa.Table.from_pylist(
                [_filled(name, row, as_of) for row in rows.get(name, ())], schema
            )
            for name, schema in SCORE_SCHEMAS.items()
        }
    )


def _scores(readiness: Mapping[str, float]) -> list[dict[str, Any]]:
    """Rows of scores that qualify from 0.5 on."""
    return [
        {
            "group_id": group_id, "readiness": value, "score": round(100 * value),
            "threshold": 0.5, "completeness": 1.0, "completeness_threshold": 0.6,
            "model_version": "1", "rank": rank, "single_point_of_failure": None,
        }
        for rank, (group_id, value) in enumerate(
            sorted(readiness.items(), key=lambda item: -item[1]), start=1
        )
    ]  # fmt: skip


@pytest.fixture(scope="session")
def run_of() -> Callable[[datetime, Rows], ScoreTables]:
    """`run_of(as_of, rows)`: tables of a run; what a row leaves out is filled."""
    return _run_of


@pytest.fixture(scope="session")
def scores_of() -> Callable[[Mapping[str, float]], list[dict[str, Any]]]:
    """`scores_of({group_id: readiness})`: rows of scores."""
    return _scores


@pytest.fixture(scope="session")
def no_verdicts() -> pd.DataFrame:
    """Sales said nothing."""
    return NO_VERDICTS


@pytest.fixture(scope="session")
def everything() -> Callable[[Store], dict[str, list[tuple[Any, ...]]]]:
    """`everything(store)`: every row of every table, in a fixed order."""

    def rows(store: Store) -> dict[str, list[tuple[Any, ...]]]:
        with store.reading() as connection:
            return {
                table.name: sorted(
                    (tuple(row) for row in connection.execute(sa.select(*columns(table)))), key=repr
                )
                for table in metadata.sorted_tables
            }

    def columns(table: sa.Table) -> list[sa.Column[Any]]:
        return [column for column in table.columns if column.name != ROW_ID]  # a counter's

    return rows


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path) -> str:
    """Of a store that is not made yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.sqlite'}"
    return str(request.getfixturevalue("database").url)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory) -> Path:
    """The file of an empty store, to copy: its revisions take a tenth of a second."""
    path = tmp_path_factory.mktemp("store") / "empty.sqlite"
    with open_store(f"sqlite:///{path}"):
        return path


@pytest.fixture(scope="session")
def free_stores() -> list[str]:
    """URLs of stores in PostgreSQL that tests are done with and that hold nothing."""
    return []


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request, tmp_path) -> Iterator[Store]:
    """An empty store."""
    if request.param == "sqlite":
        path = shutil.copy(request.getfixturevalue("empty_store"), tmp_path / "store.sqlite")
        with open_store(f"sqlite:///{path}") as store:
            yield store
        return
    free = request.getfixturevalue("free_stores")
    url = free.pop() if free else request.getfixturevalue("server").database().url
    with open_store(url) as store:
        yield store
        with store.begin() as connection:
            tables = ", ".join(table.fullname for table in metadata.sorted_tables)
            connection.execute(sa.text(f"TRUNCATE {tables} RESTART IDENTITY"))
    free.append(url)
