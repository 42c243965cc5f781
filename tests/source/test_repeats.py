"""What stands twice: copies count once, and different rows under one id are said."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from mqbg.source import repeats
from mqbg.source.checks import check_source
from mqbg.source.staging import open_source

SOUND: Mapping[str, str] = {
    "accounts": "account_id,name\na1,Acme\n",
    "contacts": "contact_id,account_id\nc1,a1\nc2,a1\n",
    "solutions": "solution_id,name\ns1,Suite\n",
    "buying_groups": "group_id,account_id,solution_id,created_at\ng1,a1,s1,2024-01-01\n",
    "members": "group_id,contact_id,role,joined_at\n"
    "g1,c1,buyer,2024-01-02\ng1,c2,user,2024-01-02\n",
    "activities": (
        "activity_id,contact_id,kind,occurred_at,recorded_at\n"
        "1,c1,call,2024-01-03,\n1,c2,visit,2024-01-04,\n2,c2,visit,2024-01-04,2024-01-05\n"
        "2,c2,visit,2024-01-04,2024-01-06\n3,c1,visit,2024-01-04,\n3,c1,visit,2024-01-04,\n"
    ),
    "stage_events": "group_id,stage,occurred_at\n" + "g1,opportunity,2024-03-01\n" * 3,
    "answers": "group_id,question,answer,answered_at\n"
    + "g1,budget,yes,2024-02-01\n" * 2
    + "g1,budget,no,2024-02-01\n",
    "costs": "month,channel,amount\n2024-01,web,5\n2024-01-01,web,5\n2024-01,web,6\n",
    "verdicts": "group_id,decided_at,verdict\n" + "g1,2024-02-01,accepted\n" * 2,
}


def folder(path: Path) -> Path:
    path.mkdir()
    for name, text in SOUND.items():
        (path / f"{name}.csv").write_text(text)
    return path


def test_exact_copies_of_rows_without_an_id_count_once_and_are_said(tmp_path):
    with open_source(folder(tmp_path / "d"), threads=1) as source:
        rows = {
            name: source.backend.to_pyarrow(source.tables[name].count()).as_py()
            for name in ("stage_events", "answers", "costs", "verdicts", "activities")
        }
        said = check_source(source).warnings
    assert rows == {"stage_events": 1, "answers": 2, "costs": 2, "verdicts": 1, "activities": 6}
    assert [s for s in said if "exact copies" in s] == [
        "stage_events.csv: exact copies of other rows, which count once: 2",
        "verdicts.csv: exact copies of other rows, which count once: 1",
        "answers.csv: exact copies of other rows, which count once: 1",
        "costs.csv: exact copies of other rows, which count once: 1",
    ]


@pytest.mark.parametrize("rows_of_a_portion", [1, 4_000_000])
def test_different_activities_under_one_id_are_told_from_repeated_ones(
    tmp_path, monkeypatch, rows_of_a_portion
):
    monkeypatch.setattr(repeats, "_ROWS_OF_A_PORTION", rows_of_a_portion)
    with open_source(folder(tmp_path / "d"), threads=1) as source:
        said = [s for s in check_source(source).warnings if "activity_id" in s]
    assert said[0] == "activities that repeat an activity_id and count once: 2"
    assert "of which one counts and the others are lost: 1, such as 1; " in said[1]
    assert "put the source before them" in said[1]
