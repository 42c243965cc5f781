"""Compiled queries as bytes, for the user's cache folder: the next run need not compile them."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode

import ibis
import pyarrow as pa

from ...support.disk_cache import read_cache, write_cache


def load_query(key: str) -> tuple[str, pa.Schema] | None:
    """A query that an earlier run compiled, and the columns of its rows."""
    content = read_cache(f"query {key}")
    if content is None:
        return None
    sql, schema = json.loads(content)
    return sql, pa.ipc.read_schema(pa.py_buffer(b64decode(schema)))


def save_query(key: str, sql: str, schema: pa.Schema) -> None:
    """Keeps a query for later runs."""
    columns = b64encode(schema.serialize().to_pybytes()).decode()
    write_cache(f"query {key}", json.dumps([sql, columns]).encode())


def load_columns(key: str) -> ibis.Schema | None:
    """The columns of a table as the engine gave them to an earlier run."""
    content = read_cache(f"columns {key}")
    return None if content is None else ibis.schema(json.loads(content))


def save_columns(key: str, columns: ibis.Schema) -> None:
    """Keeps a table's columns for later runs."""
    types = {name: str(kind) for name, kind in columns.items()}
    if ibis.schema(types) == columns:  # some types are not all said in their text
        write_cache(f"columns {key}", json.dumps(types).encode())
