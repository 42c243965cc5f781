"""What pages, the API and alerts read."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from mqbg.contract import BadInput
from mqbg.serve.store.connection import open_store
from mqbg.serve.store.queries import (
    GroupFilter,
    load_alertable_transitions,
    load_group,
    load_groups_page,
    load_latest_run,
    load_score_history,
    load_transitions,
)
from mqbg.serve.store.save_run import save_run
from mqbg.settings import Settings, StateSettings

JUNE, DAY = datetime(2024, 6, 1), timedelta(days=1)
SETTINGS = Settings(states=StateSettings(dwell_days=0, alert_pause_days=2))
NIGHTS = (
    {"a": 0.9, "b": 0.1, "c": 0.7},
    {"a": 0.1, "b": 0.8, "c": 0.7},
    {"a": 0.9, "b": 0.8},
    {"a": 0.1, "b": 0.8},
    {"a": 0.9, "b": 0.8},
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(request, tmp_path_factory, run_of, scores_of, no_verdicts):
    """A store with five runs: `a` comes and goes, `c` is closed after two."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('read') / 'store.sqlite'}"
    else:
        url = request.getfixturevalue("server").database().url
    with open_store(url) as store:
        fill(store, run_of, scores_of, no_verdicts)
        yield store


def fill(store, run_of, scores_of, no_verdicts):
    for night, readiness in enumerate(NIGHTS):
        as_of = JUNE + night * DAY
        rows = scores_of(readiness)
        for row in rows:
            row |= {"solution_id": "s2" if row["group_id"] == "b" else "s1"}
            row |= {"engagement": None if row["group_id"] == "a" else row["readiness"]}
        with save_run(store, run_of(as_of, {"scores": rows}), no_verdicts, SETTINGS, as_of):
            pass


@pytest.fixture
def connection(filled):
    with filled.begin() as connection:
        yield connection


def test_before_the_first_run_there_is_none(store):
    with store.begin() as connection:
        assert load_latest_run(connection) is None
        assert load_groups_page(connection, JUNE).total == 0
        assert load_group(connection, "a", JUNE) is None


def test_the_latest_run_is_the_one_of_the_last_night(connection):
    assert load_latest_run(connection).as_of == JUNE + 4 * DAY
    assert load_latest_run(connection).groups == 2


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ({}, ["a", "c", "b"]),
        ({"sort": "readiness"}, ["b", "c", "a"]),
        ({"sort": "readiness", "descending": True}, ["a", "c", "b"]),
        ({"sort": "completeness", "descending": True}, ["a", "b", "c"]),  # ties by id
        ({"sort": "engagement"}, ["b", "c", "a"]),  # none comes last ...
        ({"sort": "engagement", "descending": True}, ["c", "b", "a"]),  # ... either way
        ({"limit": 1, "offset": 1}, ["c"]),
        ({"group_filter": GroupFilter(status=["qualified"])}, ["a", "c"]),
        ({"group_filter": GroupFilter(status=["qualified", "nurture"], solution_id=["s2"])}, ["b"]),
        ({"group_filter": GroupFilter(least_readiness=0.7)}, ["a", "c"]),
        ({"group_filter": GroupFilter(group_id=["c", "'; DROP TABLE scores; --"])}, ["c"]),
        ({"group_filter": GroupFilter(account_id=["nobody"])}, []),
    ],
)
def test_groups_are_sorted_filtered_and_paged(connection, options, ids):
    page = load_groups_page(connection, JUNE, **options)
    assert [row["group_id"] for row in page.groups] == ids
    assert page.total == (3 if {"limit"} & set(options) else len(ids))


@pytest.mark.parametrize("sort", ["name", "top_reasons", "rank; DROP TABLE scores"])
def test_groups_are_not_sorted_by_what_is_no_column(connection, sort):
    with pytest.raises(BadInput, match="expected a column of scores"):
        load_groups_page(connection, JUNE, sort=sort)


def test_the_history_of_a_group_is_its_scores_night_by_night(connection):
    rows = load_score_history(connection, "a")
    assert [row["readiness"] for row in rows] == [night["a"] for night in NIGHTS]
    assert [row["status"] for row in rows] == ["qualified", "recycled"] * 2 + ["qualified"]
    assert rows[0]["top_reasons"] == ["x"]
    assert len(load_score_history(connection, "c")) == 2


def test_a_group_has_the_transitions_up_to_its_run(connection):
    assert [t["to_status"] for t in load_group(connection, "a", JUNE + DAY).transitions] == [
        "qualified",
        "recycled",
    ]
    assert len(load_transitions(connection, "a")) == 5
    assert load_group(connection, "c", JUNE + 4 * DAY) is None  # closed by then


def test_alerts_are_due_for_transitions_outside_the_pause(connection):
    found = [(t["as_of"] - JUNE, t["group_id"]) for t in load_alertable_transitions(connection)]
    assert found == [(0 * DAY, "a"), (0 * DAY, "c"), (DAY, "b"), (2 * DAY, "a"), (4 * DAY, "a")]
    some = load_alertable_transitions(connection, JUNE + DAY, JUNE + 2 * DAY)
    assert [t["group_id"] for t in some] == ["b", "a"]


def test_a_group_without_rows_elsewhere_has_empty_lists(connection):
    found = load_group(connection, "a", JUNE)
    assert (found.stakeholders, found.actions, found.themes, found.summary) == ([], [], [], None)
