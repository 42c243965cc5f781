"""A small model of a simulated world, stores on both databases, and runs of a few literal rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from mqbg.contract import TABLES
from mqbg.serve.batch.score_tables import SCORE_SCHEMAS
from mqbg.serve.batch.scoring import ScoreTables
from mqbg.serve.store.connection import Store, open_store
from mqbg.serve.store.schema import metadata
from mqbg.settings import (
    ExplainSettings,
    ModelSettings,
    ObservationSettings,
    Settings,
    SnapshotSettings,
    TargetSettings,
)
from mqbg.simulate import simulate
from mqbg.train.fit import trees as fit
from mqbg.train.training import train


@pytest.fixture(scope="package")
def small_model(tmp_path_factory, open_tables):
    """(source, bundle) of a world of 200 groups."""
    out = tmp_path_factory.mktemp("small") / "world"
    simulate(out, groups=200, seed=13)
    source = open_tables(
        {name: pq.read_table(out / f"{name}.parquet") for name in TABLES}, SETTINGS
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "ROUNDS", 25)
        trained = train(source, test_from=datetime(2025, 7, 1), progress=lambda *_: None)
    return source, trained.bundle


SETTINGS = Settings(
    target=TargetSettings(horizon_days=150),
    observation=ObservationSettings(datetime(2025, 12, 1)),
    snapshots=SnapshotSettings(start=datetime(2024, 12, 1)),
    model=ModelSettings(threads=1, refits=2, resamples=2, ablation=False),
    explain=ExplainSettings(min_support=5),
)
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
        with store.begin() as connection:
            return {
                table.name: sorted(
                    (tuple(row) for row in connection.execute(sa.select(table))), key=repr
                )
                for table in metadata.sorted_tables
            }

    return rows


@pytest.fixture(params=["duckdb", "postgresql"])
def url(request, tmp_path) -> str:
    """Of a store that is not made yet."""
    if request.param == "duckdb":
        return f"duckdb:///{tmp_path / 'store.duckdb'}"
    return str(request.getfixturevalue("database").url)


@pytest.fixture
def store(url) -> Iterator[Store]:
    """An empty store."""
    with open_store(url) as store:
        yield store
