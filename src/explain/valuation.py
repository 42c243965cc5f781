"""From the totals of a coalition to log-odds: the rest of stage 2, then the trees."""

from __future__ import annotations

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from ..bundle import Bundle
from ..features.groups import features_of
from .monoid import Floats

ROW = "coalition"


@dataclass(frozen=True)
class Valuation:
    """Values coalitions of the groups that `facts` describes."""

    bundle: Bundle
    facts: ir.Table

    def __call__(self, sizes: list[tuple[str, int]], totals: Floats) -> Floats:
        """Log-odds of totals, shape (sets,).

        Args:
            sizes: group_id and number of sets, in the order of `totals`.
            totals: shape (sets, terms).
        """
        catalogue = self.bundle.catalogue
        columns = {
            term.name: _column(values, term.empty)
            for term, values in zip(catalogue.terms, np.ascontiguousarray(totals.T), strict=True)
        }
        groups = np.repeat(
            np.array([key for key, _size in sizes], dtype=object), [size for _key, size in sizes]
        )
        table = pa.table(
            {"group_id": pa.array(groups, pa.string()), ROW: np.arange(len(totals)), **columns}
        )
        features = features_of(ibis.memtable(table), self.facts, catalogue, (ROW,)).to_pyarrow()
        log_odds = np.empty(len(totals))
        log_odds[features[ROW].to_numpy()] = self.bundle.log_odds(features)
        return log_odds


def _column(values: Floats, empty: float | None) -> pa.Array:
    """One term as the engine would hold it: null where there is nothing to say."""
    unsaid = np.isnan(values)
    if empty is None:
        return pa.array(values, pa.float64(), mask=unsaid)
    return pa.array(np.where(unsaid, empty, values) if unsaid.any() else values, pa.float64())
