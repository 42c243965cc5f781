"""No row that was known only at or after the cut-off changes any feature of any group."""

from __future__ import annotations

import copy
from datetime import datetime, timedelta
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqbg.settings import RoleRequirement, Settings, SolutionSettings

SEED = 2
AS_OF = datetime(2024, 6, 1)
PAST = AS_OF - timedelta(days=20)
FROM_DATA = Settings()
TEMPLATED = Settings(
    roles={"decision_maker": RoleRequirement(1, 100.0), "user": RoleRequirement(2, 40.0)},
    solutions={
        "s2": SolutionSettings(
            {"情報 システム": RoleRequirement(1, 80.0), "user": RoleRequirement(0, 20.0)}
        )
    },
)

# Each edit takes the tables, a number that picks a row, and an instant at or after the cut-off.


def pick(rows, number):
    return rows[number % len(rows)]


def insert_activity(tables, number, instant):
    """Happens in the future; of a known kind or of a new one, of a contact or of nobody."""
    tables["activities"].append(
        {
            "activity_id": f"new-{number}-{instant}",
            "contact_id": None if number % 5 == 0 else f"c{number % 9}",
            "kind": ("meeting", "email_sent", "a new kind")[number % 3],
            "occurred_at": instant,
            "recorded_at": PAST if number % 4 == 0 else None,
            "group_id": f"g{number % 6}" if number % 5 < 2 else None,
        }
    )


def insert_late_activity(tables, number, instant):
    """Happened in the past, is recorded in the future."""
    insert_activity(tables, number, PAST - timedelta(days=number % 60))
    tables["activities"][-1].update(activity_id=f"late-{number}-{instant}", recorded_at=instant)


def repeat_activity(tables, number, instant):
    """A second row of some activity, with other contents, known in the future."""
    row = pick(tables["activities"], number)
    changed = {"kind": "meeting", "occurred_at": PAST, "group_id": None, "recorded_at": instant}
    tables["activities"].append({**row, **changed, "contact_id": f"c{number % 9}"})


def plan_activity(tables, number, instant):
    """A second row of some activity, recorded long ago, that will happen in the future."""
    row = pick(tables["activities"], number)
    changed = {"occurred_at": instant, "recorded_at": PAST - timedelta(days=99)}
    tables["activities"].append({**row, **changed, "kind": "a new kind"})


def unknown_yet(row):
    return max(row["occurred_at"], row["recorded_at"] or row["occurred_at"]) >= AS_OF


def edit_activity(tables, number, instant):
    row = pick([row for row in tables["activities"] if unknown_yet(row)], number)
    row.update(kind="another new kind", occurred_at=instant, contact_id=f"c{number % 9}")


def delete_activity(tables, number, instant):
    tables["activities"].remove(
        pick([row for row in tables["activities"] if unknown_yet(row)], number)
    )


def join_member(tables, number, instant):
    tables["members"].append(
        {
            "group_id": f"g{number % 6}",
            "contact_id": f"c{number % 9}",
            "role": ("decision_maker", "a new role", "A new role!")[number % 3],
            "joined_at": instant,
            "left_at": instant + timedelta(days=1) if number % 2 else None,
        }
    )


def move_joining(tables, number, instant):
    future = [row for row in tables["members"] if row["joined_at"] >= AS_OF]
    if future:
        pick(future, number).update(joined_at=instant, role="a new role", left_at=None)


def forget_joining(tables, number, instant):
    future = [row for row in tables["members"] if row["joined_at"] >= AS_OF]
    if future:
        tables["members"].remove(pick(future, number))


def move_leaving(tables, number, instant):
    staying = [r for r in tables["members"] if r["left_at"] is None or r["left_at"] >= AS_OF]
    pick(staying, number).update(left_at=instant)


def unset_leaving(tables, number, instant):
    staying = [r for r in tables["members"] if r["left_at"] is None or r["left_at"] >= AS_OF]
    pick(staying, number).update(left_at=None)


def insert_stage_event(tables, number, instant):
    stage = ("opportunity", "won", "lost", "reopened", "a new stage")[number % 5]
    tables["stage_events"].append(
        {"group_id": f"g{number % 6}", "stage": stage, "occurred_at": instant}
    )


def insert_verdict(tables, number, instant):
    tables["verdicts"].append(
        {"group_id": f"g{number % 6}", "decided_at": instant, "verdict": "rejected"}
    )


def insert_answer(tables, number, instant):
    tables["answers"].append(
        {
            "group_id": f"g{number % 6}",
            "question": f"question {number}",
            "answer": "no",
            "answered_at": instant,
        }
    )


def edit_event(table, column):
    def edit(tables, number, instant):
        future = [row for row in tables[table] if row[column] >= AS_OF]
        if future:
            pick(future, number).update({column: instant, "group_id": f"g{number % 6}"})

    return edit


def delete_event(table, column):
    def delete(tables, number, instant):
        future = [row for row in tables[table] if row[column] >= AS_OF]
        if future:
            tables[table].remove(pick(future, number))

    return delete


EVENTS = (("stage_events", "occurred_at"), ("verdicts", "decided_at"), ("answers", "answered_at"))


def create_group(tables, number, instant):
    group_id = f"future-{number}-{instant}"
    tables["buying_groups"].append(
        {
            "group_id": group_id,
            "account_id": ("a1", "a2")[number % 2],
            "solution_id": ("s1", "s2")[number % 2],
            "created_at": instant,
        }
    )
    tables["members"].append(
        {
            "group_id": group_id,
            "contact_id": f"c{number % 9}",
            "role": "a new role",
            "joined_at": instant,
            "left_at": None,
        }
    )
    tables["stage_events"].append(
        {"group_id": group_id, "stage": "opportunity", "occurred_at": instant}
    )


EDITS = (
    insert_activity, insert_late_activity, repeat_activity, plan_activity, edit_activity,
    delete_activity, join_member, move_joining, forget_joining, move_leaving, unset_leaving,
    insert_stage_event, insert_verdict, insert_answer, create_group,
    *(edit_event(*event) for event in EVENTS), *(delete_event(*event) for event in EVENTS),
)  # fmt: skip

FUTURE = st.one_of(
    st.sampled_from([AS_OF, AS_OF + timedelta(microseconds=1)]),
    st.integers(0, 400 * 86_400).map(lambda seconds: AS_OF + timedelta(seconds=seconds)),
)


@pytest.fixture(scope="module")
def base(features_at, random_tables):
    """A world by seed, and its features to the bit; each is computed once."""

    @cache
    def tables_of(seed):
        return random_tables(seed, AS_OF)

    @cache
    def features_of(seed, templated):
        return features_at(tables_of(seed), AS_OF, TEMPLATED if templated else FROM_DATA)

    return tables_of, features_of


def assert_unchanged(got, expected, bits):
    assert len(expected) > 1  # of no groups nothing could change
    assert got.keys() == expected.keys()
    for group_id, row in expected.items():
        assert bits(got[group_id]) == bits(row)


@pytest.mark.slow
@settings(max_examples=3, deadline=None, derandomize=True)
@given(
    templated=st.booleans(),
    edits=st.lists(
        st.tuples(st.sampled_from(EDITS), st.integers(0, 10_000), FUTURE), min_size=5, max_size=40
    ),
)
def test_rows_known_at_or_after_the_cutoff_change_nothing(
    base, features_at, bits, templated, edits
):
    tables_of, features_of = base
    tables = copy.deepcopy(tables_of(SEED))
    for edit, number, instant in edits:
        edit(tables, number, instant)
    got = features_at(tables, AS_OF, TEMPLATED if templated else FROM_DATA)
    assert_unchanged(got, features_of(SEED, templated), bits)


@pytest.mark.parametrize("templated", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_every_edit_of_the_future_at_once_changes_nothing(base, features_at, bits, templated):
    tables_of, features_of = base
    tables = copy.deepcopy(tables_of(SEED))
    for edit in EDITS:
        for number in range(3):
            edit(tables, number, AS_OF + number * timedelta(days=30))
    got = features_at(tables, AS_OF, TEMPLATED if templated else FROM_DATA)
    assert_unchanged(got, features_of(SEED, templated), bits)


# A test that nothing changes is worth as much as the edits' power to change something.
IN_THE_PAST = {
    "activity": lambda tables, g: tables["activities"].append(
        {"activity_id": "p1", "contact_id": "c1", "kind": "fax", "group_id": g, "occurred_at": PAST}
    ),
    "logged activity": lambda tables, g: tables["activities"].append(
        {"activity_id": "p2", "contact_id": None, "kind": "fax", "group_id": g, "occurred_at": PAST}
    ),
    "member": lambda tables, g: tables["members"].append(
        {"group_id": g, "contact_id": "c2", "role": "user", "joined_at": PAST}
    ),
    "leaving": lambda tables, g: next(
        row for row in tables["members"] if row["group_id"] == g
    ).update(left_at=PAST),
    "stage event": lambda tables, g: tables["stage_events"].append(
        {"group_id": g, "stage": "demo", "occurred_at": PAST}
    ),
    "verdict": lambda tables, g: tables["verdicts"].append(
        {"group_id": g, "verdict": "rejected", "decided_at": PAST}
    ),
    "answer": lambda tables, g: tables["answers"].append(
        {"group_id": g, "question": "budget", "answer": "yes", "answered_at": PAST}
    ),
}


def test_the_same_edits_before_the_cutoff_change_their_group_and_no_other(features_at, bits):
    groups = [*IN_THE_PAST, "untouched"]

    def world():
        return {
            "buying_groups": [{"group_id": g, "account_id": f"account of {g}"} for g in groups],
            "members": [
                {"group_id": g, "contact_id": "c1", "role": "user", "joined_at": PAST}
                for g in groups
            ],
            "activities": [],
            **{name: [] for name in ("stage_events", "verdicts")},
            # One question known beforehand, for a share of questions needs them.
            "answers": [
                {"group_id": "untouched", "question": "budget", "answer": "no", "answered_at": PAST}
            ],
        }

    tables = world()
    for group_id, edit in IN_THE_PAST.items():
        edit(tables, group_id)
    before, after = features_at(world(), AS_OF), features_at(tables, AS_OF)
    # Whom a contact shares other groups with changes in all of them, by definition.
    shared = [name for name in before["untouched"] if not name.startswith("shared_members")]
    changed = {
        g
        for g in groups
        if bits({name: before[g][name] for name in shared})
        != bits({name: after[g][name] for name in shared})
    }
    assert changed == set(IN_THE_PAST)


@pytest.mark.slow
def test_a_vocabulary_found_later_says_the_same_of_an_earlier_cutoff(
    base, features_at, bits, random_tables
):
    tables_of, features_of = base
    tables = copy.deepcopy(tables_of(SEED))
    join_member(tables, 1, AS_OF + timedelta(days=5))
    insert_activity(tables, 2, AS_OF + timedelta(days=5))
    later = features_at(tables, AS_OF, before=AS_OF + timedelta(days=60))
    expected = features_of(SEED, False)
    common = [name for name in next(iter(expected.values())) if name in next(iter(later.values()))]
    new = later["g1"].keys() - set(common)
    assert {"completeness", "rule_engagement", "members_user"} <= set(common)
    assert {"members_a_new_role", "kind_a_new_kind_30d"} <= new
    for group_id, row in expected.items():
        got = later[group_id]
        assert bits({n: got[n] for n in common}) == bits({n: row[n] for n in common})
        assert not any(got[name] for name in new)  # 0, or null of days
