"""The model's pictures: is a 10 % chance 10 %, and what do the top of the list and a cut buy.

Every picture has a companion in `curves`, `<name>_data`, that returns as a frame what it draws
(`plot_months` draws the frame of `segments`). Pictures are
`matplotlib.figure.Figure` objects made without pyplot: no window, no global state, safe in a
server. The model is drawn strongly, all other methods thinly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ..evaluate.bootstrap import Floats
from ..evaluate.curves import (
    DEFAULT_RESAMPLES,
    EVERYBODY,
    IDEAL,
    NOBODY,
    decision_data,
    gains_data,
    lift_data,
    precision_recall_data,
    reliability_data,
)
from ..fit.calibration_error import BINS

__all__ = [
    "decision_data",
    "gains_data",
    "lift_data",
    "plot_decision_curve",
    "plot_gains",
    "plot_lift",
    "plot_months",
    "plot_precision_recall",
    "plot_reliability",
    "precision_recall_data",
    "reliability_data",
]

MAX_CUTOFF_LABELS = 6
"""Cut-offs that an axis names at most."""

MODEL_COLOUR = "#0b5fa5"
BASELINE_COLOURS = ("#d1731f", "#4c8f5a", "#8d5fa8", "#a3474f", "#6b6b6b")
GUIDE_STYLE: dict[str, Any] = {
    "color": "#9a9a9a",
    "linewidth": 1.0,
    "linestyle": (0, (4, 3)),
    "zorder": 1,
}


def plot_reliability(
    rows: pd.DataFrame,
    probabilities: Mapping[str, Floats],
    *,
    model: str = "mqbg",
    bins: int = BINS,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
) -> Figure:
    """Predicted against observed rates, the diagonal of the ideal, and cumulated rows below.

    The model's points have whiskers, the 95 % intervals of the observed rates. Arguments and
    errors as `reliability_data`; `model` names the method to draw strongly.
    """
    data = reliability_data(rows, probabilities, bins=bins, resamples=resamples, seed=seed)
    figure = Figure(figsize=(6.4, 6.4), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    axis_values = [data[["predicted", "observed"]], data.loc[data["method"] == model, ["high"]]]
    limit = min(1.0, 1.08 * max(float(part.to_numpy().max(initial=0.0)) for part in axis_values))
    limit = limit or 1.0  # nothing predicted and nothing observed
    upper.plot([0, limit], [0, limit], label="perfectly calibrated", **GUIDE_STYLE)
    for style, part in _styled_methods(data, model):
        upper.plot(part["predicted"], part["observed"], marker="o", **style)
        if style["label"] == model:
            _draw_whiskers(upper, part["predicted"], part)
        up_to_here = part["rows"].cumsum()
        lower.plot(part["predicted"], up_to_here, marker="o", drawstyle="steps-post", **style)
    lower.set(xlabel="predicted chance of conversion", ylabel="rows up to here", xlim=(0, limit))
    lower.set_ylim(0, 1.12 * len(rows))
    lower.yaxis.set_major_formatter("{x:,.0f}")
    upper.set(ylabel="share that converted", ylim=(0, limit))
    upper.set_title(f"Reliability over {bins} bins of equal mass, {len(rows):,} rows")
    _finish_axes(upper, lower, legend="upper left")
    return figure


def plot_lift(
    rows: pd.DataFrame,
    probabilities: Mapping[str, Floats],
    *,
    touched_per_snapshot: int,
    model: str = "mqbg",
) -> Figure:
    """Lift by the number of groups touched at each snapshot, with the capacity marked.

    Arguments and errors as `lift_data`; `model` names the method to draw strongly and
    `touched_per_snapshot` is the capacity.
    """
    data = lift_data(rows, probabilities)
    figure = Figure(figsize=(6.4, 4.6), layout="constrained")
    axes = figure.subplots()
    axes.axhline(1.0, label="no better than chance", **GUIDE_STYLE)
    axes.axvline(touched_per_snapshot, **GUIDE_STYLE | {"linestyle": "-"})
    axes.annotate(
        f"capacity {touched_per_snapshot:,}",
        (touched_per_snapshot, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(4, -12),
        textcoords="offset points",
        color="#5a5a5a",
        fontsize=9,
    )
    for style, part in _styled_methods(data, model):
        axes.plot(part["touched_per_snapshot"], part["lift"], **style)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylim(bottom=0)
    axes.set(xlabel="groups touched at each snapshot", ylabel="lift over the average group")
    axes.set_title("What the top of the list is worth")
    _finish_axes(axes, legend="best")
    return figure


def plot_precision_recall(
    rows: pd.DataFrame, probabilities: Mapping[str, Floats], *, model: str = "mqbg"
) -> Figure:
    """Precision against recall, with the base rate that touching everyone reaches.

    Arguments and errors as `precision_recall_data`; `model` names the method to draw strongly.
    """
    data = precision_recall_data(rows, probabilities)
    rate = float(rows["converted"].mean())
    figure = Figure(figsize=(6.4, 4.6), layout="constrained")
    axes = figure.subplots()
    axes.axhline(rate, label=f"everyone ({rate:.1%})", **GUIDE_STYLE)
    for style, part in _styled_methods(data, model):
        # The area under these steps is the average precision, but for the points left out.
        recall = np.append(part["recall"], 0.0)
        precision = np.append(part["precision"], part["precision"].iloc[-1])
        axes.plot(recall, precision, drawstyle="steps-post", **style)
    axes.set(xlabel="recall: share of all conversions found", xlim=(0, 1))
    axes.set(ylabel="precision: share of chosen rows that converted", ylim=(0, None))
    axes.set_title("Precision and recall at every threshold")
    _finish_axes(axes, legend="upper right")
    return figure


def plot_gains(
    rows: pd.DataFrame, probabilities: Mapping[str, Floats], *, model: str = "mqbg"
) -> Figure:
    """Share of conversions found against share of groups touched, with the ideal and chance.

    Arguments and errors as `gains_data`; `model` names the method to draw strongly.
    """
    data = gains_data(rows, probabilities)
    figure = Figure(figsize=(6.4, 4.6), layout="constrained")
    axes = figure.subplots()
    ideal = data["method"] == IDEAL
    axes.plot([0, 1], [0, 1], label="chance", **GUIDE_STYLE)
    ideal_style = GUIDE_STYLE | {"linestyle": "-"}
    axes.plot(data["touched"][ideal], data["found"][ideal], label=IDEAL, **ideal_style)
    for style, part in _styled_methods(data[~ideal], model):
        axes.plot(part["touched"], part["found"], **style)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0))
    axes.set(xlabel="groups touched, the likeliest first", xlim=(0, 1))
    axes.set(ylabel="conversions found", ylim=(0, 1.02))
    axes.set_title("Cumulative gains")
    _finish_axes(axes, legend="lower right")
    return figure


def plot_decision_curve(
    rows: pd.DataFrame, probabilities: Mapping[str, Floats], *, model: str = "mqbg"
) -> Figure:
    """Net benefit by the chance from which sales touch a group; with everybody and nobody.

    Arguments and errors as `decision_data`; `model` names the method to draw strongly.
    """
    data = decision_data(rows, probabilities)
    rate = float(rows["converted"].mean())
    figure = Figure(figsize=(6.4, 4.6), layout="constrained")
    axes = figure.subplots()
    axes.axhline(0.0, label=NOBODY, **GUIDE_STYLE)
    everybody = data[data["method"] == EVERYBODY]
    solid_guide = GUIDE_STYLE | {"linestyle": "-"}
    axes.plot(everybody["threshold"], everybody["net_benefit"], label=EVERYBODY, **solid_guide)
    for style, part in _styled_methods(data[~data["method"].isin((EVERYBODY, NOBODY))], model):
        axes.plot(part["threshold"], part["net_benefit"], **style)
    # Touching everybody falls without end; what is far below nobody is of no use to anybody.
    axes.set_ylim(-0.25 * (rate or 0.01), 1.1 * (rate or 0.01))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set(xlabel="touch from this chance of conversion on", ylabel="net benefit per group")
    axes.set_title("Decision curve")
    _finish_axes(axes, legend="upper right")
    return figure


def plot_months(evaluated: pd.DataFrame, *, model: str = "mqbg") -> Figure:
    """Predicted and observed shares at each cut-off, and below them the ROC AUC; with whiskers.

    Args:
        evaluated: what `segments.evaluate_by_month` returned.
        model: name of the method judged.

    Raises:
        ValueError: there is no cut-off.
    """
    if evaluated.empty:
        raise ValueError("a picture by month needs at least one cut-off, got none")
    figure = Figure(figsize=(6.4, 6.4), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    parts = {
        name: evaluated[evaluated["figure"] == name]
        for name in ("observed", "predicted", "roc_auc")
    }
    upper.plot(
        parts["observed"]["as_of"], parts["observed"]["value"], label="observed",
        color=BASELINE_COLOURS[0], linewidth=1.1, marker="o", markersize=3.0, zorder=2,
    )  # fmt: skip
    _draw_whiskers(upper, parts["observed"]["as_of"], parts["observed"], BASELINE_COLOURS[0])
    model_style = {"color": MODEL_COLOUR, "linewidth": 2.4, "markersize": 5.0, "zorder": 3}
    upper.plot(
        parts["predicted"]["as_of"], parts["predicted"]["value"], marker="o",
        label=f"{model}, mean predicted", **model_style,
    )  # fmt: skip
    lower.axhline(0.5, **GUIDE_STYLE)
    lower.plot(parts["roc_auc"]["as_of"], parts["roc_auc"]["value"], marker="o", **model_style)
    _draw_whiskers(lower, parts["roc_auc"]["as_of"], parts["roc_auc"])
    upper.yaxis.set_major_formatter(PercentFormatter(1.0))
    upper.set(ylabel="share that converts")
    upper.set_ylim(bottom=0)
    lower.set(xlabel="cut-off", ylabel="ROC AUC")
    cutoffs = parts["observed"]["as_of"].to_numpy()
    shown = cutoffs[:: math.ceil(cutoffs.size / MAX_CUTOFF_LABELS)]
    lower.set_xticks(shown, [f"{pd.Timestamp(cutoff):%Y-%m-%d}" for cutoff in shown])
    upper.set_title("Month by month")
    _finish_axes(upper, lower, legend="best")
    return figure


def _draw_whiskers(
    axes: Axes, x: pd.Series, part: pd.DataFrame, colour: str = MODEL_COLOUR
) -> None:
    """Intervals from `low` to `high` as thin lines; none where a value has none."""
    axes.vlines(x, part["low"], part["high"], color=colour, linewidth=1.1, alpha=0.7, zorder=2)


def _styled_methods(
    data: pd.DataFrame, model: str
) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Each method's rows and how to draw them; the model comes last and so lies on top."""
    methods = list(data["method"].unique())
    others = [method for method in methods if method != model]
    for number, method in enumerate(others):
        colour = BASELINE_COLOURS[number % len(BASELINE_COLOURS)]
        style = {"color": colour, "linewidth": 1.1, "markersize": 3.0, "label": method}
        yield style | {"zorder": 2}, data[data["method"] == method]
    if model in methods:
        style = {"color": MODEL_COLOUR, "linewidth": 2.4, "markersize": 5.0, "label": model}
        yield style | {"zorder": 3}, data[data["method"] == model]


def _finish_axes(*axes: Axes, legend: str) -> None:
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(color="#ececec", linewidth=0.8)
        axis.set_axisbelow(True)
    handles, labels = axes[0].get_legend_handles_labels()
    # Drawn last, named first: the model, the baselines, and at the end the guide.
    axes[0].legend(handles[::-1], labels[::-1], loc=legend, frameon=False, fontsize=9)
