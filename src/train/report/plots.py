"""A training in pictures, each with the data that it draws."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from ..evaluate.comparison import best_baselines
from ..evaluate.evaluation import MODEL
from ..training import TrainingResult
from . import charts
from .shap_plots import shap_plots
from .threshold_charts import plot_threshold_curve

SHOWN_BASELINES = 2  # in the plots; all of them are in the figures


def draw_plots(trained: TrainingResult) -> dict[str, tuple[Figure, pd.DataFrame]]:
    """Each picture and what it draws: the model and the baselines that come nearest."""
    evaluation, touched = trained.evaluation, trained.touched_per_snapshot
    shown = [MODEL, *best_baselines(evaluation.figures, model=MODEL, count=SHOWN_BASELINES)]
    probabilities = {name: evaluation.probabilities[name] for name in shown}
    rows = evaluation.rows
    figures = {
        "reliability": (
            charts.plot_reliability(rows, probabilities, model=MODEL),
            charts.reliability_data(rows, probabilities),
        ),
        "lift": (
            charts.plot_lift(rows, probabilities, touched_per_snapshot=touched, model=MODEL),
            charts.lift_data(rows, probabilities),
        ),
        "precision_recall": (
            charts.plot_precision_recall(rows, probabilities, model=MODEL),
            charts.precision_recall_data(rows, probabilities),
        ),
        "gains": (
            charts.plot_gains(rows, probabilities, model=MODEL),
            charts.gains_data(rows, probabilities),
        ),
        "decision": (
            charts.plot_decision_curve(rows, probabilities, model=MODEL),
            charts.decision_data(rows, probabilities),
        ),
        "months": (charts.plot_months(evaluation.months, model=MODEL), evaluation.months),
    }
    if len(evaluation.threshold_curve) and evaluation.signal.found:
        threshold = trained.bundle.thresholds.pooled_at(trained.split.test[-1])
        figures["thresholds"] = (
            plot_threshold_curve(evaluation.threshold_curve, readiness=threshold),
            evaluation.threshold_curve,
        )
    return {**figures, **shap_plots(trained)}
