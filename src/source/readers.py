"""Where each table of a source comes from: a folder, a workbook, a DuckDB file, or PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..contract import BadInput
from ..settings import SourceSettings
from . import postgres
from .duckdb_readers import duckdb_readers
from .folder_readers import folder_readers, workbook_readers
from .postgres_readers import postgres_readers
from .table_reader import ACCEPTED_SOURCES, TableReaders
from .workbooks import is_workbook


@contextmanager
def find_readers(
    backend: Any, data: str | Path, scratch: Path, settings: SourceSettings
) -> Iterator[TableReaders]:
    """Look for the contract's tables at `data`; what has no stable rows is read while this lasts.

    The one place that tells kinds of sources apart.

    Args:
        backend: Ibis DuckDB backend that will read them.
        data: path of a folder, of a workbook or of a DuckDB file, or the URL of a PostgreSQL
            database.
        scratch: folder for plain copies of what DuckDB cannot read itself.
        settings: encoding and separator of CSV files.

    Raises:
        BadInput: nothing usable is at `data`.
    """
    if postgres.is_url(data):
        with postgres.open_database(str(data)) as database:
            yield postgres_readers(backend, database)
    else:
        yield _file_readers(backend, data, scratch, settings)


def _file_readers(
    backend: Any, data: str | Path, scratch: Path, settings: SourceSettings
) -> TableReaders:
    path, shown = Path(data), postgres.display_name(data)
    try:
        if path.is_dir():
            return folder_readers(backend, path, scratch, settings)
        if path.is_file():
            read = workbook_readers if is_workbook(path) else duckdb_readers
            return read(backend, path)
    except OSError as error:
        raise BadInput(f"cannot read {shown}: {error.strerror}; check its permissions") from error
    raise BadInput(f"expected {ACCEPTED_SOURCES}; {shown} does not exist: check the path")
