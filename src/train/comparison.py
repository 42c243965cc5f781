"""The comparison that `mqbg train` prints: the model beside every baseline."""

from __future__ import annotations

import math

import pandas as pd
from rich import box
from rich.table import Table

from .evaluation import FIGURES, POPULATIONS
from .tracking import Logged
from .training import MODEL, Trained

WORDS = {
    "roc_auc": "ROC AUC",
    "average_precision": "average\nprecision",
    "log_loss": "log loss",
    "brier": "Brier",
    "ece": "calibration\nerror",
    "lift_at_capacity": "lift at\ncapacity",
    "recall_at_capacity": "recall at\ncapacity",
}


def comparison_table(trained: Trained) -> Table:
    """Figures of every method on the test part; the model's with their 95 % intervals."""
    split = trained.split
    table = Table(
        title=f"Test from {split.test_from:%Y-%m-%d} to {split.test[-1]:%Y-%m-%d}, "
        f"{len(trained.rows):,} snapshots, {int(trained.rows['converted'].sum()):,} converted",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("")
    for figure in FIGURES:
        table.add_column(WORDS[figure], justify="right")
    for population in POPULATIONS:
        part = trained.figures[trained.figures["population"] == population]
        _add_population(table, part, population)
    return table


def _add_population(table: Table, part: pd.DataFrame, population: str) -> None:
    sizes = part.iloc[0]
    table.add_section()
    table.add_row(
        f"[bold]{population}[/bold] ({sizes['rows']:,} rows, {sizes['accounts']:,} accounts)"
    )
    if not part["value"].notna().any():
        table.add_row("too few to measure")
        return
    values = part.set_index(["method", "figure"])
    for method in part["method"].unique():
        cells = [_cell(values.loc[(method, figure)], method == MODEL) for figure in FIGURES]
        table.add_row(method, *cells, style="bold" if method == MODEL else "")


def _cell(row: pd.Series, with_interval: bool) -> str:
    if not math.isfinite(row["value"]):
        return "-"
    text = f"{row['value']:.3f}"
    return text + f"\n{row['low']:.3f} to {row['high']:.3f}" if with_interval else text


def next_steps(trained: Trained, logged: Logged) -> str:
    """The verdict, the threshold, where the version is, and what to do with it."""
    threshold, name = trained.bundle.threshold, trained.bundle.settings.model.registered_name
    role = "and is the champion" if logged.champion else "beside the champion, which stays"
    return (
        f"{trained.verdict}\n"
        f"A group qualifies from readiness {threshold.readiness:.1%} and completeness "
        f"{threshold.completeness:.0%}: about {threshold.expected_per_week:.1f} a week.\n"
        f"Registered as {name} version {logged.version} {role}. Score with it: "
        f"mqbg score DATA --as-of {trained.split.test[-1]:%Y-%m-%d} --out scores"
        + ("" if logged.champion else f" --version {logged.version}")
    )
