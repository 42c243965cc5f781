"""Training, from prepared tables to a bundle and its figures; no file and no MLflow here."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..bundle import Bundle, Training, matrix
from ..contract import BadInput
from ..features.catalogue import Catalogue, catalogue
from ..features.prepared import FeatureSource
from ..features.snapshots import end_of_observation, first_instant, training_cutoffs
from ..features.table import Moment, moment
from ..features.vocabulary import find_vocabulary, require_known_roles
from ..settings import Settings
from .ablation import ablation
from .baselines import BASELINES, TrainingRows
from .calibration import fit_platt, fit_venn_abers
from .evaluation import differences, evaluate, verdict
from .fit import Fitted, Rows, fit
from .labels import converted_groups
from .probes import Finding, find_leaks
from .split import Split, forward_split
from .thresholds import capacity_threshold
from .typical import engaged_members, typical_members

logger = logging.getLogger(__name__)

MODEL = "mqbg"
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Snapshots:
    """Features and outcomes of every cut-off.

    Attributes:
        features: the feature table, in order of as_of and group_id.
        keys: group_id, account_id, as_of, converted; the same rows.
        engaged: member rows of engaged members, with as_of and converted (see `typical`).
    """

    features: pa.Table
    keys: pd.DataFrame
    engaged: pd.DataFrame


@dataclass(frozen=True)
class Trained:
    """A bundle and all that is to be said of it.

    Attributes:
        bundle: what serving needs.
        rows: the test rows: group_id, account_id, as_of, converted, seen, completeness.
        probabilities: of each method on the test rows.
        figures: tidy frame of `evaluation.evaluate`.
        differences: tidy frame of `evaluation.differences`.
        verdict: the comparison in one sentence.
        split: the cut-offs of each part.
        fitted: parameters and number of trees.
        touched_per_snapshot: groups that sales can take between two snapshots.
        findings: what the leak probes warn of.
        ablation: frame of `ablation.ablation`; None where the settings turn it off.
    """

    bundle: Bundle
    rows: pd.DataFrame
    probabilities: Mapping[str, NDArray[np.float64]]
    figures: pd.DataFrame
    differences: pd.DataFrame
    verdict: str
    split: Split
    fitted: Fitted
    touched_per_snapshot: int
    findings: tuple[Finding, ...] = ()
    ablation: pd.DataFrame | None = None


def train(source: FeatureSource, *, test_from: datetime | None, progress: Progress) -> Trained:
    """Snapshots, labels, split, leak probes, trees, calibrator, threshold, baselines, figures.

    What the probes find is logged as warnings before the fit, and the training goes on.

    Args:
        source: prepared tables with their settings.
        test_from: first instant of the test part; None chooses it (see `forward_split`).
        progress: called with a label and the share done.

    Raises:
        BadInput: too little history, too few conversions, one class only, or no known role.
    """
    settings = source.settings
    if settings.thresholds.policy != "capacity":
        raise BadInput(
            f"[thresholds] policy: this version learns 'capacity' alone, got "
            f'{settings.thresholds.policy!r}; set policy = "capacity"'
        )
    split, words = _plan(source, test_from)
    cutoffs = (*split.train, *split.test)
    snapshots = collect(source, words, cutoffs, progress)
    in_train = snapshots.keys["as_of"].isin(split.train).to_numpy()
    findings = _findings(source, snapshots, in_train, progress)
    for finding in findings:
        logger.warning("%s", finding.sentence)
    values = _category_values(snapshots.features.filter(pa.array(in_train)), words)
    x = matrix(snapshots.features, words.names, values)
    rows = _training_rows(x[in_train], snapshots.keys[in_train], words, values)
    fitted = fit(rows, settings.model, progress)
    bundle = _bundle(source, split, words, values, snapshots, in_train, fitted)
    judged = _judge(bundle, split, snapshots, in_train, fitted, progress)
    if settings.model.ablation:
        worth = _ablation(judged, rows, x[~in_train], progress)
        judged = replace(judged, ablation=worth)
    return replace(judged, findings=findings)


def probe(
    source: FeatureSource, progress: Progress, test_from: datetime | None = None
) -> tuple[Finding, ...]:
    """The leak probes alone, on the cut-offs that a training would learn from.

    Args:
        source: prepared tables with their settings.
        progress: called with a label and the share done.
        test_from: as in `train`.

    Raises:
        BadInput: too little history for a training.
    """
    split, words = _plan(source, test_from)
    snapshots = collect(source, words, split.train, progress)
    return _findings(source, snapshots, np.ones(len(snapshots.keys), dtype=bool), progress)


def _plan(source: FeatureSource, test_from: datetime | None) -> tuple[Split, Catalogue]:
    settings = source.settings
    end = end_of_observation(source.tables, settings)
    instants = training_cutoffs(settings, first_instant(source.tables), end)
    split = forward_split(instants, settings.target.horizon_days, test_from)
    require_known_roles(source, split.test_from)
    return split, catalogue(find_vocabulary(source, split.test_from))


def _findings(
    source: FeatureSource, snapshots: Snapshots, in_train: NDArray[np.bool_], progress: Progress
) -> tuple[Finding, ...]:
    features = snapshots.features.filter(pa.array(in_train))
    keys = snapshots.keys[in_train].reset_index(drop=True)
    return find_leaks(source.tables, source.settings, features, keys, progress)


def _ablation(
    judged: Trained, rows: Rows, test: NDArray[np.float64], progress: Progress
) -> pd.DataFrame:
    bundle = judged.bundle
    return ablation(
        bundle.catalogue.features, rows, test, judged.rows, judged.probabilities[MODEL],
        judged.fitted, bundle.calibrator,
        touched_per_snapshot=judged.touched_per_snapshot,
        resamples=bundle.settings.model.resamples,
        seed=bundle.settings.model.seed,
        progress=progress,
    )  # fmt: skip


def collect(
    source: FeatureSource, words: Catalogue, cutoffs: tuple[datetime, ...], progress: Progress
) -> Snapshots:
    """Features, outcomes and engaged members at every cut-off.

    Raises:
        BadInput: no cut-off has an eligible group.
    """
    features, keys, engaged = [], [], []
    for number, as_of in enumerate(cutoffs):
        progress("snapshots", number / len(cutoffs))
        converted = converted_groups(source.tables["stage_events"], source.settings.target, as_of)
        with moment(source, words, as_of) as at:
            table = at.features()
            features.append(table)
            keys.append(_keys(at, table, converted))
            engaged.append(engaged_members(at, words, converted))
    progress("snapshots", 1.0)
    if not sum(len(part) for part in keys):
        raise BadInput(
            f"train: expected groups that were open between {cutoffs[0]:%Y-%m-%d} and "
            f"{cutoffs[-1]:%Y-%m-%d}, found none; check created_at in buying_groups and the stages"
        )
    return Snapshots(
        pa.concat_tables(features), pd.concat(keys, ignore_index=True), pd.concat(engaged)
    )


def _keys(at: Moment, features: pa.Table, converted: pa.Array) -> pd.DataFrame:
    accounts = at.groups.select("group_id", "account_id").order_by("group_id").to_pyarrow()
    return pd.DataFrame(
        {
            "group_id": features["group_id"].to_pylist(),
            "account_id": accounts["account_id"].to_pylist(),
            "as_of": pd.Series([at.as_of] * features.num_rows, dtype="datetime64[us]"),
            "converted": pc.is_in(features["group_id"], value_set=converted).to_numpy(),
        }
    )


def _category_values(features: pa.Table, words: Catalogue) -> dict[str, tuple[str, ...]]:
    return {
        name: tuple(sorted(value for value in set(features[name].to_pylist()) if value is not None))
        for name in words.categories
    }


def _training_rows(
    x: NDArray[np.float64],
    keys: pd.DataFrame,
    words: Catalogue,
    values: Mapping[str, tuple[str, ...]],
) -> Rows:
    # A category without a single known value holds nothing to split on.
    categories = tuple(i for i, name in enumerate(words.names) if values.get(name))
    return Rows(
        x,
        keys["converted"].to_numpy(dtype=bool),
        keys["account_id"].to_numpy(dtype=object),
        keys["group_id"].to_numpy(dtype=object),
        words.names,
        categories,
    )


def _bundle(
    source: FeatureSource,
    split: Split,
    words: Catalogue,
    values: Mapping[str, tuple[str, ...]],
    snapshots: Snapshots,
    in_train: NDArray[np.bool_],
    fitted: Fitted,
) -> Bundle:
    settings = source.settings
    keys = snapshots.keys[in_train]
    converted = keys["converted"].to_numpy(dtype=bool)
    calibrator = fit_platt(fitted.held_out, converted)
    completeness = snapshots.features["completeness"].to_numpy()[in_train]
    scored = keys.assign(readiness=calibrator(fitted.held_out), completeness=completeness)
    engaged = snapshots.engaged[snapshots.engaged["as_of"].isin(split.train)]
    leavers = snapshots.features["members_left_90d"].to_numpy()[in_train] > 0
    return Bundle(
        trees=fitted.trees,
        settings=settings,
        vocabulary=words.vocabulary,
        category_values=values,
        calibrator=calibrator,
        interval=fit_venn_abers(fitted.held_out, converted),
        threshold=capacity_threshold(
            scored,
            capacity_per_week=settings.thresholds.capacity_per_week,
            completeness_threshold=settings.thresholds.completeness,
            least=float(converted.mean()),
        ),
        typical=typical_members(engaged, words),
        training=Training(
            fingerprint=fingerprint(source),
            rows=len(keys),
            conversions=int(converted.sum()),
            first_as_of=split.train[0],
            last_as_of=split.train[-1],
            test_from=split.test_from,
            snapshots_with_leavers=int(leavers.sum()),
        ),
    )


def _judge(
    bundle: Bundle,
    split: Split,
    snapshots: Snapshots,
    in_train: NDArray[np.bool_],
    fitted: Fitted,
    progress: Progress,
) -> Trained:
    progress("figures", 0.0)
    settings = bundle.settings
    test = snapshots.features.filter(pa.array(~in_train))
    keys, learned = snapshots.keys[~in_train], snapshots.keys[in_train]
    rows = keys.assign(
        seen=keys["account_id"].isin(learned["account_id"]).to_numpy(),
        completeness=test["completeness"].to_numpy(),
    ).reset_index(drop=True)
    training = TrainingRows(
        _frame(snapshots.features.filter(pa.array(in_train)), bundle.catalogue),
        learned["converted"].to_numpy(dtype=bool),
    )
    frame = _frame(test, bundle.catalogue)
    probabilities = {MODEL: bundle.readiness(bundle.log_odds(test))}
    for number, (name, baseline) in enumerate(BASELINES.items()):
        progress("figures", (number + 1) / (len(BASELINES) + 2))
        probabilities[name] = baseline(training, frame)
    touched = touched_per_snapshot(split, settings)
    how = {
        "touched_per_snapshot": touched,
        "resamples": settings.model.resamples,
        "seed": settings.model.seed,
    }
    figures = evaluate(rows, probabilities, **how)
    paired = differences(rows, probabilities, model=MODEL, **how)
    progress("figures", 1.0)
    return Trained(
        bundle, rows, probabilities, figures, paired, verdict(figures, paired, model=MODEL),
        split, fitted, touched,
    )  # fmt: skip


def _frame(features: pa.Table, words: Catalogue) -> pd.DataFrame:
    return pd.DataFrame(
        {
            name: features[name]
            .to_pandas()
            .astype("category" if name in words.categories else float)
            for name in words.names
        }
    )


def touched_per_snapshot(split: Split, settings: Settings) -> int:
    """Groups that sales can take between two snapshots, at least one."""
    cutoffs = (*split.train, *split.test)
    gaps = [later - earlier for earlier, later in pairwise(cutoffs)]
    days = float(np.median([gap.total_seconds() / 86_400 for gap in gaps])) if gaps else 30.0
    return max(1, round(settings.thresholds.capacity_per_week * days / 7))


def fingerprint(source: FeatureSource) -> str:
    """A digest of the tables' contents, whatever the order of their rows."""
    digest = hashlib.sha256()
    for name, table in source.tables.items():
        row = table.select(
            whole=ibis.array([table[c].cast("string").fill_null("\x00") for c in table.columns])
            .join("\x1f")
            .hash()
        )
        sums = row.agg(
            rows=row.count(), low=(row.whole & 0xFFFFFFFF).sum(), high=(row.whole >> 32).sum()
        )
        digest.update(repr((name, sums.to_pyarrow().to_pylist())).encode())
    return digest.hexdigest()[:16]
