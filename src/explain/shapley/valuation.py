"""From the totals of a coalition to log-odds: the rest of stage 2, then the trees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...features.engines.numpy import BLOCK_ROWS, Evaluator, feature_evaluator
from ...model.bundle import Bundle
from ...model.feature_matrix import encode_category
from ..treeshap import add_regressions, compile_model_text, compile_model_texts
from .coalition_aggregates import Floats, Integers, turn_to_columns


@dataclass(frozen=True)
class Valuation:
    """Values coalitions of groups.

    The features are evaluated in numpy, from the same declarations as in the engine. Categories
    are facts, the same for every coalition of a group, so their codes are looked up once.

    Attributes:
        bundle: the model.
        facts: one row for each group.
        for_refits: the features that only refits read are made as well.
    """

    bundle: Bundle
    facts: pa.Table
    for_refits: bool = False

    def __call__(self, sizes: list[tuple[str, int]], aggregates: Floats) -> Floats:
        """Log-odds of totals, shape (sets,).

        Args:
            sizes: group_id and number of sets, in the order of `aggregates`.
            aggregates: shape (sets, terms).
        """
        log_odds = np.empty(len(aggregates))
        for rows, matrix in self.feature_matrices(sizes, aggregates):
            log_odds[rows] = self.bundle.log_odds_of_matrix(matrix)
        return log_odds

    def feature_matrices(
        self, sizes: list[tuple[str, int]], aggregates: Floats
    ) -> Iterator[tuple[slice, Floats]]:
        """Features of totals as the trees read them, some rows at a time.

        Features that the trees never ask for are not computed; they are missing.

        Args:
            sizes: as above.
            aggregates: as above.

        Yields:
            Which rows, and their features, shape (rows, features); the array is used again.
        """
        group_indices = [self._group_indices[key] for key, _size in sizes]
        group = np.repeat(group_indices, [size for _key, size in sizes]).astype(np.intp)
        names = self.bundle.catalogue.feature_names
        # By columns: features are made, and read by the trees, a column at a time.
        values = np.full((len(names), min(BLOCK_ROWS, len(aggregates))), np.nan)
        for start in range(0, len(aggregates), BLOCK_ROWS):
            rows = slice(start, min(start + BLOCK_ROWS, len(aggregates)))
            row_groups = group[rows]
            columns = self._evaluator(self._columns(row_groups, aggregates[rows]))
            for index, name in enumerate(names):
                if name in columns:
                    values[index, : row_groups.size] = columns[name]
                elif name in self._category_codes:
                    values[index, : row_groups.size] = self._category_codes[name][row_groups]
            yield rows, values[:, : row_groups.size].T

    def feature_matrix(self, sizes: list[tuple[str, int]], aggregates: Floats) -> Floats:
        """As `feature_matrices`, all rows at once, shape (sets, features)."""
        values = np.empty((len(aggregates), len(self.bundle.catalogue.feature_names)))
        for rows, matrix in self.feature_matrices(sizes, aggregates):
            values[rows] = matrix
        return values

    def _columns(self, group: NDArray[np.intp], aggregates: Floats) -> dict[str, Any]:
        """Facts of the groups and totals of the coalitions, by name."""
        columns: dict[str, Any] = {name: values[group] for name, values in self._facts_read.items()}
        by_term = np.empty((self._term_indices.size, len(aggregates)))
        turn_to_columns(aggregates, self._term_indices, self._term_defaults, by_term)
        for index, values in zip(self._term_indices.tolist(), by_term, strict=True):
            columns[self.bundle.catalogue.terms[index].name] = values
        return columns

    @property
    def of_refits(self) -> Valuation:
        """With the features that the refits read: itself where these are the model's own."""
        if self.bundle.features_of_refits == self.bundle.used_features:
            return self
        return replace(self, for_refits=True)

    @cached_property
    def _evaluator(self) -> Evaluator:
        """Of the numbers that are made."""
        catalogue = self.bundle.catalogue
        return feature_evaluator(catalogue, self._used.difference(catalogue.categorical_features))

    @property
    def _used(self) -> frozenset[str]:
        return self.bundle.features_of_refits if self.for_refits else self.bundle.used_features

    @cached_property
    def _term_indices(self) -> Integers:
        """Places of the terms that the features read, shape (terms read,)."""
        needed = set(self._evaluator.input_columns)
        terms = self.bundle.catalogue.terms
        places = [index for index, term in enumerate(terms) if term.name in needed]
        return np.array(places, dtype=np.int64)

    @cached_property
    def _term_defaults(self) -> Floats:
        """What stands where such a term is null, shape (terms read,); NaN for a null."""
        defaults = [self.bundle.catalogue.terms[index].default for index in self._term_indices]
        return np.array([np.nan if one is None else one for one in defaults])

    @cached_property
    def _group_indices(self) -> dict[str, int]:
        return {key: index for index, key in enumerate(self.facts["group_id"].to_pylist())}

    @cached_property
    def _facts_read(self) -> dict[str, NDArray[Any]]:
        """Facts that the features read, of each group."""
        needed = set(self._evaluator.input_columns)
        columns = zip(self.facts.column_names, self.facts.columns, strict=True)
        return {name: column.to_numpy() for name, column in columns if name in needed}

    @cached_property
    def _category_codes(self) -> dict[str, Floats]:
        """Codes of the categories, of each group."""
        bundle = self.bundle
        return {
            name: encode_category(self.facts[name], bundle.category_values[name])
            for name in bundle.catalogue.categorical_features
            if name in self._used
        }


def with_compiled_trees(bundle: Bundle) -> Bundle:
    """The same bundle, whose trees run as compiled code; the numbers do not change."""
    if not bundle.trees:
        return bundle
    return replace(
        bundle,
        tree_engine=compile_model_text(bundle.trees),
        refit_engine=compile_model_texts([refit.trees for refit in bundle.refits]),
        regression_engine=add_regressions,
    )
