"""Folders of tables for the tests of reading."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest


@pytest.fixture(scope="session")
def parquet_tables() -> Callable[[Path], dict[str, pa.Table]]:
    """`parquet_tables(folder)`: every table of a folder, by name."""
    import pyarrow.parquet as pq

    def read(folder: Path) -> dict[str, pa.Table]:
        return {path.stem: pq.read_table(path) for path in sorted(folder.glob("*.parquet"))}

    return read
