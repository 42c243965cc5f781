"""From the totals of a coalition to log-odds: the rest of stage 2, then the trees."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..bundle import Bundle, encoded
from ..features.catalogue import Catalogue
from ..features.numeric import features_of_terms
from .monoid import Floats


@dataclass(frozen=True)
class Valuation:
    """Values coalitions of the groups that `facts` describes.

    The features are evaluated in numpy, from the same declarations as in the engine. Categories
    are facts, the same for every coalition of a group, so their codes are looked up once.
    """

    bundle: Bundle
    facts: ir.Table

    def __call__(self, sizes: list[tuple[str, int]], totals: Floats) -> Floats:
        """Log-odds of totals, shape (sets,).

        Args:
            sizes: group_id and number of sets, in the order of `totals`.
            totals: shape (sets, terms).
        """
        of_group = [self._places[key] for key, _size in sizes]
        group = np.repeat(of_group, [size for _key, size in sizes]).astype(np.intp)
        columns: dict[str, Any] = {name: values[group] for name, values in self._known.items()}
        for term, values in zip(self.bundle.catalogue.terms, totals.T, strict=True):
            unsaid = np.isnan(values) if term.empty is not None else None
            columns[term.name] = values if unsaid is None else np.where(unsaid, term.empty, values)
        found = features_of_terms(self._numbers)(columns)
        names = self.bundle.catalogue.names
        matrix = np.empty((len(totals), len(names)), order="F")
        for place, name in enumerate(names):
            matrix[:, place] = self._codes[name][group] if name in self._codes else found[name]
        return self.bundle.raw(matrix)

    @cached_property
    def _table(self) -> pa.Table:
        table: pa.Table = self.facts.to_pyarrow()
        return table

    @cached_property
    def _places(self) -> dict[str, int]:
        return {key: place for place, key in enumerate(self._table["group_id"].to_pylist())}

    @cached_property
    def _numbers(self) -> Catalogue:
        """The catalogue without its categories."""
        catalogue = self.bundle.catalogue
        return replace(catalogue, features=tuple(f for f in catalogue.features if not f.category))

    @cached_property
    def _known(self) -> dict[str, NDArray[Any]]:
        """Facts that the features read, of each group."""
        wanted = features_of_terms(self._numbers).reads
        return {
            name: self._table[name].to_numpy()
            for name in wanted
            if name in self._table.schema.names
        }

    @cached_property
    def _codes(self) -> dict[str, Floats]:
        """Codes of the categories, of each group."""
        return {
            name: encoded(self._table[name], self.bundle.category_values[name])
            for name in self.bundle.catalogue.categories
        }
