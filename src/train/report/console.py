"""What `mqbg train` and `mqbg probe` print: baselines, themes, findings, what to do next."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
from rich import box
from rich.markup import escape
from rich.table import Table

from ..data.leak_findings import REMEDIES, Finding
from ..evaluate.ablation import GAIN_SIGNS
from ..evaluate.comparison import METRICS, POPULATIONS
from ..evaluate.evaluation import MODEL
from ..evaluate.weak_segments import find_weak_segments
from ..fit.shrinkage import describe_blend
from ..training import TrainingResult
from .card_facts import refit_sentence, threshold_sentences
from .mlflow_logging import LoggedRun

METRIC_HEADINGS = {
    "roc_auc": "ROC AUC",
    "average_precision": "average\nprecision",
    "log_loss": "log loss",
    "brier": "Brier",
    "ece": "calibration\nerror",
    "lift_at_capacity": "lift at\ncapacity",
    "recall_at_capacity": "recall at\ncapacity",
}


def comparison_table(trained: TrainingResult) -> Table:
    """Figures of every method on the test part; the model's with their 95 % intervals."""
    split, rows = trained.split, trained.evaluation.rows
    table = Table(
        title=f"Test from {split.test_from:%Y-%m-%d} to {split.test[-1]:%Y-%m-%d}, "
        f"{len(rows):,} snapshots, {int(rows['converted'].sum()):,} converted",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("")
    for figure in METRICS:
        table.add_column(METRIC_HEADINGS[figure], justify="right")
    for population in POPULATIONS:
        part = trained.evaluation.figures[trained.evaluation.figures["population"] == population]
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
        cells = [_cell(values.loc[(method, figure)], method == MODEL) for figure in METRICS]
        table.add_row(method, *cells, style="bold" if method == MODEL else "")


def _cell(row: pd.Series, with_interval: bool) -> str:
    if not math.isfinite(row["value"]):
        return "-"
    text = f"{row['value']:.3f}"
    return text + f"\n{row['low']:.3f} to {row['high']:.3f}" if with_interval else text


def ablation_table(ablation: pd.DataFrame) -> Table:
    """What each theme adds on the test part, with 95 % intervals, the best first.

    Its size is its number of features.
    """
    table = Table(
        title="What the model loses without a theme",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=0,  # so that 80 columns hold it; the box parts the columns
    )
    table.add_column("theme left out", no_wrap=True)
    table.add_column("size", justify="right")
    for figure in GAIN_SIGNS:
        table.add_column(f"{METRIC_HEADINGS[figure]}\nwithout", justify="right", no_wrap=True)
    for figure in GAIN_SIGNS:
        table.add_column(
            f"{METRIC_HEADINGS[figure]} gain\nby the theme", justify="right", no_wrap=True
        )
    for _, row in ablation.sort_values("roc_auc_gain", ascending=False, kind="stable").iterrows():
        table.add_row(
            row["theme"],
            str(row["features"]),
            *(_number(row[figure]) for figure in GAIN_SIGNS),
            *(_gain(row, f"{figure}_gain") for figure in GAIN_SIGNS),
        )
    return table


def _number(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "-"


def _gain(row: pd.Series, name: str) -> str:
    parts = [row[name + suffix] for suffix in ("", "_low", "_high")]
    if not all(map(math.isfinite, parts)):
        return "-"
    value, low, high = (f"{part:z.3f}" for part in parts)
    return f"{value}\n{low} to {high}"


def findings_table(findings: Sequence[Finding]) -> Table:
    """What the leak probes found, and what to do about it."""
    table = Table(
        title="What may leak",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        show_lines=True,
    )
    for name, width in (("probe", 14), ("thing", 20), ("figure", 12)):
        table.add_column(name, overflow="fold", max_width=width)
    table.add_column("what to do")
    for finding in findings:
        # The names are the data's: nothing in them is markup.
        thing = escape(finding.thing)
        table.add_row(finding.probe, thing, finding.shown, REMEDIES[finding.probe])
    return table


def horizons_table(trained: TrainingResult) -> Table:
    """What the readiness of every horizon is worth, with 95 % intervals."""
    table = Table(title="By horizon, all accounts", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("days", justify="right")
    for figure in METRICS:
        table.add_column(METRIC_HEADINGS[figure], justify="right")
    figures = trained.evaluation.horizons
    everybody = figures[figures["population"] == POPULATIONS[0]]
    for days, part in everybody.groupby("horizon_days"):
        table.add_row(str(days), *_cells_with_intervals(part))
    return table


def monotone_table(directions: pd.DataFrame) -> Table:
    """What holding the plausible directions changes, with 95 % intervals."""
    table = Table(
        title="What holding the plausible directions changes", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for name in METRICS:
        table.add_column(METRIC_HEADINGS[name], justify="right")
    table.add_row(*_cells_with_intervals(directions))
    return table


def _cells_with_intervals(part: pd.DataFrame) -> list[str]:
    """A cell for each figure, with its interval."""
    rows = {row["figure"]: row for _, row in part.iterrows()}
    return [_cell(rows[figure], True) for figure in METRICS]


def weak_segment_sentences(trained: TrainingResult) -> tuple[str, ...]:
    """Where the model is weak, a sentence each."""
    weak = find_weak_segments(trained.evaluation.segments)
    return tuple(segment.sentence for segment in weak)


def next_steps(trained: TrainingResult, logged: LoggedRun) -> str:
    """The verdict, the threshold, where the version is, and what to do with it."""
    sentences = [trained.evaluation.verdict]
    if blend_sentence := describe_blend(
        trained.bundle.blend, trained.bundle.settings.model.few_conversions
    ):
        sentences.append(blend_sentence)
    if logged.version is None:
        sentences.append(
            f"Nothing was registered and no threshold is published; the run {logged.run_id} in "
            "MLflow has every figure. Look at the data (`mqbg probe`, `mqbg check`), or bring more."
        )
        return "\n".join(sentences)
    role = "and is the champion" if logged.champion else "beside the champion, which stays"
    promote = "" if logged.champion else f" Make it champion: mqbg promote {logged.version}"
    return "\n".join(
        (
            *sentences,
            *((refit_sentence(trained),) if trained.refit else ()),
            *threshold_sentences(trained),
            f"Registered as {logged.name} version {logged.version} {role}. Score with it: "
            f"mqbg score DATA --as-of {trained.split.test[-1]:%Y-%m-%d} --out scores"
            + ("" if logged.champion else f" --version {logged.version}.{promote}"),
        )
    )
