# ruff: noqa: E501 - rows of exports are read more easily on one line
"""What one percent more rows, and exports of different dates, leave as it was."""

import zipfile
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from mqbg.intake.importing import import_export
from mqbg.intake.staging import connect
from mqbg.simulate import simulate
from small_exports import SALESFORCE

AXIS = "salesforce:Opportunity:006A1"


def tables_of(out):
    names = ("members", "buying_groups", "contacts", "accounts", "import/identities")
    return {name: pd.read_parquet(out / f"{name}.parquet") for name in names}


@pytest.mark.slow
def test_one_percent_more_rows_leave_ids_roles_and_memberships_as_they_were(tmp_path):
    simulate(tmp_path / "world", groups=60, seed=5, exports=("salesforce_export",))
    whole, less = tmp_path / "whole", tmp_path / "less"
    with zipfile.ZipFile(
        next((tmp_path / "world" / "exports" / "salesforce_export").iterdir())
    ) as packed:
        packed.extractall(whole)
    less.mkdir()
    rng = np.random.default_rng(1)
    for file in sorted(whole.iterdir()):
        rows = pd.read_csv(file, dtype=str)
        kept = rows if file.stem in ("Account", "User") else rows[rng.random(len(rows)) >= 0.01]
        kept.to_csv(less / file.name, index=False)
    as_of = datetime(2026, 1, 1)
    import_export("salesforce", str(less), tmp_path / "out", as_of=as_of)
    before = tables_of(tmp_path / "out")
    import_export("salesforce", str(whole), tmp_path / "out", as_of=as_of)
    after = tables_of(tmp_path / "out")

    record = ["table", "source_table", "source_id"]
    ids = before["import/identities"].merge(after["import/identities"], on=record)
    assert len(ids) == len(before["import/identities"])
    assert (ids.id_x == ids.id_y).mean() >= 0.9999
    members = before["members"].merge(after["members"], on=["group_id", "contact_id"])
    assert len(members) == len(before["members"])
    assert (members.role_x == members.role_y).mean() >= 0.9999
    assert (members.joined_at_x == members.joined_at_y).mean() >= 0.9999


@pytest.mark.parametrize(
    ("written", "meant"),
    [("45337.5", datetime(2024, 2, 15, 12)), ("2024年2月15日 12時00分", datetime(2024, 2, 15, 12)),
     ("2024/2/15 12:00", datetime(2024, 2, 15, 12)), ("2024-02-15T12:00:00+09:00", datetime(2024, 2, 15, 3))],
)  # fmt: skip
def test_times_are_read_as_spreadsheets_and_reports_write_them(tmp_path, written, meant):
    con = connect(tmp_path)
    assert con.execute("SELECT moment(?)", [written]).fetchall() == [(meant,)]
    con.close()


@pytest.mark.slow
def test_a_stage_history_that_begins_in_the_middle_still_has_the_end(take_in):
    history = """
Id|OpportunityId|StageName|Amount|CreatedDate|IsDeleted
0083|006A1|Closed Won|1200|2024-03-01T05:06:07.000Z|false
"""
    world = take_in("salesforce", SALESFORCE | {"OpportunityHistory": history})
    assert [
        (one["stage"], one["occurred_at"])
        for one in world.rows("stage_events")
        if one["group_id"] == AXIS
    ] == [("won", datetime(2024, 3, 1, 5, 6, 7))]
