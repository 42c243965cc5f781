"""From the totals of a coalition to log-odds: the rest of stage 2, then the trees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...features.engines.numpy import BLOCK_ROWS, feature_evaluator
from ...model.bundle import Bundle, encoded
from ..treeshap import fast_trees
from .coalition_aggregates import Floats


@dataclass(frozen=True)
class Valuation:
    """Values coalitions of groups.

    The features are evaluated in numpy, from the same declarations as in the engine. Categories
    are facts, the same for every coalition of a group, so their codes are looked up once.

    Attributes:
        bundle: the model.
        facts: one row for each group.
    """

    bundle: Bundle
    facts: pa.Table

    def __call__(self, sizes: list[tuple[str, int]], totals: Floats) -> Floats:
        """Log-odds of totals, shape (sets,).

        Args:
            sizes: group_id and number of sets, in the order of `totals`.
            totals: shape (sets, terms).
        """
        found = np.empty(len(totals))
        for rows, matrix in self.matrices(sizes, totals):
            found[rows] = self.bundle.raw(matrix)
        return found

    def matrices(
        self, sizes: list[tuple[str, int]], totals: Floats
    ) -> Iterator[tuple[slice, Floats]]:
        """Features of totals as the trees read them, some rows at a time.

        Features that the trees never ask for are not computed; they are missing.

        Args:
            sizes: as above.
            totals: as above.

        Yields:
            Which rows, and their features, shape (rows, features); the array is used again.
        """
        of_group = [self._places[key] for key, _size in sizes]
        group = np.repeat(of_group, [size for _key, size in sizes]).astype(np.intp)
        names = self.bundle.catalogue.feature_names
        # By columns: features are made, and read by the trees, a column at a time.
        values = np.full((len(names), min(BLOCK_ROWS, len(totals))), np.nan)
        for start in range(0, len(totals), BLOCK_ROWS):
            rows = slice(start, min(start + BLOCK_ROWS, len(totals)))
            here = group[rows]
            found = feature_evaluator(self.bundle.read_numbers)(self._columns(here, totals[rows]))
            for place, name in enumerate(names):
                if name in found:
                    values[place, : here.size] = found[name]
                elif name in self._codes:
                    values[place, : here.size] = self._codes[name][here]
            yield rows, values[:, : here.size].T

    def _columns(self, group: NDArray[np.intp], totals: Floats) -> dict[str, Any]:
        """Facts of the groups and totals of the coalitions, by name."""
        columns: dict[str, Any] = {name: values[group] for name, values in self._known.items()}
        by_term = np.ascontiguousarray(totals[:, self._read].T)
        for place, values in zip(self._read, by_term, strict=True):
            term = self.bundle.catalogue.terms[place]
            if term.default is not None:
                values[np.isnan(values)] = term.default
            columns[term.name] = values
        return columns

    @cached_property
    def _read(self) -> list[int]:
        """Places of the terms that the features read."""
        wanted = set(feature_evaluator(self.bundle.read_numbers).input_columns)
        terms = self.bundle.catalogue.terms
        return [place for place, term in enumerate(terms) if term.name in wanted]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {key: place for place, key in enumerate(self.facts["group_id"].to_pylist())}

    @cached_property
    def _known(self) -> dict[str, NDArray[Any]]:
        """Facts that the features read, of each group."""
        wanted = frozenset(feature_evaluator(self.bundle.read_numbers).input_columns)
        given = zip(self.facts.column_names, self.facts.columns, strict=True)
        return {name: column.to_numpy() for name, column in given if name in wanted}

    @cached_property
    def _codes(self) -> dict[str, Floats]:
        """Codes of the categories, of each group."""
        return {
            name: encoded(self.facts[name], self.bundle.category_values[name])
            for name in self.bundle.catalogue.categorical_features
            if name in self.bundle.read_features
        }


def with_compiled_trees(bundle: Bundle) -> Bundle:
    """The same bundle, whose trees run as compiled code; the numbers do not change."""
    return replace(bundle, ensemble=fast_trees(bundle.booster)) if bundle.trees else bundle
