"""What the data and the settings must have in common, told where they have not."""

from __future__ import annotations

import logging
from datetime import datetime

import pytest
from mqbg.contract import BadInput
from mqbg.features import find_vocabulary
from mqbg.features.declare.vocabulary import require_known_roles
from mqbg.settings import FeatureSettings, RoleRequirement, Settings, SolutionSettings

AS_OF = datetime(2024, 6, 1)
LONG_AGO = datetime(2023, 1, 1)
TEMPLATE = {"decision_maker": RoleRequirement(), "user": RoleRequirement()}


def world(*roles):
    return {
        "members": [
            {"group_id": "g1", "contact_id": f"c{n}", "role": role, "joined_at": LONG_AGO}
            for n, role in enumerate(roles)
        ],
        "activities": [{"contact_id": "c0", "occurred_at": LONG_AGO}],
    }


def warnings(caplog, source):
    with caplog.at_level(logging.WARNING):
        find_vocabulary(source, AS_OF)
    return caplog.text


def test_roles_that_no_template_knows_are_named_with_their_count(open_tables, caplog):
    source = open_tables(world("user", "User ", "User ", "board"), Settings(roles=TEMPLATE))
    text = warnings(caplog, source)
    assert "User  (2, did you mean 'user'?), board (1)" in text


def test_a_role_of_one_solution_s_template_is_known(open_tables, caplog):
    settings = Settings(
        roles=TEMPLATE, solutions={"s1": SolutionSettings({"board": RoleRequirement()})}
    )
    assert "roles" not in warnings(caplog, open_tables(world("user", "board"), settings))


def test_without_templates_every_role_is_known(open_tables, caplog):
    assert "roles" not in warnings(caplog, open_tables(world("anything")))


def test_data_with_none_of_the_roles_is_refused_with_both_sides_named(open_tables):
    source = open_tables(world("Decision Maker", "board"), Settings(roles=TEMPLATE))
    with pytest.raises(BadInput, match=r"decision_maker, user in members, got only .*board \(1\)"):
        require_known_roles(source, AS_OF)


def test_data_with_one_of_the_roles_is_accepted(open_tables):
    source = open_tables(world("user", "board"), Settings(roles=TEMPLATE))
    require_known_roles(source, AS_OF)
    assert [role.name for role in find_vocabulary(source, AS_OF).template.roles] == [*TEMPLATE]


def test_a_window_longer_than_the_data_is_told(open_tables, caplog):
    settings = Settings(features=FeatureSettings(windows_days=(30, 600)))
    text = warnings(caplog, open_tables(world("user"), settings))
    assert "600 days is longer than the 1612 days" not in text  # groups exist since 2020
    settings = Settings(features=FeatureSettings(windows_days=(30, 3000)))
    assert "3000 days is longer than the 1613 days" in warnings(
        caplog, open_tables(world("user"), settings)
    )
