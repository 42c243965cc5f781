"""The market leader's public rule, by its own worked examples (field-notes.md)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from mqbg.settings import ActivityKind, RoleRequirement, Settings

AS_OF = datetime(2024, 6, 1)
DAY = timedelta(days=1)
VITAL, IMPORTANT, NORMAL = (
    RoleRequirement(1, 100.0, 1),
    RoleRequirement(1, 80.0, 2),
    RoleRequirement(1, 60.0, 3),
)
ROLES = {"vital": VITAL, "important": IMPORTANT, "normal": NORMAL}


def points_for(person):
    """Points that make a person's engagement: ours is 5 times the square root of points."""
    return (person / 5) ** 2


def settings_with(**points):
    kinds = {name: ActivityKind(value) for name, value in points.items()}
    return Settings(roles=ROLES, kinds=kinds)


def activity(contact_id, kind, days=1.0, **more):
    return {
        "contact_id": contact_id,
        "kind": kind,
        "occurred_at": AS_OF - days * DAY,
        **more,
    }


def group_value(features_at, tables, settings):
    """The sum over members of person engagement x role share, before root and rescaling."""
    features = features_at(tables, AS_OF, settings, names=["rule_engagement", "points_75_25"])
    return {group_id: (row["rule_engagement"] / 10) ** 2 for group_id, row in features.items()}


def test_weights_of_100_80_and_60_share_41_67_33_33_and_25_percent(features_at):
    tables = {
        "members": [
            {"group_id": role, "contact_id": f"one {role}", "role": role} for role in ROLES
        ],
        "activities": [activity(f"one {role}", "everything") for role in ROLES],
    }
    values = group_value(features_at, tables, settings_with(everything=points_for(100)))
    assert {role: round(value, 2) for role, value in values.items()} == {
        "vital": 41.67,
        "important": 33.33,
        "normal": 25.0,
    }


def test_role_totals_of_52_28_and_17_make_35_25(features_at):
    totals = {"vital": 52, "important": 28, "normal": 17}
    settings = settings_with(**{role: points_for(total) for role, total in totals.items()})
    tables = {
        "members": [{"group_id": "g1", "contact_id": role, "role": role} for role in ROLES],
        "activities": [activity(role, role) for role in ROLES],
    }
    assert group_value(features_at, tables, settings)["g1"] == pytest.approx(35.25, abs=1e-5)
    row = features_at(tables, AS_OF, settings, names=["rule_engagement", "points_75_25"])["g1"]
    assert row["rule_engagement"] == pytest.approx(10 * 35.25**0.5, abs=1e-5)
    assert row["points_75_25"] == pytest.approx(0.75 * row["rule_engagement"] + 25, abs=1e-9)


@pytest.fixture(scope="module")
def person(features_at):
    """By group of one member in the only role: person engagement."""
    settings = Settings(
        roles={"buyer": RoleRequirement()},
        kinds={
            "visit": ActivityKind(1.0),
            "click": ActivityKind(1.0),
            "unsubscribed": ActivityKind(-50.0),
            "sent": ActivityKind(9.0, "outbound"),
        },
    )
    as_of = AS_OF + DAY / 2  # noon: a day of the calendar lies on both sides of midnight
    today, yesterday = as_of - DAY / 24, as_of - DAY
    cases = {
        "37 and 15": [("visit", yesterday)] * 37 + [("visit", today)] * 15,
        "two kinds": [("visit", yesterday)] * 25 + [("click", yesterday)] * 25,
        "day 30": [("visit", as_of - 30 * DAY)],
        "day 31": [("visit", as_of - 31 * DAY)],
        "four hundred": [("visit", yesterday - n * DAY) for n in range(20) for _ in range(20)],
        "more": [("visit", yesterday - n * DAY) for n in range(28) for _ in range(20)],
        "negative": [("unsubscribed", yesterday), ("visit", yesterday)],
        "outbound": [("sent", yesterday)],
        "silent": [],
    }
    tables = {
        "members": [{"group_id": name, "contact_id": name} for name in cases],
        "activities": [
            {"contact_id": name, "kind": kind, "occurred_at": instant}
            for name, rows in cases.items()
            for kind, instant in rows
        ],
    }
    features = features_at(tables, as_of, settings, names=["rule_engagement"])
    return {name: (features[name]["rule_engagement"] / 10) ** 2 for name in cases}


@pytest.mark.parametrize(
    ("case", "points"),
    [
        ("37 and 15", 35),  # at most 20 of a kind and day
        ("two kinds", 40),  # each kind has a cap of its own
        ("day 30", 1),
        ("day 31", 0),
        ("outbound", 0),
        ("silent", 0),
        ("negative", 0),  # a sum below zero is no engagement
    ],
)
def test_points_are_capped_by_kind_and_day_over_30_days(person, case, points):
    assert person[case] == pytest.approx(5 * points**0.5, abs=1e-5)


def test_400_points_make_100_and_more_make_no_more(person):
    assert person["four hundred"] == person["more"] == 100


def test_a_role_that_no_template_names_adds_no_points(features_at):
    tables = {
        "members": [{"group_id": "g1", "contact_id": "c1", "role": "outsider"}],
        "activities": [activity("c1", "meeting")],
    }
    names = ["rule_engagement", "completeness", "inbound_30d", "active_members_30d"]
    row = features_at(tables, AS_OF, Settings(roles=ROLES), names=names)["g1"]
    assert (row["rule_engagement"], row["completeness"]) == (0, 0)
    assert row["inbound_30d"] == row["active_members_30d"] == 1


@pytest.mark.slow
def test_silent_members_buy_no_score(features_at):
    people = [("ann", "vital"), ("bob", "important"), ("eve", "normal")]
    tables = {"buying_groups": [], "members": [], "activities": []}
    for group_id in ("few", "doubled"):
        tables["buying_groups"].append({"group_id": group_id, "account_id": group_id})
        for name, role in people:
            contact_id = f"{name} of {group_id}"
            member = {"group_id": group_id, "contact_id": contact_id, "role": role}
            tables["members"].append(member)
            if group_id == "doubled":
                tables["members"].append({**member, "contact_id": f"silent {contact_id}"})
        tables["activities"] += [
            activity(f"ann of {group_id}", "meeting", 3),
            activity(f"bob of {group_id}", "pricing_view", 12),
            activity(f"bob of {group_id}", "email_sent", 2),
            activity(None, "web_visit", 5, group_id=group_id),
        ]
    features = features_at(tables, AS_OF, Settings(roles=ROLES))
    few, doubled = features["few"], features["doubled"]
    heads = {"members", *(f"members_{role}" for role in ROLES)}
    falls = {name for name in few if few[name] != doubled[name]} - {"group_id", "account"} - heads
    assert {"engagement_mean", "active_share_30d", "rule_linear_mean"} <= falls
    assert {name: doubled[name] / few[name] for name in falls} == dict.fromkeys(falls, 0.5)


def test_linear_points_lose_half_a_month_and_end_after_two(features_at):
    points = {1 / 24: 10, 30: 5, 45: 2.5, 60: 0, 75: 0}  # by age in days
    tables = {
        "members": [
            {"group_id": f"{days}", "contact_id": f"{who} {days}"}
            for days in points
            for who in ("acting", "silent")
        ],
        "activities": [activity(f"acting {days}", "visit", days) for days in points],
    }
    names = ["rule_linear", "rule_linear_mean"]
    rows = features_at(tables, AS_OF, settings_with(visit=10.0), names=names)
    found = {days: rows[f"{days}"]["rule_linear"] for days in points}
    assert found == pytest.approx(points, abs=2**-20)
    assert all(row["rule_linear_mean"] == row["rule_linear"] / 2 for row in rows.values())
