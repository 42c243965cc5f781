"""What was known at an earlier instant: the same features then, and nothing of what came later."""

from __future__ import annotations

from datetime import datetime, timedelta

import ibis
import pytest
from mqbg.contract import TABLES
from mqbg.features import feature_table
from mqbg.features.declare.catalogue import build_catalogue
from mqbg.features.declare.vocabulary import find_vocabulary
from mqbg.features.tables.feature_table import open_snapshot
from mqbg.features.time_rules.tables_as_of import (
    in_memory_source,
    recent_leavers,
    rows_of_group,
    tables_as_of,
)
from mqbg.settings import Settings

AS_OF = datetime(2024, 5, 1)
LATER = AS_OF + timedelta(days=19)
SEEDS = [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (0, 2, 3))]


def known(source, until):
    return {
        name: rows.to_pyarrow()
        for name, rows in tables_as_of(source.contract_tables, until).items()
    }


def features(source, words, as_of, bits, only=None):
    rows = feature_table(source, words, [as_of], only=only).to_pylist()
    return {row["group_id"]: bits(row) for row in rows}


def in_plain_python(tables, until):
    """The rows known before an instant, by the rules of design.md."""

    def activity(row):
        return max(row["occurred_at"], row.get("recorded_at") or row["occurred_at"]) < until

    def not_yet(row, column):
        time = row.get(column)
        return {**row, column: time if time is not None and time < until else None}

    kept = {name: [dict(row) for row in rows] for name, rows in tables.items()}
    kept["activities"] = [row for row in kept["activities"] if activity(row)]
    kept["members"] = [
        not_yet(row, "left_at") for row in kept["members"] if row["joined_at"] < until
    ]
    kept["buying_groups"] = [not_yet(row, "created_at") for row in kept["buying_groups"]]
    for name, time in (
        ("stage_events", "occurred_at"), ("verdicts", "decided_at"), ("answers", "answered_at")
    ):  # fmt: skip
        kept[name] = [row for row in kept[name] if row[time] < until]
    return kept


def sorted_rows(rows, names):
    return sorted(tuple(str(row.get(name)) for name in names) for row in rows)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_rows_are_those_that_plain_python_knows(random_tables, open_tables, seed):
    tables = random_tables(seed, AS_OF)
    found, expected = known(open_tables(tables), AS_OF), in_plain_python(tables, AS_OF)
    for name in TABLES:
        columns = found[name].column_names
        assert sorted_rows(found[name].to_pylist(), columns) == sorted_rows(expected[name], columns)


@pytest.mark.parametrize("seed", SEEDS)
def test_at_the_instant_itself_every_feature_is_as_it_was(random_tables, open_tables, bits, seed):
    source = open_tables(random_tables(seed, AS_OF))
    words = build_catalogue(find_vocabulary(source, LATER))
    with in_memory_source(known(source, AS_OF), Settings()) as then:
        assert features(then, words, AS_OF, bits) == features(source, words, AS_OF, bits)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS[:2])
@pytest.mark.parametrize("as_of", [AS_OF, LATER])
def test_a_group_s_own_rows_give_its_features(random_tables, open_tables, bits, seed, as_of):
    source = open_tables(random_tables(seed, AS_OF))
    words = build_catalogue(find_vocabulary(source, LATER))
    expected = features(source, words, as_of, bits)
    for group_id, row in expected.items():
        with in_memory_source(rows_of_group(source.contract_tables, group_id), Settings()) as alone:
            assert features(alone, words, as_of, bits, only=[group_id]) == {group_id: row}


def test_a_copy_of_an_activity_that_names_somebody_else_stays(open_tables, bits):
    seen = {"activity_id": "x", "occurred_at": datetime(2024, 4, 2)}
    tables = {
        "members": [{"group_id": "g", "contact_id": "c1"}, {"group_id": "h", "contact_id": "c2"}],
        "activities": [
            {**seen, "contact_id": "c1", "recorded_at": datetime(2024, 4, 9)},
            {**seen, "contact_id": "c2", "recorded_at": datetime(2024, 4, 3)},
        ],
    }
    source = open_tables(tables)
    words = build_catalogue(find_vocabulary(source, AS_OF))
    with in_memory_source(rows_of_group(source.contract_tables, "g"), Settings()) as alone:
        (row,) = features(alone, words, AS_OF, bits, only=["g"]).values()
    assert row["inbound_30d"] == (0.0).hex()


def test_kinds_without_settings_are_told_once(open_tables, caplog):
    tables = {"activities": [{"contact_id": "c", "occurred_at": AS_OF, "kind": "fax"}]}
    source = open_tables({**tables, "members": [{"group_id": "g", "contact_id": "c"}]})
    caplog.clear()
    with in_memory_source(rows_of_group(source.contract_tables, "g"), Settings()):
        assert not caplog.records


@pytest.mark.parametrize("seed", SEEDS)
def test_who_left_lately_is_counted_by_the_fact(random_tables, open_tables, seed):
    source = open_tables(random_tables(seed, AS_OF))
    words = build_catalogue(find_vocabulary(source, LATER))
    members = source.contract_tables["members"]
    with open_snapshot(source, words, AS_OF) as at:
        counts = at.facts.select("group_id", "members_left_90d").to_pyarrow().to_pylist()
    for row in counts:
        mine = members.filter(members.group_id == row["group_id"])
        assert len(recent_leavers(mine, AS_OF)) == row["members_left_90d"]


def test_rows_in_memory_are_read_as_the_source_read_them(random_tables, open_tables):
    source = open_tables(random_tables(1, AS_OF))
    rows = rows_of_group(source.contract_tables, "g3")
    assert {name: ibis.memtable(table).schema() for name, table in rows.items()} == {
        name: table.schema() for name, table in source.contract_tables.items()
    }
