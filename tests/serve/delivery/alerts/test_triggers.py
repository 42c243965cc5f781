"""What is told, once, and what is not."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from mqbg.serve.delivery.alerts.triggers import find_due_alerts
from mqbg.settings import AlertSettings

DAY = timedelta(days=1)
FIRST = datetime(2025, 3, 1)
LOW = {"readiness": 0.1, "score": 10}


@pytest.fixture
def due(store):
    """`due(as_of, **settings)`: (group_id, cause) of every alert."""

    def ask(as_of, **own) -> list[tuple[str, str]]:
        with store.begin() as connection:
            found = find_due_alerts(connection, as_of, AlertSettings(**own))
        return [(alert.group_id, alert.trigger) for alert in found]

    return ask


def test_a_group_that_qualifies_is_told(night, due):
    night(FIRST, ["a", "b"], **LOW)
    assert due(FIRST) == []
    night(FIRST + DAY, ["a"])
    assert due(FIRST + DAY) == [("a", "qualified")]


def test_a_night_that_was_cut_off_is_told_by_the_next_one(night, due):
    night(FIRST, ["a"])
    night(FIRST + DAY, ["a"])
    assert due(FIRST + DAY) == [("a", "qualified")]


@pytest.mark.parametrize(("days", "told"), [(3, True), (4, False)])
def test_what_is_old_is_no_news(night, due, days, told):
    night(FIRST, ["a"])
    assert bool(due(FIRST + days * DAY)) is told


@pytest.mark.parametrize(("score", "told"), [(70, True), (71, False), (95, False)])
def test_a_large_fall_of_a_qualified_group_is_told(night, due, score, told):
    night(FIRST, ["a"])
    night(FIRST + DAY, ["a"], score=score)
    assert (("a", "fell") in due(FIRST + DAY)) is told


def test_a_fall_of_a_group_that_never_qualified_is_not_told(night, due):
    night(FIRST, ["a"], readiness=0.45, score=45)
    night(FIRST + DAY, ["a"], readiness=0.05, score=5)
    assert due(FIRST + DAY) == []


def test_a_fall_that_comes_with_another_model_is_not_told(night, due):
    night(FIRST, ["a"])
    night(FIRST + DAY, ["a"], model_version="2", score=60)
    assert ("a", "fell") not in due(FIRST + DAY)


def test_the_person_it_rests_on_leaves(night, due, store):
    night(FIRST, ["a"], single_point_of_failure="a-c1")
    night(FIRST + DAY, ["a"], members=1, single_point_of_failure=None)
    assert ("a", "left") in due(FIRST + DAY)


def test_somebody_else_leaves(night, due):
    night(FIRST, ["a"], single_point_of_failure="a-c0")
    night(FIRST + DAY, ["a"], members=1)
    assert ("a", "left") not in due(FIRST + DAY)


def test_a_group_that_is_closed_has_lost_nobody(night, due):
    night(FIRST, ["a", "b"], single_point_of_failure="a-c0")
    night(FIRST + DAY, ["b"], single_point_of_failure="b-c0")
    assert [group for group, cause in due(FIRST + DAY) if cause == "left"] == ["b"]


def test_a_run_that_is_repeated_gives_the_same_keys(night, store):
    keys = []
    for _ in range(2):
        night(FIRST, ["a"])
        with store.begin() as connection:
            keys.append(
                [alert.key for alert in find_due_alerts(connection, FIRST, AlertSettings())]
            )
    assert keys[0] == keys[1] == ["a|2025-03-01T00:00:00|qualified"]
