"""Names, texts and paths as SQL, and DuckDB's messages without its advice."""

from __future__ import annotations

import re
from pathlib import Path


def quote_identifier(name: str) -> str:
    """`name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def quote_literal(text: str) -> str:
    """`text` as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def path_literal(path: Path) -> str:
    """`path` as an SQL literal that names one file.

    DuckDB takes a path for a pattern; brackets around its special characters disarm them.
    """
    return quote_literal(re.sub(r"([*?\[])", r"[\1]", str(path.absolute())))


def first_line(error: Exception) -> str:
    """The message of `error` without the advice that DuckDB adds below."""
    return str(error).strip().split("\n", 1)[0]
