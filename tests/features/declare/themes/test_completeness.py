"""Completeness, and the templates that it is measured against."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from mqbg.features.declare.catalogue import build_catalogue
from mqbg.features.declare.vocabulary import find_vocabulary
from mqbg.settings import RoleRequirement, Settings, SolutionSettings

AS_OF = datetime(2024, 6, 1)
RECENTLY = AS_OF - timedelta(days=3)


def members(group_id, *roles, **more):
    return [
        {"group_id": group_id, "contact_id": f"{group_id} {n}", "role": role, **more}
        for n, role in enumerate(roles)
    ]


def test_three_required_and_none_to_four_assigned_fill_0_33_67_100_and_100_percent(features_at):
    tables = {
        "buying_groups": [{"group_id": f"g{n}"} for n in range(5)],
        "members": [row for n in range(5) for row in members(f"g{n}", *["buyer"] * n)],
    }
    settings = Settings(roles={"buyer": RoleRequirement(3)})
    features = features_at(tables, AS_OF, settings, names=["completeness", "roles_missing"])
    filled = [round(100 * features[f"g{n}"]["completeness"]) for n in range(5)]
    assert filled == [0, 33, 67, 100, 100]
    assert [features[f"g{n}"]["roles_missing"] for n in range(5)] == [1, 1, 1, 0, 0]


@pytest.fixture(scope="module")
def filled(features_at):
    settings = Settings(
        roles={
            "sponsor": RoleRequirement(1, 100.0),
            "user": RoleRequirement(2, 50.0),
            "guest": RoleRequirement(0, 50.0),
        },
        solutions={
            "s2": SolutionSettings(
                {"user": RoleRequirement(1, 50.0), "buyer": RoleRequirement(1, 50.0)}
            )
        },
    )
    tables = {
        "buying_groups": [
            {"group_id": "half", "solution_id": "s1"},
            {"group_id": "special", "solution_id": "s2"},
            {"group_id": "guests", "solution_id": "s1"},
        ],
        "members": [
            *members("half", "sponsor", "user", "buyer"),
            *members("special", "user", "buyer"),
            *members("guests", "guest", "guest"),
        ],
        "activities": [{"contact_id": "half 1", "occurred_at": RECENTLY}],
    }
    names = ["completeness", "weighted_completeness", "engaged_completeness", "roles_missing"]
    return features_at(tables, AS_OF, settings, names=names)


def test_completeness_is_the_unweighted_mean_over_required_roles(filled):
    assert filled["half"]["completeness"] == (1 + 1 / 2) / 2


def test_weighted_completeness_weighs_the_roles(filled):
    assert filled["half"]["weighted_completeness"] == (100 * 1 + 50 * 1 / 2) / 150


def test_engaged_completeness_counts_members_active_in_30_days_alone(filled):
    assert filled["half"]["engaged_completeness"] == (0 + 1 / 2) / 2


def test_a_welcome_role_does_not_fill_and_is_not_missed(filled):
    assert filled["guests"]["completeness"] == filled["guests"]["weighted_completeness"] == 0
    assert filled["guests"]["roles_missing"] == 2


def test_a_solution_overrides_its_lines_of_the_default_template(filled):
    assert filled["special"]["completeness"] == pytest.approx((0 + 1 + 1) / 3)
    assert filled["special"]["roles_missing"] == 1


@pytest.fixture(scope="module")
def uncertain(features_at):
    settings = Settings(
        roles={
            "sponsor": RoleRequirement(1),
            "user": RoleRequirement(2),
            "guest": RoleRequirement(0),
        }
    )
    tables = {
        "members": [
            *members("two guesses", "sponsor", "sponsor", probability=0.5),
            *members("two of two", "user", "user", probability=0.25),
            *members("surplus", "user", "user", "user", probability=0.9),
            *members("welcome", "guest", probability=0.5),
            *members("certain", "sponsor", "user", probability=None),
            *members("said certain", "sponsor", "user", probability=1.0),
            *members("impossible", "sponsor", probability=0.0),
        ]
    }
    names = ["completeness", "expected_completeness"]
    return lambda **more: features_at(tables, AS_OF, settings, names=names, **more)


def test_expected_completeness_is_the_chance_that_somebody_has_a_role_that_needs_one(uncertain):
    assert uncertain()["two guesses"]["expected_completeness"] == (0.75 + 0) / 2
    assert uncertain()["two guesses"]["completeness"] == (1 + 0) / 2


def test_expected_completeness_adds_chances_where_a_role_needs_several(uncertain):
    assert uncertain()["two of two"]["expected_completeness"] == (0 + 0.5 / 2) / 2
    assert uncertain()["surplus"]["expected_completeness"] == (0 + 1) / 2


def test_expected_completeness_is_completeness_where_every_role_is_certain(uncertain):
    rows = uncertain()
    for group_id in ("certain", "said certain"):
        assert rows[group_id]["expected_completeness"] == rows[group_id]["completeness"] == 0.75
    assert rows["welcome"]["expected_completeness"] == 0
    assert rows["impossible"] == {**rows["impossible"], "expected_completeness": 0.0}


def test_expected_completeness_of_a_few_groups_is_that_of_all_to_the_bit(uncertain, bits):
    everybody, few = uncertain(), uncertain(only=["two guesses", "surplus"])
    assert {key: bits(row) for key, row in few.items()} == {
        key: bits(everybody[key]) for key in few
    }


def test_data_without_uncertain_roles_has_no_expected_completeness(open_tables):
    tables = {"members": [*members("g", "user", probability=1.0), *members("h", "user")]}
    vocabulary = find_vocabulary(open_tables(tables), AS_OF)
    assert "expected_completeness" not in build_catalogue(vocabulary).feature_names


def test_without_settings_every_role_in_the_data_is_required_once(features_at):
    tables = {"members": [*members("g1", "a", "b", "b"), *members("g2", "c")]}
    features = features_at(tables, AS_OF, names=["completeness"])
    assert features["g1"]["completeness"] == pytest.approx(2 / 3)
    assert features["g2"]["completeness"] == pytest.approx(1 / 3)


def test_a_role_joins_the_template_once_a_member_had_it(features_at):
    tables = {"members": [*members("g1", "a"), *members("g2", "b", joined_at=RECENTLY)]}
    later = AS_OF + timedelta(days=1)
    at_joining = features_at(tables, RECENTLY, before=later, names=["completeness"])["g1"]
    after = features_at(tables, AS_OF, before=later, names=["completeness"])["g1"]
    assert (at_joining["completeness"], after["completeness"]) == (1.0, 0.5)


def template_of(open_tables, roles, settings=None):
    tables = {"members": [row for n, role in enumerate(roles) for row in members(f"g{n}", role)]}
    return find_vocabulary(open_tables(tables, settings), AS_OF).template


def test_roles_of_the_data_stand_in_order_of_their_names(open_tables):
    template = template_of(open_tables, ["user", "buyer", "user", "決裁者"])
    assert [role.name for role in template.roles] == ["buyer", "user", "決裁者"]


def test_roles_of_the_settings_stand_in_their_order_and_the_data_adds_none(open_tables):
    settings = Settings(
        roles={"user": RoleRequirement(), "buyer": RoleRequirement()},
        solutions={"s9": SolutionSettings({"expert": RoleRequirement(2)})},
    )
    template = template_of(open_tables, ["guest"], settings)
    assert [role.name for role in template.roles] == ["user", "buyer", "expert"]
    assert template.overridden_solutions == ("s9",)
    assert template.roles[2].requirement("s9", AS_OF) == RoleRequirement(2)
    assert template.roles[2].requirement("s1", AS_OF) is None


@pytest.mark.parametrize(
    ("roles", "slugs"),
    [
        (["Economic Buyer"], ["economic_buyer"]),
        (["情報 システム部（主任）"], ["情報_システム部_主任"]),
        (["BUYER!", "Buyer", "buyer"], ["buyer", "buyer_2", "buyer_3"]),
        (["A", "a", "a 2"], ["a", "a_2", "a_2_2"]),
        (["!?"], ["unnamed"]),
        (["21", "max"], ["21_2", "max_2"]),  # engagement_21 and engagement_max are taken
    ],
)
def test_role_names_become_parts_of_column_names_that_never_meet(open_tables, roles, slugs):
    assert [role.slug for role in template_of(open_tables, roles).roles] == slugs


def test_a_change_of_role_is_no_joining_and_a_return_is(features_at):
    """Who was a user from long ago and decides since yesterday, and who left and came back."""
    long_ago, yesterday = AS_OF - timedelta(days=200), AS_OF - timedelta(days=1)
    before = {"joined_at": long_ago, "left_at": yesterday, "role": "user"}
    changed = [
        {"group_id": "changed", "contact_id": "c1", **before},
        {"group_id": "changed", "contact_id": "c1", "joined_at": yesterday, "role": "buyer"},
    ]
    returned = [
        {"group_id": "returned", "contact_id": "c2", **before, "left_at": AS_OF - timedelta(50)},
        {"group_id": "returned", "contact_id": "c2", "joined_at": yesterday, "role": "user"},
    ]
    members = [*changed, *returned]
    rows = features_at({"members": members}, AS_OF, names=["members_joined_90d"])
    joined = {group_id: row["members_joined_90d"] for group_id, row in rows.items()}
    assert joined == {"changed": 0.0, "returned": 1.0}
