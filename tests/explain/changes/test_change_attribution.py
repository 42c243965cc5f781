"""What changed between two scores: every part, and that they sum."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mqbg.contract import BadInput
from mqbg.explain.changes.change_attribution import attribute_change
from mqbg.explain.shapley.valuation import with_compiled_trees
from mqbg.features.tables.feature_table import feature_table
from mqbg.features.time_rules.tables_as_of import in_memory_source, rows_of_group

SINCE, AS_OF = datetime(2025, 5, 10), datetime(2025, 7, 1)
LATELY = datetime(2025, 6, 20)
TIMES = {
    "members": "joined_at", "activities": "occurred_at", "stage_events": "occurred_at",
    "verdicts": "decided_at", "answers": "answered_at",
}  # fmt: skip


@pytest.fixture(scope="module")
def world(small_world):
    return small_world


@pytest.fixture(scope="module")
def source(slim_model):
    return slim_model[0]


@pytest.fixture(scope="module")
def bundle(slim_model):
    return with_compiled_trees(slim_model[1])


@pytest.fixture(scope="module")
def scores(source, bundle):
    """Log-odds by group at the two cut-offs, of groups that are open at both."""
    tables = [feature_table(source, bundle.catalogue, [at]) for at in (SINCE, AS_OF)]
    found = [dict(zip(t["group_id"].to_pylist(), bundle.log_odds(t), strict=True)) for t in tables]
    return {key: (found[0][key], found[1][key]) for key in found[0] if key in found[1]}


@pytest.fixture(scope="module")
def quiet(source, scores, world):
    """A group of four members or more, and its rows without anything since the earlier cut-off."""
    members = world["members"].to_pandas()
    there = members[(members["joined_at"] < SINCE) & members["left_at"].isna()]
    sizes = there.groupby("group_id")["contact_id"].nunique()
    # One with something to lose: half of it is what was done before.
    group_id = min(
        (key for key in scores if 4 <= sizes.get(key, 0) <= 6), key=lambda k: -scores[k][0]
    )
    rows = {
        name: t.to_pylist() for name, t in rows_of_group(source.contract_tables, group_id).items()
    }
    for name, time in TIMES.items():
        rows[name] = [row for row in rows[name] if row[time] < SINCE]
    rows["activities"] = [r for r in rows["activities"] if (r["recorded_at"] or SINCE) <= SINCE]
    for row in rows["members"]:
        row["left_at"] = None
    first = {row["contact_id"]: row for row in reversed(rows["members"])}
    rows["members"] = list(first.values())  # nobody is in another group, or was in another role
    return group_id, {name: tuple(found) for name, found in rows.items()}


def with_rows(tables, **added):
    return {name: (*rows, *added.get(name, ())) for name, rows in tables.items()}


def as_arrow(tables, like):
    return {
        name: pa.Table.from_pylist(list(rows), like[name].schema) for name, rows in tables.items()
    }


@pytest.fixture(scope="module")
def opened(world, bundle):
    """`opened(tables)`: rows as a prepared source."""
    return lambda tables: in_memory_source(as_arrow(tables, world), bundle.settings)


@pytest.fixture(scope="module")
def score_of(opened, bundle, quiet):
    """`score_of(tables, as_of)`: log-odds that scoring gives; the same rows are scored once."""
    known = {}

    def log_odds(tables, as_of):
        key = repr((tables, as_of))
        if key not in known:
            with opened(tables) as there:
                table = feature_table(there, bundle.catalogue, [as_of], only=[quiet[0]])
            known[key] = float(bundle.log_odds(table)[0])
        return known[key]

    return log_odds


@pytest.fixture(scope="module")
def split(opened, bundle, quiet):
    """`split(tables)`: the changes of the quiet group with these rows."""

    def found(tables, before=None):
        with opened(tables) as there:
            return attribute_change(there, quiet[0], SINCE, AS_OF, bundle, before)

    return found


def parts(found):
    """Log-odds by cause and contact."""
    return {(row.cause, row.contact_id): row.log_odds for row in found.parts}


def acted(contact_id, number, group_id=None, kind="pricing_view"):
    return {
        "activity_id": f"new {contact_id} {number}",
        "contact_id": contact_id,
        "kind": kind,
        "occurred_at": LATELY + timedelta(hours=number),
        "group_id": group_id,
    }


def people_of(tables, group_id):
    return sorted(row["contact_id"] for row in tables["members"] if row["group_id"] == group_id)


# A simulated world


def some(scores):
    return sorted(scores)[:2]


def test_the_ends_are_the_scores_to_the_bit_and_the_parts_sum(source, bundle, scores):
    for group_id in some(scores):
        found = attribute_change(source, group_id, SINCE, AS_OF, bundle)
        assert (found.log_odds_before, found.log_odds_after) == scores[group_id]
        assert found.points_before == bundle.score_points(np.array([found.log_odds_before]))[0]
        assert found.points_after == bundle.score_points(np.array([found.log_odds_after]))[0]
        moved = math.fsum(row.log_odds for row in found.parts)
        assert moved == pytest.approx(found.log_odds_after - found.log_odds_before, abs=1e-9)
        points = math.fsum(row.points for row in found.parts)
        assert points == pytest.approx(found.points_after - found.points_before, abs=1e-9)


@pytest.mark.slow
def test_rows_make_a_frame(source, bundle, scores):
    frame = pd.DataFrame(attribute_change(source, some(scores)[0], SINCE, AS_OF, bundle).parts)
    assert {"cause", "contact_id", "membership_change", "log_odds", "points"} <= set(frame.columns)
    assert [(frame["cause"] == once).sum() for once in ("model", "decay", "facts")] == [1, 1, 1]


def test_a_group_that_is_not_open_is_refused(source, bundle, scores):
    shut = next(
        row["group_id"]
        for row in source.contract_tables["buying_groups"].to_pyarrow().to_pylist()
        if row["created_at"] > SINCE
    )
    with pytest.raises(BadInput, match="expected a group that is open at 2025-05-10 00:00"):
        attribute_change(source, shut, SINCE, AS_OF, bundle)


# One group, and what happens to it


@pytest.mark.slow
def test_with_nothing_new_there_is_decay_alone(quiet, split, score_of):
    group_id, tables = quiet
    found = split(tables)
    assert [row.cause for row in found.parts] == ["model", "decay", "facts"]
    assert parts(found)["facts", None] == parts(found)["model", None] == 0.0
    assert parts(found)["decay", None] == score_of(tables, AS_OF) - score_of(tables, SINCE) != 0.0
    assert found.group_id == group_id


def test_a_new_activity_is_its_member_s_alone(quiet, split, score_of):
    group_id, tables = quiet
    contact_id = people_of(tables, group_id)[1]
    later = with_rows(tables, activities=[acted(contact_id, number) for number in range(5)])
    found = parts(split(later))
    expected = score_of(later, AS_OF) - score_of(tables, AS_OF)
    assert set(found) == {
        ("model", None), ("decay", None), ("activity", contact_id), ("facts", None)
    }  # fmt: skip
    assert found["activity", contact_id] == pytest.approx(expected, abs=1e-9)
    assert expected != 0.0
    assert found["facts", None] == 0.0


@pytest.mark.slow
def test_an_activity_that_was_recorded_since_is_new(quiet, split):
    group_id, tables = quiet
    contact_id = people_of(tables, group_id)[0]
    late = {**acted(contact_id, 0), "occurred_at": SINCE - timedelta(days=3), "recorded_at": LATELY}
    assert ("activity", contact_id) in parts(split(with_rows(tables, activities=[late])))


@pytest.mark.slow
def test_an_activity_without_a_person_is_the_group_s(quiet, split, score_of):
    group_id, tables = quiet
    logged = [acted(None, number, group_id, "meeting") for number in range(4)]
    later = with_rows(tables, activities=logged)
    found = parts(split(later))
    expected = score_of(later, AS_OF) - score_of(tables, AS_OF)
    assert found["group_activity", None] == pytest.approx(expected, abs=1e-9)
    assert not [key for key in found if key[0] == "activity"]


@pytest.mark.slow
def test_activities_of_who_is_in_no_group_change_nothing(quiet, split):
    _group_id, tables = quiet
    stranger = {**tables["contacts"][0], "contact_id": "stranger"}
    later = with_rows(tables, contacts=[stranger], activities=[acted("stranger", 1)])
    assert [row.cause for row in split(later).parts] == ["model", "decay", "facts"]


@pytest.mark.slow
def test_answers_verdicts_and_stages_are_facts(quiet, split, score_of):
    group_id, tables = quiet
    later = with_rows(
        tables,
        answers=[
            {"group_id": group_id, "question": q, "answer": "yes", "answered_at": LATELY}
            for q in ("budget", "timing", "problem")
        ],
        verdicts=[{"group_id": group_id, "decided_at": LATELY, "verdict": "rejected"}],
        stage_events=[{"group_id": group_id, "stage": "demo", "occurred_at": LATELY}],
    )
    found = split(later)
    assert [row.cause for row in found.parts] == ["model", "decay", "facts"]
    expected = score_of(later, AS_OF) - score_of(tables, AS_OF)
    assert parts(found)["facts", None] == pytest.approx(expected, abs=1e-9)


def test_joining_another_group_is_a_fact(quiet, split, world):
    group_id, tables = quiet
    contact_id = people_of(tables, group_id)[0]
    other = next(row["group_id"] for row in tables["buying_groups"] if row["group_id"] != group_id)
    twice = {"group_id": other, "contact_id": contact_id, "role": "user", "joined_at": LATELY}
    found = split(with_rows(tables, members=[twice]))
    assert [row.cause for row in found.parts] == ["model", "decay", "facts"]


def turned(tables, group_id, contact_id, **edit):
    """The member's row edited."""
    return {
        **tables,
        "members": tuple(
            {**row, **edit}
            if (row["group_id"], row["contact_id"]) == (group_id, contact_id)
            else row
            for row in tables["members"]
        ),
    }


def row_again(tables, contact_id, role):
    (row,) = (row for row in tables["members"] if row["contact_id"] == contact_id)
    return {**row, "role": role, "joined_at": LATELY, "left_at": None}


@pytest.mark.slow
@pytest.mark.parametrize("turn", ["left", "new_role", "returned", "joined", "gone_again"])
def test_a_member_s_turn_is_named_and_worth_what_scoring_says(quiet, split, score_of, turn):
    group_id, tables = quiet
    contact_id = people_of(tables, group_id)[0]
    (role,) = (row["role"] for row in tables["members"] if row["contact_id"] == contact_id)
    left = turned(tables, group_id, contact_id, left_at=LATELY)
    other = "user" if role == "champion" else "champion"
    newcomer = {**row_again(tables, contact_id, role), "contact_id": "new"}
    contact = {**tables["contacts"][0], "contact_id": "new"}
    later = {
        "left": left,
        "new_role": with_rows(left, members=[row_again(tables, contact_id, other)]),
        "returned": with_rows(left, members=[row_again(tables, contact_id, role)]),
        "joined": with_rows(tables, members=[newcomer], contacts=[contact]),
        "gone_again": with_rows(
            tables,
            members=[{**newcomer, "left_at": LATELY + timedelta(days=2)}],
            contacts=[contact],
        ),
    }[turn]
    found = split(later)
    (row,) = (row for row in found.parts if row.cause == "members")
    assert row.membership_change == turn
    assert row.contact_id == ("new" if turn in ("joined", "gone_again") else contact_id)
    assert (row.earlier_role, row.role) == {
        "left": (role, role), "new_role": (role, other), "returned": (role, role),
        "joined": (None, role), "gone_again": (None, None),
    }[turn]  # fmt: skip
    expected = score_of(later, AS_OF) - score_of(tables, AS_OF)
    assert row.log_odds == pytest.approx(expected, abs=1e-9)
    assert parts(found)["facts", None] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.slow
def test_what_a_newcomer_did_before_counts_under_members(quiet, split, score_of):
    _group_id, tables = quiet
    contact = {**tables["contacts"][0], "contact_id": "new"}
    before = [
        {**acted("new", number), "occurred_at": SINCE - timedelta(days=number + 1)}
        for number in range(3)
    ]
    known = with_rows(tables, contacts=[contact], activities=before)
    joining = {**tables["members"][0], "contact_id": "new", "joined_at": LATELY}
    found = parts(split(with_rows(known, members=[joining])))
    assert ("activity", "new") not in found
    expected = score_of(with_rows(known, members=[joining]), AS_OF) - score_of(known, AS_OF)
    assert found["members", "new"] == pytest.approx(expected, abs=1e-9)


def shapley(players, value):
    """Shapley values in plain Python; `value` takes a frozenset of players."""
    known = {}
    found = dict.fromkeys(players, 0.0)
    orders = list(permutations(players))
    for order in orders:
        for place, player in enumerate(order):
            for size in (place, place + 1):
                chosen = frozenset(order[:size])
                if chosen not in known:
                    known[chosen] = value(chosen)
            gain = known[frozenset(order[: place + 1])] - known[frozenset(order[:place])]
            found[player] += gain / len(orders)
    return found


@pytest.mark.slow
def test_everything_at_once_equals_plain_python_and_scoring(quiet, split, score_of):
    """Three members turn, two act, and the group; each coalition is scored from its tables."""
    group_id, tables = quiet
    first, second, third = people_of(tables, group_id)[:3]
    start = with_rows(tables, contacts=[{**tables["contacts"][0], "contact_id": "new"}])
    start = with_rows(
        start, activities=[{**acted("new", 0), "occurred_at": SINCE - timedelta(days=9)}]
    )
    deeds = {
        third: [acted(third, number) for number in range(6)],
        "new": [acted("new", number, kind="form_submitted") for number in range(1, 4)],
        "": [acted(None, number, group_id, "meeting") for number in range(2)],
    }

    def after(turns, doers):
        found = start
        if first in turns:
            found = turned(found, group_id, first, left_at=LATELY)
        if second in turns:
            again = row_again(start, second, "budget_holder")
            found = with_rows(turned(found, group_id, second, left_at=LATELY), members=[again])
        if "new" in turns:
            joining = {**row_again(start, third, "champion"), "contact_id": "new"}
            found = with_rows(found, members=[joining])
        return with_rows(found, activities=[row for doer in doers for row in deeds[doer]])

    turns = (first, second, "new")
    verdict = {"group_id": group_id, "decided_at": LATELY, "verdict": "rejected"}
    end = with_rows(after(turns, deeds), verdicts=[verdict])
    found = split(end)
    got = parts(found)
    by_turn = shapley(turns, lambda chosen: score_of(after(chosen, ()), AS_OF))
    by_deed = shapley(tuple(deeds), lambda chosen: score_of(after(turns, chosen), AS_OF))
    aged = score_of(start, AS_OF)
    assert got["decay", None] == pytest.approx(aged - score_of(start, SINCE), abs=1e-9)
    for contact_id, expected in by_turn.items():
        assert got["members", contact_id] == pytest.approx(expected, abs=1e-9)
    for contact_id, expected in by_deed.items():
        key = ("activity", contact_id) if contact_id else ("group_activity", None)
        assert got[key] == pytest.approx(expected, abs=1e-9)
    assert all(row.standard_error == 0.0 for row in found.parts)
    rest = score_of(end, AS_OF) - score_of(after(turns, deeds), AS_OF)
    assert got["facts", None] == pytest.approx(rest, abs=1e-9)
    assert sum(abs(part) > 1e-3 for part in (*by_turn.values(), *by_deed.values())) >= 4


def test_a_microsecond_later_nothing_changed(quiet, opened, bundle):
    group_id, tables = quiet
    with opened(tables) as there:
        found = attribute_change(there, group_id, AS_OF - timedelta(microseconds=1), AS_OF, bundle)
    assert {(row.log_odds, row.points) for row in found.parts} == {(0.0, 0.0)}


# Awkward worlds


def roles_at(tables, group_id, as_of):
    """Roles by contact of the current members, in plain Python."""
    return {
        row["contact_id"]: row["role"]
        for row in tables["members"]
        if row["group_id"] == group_id
        and row["joined_at"] < as_of
        and (row.get("left_at") is None or row["left_at"] >= as_of)
    }


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "days"), [(0, 30), (1, 7), (2, 90)])
def test_in_a_random_world_the_parts_sum_and_everybody_s_turn_is_told(
    random_tables, open_tables, bundle, seed, days
):
    """Times crowd around both cut-offs, to the microsecond."""
    tables, since = random_tables(seed, AS_OF), AS_OF - timedelta(days=days)
    there = open_tables(tables, bundle.settings)
    ends = [
        {row["group_id"]: row for row in table.to_pylist()}
        for table in (feature_table(there, bundle.catalogue, [at]) for at in (since, AS_OF))
    ]
    both = sorted(set(ends[0]) & set(ends[1]))
    assert both
    for group_id in both[-3:]:
        found = attribute_change(there, group_id, since, AS_OF, bundle)
        for value, rows in zip((found.log_odds_before, found.log_odds_after), ends, strict=True):
            schema = pa.Table.from_pylist([rows[group_id]])
            assert value == bundle.log_odds(schema)[0]
        moved = math.fsum(row.log_odds for row in found.parts)
        assert moved == pytest.approx(found.log_odds_after - found.log_odds_before, abs=1e-9)
        then, now = roles_at(tables, group_id, since), roles_at(tables, group_id, AS_OF)
        told = {
            row.contact_id: row.membership_change for row in found.parts if row.cause == "members"
        }
        plain = ("joined", "left", "new_role")
        assert {who: turn for who, turn in told.items() if turn in plain} == {
            **dict.fromkeys(now.keys() - then.keys(), "joined"),
            **dict.fromkeys(then.keys() - now.keys(), "left"),
            **{who: "new_role" for who in then.keys() & now.keys() if then[who] != now[who]},
        }


# Another model


@pytest.mark.slow
def test_another_model_is_a_step_of_its_own(quiet, split, bundle):
    _group_id, tables = quiet
    old = replace(
        bundle,
        tree_engine=None,
        trees=bundle.booster.model_to_string(num_iteration=5),
        calibrator=replace(bundle.calibrator),
    )
    same, other = split(tables), split(tables, old)
    (step, *rest), (_none, *parts_of_same) = other.parts, same.parts
    assert step.cause == "model"
    assert step.log_odds == same.log_odds_before - other.log_odds_before != 0.0
    assert step.points == pytest.approx(same.points_before - other.points_before, abs=1e-9)
    assert rest == parts_of_same
    points = math.fsum(row.points for row in other.parts)
    assert points == pytest.approx(other.points_after - other.points_before, abs=1e-9)


# Large and empty groups


@pytest.mark.slow
def test_four_hundred_members_are_sampled_and_sum(quiet, split, world):
    group_id, tables = quiet
    roles = sorted({row["role"] for row in tables["members"]})
    ids = [f"m{number}" for number in range(400)]
    crowd = [
        {
            "group_id": group_id,
            "contact_id": contact_id,
            "role": roles[number % len(roles)],
            "joined_at": LATELY if number % 10 == 0 else SINCE - timedelta(days=number),
        }
        for number, contact_id in enumerate(ids)
    ]
    later = with_rows(
        tables,
        contacts=[{**tables["contacts"][0], "contact_id": contact_id} for contact_id in ids],
        members=crowd,
        activities=[
            acted(contact_id, number % 17) for number, contact_id in enumerate(ids) if number % 3
        ],
    )
    found = split(later)
    moved = math.fsum(row.log_odds for row in found.parts)
    assert moved == pytest.approx(found.log_odds_after - found.log_odds_before, abs=1e-9)
    acting = [row for row in found.parts if row.cause == "activity"]
    assert len(acting) == sum(number % 3 > 0 for number in range(400))
    assert any(row.standard_error > 0.0 for row in acting)
    assert len([row for row in found.parts if row.cause == "members"]) == 40
    assert split(later) == found


@pytest.mark.slow
def test_a_group_without_members_has_changes_too(quiet, split, score_of):
    group_id, tables = quiet
    nobody = {**tables, "members": (), "activities": ()}
    later = with_rows(nobody, activities=[acted(None, 1, group_id, "meeting")])
    found = split(later)
    assert {row.cause for row in found.parts} == {"model", "decay", "group_activity", "facts"}
    moved = math.fsum(row.log_odds for row in found.parts)
    assert moved == pytest.approx(score_of(later, AS_OF) - score_of(later, SINCE), abs=1e-9)
