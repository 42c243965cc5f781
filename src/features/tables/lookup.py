"""Features of a few groups without a plan for hundreds of columns: rows by SQL, the rest in numpy.

The rows that count for a member come from the same readers as in the big scan; signals, terms and
features are evaluated from the same declarations (`engines/numpy`). A test holds the result equal
to the batch to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..declare.catalogue import Catalogue
from ..declare.signals import Aggregation, InputRows
from ..declare.terms import Term
from ..engines.columns import arrow_numbers, columns_of_arrow
from ..engines.numpy import COLUMNS_READ, aggregate_signals, feature_evaluator, term_evaluator
from ..engines.query_runner import QueryRunner
from .member_signals import row_reader


@dataclass(frozen=True)
class TermRows:
    """Terms of member rows, by group_id; the base of a group first, then by contact_id.

    Attributes:
        group_ids: shape (rows,).
        contact_ids: shape (rows,); None for the base.
        roles: shape (rows,); None for the base.
        values: shape (rows, terms).
    """

    group_ids: NDArray[np.object_]
    contact_ids: NDArray[np.object_]
    roles: NDArray[np.object_]
    values: NDArray[np.float64]


def term_rows(people: pa.Table, values: NDArray[np.float64]) -> TermRows:
    """Terms with the people that they are of: group_id, contact_id and role of `people`."""
    columns = (people[name].to_numpy() for name in ("group_id", "contact_id", "role"))
    group_ids, contact_ids, roles = columns
    return TermRows(group_ids, contact_ids, roles, values)


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

    def term_rows(self) -> TermRows:
        """The terms of the people."""
        values = [self.terms[term.name] for term in self.catalogue.terms]
        return term_rows(self.people, np.column_stack(values))

    def features(self) -> pa.Table:
        """group_id and the catalogue's columns, by group_id."""
        ids = self.facts["group_id"].to_pylist()
        row_of_group = {group_id: number for number, group_id in enumerate(ids)}
        owners = self.people["group_id"].to_pylist()
        group = np.array([row_of_group[group_id] for group_id in owners], dtype=np.intp)
        aggregates = _aggregate_by_group(self.catalogue.terms, self.terms, group, len(ids))
        features = feature_evaluator(self.catalogue)({**columns_of_arrow(self.facts), **aggregates})
        names = self.catalogue.feature_names
        numbers = [f.name for f in self.catalogue.features if not f.categorical]
        texts = [f.name for f in self.catalogue.features if f.categorical]
        columns = arrow_numbers({name: features[name] for name in numbers}) | {
            name: pa.array(features[name], pa.string(), from_pandas=True) for name in texts
        }
        return pa.table(
            {"group_id": pa.array(ids, pa.string()), **{name: columns[name] for name in names}}
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


def _aggregate_by_group(
    terms: Sequence[Term], values: Mapping[str, Any], group: NDArray[np.intp], groups: int
) -> dict[str, NDArray[np.float64]]:
    """Each term of the groups, shape (groups,), by name."""
    summed = [term for term in terms if term.aggregation is Aggregation.SUM]
    columns = np.array([values[term.name] for term in summed], np.float64)
    columns = columns.reshape(len(summed), group.size)
    place = group + np.arange(len(summed))[:, None] * groups
    sums = np.bincount(place.ravel(), columns.ravel(), len(summed) * groups).astype(np.float64)
    found = dict(
        zip((term.name for term in summed), sums.reshape(len(summed), groups), strict=True)
    )
    for term in terms:
        if term.name not in found:
            found[term.name] = _extreme_by_group(term, values[term.name], group, groups)
    return found


def _extreme_by_group(
    term: Term, values: NDArray[np.float64], group: NDArray[np.intp], groups: int
) -> NDArray[np.float64]:
    numbers = np.full(groups, np.nan)
    best = np.fmin if term.aggregation is Aggregation.MIN else np.fmax
    best.at(numbers, group, values)
    return numbers if term.default is None else np.where(np.isnan(numbers), term.default, numbers)
