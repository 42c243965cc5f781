"""Terms of member rows in memory, and the features that are made of them, without an engine.

A plan for hundreds of columns takes an engine longer than numpy takes for the rows of some thousand
groups. The declarations are the same, and a test holds the features equal to the engine's, to the
bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..declare.catalogue import Catalogue
from ..declare.signals import Aggregation
from ..declare.terms import Term
from ..engines.columns import arrow_numbers, columns_of_arrow
from ..engines.numpy import MAX_ROWS_TOGETHER, feature_evaluator


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

    @classmethod
    def of(cls, people: pa.Table, values: NDArray[np.float64]) -> TermRows:
        """Terms with the people that they are of: group_id, contact_id and role of `people`."""
        columns = (people[name].to_numpy() for name in ("group_id", "contact_id", "role"))
        group_ids, contact_ids, roles = columns
        return cls(group_ids, contact_ids, roles, values)


def features_of_terms(
    catalogue: Catalogue, facts: pa.Table, group_ids: Iterable[str], terms: Mapping[str, Any]
) -> pa.Table:
    """Stage 2 for whole groups: their member rows reduced, and the catalogue's features of them.

    Args:
        catalogue: the declarations.
        facts: rows of `group_facts`, by group_id.
        group_ids: shape (rows,); whose each member row is.
        terms: shape (rows,) each, by name.

    Returns:
        group_id and the catalogue's columns, in the order of `facts`.
    """
    ids = facts["group_id"].to_pylist()
    row_of_group = {group_id: number for number, group_id in enumerate(ids)}
    group = np.array([row_of_group[group_id] for group_id in group_ids], dtype=np.intp)
    aggregates = _aggregate_by_group(catalogue.terms, terms, group, len(ids))
    features = feature_evaluator(catalogue)({**columns_of_arrow(facts), **aggregates})
    numbers = [f.name for f in catalogue.features if not f.categorical]
    texts = [f.name for f in catalogue.features if f.categorical]
    columns = arrow_numbers({name: features[name] for name in numbers}) | {
        name: pa.array(features[name], pa.string(), from_pandas=True) for name in texts
    }
    names = catalogue.feature_names
    return pa.table(
        {"group_id": pa.array(ids, pa.string()), **{name: columns[name] for name in names}}
    )


def _aggregate_by_group(
    terms: Sequence[Term], values: Mapping[str, Any], group: NDArray[np.intp], groups: int
) -> dict[str, NDArray[np.float64]]:
    """Each term of the groups, shape (groups,), by name."""
    summed = [term.name for term in terms if term.aggregation is Aggregation.SUM]
    found = _sums_by_group({name: values[name] for name in summed}, group, groups)
    for term in terms:
        if term.name not in found:
            found[term.name] = _extreme_by_group(term, values[term.name], group, groups)
    return found


def _sums_by_group(
    columns: Mapping[str, Any], group: NDArray[np.intp], groups: int
) -> dict[str, NDArray[np.float64]]:
    if group.size > MAX_ROWS_TOGETHER:
        return {
            name: np.asarray(np.bincount(group, values, groups), np.float64)
            for name, values in columns.items()
        }
    rows = np.array(list(columns.values()), np.float64).reshape(len(columns), group.size)
    place = group + np.arange(len(columns))[:, None] * groups
    # Of no rows numpy counts in whole numbers, weights or not.
    sums = np.bincount(place.ravel(), rows.ravel(), len(columns) * groups).astype(np.float64)
    return dict(zip(columns, sums.reshape(len(columns), groups), strict=True))


def _extreme_by_group(
    term: Term, values: NDArray[np.float64], group: NDArray[np.intp], groups: int
) -> NDArray[np.float64]:
    numbers = np.full(groups, np.nan)
    best = np.fmin if term.aggregation is Aggregation.MIN else np.fmax
    best.at(numbers, group, values)
    return numbers if term.default is None else np.where(np.isnan(numbers), term.default, numbers)
