"""How the members' other groups went, against plain Python on random worlds."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import pytest
from mqbg.features.declare.template import Template
from mqbg.features.declare.themes import contact_history
from mqbg.features.declare.vocabulary import Vocabulary
from mqbg.settings import Settings, TargetSettings

AS_OF = datetime(2024, 6, 1, 9)
DAY = datetime(2024, 6, 1)
SETTINGS = Settings(target=TargetSettings(horizon_days=30))
ENDS = ("opportunity", "won", "lost")
SCOPES = ("any", "first", "account", "role")
NAMES = [
    f"contact_history_{scope}_{what}"
    for scope in SCOPES
    for what in ("mean", "best", "worst", "pooled")
]


def first_at(tables, group_id, stages):
    times = [
        event["occurred_at"]
        for event in tables["stage_events"]
        if event["group_id"] == group_id and event["stage"] in stages
    ]
    return min(times, default=None)


def exposure_days(since, until):
    ended = DAY if until is None else min(until, DAY)
    return max(0, int(ended.timestamp()) - int(since.timestamp())) // 86_400


def base_rate(tables):
    groups = [row for row in tables["buying_groups"] if row["created_at"] < DAY]
    days = sum(
        exposure_days(row["created_at"], first_at(tables, row["group_id"], ENDS)) for row in groups
    )
    hits = [first_at(tables, row["group_id"], ("opportunity",)) for row in groups]
    return (sum(hit is not None and hit < DAY for hit in hits) + 1.0) / (days / 30 + 20)


def history(tables, member, scope):
    """Conversions and horizons of exposure of a member's other groups."""
    accounts = {row["group_id"]: row["account_id"] for row in tables["buying_groups"]}
    hits, days = 0, 0
    for group_id, account_id in accounts.items():
        rows = [
            row
            for row in tables["members"]
            if (row["group_id"], row["contact_id"]) == (group_id, member["contact_id"])
            and row["joined_at"] < DAY
            and (scope != "role" or row["role"] == member["role"])
        ]
        if group_id == member["group_id"] or not rows:
            continue
        joined = min(row["joined_at"] for row in rows)
        first = min(r["joined_at"] for r in tables["members"] if r["group_id"] == group_id)
        if (scope == "first" and joined != first) or (
            scope == "account" and account_id != accounts[member["group_id"]]
        ):
            continue
        converted = first_at(tables, group_id, ("opportunity",))
        hits += converted is not None and any(row["joined_at"] <= converted < DAY for row in rows)
        days += exposure_days(joined, first_at(tables, group_id, ENDS))
    return hits, days / 30


def log_rate(hits, exposure, base):
    return math.log((hits + 5 * base) / (exposure + 5) / base)


@pytest.mark.parametrize("seed", range(4))
def test_histories_are_those_of_plain_python(random_tables, features_at, seed):
    tables = random_tables(seed, AS_OF)
    found = features_at(tables, AS_OF, SETTINGS, names=NAMES)
    base, told = base_rate(tables), 0
    for group_id, row in found.items():
        members = [
            one
            for one in tables["members"]
            if one["group_id"] == group_id
            and one["joined_at"] < AS_OF
            and (one.get("left_at") is None or one["left_at"] >= AS_OF)
        ]
        for scope in SCOPES:
            counts = [history(tables, member, scope) for member in members]
            rates = [log_rate(*count, base) for count in counts] or [0.0]
            pooled = log_rate(*(map(sum, zip(*counts, strict=True)) if counts else (0, 0)), base)
            expected = {
                "mean": sum(rates) / len(rates),
                "best": max(rates),
                "worst": min(rates),
                "pooled": pooled,
            }
            for what, value in expected.items():
                assert row[f"contact_history_{scope}_{what}"] == pytest.approx(value, abs=1e-5)
            told += any(rates)
    assert told


def test_a_conversion_counts_from_joining_until_the_day_begins(features_at):
    """By when another group of the member converted, if ever; the member joined 60 days ago."""
    above = {
        DAY - timedelta(days=1): True,
        DAY: False,  # today's news counts from tomorrow
        DAY + timedelta(days=9): False,
        DAY - timedelta(days=61): False,  # before the person joined
        None: False,
    }
    tables = {"members": [], "stage_events": []}
    for at in above:
        other, person = {"group_id": f"other {at}"}, {"contact_id": f"c {at}"}
        tables["members"] += [
            {"group_id": f"{at}", **person},
            {**other, **person, "joined_at": DAY - timedelta(days=60)},
        ]
        if at is not None:
            tables["stage_events"].append({**other, "stage": "opportunity", "occurred_at": at})
    rows = features_at(tables, AS_OF, SETTINGS, names=NAMES)
    assert {at: rows[f"{at}"]["contact_history_any_pooled"] > 0 for at in above} == above


def test_members_without_history_are_average(features_at):
    declared = [feature.name for feature in contact_history.features(Vocabulary(Template(())))]
    assert len(declared) == 16
    tables = {"members": [{"group_id": "g", "contact_id": "c"}]}
    row = features_at(tables, AS_OF, SETTINGS, names=declared)["g"]
    assert {row[name] for name in declared} == {0.0}


def test_the_group_itself_says_nothing_of_its_members(features_at):
    tables = {
        "members": [{"group_id": "g", "contact_id": "c"}],
        "stage_events": [
            {"group_id": "g", "stage": stage, "occurred_at": DAY - timedelta(days=n)}
            for n, stage in ((9, "opportunity"), (8, "reopened"))
        ],
    }
    row = features_at(tables, AS_OF, SETTINGS, names=["contact_history_any_mean"])["g"]
    assert row["contact_history_any_mean"] == 0.0
