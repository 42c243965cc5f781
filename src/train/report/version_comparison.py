"""What `mqbg compare` shows: trainings side by side, their paired differences, the moves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
from rich import box
from rich.markup import escape
from rich.table import Table

from ...model.registry import RecordedChange
from ..evaluate.comparison import METRICS
from .mlflow_versions import LoggedTraining
from .paired_differences import TARGET_PARAMETERS, PairedComparison

METRIC_HEADINGS = {
    "roc_auc": "ROC AUC",
    "average_precision": "average\nprecision",
    "log_loss": "log loss",
    "ece": "calibration\nerror",
    "lift_at_capacity": "lift at\ncapacity",
}
MAX_NAMED_FEATURES = 5  # features that a sentence names; the JSON file has them all


def trainings_table(trainings: Sequence[LoggedTraining]) -> Table:
    """When and on what each was trained."""
    table = _table("Trainings, the latest first", ("", "trained", "data", "test period"))
    for heading in ("test\nrows", "features"):
        table.add_column(heading, justify="right")
    for one in trainings:
        table.add_row(
            _training_label(one),
            f"{one.trained_at:%Y-%m-%d %H:%M}",
            escape(one.tags.get("data", "-")),
            f"{one.parameters.get('test_from', '-')} to {one.parameters.get('test_to', '-')}",
            _count(one.figures, "rows"),
            str(len(one.features)) if one.features else "-",
        )
    return table


def figures_table(trainings: Sequence[LoggedTraining]) -> Table:
    """The figures of each on its own test part, with 95 % intervals."""
    title = "Figures, each on its own test part"
    if len({(one.parameters.get("test_from"), one.tags.get("data")) for one in trainings}) > 1:
        title += "; the parts differ, so only the paired differences compare"
    table = _table(title, ("",))
    for heading in METRIC_HEADINGS.values():
        table.add_column(heading, justify="right", no_wrap=True)
    for one in trainings:
        table.add_row(
            _training_label(one), *(_cell(one.figures, figure) for figure in METRIC_HEADINGS)
        )
    return table


def _training_label(training: LoggedTraining) -> str:
    return f"[bold]{training.name}\nchampion[/bold]" if training.champion else training.name


def differences_table(pairs: Sequence[PairedComparison]) -> Table | None:
    """The paired differences of those that can be compared; None if nothing can."""
    comparable = [one for one in pairs if not one.obstacle]
    if not comparable:
        return None
    against = comparable[0].reference.name
    table = _table(f"Differences to {against} on the test rows that both have", ("",))
    table.add_column("rows,\nof them\nconverted", justify="right")
    for heading in METRIC_HEADINGS.values():
        table.add_column(heading, justify="right", no_wrap=True)
    for one in comparable:
        table.add_row(
            one.candidate.name,
            f"{one.rows:,}\n{one.conversions:,}",
            *(_cell(one.figures, figure, sign="+") for figure in METRIC_HEADINGS),
        )
    return table


def comparison_notes(pairs: Sequence[PairedComparison]) -> list[str]:
    """A sentence per pair that cannot be compared, reads other features, or has other outcomes."""
    sentences = []
    for one in pairs:
        if one.obstacle:
            sentences.append(
                f"{_capitalised(one.candidate.name)} and {one.reference.name} cannot be compared: "
                f"{one.obstacle}."
            )
        sentences += [text for text in (feature_sentence(one), revised_sentence(one)) if text]
    return sentences


def feature_sentence(paired: PairedComparison) -> str:
    """Which features only one of the two reads; empty where they read the same."""
    ours, theirs = paired.candidate, paired.reference
    if not ours.features or not theirs.features:
        unnamed = ours.name if not ours.features else theirs.name
        return f"The run of {unnamed} does not say which features it reads."
    parts = [
        f"{name} reads {len(names)} that {other} does not ({_listed_names(names)})"
        for name, other, names in (
            (ours.name, theirs.name, paired.only_in_candidate),
            (theirs.name, ours.name, paired.only_in_reference),
        )
        if names
    ]
    return f"Features: {'; '.join(parts)}." if parts else ""


def revised_sentence(paired: PairedComparison) -> str:
    """How many shared rows have another outcome in the two; empty where none has."""
    if not paired.revised_outcomes:
        return ""
    return (
        f"{paired.revised_outcomes:,} rows that {paired.candidate.name} and "
        f"{paired.reference.name} share have another outcome in the later training; "
        "that one counts."
    )


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _listed_names(names: Sequence[str]) -> str:
    rest = len(names) - MAX_NAMED_FEATURES
    return ", ".join(names[:MAX_NAMED_FEATURES]) + (f" and {rest} more" if rest > 0 else "")


def moves_table(moves: Sequence[RecordedChange]) -> Table:
    """Every recorded move of the champion, the latest first."""
    headings = ("", "when (UTC)", "by", "move", "from", "to", "why")
    table = _table("Moves of the champion, the latest first", headings)
    for one in reversed(moves):
        table.add_row(
            str(one.number),
            f"{one.change.at:%Y-%m-%d %H:%M}",
            escape(one.change.by),
            escape(one.change.action) + (" (forced)" if one.change.forced else ""),
            escape(one.previous or "-"),
            escape(one.version),
            escape(one.change.why or "-"),
        )
    return table


def _table(title: str, headings: Sequence[str]) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for heading in headings:
        table.add_column(heading)
    return table


def _count(figures: pd.DataFrame, column: str) -> str:
    return "-" if figures.empty else f"{figures[column].iloc[0]:,.0f}"


def _cell(figures: pd.DataFrame, figure: str, sign: str = "") -> str:
    """A figure over the two ends of its interval: in one line, five of them need 90 columns."""
    if figure not in figures.index:
        return "-"
    value, low, high = (float(figures[part][figure]) for part in ("value", "low", "high"))
    if not math.isfinite(value):
        return "-"
    return f"{value:{sign}z.3f}\n{low:{sign}z.3f} to\n{high:{sign}z.3f}"


def move_json(recorded: RecordedChange) -> dict[str, Any]:
    """A move as JSON holds it."""
    move = recorded.change
    return {
        "number": recorded.number,
        "action": move.action,
        "by": move.by,
        "at": move.at.isoformat(timespec="seconds"),
        "why": move.why,
        "from": recorded.previous,
        "to": recorded.version,
        "forced": move.forced,
        "figures": dict(move.figures),
    }


def training_json(training: LoggedTraining) -> dict[str, Any]:
    """A training as JSON holds it; a figure that could not be measured is null."""
    return {
        "name": training.name,
        "version": training.version,
        "champion": training.champion,
        "run_id": training.run_id,
        "trained_at": training.trained_at.isoformat(timespec="seconds"),
        "data": training.tags.get("data"),
        "data_fingerprint": training.tags.get("data_fingerprint"),
        "signal": training.tags.get("signal"),
        "verdict": training.tags.get("verdict"),
        "mqbg_version": training.tags.get("mqbg_version"),
        "target": {
            key.partition(".")[2]: training.parameters.get(key) for key in TARGET_PARAMETERS
        },
        "test_from": training.parameters.get("test_from"),
        "test_to": training.parameters.get("test_to"),
        "features": len(training.features),
        "figures": figures_json(training.figures),
    }


def comparison_json(paired: PairedComparison) -> dict[str, Any]:
    """A comparison as JSON holds it."""
    return {
        "name": paired.candidate.name,
        "against": paired.reference.name,
        "obstacle": paired.obstacle or None,
        "rows": paired.rows,
        "conversions": paired.conversions,
        "accounts": paired.accounts,
        "revised_outcomes": paired.revised_outcomes,
        "differences": figures_json(paired.figures),
        "features_only_here": list(paired.only_in_candidate),
        "features_only_there": list(paired.only_in_reference),
    }


def figures_json(figures: pd.DataFrame) -> dict[str, dict[str, float | None]]:
    """Per figure its columns; None for what is no number."""
    known = [name for name in METRICS if name in figures.index]
    return {
        name: {column: _number(figures[column][name]) for column in figures.columns}
        for name in known
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
