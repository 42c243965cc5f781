from __future__ import annotations

from datetime import datetime

import ibis
import pyarrow as pa
import pytest
from mqbg.features.declare import template as template_module
from mqbg.features.declare.template import resolve_template
from mqbg.settings import RoleRequirement, Settings
from mqbg.source.spellings import MAX_ROLES

START = datetime(2024, 1, 1)


def members(roles: list[str]) -> ibis.Table:
    backend = ibis.duckdb.connect(threads=1)
    return backend.create_table(
        "members", pa.table({"role": roles, "joined_at": [START] * len(roles)})
    )


def test_of_very_many_roles_the_most_frequent_are_told_apart_with_a_warning(caplog):
    rows = members(["buyer"] * 3 + ["user"] * 2 + [f"title {i:03}" for i in range(300)])
    names = [role.name for role in resolve_template(Settings(), rows, datetime(2025, 1, 1)).roles]
    assert len(names) == MAX_ROLES + 1
    assert {"buyer", "user", "title 000", "other"} <= set(names)
    assert "title 299" not in names
    (said,) = [record.message for record in caplog.records]
    assert said.startswith("members have 302 different roles: the 64 most frequent are told apart")
    assert "and 238 rows of members count as 'other'" in said
    assert "titles" in said


def test_roles_that_can_be_told_apart_are_all_there_and_so_are_those_of_settings(caplog):
    rows = members([f"title {i:03}" for i in range(MAX_ROLES)])
    assert len(resolve_template(Settings(), rows, datetime(2025, 1, 1)).roles) == MAX_ROLES
    named = Settings(roles={"buyer": RoleRequirement()})
    assert [r.name for r in resolve_template(named, rows, datetime(2025, 1, 1)).roles] == ["buyer"]
    assert not caplog.records


@pytest.mark.slow
def test_rare_roles_count_as_one_that_is_welcome_and_not_needed(monkeypatch, features_at, caplog):
    """By every engine: all groups at once, and one of them looked up."""
    monkeypatch.setattr(template_module, "MAX_ROLES", 2)
    roles = {"g1": ["buyer", "user", "Head of IT", "CFO"], "g2": ["buyer", "user"]}
    tables = {
        "members": [
            {"group_id": group_id, "contact_id": f"{group_id}-{role}", "role": role}
            for group_id, names in roles.items()
            for role in names
        ],
        "activities": [{"contact_id": "g1-CFO", "occurred_at": START}],
    }
    at = datetime(2024, 1, 9)
    found = features_at(tables, at)
    assert [found[g]["members_other"] for g in ("g1", "g2")] == [2, 0]
    assert [found[g]["members_buyer"] for g in ("g1", "g2")] == [1, 1]
    assert [found[g]["days_since_other"] for g in ("g1", "g2")] == [8.0, None]
    assert [found[g]["completeness"] for g in ("g1", "g2")] == [1.0, 1.0]
    assert features_at(tables, at, only=["g1"])["g1"] == found["g1"]


def test_the_rest_is_not_called_as_a_role_that_there_is(monkeypatch):
    monkeypatch.setattr(template_module, "MAX_ROLES", 2)
    rows = members(["other"] * 3 + ["user"] * 2 + ["buyer"])
    roles = resolve_template(Settings(), rows, datetime(2025, 1, 1)).roles
    assert [(role.name, role.rest) for role in roles] == [
        ("other", False), ("user", False), ("other 2", True),
    ]  # fmt: skip
