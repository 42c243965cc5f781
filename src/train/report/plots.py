"""A training in pictures, each with the data that it draws."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from ..evaluate.comparison import best_baselines
from ..evaluate.evaluation import MODEL
from ..training import Trained
from . import charts as drawings
from .shap_plots import shap_plots
from .threshold_charts import threshold_figure

SHOWN_BASELINES = 2  # in the plots; all of them are in the figures


def plots(trained: Trained) -> dict[str, tuple[Figure, pd.DataFrame]]:
    """Each picture and what it draws: the model and the baselines that come nearest."""
    judged, touched = trained.judged, trained.touched_per_snapshot
    shown = [MODEL, *best_baselines(judged.figures, model=MODEL, count=SHOWN_BASELINES)]
    chosen = {name: judged.probabilities[name] for name in shown}
    rows = judged.rows
    pictures = {
        "reliability": (
            drawings.reliability(rows, chosen, model=MODEL),
            drawings.reliability_data(rows, chosen),
        ),
        "lift": (
            drawings.lift(rows, chosen, touched_per_snapshot=touched, model=MODEL),
            drawings.lift_data(rows, chosen),
        ),
        "precision_recall": (
            drawings.precision_recall(rows, chosen, model=MODEL),
            drawings.precision_recall_data(rows, chosen),
        ),
        "gains": (
            drawings.gains(rows, chosen, model=MODEL),
            drawings.gains_data(rows, chosen),
        ),
        "decision": (
            drawings.decision(rows, chosen, model=MODEL),
            drawings.decision_data(rows, chosen),
        ),
        "months": (drawings.by_month(judged.months, model=MODEL), judged.months),
    }
    if len(judged.curve) and judged.signal.found:
        line = trained.bundle.thresholds.pooled_at(trained.split.test[-1])
        pictures["thresholds"] = (threshold_figure(judged.curve, readiness=line), judged.curve)
    return {**pictures, **shap_plots(trained)}
