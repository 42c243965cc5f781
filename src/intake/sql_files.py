"""SQL that is long enough for a file of its own."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def sql_text(name: str) -> str:
    """The statements of sql/`name`.sql."""
    return (files(__package__) / "sql" / f"{name}.sql").read_text(encoding="utf-8")
