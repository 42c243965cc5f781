"""The folder that `mqbg score` writes, and reading it back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ...contract import BadInput
from .score_tables import SCORE_SCHEMAS
from .scoring import ScoreTables

FACTS_FILE = "facts.json"
"""What is to be said of a run as a whole: of `ScoringJob.facts`."""
ADDED_LATER = frozenset({"reason_facts", "expected_completeness"})
"""Columns that folders of earlier versions lack; they are read as null."""


def is_score_file(name: str) -> bool:
    """Whether a file's name is one that `write_score_tables` or `write_facts` writes."""
    return name == FACTS_FILE or name.removesuffix(".parquet") in SCORE_SCHEMAS


def write_facts(facts: Mapping[str, Any], folder: Path) -> None:
    """Writes what is to be said of a run beside its tables."""
    text = json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / FACTS_FILE).write_text(text + "\n", encoding="utf-8")


def read_facts(folder: Path) -> dict[str, Any]:
    """What is to be said of a run; nothing for a folder of a release without it.

    Raises:
        BadInput: the file is damaged.
    """
    path = folder / FACTS_FILE
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{path}: expected what `mqbg score` writes, could not read it: {error}; score again"
        ) from None
    return facts


def write_score_tables(scored: ScoreTables, folder: Path) -> None:
    """Writes the tables as `<table>.parquet` into an existing folder."""
    for name in SCORE_SCHEMAS:
        pq.write_table(getattr(scored, name), folder / f"{name}.parquet", compression="zstd")


def read_score_tables(folder: Path) -> ScoreTables:
    """The tables of a folder.

    Raises:
        BadInput: a table is absent, unreadable, or lacks a column.
    """
    return ScoreTables(**{name: _read(folder, name) for name in SCORE_SCHEMAS})


def _read(folder: Path, name: str) -> pa.Table:
    path = folder / f"{name}.parquet"
    try:
        table = pq.read_table(path, partitioning=None)
    except (OSError, pa.ArrowInvalid) as error:
        raise BadInput(
            f"{folder}: expected the tables that `mqbg score` writes, could not read {path.name}: "
            f"{str(error).splitlines()[0]}"
        ) from None
    for field in SCORE_SCHEMAS[name]:
        if field.name in ADDED_LATER and field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    if missing := [
        column for column in SCORE_SCHEMAS[name].names if column not in table.column_names
    ]:
        raise BadInput(f"{path}: expected the columns of `mqbg score`, missing: {missing}")
    return table.select(SCORE_SCHEMAS[name].names).cast(SCORE_SCHEMAS[name])
