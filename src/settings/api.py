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
        pages_need_key: refuse to serve pages where no key is configured, as behind a proxy; where
            keys are, pages ask for one always.
        max_body_bytes: of one request.
        max_values: of one body, texts that hold commas counted as several.
        max_depth: of tables and lists inside each other in a body.
        max_members: member rows of a body.
        max_activities: activities of a body.
        max_rows: rows of every other table of a body.
        processes: that score, each with the model and an engine in memory; 0 takes as many as there
            are processors, four at most, and 1 scores in the process that answers.
        workers: requests computed at the same time where the process that answers scores. Most of
            the work is Python's, of which one process does one thing at a time: more than one
            serves fairness, not speed.
        waiting: requests that may wait for a worker; the next one is sent away with 503.
        max_connections: that may be open at a time, fewer where the limit of open files (`ulimit
            -n`, LimitNOFILE) has no room; the next one takes the place of the one that has waited
            longest without a request.
        header_seconds: how long a connection may take to send the headers of a request.
        body_seconds: how long a body may take to arrive.
        reload_seconds: how often the registry is asked for another champion.
        refresh_seconds: how often the store is asked for another run, and the keys are read again.
        cached_bytes: of answers kept in memory.
        lock_timeout_seconds: how long a request waits for the store's connection, or its file.
    """

    keys_file: Text = ""
    pages_need_key: Flag = False
    max_body_bytes: Count = 24_000_000
    max_values: Count = 1_000_000
    max_depth: Annotated[Whole, Field(ge=1, le=100)] = 8
    max_members: Count = 1_000
    max_activities: Count = 20_000
    max_rows: Count = 5_000
    processes: WholeFromZero = 0
    workers: Count = 1
    waiting: WholeFromZero = 32
    max_connections: Count = 512
    header_seconds: NumberOverZero = 10.0
    body_seconds: NumberOverZero = 10.0
    reload_seconds: NumberOverZero = 60.0
    refresh_seconds: NumberOverZero = 10.0
    cached_bytes: WholeFromZero = 64_000_000
    lock_timeout_seconds: NumberFromZero = 2.0
