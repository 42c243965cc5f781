"""Which verdict of sales gives a group its status."""

from __future__ import annotations

from datetime import datetime

import pytest
from mqbg.features.time_rules.verdicts import latest_verdicts

JUNE = datetime(2024, 6, 1)


def verdict(day, what):
    return {"group_id": "g", "decided_at": datetime(2024, 5, day), "verdict": what}


@pytest.fixture
def at_june(open_tables):
    def latest(*verdicts, reopened=None):
        events = [{"group_id": "g", "stage": "reopened", "occurred_at": reopened}]
        tables = {
            "buying_groups": [{"group_id": "g", "created_at": datetime(2024, 1, 1)}],
            "verdicts": list(verdicts),
            "stage_events": events if reopened else [],
        }
        found = latest_verdicts(open_tables(tables), JUNE)
        return {group_id: one.verdict for group_id, one in found.items()}

    return latest


def test_the_latest_verdict_counts(at_june):
    assert at_june(verdict(3, "rejected"), verdict(9, "accepted")) == {"g": "accepted"}


def test_a_verdict_at_the_cutoff_does_not_count_yet(at_june):
    later = {"group_id": "g", "decided_at": JUNE, "verdict": "accepted"}
    assert at_june(verdict(3, "rejected"), later) == {"g": "rejected"}


def test_a_verdict_from_before_the_group_was_reopened_does_not_count(at_june):
    assert at_june(verdict(3, "rejected"), reopened=datetime(2024, 5, 5)) == {}


def test_a_verdict_after_the_group_was_reopened_counts(at_june):
    found = at_june(verdict(9, "rejected"), reopened=datetime(2024, 5, 5))
    assert found == {"g": "rejected"}


def test_a_reopening_after_the_cutoff_changes_nothing(at_june):
    assert at_june(verdict(3, "rejected"), reopened=datetime(2024, 6, 2)) == {"g": "rejected"}
