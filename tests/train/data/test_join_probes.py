"""Dates of joining that tell that the deal advanced; claims on chance hold in simulations."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from mqbg.settings import ProbeSettings
from mqbg.train.data.join_probes import (
    filled_roles,
    joins_after_stages,
    joins_worth,
    judge_joins,
    lost_auc,
)

CREATED = datetime(2024, 1, 1)
AS_OF = datetime(2024, 6, 1)
DAY = timedelta(days=1)
PROBE = ProbeSettings()


def groups(number):
    ids = [f"g{i:03}" for i in range(number)]
    return pd.DataFrame(
        {"group_id": ids, "account_id": ids, "converted": [i % 4 == 0 for i in range(number)]}
    )


def tables(open_tables, every, joined, changed):
    """Each group with these joins and stage changes, as days after its creation."""
    ids = every["group_id"].tolist()
    rows = {
        "buying_groups": [{"group_id": g, "account_id": g, "created_at": CREATED} for g in ids],
        "members": [
            {"group_id": g, "contact_id": f"{g}-{n}", "joined_at": CREATED + day * DAY}
            for g in ids
            for n, day in enumerate(joined)
        ],
        "stage_events": [
            {"group_id": g, "stage": "demo", "occurred_at": CREATED + day * DAY}
            for g in ids
            for day in changed
        ],
    }
    return open_tables(rows).contract_tables


@pytest.mark.parametrize(
    ("joined", "found"),
    [
        ([41, 42], True),  # a day or two after the stage change of day 40
        ([38, 39], False),  # before it
        ([0, 0], False),  # there from the beginning
        ([10, 70], False),
        ([41, 39], False),  # as many before as after
    ],
)
def test_members_who_join_right_after_stage_changes_are_found(open_tables, joined, found):
    every = groups(20)
    opened = tables(open_tables, every, joined, [0, 40])
    things = [f.thing for f in joins_after_stages(opened, every, PROBE)]
    assert things == (["members.joined_at"] if found else [])


def test_few_groups_are_no_evidence_of_joins_after_stages(open_tables):
    every = groups(5)
    opened = tables(open_tables, every, [41], [40])
    assert joins_after_stages(opened, every, PROBE) == []


def test_without_stages_or_joins_there_is_nothing_to_say(open_tables):
    every = groups(20)
    opened = tables(open_tables, every, [0], [])
    assert joins_after_stages(opened, every, PROBE) == []


def test_people_who_join_at_any_time_are_not_found():
    """In eighty worlds of sixty groups; one false alarm in a thousand is allowed for each."""
    ids, alarms = np.repeat([f"g{i}" for i in range(60)], 4), 0
    for seed in range(80):
        days = np.random.default_rng(seed).uniform(2, 30, (2, len(ids)))
        joined, changed = (pd.Series(CREATED + pd.to_timedelta(d, unit="D")) for d in days)
        joins = pd.DataFrame({"group_id": ids, "contact_id": ids, "joined_at": joined})
        events = pd.DataFrame({"group_id": ids, "occurred_at": changed})
        alarms += bool(judge_joins(joins, events, PROBE))
    assert alarms <= 1


def test_roles_are_counted_at_each_cutoff_and_shifted():
    members = pd.DataFrame(
        {
            "group_id": ["g1", "g1", "g1", "g2"],
            "role": ["user", "user", "buyer", "user"],
            "joined_at": [AS_OF - 30 * DAY, AS_OF - 9 * DAY, AS_OF - 3 * DAY, AS_OF],
            "left_at": [None, None, None, None],
        }
    )
    keys = pd.DataFrame({"group_id": ["g1", "g2", "g1"], "as_of": [AS_OF, AS_OF, AS_OF - 40 * DAY]})
    assert filled_roles(members, keys, 0).tolist() == [2, 0, 0]
    assert filled_roles(members, keys, 7).tolist() == [1, 0, 0]


def snapshot(draw, number, lag_days):
    """Groups a third of which convert; their second role joined `lag_days` before the cut-off."""
    keys = pd.DataFrame(
        {
            "group_id": [f"g{i}" for i in range(number)],
            "account_id": [f"a{i}" for i in range(number)],
            "as_of": AS_OF,
            "converted": draw.random(number) < 0.3,
        }
    )
    rows = [
        {"group_id": row.group_id, "role": role, "joined_at": AS_OF - days * DAY, "left_at": None}
        for row in keys.itertuples()
        for role, days in (
            ("user", 60),
            *([("buyer", lag_days)] if draw.random() < (0.8 if row.converted else 0.3) else []),
        )
    ]
    return rows, keys


@pytest.mark.parametrize(("lag_days", "found"), [(3, True), (30, False)])
def test_roles_that_are_worth_something_only_by_the_last_days_are_found(
    open_tables, lag_days, found
):
    rows, keys = snapshot(np.random.default_rng(1), 200, lag_days)
    members = [{**row, "contact_id": f"c{number}"} for number, row in enumerate(rows)]
    opened = open_tables({"members": members}).contract_tables
    findings = joins_worth(opened["members"], keys, PROBE)
    assert [f.probe for f in findings] == (["worth of late joins"] if found else [])


@pytest.mark.slow
def test_an_auc_lost_by_chance_is_within_its_spread():
    """Roles filled without regard to the outcome, in 60 data sets: the level of three sigma."""
    beyond = 0
    for seed in range(60):
        draw = np.random.default_rng(seed)
        converted = draw.random(150) < 0.3
        now, shifted = draw.integers(0, 4, (2, 150)).astype(float)
        lost, spread = lost_auc(now, shifted, converted, np.arange(150))
        beyond += lost > 3.09 * spread
    assert beyond <= 2
