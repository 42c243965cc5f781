"""Leak probes: what in the data tells the outcome in a way that no score could use in earnest.

A leak makes the figures of a training better than the scores will ever be. Every probe is a
function from tables to findings; a finding is a warning, for only people know whether a strong
signal is a leak. All look at the training cut-offs alone. Shares are judged by the cautious end of
their 95 % interval (Wilson), counted in groups, since rows of one group are no separate evidence.

The same names mean the same in every probe:

activities  once each, with known_at: the columns `ACTIVITY_COLUMNS`
tables      the contract's
features    the feature table of the training cut-offs
keys        group_id, account_id, as_of, converted; the same rows as `features`
groups      what `reference_times` gave
probe       the settings, where each probe warns
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from scipy.stats import binom, rankdata

from ...contract import TABLES
from ...features.time_rules.activities_known_before import deduplicate, with_known_at
from ...settings import ProbeSettings, Settings, TargetSettings

FOLDS = 5
PRIOR_ROWS = 10.0  # weight of the overall rate in the rate of a category
Z_95 = 1.959963984540054  # of the normal distribution, for 95 %
MAX_TAIL_PROBABILITY = 0.001
"""An account of one outcome is suspect only where chance would be rarer."""

MAX_MINORITY_SHARE = 0.01  # share of the other outcome that an account "of one outcome" may have
DELAY_QUANTILE = 0.9
DAY_SECONDS = 86_400.0
ACTIVITY_COLUMNS = ("contact_id", "group_id", "solution_id", "kind", "occurred_at", "known_at")

Floats = NDArray[np.float64]
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Finding:
    """One thing that may leak.

    Attributes:
        probe: which probe found it, a key of `REMEDIES`.
        thing: the feature, kind, column or account.
        figure: what the probe compares with its setting; `shown` has its unit.
        shown: the figure in words.
        sentence: the thing, the figure, and what to do.
    """

    probe: str
    thing: str
    figure: float
    shown: str
    sentence: str


REMEDIES: Mapping[str, str] = {
    "single feature": "Find out when its source is written; drop it if that is after the outcome.",
    "kind before outcome": (
        "Check that it is recorded when it happens, and is not the outcome by another name; "
        "otherwise leave the kind out of the export."
    ),
    "back-filled kind": (
        "Keep recorded_at filled for this kind, or leave the kind out of the export: without "
        "recorded_at, training sees what nobody knew in time."
    ),
    "slow records": (
        "Speed up the import, or expect scores to see such activity late; always fill "
        "recorded_at, without which training would see it too early."
    ),
    "column filled late": (
        "Check whether it is filled after the outcome; export it as it was before, or not at all."
    ),
    "members at outcome": (
        "Date members by when they were first seen, not by when the deal was made; roles tell "
        "nothing before the outcome as it is."
    ),
    "placeholder account": (
        "Check whether it is a company; give its groups their real accounts, or leave them out."
    ),
}


def find_leaks(
    tables: Mapping[str, ir.Table],
    settings: Settings,
    features: pa.Table,
    keys: pd.DataFrame,
    progress: Progress = lambda _label, _share: None,
) -> tuple[Finding, ...]:
    """Runs every probe; `progress` is called with a label and the share done."""
    # Three probes read them: counted once, and kept by the engine until all have run.
    with (
        deduplicate(with_known_at(tables["activities"]))
        .select(*ACTIVITY_COLUMNS)
        .cache() as activities
    ):
        probes = _probes(activities, tables, settings, features, keys)
        found: list[Finding] = []
        for number, run in enumerate(probes):
            progress("probes", number / len(probes))
            found += run()
    progress("probes", 1.0)
    return tuple(found)


def _probes(
    activities: ir.Table,
    tables: Mapping[str, ir.Table],
    settings: Settings,
    features: pa.Table,
    keys: pd.DataFrame,
) -> tuple[Callable[[], list[Finding]], ...]:
    probe, target = settings.probe, settings.target
    groups = reference_times(tables["stage_events"], target, keys)
    return (
        lambda: predictive_features(features, keys, probe),
        lambda: predictive_kinds(activities, tables, keys, probe),
        lambda: backfilled_kinds(activities, tables, groups, target, probe),
        lambda: slowly_recorded_kinds(activities, probe),
        lambda: late_filled_columns(tables, groups, probe),
        lambda: members_at_outcome(tables["members"], groups, probe),
        lambda: placeholder_accounts(keys, probe),
    )


def reference_times(
    stage_events: ir.Table, target: TargetSettings, keys: pd.DataFrame
) -> pd.DataFrame:
    """One row per group: the instant that its past is looked at from.

    Args:
        stage_events: the contract's table.
        target: the stage that is a conversion.
        keys: group_id, account_id, as_of, converted of the training cut-offs.

    Returns:
        group_id, account_id, converted, at: the conversion; for other groups, the last cut-off.
    """
    latest_rows = keys.sort_values(["converted", "as_of"]).drop_duplicates("group_id", keep="last")
    events = stage_events.filter(stage_events.stage == target.stage)
    target_events = events.select("group_id", "occurred_at").to_pyarrow().to_pandas()
    later_events = latest_rows[latest_rows["converted"]].merge(target_events, on="group_id")
    later_events = later_events[later_events["occurred_at"] >= later_events["as_of"]]
    conversion = later_events.groupby("group_id", as_index=False)["occurred_at"].min()
    with_conversion = latest_rows.merge(conversion, how="left", on="group_id")
    with_conversion["at"] = (
        with_conversion["occurred_at"].fillna(with_conversion["as_of"]).astype("datetime64[us]")
    )
    selected = with_conversion[["group_id", "account_id", "converted", "at"]]
    return selected.sort_values("group_id").reset_index(drop=True)


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
            found.append(_make_finding("single feature", name, auc, shown, observation))
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
        low, _high = wilson_interval(share * row["groups"], row["groups"])
        if low >= max(probe.kind_share, (1 + base_rate) / 2):
            shown = f"{share:.0%} convert"
            observation = (
                f"of {row['snapshots']:,} training snapshots ({row['groups']:,} groups) with "
                f"the kind {row['kind']} before the cut-off {share:.0%} converted, of all "
                f"{base_rate:.0%}"
            )
            found.append(
                _make_finding("kind before outcome", row["kind"], share, shown, observation)
            )
    return found


def kinds_before_cutoff(
    activities: ir.Table, tables: Mapping[str, ir.Table], keys: pd.DataFrame
) -> list[dict[str, Any]]:
    """Each kind that a group had before a cut-off: kind, snapshots, converted (of them), groups."""
    activity_keys = ("contact_id", "group_id", "solution_id", "kind")
    counts_from = ibis.greatest(activities.known_at, activities.occurred_at).min()
    first_seen = activities.group_by(*activity_keys).agg(counts_from=counts_from)
    labelled = _memtable(keys[["group_id", "as_of", "converted"]])
    parts = []
    for as_of in keys["as_of"].drop_duplicates():
        rows = labelled.filter(labelled.as_of == as_of)
        memberships = _memberships(tables, as_of).semi_join(rows, "group_id")
        known = first_seen.filter(first_seen.counts_from < as_of)
        parts.append(
            _group_activities(memberships, known, "kind").distinct().join(rows, "group_id")
        )
    all_cutoffs = ibis.union(*parts) if len(parts) > 1 else parts[0]
    counts = all_cutoffs.group_by("kind").agg(
        snapshots=all_cutoffs.count(),
        converted=all_cutoffs.converted.sum(),
        groups=all_cutoffs.group_id.nunique(),
    )
    return _records(counts.order_by("kind"))


def _memberships(tables: Mapping[str, ir.Table], as_of: pd.Timestamp | None = None) -> ir.Table:
    """Each membership with the solution of its group, at a cut-off or at any time."""
    members = tables["members"]
    if as_of is not None:
        members = members.filter(
            members.joined_at < as_of, members.left_at.isnull() | (members.left_at >= as_of)
        )
    group_solutions = tables["buying_groups"].select("group_id", group_solution_id="solution_id")
    return members.select("group_id", "contact_id").distinct().join(group_solutions, "group_id")


def _group_activities(memberships: ir.Table, activities: ir.Table, *columns: str) -> ir.Table:
    """group_id and values of all that counts for a group (design.md, rules of time).

    The contract's ids do here: features number them for speed, and one look needs none.
    """
    with_group = activities.filter(activities.group_id.notnull())
    by_members = with_group.semi_join(memberships, ["group_id", "contact_id"])
    without_group = activities.filter(activities.group_id.isnull()).drop("group_id")
    candidates = memberships.join(without_group, "contact_id")
    solution_matches = candidates.solution_id.isnull() | (
        candidates.solution_id == candidates.group_solution_id
    )
    parts = (
        with_group.filter(with_group.contact_id.isnull()),
        by_members,
        candidates.filter(solution_matches),
    )
    return ibis.union(*(part.select("group_id", *columns) for part in parts))


def backfilled_kinds(
    activities: ir.Table,
    tables: Mapping[str, ir.Table],
    groups: pd.DataFrame,
    target: TargetSettings,
    probe: ProbeSettings,
) -> list[Finding]:
    """Kinds that are entered, after a conversion, as if they had happened before it.

    Compares the activities of the horizon before a conversion with those of the horizon before
    the last cut-off of groups that did not convert: the share recorded at that instant or later.
    """
    reference_table = _memtable(groups[["group_id", "converted", "at"]])
    horizon = ibis.interval(days=target.horizon_days)
    rows = _group_activities(_memberships(tables), activities, "kind", "occurred_at", "known_at")
    rows = rows.join(reference_table, "group_id")
    rows = rows.filter(rows.occurred_at < rows.at, rows.occurred_at >= rows.at - horizon)
    counts = rows.group_by("kind", "converted").agg(
        rows=rows.count(),
        later=(rows.known_at >= rows.at).sum(),
        groups=rows.group_id.nunique(),
    )
    by_kind = {(row["kind"], row["converted"]): row for row in _records(counts)}
    found = []
    for kind in sorted({kind for kind, _converted in by_kind}):
        of_converted, of_others = (
            _recorded_later_share(by_kind.get((kind, converted))) for converted in (True, False)
        )
        enough_conversions = by_kind.get((kind, True), {}).get("groups", 0) >= probe.min_conversions
        if enough_conversions and of_converted[1] - of_others[2] >= probe.backfilled_share:
            shown = f"{of_converted[0]:.0%} recorded later"
            observation = (
                f"of the {kind} activities before conversions {of_converted[0]:.0%} were recorded "
                f"only after them, of those of other groups {of_others[0]:.0%}"
            )
            found.append(
                _make_finding("back-filled kind", kind, of_converted[0], shown, observation)
            )
    return found


def _recorded_later_share(row: Mapping[str, Any] | None) -> tuple[float, float, float]:
    """Share recorded later, and its bounds; 0 where there is no row to say more."""
    if row is None:
        return 0.0, 0.0, 0.0
    share = row["later"] / row["rows"]
    return share, *wilson_interval(share * row["groups"], row["groups"])


def slowly_recorded_kinds(activities: ir.Table, probe: ProbeSettings) -> list[Finding]:
    """Kinds whose slowest tenth is recorded days after it occurred."""
    recorded_late = activities.known_at > activities.occurred_at
    seconds = activities.known_at.epoch_seconds() - activities.occurred_at.epoch_seconds()
    delays = activities.group_by("kind").agg(
        share=recorded_late.cast("float64").mean(),
        slowest=seconds.cast("float64").quantile(DELAY_QUANTILE),
    )
    found = []
    for row in _records(delays.order_by("kind")):
        days = row["slowest"] / DAY_SECONDS
        if days > probe.recorded_delay_days:
            shown = f"{days:.1f} days late"
            observation = (
                f"{row['share']:.0%} of the {row['kind']} activities are recorded after they "
                f"occurred, the slowest tenth at least {days:.1f} days"
            )
            found.append(_make_finding("slow records", row["kind"], days, shown, observation))
    return found


def late_filled_columns(
    tables: Mapping[str, ir.Table], groups: pd.DataFrame, probe: ProbeSettings
) -> list[Finding]:
    """Columns of accounts and contacts that are filled far more often where groups converted."""
    labelled_groups = _memtable(groups[["group_id", "account_id", "converted"]])
    members = tables["members"].select("group_id", "contact_id")
    rows_by_table = {
        "accounts": labelled_groups.group_by("account_id"),
        "contacts": labelled_groups.drop("account_id")
        .join(members, "group_id")
        .group_by("contact_id"),
    }
    found = []
    for name, labelled_rows in rows_by_table.items():
        outcomes = labelled_rows.agg(converted=ibis._.converted.any())
        found += list(_late_filled_columns(tables[name], name, outcomes, probe))
    return found


def _late_filled_columns(
    table: ir.Table, name: str, outcomes: ir.Table, probe: ProbeSettings
) -> Iterator[Finding]:
    optional = [column.name for column in TABLES[name].columns if not column.required]
    rows = table.join(outcomes, f"{name.removesuffix('s')}_id")
    filled = {c: (rows[c].cast("string").fill_null("") != "").sum() for c in optional}
    counts = rows.group_by("converted").agg(rows=rows.count(), **filled)
    by_outcome = {row["converted"]: row for row in _records(counts)}
    if len(by_outcome) < 2 or by_outcome[True]["rows"] < probe.min_conversions:
        return
    of_converted, of_others = by_outcome[True], by_outcome[False]
    for column in optional:
        low, _high = wilson_interval(of_converted[column], of_converted["rows"])
        _low, high = wilson_interval(of_others[column], of_others["rows"])
        if low - high >= probe.filled_difference:
            share, other_share = (
                of_converted[column] / of_converted["rows"],
                of_others[column] / of_others["rows"],
            )
            shown = f"{share:.0%} against {other_share:.0%}"
            observation = (
                f"{name}.{column} is filled for {share:.0%} of the {name} of groups that "
                f"converted, for {other_share:.0%} of the others"
            )
            yield _make_finding(
                "column filled late", f"{name}.{column}", share - other_share, shown, observation
            )


def members_at_outcome(
    members: ir.Table, groups: pd.DataFrame, probe: ProbeSettings
) -> list[Finding]:
    """Members who were entered with the conversion, not when they turned up."""
    converted = groups.loc[groups["converted"], ["group_id", "at"]]
    joined = members.select("group_id", "joined_at").to_pyarrow().to_pandas()
    rows = joined.merge(converted, on="group_id")
    group_count = rows["group_id"].nunique()
    if group_count < probe.min_conversions:
        return []
    same_day_share = float((rows["joined_at"].dt.floor("D") == rows["at"].dt.floor("D")).mean())
    first_joined = rows.groupby("group_id").agg(joined_at=("joined_at", "min"), at=("at", "first"))
    empty_before_share = float((first_joined["joined_at"] >= first_joined["at"]).mean())
    checks = (
        (
            same_day_share,
            "joined that day",
            "of the members of converted groups {} joined on the day of",
        ),
        (
            empty_before_share,
            "empty before",
            "of the converted groups with members {} had none before",
        ),
    )
    return [
        _make_finding(
            "members at outcome", "members.joined_at", share, f"{share:.0%} {shown}",
            f"{observation.format(format(share, '.0%'))} the conversion",
        )
        for share, shown, observation in checks
        if wilson_interval(share * group_count, group_count)[0] >= probe.members_at_outcome
    ]  # fmt: skip


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
                _make_finding("placeholder account", str(account_id), total, shown, observation)
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


def wilson_interval(hits: float, total: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share; `hits` may be a share of `total` that is not whole.

    Raises:
        ValueError: `total` is not above 0, or `hits` is not between 0 and it.
    """
    if not 0 <= hits <= total or total <= 0:
        raise ValueError(f"need 0 <= hits <= total and total > 0, got {hits} of {total}")
    share, z_squared = hits / total, Z_95**2 / total
    middle = (share + z_squared / 2) / (1 + z_squared)
    half_width = (
        Z_95 * np.sqrt(share * (1 - share) / total + z_squared / (4 * total)) / (1 + z_squared)
    )
    return max(0.0, float(middle - half_width)), min(1.0, float(middle + half_width))


def _memtable(frame: pd.DataFrame) -> ir.Table:
    # By way of Arrow: Ibis 12 reads a pandas option that pandas 3 deprecates.
    return ibis.memtable(pa.Table.from_pandas(frame, preserve_index=False))


def _records(table: ir.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_pyarrow().to_pylist()
    return rows


def _make_finding(probe: str, thing: str, figure: float, shown: str, observation: str) -> Finding:
    sentence = f"{probe}: {observation}. {REMEDIES[probe]}"
    return Finding(probe, thing, float(figure), shown, sentence)
