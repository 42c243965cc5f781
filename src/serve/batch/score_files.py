"""The folder that `mqbg score` writes, and reading it back."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ...contract import BadInput
from .score_tables import FILES
from .scoring import Scored


def is_ours(name: str) -> bool:
    """Whether a file's name is one that `write_scored` writes."""
    return name.removesuffix(".parquet") in FILES


def write_scored(scored: Scored, folder: Path) -> None:
    """Writes the tables as `<table>.parquet` into an existing folder."""
    for name in FILES:
        pq.write_table(getattr(scored, name), folder / f"{name}.parquet", compression="zstd")


def read_scored(folder: Path) -> Scored:
    """The tables of a folder.

    Raises:
        BadInput: a table is absent, unreadable, or lacks a column.
    """
    return Scored(**{name: _read(folder, name) for name in FILES})


def _read(folder: Path, name: str) -> pa.Table:
    path = folder / f"{name}.parquet"
    try:
        table = pq.read_table(path, partitioning=None)
    except (OSError, pa.ArrowInvalid) as error:
        raise BadInput(
            f"{folder}: expected the tables that `mqbg score` writes, could not read {path.name}: "
            f"{str(error).splitlines()[0]}"
        ) from None
    if missing := [column for column in FILES[name].names if column not in table.column_names]:
        raise BadInput(f"{path}: expected the columns of `mqbg score`, missing: {missing}")
    return table.select(FILES[name].names).cast(FILES[name])
