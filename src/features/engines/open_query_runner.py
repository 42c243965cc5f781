"""Which class runs the queries of a backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .arrow import ARROW
from .duckdb import DuckDBQueryRunner
from .python import PYTHON, PythonQueryRunner
from .query_runner import QueryRunner
from .spark import SparkQueryRunner

QUERY_RUNNERS: Mapping[str, type[QueryRunner]] = {
    "duckdb": DuckDBQueryRunner, "pyspark": SparkQueryRunner, PYTHON: PythonQueryRunner,
    ARROW: PythonQueryRunner,
}  # fmt: skip
"""By the backend's name; what differs between engines is in these classes and nowhere else."""


def open_query_runner(backend: Any, cache_key: str, table_prefix: str = "") -> QueryRunner:
    """What runs the queries of a backend.

    Args:
        backend: of Ibis, or a `PythonEngine`.
        cache_key: of everything that shapes the queries.
        table_prefix: of the names of kept tables.

    Raises:
        ValueError: no class runs that backend's queries.
    """
    runner = QUERY_RUNNERS.get(backend.name)
    if runner is None:
        raise ValueError(f"expected a backend {' or '.join(QUERY_RUNNERS)}, got {backend.name!r}")
    return runner(backend, cache_key, table_prefix)
