"""Only what changed is computed anew, and the result is that of a full run."""

from __future__ import annotations

import copy
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqbg.features import feature_table, find_vocabulary
from mqbg.features.declare.catalogue import build_catalogue
from mqbg.features.tables.feature_table import update_feature_table
from mqbg.features.time_rules.changed_groups import changed_groups

AS_OF = datetime(2024, 6, 1, 15)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def rows(table, bits):
    return [bits(row) for row in table.to_pylist()]


@pytest.mark.slow
@settings(max_examples=6, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), minutes=st.integers(0, 14 * 60))
def test_a_table_made_from_an_earlier_one_equals_a_full_run(
    open_tables, random_tables, bits, seed, minutes
):
    since = AS_OF - timedelta(minutes=minutes)
    source = open_tables(random_tables(seed, AS_OF, groups=12))
    words = build_catalogue(find_vocabulary(source, since))
    before = feature_table(source, words, [since])
    got, anew = update_feature_table(source, words, AS_OF, since, before)
    assert rows(got, bits) == rows(feature_table(source, words, [AS_OF]), bits)
    assert anew <= got.num_rows


def quiet_world(**more):
    """Four groups of accounts of their own, each with one row of each kind, all at noon."""
    noon = datetime(2024, 3, 1, 12)
    groups = ("g1", "g2", "g3", "g4")
    world = {
        "accounts": [
            {"account_id": f"a of {g}", "name": g, "industry": f"i of {g}"} for g in groups
        ],
        "buying_groups": [
            {"group_id": g, "account_id": f"a of {g}", "created_at": noon} for g in groups
        ],
        "members": [{"group_id": g, "contact_id": f"c of {g}", "joined_at": noon} for g in groups],
        "activities": [{"contact_id": f"c of {g}", "occurred_at": noon} for g in groups],
        "stage_events": [],
        "verdicts": [],
        "answers": [],
    }
    for name, added in more.items():
        world[name] = [*world[name], *added]
    return world


def changed(open_tables, world, since=AS_OF - HOUR, as_of=AS_OF):
    found = changed_groups(open_tables(world), since, as_of)
    return None if found is None else found.to_pylist()


def test_where_nothing_happened_and_no_whole_day_passed_nothing_is_computed(open_tables):
    assert changed(open_tables, quiet_world()) == []


def test_a_whole_day_of_any_row_passes_at_its_own_time_of_day(open_tables):
    day = AS_OF.replace(hour=12)
    assert changed(open_tables, quiet_world(), day - HOUR, day + HOUR) == ["g1", "g2", "g3", "g4"]


def test_at_midnight_the_calendar_changes_every_group(open_tables):
    assert changed(open_tables, quiet_world(), AS_OF - DAY, AS_OF) is None


NEW = AS_OF - timedelta(minutes=10)
LONG_AGO = datetime(2024, 3, 5, 9)
NEWS = {
    "an activity": ({"activities": [{"contact_id": "c of g2", "occurred_at": NEW}]}, ["g2"]),
    "one recorded late": (
        {"activities": [{"contact_id": "c of g2", "occurred_at": LONG_AGO, "recorded_at": NEW}]},
        ["g2"],
    ),
    "one logged on the group": (
        {"activities": [{"contact_id": None, "group_id": "g3", "occurred_at": NEW}]}, ["g3"],
    ),
    "one of somebody else": ({"activities": [{"contact_id": "nobody's", "occurred_at": NEW}]}, []),
    "one in the future": (
        {"activities": [{"contact_id": "c of g2", "occurred_at": AS_OF}]}, [],
    ),
    "a new member": (
        {"members": [{"group_id": "g1", "contact_id": "new", "joined_at": NEW}]}, ["g1"],
    ),
    "a member of another group": (
        {"members": [{"group_id": "g1", "contact_id": "c of g4", "joined_at": NEW}]}, ["g1", "g4"],
    ),
    "one who left": (
        {"members": [
            {"group_id": "g1", "contact_id": "x", "joined_at": LONG_AGO, "left_at": NEW}
        ]},
        ["g1"],
    ),
    "a stage": ({"stage_events": [
        {"group_id": "g3", "stage": "demo", "occurred_at": NEW}]}, ["g3"]),
    "a verdict": ({"verdicts": [
        {"group_id": "g3", "verdict": "accepted", "decided_at": NEW}]}, ["g3"]),
    "an answer": ({"answers": [
        {"group_id": "g3", "question": "budget", "answer": "yes", "answered_at": NEW}]}, ["g3"]),
    "a group of the same account": (
        {"buying_groups": [{"group_id": "g5", "account_id": "a of g2", "created_at": NEW}]},
        ["g2", "g5"],
    ),
    "a conversion in the same industry": (
        {
            "accounts": [{"account_id": "peer", "name": "P", "industry": "i of g1"}],
            "buying_groups": [
                {"group_id": "p", "account_id": "peer", "created_at": LONG_AGO}
            ],
            "stage_events": [{"group_id": "p", "stage": "opportunity", "occurred_at": NEW}],
        },
        ["g1", "p"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("news", NEWS)
def test_each_kind_of_news_names_the_groups_it_may_change_and_no_other(open_tables, news):
    more, expected = NEWS[news]
    assert changed(open_tables, copy.deepcopy(quiet_world(**more))) == expected
