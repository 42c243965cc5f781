"""Sessions of one DuckDB for the process: to make a DuckDB takes 20 ms, a session takes 0.2."""

from __future__ import annotations

from functools import cache

import duckdb


@cache
def _engine(threads: int | None) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={} if threads is None else {"threads": threads})


def open_session(threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """A session in memory, for few rows; close it.

    Temporary tables, registered rows, variables and the time zone are its own. Other tables are
    of all sessions: make none.

    Args:
        threads: of DuckDB; None leaves the choice to it.
    """
    return _engine(threads).cursor()
