"""The model's page: figures, how reliable its chances are, what each threshold would bring."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ...explain.language import Language
from ...features.declare.feature import Feature
from ...model.bundle import Bundle
from .curves import Axes, Chart, Curve, from_top, round_axis_end, ticks
from .training_record import TrainingRecord

MODEL_METHOD = "mqbg"  # the method that is the model itself
THRESHOLD_PANELS = ("per_week", "precision", "recall")
LIFT_ROWS = (1, 2, 5, 10, 20, 50, 100, 200)
THRESHOLD_ROWS = 20


@dataclass(frozen=True, slots=True)
class ChartWithTable:
    """A chart, and the figures it draws as a table: its text alternative.

    Attributes:
        name: key of its words.
        chart: the geometry.
        columns: keys of their words.
        rows: cells, formatted.
    """

    name: str
    chart: Chart
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def model_page(
    bundle: Bundle,
    figures: pd.DataFrame | None,
    record: TrainingRecord | None,
    threshold: float,
    language: Language,
) -> dict[str, Any]:
    """What the template of the model's page asks for.

    Args:
        bundle: the model.
        figures: of the training, as `train.evaluation.evaluate` returns them; the record's if
            None.
        record: what the registry keeps; None where it cannot be read.
        threshold: readiness from which groups qualify.
        language: the language.
    """
    known_record = record or TrainingRecord()
    return {
        "bundle": bundle,
        "themes": _features_by_theme(bundle),
        "populations": _by_population(known_record.figures if figures is None else figures),
        "pictures": _charts(known_record, language),
        "thresholds": _threshold_charts(known_record.thresholds, threshold, language),
        "record": record,
    }


def _features_by_theme(bundle: Bundle) -> dict[str, list[Feature]]:
    themes: dict[str, list[Feature]] = {}
    for feature in bundle.catalogue.features:
        themes.setdefault(feature.theme, []).append(feature)
    return themes


def _by_population(figures: pd.DataFrame | None) -> list[dict[str, Any]]:
    """The tidy frame as one table per population: its size, and per method (value, low, high)."""
    if figures is None or figures.empty:
        return []
    tables = []
    for population, in_population in figures.groupby("population", sort=False):
        columns = list(in_population["figure"].unique())
        methods = {
            method: [
                None if pd.isna(value) else (value, low, high)
                for value, low, high in rows.set_index("figure")
                .reindex(columns)[["value", "low", "high"]]
                .itertuples(index=False)
            ]
            for method, rows in in_population.groupby("method", sort=False)
        }
        size = {
            name: int(in_population[name].iloc[0]) for name in ("rows", "conversions", "accounts")
        }
        tables.append({"name": population, "columns": columns, "methods": methods, **size})
    return tables


def _charts(record: TrainingRecord, language: Language) -> list[ChartWithTable]:
    charts = []
    if record.reliability is not None and len(record.reliability):
        charts.append(_reliability(record.reliability, language))
    if record.lift is not None and len(record.lift):
        charts.append(_lift(record.lift, language))
    return charts


def _reliability(frame: pd.DataFrame, language: Language) -> ChartWithTable:
    """Predicted against observed shares, in bins; the model's with their intervals."""
    percent = language.formats.percent
    model_rows = frame[frame["method"] == MODEL_METHOD]
    largest = max(frame["predicted"].max(), model_rows["high"].max(), frame["observed"].max())
    end = round_axis_end(float(largest))
    axes = Axes(end, end)
    guide = Curve("perfect", "guide", axes.path([(0, 0), (end, end)]))
    curves = [
        Curve(
            method,
            style,
            axes.path(list(zip(part["predicted"], part["observed"], strict=True))),
            axes.points(_interval_points(part, "predicted", "observed", "low", "high"))
            if method == MODEL_METHOD
            else (),
        )
        for method, style, part in _methods_with_style(frame)
    ]
    axis = ticks(end, lambda value: percent(value, 0))
    return ChartWithTable(
        "reliability",
        Chart(axis, from_top(axis), (guide, *curves)),
        ("predicted", "observed", "interval", "snapshots_in_bin"),
        tuple(
            (
                percent(row["predicted"]),
                percent(row["observed"]),
                _format_range(row["low"], row["high"], percent, language),
                language.formats.whole(int(row["rows"])),
            )
            for row in model_rows.to_dict("records")
        ),
    )


def _lift(frame: pd.DataFrame, language: Language) -> ChartWithTable:
    """How many times more conversions the readiest groups hold than groups taken at random."""
    formats = language.formats
    axes = Axes(
        float(frame["touched_per_snapshot"].max()), round_axis_end(float(frame["lift"].max()))
    )
    curves = [
        Curve(method, style, axes.path(list(zip(part["touched_per_snapshot"], part["lift"],
                                               strict=True))))
        for method, style, part in _methods_with_style(frame)
    ]  # fmt: skip
    guide = Curve("random", "guide", axes.path([(0, 1), (axes.x_end, 1)]))
    model_rows = frame[frame["method"] == MODEL_METHOD].set_index("touched_per_snapshot")
    return ChartWithTable(
        "lift",
        Chart(
            ticks(axes.x_end, lambda value: formats.whole(round(value))),
            from_top(ticks(axes.y_end, formats.compact)),
            (guide, *curves),
        ),
        ("touched", "lift_of_touched", "recall_of_touched"),
        tuple(
            (
                formats.whole(touched),
                formats.decimal(model_rows["lift"][touched]),
                formats.percent(model_rows["recall"][touched]),
            )
            for touched in LIFT_ROWS
            if touched in model_rows.index
        ),
    )


def _threshold_charts(
    frame: pd.DataFrame | None, threshold: float, language: Language
) -> dict[str, Any] | None:
    """One chart for each of volume, precision and recall by the line, and their table."""
    if frame is None or frame.empty:
        return None
    language_formats = language.formats
    formats: dict[str, Callable[[float], str]] = {
        "per_week": language_formats.decimal,
        "precision": lambda value: language_formats.percent(value, 0),
        "recall": lambda value: language_formats.percent(value, 0),
    }
    panels = [
        (name, _panel(frame, name, threshold, formats[name], language))
        for name in THRESHOLD_PANELS
        if frame[name].notna().any()
    ]
    step = max(1, len(frame) // THRESHOLD_ROWS)
    rows = tuple(
        (
            language_formats.percent(row["readiness"]),
            *(
                f"{_or_dash(row[name], formats[name])} "
                "("
                + _format_range(row[f"{name}_low"], row[f"{name}_high"], formats[name], language)
                + ")"
                for name, _chart in panels
            ),
        )
        for row in frame.iloc[::step].to_dict("records")
    )
    return {"panels": panels, "columns": [name for name, _chart in panels], "rows": rows}


def _panel(
    frame: pd.DataFrame,
    name: str,
    threshold: float,
    label: Callable[[float], str],
    language: Language,
) -> Chart:
    known = frame[frame[name].notna()]
    high = known[f"{name}_high"].fillna(known[name])
    low = known[f"{name}_low"].fillna(known[name])
    axes = Axes(round_axis_end(float(known["readiness"].max())), round_axis_end(float(high.max())))
    xs = list(known["readiness"])
    return Chart(
        ticks(axes.x_end, lambda value: language.formats.percent(value, 0)),
        from_top(ticks(axes.y_end, language.formats.compact if name == "per_week" else label)),
        (Curve(name, "model", axes.path(list(zip(xs, known[name], strict=True)))),),
        band=axes.band(xs, list(low), list(high)),
        mark=axes.position(threshold, 0)[0] if threshold <= axes.x_end else None,
    )


def _methods_with_style(frame: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """Each method with its style and rows; the model comes last and so lies on top."""
    others = [method for method in frame["method"].unique() if method != MODEL_METHOD]
    styles = {method: f"other{number}" for number, method in enumerate(others)} | {
        MODEL_METHOD: "model"
    }
    return [
        (method, style, frame[frame["method"] == method])
        for method, style in styles.items()
        if (frame["method"] == method).any()
    ]


def _interval_points(frame: pd.DataFrame, *columns: str) -> list[tuple[float, float, float, float]]:
    return [
        (float(x), float(y), float(y if pd.isna(low) else low), float(y if pd.isna(high) else high))
        for x, y, low, high in frame[list(columns)].itertuples(index=False)
    ]


def _or_dash(value: float, format_value: Callable[[float], str]) -> str:
    return "\N{EN DASH}" if pd.isna(value) else format_value(value)


def _format_range(
    low: float, high: float, format_value: Callable[[float], str], language: Language
) -> str:
    until: str = language.word_tables["labels"]["range_to"]
    return f"{_or_dash(low, format_value)} {until} {_or_dash(high, format_value)}"
