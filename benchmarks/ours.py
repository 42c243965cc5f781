"""The pipeline itself as a contestant: from opened files to the feature table."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path

import ibis.backends.duckdb  # noqa: F401 - else it is imported, and timed, at the first connection
import pyarrow as pa
from mqbg.features import build_catalogue, feature_table, find_vocabulary, prepare_source
from mqbg.settings import Settings
from mqbg.source import open_source


def features(
    data: Path, as_ofs: Sequence[datetime], threads: int, names: Collection[str] | None = None
) -> pa.Table:
    """group_id, as_of and features of every eligible group at each cut-off.

    Args:
        data: folder of the contract's Parquet files.
        as_ofs: the cut-offs.
        threads: of DuckDB.
        names: the features wanted; None for the whole catalogue.
    """
    with open_source(data, threads=threads) as source:
        prepared = prepare_source(source, Settings())
        declared = build_catalogue(find_vocabulary(prepared, as_ofs[0]), only=names)
        return feature_table(prepared, declared, as_ofs)
