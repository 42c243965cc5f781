from __future__ import annotations

import math
from datetime import datetime

import numpy as np
import pytest
from mqbg.explain.group_members import GroupMembers
from mqbg.explain.shapley.coalition_aggregates import Aggregator
from mqbg.explain.shapley.game import Outcome
from mqbg.explain.shapley.stakeholders import GroupStakeholders
from mqbg.explain.what_if_evidence import Evidence
from mqbg.explain.what_ifs import (
    MAX_ACTIONS,
    RoleCoverage,
    WhatIf,
    build_what_ifs,
    rank_actions,
    role_coverage,
    stack_what_ifs,
)
from mqbg.features.declare.signals import Aggregation
from mqbg.features.declare.template import Template, TemplateRole
from mqbg.features.declare.terms import Term
from mqbg.features.declare.vocabulary import Vocabulary
from mqbg.model.bundle import Bundle, ReferenceMember, TrainingSummary
from mqbg.model.calibrators import Blend, Platt, VennAbers
from mqbg.model.thresholds import Thresholds
from mqbg.settings import ExplainSettings, RoleRequirement, Settings

AS_OF = datetime(2024, 6, 1)
NAN = math.nan
TOTALS = Aggregator(
    (Term("sum", lambda row: row), Term("least", lambda row: row, Aggregation.MIN, default=None))
)
TYPICAL = {"user": np.array([10.0, 3.0]), "buyer": np.array([20.0, 1.0])}
BASE = np.array([1.0, NAN])


def group(roles, terms=None):
    rows = [[0.0, NAN]] * len(roles) if terms is None else terms
    contacts = np.array([f"c{number}" for number in range(len(roles))], dtype=object)
    return GroupMembers(
        "g", contacts, np.array(roles, dtype=object), BASE, np.array(rows).reshape(len(roles), 2)
    )


def state(name, filled=1, engaged=1, required=1, priority=1):
    return RoleCoverage(name, RoleRequirement(required, 100.0, priority), filled, engaged)


def bundle(support=50, leavers=50, roles=("user", "buyer"), **explain):
    return Bundle(
        "", Blend(1.0, 100, 0.0, 0.0, 0.0, 0.0),
        Settings(explain=ExplainSettings(min_support=20, **explain)),
        Vocabulary(Template(()), ()), {},
        Platt(1.0, 0.0), VennAbers((0.0,), (0.1,), (0.2,)),
        Thresholds("capacity", 0.5, 0.5),
        tuple(ReferenceMember(role, {}, 5, support) for role in roles),
        TrainingSummary("", 100, 30, AS_OF, AS_OF, AS_OF, leavers),
    )  # fmt: skip


def steps(found, gains, states=(), single=None, of=None, loss=(), **options):
    people = of or group(["user"] * 30)
    got = rank_actions(
        list(found), np.array(gains, dtype=float), states, single, people, np.array(loss),
        bundle(**options),
    )  # fmt: skip
    return [(step.action, step.role, step.member_index, step.points) for step in got]


def wake(role, *members):
    return WhatIf("wake_member", role, members, BASE)


def fill(role):
    return WhatIf("fill_role", role, (), BASE)


# Roles


def test_a_role_is_filled_by_its_members_and_engaged_by_the_active_ones():
    template = Template((TemplateRole("user", "user", RoleRequirement(2), {}),))
    people = group(["user", "guest", "user", "user"])
    (found,) = role_coverage(template, people, "s1", AS_OF, np.array([1.0, 1.0, 0.0, 1.0]))
    assert (found.name, found.member_count, found.engaged_count, found.missing) == (
        "user",
        3,
        2,
        False,
    )


def test_only_roles_of_the_solutions_template_have_a_state():
    template = Template(
        (
            TemplateRole(
                "everywhere", "everywhere", RoleRequirement(1), {"s1": RoleRequirement(3)}
            ),
            TemplateRole("only s1", "only_s1", None, {"s1": RoleRequirement(1)}),
            TemplateRole("only s2", "only_s2", None, {"s2": RoleRequirement(1)}),
        )
    )
    found = role_coverage(template, group([]), "s1", AS_OF, np.array([]))
    assert [(s.name, s.requirement.required) for s in found] == [("everywhere", 3), ("only s1", 1)]


def test_a_role_found_in_the_data_counts_once_it_was_seen():
    template = Template(
        (TemplateRole("user", "user", RoleRequirement(1), {}, first_seen_at=AS_OF),)
    )
    assert role_coverage(template, group([]), "s1", AS_OF, np.array([])) == ()
    later = AS_OF.replace(microsecond=1)
    assert len(role_coverage(template, group([]), "s1", later, np.array([]))) == 1


@pytest.mark.parametrize(
    ("required", "filled", "missing"), [(0, 0, False), (1, 0, True), (2, 1, True), (2, 2, False)]
)
def test_a_role_is_missing_while_it_has_fewer_members_than_required(required, filled, missing):
    assert state("user", filled, 0, required).missing is missing


def test_missing_roles_are_in_order_of_priority_then_of_name():
    states = (
        state("z", 0, 0, priority=2),
        state("b", 0, 0, priority=1),
        state("filled", 1, 1, priority=0),
        state("a", 0, 0, priority=2),
        state("c", 0, 0, priority=1),
    )
    none = np.empty(0)
    found = GroupStakeholders(
        group([]), states, Outcome(0.0, 0.0, none, none, none, none), none, 0.0, none, none, None,
        (),
    )  # fmt: skip
    assert found.missing_roles == ("b", "c", "a", "z")


# Edits


def edits_of(people, states, typical, engaged):
    totals = TOTALS.group_totals(people.base, people.terms)
    return build_what_ifs(TOTALS, people, totals, states, typical, engaged)


def test_a_missing_role_is_filled_with_its_typical_member():
    people = group(["user"], [[4.0, 2.0]])
    states = (state("user"), state("buyer", 0, 0))
    (found,) = edits_of(people, states, TYPICAL, np.array([1.0]))
    assert (found.action, found.role, found.member_indices) == ("fill_role", "buyer", ())
    assert found.aggregates.tolist() == [1.0 + 4.0 + 20.0, 1.0]


@pytest.mark.parametrize(
    "states",
    [
        (state("buyer", filled=1),),
        (state("buyer", filled=0, required=0),),
        (state("champion", filled=0),),  # nobody typical, or too little support
    ],
    ids=["filled", "not required", "no typical member"],
)
def test_nothing_is_filled_that_need_not_or_cannot_be(states):
    assert edits_of(group([]), states, TYPICAL, np.array([])) == []


def test_a_silent_member_is_replaced_by_the_typical_one_of_the_role():
    people = group(["user", "buyer"], [[4.0, 0.5], [0.0, NAN]])
    (found,) = edits_of(people, (), TYPICAL, np.array([1.0, 0.0]))
    assert (found.action, found.role, found.member_indices) == ("wake_member", "buyer", (1,))
    assert found.aggregates.tolist() == [1.0 + 4.0 + 20.0, 0.5]
    (found,) = edits_of(people, (), TYPICAL, np.array([0.0, 1.0]))
    assert (found.role, found.member_indices) == ("user", (0,))
    assert found.aggregates.tolist() == [1.0 + 0.0 + 10.0, 3.0]


def test_a_silent_member_of_a_role_without_a_typical_one_stays_asleep():
    assert edits_of(group(["champion"]), (), TYPICAL, np.array([0.0])) == []


def test_alike_silent_members_share_one_edit():
    people = group(["user", "user", "buyer", "user"], [[0, NAN], [0, 9], [0, NAN], [0, NAN]])
    found = edits_of(people, (), TYPICAL, np.zeros(4))
    assert [(edit.role, edit.member_indices) for edit in found] == [
        ("user", (0, 3)), ("user", (1,)), ("buyer", (2,)),
    ]  # fmt: skip


def test_totals_of_edits_are_stacked_also_of_none():
    assert stack_what_ifs([], 2).shape == (0, 2)
    assert stack_what_ifs([fill("user"), fill("buyer")], 2).tolist()[1][0] == 1.0


# Actions


def test_actions_are_sorted_by_their_gain_best_first():
    found = [fill("user"), wake("user", 4), fill("buyer")]
    assert [step[3] for step in steps(found, [1.0, 3.0, 2.0])] == [3.0, 2.0, 1.0]


def test_actions_without_a_gain_are_left_out():
    assert steps([fill("user"), fill("buyer"), wake("user", 1)], [0.0, -1.0, 0.5]) == [
        ("wake_member", "user", 1, 0.5)
    ]


def test_there_are_at_most_ten_actions_the_best_ones():
    found = [wake("user", place) for place in range(15)]
    got = steps(found, range(1, 16))
    assert len(got) == MAX_ACTIONS == 10
    assert [step[3] for step in got] == [float(gain) for gain in range(15, 5, -1)]


def test_every_member_of_a_shared_edit_gets_an_action():
    assert steps([wake("user", 3, 7)], [2.0]) == [
        ("wake_member", "user", 3, 2.0),
        ("wake_member", "user", 7, 2.0),
    ]


def test_a_role_in_which_nobody_is_active_is_engaged_by_its_best_member():
    found = [wake("user", 0), wake("user", 1), wake("buyer", 2)]
    got = steps(found, [1.0, 4.0, 9.0], states=(state("user", 2, 0),))
    assert got[1:3] == [("engage_role", "user", None, 4.0), ("wake_member", "user", 1, 4.0)]
    assert ("engage_role", "buyer", None, 9.0) not in got


@pytest.mark.parametrize("states", [(state("user", 2, 1),), (state("user", 0, 0),), ()])
def test_a_role_with_somebody_active_or_with_nobody_is_not_engaged(states):
    assert {step[0] for step in steps([wake("user", 0)], [1.0], states)} == {"wake_member"}


def test_the_single_point_of_failure_is_to_be_protected():
    people = group(["user", "buyer"])
    got = steps([], [], single=1, of=people, loss=(0.5, 6.0))
    assert got == [("protect_member", "buyer", 1, 6.0)]
    assert steps([], [], single=None, of=people, loss=(0.5, 6.0)) == []


@pytest.mark.parametrize(("leavers", "protected"), [(19, False), (20, True)])
def test_protecting_needs_enough_training_snapshots_with_leavers(leavers, protected):
    got = steps([], [], single=0, of=group(["user"]), loss=(6.0,), leavers=leavers)
    assert bool(got) is protected


def test_an_action_carries_the_support_of_its_role():
    people = group(["user"])
    got = rank_actions(
        [fill("user")], np.array([1.0]), (), 0, people, np.array([2.0]), bundle(33, 44)
    )
    assert [(step.action, step.support) for step in got] == [
        ("protect_member", 44),
        ("fill_role", 33),
    ]


def test_an_action_whose_gain_may_be_none_for_other_accounts_is_not_shown():
    evidence = [Evidence(0.5, 3.0, 40), Evidence(-0.1, 4.0, 40), Evidence(0.0, 4.0, 40)]
    got = rank_actions(
        [fill("user"), fill("buyer"), wake("user", 0)], np.array([1.0, 2.0, 2.0]),
        (state("user", 2, 0),), None, group(["user"]), np.empty(0), bundle(), evidence,
    )  # fmt: skip
    assert [(step.action, step.role, step.points_low, step.points_high) for step in got] == [
        ("fill_role", "user", 0.5, 3.0)
    ]


@pytest.mark.parametrize(("support", "shown"), [(19, False), (20, True)])
def test_an_action_that_hardly_any_snapshot_was_like_is_not_shown(support, shown):
    got = rank_actions(
        [fill("user")], np.array([1.0]), (), None, group([]), np.empty(0), bundle(50),
        [Evidence(0.5, 3.0, support)],
    )  # fmt: skip
    assert [step.support for step in got] == ([support] if shown else [])


def test_engaging_a_role_has_the_interval_of_its_best_member():
    got = rank_actions(
        [wake("user", 0), wake("user", 1)], np.array([1.0, 4.0]), (state("user", 2, 0),), None,
        group(["user", "user"]), np.empty(0), bundle(),
        [Evidence(0.5, 1.5, 30), Evidence(2.0, 6.0, 25)],
    )  # fmt: skip
    assert (got[0].action, got[0].points_low, got[0].points_high, got[0].support) == (
        "engage_role", 2.0, 6.0, 25,
    )  # fmt: skip


@pytest.mark.parametrize(("low", "protected"), [(-1.0, False), (1.0, True), (None, True)])
def test_nobody_is_protected_whose_loss_may_be_none(low, protected):
    got = rank_actions(
        [], np.empty(0), (), 0, group(["user"]), np.array([6.0]), bundle(), (), Evidence(low, 9.0)
    )
    assert bool(got) is protected
