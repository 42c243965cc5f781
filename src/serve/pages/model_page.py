"""The model's page: figures, how reliable its chances are, what each threshold would bring."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ...explain.language import Words
from ...features.declare.feature import Feature
from ...model.bundle import Bundle
from .curves import Box, Chart, Curve, from_the_top, round_end, ticks
from .training_record import Record

MODEL = "mqbg"  # the method that is the model itself
THRESHOLD_PANELS = ("per_week", "precision", "recall")
LIFT_ROWS = (1, 2, 5, 10, 20, 50, 100, 200)
THRESHOLD_ROWS = 20


@dataclass(frozen=True, slots=True)
class Picture:
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
    record: Record | None,
    line: float,
    words: Words,
) -> dict[str, Any]:
    """What the template of the model's page asks for.

    Args:
        bundle: the model.
        figures: of the training, as `train.evaluation.evaluate` returns them; the record's if
            None.
        record: what the registry keeps; None where it cannot be read.
        line: readiness from which groups qualify.
        words: the language.
    """
    kept = record or Record()
    return {
        "bundle": bundle,
        "themes": _features_by_theme(bundle),
        "populations": _by_population(kept.figures if figures is None else figures),
        "pictures": _pictures(kept, words),
        "thresholds": _thresholds(kept.thresholds, line, words),
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
    for population, part in figures.groupby("population", sort=False):
        columns = list(part["figure"].unique())
        methods = {
            method: [
                None if pd.isna(value) else (value, low, high)
                for value, low, high in of.set_index("figure")
                .reindex(columns)[["value", "low", "high"]]
                .itertuples(index=False)
            ]
            for method, of in part.groupby("method", sort=False)
        }
        size = {name: int(part[name].iloc[0]) for name in ("rows", "conversions", "accounts")}
        tables.append({"name": population, "columns": columns, "methods": methods, **size})
    return tables


def _pictures(record: Record, words: Words) -> list[Picture]:
    found = []
    if record.reliability is not None and len(record.reliability):
        found.append(_reliability(record.reliability, words))
    if record.lift is not None and len(record.lift):
        found.append(_lift(record.lift, words))
    return found


def _reliability(frame: pd.DataFrame, words: Words) -> Picture:
    """Predicted against observed shares, in bins; the model's with their intervals."""
    percent = words.formats.percent
    own = frame[frame["method"] == MODEL]
    largest = max(frame["predicted"].max(), own["high"].max(), frame["observed"].max())
    end = round_end(float(largest))
    box = Box(end, end)
    guide = Curve("perfect", "guide", box.path([(0, 0), (end, end)]))
    curves = [
        Curve(
            method,
            style,
            box.path(list(zip(part["predicted"], part["observed"], strict=True))),
            box.points(_rows(part, "predicted", "observed", "low", "high"))
            if method == MODEL
            else (),
        )
        for method, style, part in _styled(frame)
    ]
    axis = ticks(end, lambda value: percent(value, 0))
    return Picture(
        "reliability",
        Chart(axis, from_the_top(axis), (guide, *curves)),
        ("predicted", "observed", "interval", "snapshots_in_bin"),
        tuple(
            (
                percent(row["predicted"]),
                percent(row["observed"]),
                _range(row["low"], row["high"], percent, words),
                words.formats.whole(int(row["rows"])),
            )
            for row in own.to_dict("records")
        ),
    )


def _lift(frame: pd.DataFrame, words: Words) -> Picture:
    """How many times more conversions the readiest groups hold than groups taken at random."""
    write = words.formats
    box = Box(float(frame["touched_per_snapshot"].max()), round_end(float(frame["lift"].max())))
    curves = [
        Curve(method, style, box.path(list(zip(part["touched_per_snapshot"], part["lift"],
                                               strict=True))))
        for method, style, part in _styled(frame)
    ]  # fmt: skip
    guide = Curve("random", "guide", box.path([(0, 1), (box.x_end, 1)]))
    own = frame[frame["method"] == MODEL].set_index("touched_per_snapshot")
    return Picture(
        "lift",
        Chart(
            ticks(box.x_end, lambda value: write.whole(round(value))),
            from_the_top(ticks(box.y_end, write.brief)),
            (guide, *curves),
        ),
        ("touched", "lift_of_touched", "recall_of_touched"),
        tuple(
            (
                write.whole(touched),
                write.decimal(own["lift"][touched]),
                write.percent(own["recall"][touched]),
            )
            for touched in LIFT_ROWS
            if touched in own.index
        ),
    )


def _thresholds(frame: pd.DataFrame | None, line: float, words: Words) -> dict[str, Any] | None:
    """One chart for each of volume, precision and recall by the line, and their table."""
    if frame is None or frame.empty:
        return None
    write = words.formats
    formats: dict[str, Callable[[float], str]] = {
        "per_week": write.decimal,
        "precision": lambda value: write.percent(value, 0),
        "recall": lambda value: write.percent(value, 0),
    }
    panels = [
        (name, _panel(frame, name, line, formats[name], words))
        for name in THRESHOLD_PANELS
        if frame[name].notna().any()
    ]
    step = max(1, len(frame) // THRESHOLD_ROWS)
    rows = tuple(
        (
            write.percent(row["readiness"]),
            *(
                f"{_or_dash(row[name], formats[name])} "
                f"({_range(row[f'{name}_low'], row[f'{name}_high'], formats[name], words)})"
                for name, _chart in panels
            ),
        )
        for row in frame.iloc[::step].to_dict("records")
    )
    return {"panels": panels, "columns": [name for name, _chart in panels], "rows": rows}


def _panel(
    frame: pd.DataFrame, name: str, line: float, label: Callable[[float], str], words: Words
) -> Chart:
    known = frame[frame[name].notna()]
    high = known[f"{name}_high"].fillna(known[name])
    low = known[f"{name}_low"].fillna(known[name])
    box = Box(round_end(float(known["readiness"].max())), round_end(float(high.max())))
    xs = list(known["readiness"])
    return Chart(
        ticks(box.x_end, lambda value: words.formats.percent(value, 0)),
        from_the_top(ticks(box.y_end, words.formats.brief if name == "per_week" else label)),
        (Curve(name, "model", box.path(list(zip(xs, known[name], strict=True)))),),
        band=box.band(xs, list(low), list(high)),
        mark=box.place(line, 0)[0] if line <= box.x_end else None,
    )


def _styled(frame: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """Each method with its style and rows; the model comes last and so lies on top."""
    others = [method for method in frame["method"].unique() if method != MODEL]
    styles = {method: f"other{place}" for place, method in enumerate(others)} | {MODEL: "model"}
    return [
        (method, style, frame[frame["method"] == method])
        for method, style in styles.items()
        if (frame["method"] == method).any()
    ]


def _rows(frame: pd.DataFrame, *columns: str) -> list[tuple[float, float, float, float]]:
    return [
        (float(x), float(y), float(y if pd.isna(low) else low), float(y if pd.isna(high) else high))
        for x, y, low, high in frame[list(columns)].itertuples(index=False)
    ]


def _or_dash(value: float, write: Callable[[float], str]) -> str:
    return "\N{EN DASH}" if pd.isna(value) else write(value)


def _range(low: float, high: float, write: Callable[[float], str], words: Words) -> str:
    until: str = words.words["labels"]["range_to"]
    return f"{_or_dash(low, write)} {until} {_or_dash(high, write)}"
