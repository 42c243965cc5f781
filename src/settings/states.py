"""What becomes of scores: states of groups, and the store that remembers them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from .field_types import SECTION, Days, Number, Share, Text

STORE_URL = "MQBG_STORE_URL"
"""Environment variable that wins over `[store] url`: passwords stay out of files."""

DELIVERY_SECTIONS = ("states", "store", "push", "alerts", "api", "imports")
"""Sections on what becomes of scores, and on where the tables came from.

A bundle does not carry them: they are no part of a model.
"""


@dataclass(frozen=True, slots=True, config=SECTION)
class StateSettings:
    """How groups move between nurture, qualified, accepted, rejected and recycled.

    Attributes:
        leave_below: share of both thresholds; a qualified group falls below when its readiness
            or its completeness is under this share of its threshold ...
        dwell_days: ... and leaves after this many days below it without a break.
        recycle_days: after this many days a rejection ends.
        sent_back_reasons: of a rejection; with one of them it ends at once. Letter case and
            spaces around do not matter.
        alert_pause_days: for so long after an alert a group gives no second one.
        stagnant_days: a qualified or accepted group in which nobody was active for this long is
            stagnant, and at risk.
    """

    leave_below: Share = 0.8
    dwell_days: Days = 14.0
    recycle_days: Days = 90.0
    sent_back_reasons: tuple[Text, ...] = ("sent back", "recycle", "too early", "時期尚早")
    alert_pause_days: Days = 14.0
    stagnant_days: Days = 30.0


@dataclass(frozen=True, slots=True, config=SECTION)
class StoreSettings:
    """Where scores, states and their history are kept.

    Attributes:
        url: `sqlite:///` and a file, or `postgresql+psycopg://user@host/database`; "" keeps
            nothing. The environment variable MQBG_STORE_URL wins.
        retention_days: scores older than this before the latest run are dropped; 0 keeps all.
            States and transitions are always kept.
        lock_timeout_seconds: how long to wait for a SQLite file that another process writes to.
    """

    url: Text = "sqlite:///mqbg-store.sqlite"
    retention_days: Days = 0.0
    lock_timeout_seconds: Annotated[Number, Field(ge=0, le=3600)] = 30.0
