"""What `mqbg serve` listens to, and how much of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from .field_types import (
    SECTION,
    Count,
    Flag,
    NumberFromZero,
    NumberOverZero,
    Text,
    Whole,
    WholeFromZero,
)

API_KEYS = "MQBG_API_KEYS"
"""Environment variable with the keys of the API, `name:scope+scope:key` and commas between them."""


@dataclass(frozen=True, slots=True, config=SECTION)
class ApiSettings:
    """The HTTP API and the live pages.

    Attributes:
        keys_file: a file of lines `name scopes sha256hex`, beside the keys of MQBG_API_KEYS; "" is
            none.
        pages_need_key: pages ask for a key on loopback too, as they should behind a proxy.
        max_body_bytes: of one request.
        max_depth: of tables and lists inside each other in a body.
        max_members: member rows of a body.
        max_activities: activities of a body.
        max_rows: rows of every other table of a body.
        workers: requests computed at the same time. Most of the work is Python's, of which one
            process does one thing at a time: more than one serves fairness, not speed.
        waiting: requests that may wait for a worker; the next one is sent away with 503.
        body_seconds: how long a body may take to arrive.
        reload_seconds: how often the registry is asked for another champion.
        refresh_seconds: how often the store is asked for another run.
        cached_answers: answers kept in memory.
        lock_timeout_seconds: how long a request waits for the store's connection, or its file.
    """

    keys_file: Text = ""
    pages_need_key: Flag = False
    max_body_bytes: Count = 8_000_000
    max_depth: Annotated[Whole, Field(ge=1, le=100)] = 8
    max_members: Count = 1_000
    max_activities: Count = 20_000
    max_rows: Count = 5_000
    workers: Count = 1
    waiting: WholeFromZero = 32
    body_seconds: NumberOverZero = 10.0
    reload_seconds: NumberOverZero = 60.0
    refresh_seconds: NumberOverZero = 10.0
    cached_answers: WholeFromZero = 20_000
    lock_timeout_seconds: NumberFromZero = 2.0
