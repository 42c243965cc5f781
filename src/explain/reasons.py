"""Why a group is above or below the average: TreeSHAP, rolled up by theme (design.md).

This answers another question than the stakeholder game, which asks what each person adds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from ..features.declare.feature import Feature
from ..model.bundle import Bundle
from .language import Language

TOP_REASONS = 3

NO_REASON_THEMES = frozenset({"rule scores"})
"""Themes that only repeat in points what others say of behaviour."""

IDENTITIES = frozenset({"account", "solution"})
"""Features that say which group it is, and not what anybody did."""

UNSPEAKABLE_UNITS = frozenset({"points", "points per member", "points of 100", "nats", "month"})
"""Units whose numbers tell a salesperson nothing: weighted points, entropies, times of the year."""

RELATIVE_UNIT = "log of a ratio"  # said in words: its sign is all that can be understood


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a group is above or below the average, as a fact of no language.

    Attributes:
        theme: of the feature.
        feature: its name.
        value: of the group; a number or a category.
        up: whether the theme raises the score.
    """

    theme: str
    feature: str
    value: float | str
    up: bool

    def to_json(self) -> str:
        """As the tables of scores keep it."""
        return json.dumps([self.theme, self.feature, self.value, self.up], ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Reason:
        """From what `to_json` wrote."""
        return cls(*json.loads(text))


@dataclass(frozen=True)
class FeatureContributions:
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
    def theme_mask(self) -> NDArray[np.bool_]:
        """Shape (themes, features)."""
        return np.array([[f.theme == theme for f in self.features] for theme in self.themes])

    @cached_property
    def reason_mask(self) -> NDArray[np.bool_]:
        """Shape (features,); what a salesperson can be given as a reason."""
        return np.array(
            [
                feature.theme not in NO_REASON_THEMES
                and feature.name not in IDENTITIES
                and feature.unit not in UNSPEAKABLE_UNITS
                for feature in self.features
            ]
        )

    @cached_property
    def by_theme(self) -> NDArray[np.float64]:
        """Shape (rows, themes); each theme's features added up."""
        summed: NDArray[np.float64] = self.values @ self.theme_mask.T
        return summed


def feature_contributions(
    bundle: Bundle, features: pa.Table, matrix: NDArray[np.float64] | None = None
) -> FeatureContributions:
    """What each feature adds to each row, from the average on.

    Args:
        bundle: the model.
        features: the feature table, any number of rows.
        matrix: of the feature table, where it is known.
    """
    matrix = bundle.feature_matrix(features) if matrix is None else matrix
    return FeatureContributions(bundle.catalogue.features, bundle.contributions(matrix))


def strongest_reasons(
    bundle: Bundle,
    features: pa.Table,
    missing_roles: Sequence[Sequence[str]] | None = None,
    matrix: NDArray[np.float64] | None = None,
) -> list[list[Reason]]:
    """For each row the strongest themes, each with its strongest feature.

    A rule score, an identity and what is unknown are no reasons, nor does anything in favour speak
    of a role that is missing; a theme of which nothing else pulls its way is left out.

    Args:
        bundle: the model.
        features: the feature table, any number of rows.
        missing_roles: of each row; None where they are not known.
        matrix: of the feature table, where it is known.
    """
    if not features.num_rows:
        return []
    matrix = bundle.feature_matrix(features) if matrix is None else matrix
    contributions = feature_contributions(bundle, features, matrix)
    order = np.argsort(-np.abs(contributions.by_theme), axis=1, kind="stable")
    return [
        [
            Reason(feature.theme, feature.name, features[feature.name][row].as_py(), total > 0)
            for feature, total in islice(
                _reasons(
                    contributions, order, row, matrix, missing_roles[row] if missing_roles else ()
                ),
                TOP_REASONS,
            )
        ]
        for row in range(features.num_rows)
    ]


def _reasons(
    contributions: FeatureContributions,
    order: NDArray[np.intp],
    row: int,
    matrix: NDArray[np.float64],
    missing_roles: Sequence[str],
) -> Iterator[tuple[Feature, float]]:
    """Of each theme, the strongest first: the feature that pulls it its way most, and its total."""
    known = contributions.reason_mask & ~np.isnan(matrix[row])
    missing = np.array(
        [
            feature.subject is not None
            and feature.subject[0] == "roles"
            and feature.subject[1] in missing_roles
            for feature in contributions.features
        ]
    )
    for theme in order[row]:
        total = float(contributions.by_theme[row, theme])
        pull = contributions.values[row] * np.sign(total)
        speaking = known & ~missing if total > 0 else known
        pull = np.where(contributions.theme_mask[theme] & speaking, pull, 0.0)
        strongest = int(np.argmax(pull))
        if pull[strongest] > 0:
            yield contributions.features[strongest], total


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
    contributions = feature_contributions(bundle, features)
    log_odds, by_theme = contributions.values[0], contributions.by_theme[0]
    rows: list[tuple[str, str | None, float, Any]] = []
    for theme in np.argsort(-np.abs(by_theme), kind="stable"):
        rows.append((contributions.themes[theme], None, by_theme[theme], None))
        nonzero = np.flatnonzero(contributions.theme_mask[theme] & (log_odds != 0))
        descending = nonzero[np.argsort(-log_odds[nonzero], kind="stable")]
        positive, negative = (
            descending[log_odds[descending] > 0],
            descending[log_odds[descending] < 0],
        )
        for index in (*positive[:strongest], *negative[max(0, negative.size - strongest) :]):
            name = contributions.features[index].name
            rows.append(
                (contributions.themes[theme], name, log_odds[index], features[name][0].as_py())
            )
    theme_of, feature_of, contribution, value = zip(*rows, strict=True)
    return pd.DataFrame(
        {
            "theme": theme_of,
            "feature": pd.Series(feature_of, dtype=object),  # keeps None apart from a number's NaN
            "contribution": np.array(contribution, np.float64),
            "value": pd.Series(value, dtype=object),
        }
    )


def features_by_name(bundle: Bundle) -> dict[str, Feature]:
    """The features of a model by name."""
    return {feature.name: feature for feature in bundle.catalogue.features}


def reason_sentences(
    reasons: Sequence[Reason], features: Mapping[str, Feature], language: Language
) -> list[str]:
    """Reasons in words, those of features that the model does not have left out.

    Args:
        reasons: the strongest first.
        features: of the model that scored, by name.
        language: the language.
    """
    return [
        _reason_sentence(reason, features[reason.feature], language)
        for reason in reasons
        if reason.feature in features
    ]


def _reason_sentence(reason: Reason, feature: Feature, language: Language) -> str:
    name, value = language.feature_name(feature), reason.value
    return language.render(
        "reason",
        theme=language.word("themes", feature.theme),
        up=reason.up,
        feature=name,
        value=_format_value(value, feature.unit, language),
        counter=language.unit_counter(feature.unit),
        counted=None if isinstance(value, str) else language.counted_feature(name, value),
    )


def _format_value(value: object, unit: str, language: Language) -> str:
    if isinstance(value, int | float) and unit == RELATIVE_UNIT:
        return language.word("labels", "more_often" if value > 0 else "less_often")
    if isinstance(value, float) and unit == "share":
        # A small share needs its decimal, a large one would only pretend to be exact.
        return language.formats.percent(value, 0 if abs(value) >= 0.1 else 1)
    if isinstance(value, int | float):
        return language.formats.compact(value)
    return str(value)
