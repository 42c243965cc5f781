"""The model's pictures: is a 10 % chance 10 %, and what do the top of the list and a cut buy.

Every picture has a companion, `<name>_data`, that returns as a frame what it draws. Pictures are
`matplotlib.figure.Figure` objects made without pyplot: no window, no global state, safe in a
server. The model is drawn strongly, all other methods thinly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve

from .calibration import BINS, equal_mass_bins

POINTS = 200
"""Points of a curve at most."""

MODEL_COLOUR = "#0b5fa5"
OTHER_COLOURS = ("#d1731f", "#4c8f5a", "#8d5fa8", "#a3474f", "#6b6b6b")
GUIDE: dict[str, Any] = {
    "color": "#9a9a9a",
    "linewidth": 1.0,
    "linestyle": (0, (4, 3)),
    "zorder": 1,
}

Floats = NDArray[np.float64]


def reliability_data(
    rows: pd.DataFrame, probabilities: Mapping[str, Floats], *, bins: int = BINS
) -> pd.DataFrame:
    """Predicted against observed rates in bins of equal mass, those of the calibration error.

    Args:
        rows: one row per scored snapshot, with converted (bool).
        probabilities: per method, shape (rows,); in [0, 1], in the order of `rows`.
        bins: number of bins; equal probabilities share one, so there can be fewer.

    Returns:
        One row per method and bin: method, bin, predicted (mean), observed (share), rows.

    Raises:
        ValueError: there are no rows, a column is missing or a method does not fit `rows`.
    """
    _require(rows, probabilities, ("converted",))
    parts = [
        pd.DataFrame(
            {
                "bin": equal_mass_bins(probability, bins),
                "predicted": probability,
                "observed": rows["converted"].to_numpy(np.float64),
                "rows": 1,
            }
        )
        .groupby("bin", as_index=False)
        .agg({"predicted": "mean", "observed": "mean", "rows": "sum"})
        .assign(method=method)
        for method, probability in probabilities.items()
    ]
    return pd.concat(parts, ignore_index=True)[["method", "bin", "predicted", "observed", "rows"]]


def reliability(
    rows: pd.DataFrame,
    probabilities: Mapping[str, Floats],
    *,
    model: str = "mqbg",
    bins: int = BINS,
) -> Figure:
    """Predicted against observed rates, the diagonal of the ideal, and cumulated rows below.

    Arguments and errors as `reliability_data`; `model` names the method to draw strongly.
    """
    data = reliability_data(rows, probabilities, bins=bins)
    figure = Figure(figsize=(6.4, 6.4), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    limit = min(1.0, 1.08 * float(data[["predicted", "observed"]].to_numpy().max()))
    limit = limit or 1.0  # nothing predicted and nothing observed
    upper.plot([0, limit], [0, limit], label="perfectly calibrated", **GUIDE)
    for style, part in _styled(data, model):
        upper.plot(part["predicted"], part["observed"], marker="o", **style)
        up_to_here = part["rows"].cumsum()
        lower.plot(part["predicted"], up_to_here, marker="o", drawstyle="steps-post", **style)
    lower.set(xlabel="predicted chance of conversion", ylabel="rows up to here", xlim=(0, limit))
    lower.set_ylim(0, 1.12 * len(rows))
    lower.yaxis.set_major_formatter("{x:,.0f}")
    upper.set(ylabel="share that converted", ylim=(0, limit))
    upper.set_title(f"Reliability over {bins} bins of equal mass, {len(rows):,} rows")
    _finish(upper, lower, legend="upper left")
    return figure


def lift_data(rows: pd.DataFrame, probabilities: Mapping[str, Floats]) -> pd.DataFrame:
    """Lift and recall by the number of groups that sales touch at each snapshot.

    Defined as `lift_at_capacity` and `recall_at_capacity` are in `evaluation.measure`.

    Args:
        rows: one row per scored snapshot, with as_of and converted (bool).
        probabilities: per method, shape (rows,); in [0, 1], in the order of `rows`.

    Returns:
        One row per method and number: method, touched_per_snapshot, lift, recall; NaN where
        nothing converted. Numbers are spread evenly on a logarithmic axis.

    Raises:
        ValueError: there are no rows, a column is missing or a method does not fit `rows`.
    """
    _require(rows, probabilities, ("as_of", "converted"))
    converted = rows["converted"].to_numpy(np.bool_)
    sizes = rows.groupby("as_of").size().to_numpy()
    touched = np.unique(np.geomspace(1, sizes.max(), POINTS).round().astype(np.intp))
    touched_rows = np.minimum(sizes[:, None], touched).sum(axis=0)
    conversions = float(converted.sum()) or np.nan
    parts = []
    for method, probability in probabilities.items():
        better = pd.Series(probability, index=rows.index).groupby(rows["as_of"].to_numpy())
        rank = better.rank(method="first", ascending=False).to_numpy()
        hits = np.searchsorted(np.sort(rank[converted]), touched, side="right")
        recall = hits / conversions
        lift_here = recall / (touched_rows / len(rows))
        columns = {"touched_per_snapshot": touched, "lift": lift_here, "recall": recall}
        parts.append(pd.DataFrame({"method": method} | columns))
    return pd.concat(parts, ignore_index=True)


def lift(
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
    axes.axhline(1.0, label="no better than chance", **GUIDE)
    axes.axvline(touched_per_snapshot, **GUIDE | {"linestyle": "-"})
    axes.annotate(
        f"capacity {touched_per_snapshot:,}",
        (touched_per_snapshot, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(4, -12),
        textcoords="offset points",
        color="#5a5a5a",
        fontsize=9,
    )
    for style, part in _styled(data, model):
        axes.plot(part["touched_per_snapshot"], part["lift"], **style)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylim(bottom=0)
    axes.set(xlabel="groups touched at each snapshot", ylabel="lift over the average group")
    axes.set_title("What the top of the list is worth")
    _finish(axes, legend="best")
    return figure


def precision_recall_data(rows: pd.DataFrame, probabilities: Mapping[str, Floats]) -> pd.DataFrame:
    """Precision and recall at the strictest thresholds that find 0.5 %, 1 %, ... 100 %.

    Args:
        rows: one row per scored snapshot, with converted (bool).
        probabilities: per method, shape (rows,); in [0, 1], in the order of `rows`.

    Returns:
        One row per method and threshold, from loose to strict: method, threshold, precision,
        recall. Without conversions there is nothing to find and the frame is empty.

    Raises:
        ValueError: there are no rows, a column is missing or a method does not fit `rows`.
    """
    _require(rows, probabilities, ("converted",))
    converted = rows["converted"].to_numpy(np.bool_)
    names = ["method", "threshold", "precision", "recall"]
    parts = [pd.DataFrame(columns=names)]
    for method, probability in probabilities.items() if converted.any() else ():
        precision, recall, threshold = precision_recall_curve(converted, probability)
        wanted = np.arange(1, POINTS + 1) / POINTS
        shown = np.unique(np.searchsorted(-recall[:-1], -wanted, side="right") - 1)
        columns = (threshold[shown], precision[shown], recall[shown])
        parts.append(pd.DataFrame(dict(zip(names, (method, *columns), strict=True))))
    return pd.concat(parts[1:] or parts, ignore_index=True)


def precision_recall(
    rows: pd.DataFrame, probabilities: Mapping[str, Floats], *, model: str = "mqbg"
) -> Figure:
    """Precision against recall, with the base rate that touching everyone reaches.

    Arguments and errors as `precision_recall_data`; `model` names the method to draw strongly.
    """
    data = precision_recall_data(rows, probabilities)
    rate = float(rows["converted"].mean())
    figure = Figure(figsize=(6.4, 4.6), layout="constrained")
    axes = figure.subplots()
    axes.axhline(rate, label=f"everyone ({rate:.1%})", **GUIDE)
    for style, part in _styled(data, model):
        # The area under these steps is the average precision, but for the points left out.
        recall = np.append(part["recall"], 0.0)
        precision = np.append(part["precision"], part["precision"].iloc[-1])
        axes.plot(recall, precision, drawstyle="steps-post", **style)
    axes.set(xlabel="recall: share of all conversions found", xlim=(0, 1))
    axes.set(ylabel="precision: share of chosen rows that converted", ylim=(0, None))
    axes.set_title("Precision and recall at every threshold")
    _finish(axes, legend="upper right")
    return figure


def _styled(data: pd.DataFrame, model: str) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Each method's rows and how to draw them; the model comes last and so lies on top."""
    methods = list(data["method"].unique())
    others = [method for method in methods if method != model]
    for number, method in enumerate(others):
        colour = OTHER_COLOURS[number % len(OTHER_COLOURS)]
        style = {"color": colour, "linewidth": 1.1, "markersize": 3.0, "label": method}
        yield style | {"zorder": 2}, data[data["method"] == method]
    if model in methods:
        style = {"color": MODEL_COLOUR, "linewidth": 2.4, "markersize": 5.0, "label": model}
        yield style | {"zorder": 3}, data[data["method"] == model]


def _finish(*axes: Axes, legend: str) -> None:
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
        one.grid(color="#ececec", linewidth=0.8)
        one.set_axisbelow(True)
    handles, labels = axes[0].get_legend_handles_labels()
    # Drawn last, named first: the model, the baselines, and at the end the guide.
    axes[0].legend(handles[::-1], labels[::-1], loc=legend, frameon=False, fontsize=9)


def _require(
    rows: pd.DataFrame, probabilities: Mapping[str, Floats], columns: tuple[str, ...]
) -> None:
    if missing := [name for name in columns if name not in rows.columns]:
        raise ValueError(f"a picture needs the columns {list(columns)}; missing: {missing}")
    if rows.empty or not probabilities:
        raise ValueError(
            "a picture needs at least one row and one method, "
            f"got {len(rows)} rows and {len(probabilities)} methods"
        )
    for method, probability in probabilities.items():
        if probability.shape != (len(rows),):
            raise ValueError(
                f"{method!r} must have one probability per row, ({len(rows)},); "
                f"got {probability.shape}"
            )
