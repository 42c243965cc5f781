"""Numbers in text whose dots may be decimals or thousands: 12.000 is twelve, or more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..contract import Table
from .problems import MAX_EXAMPLES, Problem, Rule
from .staging import ROW_NUMBER, StagedTable

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
        text = staged.table["given_" + column.name]
        dotted = staged.table.filter(text.contains("."))
        given = dotted["given_" + column.name]
        # Binary numbers are written with as many digits as they need, and end the search at once.
        proof = dotted.filter(~given.re_search(_GROUPED)).limit(1)
        if backend.to_pyarrow(proof.select(ROW_NUMBER)).num_rows:
            continue
        if count := int(backend.to_pyarrow(dotted.count()).as_py()):
            first = dotted.order_by(ROW_NUMBER).limit(MAX_EXAMPLES)
            shown = first.select(*table.key, given=first["given_" + column.name])
            rows = backend.to_pyarrow(shown).to_pylist()
            examples = tuple(
                "/".join(str(row[key]) for key in table.key) + f": {row['given']}" for row in rows
            )
            yield Problem(
                table.name, column.name, Rule.AMBIGUOUS_NUMBER, count, examples, structural=True
            )
