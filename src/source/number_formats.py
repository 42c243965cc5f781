"""Numbers in text whose dots may be decimals or thousands: 12.000 is twelve, or more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from ..contract import Table
from .compiled_queries import fetch_count, fetch_rows
from .connection import ibis_backend
from .problems import MAX_EXAMPLES, Problem, Rule
from .staging import ROW_NUMBER, StagedTable

if TYPE_CHECKING:
    import ibis.expr.types as ir

# Groups of three after one to three digits that begin with none of zero: 0.125, 1234.567 and 12.5
# are decimals beyond doubt.
_GROUPED = r"^[+-]?[1-9]\d{0,2}(\.\d{3})+$"


def ambiguous_numbers(backend: Any, table: Table, staged: StagedTable) -> Iterator[Problem]:
    """A problem for each column in which every dot might stand for thousands.

    A column that has one number whose dot can only be a decimal point is read by it.
    """
    for column in table.columns:
        if column.dtype not in ("int64", "float64") or column.name not in staged.converted_columns:
            continue
        if column.between is not None:  # a share: 1.000 is one
            continue
        key = f"{table.name} {column.name} {staged.shape}"
        dotted = partial(_dotted, staged, column.name)
        # Binary numbers are written with as many digits as they need, and end the search at once.
        if fetch_rows(backend, f"decimal {key}", partial(_decimal, staged, column.name)):
            continue
        if count := fetch_count(backend, f"dotted {key}", dotted):
            first = dotted().order_by(ROW_NUMBER).limit(MAX_EXAMPLES)
            shown = first.select(*table.key, given=first["given_" + column.name])
            rows = ibis_backend(backend).to_pyarrow(shown).to_pylist()
            examples = tuple(
                "/".join(str(row[key]) for key in table.key) + f": {row['given']}" for row in rows
            )
            yield Problem(
                table.name, column.name, Rule.AMBIGUOUS_NUMBER, count, examples, structural=True
            )


def without_dotted(problems: Iterable[Problem], ambiguous: Iterable[Problem]) -> list[Problem]:
    """Problems, without numbers that do not convert because of dots that `ambiguous` names."""
    dotted = {problem.column: problem.count for problem in ambiguous}
    return [
        problem
        for problem in problems
        if problem.rule is not Rule.NOT_CONVERTIBLE or problem.count > dotted.get(problem.column, 0)
    ]


def _dotted(staged: StagedTable, column: str) -> ir.Table:
    """The rows whose text has a dot."""
    return staged.table.filter(staged.table["given_" + column].contains("."))


def _decimal(staged: StagedTable, column: str) -> ir.Table:
    """A row whose dot can only be a decimal point, if there is one."""
    dotted = _dotted(staged, column)
    proof = dotted.filter(~dotted["given_" + column].re_search(_GROUPED))
    return proof.limit(1).select(ROW_NUMBER)
