"""The cut-off as a variable of the engine's: a query that reads it is one text at every cut-off."""

from __future__ import annotations

from datetime import datetime
from functools import cache

import ibis

from ..declare.expressions import AsOf

AS_OF_VARIABLE = "mqbg_as_of"
AS_OF_FUNCTION = "getvariable"  # what reads it, in DuckDB's words


@ibis.udf.scalar.builtin(name=AS_OF_FUNCTION, signature=(("string",), "timestamp(6)"))  # type: ignore[untyped-decorator]
def _variable(variable: str) -> datetime:  # type: ignore[empty-body]
    """The session's variable of that name; it is a constant wherever a query reads it."""


@cache
def as_of_variable() -> AsOf:
    """The variable as expressions read it; to make it takes longer than some queries."""
    expression: AsOf = _variable(AS_OF_VARIABLE)
    return expression
