"""What another policy of the thresholds would have brought: learned on the past, held to the test.

For the meeting in which sales and marketing choose a threshold; nothing is trained again.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from ...model.threshold_update import SEGMENT_COLUMNS, qualified, update_threshold
from ...model.thresholds import Thresholds
from ...settings import ThresholdSettings
from .learn import learn_thresholds, require_known_segments, require_policy
from .performance import measure_performance

QUALIFIED_COLUMNS = ["group_id", "account_id", "solution_id", "as_of", "readiness", "completeness"]
SEGMENT_FIGURES = ["segment", "threshold", "snapshots", "qualify", "convert"]


@dataclass(frozen=True)
class PolicyTrial:
    """A policy, tried on cut-offs later than those that its threshold was learned from.

    Attributes:
        policy: `capacity`, `value` or `precision`.
        description: the thresholds of the last cut-off in words.
        figures: by figure (per_week, precision, recall, value_per_week): value, low, high (95 %);
            missing where there is nothing to measure.
        by_cutoff: one row for each cut-off after the first: as_of, threshold (of readiness, 0 to 1;
            missing where nobody qualifies), newly_qualified (groups).
        qualified: the groups that qualify at the last cut-off, the readiest first: group_id,
            account_id, solution_id, as_of, readiness, completeness, newly (since the cut-off
            before).
        segments: one row for each segment: segment, threshold, snapshots, qualify and convert
            (shares of snapshots, and of those that qualify); no row without segments.
    """

    policy: str
    description: str
    figures: pd.DataFrame
    by_cutoff: pd.DataFrame
    qualified: pd.DataFrame
    segments: pd.DataFrame


def try_policy(
    learned: pd.DataFrame,
    recent: pd.DataFrame,
    test: pd.DataFrame,
    settings: ThresholdSettings,
    *,
    resamples: int,
    seed: int,
) -> PolicyTrial:
    """Learns a policy's thresholds, follows them up to the test, and measures what they bring.

    Args:
        learned: rows as `learn_thresholds` takes them.
        recent: rows between those and the test, without outcomes; may be empty.
        test: rows as `measure_performance` takes them.
        settings: the policy.
        resamples: draws of accounts behind each interval, at least 1.
        seed: of the draws.

    Raises:
        BadInput: the policy lacks a setting, or a segment is unknown.
    """
    require_policy(settings)
    require_known_segments(learned, settings)
    later = pd.concat([recent, test], ignore_index=True)
    thresholds = update_threshold(later, learn_thresholds(learned, settings), settings)
    realised = measure_performance(test, thresholds, settings, resamples=resamples, seed=seed)
    last = pd.Timestamp(test["as_of"].max()).to_pydatetime()
    figures = pd.DataFrame.from_dict(asdict(realised), orient="index", dtype=float)
    return PolicyTrial(
        settings.policy,
        thresholds.description(last),
        figures.rename_axis("figure"),
        _by_cutoff(later, thresholds),
        _qualified_rows(later, thresholds),
        _by_segment(test, thresholds, settings),
    )


def _by_cutoff(rows: pd.DataFrame, thresholds: Thresholds) -> pd.DataFrame:
    """The threshold of each cut-off after the first, and how many groups newly qualify there."""
    inside = rows[qualified(rows, thresholds)].groupby("as_of")["group_id"].agg(set)
    found, before = [], None
    for as_of in sorted(rows["as_of"].unique()):
        now = inside.get(as_of, set())
        if before is not None:
            level = thresholds.pooled_at(pd.Timestamp(as_of).to_pydatetime())
            found.append((as_of, level if level <= 1 else np.nan, len(now - before)))
        before = now
    return pd.DataFrame(found, columns=["as_of", "threshold", "newly_qualified"])


def _qualified_rows(rows: pd.DataFrame, thresholds: Thresholds) -> pd.DataFrame:
    inside = rows[qualified(rows, thresholds)]
    *earlier, last = sorted(rows["as_of"].unique())
    before = set(inside.loc[inside["as_of"].isin(earlier[-1:]), "group_id"])
    now = inside[inside["as_of"] == last].sort_values("readiness", ascending=False)
    shown: pd.DataFrame = now[QUALIFIED_COLUMNS].reset_index(drop=True)
    return shown.assign(newly=~shown["group_id"].isin(before))


def _by_segment(
    test: pd.DataFrame, thresholds: Thresholds, settings: ThresholdSettings
) -> pd.DataFrame:
    if settings.segment == "none":
        return pd.DataFrame(columns=SEGMENT_FIGURES)
    last = pd.Timestamp(test["as_of"].max()).to_pydatetime()
    column = test[SEGMENT_COLUMNS[settings.segment]]
    values = sorted(column.dropna().unique())
    levels = thresholds.readiness_thresholds(values, last)
    inside, found = qualified(test, thresholds), []
    for value, level in zip(values, levels, strict=True):
        here = (column == value).to_numpy(np.bool_)
        converted = test.loc[here & inside, "converted"].mean()
        threshold = level if level <= 1 else np.nan
        found.append((value, threshold, int(here.sum()), float(inside[here].mean()), converted))
    return pd.DataFrame(found, columns=SEGMENT_FIGURES)
