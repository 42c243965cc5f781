"""Where one worker puts the tables of a request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from ...features.engines.python import PythonEngine
from ...source import Source
from .body_values import Instants, ValueConverter
from .checked_tables import CheckedTables
from .group_tables import GROUPS, GroupTables


class RequestTables:
    """The engines of one worker, for one request at a time.

    DuckDB reads the times, in one query for each request, as it does for a batch. All else is
    asked of the engine of plain Python, for planning forty queries takes longer than the rest.
    """

    def __init__(self) -> None:
        """Opens the engines and compiles the checks."""
        self._connection = duckdb.connect(config={"threads": 1})
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("PRAGMA disable_optimizer")  # nothing to make better
        self._converter = ValueConverter()
        self._checked_tables = CheckedTables(PythonEngine())

    def close(self) -> None:
        """Lets go of the engine that reads times."""
        self._connection.close()

    def convert_times(self, texts: list[str]) -> Instants:
        """What texts of times say, each given once."""
        return self._converter.convert_times(self._connection, texts)

    @contextmanager
    def open_source(self, group_tables: GroupTables) -> Iterator[Source]:
        """The tables of a request as a source that keeps the contract, until the end of the block.

        Raises:
            HttpProblem: 422 where a row breaks the contract.
        """
        filled = {name: rows for name, rows in group_tables.tables.items() if rows.size}
        tables = self._converter.convert_tables(self._connection, filled)
        # Those of a group without populations are all in one.
        populations = list(group_tables.populations) or [""] * filled[GROUPS].size
        with self._checked_tables.open_source(tables, populations) as source:
            yield source
