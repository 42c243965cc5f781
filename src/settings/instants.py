"""Dates and times as texts give them: instants in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

from ..contract import EARLIEST, LATEST


def to_instant(value: Any) -> datetime | None:
    """A date, a time or their ISO text as an instant in UTC; None where it is none we could mean.

    Times before 1990 or after 2200 are refused as in the contract.
    """
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, date) and not isinstance(value, datetime):
            value = datetime.combine(value, time())
        found = to_utc(value) if isinstance(value, datetime) else None
    except (ValueError, OverflowError):
        return None
    return found if found and EARLIEST <= found <= LATEST else None


def to_utc(instant: datetime) -> datetime:
    """Rule of time: times are UTC without a zone; naive means UTC, zone-aware is converted."""
    return instant.astimezone(UTC).replace(tzinfo=None) if instant.tzinfo else instant
