"""Which activities count for whom, and what is one activity."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations

import ibis
import pyarrow as pa
import pytest
from mqbg.contract import schema
from mqbg.features.time_rules.activities_known_before import (
    deduplicate,
    repeated_id_hashes,
    warn_of_unknown_kinds,
    with_known_at,
)
from mqbg.settings import Settings

AS_OF = datetime(2024, 6, 1)
DAY = timedelta(days=1)
YESTERDAY = AS_OF - DAY


@pytest.fixture(scope="module")
def inbound(features_at):
    """By group: how many inbound activities count. Each contact has one activity."""
    groups = {"twin of s1": "s1", "g1": "s1", "g2": "s2"}
    personal = ["with group", "with solution", "with neither", "group and other solution"]
    tables = {
        "buying_groups": [
            {"group_id": f"{name}: {group}", "solution_id": solution}
            for name in personal
            for group, solution in groups.items()
        ]
        + [
            {"group_id": "consulted", "account_id": "client"},
            {"group_id": "g of nobody", "solution_id": "s1"},
        ],
        "contacts": [{"contact_id": "consultant", "account_id": "consultancy"}],
        "members": [
            {"group_id": f"{name}: {group}", "contact_id": name}
            for name in personal
            for group in groups
        ]
        + [
            {"group_id": "consulted", "contact_id": "consultant"},
            {"group_id": "joined later", "contact_id": "early bird", "joined_at": YESTERDAY},
            {"group_id": "logged", "contact_id": "silent"},
            {"group_id": "not hers", "contact_id": "member"},
            {"group_id": "left", "contact_id": "gone", "left_at": YESTERDAY},
            {"group_id": "two roles", "contact_id": "changed", "left_at": YESTERDAY},
            {"group_id": "two roles", "contact_id": "changed", "joined_at": YESTERDAY},
        ],
        "activities": [
            {"contact_id": "with group", "group_id": "with group: g1"},
            {"contact_id": "with solution", "solution_id": "s1"},
            {"contact_id": "with neither"},
            {
                "contact_id": "group and other solution",
                "group_id": "group and other solution: g1",
                "solution_id": "s2",
            },
            {"contact_id": "consultant"},
            {"contact_id": "early bird", "occurred_at": AS_OF - 80 * DAY},
            {"contact_id": None, "group_id": "logged"},
            {"contact_id": "a stranger", "group_id": "not hers"},
            {"contact_id": "another stranger"},
            {"contact_id": "gone"},
            {"contact_id": "changed"},
        ],
    }
    for row in tables["activities"]:
        row.setdefault("occurred_at", AS_OF - 3 * DAY)
    names = (
        *("inbound_ever", "inbound_90d", "logged_90d", "days_since_inbound", "members"),
        *("active_members_30d", "active_share_ever", "active_share_30d", "completeness"),
        *("engaged_completeness", "engagement_max", "engagement_mean", "rule_engagement"),
    )
    return features_at(tables, AS_OF, names=names)


@pytest.mark.parametrize(
    ("name", "counts_for"),
    [
        ("with group", {"g1"}),
        ("with solution", {"twin of s1", "g1"}),
        ("with neither", {"twin of s1", "g1", "g2"}),
        ("group and other solution", {"g1"}),
    ],
)
def test_an_activity_counts_for_the_groups_in_its_scope(inbound, name, counts_for):
    groups = ("twin of s1", "g1", "g2")
    assert {g for g in groups if inbound[f"{name}: {g}"]["inbound_ever"]} == counts_for


def test_a_consultant_of_another_account_counts(inbound):
    assert inbound["consulted"]["active_members_30d"] == 1


def test_an_activity_older_than_the_membership_counts(inbound):
    assert inbound["joined later"]["inbound_90d"] == 1


def test_an_activity_without_a_contact_counts_for_the_group_and_for_no_member(inbound):
    row = inbound["logged"]
    assert (row["inbound_ever"], row["logged_90d"], row["days_since_inbound"]) == (1, 1, 3)
    assert (row["active_members_30d"], row["active_share_ever"]) == (0, 0)
    assert (row["engaged_completeness"], row["engagement_max"], row["rule_engagement"]) == (0, 0, 0)


def test_an_activity_of_somebody_who_is_no_member_does_not_count(inbound):
    assert inbound["not hers"]["inbound_ever"] == 0


def test_an_activity_of_somebody_who_left_does_not_count(inbound):
    assert inbound["left"]["inbound_ever"] == 0


def test_an_activity_before_a_change_of_role_counts_once(inbound):
    assert (inbound["two roles"]["members"], inbound["two roles"]["inbound_ever"]) == (1, 1)


def test_a_group_without_members_or_activities_keeps_its_row(inbound):
    row = inbound["g of nobody"]
    assert (row["members"], row["inbound_ever"], row["completeness"]) == (0, 0, 0)
    assert row["days_since_inbound"] is row["engagement_mean"] is row["active_share_30d"] is None


def activities(rows):
    """The contract's table of some rows."""
    plain = [{name: row.get(name) for name in schema("activities").names} for row in rows]
    return ibis.memtable(pa.Table.from_pylist(plain, schema("activities").to_pyarrow()))


def counted(rows):
    """What `deduplicate` keeps of rows: the kind by activity_id."""
    kept = deduplicate(with_known_at(activities(rows))).to_pyarrow().to_pylist()
    assert len({row["activity_id"] for row in kept}) == len(kept)
    return {row["activity_id"]: row["kind"] for row in kept}


def copy_of(kind, occurred, recorded=None, **more):
    return {
        "activity_id": "x",
        "contact_id": "c1",
        "kind": kind,
        "occurred_at": AS_OF - occurred * DAY,
        "recorded_at": None if recorded is None else AS_OF - recorded * DAY,
        **more,
    }


@pytest.mark.parametrize(
    "order", list(permutations([copy_of("a", 9, 2), copy_of("b", 5), copy_of("c", 4, 1)]))
)
def test_of_repeated_rows_the_earliest_known_counts_in_any_order(order):
    other = copy_of("other", 30, activity_id="y")
    assert counted([*order, other]) == {"x": "b", "y": "other"}


@pytest.mark.parametrize("turn", [1, -1])
def test_a_planned_row_does_not_hide_one_that_happened(turn):
    planned, happened = copy_of("planned", -5, 30), copy_of("happened", 1)
    assert counted([planned, happened][::turn]) == {"x": "happened"}


@pytest.mark.parametrize("order", list(permutations(["a", "b", "c"])))
def test_rows_known_at_the_same_instant_are_told_apart_by_their_values(order):
    assert counted([copy_of(kind, 3) for kind in order]) == {"x": "a"}


def test_hashes_shared_by_rows_are_the_same_by_sorting_as_by_grouping():
    names = [f"a{number % 700}" for number in range(1000)]
    rows = with_known_at(activities([copy_of("a", 3, activity_id=name) for name in names]))
    by_grouping, by_sorting = (
        sorted(repeated_id_hashes(rows, by_sorting=how).to_pyarrow()["hashed"].to_pylist())
        for how in (False, True)
    )
    assert by_sorting == by_grouping
    assert len(by_sorting) == 300


def test_a_contact_and_a_group_of_the_same_name_are_told_apart(features_at):
    tables = {
        "members": [
            {"group_id": "same", "contact_id": "c1"},
            {"group_id": "g1", "contact_id": "same"},
        ],
        "activities": [
            {"contact_id": "same", "kind": "web_visit", "occurred_at": YESTERDAY},
            {"group_id": "same", "kind": "meeting", "occurred_at": YESTERDAY},
        ],
    }
    rows = features_at(tables, AS_OF, names=["inbound_ever", "high_intent_30d"])
    found = {name: (row["inbound_ever"], row["high_intent_30d"]) for name, row in rows.items()}
    assert found == {"same": (1, 1), "g1": (1, 0)}


def test_the_same_activity_twice_counts_once_with_the_points_first_known(features_at):
    rows = [copy_of("web_visit", 5), copy_of("meeting", 5, 2), copy_of("web_visit", 5)]
    members = [{"group_id": "g1", "contact_id": "c1"}]
    names = ["inbound_ever", "high_intent_30d", "engagement_7"]
    row = features_at({"members": members, "activities": rows}, AS_OF, names=names)["g1"]
    assert (row["inbound_ever"], row["high_intent_30d"]) == (1, 0)
    assert row["engagement_7"] == pytest.approx(5 * 0.5 ** (5 / 7), abs=2**-20)


def test_kinds_without_settings_are_inbound_one_point_and_named_in_one_warning(features_at, caplog):
    members = [{"group_id": "g1", "contact_id": "c1"}]
    kinds = ["fax", "fax", "telex", "meeting"]
    rows = [{"contact_id": "c1", "kind": kind, "occurred_at": YESTERDAY} for kind in kinds]
    names = ["inbound_7d", "high_intent_30d", "engagement_7"]
    row = features_at({"members": members, "activities": rows}, AS_OF, names=names)["g1"]
    assert (row["inbound_7d"], row["high_intent_30d"]) == (4, 1)
    assert row["engagement_7"] == pytest.approx(63 * 0.5 ** (1 / 7), abs=4 * 2**-20)
    (said,) = [record.message for record in caplog.records]
    assert said == (
        "kinds without settings count as inbound, 1 point each: fax (2), telex (1); to say what "
        "they are worth, set for each: [kinds.fax] points = 10"
    )


def test_of_many_kinds_without_settings_the_ten_most_frequent_are_named(caplog):
    warn_of_unknown_kinds({f"k{i:02}": 100 - i for i in range(300)}, Settings())
    (said,) = [record.message for record in caplog.records]
    assert "k00 (100), k01 (99)" in said
    assert "k09 (91) and 290 more" in said
    assert "k10" not in said
