"""The history that pages show, from the runs of the store."""

from __future__ import annotations

from datetime import datetime, timedelta

import mqbg.serve.delivery.outbox.outbox_table as outbox
import pytest
import sqlalchemy as sa
from mqbg.serve.store.load_history import holds_run, load_history, load_previous_cutoff
from mqbg.serve.store.save_run import save_run
from mqbg.settings import Settings

JUNE, WEEK = datetime(2024, 6, 1), timedelta(weeks=1)
READINESS = [{"g": 0.3, "h": 0.1}, {"g": 0.6, "h": 0.1}, {"g": 0.6, "h": 0.2, "new": 0.4}]


@pytest.fixture
def three_weeks(store, run_of, scores_of, no_verdicts):
    """A store with three runs."""
    for week, readiness in enumerate(READINESS):
        at = JUNE + week * WEEK
        with save_run(
            store, run_of(at, {"scores": scores_of(readiness)}), no_verdicts, Settings(), at
        ):
            pass
    return store


def test_a_history_has_each_group_in_each_run_with_its_status(three_weeks):
    with three_weeks.reading() as connection:
        history = load_history(connection, JUNE + 2 * WEEK)
    assert history.runs == tuple(JUNE + week * WEEK for week in range(3))
    assert {
        group: [(point.as_of, point.readiness, point.threshold, point.status) for point in points]
        for group, points in history.points.items()
    } == {
        group: [
            (
                JUNE + week * WEEK,
                readiness[group],
                0.5,
                "qualified" if readiness[group] >= 0.5 else "nurture",
            )
            for week, readiness in enumerate(READINESS)
            if group in readiness
        ]
        for group in ("g", "h", "new")
    }
    qualified = history.qualified_at("g")
    assert (qualified.as_of, qualified.from_status, qualified.reason, qualified.readiness) == (
        JUNE + WEEK, "nurture", "reached", 0.6,
    )  # fmt: skip
    assert history.qualified_at("h") is None


def test_a_history_ends_at_its_cut_off_and_holds_the_latest_runs_alone(three_weeks):
    with three_weeks.reading() as connection:
        earlier = load_history(connection, JUNE)
        latest = load_history(connection, JUNE + 2 * WEEK, max_runs=1)
        assert load_previous_cutoff(connection, JUNE + WEEK) == JUNE
        assert load_previous_cutoff(connection, JUNE) is None
    assert earlier.runs == (JUNE,)
    assert earlier.changes == {}
    assert [len(points) for points in latest.points.values()] == [1, 1, 1]


@pytest.mark.parametrize(
    ("as_of", "version", "groups", "holds"),
    [
        (JUNE, "1", 2, True),
        (JUNE, "2", 2, False),
        (JUNE, "1", 3, False),
        (JUNE + WEEK / 2, "1", 2, False),
    ],
)
def test_scores_of_other_data_are_no_run_of_the_store(three_weeks, as_of, version, groups, holds):
    with three_weeks.reading() as connection:
        assert holds_run(connection, as_of, version, groups) is holds


def test_what_could_not_be_delivered_is_counted_by_target(three_weeks):
    states = [("sql", "dead"), ("hubspot", "failed"), ("hubspot", "dead"), ("hubspot", "sent")]
    with three_weeks.begin() as connection:
        for number, (target, state) in enumerate(states):
            row = {
                "target": target, "kind": "group", "object_id": str(number), "payload": "{}",
                "payload_hash": "", "state": state, "attempts": 0,
            }  # fmt: skip
            connection.execute(sa.insert(outbox.outbox).values(**row))
        assert load_history(connection, JUNE).failed == (("hubspot", 2), ("sql", 1))
