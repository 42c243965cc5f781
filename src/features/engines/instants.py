"""Instants as engines without SQL hold them: whole microseconds since 1970."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np

EPOCH = datetime(1970, 1, 1)
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()  # days of the proleptic calendar before 1970
MICROSECONDS_PER_SECOND = 1_000_000
MICROSECONDS_PER_DAY = 86_400 * MICROSECONDS_PER_SECOND
NAT = np.iinfo(np.int64).min  # how numpy writes an instant that is null


def microseconds_since_epoch(instant: datetime) -> int:
    """An instant, in UTC without a zone, as microseconds since 1970."""
    return microseconds_of(instant - EPOCH)


def microseconds_of(duration: timedelta) -> int:
    """A duration in whole microseconds."""
    return duration // timedelta(microseconds=1)
