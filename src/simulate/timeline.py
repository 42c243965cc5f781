"""The simulated calendar: instants are int64 microseconds since 1970-01-01 UTC."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Integers: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]

SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
WEEK = 7 * DAY
WEEKS = 104
START = int(np.datetime64("2024-01-01", "us").astype(np.int64))
END = START + WEEKS * WEEK
NEVER = int(np.iinfo(np.int64).max)

_DAY_SHARE = np.array([0.19, 0.20, 0.20, 0.19, 0.17, 0.03, 0.02])


def mondays() -> Integers:
    """The first instant of each week, shape (WEEKS,)."""
    return START + WEEK * np.arange(WEEKS, dtype=np.int64)


def month_starts() -> Integers:
    """The first instant of each month strictly inside the history."""
    first, last = np.datetime64(START, "us"), np.datetime64(END, "us")
    months = np.arange(first.astype("M8[M]"), last.astype("M8[M]") + 1, dtype="M8[M]")
    starts = months.astype("M8[us]").astype(np.int64)
    return starts[(starts > START) & (starts < END)]


def month_of(instants: Integers) -> Integers:
    """The calendar month of each instant, 1 to 12."""
    return instants.astype("M8[us]").astype("M8[M]").astype(np.int64) % 12 + 1


def week_of(instants: Integers) -> Integers:
    """The week that each instant lies in: 0 is the first; outside the history it is clipped."""
    return np.clip((instants - START) // WEEK, 0, WEEKS - 1)


def office_times(
    rng: np.random.Generator, week: NDArray[Any], opening_hour: NDArray[Any]
) -> Integers:
    """One moment in each of the given weeks, mostly on working days and in office hours.

    Args:
        rng: where chance comes from.
        week: shape (n,); week numbers.
        opening_hour: shape (n,); the hour (UTC) at which the office opens, 0 to 13.
    """
    day = np.searchsorted(_DAY_SHARE.cumsum()[:-1], rng.random(week.size), side="right")
    within = (rng.random(week.size) * 10 * HOUR).astype(np.int64)
    start = START + week.astype(np.int64) * WEEK
    return start + day * DAY + opening_hour.astype(np.int64) * HOUR + within
