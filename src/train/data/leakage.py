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

from collections.abc import Callable, Mapping

import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from ...features.time_rules.activities_known_before import deduplicate, with_known_at
from ...settings import Settings, TargetSettings
from ...support.progress import Progress, no_progress
from .join_probes import joins_after_stages, joins_worth
from .leak_findings import Finding
from .outcome_probes import (
    placeholder_accounts,
    predictive_features,
    predictive_kinds,
    too_few_conversions,
)
from .recording_probes import (
    backfilled_kinds,
    late_filled_columns,
    members_at_outcome,
    slowly_recorded_kinds,
)

ACTIVITY_COLUMNS = ("contact_id", "group_id", "solution_id", "kind", "occurred_at", "known_at")


def find_leaks(
    tables: Mapping[str, ir.Table],
    settings: Settings,
    features: pa.Table,
    keys: pd.DataFrame,
    progress: Progress = no_progress,
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
        lambda: too_few_conversions(keys, probe),
        lambda: predictive_features(features, keys, probe),
        lambda: predictive_kinds(activities, tables, keys, probe),
        lambda: backfilled_kinds(activities, tables, groups, target, probe),
        lambda: slowly_recorded_kinds(activities, probe),
        lambda: late_filled_columns(tables, groups, probe),
        lambda: members_at_outcome(tables["members"], groups, probe),
        lambda: joins_after_stages(tables, groups, probe),
        lambda: joins_worth(tables["members"], keys, probe),
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
