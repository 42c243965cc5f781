from __future__ import annotations

from datetime import datetime

import ibis
import pyarrow as pa
from mqbg.features.declare.template import MAX_ROLES, resolve_template
from mqbg.settings import RoleRequirement, Settings

START = datetime(2024, 1, 1)


def members(roles: list[str]) -> ibis.Table:
    backend = ibis.duckdb.connect(threads=1)
    return backend.create_table(
        "members", pa.table({"role": roles, "joined_at": [START] * len(roles)})
    )


def test_of_very_many_roles_the_most_frequent_are_told_apart_with_a_warning(caplog):
    rows = members(["buyer"] * 3 + ["user"] * 2 + [f"title {i:03}" for i in range(300)])
    names = [role.name for role in resolve_template(Settings(), rows, datetime(2025, 1, 1)).roles]
    assert len(names) == MAX_ROLES
    assert {"buyer", "user", "title 000"} <= set(names)
    assert "title 299" not in names
    (said,) = [record.message for record in caplog.records]
    assert said.startswith("members have 302 different roles: the 64 most frequent are told apart")
    assert "and 238 rows of members fill none" in said
    assert "titles" in said


def test_roles_that_can_be_told_apart_are_all_there_and_so_are_those_of_settings(caplog):
    rows = members([f"title {i:03}" for i in range(MAX_ROLES)])
    assert len(resolve_template(Settings(), rows, datetime(2025, 1, 1)).roles) == MAX_ROLES
    named = Settings(roles={"buyer": RoleRequirement()})
    assert [r.name for r in resolve_template(named, rows, datetime(2025, 1, 1)).roles] == ["buyer"]
    assert not caplog.records
