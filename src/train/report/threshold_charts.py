"""The curve of a threshold, drawn: what every line would bring, and where it was drawn.

Its data is the frame of `yields.threshold_curve`; the look is that of `figures`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .charts import BASELINE_COLOURS, GUIDE_STYLE, MODEL_COLOUR

PANELS = (
    ("per_week", "newly qualified a week", MODEL_COLOUR),
    ("precision", "share that converts", BASELINE_COLOURS[1]),
    ("recall", "share of conversions found", BASELINE_COLOURS[2]),
    ("value_per_week", "value a week", BASELINE_COLOURS[0]),
)


def plot_threshold_curve(curve: pd.DataFrame, *, readiness: float) -> Figure:
    """Volume, precision, recall and value by the line, each in its band of 95 %.

    Args:
        curve: frame of `yields.threshold_curve`; value is left out where it is nowhere known.
        readiness: the line that was chosen, to be marked; one above 1 is not drawn.

    Raises:
        ValueError: the curve has no lines.
    """
    if curve.empty:
        raise ValueError(
            "the curve of a threshold needs at least one line, got none: no row is complete enough"
        )
    panels = [panel for panel in PANELS if curve[panel[0]].notna().any()]
    figure = Figure(figsize=(6.4, 1.0 + 1.7 * len(panels)), layout="constrained")
    rows = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, label, colour) in zip(rows, panels, strict=True):
        _draw_panel(axes, curve, name, label, colour)
        if readiness <= 1:
            axes.axvline(readiness, **GUIDE_STYLE | {"linestyle": "-"})
    if readiness <= 1:
        rows[0].annotate(
            f"line {readiness:.1%}",
            (readiness, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(4, -12),
            textcoords="offset points",
            color="#5a5a5a",
            fontsize=9,
        )
    rows[0].set_title("What every line would bring")
    rows[-1].set(xlabel="readiness from which groups qualify", xlim=(0, None))
    rows[-1].xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    return figure


def _draw_panel(axes: Axes, curve: pd.DataFrame, name: str, label: str, colour: str) -> None:
    x = curve["readiness"].to_numpy(np.float64)
    low, high = curve[f"{name}_low"].to_numpy(), curve[f"{name}_high"].to_numpy()
    axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
    axes.plot(x, curve[name], color=colour, linewidth=2.0)
    axes.set_ylabel(label, fontsize=9)
    if name in ("precision", "recall"):
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    else:
        axes.yaxis.set_major_formatter("{x:,g}")
    if name != "value_per_week":
        axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#ececec", linewidth=0.8)
    axes.set_axisbelow(True)
