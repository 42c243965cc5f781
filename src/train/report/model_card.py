"""The model card: what a version is, what it may be used for, how good it is, where it is weak.

Sections follow Mitchell et al., "Model Cards for Model Reporting" (2019), under the headings that
Hugging Face gives them. The card is generated from a training; it holds figures of groups and of
accounts together and nothing about a person.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from ..evaluate.bootstrap import METRICS, POPULATIONS
from ..evaluate.segments import ALL_ROWS
from ..evaluate.weak_segments import expected_false_alarms, find_weak_segments

METRIC_HEADINGS = {
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
    "log_loss": "log loss",
    "brier": "Brier",
    "ece": "calibration error",
    "lift_at_capacity": "lift at capacity",
    "recall_at_capacity": "recall at capacity",
}

SEGMENT_HEADINGS = {
    "roc_auc": "ROC AUC",
    "predicted": "predicted",
    "observed": "observed",
    "lift_at_capacity": "lift at capacity",
}
RATE_METRICS = ("predicted", "observed")

MARKDOWN_SPECIAL = re.compile(r"([\\`*_\[\]#|<>~&$])")
"""Characters that Markdown, or the HTML in it, reads as more than text."""

GENERAL_LIMITS = (
    (
        "It learned from the past of this one company. After a change of product, market, prices "
        "or of how activities are recorded, measure again before you trust it."
    ),
    (
        "What is not recorded does not exist for it: calls without a log entry, talks among "
        "members, budgets, a competitor's visit."
    ),
    (
        "The figures are those of the test part. The future may differ from it by more than the "
        "intervals say, which hold the chance of other accounts and not of other times."
    ),
)


@dataclass(frozen=True)
class SplitPart:
    """The snapshots that were trained on, or tested on.

    Attributes:
        first: the earliest cut-off.
        last: the latest cut-off.
        cutoffs: how many.
        rows: snapshots.
        conversions: of them.
    """

    first: datetime
    last: datetime
    cutoffs: int
    rows: int
    conversions: int


@dataclass(frozen=True)
class CardFacts:
    """All that a card says; sentences are plain text, not Markdown.

    Attributes:
        name: of the registered model.
        version: of the registered model; None before it has one.
        package_version: of mqbg.
        data: name of the data source; no path of a machine and no address with a password.
        fingerprint: of the data.
        target: the stage that counts as a conversion.
        horizon_days: within which it must come.
        train: what the trees and the calibrator learned from.
        test: what the figures are of.
        features: how many the trees read.
        trees: how many there are.
        touched_per_snapshot: groups that sales can take at each snapshot.
        model: the method of `figures` that this card is about.
        verdict: what the model adds over the best baseline.
        signal: whether there is anything to learn.
        figures: what `evaluation.evaluate` returned.
        differences: what `evaluation.differences` returned.
        segments: what `segments.evaluate_by_segment` returned.
        calibration: how the chances came about and how far to trust them, beside their mean.
        thresholds: which groups qualify, and what to expect of it.
        sample_size: effective sample size, and how far the rule score is blended in.
        findings: what the leak probes warn of.
        limits: what else to know, beside what is true of every version.
        refit: what the registered version learned from, where it is more than the judged one.
        linear_share: of a regression in the raw score beside the trees.
    """

    name: str
    version: str | None
    package_version: str
    data: str
    fingerprint: str
    target: str
    horizon_days: int
    train: SplitPart
    test: SplitPart
    features: int
    trees: int
    touched_per_snapshot: int
    model: str
    verdict: str
    signal: str
    figures: pd.DataFrame
    differences: pd.DataFrame
    segments: pd.DataFrame
    calibration: Sequence[str] = ()
    thresholds: Sequence[str] = ()
    sample_size: Sequence[str] = ()
    findings: Sequence[str] = ()
    limits: Sequence[str] = ()
    refit: str = ""
    linear_share: float = 0.0


def render_model_card(facts: CardFacts) -> str:
    """The card as Markdown, with a line break at its end; the same facts give the same text.

    Args:
        facts: of one training.
    """
    title = f"{facts.name} version {facts.version}" if facts.version else facts.name
    sections = (
        f"# Model card: {escape_markdown(title)}",
        f"{escape_markdown(facts.verdict)}\n\n{escape_markdown(facts.signal)}",
        _section("Model details", _details(facts)),
        _section("Intended use", _intended_use(facts)),
        _section("Out-of-scope use", _out_of_scope_use()),
        _section("How to get started", _getting_started(facts)),
        _section("Training data", _training_data(facts)),
        _section("Evaluation", _evaluation(facts)),
        _section("Calibration", _calibration(facts)),
        _section("Thresholds", _bullets(facts.thresholds, "None are published.")),
        _section("Sample size and blending", _bullets(facts.sample_size, "Not measured.")),
        _section("Segments", _segments(facts)),
        _section("Leaks", _bullets(facts.findings, "The leak probes found nothing.")),
        _section("Limits", _bullets((*facts.limits, *GENERAL_LIMITS), "")),
    )
    return "\n\n".join(sections) + "\n"


def escape_markdown(text: str) -> str:
    """Text on one line in which Markdown and HTML find nothing to read."""
    return MARKDOWN_SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _section(heading: str, body: str) -> str:
    return f"## {heading}\n\n{body}"


def _bullets(sentences: Iterable[str], otherwise: str) -> str:
    return "\n".join(f"- {escape_markdown(sentence)}" for sentence in sentences) or otherwise


def _details(facts: CardFacts) -> str:
    linear = (
        f" and, for {facts.linear_share:.0%} of the raw score, a penalised logistic regression"
        if facts.linear_share
        else ""
    )
    return (
        f"Gradient-boosted trees (LightGBM, {facts.trees:,} trees over {facts.features:,} "
        f"features){linear}, calibrated to chances, "
        f"made by mqbg {escape_markdown(facts.package_version)}. "
        "For a buying group (an account, a solution and the people who decide together) at an "
        "instant, it gives the chance that the group reaches the stage "
        f"{escape_markdown(facts.target)} within {facts.horizon_days} days. It reads only what was "
        "known before that instant."
    )


def _intended_use(facts: CardFacts) -> str:
    return _bullets(
        (
            (
                "Put open buying groups in the order in which sales and marketing should look at "
                f"them; the figures below suppose {facts.touched_per_snapshot:,} groups at each "
                "snapshot."
            ),
            (
                "Name the groups that are marketing qualified, by the thresholds below, with a "
                "person who may say no."
            ),
            "Show which roles are missing or silent, as a reason for a talk.",
        ),
        "",
    )


def _out_of_scope_use() -> str:
    return _bullets(
        (
            (
                "Not as a promise: what goes with conversion need not cause it. A group that does "
                "what likely groups do does not become likely by it."
            ),
            (
                "Not to decide about persons: neither to hire, pay, rate or profile a "
                "salesperson, nor to judge a contact outside the group's purchase."
            ),
            "Not for the data of another company, another stage or another horizon.",
            "Not to refuse an answer or a service to anybody.",
        ),
        "",
    )


def _getting_started(facts: CardFacts) -> str:
    version = facts.version or "VERSION"
    return (
        "```sh\n"
        f"mqbg score DATA --as-of {facts.test.last:%Y-%m-%d} --out scores --version {version}\n"
        "```\n\n"
        "```python\n"
        "import mlflow\n\n"
        f'model = mlflow.pyfunc.load_model("models:/{facts.name}/{version}")\n'
        "# features: a frame with the columns that `mqbg features` writes\n"
        'readiness = model.predict(features)["readiness"]\n'
        "```"
    )


def _training_data(facts: CardFacts) -> str:
    header = ("part", "first cut-off", "last cut-off", "cut-offs", "snapshots", "conversions")
    parts = (("training", facts.train), ("test", facts.test))
    rows = [
        (
            name,
            f"{part.first:%Y-%m-%d}",
            f"{part.last:%Y-%m-%d}",
            f"{part.cutoffs:,}",
            f"{part.rows:,}",
            f"{part.conversions:,} ({part.conversions / max(part.rows, 1):.1%})",
        )
        for name, part in parts
    ]
    return (
        f"Source {escape_markdown(facts.data)}, "
        f"fingerprint {escape_markdown(facts.fingerprint)}. A snapshot is one "
        "group at one cut-off. The test part lies after the training part with a gap of one "
        "horizon, so that no outcome of the one was open in the other.\n\n"
        + _table(header, rows)
        + (f"\n\n{escape_markdown(facts.refit)}" if facts.refit else "")
    )


def _evaluation(facts: CardFacts) -> str:
    parts = [
        (
            "On the test part; intervals hold 95 % of a bootstrap over accounts. Unseen accounts "
            "had no group in training. The interval of the calibration error lies high, because "
            "drawing adds an error of its own to every bin."
        )
    ]
    for population in POPULATIONS:
        part = facts.figures[facts.figures["population"] == population]
        if part.empty:
            continue
        sizes = part.iloc[0]
        parts.append(
            f"### {population.capitalize()}\n\n{sizes['rows']:,} rows, {sizes['conversions']:,} "
            f"conversions, {sizes['accounts']:,} accounts."
        )
        parts.append(_figures(part, facts.model))
        gains = facts.differences[facts.differences["population"] == population]
        if gains["value"].notna().any():
            parts.append(
                f"What {escape_markdown(facts.model)} has more than each (for log loss, Brier and "
                "calibration error, less is better):\n\n" + _differences(gains)
            )
    return "\n\n".join(parts)


def _figures(part: pd.DataFrame, model: str) -> str:
    if not part["value"].notna().any():
        return "Too few to measure."
    cells = part.set_index(["method", "figure"])
    methods = sorted(part["method"].unique(), key=lambda method: method != model)
    rows = [
        (escape_markdown(method), *(_interval(cells.loc[(method, figure)]) for figure in METRICS))
        for method in methods
    ]
    return _table(("method", *(METRIC_HEADINGS[figure] for figure in METRICS)), rows)


def _differences(part: pd.DataFrame) -> str:
    cells = part.set_index(["against", "figure"])
    rows = [
        (
            escape_markdown(other),
            *(_interval(cells.loc[(other, figure)], "+") for figure in METRICS),
        )
        for other in part["against"].unique()
    ]
    return _table(("against", *(METRIC_HEADINGS[figure] for figure in METRICS)), rows)


def _calibration(facts: CardFacts) -> str:
    segment_figures = facts.segments
    everything = segment_figures[segment_figures["segment"] == ALL_ROWS].set_index("figure")[
        "value"
    ]
    measured = [everything.get(name, math.nan) for name in RATE_METRICS]
    sentences = list(facts.calibration)
    if all(map(math.isfinite, measured)):
        predicted, observed = measured
        sentences.insert(
            0, f"On the test part the mean chance was {predicted:.1%} and {observed:.1%} converted."
        )
    return _bullets(sentences, "Not measured.")


def _segments(facts: CardFacts) -> str:
    segment_figures = facts.segments
    if segment_figures.empty:
        return "Nothing was judged by segment."
    weak = find_weak_segments(segment_figures)
    false_alarms = expected_false_alarms(segment_figures)
    return "\n\n".join(
        (
            (
                "Where the model ranks worse than its own chances say it should, or its chances "
                "are off, by more than luck explains:"
            ),
            _bullets((one.sentence for one in weak), "No segment differs."),
            (
                f"Were all chances true, about {false_alarms:.1f} segments would be named above "
                "all the same. A dash marks what is too small to judge."
            ),
            _segment_table(segment_figures),
        )
    )


def _segment_table(segment_figures: pd.DataFrame) -> str:
    sizes_shown = ("rows", "conversions", "groups", "accounts")
    rows = []
    for (segment, part), figures in segment_figures.groupby(["segment", "part"], sort=False):
        cells = {row["figure"]: row for _, row in figures.iterrows()}
        sizes = figures.iloc[0]
        shown = (_segment_cell(name, cells[name]) for name in SEGMENT_HEADINGS)
        counts = (f"{sizes[name]:,}" for name in sizes_shown)
        rows.append((escape_markdown(str(segment)), escape_markdown(str(part)), *counts, *shown))
    return _table(("segment", "value", *sizes_shown, *SEGMENT_HEADINGS.values()), rows)


def _segment_cell(figure: str, row: pd.Series) -> str:
    if figure in RATE_METRICS and math.isfinite(row["value"]):
        return f"{row['value']:.1%}"
    return _interval(row)


def _interval(row: pd.Series, sign: str = "") -> str:
    """A figure with its interval, as far as there is one."""
    if not math.isfinite(row["value"]):
        return "–"
    # z: no minus before zero.
    value, low, high = (f"{row[name]:{sign}z.3f}" for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})" if math.isfinite(row["low"]) else value


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    separator = ["---"] * len(header)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, separator, *rows))
