"""Rows of a body as columns, however they are written."""

from __future__ import annotations

import copy

import pytest
from mqbg.contract import TABLES
from mqbg.serve.api.examples import REQUEST
from mqbg.serve.api.group_tables import parse_group_tables
from mqbg.serve.api.problem_details import HttpProblem
from mqbg.settings import ApiSettings


def columns_of(body):
    """The tables' columns, by table and name."""
    tables = parse_group_tables(body, ApiSettings()).tables
    return {name: dict(rows.columns) for name, rows in tables.items()}


def with_activities(rows):
    return {**copy.deepcopy(REQUEST), "activities": rows}


FULL = {"activity_id": "a1", "contact_id": "c1", "kind": "pricing_view",
        "occurred_at": "2024-01-02T00:00:00Z", "channel": None}  # fmt: skip


@pytest.mark.parametrize(
    "other",
    [
        dict(reversed(FULL.items())),
        {name: value for name, value in FULL.items() if value is not None},
        {**FULL, "duration_seconds": None},
    ],
    ids=["another order", "a key left out", "a key more"],
)
def test_rows_with_keys_of_their_own_are_the_same_rows(other):
    wanted = columns_of(with_activities([FULL, FULL, FULL]))
    for rows in ([FULL, other, FULL], [other, other, other]):
        assert columns_of(with_activities(rows)) == wanted


def test_a_value_of_another_kind_is_refused_with_its_place_among_rows_of_other_keys():
    rows = [FULL, {"activity_id": 7}]
    with pytest.raises(HttpProblem, match=r"activities\[1\].activity_id: expected a text, got a n"):
        parse_group_tables(with_activities(rows), ApiSettings())


def test_columns_that_are_not_read_are_known_by_the_key_that_gives_them():
    body = with_activities([FULL, {**FULL, "colour": "red"}])
    body["other_groups"] = [{**body["buying_group"], "group_id": "g0", "size": 3}]
    found = parse_group_tables(body, ApiSettings()).columns_not_read
    assert found == {"activities": ("colour",), "other_groups": ("size",)}


class CountedRow(dict):
    """A row that counts how often it is asked for a column."""

    asked = 0

    def get(self, *arguments):
        CountedRow.asked += 1
        return super().get(*arguments)


def test_of_columns_that_no_table_has_nothing_is_made_however_many_there_are():
    body = copy.deepcopy(REQUEST)
    contact = body["contacts"][0]
    body["contacts"] = [
        CountedRow({**contact, "contact_id": str(row), **{f"{row} {n}": 1 for n in range(50)}})
        for row in range(40)
    ]
    CountedRow.asked = 0
    found = parse_group_tables(body, ApiSettings())
    assert CountedRow.asked <= len(body["contacts"]) * len(TABLES["contacts"].columns)
    assert len(found.columns_not_read["contacts"]) == 40 * 50
    assert found.tables["contacts"].columns["contact_id"] == [str(row) for row in range(40)]
