"""TreeSHAP of a model as `shap` knows it, for its plots, in notebooks and in MLflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from .bundle import Bundle

if TYPE_CHECKING:
    import shap


def explain_with_shap(bundle: Bundle, features: pa.Table, language: str = "en") -> shap.Explanation:
    """Why rows of the feature table lie above or below the average, feature by feature.

    `shap.plots.beeswarm(explain_with_shap(bundle, table))` draws many rows,
    `shap.plots.waterfall(explain_with_shap(bundle, table)[0])` one.

    Args:
        bundle: the model.
        features: the feature table, any number of rows.
        language: of the features' names.

    Returns:
        Values in log-odds, shape (rows, features); with the base value they sum to the raw score.
        A category's data are its codes.

    Raises:
        ValueError: a feature column is missing.
    """
    # Importing shap takes seconds, which no command but `train` should wait for.
    import shap

    matrix = bundle.feature_matrix(features)
    contributions = bundle.contributions(matrix)
    return shap.Explanation(
        values=contributions,
        base_values=bundle.log_odds_of_matrix(matrix) - contributions.sum(axis=1),
        data=matrix,
        feature_names=[feature.describe(language) for feature in bundle.catalogue.features],
    )
