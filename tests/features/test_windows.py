"""Every window is [as_of - days, as_of): closed where it begins, open at the cut-off."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

AS_OF = datetime(2024, 6, 1)
MICROSECOND = timedelta(microseconds=1)
DAYS = (7, 14, 28, 30, 90)
AGES = sorted(
    {
        -timedelta(days=1),
        -MICROSECOND,
        timedelta(0),
        MICROSECOND,
        *(timedelta(days=days) for days in (*DAYS, 56)),
        *(timedelta(days=days) + MICROSECOND for days in DAYS),
        timedelta(days=1),
        timedelta(days=2) - timedelta(seconds=1),
    }
)


NAMES = (
    *(f"inbound_{days}d" for days in (7, 30, 90)),
    *(f"high_intent_{days}d" for days in (30, 90)),
    *(f"outbound_{days}d" for days in (30, 90)),
    *(f"active_members_{days}d" for days in (14, 30)),
    *("momentum_7d", "momentum_30d", "completeness", "engaged_completeness", "rule_engagement"),
    *("logged_90d", "inbound_share_90d", "newly_awake", "inbound_ever"),
    *("days_since_inbound", "days_since_high_intent", "days_since_outbound"),
    *(f"engagement_{half_life}" for half_life in (7, 21, 60)),
)


def edges(days):
    """An age, and whether the window of so many days holds it."""
    return [
        (timedelta(days=-1), False),  # tomorrow's news
        (timedelta(0), False),  # known exactly at the cut-off: not yet usable
        (MICROSECOND, True),
        (timedelta(days=days), True),  # the oldest instant inside
        (timedelta(days=days) + MICROSECOND, False),
    ]


def windows(*days):
    return [(window, age, inside) for window in days for age, inside in edges(window)]


@pytest.fixture(scope="module")
def at_age(features_at):
    """By age: the features of a group with one activity of that age."""
    tables = {"members": [], "activities": []}
    for place, age in enumerate(AGES):
        for what, kind in (("in", "meeting"), ("out", "email_sent"), ("log", "web_visit")):
            group_id = f"{what}{place}"
            contact_id = f"{what}-c{place}"
            # A group of its own scope only, so that groups do not meet.
            tables["members"].append({"group_id": group_id, "contact_id": contact_id})
            tables["activities"].append(
                {
                    "contact_id": None if what == "log" else contact_id,
                    "group_id": group_id,
                    "kind": kind,
                    "occurred_at": AS_OF - age,
                }
            )
    features = features_at(tables, AS_OF, names=NAMES)
    return {
        (what, age): features[f"{what}{place}"]
        for place, age in enumerate(AGES)
        for what in ("in", "out", "log")
    }


@pytest.mark.parametrize(("days", "age", "inside"), windows(7, 30, 90))
def test_inbound_activity_counts_inside_the_window_alone(at_age, days, age, inside):
    assert at_age["in", age][f"inbound_{days}d"] == inside


@pytest.mark.parametrize(("days", "age", "inside"), windows(30, 90))
def test_high_intent_counts_inside_the_window_alone(at_age, days, age, inside):
    assert at_age["in", age][f"high_intent_{days}d"] == inside


@pytest.mark.parametrize(("days", "age", "inside"), windows(30, 90))
def test_outbound_activity_counts_inside_the_window_alone(at_age, days, age, inside):
    row = at_age["out", age]
    assert row[f"outbound_{days}d"] == inside
    assert row[f"inbound_{days}d"] == 0


@pytest.mark.parametrize(("days", "age", "inside"), windows(14, 30))
def test_a_member_is_active_inside_the_window_alone(at_age, days, age, inside):
    assert at_age["in", age][f"active_members_{days}d"] == inside


@pytest.mark.parametrize(("age", "inside"), edges(28))
def test_the_three_weeks_before_begin_28_days_ago(at_age, age, inside):
    last_week = age == MICROSECOND
    expected = 2.0 if last_week else 1 / (1 / 3 + 1) if inside else 1.0
    assert at_age["in", age]["momentum_7d"] == expected


@pytest.mark.parametrize(("age", "inside"), edges(90))
def test_the_two_months_before_begin_90_days_ago(at_age, age, inside):
    last_month = age == MICROSECOND
    expected = 2.0 if last_month else 1 / (1 / 2 + 1) if inside else 1.0
    assert at_age["in", age]["momentum_30d"] == expected


@pytest.mark.parametrize(("age", "inside"), edges(30))
def test_engaged_completeness_and_the_rule_score_look_back_30_days(at_age, age, inside):
    row = at_age["in", age]
    assert row["completeness"] == 1
    assert row["engaged_completeness"] == inside
    assert (row["rule_engagement"] > 0) == inside


@pytest.mark.parametrize(("age", "inside"), edges(90))
def test_activities_logged_on_the_group_look_back_90_days(at_age, age, inside):
    assert at_age["log", age]["logged_90d"] == inside


@pytest.mark.parametrize(("age", "inside"), edges(90))
def test_the_share_of_inbound_needs_a_contact_in_90_days(at_age, age, inside):
    assert at_age["in", age]["inbound_share_90d"] == (1.0 if inside else None)
    assert at_age["out", age]["inbound_share_90d"] == (0.0 if inside else None)


@pytest.mark.parametrize(("age", "woke"), edges(30))
def test_a_member_woke_if_all_of_90_days_lies_in_the_last_30(at_age, age, woke):
    assert at_age["in", age]["newly_awake"] == woke


@pytest.mark.parametrize("age", AGES)
def test_ever_is_everything_before_the_cutoff(at_age, age):
    assert at_age["in", age]["inbound_ever"] == (age > timedelta(0))


@pytest.mark.parametrize(
    ("age", "days"),
    [
        (timedelta(days=-1), None),
        (timedelta(0), None),
        (MICROSECOND, 0),
        (timedelta(days=1), 1),
        (timedelta(days=2) - timedelta(seconds=1), 1),
        (timedelta(days=90) + MICROSECOND, 90),
    ],
)
def test_days_since_are_whole_days_and_null_where_there_was_nothing(at_age, age, days):
    row, touch = at_age["in", age], at_age["out", age]
    assert row["days_since_inbound"] == row["days_since_high_intent"] == days
    assert row["days_since_outbound"] is None
    assert touch["days_since_outbound"] == days
    assert touch["days_since_inbound"] is None


@pytest.mark.parametrize("half_life", [7, 21, 60])
@pytest.mark.parametrize("age", [age for age in AGES if age > timedelta(0)])
def test_engagement_halves_with_every_half_life_of_whole_days(at_age, half_life, age):
    expected = 60 * 0.5 ** (age.days / half_life)
    assert at_age["in", age][f"engagement_{half_life}"] == pytest.approx(expected, abs=2**-20)
    assert at_age["out", age][f"engagement_{half_life}"] == 0


@pytest.fixture(scope="module")
def left_at(features_at):
    """By instant of leaving: the features of a group whose second member left then."""
    instants = {age: AS_OF - age for age in (*(age for age, _ in edges(90)), -MICROSECOND)}
    members = []
    for place, instant in enumerate(instants.values()):
        group = {"group_id": f"g{place}", "contact_id": "stays"}
        members += [group, {**group, "contact_id": "leaves", "left_at": instant}]
    activities = [{"contact_id": "leaves", "occurred_at": AS_OF - timedelta(days=3)}]
    features = features_at(
        {"members": members, "activities": activities},
        AS_OF,
        names=["members", "members_left_90d", "inbound_ever"],
    )
    return {age: features[f"g{place}"] for place, age in enumerate(instants)}


@pytest.mark.parametrize(("age", "left"), edges(90))
def test_who_left_is_told_for_90_days(left_at, age, left):
    assert left_at[age]["members_left_90d"] == left


@pytest.mark.parametrize(
    ("age", "members"),
    [
        (MICROSECOND, 1),
        (timedelta(0), 2),  # leaves at the cut-off: still there
        (-MICROSECOND, 2),
        (timedelta(days=-1), 2),
    ],
)
def test_a_member_counts_until_left_at_included(left_at, age, members):
    assert left_at[age]["members"] == members
    assert left_at[age]["inbound_ever"] == members - 1


def test_a_member_counts_only_after_joined_at(features_at):
    ages = {"before": MICROSECOND, "at": timedelta(0), "after": -MICROSECOND}
    members = [
        {"group_id": name, "contact_id": "c1", "joined_at": AS_OF - age}
        for name, age in ages.items()
    ]
    features = features_at({"members": members}, AS_OF, names=["members"])
    assert {name: row["members"] for name, row in features.items()} == {
        "before": 1,
        "at": 0,
        "after": 0,
    }


def test_a_change_of_role_is_no_leaving_and_changes_nothing_at_its_own_instant(features_at):
    change = AS_OF - timedelta(days=10)
    member = {"group_id": "g1", "contact_id": "c1"}
    members = [
        {**member, "role": "user", "left_at": change},
        {**member, "role": "decision_maker", "joined_at": change},
    ]
    names = ["members", "members_user", "members_left_90d"]
    at_change = features_at({"members": members}, change, names=names)["g1"]
    names.append("members_decision_maker")  # a role that nobody had before
    later = features_at({"members": members}, AS_OF, names=names)["g1"]
    assert (at_change["members"], at_change["members_user"]) == (1, 1)
    assert (later["members"], later["members_user"], later["members_decision_maker"]) == (1, 0, 1)
    assert later["members_left_90d"] == 0


@pytest.mark.parametrize(
    ("occurred", "recorded", "counts"),
    [
        (timedelta(days=5), MICROSECOND, True),
        (timedelta(days=5), timedelta(0), False),  # happened before, known at the cut-off
        (timedelta(days=5), timedelta(days=-3), False),
        (timedelta(0), timedelta(days=5), False),  # planned: known before, happens at the cut-off
        (timedelta(days=-3), timedelta(days=5), False),
        (timedelta(days=5), timedelta(days=40), True),
    ],
)
def test_an_activity_counts_once_it_happened_and_was_known(known, occurred, recorded, counts):
    assert known[occurred, recorded] == counts


@pytest.fixture(scope="module")
def known(features_at):
    """By ages of occurred_at and recorded_at: how many activities count."""
    days = [timedelta(days=days) for days in (-3, 0, 5, 40)] + [MICROSECOND]
    cases = [(occurred, recorded) for occurred in days for recorded in days]
    tables = {
        "members": [{"group_id": f"g{n}", "contact_id": f"c{n}"} for n in range(len(cases))],
        "activities": [
            {"contact_id": f"c{n}", "occurred_at": AS_OF - o, "recorded_at": AS_OF - r}
            for n, (o, r) in enumerate(cases)
        ],
    }
    features = features_at(tables, AS_OF, names=["inbound_ever"])
    return {case: features[f"g{n}"]["inbound_ever"] for n, case in enumerate(cases)}


def test_windows_are_on_when_it_happened_not_on_when_it_was_known(features_at):
    tables = {
        "members": [{"group_id": "g1", "contact_id": "c1"}],
        "activities": [
            {
                "contact_id": "c1",
                "occurred_at": AS_OF - timedelta(days=31),
                "recorded_at": AS_OF - timedelta(days=1),
            }
        ],
    }
    names = ["inbound_30d", "inbound_90d", "days_since_inbound"]
    row = features_at(tables, AS_OF, names=names)["g1"]
    assert (row["inbound_30d"], row["inbound_90d"], row["days_since_inbound"]) == (0, 1, 31)


def test_joint_weeks_need_two_members_in_the_same_week_of_the_last_eight(features_at):
    weeks = {  # group: ages in days of the first and of the second member's activities
        "apart": ([3], [8]),
        "together": ([3, 8], [6, 13]),
        "oldest": ([55], [55]),
        "too old": ([56], [56]),
        "one twice": ([3, 4], []),
    }
    tables = {"members": [], "activities": []}
    for group_id, both in weeks.items():
        for contact_id, days in zip(("first", "second"), both, strict=True):
            tables["members"].append({"group_id": group_id, "contact_id": contact_id})
            tables["activities"] += [
                {
                    "group_id": group_id,
                    "contact_id": contact_id,
                    "occurred_at": AS_OF - timedelta(days=day),
                }
                for day in days
            ]
    features = features_at(tables, AS_OF, names=["joint_weeks_8w", "weeks_active_max"])
    assert {group_id: features[group_id]["joint_weeks_8w"] for group_id in weeks} == {
        "apart": 0,
        "together": 2,
        "oldest": 1,
        "too old": 0,
        "one twice": 0,
    }
    assert features["together"]["weeks_active_max"] == 2
