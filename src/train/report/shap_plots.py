"""What the trees look at, drawn by `shap`: many test rows together, and two of them alone."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import shap
from matplotlib.figure import Figure

from ...model.shap_explanation import explain_with_shap
from ..training import Trained

SHOWN_FEATURES = 15
Picture = tuple[Figure, pd.DataFrame]


def shap_plots(trained: Trained) -> dict[str, Picture]:
    """Beeswarm of the sampled test rows, waterfalls of the readiest and of the middle one.

    Empty where there is no row to draw.
    """
    if not trained.sample.num_rows:
        return {}
    found = explain_with_shap(trained.bundle, trained.sample)
    order = np.argsort(found.values.sum(axis=1), kind="stable")
    return {
        "shap_beeswarm": _beeswarm(found, trained.bundle.settings.model.seed),
        "shap_waterfall_readiest": _waterfall(found[int(order[-1])]),
        "shap_waterfall_middle": _waterfall(found[int(order[len(order) // 2])]),
    }


def _beeswarm(found: shap.Explanation, seed: int) -> Picture:
    figure = plt.figure()
    # shap shuffles the points with numpy's global generator.
    state = np.random.get_state()  # noqa: NPY002 - to put it back
    np.random.seed(seed)  # noqa: NPY002
    try:
        shap.plots.beeswarm(found, max_display=SHOWN_FEATURES, show=False, plot_size=(11, 7))
    finally:
        np.random.set_state(state)  # noqa: NPY002
    data = pd.DataFrame(
        {
            "feature": found.feature_names,
            "mean_absolute_log_odds": np.abs(found.values).mean(axis=0),
            "mean_log_odds": found.values.mean(axis=0),
        }
    )
    return _kept(figure), data.sort_values(
        ["mean_absolute_log_odds", "feature"], ascending=[False, True]
    )


def _waterfall(row: shap.Explanation) -> Picture:
    figure = plt.figure()
    shap.plots.waterfall(row, max_display=SHOWN_FEATURES, show=False)
    data = pd.DataFrame({"feature": row.feature_names, "value": row.data, "log_odds": row.values})
    return _kept(figure), data.sort_values("log_odds", key=np.abs, ascending=False)


def _kept(figure: Figure) -> Figure:
    """The figure, which no notebook shows by itself any more."""
    plt.close(figure)
    return figure
