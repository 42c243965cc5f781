"""The capacity line on the day of a batch, followed from where training left it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pandas as pd
import pyarrow.compute as pc
import pytest
from mqbg.contract import TABLES
from mqbg.features import feature_table
from mqbg.features.time_rules.eligible_groups import cutoffs
from mqbg.model.threshold_update import update_threshold
from mqbg.serve.batch.thresholds_in_force import (
    UPDATE_SNAPSHOTS,
    segment_table,
    thresholds_in_force,
)

AS_OF = datetime(2025, 7, 1)


def quiet(_label, _share):
    pass


@pytest.fixture(scope="module")
def source(slim_model):
    return slim_model[0]


@pytest.fixture(scope="module")
def bundle(slim_model):
    """The model as it stood when nothing had followed yet, with little capacity."""
    whole = slim_model[1]
    strict = replace(whole.settings.thresholds, capacity_per_week=1.5)
    return replace(
        whole,
        settings=replace(whole.settings, thresholds=strict),
        thresholds=replace(whole.thresholds, schedule=(), floor=0.0),
    )


@pytest.fixture(scope="module")
def followed(source, bundle):
    """(the lines of the day, the progress that was told on the way)."""
    told = []
    return thresholds_in_force(source, bundle, AS_OF, lambda *one: told.append(one)), told


@pytest.fixture(scope="module")
def in_force(followed):
    return followed[0]


def rows_at(source, bundle, instants):
    """The snapshots scored, with what lines are drawn by; segments need none of it here."""
    table = feature_table(source, bundle.catalogue, list(instants))
    return pd.DataFrame(
        {
            "group_id": table["group_id"].to_pylist(),
            "as_of": pd.to_datetime(table["as_of"].to_pandas()),
            "readiness": bundle.readiness(bundle.log_odds(table)),
            "completeness": table["completeness"].to_numpy(),
        }
    )


def rhythm(bundle, until):
    return cutoffs(bundle.training.first_as_of, until, bundle.settings.snapshots.every)


def test_the_line_is_that_of_following_the_latest_snapshots(source, bundle, in_force):
    latest = rhythm(bundle, AS_OF)[-UPDATE_SNAPSHOTS:]
    rows = rows_at(source, bundle, latest)
    assert in_force == update_threshold(rows, bundle.thresholds, bundle.settings.thresholds)
    assert in_force.updated_until == AS_OF
    assert len(in_force.schedule) == UPDATE_SNAPSHOTS - 1


def test_the_newly_qualified_of_the_day_are_what_sales_can_take(source, bundle, in_force):
    before, now = rows_at(source, bundle, rhythm(bundle, AS_OF)[-2:]).groupby("as_of")
    inside = []
    for as_of, rows in (before, now):
        reached = (rows["readiness"] >= in_force.pooled_at(as_of.to_pydatetime())) & (
            rows["completeness"] >= in_force.completeness
        )
        inside.append(set(rows["group_id"][reached]))
    quota = 1.5 * (now[0] - before[0]).days / 7
    assert abs(len(inside[1] - inside[0]) - quota) <= 1.5


def test_a_bundle_that_has_followed_up_to_the_day_keeps_its_line(source, bundle, in_force):
    followed = replace(bundle, thresholds=in_force)
    asked = []
    lines = thresholds_in_force(source, followed, AS_OF, lambda *told: asked.append(told))
    assert lines is in_force
    assert not asked  # and scores nothing for it


def test_what_was_followed_already_stays_and_the_rest_goes_on(source, bundle):
    early = datetime(2025, 5, 1)
    first = thresholds_in_force(source, bundle, early, quiet)
    on = thresholds_in_force(source, replace(bundle, thresholds=first), AS_OF, quiet)
    assert on.schedule[: len(first.schedule)] == first.schedule
    added = [datetime.fromisoformat(at) for at, _line in on.schedule[len(first.schedule) :]]
    assert added == [at for at in rhythm(bundle, AS_OF) if at > early]


def test_between_two_snapshots_the_line_of_the_earlier_one_holds(source, bundle, in_force):
    later = AS_OF + timedelta(days=17, hours=5)
    assert thresholds_in_force(source, bundle, later, quiet) == in_force
    assert in_force.pooled_at(later) == in_force.pooled_at(AS_OF)


@pytest.mark.parametrize("policy", ["value", "precision"])
def test_other_policies_follow_nothing(source, bundle, policy):
    fixed = replace(bundle, thresholds=replace(bundle.thresholds, policy=policy))
    asked = []
    lines = thresholds_in_force(source, fixed, AS_OF, lambda *told: asked.append(told))
    assert lines is fixed.thresholds
    assert not asked


def test_before_the_first_snapshot_of_training_there_is_nothing_to_follow(source, bundle):
    early = bundle.training.first_as_of - timedelta(days=1)
    assert thresholds_in_force(source, bundle, early, quiet) is bundle.thresholds


def test_nothing_that_is_known_from_the_cutoff_on_moves_the_line(
    source, bundle, in_force, open_tables
):
    tables = {name: source.tables[name].to_pyarrow() for name in TABLES}
    times = {
        "stage_events": "occurred_at",
        "activities": "occurred_at",
        "verdicts": "decided_at",
        "answers": "answered_at",
        "members": "joined_at",
    }
    blind = dict(tables)
    for name, column in times.items():
        blind[name] = tables[name].filter(pc.less(tables[name][column], AS_OF))
    late = pc.coalesce(blind["activities"]["recorded_at"], blind["activities"]["occurred_at"])
    blind["activities"] = blind["activities"].filter(pc.less(late, AS_OF))
    assert blind["stage_events"].num_rows < tables["stage_events"].num_rows
    other = open_tables(blind, source.settings)
    assert thresholds_in_force(other, bundle, AS_OF, quiet) == in_force


def test_progress_runs_from_nothing_to_all(followed):
    told = followed[1]
    assert {label for label, _share in told} == {"thresholds"}
    assert [share for _label, share in told] == sorted(share for _label, share in told)
    assert (told[0][1], told[-1][1]) == (0.0, 1.0)


def test_rows_have_the_columns_of_every_segment(source, bundle):
    table = feature_table(source, bundle.catalogue, [AS_OF])
    rows = segment_table(table, ["s"] * table.num_rows)
    assert set(rows.columns) == {"group_id", "completeness", "solution_id", "tier", "country"}
    assert rows["tier"].tolist() == table["tier"].to_pylist()
