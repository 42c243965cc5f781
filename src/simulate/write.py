"""Parquet and JSON files with the same bytes every time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq


def write_tables(folder: Path, tables: Mapping[str, Any]) -> None:
    """Each table as `<name>.parquet`; options are fixed so that equal tables give equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        pq.write_table(
            table,
            folder / f"{name}.parquet",
            compression="zstd",
            compression_level=3,
            row_group_size=1 << 20,
            version="2.6",
            data_page_version="1.0",
            store_schema=True,
        )


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Plain values as indented JSON."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
