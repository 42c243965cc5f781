"""What the trees look at, drawn by `shap`: many test rows together, and two of them alone."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import shap
from matplotlib.figure import Figure

from ...model.shap_explanation import explain_with_shap
from ..training import TrainingResult

SHOWN_FEATURES = 15
Plot = tuple[Figure, pd.DataFrame]


def shap_plots(trained: TrainingResult) -> dict[str, Plot]:
    """Beeswarm of the sampled test rows, waterfalls of the readiest and of the middle one.

    Empty where there is no row to draw.
    """
    if not trained.shap_sample.num_rows:
        return {}
    shap_values = explain_with_shap(trained.bundle, trained.shap_sample)
    order = np.argsort(shap_values.values.sum(axis=1), kind="stable")
    return {
        "shap_beeswarm": _beeswarm(shap_values, trained.bundle.settings.model.seed),
        "shap_waterfall_readiest": _waterfall(shap_values[int(order[-1])]),
        "shap_waterfall_middle": _waterfall(shap_values[int(order[len(order) // 2])]),
    }


def _beeswarm(shap_values: shap.Explanation, seed: int) -> Plot:
    figure = plt.figure()
    # shap shuffles the points with numpy's global generator.
    state = np.random.get_state()  # noqa: NPY002 - to put it back
    np.random.seed(seed)  # noqa: NPY002
    try:
        shap.plots.beeswarm(shap_values, max_display=SHOWN_FEATURES, show=False, plot_size=(11, 7))
    finally:
        np.random.set_state(state)  # noqa: NPY002
    data = pd.DataFrame(
        {
            "feature": shap_values.feature_names,
            "mean_absolute_log_odds": np.abs(shap_values.values).mean(axis=0),
            "mean_log_odds": shap_values.values.mean(axis=0),
        }
    )
    return _detached(figure), data.sort_values(
        ["mean_absolute_log_odds", "feature"], ascending=[False, True]
    )


def _waterfall(row: shap.Explanation) -> Plot:
    figure = plt.figure()
    shap.plots.waterfall(row, max_display=SHOWN_FEATURES, show=False)
    data = pd.DataFrame({"feature": row.feature_names, "value": row.data, "log_odds": row.values})
    return _detached(figure), data.sort_values("log_odds", key=np.abs, ascending=False)


def _detached(figure: Figure) -> Figure:
    """The figure, which no notebook shows by itself any more."""
    plt.close(figure)
    return figure
