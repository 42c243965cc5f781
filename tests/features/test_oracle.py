"""Two dozen features against plain Python, written from the rules of time and from no SQL."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from itertools import product

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mqbg.contract import schema
from mqbg.settings import RoleRequirement, Settings, SolutionSettings
from mqbg.source import check_source, open_source

AS_OF = datetime(2024, 6, 1)
DAY = timedelta(days=1)
SETTINGS = Settings(
    roles={"decision_maker": RoleRequirement(1, 100.0), "user": RoleRequirement(2, 60.0)},
    solutions={
        "s2": SolutionSettings(
            {"情報 システム": RoleRequirement(1, 80.0), "user": RoleRequirement(0, 20.0)}
        )
    },
)
STEP = 2**-20  # each amount is rounded to it


def template(solution_id):
    return {**SETTINGS.roles, **getattr(SETTINGS.solutions.get(solution_id), "roles", {})}


def known_activities(tables):
    """One row per activity_id, the earliest known, of those that count at the cut-off."""
    counting = [
        {**row, "known_at": row.get("recorded_at") or row["occurred_at"]}
        for row in tables["activities"]
    ]
    counting = [r for r in counting if r["known_at"] < AS_OF and r["occurred_at"] < AS_OF]
    first = {}
    for row in counting:
        kept = first.get(row["activity_id"])
        if kept is None or counts_from(row) < counts_from(kept):
            first[row["activity_id"]] = row
    return list(first.values())


def counts_from(row):
    ties = [str(row.get(name) or "") for name in ("contact_id", "kind")]
    return max(row["known_at"], row["occurred_at"]), row["known_at"], *ties


def current(tables, group_id):
    return [
        row
        for row in tables["members"]
        if row["group_id"] == group_id
        and row["joined_at"] < AS_OF
        and (row.get("left_at") is None or row["left_at"] >= AS_OF)
    ]


def counts_for_member(row, contact_id, group):
    if row["contact_id"] != contact_id:
        return False
    if row["group_id"] is not None:
        return row["group_id"] == group["group_id"]
    return row["solution_id"] in (None, group["solution_id"])


def is_eligible(tables, group):
    open_now = group["created_at"] < AS_OF
    order = {"reopened": 0}  # at the same instant the end wins
    past = [
        row
        for row in tables["stage_events"]
        if row["group_id"] == group["group_id"] and row["occurred_at"] < AS_OF
    ]
    for row in sorted(past, key=lambda row: (row["occurred_at"], order.get(row["stage"], 1))):
        if row["stage"] in ("opportunity", "won", "lost"):
            open_now = False
        elif row["stage"] == "reopened":
            open_now = group["created_at"] < AS_OF
    return open_now


def is_inbound(row):
    return SETTINGS.activity_kind(row["kind"]).direction == "inbound"


def is_high_intent(row):
    return is_inbound(row) and SETTINGS.activity_kind(row["kind"]).high_intent


def is_outbound(row):
    return not is_inbound(row)


def within(rows, days, which=is_inbound):
    return [r for r in rows if which(r) and r["occurred_at"] >= AS_OF - days * DAY]


def age_days(instant):
    """Whole days; parts of a second do not count (perf-notes.md: engines differ in them)."""
    return (AS_OF - instant.replace(microsecond=0)) // DAY


def decayed(rows, half_life):
    return sum(
        SETTINGS.activity_kind(row["kind"]).points
        * 0.5 ** (age_days(row["occurred_at"]) / half_life)
        for row in rows
        if is_inbound(row)
    )


def days_since(rows, which):
    return min((age_days(r["occurred_at"]) for r in rows if which(r)), default=None)


def past(tables, table, time, group_id):
    return [r for r in tables[table] if r["group_id"] == group_id and r[time] < AS_OF]


def share_filled(lines, roles, weight):
    needed = {name: line for name, line in lines.items() if line.required}
    total = sum(weight(line) for line in needed.values())
    filled = sum(
        weight(line) * min(1.0, roles.count(name) / line.required) for name, line in needed.items()
    )
    return filled / total if total else 0.0


def share_expected(lines, chances):
    """By every way in which the doubts may turn out, where one is needed; else by the mean."""
    needed = {name: line.required for name, line in lines.items() if line.required}
    shares = []
    for name, required in needed.items():
        of_role = [chance for role, chance in chances if role == name]
        filled = 0.0
        for ways in product((True, False), repeat=len(of_role)):
            chance = math.prod(p if has else 1 - p for p, has in zip(of_role, ways, strict=True))
            filled += chance * min(1.0, sum(ways) / required)
        shares.append(filled if required == 1 else min(1.0, sum(of_role) / required))
    return sum(shares) / len(needed) if needed else 0.0


def rule_engagement(lines, personal, role_of):
    total = sum(line.weight for line in lines.values())
    value = 0.0
    for contact_id, rows in personal.items():
        per_kind_and_day = {}
        for row in within(rows, 30):
            key = row["kind"], row["occurred_at"].date()
            per_kind_and_day[key] = min(20, per_kind_and_day.get(key, 0) + 1)
        points = sum(
            SETTINGS.activity_kind(k).points * n for (k, _day), n in per_kind_and_day.items()
        )
        line = lines.get(role_of[contact_id])
        value += min(100.0, 5 * points**0.5) * (line.weight / total if line else 0.0)
    return min(100.0, 10 * value**0.5)


def account_rate(tables, group, stage):
    others = {
        row["group_id"]
        for row in tables["buying_groups"]
        if row["account_id"] == group["account_id"] and row["created_at"] < AS_OF
    } - {group["group_id"]}
    events = sum(
        row["stage"] == stage
        for other in others
        for row in past(tables, "stage_events", "occurred_at", other)
    )
    return (events + 0.05 * 20) / (len(others) + 20)


def expected(tables, group):
    group_id = group["group_id"]
    lines = template(group["solution_id"])
    known = known_activities(tables)
    members = current(tables, group_id)
    role_of = {row["contact_id"]: row["role"] for row in members}
    personal = {c: [r for r in known if counts_for_member(r, c, group)] for c in role_of}
    logged = [r for r in known if r["contact_id"] is None and r["group_id"] == group_id]
    rows = [row for own in personal.values() for row in own] + logged
    roles = list(role_of.values())
    certain = {None: 1.0}
    chances = [(r["role"], certain.get(r["probability"], r["probability"])) for r in members]
    engaged = [role_of[c] for c, own in personal.items() if within(own, 30)]
    strengths = [decayed(own, 21) for own in personal.values()]
    weeks = [
        sum(any(is_inbound(r) and age_days(r["occurred_at"]) // 7 == w for r in own)
            for own in personal.values())
        for w in range(8)
    ]  # fmt: skip
    left = {
        row["contact_id"]
        for row in tables["members"]
        if row["group_id"] == group_id
        and row.get("left_at") is not None
        and AS_OF - 90 * DAY <= row["left_at"] < AS_OF
    } - role_of.keys()
    stages = past(tables, "stage_events", "occurred_at", group_id)
    verdicts = past(tables, "verdicts", "decided_at", group_id)
    answers = past(tables, "answers", "answered_at", group_id)
    inbound, outbound = len(within(rows, 90)), len(within(rows, 90, is_outbound))
    return {
        **{f"inbound_{days}d": len(within(rows, days)) for days in (7, 30, 90)},
        "inbound_ever": len(within(rows, 10_000)),
        **{f"high_intent_{d}d": len(within(rows, d, is_high_intent)) for d in (30, 90)},
        **{f"outbound_{d}d": len(within(rows, d, is_outbound)) for d in (30, 90)},
        "inbound_share_90d": inbound / (inbound + outbound) if inbound + outbound else None,
        "logged_90d": len(within(logged, 90)),
        **{f"engagement_{half_life}": decayed(rows, half_life) for half_life in (7, 21, 60)},
        "engagement_mean": decayed(rows, 21) / len(members) if members else None,
        "engagement_max": max(strengths, default=0.0),
        "engagement_user": sum(decayed(personal[c], 21) for c in personal if role_of[c] == "user"),
        "days_since_inbound": days_since(rows, is_inbound),
        "days_since_high_intent": days_since(rows, is_high_intent),
        "days_since_outbound": days_since(rows, is_outbound),
        "newly_awake": sum(
            0 < len(within(own, 30)) == len(within(own, 90)) for own in personal.values()
        ),
        "members": len(members),
        "members_user": roles.count("user"),
        "active_members_14d": sum(bool(within(own, 14)) for own in personal.values()),
        "active_members_30d": len(engaged),
        "active_share_30d": len(engaged) / len(members) if members else None,
        "joint_weeks_8w": sum(active >= 2 for active in weeks),
        "completeness": share_filled(lines, roles, lambda _line: 1.0),
        "weighted_completeness": share_filled(lines, roles, lambda line: line.weight),
        "engaged_completeness": share_filled(lines, engaged, lambda _line: 1.0),
        "expected_completeness": share_expected(lines, chances),
        "roles_missing": sum(roles.count(name) < line.required for name, line in lines.items()),
        "members_left_90d": len(left),
        "group_age_days": age_days(group["created_at"]),
        "stage_changes": len(stages),
        "days_in_stage": min((age_days(r["occurred_at"]) for r in stages), default=None),
        "verdicts_rejected": sum(row["verdict"] == "rejected" for row in verdicts),
        "days_since_verdict": min((age_days(r["decided_at"]) for r in verdicts), default=None),
        "questions_answered": len({row["question"] for row in answers}),
        "days_since_answer": min((age_days(r["answered_at"]) for r in answers), default=None),
        "account_conversion_rate": account_rate(tables, group, "opportunity"),
        "account_loss_rate": account_rate(tables, group, "lost"),
        "rule_engagement": rule_engagement(lines, personal, role_of),
        "month": 6,
    }


def test_the_random_worlds_keep_the_contract(random_tables, tmp_path):
    for name, rows in random_tables(20, AS_OF).items():
        columns = schema(name)
        plain = [{column: row.get(column) for column in columns.names} for row in rows]
        table = pa.Table.from_pylist(plain, columns.to_pyarrow())
        pq.write_table(table, tmp_path / f"{name}.parquet")
    with open_source(tmp_path, threads=1) as source:
        assert check_source(source).problems == ()


@pytest.mark.parametrize(
    "seed", [20, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (21, 22, 23))]
)
def test_features_equal_plain_python(features_at, random_tables, seed):
    tables = random_tables(seed, AS_OF)
    oracle = {
        group["group_id"]: expected(tables, group)
        for group in tables["buying_groups"]
        if is_eligible(tables, group)
    }
    names = [*next(iter(oracle.values()))]
    got = features_at(tables, AS_OF, SETTINGS, names=names)
    assert set(got) == set(oracle)
    tolerance = STEP * len(tables["activities"])
    for group_id, told in oracle.items():
        row = got[group_id]
        nothing = {name for name, value in told.items() if value is None}
        assert {name for name in told if row[name] is None} == nothing
        for name in told.keys() - nothing:
            assert row[name] == pytest.approx(told[name], rel=1e-6, abs=tolerance), name
