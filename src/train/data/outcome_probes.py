"""Leak probes of what tells the outcome by itself: a feature, a kind, an account.

`leakage` says what the arguments are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from scipy.stats import binom, rankdata

from ...settings import ProbeSettings
from .leak_counts import (
    group_activities,
    memberships_by_group,
    memtable,
    records,
    share_interval,
)
from .leak_findings import Finding, make_finding

FOLDS = 5
PRIOR_ROWS = 10.0  # weight of the overall rate in the rate of a category
MAX_TAIL_PROBABILITY = 0.001
"""An account of one outcome is suspect only where chance would be rarer."""

MAX_MINORITY_SHARE = 0.01  # share of the other outcome that an account "of one outcome" may have

Floats = NDArray[np.float64]


def predictive_features(
    features: pa.Table, keys: pd.DataFrame, probe: ProbeSettings
) -> list[Finding]:
    """Features that rank the outcomes too well alone (ROC AUC, in either direction).

    A missing number is taken as the lowest and as the highest, whichever tells more. A category
    stands for the rate of conversion that it has among other accounts (out of fold).
    """
    converted = keys["converted"].to_numpy(dtype=bool)
    if keys["group_id"][converted].nunique() < probe.min_conversions or converted.all():
        return []
    folds = pd.factorize(keys["account_id"])[0] % FOLDS
    found = []
    for name in (name for name in features.column_names if name not in ("group_id", "as_of")):
        auc = _feature_auc(features[name], converted, folds)
        if auc >= probe.feature_auc:
            shown = f"AUC {auc:.3f}"
            observation = f"the feature {name} alone ranks the outcomes of training with an {shown}"
            found.append(make_finding("single feature", name, auc, shown, observation))
    return found


def _feature_auc(
    column: pa.ChunkedArray, converted: NDArray[np.bool_], folds: NDArray[np.intp]
) -> float:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        values = pd.factorize(np.array(column.to_pylist(), dtype=object))[0]
        return _two_sided_auc(_out_of_fold_rate(values, converted, folds), converted)
    numbers = column.cast(pa.float64()).to_numpy()
    missing = np.isnan(numbers)
    fills = (-np.inf, np.inf) if missing.any() else (0.0,)
    return max(_two_sided_auc(np.where(missing, fill, numbers), converted) for fill in fills)


def _two_sided_auc(values: Floats, converted: NDArray[np.bool_]) -> float:
    """ROC AUC of the values, or of their opposite where that is more; ties count half."""
    positives, negatives = float(converted.sum()), float((~converted).sum())
    above = float(rankdata(values)[converted].sum()) - positives * (positives + 1) / 2
    return max(above / (positives * negatives), 1 - above / (positives * negatives))


def _out_of_fold_rate(
    values: NDArray[np.intp], converted: NDArray[np.bool_], folds: NDArray[np.intp]
) -> Floats:
    """Of each row's category, the rate of conversion in the other folds, shrunk to the overall."""
    rate = np.zeros(values.size)
    codes = values + 1  # missing is -1 and a category like any other
    for fold in range(FOLDS):
        in_fold, other_folds = folds == fold, folds != fold
        rows = np.bincount(codes[other_folds], minlength=codes.max() + 1)
        hits = np.bincount(codes[other_folds], converted[other_folds], minlength=codes.max() + 1)
        overall = converted[other_folds].mean() if other_folds.any() else 0.0
        rate[in_fold] = ((hits + PRIOR_ROWS * overall) / (rows + PRIOR_ROWS))[codes[in_fold]]
    return rate


def predictive_kinds(
    activities: ir.Table, tables: Mapping[str, ir.Table], keys: pd.DataFrame, probe: ProbeSettings
) -> list[Finding]:
    """Kinds known before a cut-off after which nearly every group converts.

    A kind that occurs only after conversions does not count: no feature at an earlier cut-off
    sees it.
    """
    base_rate = float(keys["converted"].mean())
    found = []
    for row in kinds_before_cutoff(activities, tables, keys):
        share = row["converted"] / row["snapshots"]
        low, _high = share_interval(share * row["groups"], row["groups"])
        if low >= max(probe.kind_share, (1 + base_rate) / 2):
            shown = f"{share:.0%} convert"
            observation = (
                f"of {row['snapshots']:,} training snapshots ({row['groups']:,} groups) with "
                f"the kind {row['kind']} before the cut-off {share:.0%} converted, of all "
                f"{base_rate:.0%}"
            )
            found.append(
                make_finding("kind before outcome", row["kind"], share, shown, observation)
            )
    return found


def kinds_before_cutoff(
    activities: ir.Table, tables: Mapping[str, ir.Table], keys: pd.DataFrame
) -> list[dict[str, Any]]:
    """Each kind that a group had before a cut-off: kind, snapshots, converted (of them), groups."""
    activity_keys = ("contact_id", "group_id", "solution_id", "kind")
    counts_from = ibis.greatest(activities.known_at, activities.occurred_at).min()
    first_seen = activities.group_by(*activity_keys).agg(counts_from=counts_from)
    labelled = memtable(keys[["group_id", "as_of", "converted"]])
    parts = []
    for as_of in keys["as_of"].drop_duplicates():
        rows = labelled.filter(labelled.as_of == as_of)
        memberships = memberships_by_group(tables, as_of).semi_join(rows, "group_id")
        known = first_seen.filter(first_seen.counts_from < as_of)
        parts.append(group_activities(memberships, known, "kind").distinct().join(rows, "group_id"))
    all_cutoffs = ibis.union(*parts) if len(parts) > 1 else parts[0]
    counts = all_cutoffs.group_by("kind").agg(
        snapshots=all_cutoffs.count(),
        converted=all_cutoffs.converted.sum(),
        groups=all_cutoffs.group_id.nunique(),
    )
    return records(counts.order_by("kind"))


def placeholder_accounts(keys: pd.DataFrame, probe: ProbeSettings) -> list[Finding]:
    """Accounts with very many groups and one outcome, against the rate of all other accounts."""
    groups = keys.groupby(["account_id", "group_id"])["converted"].any()
    accounts = groups.groupby("account_id").agg(["size", "sum"])
    size, hits = accounts["size"], accounts["sum"]
    large = (size >= probe.placeholder_groups) | (size >= probe.placeholder_share * size.sum())
    found = []
    for account_id in accounts.index[large]:
        hit_count, total = int(hits[account_id]), int(size[account_id])
        other_groups = int(size.sum()) - total
        if other_groups and _has_single_outcome(
            hit_count, total, (int(hits.sum()) - hit_count) / other_groups
        ):
            shown = f"{total:,} groups, {hit_count / total:.0%} convert"
            observation = (
                f"the account {account_id} has {total:,} of {size.sum():,} training groups, of "
                f"which {hit_count:,} converted"
            )
            found.append(
                make_finding("placeholder account", str(account_id), total, shown, observation)
            )
    return found


def _has_single_outcome(hits: int, total: int, other_rate: float) -> bool:
    """Whether an account has hardly any of one outcome, and chance at this rate would not do it."""
    if min(hits, total - hits) > MAX_MINORITY_SHARE * total:
        return False
    tail = (
        binom.cdf(hits, total, other_rate)
        if hits < total - hits
        else binom.sf(hits - 1, total, other_rate)
    )
    return bool(tail < MAX_TAIL_PROBABILITY)
