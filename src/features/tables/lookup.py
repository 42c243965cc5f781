"""Features of a few groups without a plan for hundreds of columns: rows by SQL, the rest in numpy.

The rows that count for a member come from the same readers as in the big scan; signals, terms and
features are evaluated from the same declarations (`engines/numpy`). A test holds the result equal
to the batch to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..declare.catalogue import Catalogue
from ..declare.signals import InputRows
from ..engines.columns import columns_of_arrow
from ..engines.numpy import COLUMNS_READ, aggregate_signals, term_evaluator
from ..engines.query_runner import QueryRunner
from .member_signals import row_reader
from .term_rows import TermRows, features_of_terms


@dataclass(frozen=True)
class GroupLookup:
    """What was looked up of a few groups.

    Attributes:
        catalogue: the declarations.
        facts: rows of `group_facts`, by group_id.
        people: rows of `people_at`, the base of each group first, then its members by contact_id.
        terms: shape (people,) each, by name.
    """

    catalogue: Catalogue
    facts: pa.Table
    people: pa.Table
    terms: Mapping[str, Any]

    @property
    def term_rows(self) -> TermRows:
        """The terms of the people."""
        values = [self.terms[term.name] for term in self.catalogue.terms]
        return TermRows.of(self.people, np.column_stack(values))

    def features(self) -> pa.Table:
        """group_id and the catalogue's columns, by group_id."""
        return features_of_terms(
            self.catalogue, self.facts, self.people["group_id"].to_pylist(), self.terms
        )


def look_up_groups(
    catalogue: Catalogue,
    input_tables: Callable[[], Mapping[InputRows, ir.Table]],
    people: ir.Table,
    facts: Callable[[], ir.Table],
    as_of: datetime,
    as_of_expression: ir.TimestampScalar,
    query_runner: QueryRunner,
) -> GroupLookup:
    """The groups that the facts describe.

    Args:
        catalogue: the declarations.
        input_tables: gives what the signals read, of these people alone.
        people: rows of `people_at`.
        facts: the query of `group_facts`.
        as_of: the cut-off.
        as_of_expression: the cut-off as expressions read it.
        query_runner: of the source and the catalogue.
    """
    fact_rows = query_runner.fetch_small("lookup_facts", lambda: facts().order_by("group_id"))
    people_rows = query_runner.fetch_small("lookup_people", lambda: people.order_by("member_no"))
    rows = columns_of_arrow(people_rows)
    numbers = rows["member_no"].astype(np.int64)
    for input_rows in InputRows:
        if any(signal.input_rows is input_rows for signal in catalogue.signals):
            member: NDArray[np.intp]
            if input_rows is InputRows.MEMBERSHIP:
                values, member = rows, np.arange(len(numbers), dtype=np.intp)
            else:
                values = query_runner.fetch_columns(
                    f"lookup_{input_rows}", _input_query(input_rows, input_tables, as_of_expression)
                )
                member = np.asarray(np.searchsorted(numbers, values["member_no"]), dtype=np.intp)
            inputs = {**values, "as_of": np.datetime64(as_of, "us")}
            rows |= aggregate_signals(catalogue, input_rows, inputs, member, len(numbers))
    return GroupLookup(catalogue, fact_rows, people_rows, term_evaluator(catalogue)(rows))


def _input_query(
    input_rows: InputRows,
    input_tables: Callable[[], Mapping[InputRows, ir.Table]],
    as_of: ir.TimestampScalar,
) -> Callable[[], ir.Table]:
    columns = dict.fromkeys(["member_no", *COLUMNS_READ[input_rows]])
    return lambda: row_reader(input_rows)(input_tables(), as_of).select(*columns)
