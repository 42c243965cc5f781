"""What a line brings: precision, recall, volume and value, each with its interval."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ...model.threshold_update import qualified, reach_by_snapshot
from ...model.thresholds import Estimate, Expected, Thresholds
from ...settings import Thresholds as ThresholdSettings
from .counts_by_account import by_account, lines_of
from .new_entries import COLUMNS, Floats, flow_of, require_rows

NAMES = ("per_week", "precision", "recall", "value_per_week")
NEEDED = (*COLUMNS, "account_id", "converted")


@dataclass(frozen=True)
class Tallies:
    """Counts by account at every line.

    Attributes:
        entries: shape (accounts, lines); newly qualified groups.
        hits: shape (accounts, lines); those of them that convert within the horizon.
        found: shape (accounts, lines); groups that convert and were qualified when they were
            about to, in a snapshot that the conversion followed within the horizon.
        conversions: shape (accounts, 1); groups that convert.
        weeks: that the entries are spread over.
    """

    entries: Floats
    hits: Floats
    found: Floats
    conversions: Floats
    weeks: float


def expected(
    rows: pd.DataFrame,
    thresholds: Thresholds,
    settings: ThresholdSettings,
    *,
    resamples: int,
    seed: int,
) -> Expected:
    """What the thresholds, as they are in force at each snapshot, bring on these rows.

    On rows that the trees did not fit it is what to expect, on the test part what was kept.

    Args:
        rows: group_id, account_id, as_of, readiness, completeness, converted (bool), and the
            column of the segment, if there are segments.
        thresholds: those in force.
        settings: whose gain and cost count.
        resamples: draws of accounts behind each 95 % interval, at least 1.
        seed: of the draws; the same seed gives the same intervals.

    Raises:
        ValueError: as `flow.require_rows`.
    """
    require_rows(rows, NEEDED)
    reach = np.where(qualified(rows, thresholds), 1.0, -np.inf)
    tallies = _tallies(rows, reach, np.array([1.0]))
    frame = _with_intervals(tallies, settings, resamples, seed)
    return Expected(
        **{
            name: Estimate(*(_or_none(frame[column][0]) for column in _columns(name)))
            for name in NAMES
        }
    )


def promised(
    rows: pd.DataFrame,
    recent: pd.DataFrame,
    thresholds: Thresholds,
    settings: ThresholdSettings,
    *,
    resamples: int,
    seed: int,
) -> Expected:
    """What to expect of the line now in force: how good of the past, how many of late.

    Precision and recall are those of the line of the last snapshot in `recent`, held throughout
    rows whose outcomes are known. The volume is the flow of `recent`, whose outcomes nobody knows
    yet: a portfolio that grows brings more than it did when those were made. The value is what
    a touch was worth on the former, times the volume of the latter.

    Args:
        rows: as for `expected`; scored by trees that did not fit the row's account.
        recent: the same without converted, at consecutive snapshots up to the day of the promise;
            scored by the trees that serve.
        thresholds: those in force on that day.
        settings: whose gain and cost count.
        resamples: draws of accounts behind each 95 % interval, at least 1.
        seed: of the draws.

    Raises:
        ValueError: as `flow.require_rows`.
    """
    require_rows(recent, (*COLUMNS, "account_id"))
    how = {"resamples": resamples, "seed": seed}
    today = pd.Timestamp(recent["as_of"].max()).to_pydatetime()
    past = expected(rows, thresholds.held(today), settings, **how)
    late = expected(recent.assign(converted=False), thresholds, settings, **how).per_week
    worth = past.value_per_week
    if worth.value is not None and past.per_week.value and late.value is not None:
        more = late.value / past.per_week.value
        ends = (None if end is None else end * more for end in (worth.low, worth.high))
        worth = Estimate(worth.value * more, *ends)
    return replace(past, per_week=late, value_per_week=worth)


def threshold_curve(
    rows: pd.DataFrame,
    thresholds: Thresholds,
    settings: ThresholdSettings,
    *,
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """What every pooled line would bring on these rows, with the shifts as they are.

    Arguments and errors as `expected`. The schedule does not matter: each line holds throughout.

    Returns:
        One row per line, from loose to strict, at most 200: readiness (of the pooled line) and
        per_week, precision, recall, value_per_week (see `threshold.Expected`), each followed by
        its 95 % interval, as per_week_low and per_week_high. NaN where there is nothing to divide
        by, and for value without gain and cost.
    """
    require_rows(rows, NEEDED)
    reach = reach_by_snapshot(rows, thresholds)
    lines = lines_of(reach)
    frame = _with_intervals(_tallies(rows, reach, lines), settings, resamples, seed)
    return pd.DataFrame({"readiness": lines, **frame})


def qualified_per_week(rows: pd.DataFrame, thresholds: Thresholds) -> float:
    """Groups a week that newly qualify by the thresholds in force at each snapshot.

    Args:
        rows: group_id, as_of, readiness, completeness, and the column of the segment, if there
            are segments.
        thresholds: those in force.

    Raises:
        ValueError: as `flow.require_rows`.
    """
    require_rows(rows)
    reach = np.where(qualified(rows, thresholds), 1.0, -np.inf)
    return float(flow_of(rows, reach).per_week(np.array([1.0]))[0])


def _tallies(rows: pd.DataFrame, reach: Floats, lines: Floats) -> Tallies:
    account, names = pd.factorize(rows["account_id"])
    converted = rows["converted"].to_numpy(np.bool_)
    flow = flow_of(rows, reach)
    of_entry = account[flow.place], len(names)
    won = pd.DataFrame({"group": rows["group_id"].to_numpy(), "account": account, "reach": reach})
    won = won[converted].groupby("group").agg({"account": "first", "reach": "max"})
    best, of_won = won["reach"].to_numpy(np.float64), won["account"].to_numpy(np.intp)
    never = np.full(best.size, -np.inf)
    return Tallies(
        by_account(flow.now, flow.before, lines, *of_entry),
        by_account(flow.now, flow.before, lines, *of_entry, converted[flow.place]),
        by_account(best, never, lines, of_won, len(names)),
        np.bincount(of_won, minlength=len(names)).astype(np.float64)[:, None],
        flow.weeks,
    )


def _with_intervals(
    tallies: Tallies, settings: ThresholdSettings, resamples: int, seed: int
) -> dict[str, Floats]:
    """Columns of every figure at every line: the value and the ends of its interval."""
    accounts = len(tallies.conversions)
    draws = np.random.default_rng(seed).multinomial(
        accounts, np.full(accounts, 1 / accounts), resamples
    )
    plain = _figures(tallies, np.ones((1, accounts)), settings)
    drawn = _figures(tallies, draws.astype(np.float64), settings)
    columns: dict[str, Floats] = {}
    for name in NAMES:
        low, high = _interval(drawn[name])
        columns |= dict(zip(_columns(name), (plain[name][0], low, high), strict=True))
    return columns


def _figures(tallies: Tallies, weights: Floats, settings: ThresholdSettings) -> dict[str, Floats]:
    """Each figure, shape (draws, lines), of accounts that count `weights`, (draws, accounts)."""
    entries, hits = weights @ tallies.entries, weights @ tallies.hits
    found, conversions = weights @ tallies.found, weights @ tallies.conversions
    gain, cost = settings.gain, settings.cost
    value = (
        np.full(entries.shape, np.nan)
        if gain is None or cost is None
        else (gain * hits - cost * entries) / tallies.weeks
    )
    return {
        "per_week": entries / tallies.weeks,
        "precision": _share(hits, entries),
        "recall": _share(found, np.broadcast_to(conversions, found.shape)),
        "value_per_week": value,
    }


def _share(part: Floats, whole: Floats) -> Floats:
    share = np.full(part.shape, np.nan)
    np.divide(part, whole, out=share, where=whole > 0)
    return share


def _interval(drawn: Floats) -> tuple[Floats, Floats]:
    """The middle 95 % of each column, shape (lines,); draws without the figure are left out."""
    ends = np.full((2, drawn.shape[1]), np.nan)
    for line, column in enumerate(drawn.T):
        finite = column[np.isfinite(column)]
        if finite.size:
            ends[:, line] = np.quantile(finite, [0.025, 0.975])
    return ends[0], ends[1]


def _columns(name: str) -> tuple[str, str, str]:
    return name, f"{name}_low", f"{name}_high"


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
