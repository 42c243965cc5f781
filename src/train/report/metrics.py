"""A training as numbers: tags, parameters, metrics, and the tree that `--json` writes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from ...settings import settings_values
from ..data.leak_findings import Finding
from ..evaluate.bootstrap import CAPACITY_METRICS, RANKING_METRICS
from ..evaluate.comparison import POPULATIONS
from ..evaluate.evaluation import MODEL
from ..evaluate.forecast_check import checks_json
from ..fit.shrinkage import describe_blend as sample_sentence
from ..fit.tuning import TuningResult
from ..training import TrainingResult

MAX_HEADLINE_METRICS = 40
"""On a run, so that MLflow's list of runs can be read; all others are in the run's table."""


def run_name(trained: TrainingResult, data: str) -> str:
    """What a person looks for a run by: the data, and the newest day of which it learned."""
    place = data.rstrip("/").rpartition("/")[2].partition("?")[0]
    return f"{place} {trained.bundle.training.last_as_of:%Y-%m-%d}"


def run_tags(trained: TrainingResult, data: str, package_version: str) -> dict[str, str]:
    """What a run is found by."""
    return {
        "data": data,
        "data_fingerprint": trained.bundle.training.fingerprint,
        "mqbg_version": package_version,
        "verdict": trained.evaluation.verdict,
        "signal": "found" if trained.evaluation.signal.found else "none",
        "leak_findings": str(len(trained.findings)),
    }


def run_parameters(trained: TrainingResult) -> dict[str, Any]:
    """What was chosen: LightGBM's parameters, settings, split, sizes."""
    by_section = settings_values(trained.bundle.settings)
    # Kinds and roles are long and are in settings.json; a parameter holds one value.
    sections = ("target", "snapshots", "thresholds", "model", "explain", "probe")
    flat = {
        f"{section}.{key}": value
        for section in sections
        for key, value in by_section[section].items()
    }
    split, bundle, fitted = trained.split, trained.bundle, trained.registered.fitted_trees
    judged, chosen = trained.learned.bundle.training, trained.registered.calibrator_choice
    boosting = {} if fitted is None else fitted.parameters
    return {
        **{f"lightgbm.{key}": value for key, value in boosting.items()},
        **flat,
        "trees": fitted.rounds if fitted else 0,
        "features": len(bundle.catalogue.feature_names),
        "calibrator": chosen.name if chosen else "none",
        "trees_share": bundle.blend.trees_share,
        "linear_share": bundle.linear.share if bundle.linear else 0.0,
        "effective_conversions": bundle.blend.effective_conversions,
        "train_from": f"{split.train[0]:%Y-%m-%d}",
        "train_to": f"{split.train[-1]:%Y-%m-%d}",
        "test_from": f"{split.test_from:%Y-%m-%d}",
        "test_to": f"{split.test[-1]:%Y-%m-%d}",
        "train_rows": judged.rows,
        "train_conversions": judged.conversions,
        "refit_rows": bundle.training.rows if trained.refit else 0,
        "refit_conversions": bundle.training.conversions if trained.refit else 0,
        "touched_per_snapshot": trained.touched_per_snapshot,
    }


def headline_metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    """The figures by which runs are compared, at most `MAX_HEADLINE_METRICS` of them.

    Args:
        metrics: all of them, as `run_metrics` gives them.
    """
    model = [f"{name}{end}" for name in RANKING_METRICS for end in ("", "_low", "_high")]
    unseen = [f"{name} unseen accounts" for name in ("roc_auc", "average_precision")]
    decided = [name for name in metrics if name in ("threshold", "leak_findings")]
    estimated = [
        name
        for name in metrics
        if name.startswith(("kept.", "promised.")) and not name.endswith(("_low", "_high"))
    ]
    baselines = [name for name in metrics if name.endswith("/roc_auc")]
    wanted = [*model, *CAPACITY_METRICS, *unseen, *decided, *estimated, *baselines]
    found = {name: metrics[name] for name in wanted if name in metrics}
    return dict(list(found.items())[:MAX_HEADLINE_METRICS])


def run_metrics(trained: TrainingResult) -> dict[str, float]:
    """Every figure that is a number, by a name that every MLflow store takes."""
    bundle, chosen, realised = (
        trained.bundle,
        trained.learned.calibrator_choice,
        trained.evaluation.realised,
    )
    found = {
        **figure_metrics(trained.evaluation.figures),
        **horizon_metrics(trained.evaluation.horizons),
        **ablation_metrics(trained.ablation),
        **monotone_metrics(trained.monotone_cost),
        "leak_findings": float(len(trained.findings)),
        "threshold": bundle.thresholds.pooled_at(trained.split.cutoffs[-1]),
        **_estimate_metrics("kept", asdict(realised)),
        **{
            f"forecast_held.{check.measure}": float(check.held)
            for check in trained.evaluation.forecast_checks
        },
    }
    if bundle.thresholds.forecast is not None:
        found |= _estimate_metrics("promised", asdict(bundle.thresholds.forecast))
    if chosen is not None:
        found |= {f"held_out_log_loss.{name}": loss for name, loss in chosen.log_loss.items()}
        found["held_out_log_loss.base_rate"] = chosen.base_log_loss
    return found


def figure_metrics(figures: pd.DataFrame) -> dict[str, float]:
    """Every figure with its interval: `roc_auc`, `roc_auc_low`, `logistic regression/roc_auc`.

    The model's figures on all accounts have plain names; a baseline's begin with its name, those
    on unseen accounts end with it. Figures that could not be measured are left out.
    """
    found: dict[str, float] = {}
    for row in figures.to_dict(orient="records"):
        method = "" if row["method"] == MODEL else str(row["method"]) + "/"
        where = "" if row["population"] == POPULATIONS[0] else " unseen accounts"
        found |= _with_interval(f"{method}{row['figure']}", row, where)
    return found


def horizon_metrics(horizons: pd.DataFrame) -> dict[str, float]:
    """`horizon_30d.roc_auc` and its ends, of each horizon, on all accounts."""
    found: dict[str, float] = {}
    for row in horizons.to_dict(orient="records"):
        if row["population"] == POPULATIONS[0]:
            found |= _with_interval(f"horizon_{row['horizon_days']}d.{row['figure']}", row)
    return found


def ablation_metrics(ablation: pd.DataFrame | None) -> dict[str, float]:
    """`ablation.roles.roc_auc_gain`, its `_low` and `_high`, and so on; what is no number is out.

    A theme is named in letters that every MLflow store takes: `sales touch` is `sales_touch`.
    """
    if ablation is None:
        return {}
    return {
        f"ablation.{_metric_name(row['theme'])}.{figure}": float(value)
        for row in ablation.to_dict(orient="records")
        for figure, value in row.items()
        if figure not in ("theme", "features") and math.isfinite(value)
    }


def monotone_metrics(directions: pd.DataFrame | None) -> dict[str, float]:
    """`directions.roc_auc` and its ends: what holding the plausible directions changes."""
    if directions is None:
        return {}
    found: dict[str, float] = {}
    for row in directions.to_dict(orient="records"):
        found |= _with_interval(f"directions.{row['figure']}", row)
    return found


def _with_interval(name: str, row: Mapping[Any, Any], where: str = "") -> dict[str, float]:
    ends = {"value": "", "low": "_low", "high": "_high"}
    return {
        f"{name}{suffix}{where}": float(row[end])
        for end, suffix in ends.items()
        if math.isfinite(row[end])
    }


def _estimate_metrics(
    prefix: str, estimates: Mapping[str, Mapping[str, float | None]]
) -> dict[str, float]:
    return {
        f"{prefix}.{name}{'' if end == 'value' else f'_{end}'}": number
        for name, estimate in estimates.items()
        for end, number in estimate.items()
        if number is not None
    }


def _metric_name(theme: str) -> str:
    return theme.replace(" ", "_").replace("+", "_and_")


def findings_json(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """What the leak probes found, ready for JSON."""
    return [asdict(finding) for finding in findings]


def training_json(trained: TrainingResult) -> dict[str, Any]:
    """Every figure and what is needed to read it, ready for JSON; what is not a number is null."""
    evaluation, bundle = trained.evaluation, trained.bundle
    thresholds, published = bundle.thresholds, evaluation.signal.found
    return {
        "verdict": evaluation.verdict,
        "signal": asdict(evaluation.signal),
        "level": asdict(evaluation.level),
        "sample": sample_sentence(bundle.blend, bundle.settings.model.few_conversions) or None,
        "parameters": run_parameters(trained),
        "data_fingerprint": bundle.training.fingerprint,
        "figures": json_records(evaluation.figures),
        "differences": json_records(evaluation.differences),
        "segments": json_records(evaluation.segments),
        "months": json_records(
            evaluation.months.assign(as_of=evaluation.months["as_of"].astype(str))
        ),
        "horizons": json_records(evaluation.horizons),
        "ablation": None if trained.ablation is None else json_records(trained.ablation),
        "directions": None
        if trained.monotone_cost is None
        else json_records(trained.monotone_cost),
        "tuning": None if trained.tuned is None else _tuning_json(trained.tuned),
        "probes": findings_json(trained.findings),
        "threshold": {
            "policy": thresholds.policy,
            "readiness": thresholds.pooled_at(trained.split.cutoffs[-1]),
            "completeness": thresholds.completeness,
            "segments": thresholds.segment_shifts,
            "months": {str(month): shift for month, shift in thresholds.month_shifts.items()},
            "schedule": [list(step) for step in thresholds.schedule],
            "expected": None if thresholds.forecast is None else asdict(thresholds.forecast),
        }
        if published
        else None,
        "kept": asdict(evaluation.realised),
        "forecast": checks_json(evaluation.forecast_checks),
    }


def _tuning_json(tuned: TuningResult) -> dict[str, Any]:
    return {
        "parameters": dict(tuned.parameters),
        "log_loss": tuned.log_loss,
        "preset_log_loss": tuned.preset_log_loss,
        "trials": len(tuned.trials),
    }


def json_records(frame: pd.DataFrame) -> list[dict[Any, Any]]:
    """The rows ready for JSON; what is not a number is None."""
    return [
        {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in row.items()
        }
        for row in frame.to_dict(orient="records")
    ]
