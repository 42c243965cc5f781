"""The stakeholder game and the what-ifs of real trees on a simulated world."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import astuple, replace
from datetime import datetime
from itertools import combinations

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from mqbg.explain.group_members import group_members_at, reference_member_terms
from mqbg.explain.shapley import stakeholders as room
from mqbg.explain.shapley.coalition_aggregates import Aggregator
from mqbg.explain.shapley.stakeholders import group_stakeholders
from mqbg.explain.shapley.theme_attribution import catalogue_themes
from mqbg.explain.shapley.valuation import Valuation
from mqbg.features.declare.signals import Aggregation
from mqbg.features.tables.feature_table import feature_table, open_snapshot
from mqbg.features.tables.group_features import aggregate_terms, group_features, member_terms
from mqbg.settings import ExplainSettings

AS_OF = datetime(2025, 7, 1)
SEED = 21
SIZES = (0, 1, 2, 8, 400)
EXPLAIN = ExplainSettings(standard_error=0.05, max_pairs=16, min_support=5)


def quiet(_label, _share):
    pass


def joined(group_id, contact_ids, roles):
    """Members since long ago, as rows of the contract."""
    return pa.Table.from_pydict(
        {
            "group_id": [group_id] * len(contact_ids),
            "contact_id": contact_ids,
            "role": [roles[place % len(roles)] for place in range(len(contact_ids))],
            "joined_at": [datetime(2023, 1, 1)] * len(contact_ids),
            "left_at": pa.nulls(len(contact_ids), pa.timestamp("us")),
            "probability": pa.nulls(len(contact_ids), pa.float64()),
            "source": pa.nulls(len(contact_ids), pa.string()),
            "joined_is": pa.nulls(len(contact_ids), pa.string()),
        }
    )


def open_groups(tables):
    """Groups that were there three months before and reached no end at all."""
    ends = {"opportunity", "won", "lost"}
    ended = {e["group_id"] for e in tables["stage_events"].to_pylist() if e["stage"] in ends}
    return [
        row["group_id"]
        for row in tables["buying_groups"].to_pylist()
        if row["created_at"] < datetime(2025, 4, 1) and row["group_id"] not in ended
    ]


def resized(tables):
    """The world with groups of 0, 1, 2, 8 and 400 members; two of the eight are twins."""
    chosen = dict(zip(SIZES, open_groups(tables), strict=False))
    contacts, members = tables["contacts"], tables["members"]
    twins = [{**contacts.slice(0, 1).to_pylist()[0], "contact_id": c} for c in ("twin 1", "twin 2")]
    ids, roles = contacts["contact_id"].to_pylist(), sorted(set(members["role"].to_pylist()))
    mine = pc.is_in(members["group_id"], value_set=pa.array(list(chosen.values())))
    parts = [members.filter(pc.invert(mine))]
    for size, group_id in chosen.items():
        if size == 8:
            people = joined(group_id, [*ids[40:46], "twin 1", "twin 2"], [*roles, *roles[-1:] * 2])
        else:
            people = joined(group_id, ids[60 : 60 + size], roles)
        known = [members.schema.field(name) for name in people.column_names]
        parts.append(people.cast(pa.schema(known)))
    return chosen, {
        **tables,
        "contacts": pa.concat_tables([contacts, pa.Table.from_pylist(twins, contacts.schema)]),
        "members": pa.concat_tables(parts, promote_options="default"),
    }


@pytest.fixture(scope="module")
def world(small_world):
    """Ids of the groups by size, and the tables."""
    return resized(small_world)


@pytest.fixture(scope="module")
def bundle(small_bundle):
    return replace(small_bundle, settings=replace(small_bundle.settings, explain=EXPLAIN))


@pytest.fixture(scope="module")
def source(world, open_tables, bundle):
    return open_tables(world[1], bundle.settings)


@pytest.fixture(scope="module")
def at(source, bundle):
    with open_snapshot(source, bundle.catalogue, AS_OF) as opened:
        yield opened


@pytest.fixture(scope="module")
def found(at, bundle):
    """The stakeholders of every group, by group_id."""
    return {one.group.group_id: one for one in group_stakeholders(at, bundle, quiet)}


@pytest.fixture(scope="module")
def log_odds(source, bundle):
    """What scoring the feature table gives, by group_id."""
    table = feature_table(source, bundle.catalogue, [AS_OF])
    return dict(zip(table["group_id"].to_pylist(), bundle.log_odds(table).tolist(), strict=True))


def same(one, other):
    """Outcomes equal in every number, to the bit."""
    return all(np.array_equal(a, b) for a, b in zip(astuple(one), astuple(other), strict=True))


def rows_of(table, group_id):
    return table.filter(table.group_id == group_id).to_pyarrow().to_pylist()


def coalitions(rows):
    """Member rows repeated for every subset of the members; the base row is in each."""
    base = [row for row in rows if row["contact_id"] is None]
    members = sorted(
        (row for row in rows if row["contact_id"] is not None), key=lambda row: row["contact_id"]
    )
    places = range(len(members))
    subsets = [chosen for size in range(len(members) + 1) for chosen in combinations(places, size)]
    return subsets, [
        {**row, "coalition": number}
        for number, chosen in enumerate(subsets)
        for row in (*base, *(members[place] for place in chosen))
    ]


def in_engine(rows, like):
    """Rows as an expression with the types of `like`, and a column `coalition`."""
    fields = [*like.schema().to_pyarrow(), pa.field("coalition", pa.int64())]
    return ibis.memtable(pa.Table.from_pylist(rows, pa.schema(fields)))


# The game


@pytest.mark.parametrize("size", SIZES)
def test_base_and_contributions_sum_to_the_log_odds(world, found, log_odds, size):
    one = found[world[0][size]]
    assert len(one.group.contact_ids) == size
    total = one.outcome.base + math.fsum(one.outcome.contribution)
    assert total == pytest.approx(log_odds[one.group.group_id], abs=1e-9)
    assert one.outcome.standard_error.any() == (size == 400)


def test_the_sum_holds_in_every_group_and_the_log_odds_are_the_feature_tables_to_the_bit(
    found, log_odds
):
    assert {key: one.outcome.everyone for key, one in found.items()} == log_odds
    for key, one in found.items():
        total = one.outcome.base + math.fsum(one.outcome.contribution)
        assert total == pytest.approx(log_odds[key], abs=1e-9)


def test_contributions_in_points_sum_to_what_the_group_adds_to_the_score(found, bundle):
    for one in found.values():
        base, score = bundle.score_points(np.array([one.outcome.base, one.outcome.everyone]))
        assert math.fsum(one.points) == pytest.approx(score - base, abs=1e-9)


def test_members_do_add_something(found):
    assert np.std(np.concatenate([one.points for one in found.values()])) > 0.1


def test_twins_get_equal_parts_to_the_bit(world, found):
    one = found[world[0][8]]
    contacts = one.group.contact_ids.tolist()
    first, second = contacts.index("twin 1"), contacts.index("twin 2")
    assert one.outcome.contribution[first] == one.outcome.contribution[second] != 0.0
    assert one.if_leaves[first] == one.if_leaves[second]


def test_numpy_reductions_equal_stage_2_of_every_coalition_to_the_bit(world, at, bundle):
    group_id, catalogue = world[0][8], bundle.catalogue
    subsets, repeated = coalitions(rows_of(at.members, group_id))
    terms = member_terms(in_engine(repeated, at.members), catalogue)
    reduced = aggregate_terms(terms, catalogue, ("group_id", "coalition"))
    engine = reduced.order_by("coalition").to_pyarrow()
    (group,) = (group for group in group_members_at(at) if group.group_id == group_id)
    totals = Aggregator(catalogue.terms)
    own = np.array([totals.prefixes(group.base, group.terms[list(s)])[-1] for s in subsets])
    assert len(subsets) == 2**8
    for place, term in enumerate(catalogue.terms):
        column = engine[term.name].to_numpy()
        if term.default is not None:
            np.testing.assert_array_equal(np.nan_to_num(own[:, place], nan=term.default), column)
        else:
            np.testing.assert_array_equal(own[:, place], column)
    assert {term.aggregation for term in catalogue.terms} == {
        Aggregation.SUM,
        Aggregation.MAX,
        Aggregation.MIN,
    }


@pytest.mark.parametrize(
    "size", [8, *(pytest.param(size, marks=pytest.mark.slow) for size in (1, 2))]
)
def test_the_game_equals_stage_2_with_coalitions_as_a_key_and_the_trees(
    world, at, bundle, found, size
):
    one = found[world[0][size]]
    subsets, repeated = coalitions(rows_of(at.members, one.group.group_id))
    keys = ("group_id", "coalition")
    table = group_features(in_engine(repeated, at.members), at.facts, bundle.catalogue, keys)
    engine = bundle.log_odds(table.order_by("coalition").to_pyarrow())
    totals = Aggregator(bundle.catalogue.terms)
    (group,) = (g for g in group_members_at(at) if g.group_id == one.group.group_id)
    own = [totals.prefixes(group.base, group.terms[list(s)])[-1] for s in subsets]
    sizes = [(one.group.group_id, len(subsets))]
    assert Valuation(bundle, at.fact_rows())(sizes, np.array(own)).tolist() == engine.tolist()
    value = dict(zip(subsets, engine.tolist(), strict=True))
    for place in range(size):
        phi = sum(
            (value[tuple(sorted((*chosen, place)))] - value[chosen])
            / (size * math.comb(size - 1, len(chosen)))
            for chosen in subsets
            if place not in chosen
        )
        assert one.outcome.contribution[place] == pytest.approx(phi, abs=1e-9)


@pytest.mark.parametrize("rows_per_batch", [1, 100_000])
def test_a_group_has_the_same_answer_alone_and_in_any_batch(
    world, source, bundle, found, monkeypatch, rows_per_batch
):
    monkeypatch.setattr(room, "ROWS_PER_BATCH", rows_per_batch)
    for only in ([world[0][400]], [world[0][size] for size in (8, 2, 0)]):
        with open_snapshot(source, bundle.catalogue, AS_OF, only) as few:
            for one in group_stakeholders(few, bundle, quiet):
                other = found[one.group.group_id]
                assert same(one.outcome, other.outcome)
                assert one.actions == other.actions
                assert one.points.tolist() == other.points.tolist()
                assert one.contributions_by_theme.tolist() == other.contributions_by_theme.tolist()


def test_another_seed_draws_another_sample_of_a_large_group_alone(world, source, bundle, found):
    other = replace(
        bundle, settings=replace(bundle.settings, model=replace(bundle.settings.model, seed=8))
    )
    only = [world[0][400], world[0][8]]
    with open_snapshot(source, bundle.catalogue, AS_OF, only) as few:
        drawn = {one.group.group_id: one for one in group_stakeholders(few, other, quiet)}
    large, small = (drawn[group_id].outcome for group_id in only)
    assert not same(large, found[only[0]].outcome)
    assert same(small, found[only[1]].outcome)


# Themes


def by_name(one, bundle):
    """Each member's themes, by name."""
    return [
        dict(zip(catalogue_themes(bundle.catalogue), row, strict=True))
        for row in one.contributions_by_theme
    ]


def test_themes_of_every_member_sum_to_the_contribution(found):
    for one in found.values():
        np.testing.assert_allclose(
            one.contributions_by_theme.sum(axis=1), one.outcome.contribution, rtol=0, atol=1e-9
        )


def test_fit_and_calendar_are_carried_by_no_member(found, bundle):
    for one in found.values():
        for themes in by_name(one, bundle):
            assert not any(themes[name] for name in ("fit", "calendar"))


def test_themes_are_the_mean_change_of_treeshap_at_the_first_and_the_last_step(
    world, at, bundle, found
):
    one = found[world[0][2]]
    subsets, repeated = coalitions(rows_of(at.members, one.group.group_id))
    keys = ("group_id", "coalition")
    table = group_features(in_engine(repeated, at.members), at.facts, bundle.catalogue, keys)
    read = bundle.feature_matrix(table.order_by("coalition").to_pyarrow())
    shap = bundle.contributions(read)
    place = {chosen: number for number, chosen in enumerate(subsets)}
    for member in (0, 1):
        expected = dict.fromkeys(catalogue_themes(bundle.catalogue), 0.0)
        for before, after in (((), (member,)), ((1 - member,), (0, 1))):
            x, y = read[place[before]], read[place[after]]
            for number, feature in enumerate(bundle.catalogue.features):
                if feature.name in bundle.used_features and not np.array_equal(
                    x[number], y[number], equal_nan=True
                ):
                    step = shap[place[after], number] - shap[place[before], number]
                    expected[feature.theme] += step / 2
        whole = one.outcome.contribution[member]
        size = math.fsum(map(abs, expected.values()))
        rest = whole - math.fsum(expected.values())
        for theme, got in by_name(one, bundle)[member].items():
            assert got == pytest.approx(
                expected[theme] + rest * abs(expected[theme]) / size, abs=1e-9
            )


# What-ifs


@pytest.mark.parametrize("which", [0, -1])
def test_if_leaves_equals_scoring_the_tables_without_that_member(
    world, bundle, found, open_tables, which
):
    """One member leaves each group at once, of groups that share no member with another one."""
    members = world[1]["members"]
    pairs = zip(members["group_id"].to_pylist(), members["contact_id"].to_pylist(), strict=True)
    groups_of = Counter(contact for _group, contact in set(pairs))
    leaving = {
        key: which % len(one.group.contact_ids)
        for key, one in found.items()
        if len(one.group.contact_ids)
        and all(groups_of[contact] == 1 for contact in one.group.contact_ids)
    }
    gone = {(key, found[key].group.contact_ids[place]) for key, place in leaving.items()}
    pairs = zip(members["group_id"].to_pylist(), members["contact_id"].to_pylist(), strict=True)
    staying = members.filter(pa.array([pair not in gone for pair in pairs]))
    without = open_tables({**world[1], "members": staying}, bundle.settings)
    table = feature_table(without, bundle.catalogue, [AS_OF])
    values = dict(zip(table["group_id"].to_pylist(), bundle.log_odds(table), strict=True))
    assert len(leaving) > 40
    for key, place in leaving.items():
        one = found[key]
        assert one.outcome.without[place] == values[key]
        points = bundle.score_points(np.array([values[key], one.outcome.everyone]))
        assert one.if_leaves[place] == points[0] - points[1]


def typical_row(bundle, role):
    (signals,) = (member.signals for member in bundle.reference_members if member.role == role)
    return dict(signals)


def edited(rows, step, one, bundle, number):
    """A group's member rows with the step taken."""
    contact = None if step.member_index is None else one.group.contact_ids[step.member_index]
    new = {
        "group_id": one.group.group_id,
        "contact_id": contact or "somebody new",
        "role": step.role,
        **typical_row(bundle, step.role),
    }
    staying = [row for row in rows if contact is None or row["contact_id"] != contact]
    return [{**row, "coalition": number} for row in (*staying, new)]


@pytest.mark.parametrize("action", ["fill_role", "wake_member"])
def test_gains_equal_features_recomputed_from_edited_member_rows(at, bundle, found, action):
    taken = [
        (one, step) for one in found.values() for step in one.actions if step.action == action
    ][:60]
    by_group = {}
    for row in at.members.to_pyarrow().to_pylist():
        by_group.setdefault(row["group_id"], []).append(row)
    rows = [
        row
        for number, (one, step) in enumerate(taken)
        for row in edited(by_group[one.group.group_id], step, one, bundle, number)
    ]
    keys = ("group_id", "coalition")
    table = group_features(in_engine(rows, at.members), at.facts, bundle.catalogue, keys)
    after = bundle.score_points(bundle.log_odds(table.order_by("coalition").to_pyarrow()))
    before = bundle.score_points(np.array([one.outcome.everyone for one, _step in taken]))
    assert len(taken) > 20
    assert [step.points for _one, step in taken] == (after - before).tolist()


def test_actions_are_the_best_at_most_ten_and_sorted(found):
    lengths = [len(one.actions) for one in found.values()]
    assert max(lengths) == 10
    for one in found.values():
        points = [step.points for step in one.actions]
        assert points == sorted(points, reverse=True)
        assert all(gain > 0 for gain in points)


def test_a_step_with_less_support_than_the_minimum_is_refused(at, bundle):
    supports = sorted({member.snapshots for member in bundle.reference_members})
    middle = supports[len(supports) // 2]
    for least in (middle, middle + 1, 10**9):
        strict = replace(
            bundle.settings, explain=replace(bundle.settings.explain, min_support=least)
        )
        known = set(reference_member_terms(replace(bundle, settings=strict)))
        assert known == {m.role for m in bundle.reference_members if m.snapshots >= least}


def test_without_enough_support_there_are_no_actions(world, source, bundle):
    explain = replace(bundle.settings.explain, min_support=10**9)
    settings = replace(bundle.settings, explain=explain)
    only = [world[0][size] for size in (0, 1, 2, 8)]
    with open_snapshot(source, bundle.catalogue, AS_OF, only) as few:
        assert all(
            not one.actions
            for one in group_stakeholders(few, replace(bundle, settings=settings), quiet)
        )


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_single_point_of_failure_costs_the_share_of_what_the_group_adds(
    world, source, bundle, found, share
):
    settings = replace(
        bundle.settings, explain=replace(bundle.settings.explain, dependence_share=share)
    )
    only = [key for key, one in found.items() if len(one.group.contact_ids) < 9][:60]
    with open_snapshot(source, bundle.catalogue, AS_OF, only) as few:
        again = list(group_stakeholders(few, replace(bundle, settings=settings), quiet))
    points = 0
    for one in again:
        base, score = bundle.score_points(np.array([one.outcome.base, one.outcome.everyone]))
        worst = min(one.if_leaves, default=0.0)
        rests = score - base >= 1.0 and -worst >= share * (score - base)
        points += rests
        assert (one.single_point_index is not None) == rests
        if rests:
            assert one.if_leaves[one.single_point_index] == worst
    assert points or share == 0.9


def test_missing_roles_are_the_required_ones_with_too_few_members(world, found, source):
    members = source.tables["members"].to_pyarrow().to_pylist()
    required = {
        role for one in found.values() for role in (state.name for state in one.role_coverage)
    }
    for key, one in found.items():
        has = {
            row["role"]
            for row in members
            if row["group_id"] == key
            and row["joined_at"] < AS_OF
            and (row["left_at"] is None or row["left_at"] >= AS_OF)
        }
        assert list(one.missing_roles) == sorted(required - has)
    assert len(found[world[0][0]].missing_roles) == len(required)


def test_groups_come_in_order_of_their_ids_and_members_of_theirs(found):
    assert list(found) == sorted(found)
    for one in found.values():
        assert one.group.contact_ids.tolist() == sorted(one.group.contact_ids)
