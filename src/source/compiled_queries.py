"""Queries of the checks: compiled from Ibis once for all runs, read as rows of Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..support.disk_cache import read_cache, write_cache

if TYPE_CHECKING:
    import ibis.expr.types as ir


def fetch_rows(backend: Any, key: str, build: Callable[[], ir.Table]) -> list[dict[str, Any]]:
    """Rows of a query.

    Its SQL is kept between runs: to build and compile some fifty expressions takes longer than
    to ask them.

    Args:
        backend: Ibis DuckDB backend.
        key: says all that shapes the query beside the code; a source's tables have the same names
            and columns in every run.
        build: makes the expression, where no earlier run did.
    """
    kept = read_cache(f"check {key}")
    if kept is None:
        kept = str(backend.compile(build())).encode()
        write_cache(f"check {key}", kept)
    found = backend.con.execute(kept.decode())
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def fetch_count(backend: Any, key: str, build: Callable[[], ir.Table]) -> int:
    """How many rows a query has; arguments as above."""
    rows = fetch_rows(backend, f"count {key}", lambda: build().agg(rows=lambda t: t.count()))
    return int(rows[0]["rows"])
