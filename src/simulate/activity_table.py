"""The table of activities as systems hold it: some records come late, some come twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from .activities import KIND_CODE, NO_CODE, Activities
from .columns import category_column, id_column, timestamp_column
from .parameters import KINDS
from .people import SOLUTION_COUNT
from .timeline import DAY, END, Flags, Floats, Integers
from .vocabulary import CONTENTS

CONTENTS_PER_KIND = 3  # contents of one kind about one solution
_CHANNEL = {
    "email_open": "email",
    "email_click": "email",
    "email_sent": "email",
    "call_made": "inside_sales",
    "meeting": "inside_sales",
    "webinar_attended": "webinar",
    "event_attended": "event",
    "trial_login": "product",
    "contract_portal_login": "product",
}
# Median length in seconds of what takes time.
_MEDIAN_SECONDS = {
    "web_visit": 60.0,
    "pricing_view": 80.0,
    "case_study_view": 120.0,
    "webinar_attended": 2_700.0,
    "trial_login": 900.0,
    "meeting": 3_000.0,
    "call_made": 240.0,
}


@dataclass(frozen=True, slots=True)
class _Records:
    """Rows of the table: which activity each is of, and when the record was written."""

    activity_row: Integers
    recorded_at: Integers
    has_recorded_at: Flags  # the system says when; otherwise the field is empty


def content_code(kind: Integers, about_solution: Integers, variant: Integers) -> Integers:
    """The content looked at, counted as the contents table does; negative: none."""
    order = np.full(len(KINDS), NO_CODE)
    order[[KIND_CODE[name] for name in CONTENTS]] = np.arange(len(CONTENTS))
    place = order[kind]
    return np.where(
        place < 0, NO_CODE, (place * SOLUTION_COUNT + about_solution) * CONTENTS_PER_KIND + variant
    )


def activities_table(rng: np.random.Generator, activities: Activities) -> Any:
    """One row per record, in the order of what occurred and then of when it was known."""
    order = np.lexsort((activities.group, activities.contact, activities.kind, activities.occurred))
    sorted_activities = activities.take(order)
    content = content_code(
        sorted_activities.kind,
        sorted_activities.about_solution,
        rng.integers(CONTENTS_PER_KIND, size=len(sorted_activities)),
    )
    duration = _draw_durations(rng, sorted_activities)
    records = _draw_records(rng, sorted_activities)
    row = records.activity_row
    return pa.table(
        {
            "activity_id": id_column("E", row, 8),
            "contact_id": id_column("C", sorted_activities.contact[row], 6),
            "kind": category_column(KINDS, sorted_activities.kind[row]),
            "occurred_at": timestamp_column(sorted_activities.occurred[row]),
            "recorded_at": timestamp_column(records.recorded_at, records.has_recorded_at),
            "group_id": id_column("G", sorted_activities.group[row], 6),
            "solution_id": id_column("S", sorted_activities.solution[row], 1),
            "content_id": id_column("K", content[row], 3),
            "channel": category_column(
                [_CHANNEL.get(kind, "web") for kind in KINDS], sorted_activities.kind[row]
            ),
            "duration_seconds": pa.array(duration[row], mask=np.isnan(duration[row])),
        }
    )


def _draw_durations(rng: np.random.Generator, activities: Activities) -> Floats:
    median = np.array([_MEDIAN_SECONDS.get(kind, np.nan) for kind in KINDS])
    return np.rint(median[activities.kind] * rng.lognormal(0.0, 0.7, len(activities)))


def _draw_records(rng: np.random.Generator, activities: Activities) -> _Records:
    """About 5 % are recorded days to weeks late and 1 % once more, all before the history ends.

    A record beyond the end would move what the tables call the end of observation.
    """
    occurred, count = activities.occurred, len(activities)
    max_delay = (END - occurred - 1) * rng.random(count)
    delay = np.minimum((1 + rng.exponential(10.0, count)) * DAY, max_delay).astype(np.int64)
    late = rng.random(count) < 0.05
    known = occurred + np.where(late, delay, 0)
    repeated = np.flatnonzero((rng.random(count) < 0.01) & (known < END - DAY))
    gap = np.minimum(rng.uniform(0.01, 5.0, repeated.size) * DAY, END - known[repeated] - 1)
    row = np.r_[np.arange(count), repeated]
    recorded = np.r_[known, known[repeated] + gap.astype(np.int64)]
    stated = np.r_[late | (rng.random(count) < 0.5), np.ones(repeated.size, dtype=bool)]
    order = np.lexsort((recorded, row))
    return _Records(row[order], recorded[order], stated[order])
