"""What we did to the group, and what came of it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

AS_OF = datetime(2024, 6, 1)
DAY = timedelta(days=1)


def activity(contact_id, kind, days):
    return {"contact_id": contact_id, "kind": kind, "occurred_at": AS_OF - days * DAY}


@pytest.fixture(scope="module")
def rows(features_at):
    tables = {
        "members": [
            {"group_id": group_id, "contact_id": f"{name} of {group_id}"}
            for group_id, names in (("worked", "abcd"), ("untouched", "a"))
            for name in names
        ],
        "activities": [
            activity("a of worked", "email_sent", 40),
            activity("a of worked", "email_open", 34),  # in the week after: an answer
            activity("a of worked", "call_made", 2),
            activity("b of worked", "email_sent", 20),
            activity("b of worked", "email_sent", 19),
            activity("b of worked", "email_sent", 90),
            activity("c of worked", "email_sent", 0),  # not known yet
            activity("d of worked", "meeting", 1),
            activity("a of untouched", "meeting", 1),
        ],
    }
    return features_at(tables, AS_OF, names=[*OF_THE_WORKED])


OF_THE_WORKED = {
    "outbound_7d": 1,
    "outbound_30d": 3,
    "outbound_90d": 5,
    "outbound_mean_30d": 3 / 4,
    "days_since_outbound": 2,
    "touched_members_30d": 2,
    "touched_share_30d": 2 / 4,
    "weeks_touched": 4,  # a's of 40 and 2 days ago, b's of 20 and 90: 12 weeks
    "weeks_touched_mean": 4 / 4,
    "touches_answered_share": 1 / 4,
}


def test_touches_are_ours_before_the_cutoff(rows):
    assert {name: rows["worked"][name] for name in OF_THE_WORKED} == OF_THE_WORKED


def test_an_untouched_group_has_no_share_of_answers(rows):
    row = rows["untouched"]
    assert row["weeks_touched"] == row["outbound_90d"] == 0
    assert row["touches_answered_share"] is row["days_since_outbound"] is None
