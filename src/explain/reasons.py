"""Why a group is above or below the average: TreeSHAP, rolled up by theme (design.md).

This answers another question than the stakeholder game, which asks what each person adds.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ..bundle import Bundle
from ..features.feature import Feature
from .words import Words

TOP = 3


def top_reasons(bundle: Bundle, features: pa.Table, words: Words) -> list[list[str]]:
    """For each row the strongest themes in words, each with its strongest feature.

    Args:
        bundle: the model.
        features: the feature table, any number of rows.
        words: the language.
    """
    if not features.num_rows:
        return []
    parts = bundle.contributions(bundle.matrix(features))
    catalogue = bundle.catalogue
    themes = list(dict.fromkeys(feature.theme for feature in catalogue.features))
    of_theme = np.array([[f.theme == theme for f in catalogue.features] for theme in themes])
    by_theme = parts @ of_theme.T
    order = np.argsort(-np.abs(by_theme), axis=1, kind="stable")[:, :TOP]
    columns = {feature.name: features[feature.name].to_pylist() for feature in catalogue.features}
    reasons = []
    for row in range(features.num_rows):
        sentences = []
        for theme in order[row]:
            total = by_theme[row, theme]
            if total != 0:
                # The feature that pulls the theme its way the most.
                pull = np.where(of_theme[theme], parts[row] * np.sign(total), -np.inf)
                feature = catalogue.features[int(np.argmax(pull))]
                sentences.append(_sentence(feature, columns[feature.name][row], total, words))
        reasons.append(sentences)
    return reasons


def _sentence(feature: Feature, value: object, total: float, words: Words) -> str:
    subject = words.word(*feature.subject) if feature.subject else None
    sentence = "reason_missing" if value is None else "reason"
    return words.say(
        sentence,
        theme=words.word("themes", feature.theme),
        sign="+" if total > 0 else "\N{MINUS SIGN}",
        feature=feature.described(words.language, subject),
        value=f"{value:.4g}" if isinstance(value, float) else value,
    )
