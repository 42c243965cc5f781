"""Why a group is above or below the average: TreeSHAP, rolled up by theme (design.md).

This answers another question than the stakeholder game, which asks what each person adds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from ..features.declare.feature import Feature
from ..model.bundle import Bundle
from .language import Words

TOP = 3


@dataclass(frozen=True)
class Parts:
    """TreeSHAP of some rows.

    Attributes:
        features: of the catalogue.
        values: shape (rows, features); log-odds of each feature.
    """

    features: tuple[Feature, ...]
    values: NDArray[np.float64]

    @cached_property
    def themes(self) -> tuple[str, ...]:
        """In the order of the catalogue."""
        return tuple(dict.fromkeys(feature.theme for feature in self.features))

    @cached_property
    def of_theme(self) -> NDArray[np.bool_]:
        """Shape (themes, features)."""
        return np.array([[f.theme == theme for f in self.features] for theme in self.themes])

    @cached_property
    def by_theme(self) -> NDArray[np.float64]:
        """Shape (rows, themes); each theme's features added up."""
        summed: NDArray[np.float64] = self.values @ self.of_theme.T
        return summed


def parts_of(
    bundle: Bundle, features: pa.Table, matrix: NDArray[np.float64] | None = None
) -> Parts:
    """What each feature adds to each row, from the average on.

    Args:
        bundle: the model.
        features: the feature table, any number of rows.
        matrix: of the feature table, where it is known.
    """
    matrix = bundle.matrix(features) if matrix is None else matrix
    return Parts(bundle.catalogue.features, bundle.contributions(matrix))


def top_reasons(
    bundle: Bundle,
    features: pa.Table,
    words: Words,
    matrix: NDArray[np.float64] | None = None,
) -> list[list[str]]:
    """For each row the strongest themes in words, each with its strongest feature.

    Args:
        bundle: the model.
        features: the feature table, any number of rows.
        words: the language.
        matrix: of the feature table, where it is known.
    """
    if not features.num_rows:
        return []
    parts = parts_of(bundle, features, matrix)
    order = np.argsort(-np.abs(parts.by_theme), axis=1, kind="stable")[:, :TOP]
    reasons = []
    for row in range(features.num_rows):
        sentences = []
        for theme in order[row]:
            total = parts.by_theme[row, theme]
            if total != 0:
                # The feature that pulls the theme its way the most.
                pull = np.where(parts.of_theme[theme], parts.values[row] * np.sign(total), -np.inf)
                feature = parts.features[int(np.argmax(pull))]
                sentences.append(
                    _sentence(feature, features[feature.name][row].as_py(), total, words)
                )
        reasons.append(sentences)
    return reasons


def reasons_of_row(bundle: Bundle, features: pa.Table, *, strongest: int = 2) -> pd.DataFrame:
    """All themes of one row with what they add, and the features that carry each.

    Args:
        bundle: the model.
        features: the feature table, one row.
        strongest: features named of each theme that speak for the row, and as many against it.

    Returns:
        theme, feature, contribution (log-odds), value. The strongest theme comes first; its own
        row has no feature and no value, and its features follow, from the most positive to the
        most negative. The contributions of the themes' own rows and the average sum to the
        log-odds.

    Raises:
        ValueError: there is not one row.
    """
    if features.num_rows != 1:
        raise ValueError(f"expected the feature table of one row, got {features.num_rows} rows")
    parts = parts_of(bundle, features)
    amounts, by_theme = parts.values[0], parts.by_theme[0]
    found: list[tuple[str, str | None, float, Any]] = []
    for theme in np.argsort(-np.abs(by_theme), kind="stable"):
        found.append((parts.themes[theme], None, by_theme[theme], None))
        own = np.flatnonzero(parts.of_theme[theme] & (amounts != 0))
        falling = own[np.argsort(-amounts[own], kind="stable")]
        up, down = falling[amounts[falling] > 0], falling[amounts[falling] < 0]
        for place in (*up[:strongest], *down[max(0, down.size - strongest) :]):
            name = parts.features[place].name
            found.append((parts.themes[theme], name, amounts[place], features[name][0].as_py()))
    theme_of, feature_of, contribution, value = zip(*found, strict=True)
    return pd.DataFrame(
        {
            "theme": theme_of,
            "feature": pd.Series(feature_of, dtype=object),  # keeps None apart from a number's NaN
            "contribution": np.array(contribution, np.float64),
            "value": pd.Series(value, dtype=object),
        }
    )


def _sentence(feature: Feature, value: object, total: float, words: Words) -> str:
    return words.say(
        "reason",
        theme=words.word("themes", feature.theme),
        up=bool(total > 0),
        feature=words.feature(feature),
        value=_written(value, feature.unit, words),
        counter=words.counter(feature.unit),
    )


def _written(value: object, unit: str, words: Words) -> str | None:
    if isinstance(value, float) and unit == "share":
        # A small share needs its decimal, a large one would only pretend to be exact.
        return words.formats.percent(value, 0 if abs(value) >= 0.1 else 1)
    if isinstance(value, int | float):
        return words.formats.brief(value)
    return None if value is None else str(value)
