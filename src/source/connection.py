"""A session of DuckDB, with Ibis over it only where somebody asks for it."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb


class Connection:
    """A DuckDB database in memory, whose session is in UTC.

    A check whose queries are compiled needs no Ibis, and to import it, with pandas, takes longer
    than the check.

    Attributes:
        con: the connection.
    """

    def __init__(self, spill_folder: str | Path, threads: int | None = None) -> None:
        """Opens it.

        Args:
            spill_folder: for what does not fit into memory.
            threads: of DuckDB; None leaves the choice to it.
        """
        options: dict[str, Any] = {} if threads is None else {"threads": threads}
        self.con = duckdb.connect(config={"temp_directory": str(spill_folder), **options})
        # Also when the machine's own settings say otherwise: naive times mean UTC.
        self.con.execute("SET TimeZone = 'UTC'")
        # A table that is not there is none of this program's variables.
        self.con.execute("SET python_enable_replacements = false")

    def raw_sql(self, sql: str) -> Any:
        """Runs a statement, as an Ibis backend does."""
        return self.con.execute(sql)

    @cached_property
    def ibis(self) -> Any:
        """The Ibis backend of this session."""
        from ibis.backends.duckdb import Backend

        return Backend.from_connection(self.con)


def ibis_backend(session: Any) -> Any:
    """The Ibis backend of a `Connection`; any other engine is its own."""
    return session.ibis if isinstance(session, Connection) else session
