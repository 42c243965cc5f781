"""Leak probes of what tells the outcome by itself: a feature, a kind, an account.

`leakage` says what the arguments are.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import factorial
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from scipy.stats import binom

from ...settings import ProbeSettings
from .leak_counts import (
    group_activities,
    memberships_by_group,
    memtable,
    ranking_auc,
    records,
    share_interval,
)
from .leak_findings import Finding, make_finding

NEARLY_PERFECT_AUC = 0.97
"""A ranking that is always named: nothing that is known in time ranks so well."""

MAX_BY_CHANCE = 5  # features named where chance brings one or more
MAX_EXPECTED_BY_CHANCE = 0.05  # features that chance may bring without a word
FOLDS = 5
PRIOR_ROWS = 10.0  # weight of the overall rate in the rate of a category
MAX_TAIL_PROBABILITY = 0.001
"""An account of one outcome is suspect only where chance would be rarer."""

MAX_MINORITY_SHARE = 0.01  # share of the other outcome that an account "of one outcome" may have

Floats = NDArray[np.float64]


def too_few_conversions(keys: pd.DataFrame, probe: ProbeSettings) -> list[Finding]:
    """Says so where most of the probes cannot tell a leak from chance."""
    groups = int(keys.loc[keys["converted"], "group_id"].nunique())
    if groups >= probe.min_conversions:
        return []
    shown = f"{groups} of {probe.min_conversions} needed"
    observation = (
        f"the training has {groups:,} converted groups of {keys['group_id'].nunique():,}, and less "
        f"than {probe.min_conversions} are too few to tell a leak from chance: only one of nearly "
        "everything is found"
    )
    return [make_finding("too few conversions", "conversions", groups, shown, observation)]


def predictive_features(
    features: pa.Table, keys: pd.DataFrame, probe: ProbeSettings
) -> list[Finding]:
    """Features that rank the outcomes too well alone (ROC AUC, in either direction).

    A missing number is taken as the lowest and as the highest, whichever tells more. A category
    stands for the rate of conversion that it has among other accounts (out of fold). With few
    conversions only a ranking that is nearly perfect is named, the best first, and how many of the
    features chance lets do as much.
    """
    converted = keys["converted"].to_numpy(dtype=bool)
    groups = int(keys["group_id"][converted].nunique())
    if not groups or converted.all():
        return []
    enough = groups >= probe.min_conversions
    least = min(probe.feature_auc, NEARLY_PERFECT_AUC) if enough else NEARLY_PERFECT_AUC
    folds = pd.factorize(keys["account_id"])[0] % FOLDS
    names = [name for name in features.column_names if name not in ("group_id", "as_of")]
    aucs = {name: _feature_auc(features[name], converted, folds) for name in names}
    found = {name: auc for name, auc in aucs.items() if auc >= least}
    if enough:
        return [_predictive(name, auc, "") for name, auc in found.items()]
    others = int(keys["group_id"][~converted].nunique())

    def by_chance(auc: float) -> float:
        return expected_by_chance(groups, 1 - auc + 1 / others, len(names))

    best = sorted(found, key=lambda name: (-found[name], name))
    shown = best if by_chance(NEARLY_PERFECT_AUC) < 1 else best[:MAX_BY_CHANCE]
    return [
        _predictive(name, found[name], _chance_note(groups, by_chance(found[name]), len(names)))
        for name in shown
    ]


def _predictive(name: str, auc: float, note: str) -> Finding:
    shown = f"AUC {auc:.3f}"
    observation = f"the feature {name} alone ranks the outcomes of training with an {shown}{note}"
    return make_finding("single feature", name, auc, shown, observation)


def _chance_note(groups: int, expected: float, features: int) -> str:
    if expected < MAX_EXPECTED_BY_CHANCE:
        return ""
    return (
        f"; with {groups} converted group{'s' if groups > 1 else ''} chance lets about "
        f"{max(1, round(expected))} of {features} features do so"
    )


def expected_by_chance(groups: int, miss: float, features: int) -> float:
    """How many of some features that tell nothing rank so well, in either direction.

    Without ties, and with many groups that did not convert, 1 - AUC is the mean of as many uniform
    numbers as groups converted (Irwin-Hall); its lower tail, up to 1 / groups, is this one.

    Args:
        groups: that converted.
        miss: what the AUC lacks to 1.
        features: how many are looked at.
    """
    return features * min(1.0, 2 * (groups * miss) ** groups / factorial(groups))


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
    auc = ranking_auc(values, converted)
    return max(auc, 1 - auc)


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


def near_perfect_methods(figures: pd.DataFrame) -> list[Finding]:
    """Methods that rank the test nearly perfectly: no model does, on what is known in time.

    Args:
        figures: method, figure, value; of an evaluation on all accounts, for those that training
            never saw may be few, and few are ranked well by chance.
    """
    perfect = figures[figures["figure"].eq("roc_auc") & (figures["value"] > NEARLY_PERFECT_AUC)]
    found = []
    for method, auc in zip(perfect["method"], perfect["value"], strict=True):
        shown = f"AUC {auc:.3f}"
        observation = f"{method} ranks the test with an {shown}"
        found.append(make_finding("near-perfect ranking", str(method), auc, shown, observation))
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
