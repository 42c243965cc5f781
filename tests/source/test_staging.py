from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mqbg.contract import TABLES, BadInput, schema
from mqbg.source.staging import Source, count_rows, open_source

CONGRESS = Path(__file__).parents[3] / "shared" / "data" / "congress110"
# Ibis 12 still calls the name that DuckDB 2 renamed.
NOON = datetime(2024, 2, 1, 12)
SOUND: Mapping[str, str] = {
    "accounts": "account_id,name\na1,Acme\n",
    "contacts": "contact_id,account_id\nc1,a1\n",
    "solutions": "solution_id,name\ns1,Suite\n",
    "buying_groups": "group_id,account_id,solution_id,created_at\ng1,a1,s1,2024-01-01\n",
    "members": "group_id,contact_id,role,joined_at\ng1,c1,buyer,2024-01-02\n",
    "activities": "activity_id,contact_id,kind,occurred_at\nx1,c1,visit,2024-01-03\n",
    "stage_events": "group_id,stage,occurred_at\ng1,opportunity,2024-03-01\n",
}


def folder_with(folder: Path, tables: Mapping[str, str | bytes | pa.Table | None]) -> Path:
    """The sound tables as CSV, with `tables` instead: text, bytes, Parquet, or None for none."""
    folder.mkdir(exist_ok=True)
    for name, content in {**SOUND, **tables}.items():
        if isinstance(content, str):
            (folder / f"{name}.csv").write_text(content, encoding="utf-8", newline="")
        elif isinstance(content, bytes):
            (folder / f"{name}.csv").write_bytes(content)
        elif content is not None:
            pq.write_table(content, folder / f"{name}.parquet")
    return folder


def rows(source: Source, table: str) -> list[dict[str, Any]]:
    return source.backend.to_pyarrow(source.tables[table]).to_pylist()


def column(data: Path, table: str, name: str) -> list[Any]:
    with open_source(data, threads=1) as source:
        return [row[name] for row in rows(source, table)]


def refusal(data: Path) -> str:
    with pytest.raises(BadInput) as caught, open_source(data, threads=1):
        pass
    return str(caught.value)


def accounts(names: Sequence[str], **columns: Any) -> pa.Table:
    return pa.table(
        {"account_id": [f"a{i}" for i in range(1, len(names) + 1)], "name": names} | columns
    )


# ---------------------------------------------------------------- what a source gives


def test_every_table_has_the_columns_and_types_of_the_contract(tmp_path):
    with open_source(folder_with(tmp_path / "d", {}), threads=1) as source:
        assert {name: table.schema() for name, table in source.tables.items()} == {
            name: schema(name) for name in TABLES
        }


def test_an_absent_optional_column_is_null_and_an_absent_optional_table_empty(tmp_path):
    with open_source(folder_with(tmp_path / "d", {}), threads=1) as source:
        assert rows(source, "accounts")[0]["employees"] is None
        assert rows(source, "verdicts") == []


def test_columns_beyond_the_contract_are_kept_out(tmp_path):
    data = folder_with(tmp_path / "d", {"solutions": "colour,name,solution_id\nred,Suite,s1\n"})
    with open_source(data, threads=1) as source:
        assert rows(source, "solutions") == [{"solution_id": "s1", "name": "Suite"}]


def test_csv_parquet_and_duckdb_give_the_same_rows(tmp_path):
    as_csv = folder_with(tmp_path / "csv", {})
    as_parquet, as_database = tmp_path / "parquet", tmp_path / "data.duckdb"
    as_parquet.mkdir()
    with duckdb.connect(str(as_database)) as database, open_source(as_csv, threads=1) as source:
        for name in SOUND:
            table = source.backend.to_pyarrow(source.tables[name])
            pq.write_table(table, as_parquet / f"{name}.parquet")
            database.register("given", table)
            database.execute(f"CREATE TABLE {name} AS FROM given")
            database.unregister("given")
    everything = []
    for data in (as_csv, as_parquet, as_database):
        with open_source(data, threads=1) as source:
            everything.append({name: rows(source, name) for name in TABLES})
    assert everything[0] == everything[1] == everything[2]


def test_a_view_in_a_duckdb_file_is_a_table(tmp_path):
    data = tmp_path / "data.duckdb"
    with duckdb.connect(str(data)) as database:
        for name in SOUND:
            path = folder_with(tmp_path / "csv", {}) / f"{name}.csv"
            database.execute(f"CREATE TABLE {name}_kept AS FROM '{path}'")
            database.execute(f"CREATE VIEW {name} AS FROM {name}_kept")
    assert column(data, "accounts", "name") == ["Acme"]


def test_the_folder_is_left_as_it_was(tmp_path):
    data = folder_with(tmp_path / "d", {"accounts": accounts(["Acme"])})
    before = {path: path.read_bytes() for path in data.iterdir()}
    column(data, "activities", "kind")
    assert {path: path.read_bytes() for path in data.iterdir()} == before


def test_a_folder_may_have_any_name(tmp_path):
    parent = tmp_path / "a[1]" / "what?" / "all*" / "it's" / "year=2024"
    parent.mkdir(parents=True)
    data = folder_with(parent / "組織", {"accounts": accounts(["Acme"])})
    assert column(data, "accounts", "name") == ["Acme"]
    assert column(data, "members", "role") == ["buyer"]


def test_threads_are_those_asked_for(tmp_path):
    with open_source(folder_with(tmp_path / "d", {}), threads=1) as source:
        assert source.backend.raw_sql("SELECT current_setting('threads')").fetchone() == (1,)


@pytest.mark.skipif(not CONGRESS.exists(), reason="the data is not part of the repository")
def test_the_congress_opens_with_all_its_members():
    with open_source(CONGRESS, threads=2) as source:
        assert count_rows(source, source.tables["members"]) == 156_220


# ---------------------------------------------------------------- times

ONE_INSTANT = [
    "2024-02-01 12:00",
    "2024-02-01 12:00:00",
    "2024-02-01T12:00:00Z",
    "2024-02-01T21:00:00+09:00",
    "2024-02-01 21:00:00+0900",
    "2024-02-01T07:00:00-05",
    "2024-02-01 21:00:00 Asia/Tokyo",
    "2024/02/01 12:00:00.000",
]


def test_times_with_and_without_zone_in_one_csv_column_become_utc(tmp_path):
    lines = "".join(f"g1,stage{n},{text}\n" for n, text in enumerate(ONE_INSTANT))
    data = folder_with(tmp_path / "d", {"stage_events": "group_id,stage,occurred_at\n" + lines})
    assert column(data, "stage_events", "occurred_at") == [NOON] * len(ONE_INSTANT)


@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
def test_parquet_times_of_any_unit_and_zone_become_utc(tmp_path, zone):
    instant = NOON if zone is None else NOON.replace(tzinfo=UTC)
    units = {
        ("stage_events", "occurred_at"): "s",
        ("buying_groups", "created_at"): "ms",
        ("members", "joined_at"): "us",
        ("activities", "occurred_at"): "ns",
    }
    tables = {}
    for (table, name), unit in units.items():
        header, row = (line.split(",") for line in SOUND[table].splitlines())
        columns = {key: [value] for key, value in zip(header, row, strict=True)}
        tables[table] = pa.table(columns | {name: pa.array([instant], pa.timestamp(unit, zone))})
    with open_source(folder_with(tmp_path / "d", tables), threads=1) as source:
        read = {(table, name): rows(source, table)[0][name] for table, name in units}
    assert read == dict.fromkeys(units, NOON)


def test_a_date_is_its_first_instant(tmp_path):
    events = pa.table({"group_id": ["g1"], "stage": ["won"], "occurred_at": [NOON.date()]})
    data = folder_with(tmp_path / "d", {"stage_events": None})
    pq.write_table(events, data / "stage_events.parquet")
    assert column(data, "stage_events", "occurred_at") == [datetime(2024, 2, 1)]


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.datetimes(datetime(1990, 1, 1), datetime(2199, 12, 30)),
            st.none() | st.integers(-14 * 60, 14 * 60),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_any_time_is_read_as_python_reads_it(tmp_path_factory, times):
    written, expected = [], []
    for naive, minutes in times:
        offset = None if minutes is None else timezone(timedelta(minutes=minutes))
        local = naive.replace(tzinfo=offset)
        written.append(local.isoformat())
        utc = local.replace(tzinfo=UTC) if offset is None else local.astimezone(UTC)
        expected.append(utc.replace(tzinfo=None))
    text = "group_id,stage,occurred_at\n" + "".join(f"g1,s,{t}\n" for t in written)
    data = folder_with(tmp_path_factory.mktemp("times"), {"stage_events": text})
    assert column(data, "stage_events", "occurred_at") == expected


def test_a_month_of_costs_is_kept_as_its_first_day(tmp_path):
    texts = ["2024-02", "2024/2", "2024-02-01", "2024-02-17"]
    lines = "".join(f"{text},channel {n},10\n" for n, text in enumerate(texts))
    data = folder_with(tmp_path / "d", {"costs": "month,channel,amount\n" + lines})
    assert column(data, "costs", "month") == [datetime(2024, 2, 1)] * len(texts)


# ---------------------------------------------------------------- other types


def by_id(data: Path, table: str, name: str) -> dict[str, Any]:
    """A column by the first one, which is the key."""
    with open_source(data, threads=1) as source:
        return {next(iter(row.values())): row[name] for row in rows(source, table)}


def test_booleans_in_csv(tmp_path):
    values = {"true": True, "TRUE": True, "1": True, "false": False, "0": False, "": None}
    lines = "".join(f"k{text},{text}\n" for text in values)
    data = folder_with(tmp_path / "d", {"contents": "content_id,gated\n" + lines})
    assert by_id(data, "contents", "gated") == {f"k{text}": v for text, v in values.items()}


def test_whole_numbers_in_csv(tmp_path):
    values = {"12": 12, "12.0": 12, " 12 ": 12, "1e3": 1000, "": None, "nan": None}
    lines = "".join(f"a{n},A,{text}\n" for n, text in enumerate(values))
    data = folder_with(tmp_path / "d", {"accounts": "account_id,name,employees\n" + lines})
    assert by_id(data, "accounts", "employees") == {
        f"a{n}": value for n, value in enumerate(values.values())
    }


@pytest.mark.parametrize("ids", [pa.array([1]), pa.array([1.0]), pa.array(["1"]), pa.array([b"1"])])
def test_ids_become_text(tmp_path, ids):
    table = pa.table({"account_id": ids, "name": ["Acme"]})
    data = folder_with(tmp_path / "d", {"accounts": None})
    pq.write_table(table, data / "accounts.parquet")
    assert column(data, "accounts", "account_id") == ["1"]


def test_an_id_without_quotes_keeps_its_leading_zeros(tmp_path):
    data = folder_with(tmp_path / "d", {"accounts": "account_id,name\n007,Acme\n"})
    assert column(data, "accounts", "account_id") == ["007"]


def test_an_empty_text_in_csv_is_null(tmp_path):
    text = 'account_id,name,domain\na1,A,\na2,B,""\n'
    data = folder_with(tmp_path / "d", {"accounts": text})
    assert column(data, "accounts", "domain") == [None, None]


def test_not_a_number_is_null(tmp_path):
    data = folder_with(tmp_path / "d", {"accounts": None})
    table = accounts(["A", "B"], employees=[float("nan"), 7.0])
    pq.write_table(table, data / "accounts.parquet")
    assert column(data, "accounts", "employees") == [None, 7]


# ---------------------------------------------------------------- CSV


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path, end):
    text = f'"account_id","name"{end}a1,"Ac,""me""\nKK"{end}'
    data = folder_with(tmp_path / "d", {"accounts": codecs.BOM_UTF8 + text.encode()})
    with open_source(data, threads=1) as source:
        row = rows(source, "accounts")[0]
    assert (row["account_id"], row["name"]) == ("a1", 'Ac,"me"\nKK')


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"account_id,name\na1,Acme\na2,\xff\xff\n", "byte 27, line 3"),
        (b"account_id,name\na1,\xe6\xa0", "inside a character"),
    ],
)
def test_bytes_that_are_no_text_are_refused_with_place_and_advice(tmp_path, content, message):
    said = refusal(folder_with(tmp_path / "d", {"accounts": content}))
    assert "accounts.csv" in said
    assert message in said
    assert "save the file as UTF-8" in said


def test_a_character_cut_by_a_block_is_no_fault(tmp_path, monkeypatch):
    monkeypatch.setattr("mqbg.source.encodings._BLOCK_BYTES", 7)
    data = folder_with(tmp_path / "d", {"accounts": "account_id,name\na1,株式会社山田\n"})
    assert column(data, "accounts", "name") == ["株式会社山田"]


@pytest.mark.parametrize("block", [1, 2, 3, 7, 100])
def test_the_place_of_a_wrong_byte_does_not_depend_on_the_blocks(tmp_path, monkeypatch, block):
    monkeypatch.setattr("mqbg.source.encodings._BLOCK_BYTES", block)
    content = "account_id,name\na1,山\n".encode() + b"a2,\xe6\xa0x\n"
    assert "byte 26, line 3" in refusal(folder_with(tmp_path / "d", {"accounts": content}))


def test_ragged_lines_are_named_and_not_quoted(tmp_path):
    text = "account_id,name\na1,Acme\na2\na3,Secret,more\n"
    said = refusal(folder_with(tmp_path / "d", {"accounts": text}))
    assert "accounts.csv line 3: 1 fields, the header has 2" in said
    assert "line 4: 3 fields" in said
    assert "Secret" not in said


def test_a_quote_that_never_closes_is_refused(tmp_path):
    said = refusal(folder_with(tmp_path / "d", {"accounts": 'account_id,name\na1,"Acme\n'}))
    assert "not readable" in said
    assert "a quote is out of place" in said


def test_a_column_that_stands_twice_is_refused(tmp_path):
    text = "account_id,name,name\na1,Acme,Acme KK\n"
    said = refusal(folder_with(tmp_path / "d", {"accounts": text}))
    assert "column given twice" in said


def test_an_empty_csv_has_no_header(tmp_path):
    said = refusal(folder_with(tmp_path / "d", {"accounts": ""}))
    assert "accounts.csv has no header line" in said


# ---------------------------------------------------------------- what is refused


def test_an_absent_path_names_what_is_accepted(tmp_path):
    said = refusal(tmp_path / "nowhere")
    assert "does not exist" in said
    assert "or a DuckDB file, or a workbook" in said


def test_an_empty_folder_names_the_tables_expected(tmp_path):
    said = refusal(tmp_path)
    assert "found nothing" in said
    assert "accounts, contacts, solutions, buying_groups" in said


def test_a_folder_of_other_things_names_what_was_found(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    assert "found notes.txt" in refusal(tmp_path)


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "accounts.csv").write_text(SOUND["accounts"])
    assert "no DuckDB database" in refusal(tmp_path / "accounts.csv")


def test_a_damaged_duckdb_file_is_refused(tmp_path):
    (tmp_path / "data.duckdb").write_bytes(b"12345678DUCK" + b"\0" * 5000)
    assert "DuckDB cannot open" in refusal(tmp_path / "data.duckdb")


def test_an_empty_duckdb_file_names_the_tables_expected(tmp_path):
    duckdb.connect(str(tmp_path / "data.duckdb")).close()
    assert "expected the tables accounts" in refusal(tmp_path / "data.duckdb")


def test_both_files_for_one_table_are_refused_by_name(tmp_path):
    data = folder_with(tmp_path / "d", {})
    pq.write_table(accounts(["Acme"]), data / "accounts.parquet")
    said = refusal(data)
    assert "accounts.csv | accounts.parquet" in said
    assert "missing table" not in said


def test_all_missing_tables_and_columns_stand_in_one_refusal_with_the_nearest_names(tmp_path):
    data = folder_with(
        tmp_path / "d",
        {"members": None, "solutions": "Solution_ID,name\ns1,S\n", "accounts": "account_id\na1\n"},
    )
    (data / "member.csv").write_text(SOUND["members"])
    said = refusal(data)
    assert "missing table" in said
    assert "there is member" in said
    assert "nearest in solutions.csv: Solution_ID" in said
    assert said.count("missing column") == 3  # twice in the table, once in the advice


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not parquet at all, but some text"])
def test_a_file_that_is_not_parquet_is_refused(tmp_path, content):
    data = folder_with(tmp_path / "d", {"accounts": None})
    (data / "accounts.parquet").write_bytes(content)
    said = refusal(data)
    assert "not readable" in said
    assert str(tmp_path) not in said.split("\n", 1)[1]


def test_a_parquet_file_cut_short_is_refused(tmp_path):
    data = folder_with(tmp_path / "d", {"accounts": None})
    pq.write_table(accounts(["Acme"]), data / "accounts.parquet")
    whole = (data / "accounts.parquet").read_bytes()
    (data / "accounts.parquet").write_bytes(whole[: len(whole) // 2])
    assert "accounts.parquet" in refusal(data)


def test_an_open_that_is_not_strict_keeps_the_problems_and_an_empty_table(tmp_path):
    data = folder_with(tmp_path / "d", {"accounts": None})
    with open_source(data, threads=1, strict=False) as source:
        assert [problem.table for problem in source.problems] == ["accounts"]
        assert rows(source, "accounts") == []
