from __future__ import annotations

import logging
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqbg.commands.app import main
from mqbg.contract import TABLES, BadInput, Column, schema
from mqbg.simulate import simulate
from mqbg.source import check_source, checked_source, open_source, silence_watch
from mqbg.source.conversion import convert
from mqbg.source.postgres import (
    display_name,
    is_url,
    open_database,
    received_expression,
    select_expression,
)

AS_OF = datetime(2024, 5, 1)
NOON = datetime(2024, 2, 1, 12)
SOUND: Mapping[str, list[dict[str, Any]]] = {
    "accounts": [{"account_id": "a1", "name": "株式会社"}, {"account_id": "a2", "name": "B"}],
    "contacts": [{"contact_id": "c1", "account_id": "a1"}],
    "solutions": [{"solution_id": "s1", "name": "Suite"}],
    "buying_groups": [
        {"group_id": "g1", "account_id": "a1", "solution_id": "s1", "created_at": NOON}
    ],
    "members": [{"group_id": "g1", "contact_id": "c1", "role": "user", "joined_at": NOON}],
    "activities": [
        {"activity_id": "x1", "contact_id": "c1", "kind": "visit", "occurred_at": NOON},
    ],
    "stage_events": [{"group_id": "g1", "stage": "open", "occurred_at": NOON}],
}


def arrow(tables: Mapping[str, list[dict[str, Any]]]) -> dict[str, pa.Table]:
    """Rows in the contract's columns and types, a null where a row says nothing."""
    return {
        name: pa.Table.from_pylist(
            [{column: row.get(column) for column in schema(name).names} for row in rows],
            schema(name).to_pyarrow(),
        )
        for name, rows in tables.items()
    }


def as_folder(folder: Path, tables: Mapping[str, pa.Table]) -> Path:
    folder.mkdir()
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
    return folder


def everything(data: str | Path) -> dict[str, pa.Table]:
    with open_source(data, threads=1) as source:
        return {
            name: source.backend.to_pyarrow(table).cast(schema(name).to_pyarrow())
            for name, table in source.tables.items()
        }


def told(data: str | Path) -> tuple[Any, ...]:
    with open_source(data, threads=1, strict=False) as source:
        report = check_source(source)
    return report.problems, report.warnings, report.rows


def report_of(url: str) -> str:
    """What a database is refused with whose structure breaks the contract."""
    with pytest.raises(BadInput) as caught, open_source(url, threads=1):
        pass
    return str(caught.value)


def refusal(data: str) -> str:
    """One sentence on one line."""
    with pytest.raises(BadInput) as caught, open_source(data, threads=1):
        pass
    said = str(caught.value)
    assert "\n" not in said
    return said


def ran(monkeypatch, capfd, *arguments: object) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["mqbg", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0), capfd.readouterr().err


@pytest.fixture
def sound(database):
    """A database that keeps the contract."""
    return database.load(arrow(SOUND))


@pytest.fixture
def columns_as(sound) -> Callable[[Mapping[str, tuple[str, str]]], dict[str, Any]]:
    """`columns_as({"table.column": (type, value)})`: what is read of each value, at one opening."""

    def read(cases: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
        for table in {name.partition(".")[0] for name in cases}:
            given = {name: cases.get(f"{table}.{name}") for name in TABLES[table].column_names}
            columns = ", ".join(
                name if case is None else f"{case[1]}::{case[0]} AS {name}"
                for name, case in given.items()
            )
            sound.run(
                f"ALTER TABLE {table} RENAME TO kept_{table}",
                f"CREATE TABLE {table} AS SELECT {columns} FROM kept_{table} LIMIT 1",  # noqa: S608
            )
        with open_source(sound.url, threads=1) as source:
            rows = {
                table: source.backend.to_pyarrow(source.tables[table]).to_pylist()
                for table in {name.partition(".")[0] for name in cases}
            }
        return {name: rows[name.partition(".")[0]][0][name.partition(".")[2]] for name in cases}

    return read


@pytest.fixture
def column_as(sound) -> Callable[..., list[Any]]:
    """`column_as(table, column, type, *values)`: what is read of values of a PostgreSQL type."""

    def read(table: str, column: str, kind: str, *values: str) -> list[Any]:
        kept = [name for name in TABLES[table].column_names if name != column]
        rows = ", ".join(f"({value}::{kind})" for value in values)
        sound.run(
            f"ALTER TABLE {table} RENAME TO kept_rows",
            f"CREATE TABLE {table} AS SELECT {', '.join(kept)}, v.x AS {column}"  # noqa: S608
            f" FROM (SELECT * FROM kept_rows LIMIT 1) k, (VALUES {rows}) v (x)",
        )
        with open_source(sound.url, threads=1) as source:
            values_read = source.backend.to_pyarrow(source.tables[table])[column]
        return values_read.to_pylist()

    return read


# ---------------------------------------------------------------- what is read


def test_every_table_is_the_same_from_postgres_and_from_parquet(database, tmp_path, parquet_tables):
    simulate(tmp_path / "world", groups=40, seed=5)
    tables = parquet_tables(tmp_path / "world")
    database.load(tables)
    assert set(tables) > set(SOUND)
    assert everything(database.url) == everything(tmp_path / "world")


@pytest.mark.slow
def test_the_report_is_the_same_from_postgres_and_from_parquet(database, tmp_path, parquet_tables):
    simulate(tmp_path / "world", groups=40, seed=5)
    database.load(parquet_tables(tmp_path / "world"))
    assert told(database.url) == told(tmp_path / "world")


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3))]
)
def test_features_of_a_random_world_are_equal_to_the_last_bit(
    database, tmp_path, monkeypatch, capfd, random_tables, bits, seed
):
    monkeypatch.chdir(tmp_path)
    tables = arrow(random_tables(seed, AS_OF))
    found = []
    for data in (database.load(tables).url, as_folder(tmp_path / "world", tables)):
        out = tmp_path / f"features{len(found)}.parquet"
        status, _ = ran(monkeypatch, capfd, "features", data, "--as-of", AS_OF, "--out", out)
        assert status == 0
        rows = pq.read_table(out).sort_by("group_id").to_pylist()
        found.append([bits(row) for row in rows])
    assert found[0]
    assert found[0] == found[1]


def test_absent_optional_tables_and_columns_are_empty_and_extra_columns_kept_out(sound):
    sound.run("ALTER TABLE accounts DROP COLUMN tier", "ALTER TABLE accounts ADD COLUMN more xml")
    with open_source(sound.url, threads=1) as source:
        assert source.staged["accounts"].extra_columns == ("more",)
        assert source.tables["accounts"].schema() == schema("accounts")
        accounts = source.backend.to_pyarrow(source.tables["accounts"]).to_pylist()
        assert [row["tier"] for row in accounts] == [None, None]
        assert source.backend.to_pyarrow(source.tables["verdicts"]).num_rows == 0


def test_the_tables_of_the_search_path_are_read_and_no_others(sound):
    sound.run(
        "CREATE SCHEMA sales",
        "CREATE TABLE sales.accounts AS SELECT account_id, 'theirs' AS name FROM accounts",
    )

    def names(parameters: str) -> list[str]:
        return everything(sound.url + parameters)["accounts"]["name"].to_pylist()

    assert names("") == ["株式会社", "B"]
    assert names("?options=-csearch_path%3Dsales,public") == ["theirs", "theirs"]
    assert names("?options=-csearch_path%3Dpublic,sales") == ["株式会社", "B"]
    assert "missing table" in report_of(sound.url + "?options=-csearch_path%3Dsales")


@pytest.mark.parametrize("kind", ["VIEW", "MATERIALIZED VIEW"])
def test_a_view_is_a_table(sound, kind):
    before = everything(sound.url)
    sound.run("ALTER TABLE members RENAME TO kept", f"CREATE {kind} members AS TABLE kept")
    assert everything(sound.url) == before


def test_partitions_are_read_through_their_table(sound):
    before = everything(sound.url)
    sound.run(
        "ALTER TABLE stage_events RENAME TO kept",
        "CREATE TABLE stage_events (LIKE kept) PARTITION BY LIST (stage)",
        "CREATE TABLE one PARTITION OF stage_events DEFAULT",
        "INSERT INTO stage_events SELECT * FROM kept",
    )
    assert everything(sound.url) == before


def test_a_database_in_another_encoding_is_read(server):
    database = server.database("ENCODING 'EUC_JP' TEMPLATE template0").load(arrow(SOUND))
    assert everything(database.url)["accounts"]["name"].to_pylist() == ["株式会社", "B"]


def test_text_that_is_in_no_encoding_is_refused_by_its_table(server):
    database = server.database("ENCODING 'SQL_ASCII' TEMPLATE template0").load(arrow(SOUND))
    database.run(r"INSERT INTO accounts (account_id, name) VALUES ('a3', E'\xff\xfe')")
    said = refusal(database.url)
    assert "public.accounts" in said
    assert 'invalid byte sequence for encoding "UTF8"' in said


def test_all_tables_are_read_as_they_were_at_one_instant(sound):
    select = "SELECT account_id FROM accounts"
    with open_database(sound.url) as database, open_source(sound.url, threads=1) as source:
        database.relations()
        sound.run("INSERT INTO accounts (account_id, name) VALUES ('a3', 'late')")
        with database.register_stream(source.backend, select, name="seen", what="accounts"):
            ids = source.backend.raw_sql("SELECT * FROM seen").fetchall()
    assert ids == [("a1",), ("a2",)]


def test_the_database_is_left_alone_once_everything_is_read(sound):
    with open_source(sound.url, threads=1) as source:
        assert source.backend.to_pyarrow(source.tables["accounts"]).num_rows == 2
        sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mqbg'"
        until = time.monotonic() + 120  # the server needs a moment to notice
        while (left := sound.answer(sessions)) and time.monotonic() < until:
            time.sleep(0.05)
        assert left == 0


@pytest.mark.slow
def test_a_table_that_duckdb_cannot_take_leaves_the_next_one_readable(sound):
    backend = ibis.duckdb.connect(threads=1)
    many = "SELECT n::text AS n FROM generate_series(1, 2000000) n"
    with open_database(sound.url) as database:
        with (
            pytest.raises(duckdb.ConversionException),
            database.register_stream(backend, many, name="s", what="it"),
        ):
            backend.raw_sql("CREATE TABLE t AS SELECT n::DATE FROM s")
        with database.register_stream(backend, "SELECT 1 AS x", name="s", what="it"):
            assert backend.raw_sql("SELECT x FROM s").fetchall() == [(1,)]
    backend.disconnect()


def test_nothing_can_be_written_through_the_connection(sound):
    sound.run(
        "ALTER TABLE solutions RENAME TO kept",
        "CREATE FUNCTION grown() RETURNS SETOF kept LANGUAGE sql AS "
        "$$ INSERT INTO kept VALUES ('s2', 'more') RETURNING * $$",
        "CREATE VIEW solutions AS SELECT * FROM grown()",
    )
    assert "read-only transaction" in refusal(sound.url)


@pytest.mark.parametrize("name", ["lock_timeout", "statement_timeout"])
def test_no_statement_of_a_source_waits_or_runs_for_ever(sound, name):
    sound.run(
        "ALTER TABLE solutions RENAME TO kept",
        f"CREATE VIEW solutions AS SELECT solution_id, current_setting('{name}') AS name FROM kept",  # noqa: S608
    )
    assert sound.answer(f"SHOW {name}") == "0"  # no limit: it is not the server's
    (limit,) = everything(sound.url)["solutions"]["name"].to_pylist()
    assert limit != "0"


# ---------------------------------------------------------------- types


def test_times_become_utc_and_naive_means_utc(columns_as):
    cases = {
        "stage_events.occurred_at": ("timestamptz", "'2024-02-01 21:00:00+09'"),
        "buying_groups.created_at": ("timestamp", "'2024-02-01 12:00:00'"),
        "activities.occurred_at": ("timestamp(0)", "'2024-02-01 12:00:00'"),
        "activities.recorded_at": ("text", "'2024-02-01T21:00:00+09:00'"),
        "members.joined_at": ("varchar(30)", "'2024-02-01 12:00:00'"),
    }
    assert columns_as(cases) == dict.fromkeys(cases, NOON)


def test_times_are_utc_whatever_zone_the_user_works_in(sound, column_as):
    name = sound.url.rpartition("/")[2]
    sound.run(f"ALTER DATABASE {name} SET timezone = 'Asia/Tokyo'")
    assert column_as("stage_events", "occurred_at", "timestamptz", "'2024-02-01 21:00'") == [
        datetime(2024, 2, 1, 12)
    ]


def test_a_date_is_its_first_instant(column_as):
    read = column_as("stage_events", "occurred_at", "date", "'2024-02-01'")
    assert read == [datetime(2024, 2, 1)]


def test_microseconds_at_both_ends_of_the_range_survive(column_as):
    ends = [datetime(1990, 1, 1), datetime(2199, 12, 31, 23, 59, 59, 999_999)]
    values = [f"'{end.isoformat()}'" for end in ends]
    assert column_as("stage_events", "occurred_at", "timestamp", *values) == ends


def test_ids_and_texts_of_any_type_become_text(columns_as):
    given = "'A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11'"
    cases = {
        "accounts.domain": ("varchar(5)", "'a1'", "a1"),
        "accounts.industry": ("char(5)", "'a1'", "a1"),
        "accounts.country": ("uuid", given, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        "accounts.tier": ("smallint", "7", "7"),
        "contacts.full_name": ("bigint", "9007199254740993", "9007199254740993"),
        "contacts.email": ("numeric", "12345678901234567890", "12345678901234567890"),
        "contacts.title": ("jsonb", "'\"a1\"'", '"a1"'),
        "contacts.phone": ("text", "''", None),
        "contacts.department": ("text", "NULL", None),
    }
    read = columns_as({name: (kind, value) for name, (kind, value, _read) in cases.items()})
    assert read == {name: expected for name, (_kind, _value, expected) in cases.items()}


@pytest.mark.parametrize(
    ("kind", "values", "read"),
    [
        ("smallint", ["12"], [12]),
        ("integer", ["12"], [12]),
        ("bigint", ["9007199254740993"], [9_007_199_254_740_993]),
        ("numeric(12, 2)", ["12.00", "'NaN'", "NULL"], [12, None, None]),
        ("real", ["12"], [12]),
        ("double precision", ["12"], [12]),
        ("text", ["'12'"], [12]),
    ],
)
def test_whole_numbers_of_any_type(column_as, kind, values, read):
    assert column_as("accounts", "employees", kind, *values) == read


def test_numbers_of_any_type(columns_as):
    cases = {
        "stage_events.amount": ("numeric", "0.1", 0.1),
        "members.probability": ("numeric(40, 30)", "0.333333333333333333333333333333", 1 / 3),
        "activities.duration_seconds": ("real", "0.5", 0.5),
    }
    read = columns_as({name: (kind, value) for name, (kind, value, _read) in cases.items()})
    assert read == {name: expected for name, (_kind, _value, expected) in cases.items()}


def test_a_number_that_is_none_is_null(column_as):
    read = column_as("stage_events", "amount", "double precision", "0.1", "'NaN'")
    assert read == [0.1, None]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.decimals(-(10**12), 10**12, places=6), min_size=1, max_size=20))
def test_a_numeric_is_the_nearest_double(server, numbers):
    values = ", ".join(f"({number}::numeric)" for number in numbers)
    select = f"SELECT {select_expression('x', 'numeric')} AS x FROM (VALUES {values}) AS given (x)"  # noqa: S608
    value = convert(Column("x", "float64"), received_expression("x", "numeric")[1], "x").value
    backend = ibis.duckdb.connect(threads=1)
    with (
        open_database(server.url()) as database,
        database.register_stream(backend, select, name="s", what="it"),
    ):
        found = backend.raw_sql(f"SELECT {value} FROM s").fetchall()  # noqa: S608
    backend.disconnect()
    assert found == [(float(number),) for number in numbers]


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [("boolean", "true", True), ("text", "'0'", False), ("integer", "1", True)],
)
def test_booleans(sound, kind, value, read):
    sound.run(f"CREATE TABLE contents AS SELECT 'k1' AS content_id, {value}::{kind} AS gated")
    assert everything(sound.url)["contents"]["gated"].to_pylist() == [read]


def test_a_domain_and_an_enumeration_are_read_as_what_they_hold(sound):
    sound.run(
        "CREATE DOMAIN moment AS timestamptz",
        "CREATE DOMAIN later AS moment CHECK (VALUE > '2000-01-01')",
        "CREATE TYPE phase AS ENUM ('open', 'won')",
        "ALTER TABLE stage_events ALTER occurred_at TYPE later USING '2024-02-01 21:00+09'",
        "ALTER TABLE stage_events ALTER stage TYPE phase USING 'won'",
    )
    row = everything(sound.url)["stage_events"].to_pylist()[0]
    assert (row["stage"], row["occurred_at"]) == ("won", NOON)


def test_a_month_of_costs_is_kept_as_its_first_day(sound):
    sound.run(
        "CREATE TABLE costs AS SELECT '2024-02-17'::date AS month, 'web' AS channel,"
        " 10.5::numeric AS amount"
    )
    row = everything(sound.url)["costs"].to_pylist()[0]
    assert row == {"month": datetime(2024, 2, 1), "channel": "web", "amount": 10.5}


@pytest.mark.parametrize("kind", ["timestamptz", "timestamp", "date"])
def test_times_out_of_range_are_refused_and_infinity_is_one(sound, kind):
    times = {"s1": "infinity", "s2": "-infinity", "s3": "99999-01-01", "s4": "0044-03-15 BC"}
    rows = ", ".join(f"('g1', '{stage}', '{at}')" for stage, at in times.items())
    sound.run(
        f"ALTER TABLE stage_events ALTER occurred_at TYPE {kind}",
        f"INSERT INTO stage_events (group_id, stage, occurred_at) VALUES {rows}",  # noqa: S608
    )
    with open_source(sound.url, threads=1) as source:
        problems = check_source(source).problems
    assert {(p.column, str(p.rule), p.examples) for p in problems} == {
        ("occurred_at", "time after 2200", ("g1/s1: infinity", "g1/s3: infinity")),
        ("occurred_at", "time before 1990", ("g1/s2: -infinity", "g1/s4: -infinity")),
    }


@pytest.mark.slow
def test_an_infinite_end_can_be_quarantined(sound, tmp_path):
    sound.run("UPDATE stage_events SET occurred_at = 'infinity'")
    sound.run("INSERT INTO stage_events (group_id, stage, occurred_at) SELECT 'g1', 'won', now()")
    with checked_source(sound.url, quarantine=tmp_path / "q", threads=1) as source:
        assert check_source(source).problems == ()
        assert source.backend.to_pyarrow(source.tables["stage_events"]).num_rows == 1
    aside = pq.read_table(tmp_path / "q" / "stage_events.parquet", columns=["stage", "reasons"])
    assert aside.to_pylist() == [{"stage": "open", "reasons": "occurred_at: time after 2200"}]


# ---------------------------------------------------------------- bad rows


BAD: Mapping[str, list[dict[str, Any]]] = {
    **SOUND,
    "accounts": [*SOUND["accounts"], {"account_id": "a2", "name": "C"}, {"account_id": "a4"}],
    "contacts": [*SOUND["contacts"], {"contact_id": "c2", "account_id": "nobody"}],
    "members": [
        *SOUND["members"],
        {"group_id": "g1", "contact_id": "c2", "role": "user", "joined_at": NOON},
        {"group_id": "g1", "contact_id": "c1", "role": "again", "joined_at": NOON},
    ],
    "activities": [
        *SOUND["activities"],
        {"activity_id": "x2", "kind": "visit", "occurred_at": NOON},
        {"activity_id": "x3", "contact_id": "c1", "kind": "visit", "occurred_at": None},
    ],
}


def test_bad_rows_are_reported_alike(database, tmp_path):
    database.load(arrow(BAD))
    problems = told(database.url)
    assert len(problems[0]) >= 5
    assert problems == told(as_folder(tmp_path / "d", arrow(BAD)))


@pytest.mark.slow
def test_bad_rows_are_quarantined_alike(database, tmp_path):
    database.load(arrow(BAD))
    folder = as_folder(tmp_path / "d", arrow(BAD))
    aside, kept = [], []
    for number, data in enumerate((database.url, folder)):
        quarantine = tmp_path / f"q{number}"
        with checked_source(data, quarantine=quarantine, threads=1) as source:
            kept.append({n: source.backend.to_pyarrow(t) for n, t in source.tables.items()})
        aside.append({p.name: pq.read_table(p).to_pylist() for p in quarantine.iterdir()})
    assert set(aside[0]) >= {"accounts.parquet", "activities.parquet"}
    assert aside[0] == aside[1]
    assert kept[0] == kept[1]


def test_missing_tables_and_columns_are_named_with_the_nearest(sound):
    sound.run("ALTER TABLE members RENAME TO member", 'ALTER TABLE accounts RENAME name TO "Nam"')
    said = report_of(sound.url)
    assert "there is member" in said
    assert "nearest in public.accounts: Nam" in said


# ---------------------------------------------------------------- what is refused


def test_an_empty_database_names_the_tables_expected(database):
    said = refusal(database.url)
    assert "expected the tables accounts" in said
    assert "found nothing" in said


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"password": "Falsch-4711"}, "password authentication failed"),
        ({"user": "nobody_known"}, "password authentication failed"),
        ({"database": "nowhere"}, 'database "nowhere" does not exist'),
    ],
)
def test_who_cannot_enter_is_told_why(server, change, reason):
    said = refusal(server.url(**change))
    assert "cannot connect" in said
    assert reason in said
    assert "check host, port, database, user and password" in said
    assert "Falsch" not in said


def test_a_port_where_nobody_listens_is_named(server):
    url = re.sub(r":\d+/", ":1/", server.url())
    said = refusal(url)
    assert "port 1 failed" in said
    assert "Connection refused" in said


def test_a_host_that_does_not_exist_is_named():
    pytest.importorskip("adbc_driver_postgresql")
    assert "nohost.invalid" in refusal("postgresql://me:hush@nohost.invalid/db")


def test_a_table_that_may_not_be_read_is_named_and_so_is_a_column(server, sound):
    sound.run(
        "CREATE ROLE reader LOGIN PASSWORD 'reader-secret'",
        "GRANT SELECT ON accounts, contacts, solutions, buying_groups, stage_events TO reader",
        "GRANT SELECT (group_id, role) ON members TO reader",
    )
    url = server.url(sound.url.rpartition("/")[2], "reader", "reader-secret")
    try:
        said = report_of(url)
    finally:
        sound.run("DROP OWNED BY reader", "DROP ROLE reader")
    assert "may not read public.activities: GRANT SELECT" in said
    assert (
        "may not read contact_id, joined_at, left_at, probability, source, joined_is of "
        "public.members"
    ) in said
    assert "accounts" not in said
    assert "reader-secret" not in said


def test_a_view_that_fails_is_named_with_what_the_database_says(sound):
    sound.run(
        "ALTER TABLE solutions RENAME TO kept",
        "CREATE VIEW solutions AS SELECT solution_id, (1 / (length(name) - 5))::text AS name"
        " FROM kept",
    )
    said = refusal(sound.url)
    assert "public.solutions" in said
    assert "division by zero" in said


def test_without_the_driver_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "adbc_driver_postgresql.dbapi", None)
    assert 'pip install "mqbg[postgres]"' in refusal("postgresql://me@127.0.0.1/db")


# ---------------------------------------------------------------- in the middle of a scan

SLOW = """
    CREATE VIEW activities AS
    SELECT 'x' || n AS activity_id, 'c1' AS contact_id, repeat('visit', 20) AS kind,
        '2024-02-01'::timestamp + CASE WHEN n = 500000 THEN waited(n) ELSE '0'::interval END
        AS occurred_at
    FROM generate_series(1, 1000000) n
"""
WAITED = """
    CREATE FUNCTION waited(n integer) RETURNS interval LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_lock(1); RETURN make_interval(secs => n); END $$
"""
SCANNED = (
    "FROM pg_stat_activity WHERE application_name = 'mqbg' AND query LIKE '%activities%' "
    "AND query LIKE 'COPY%' AND wait_event_type = 'Lock' AND wait_event = 'advisory'"
)


@contextmanager
def in_the_middle_of_the_scan(database, act: Callable[[], None]) -> Iterator[None]:
    """Acts once the scan is at the row that waits for a lock, which is never given back."""
    from adbc_driver_postgresql import dbapi

    ended = threading.Event()

    def wait() -> None:
        while not database.answer(f"SELECT count(*) {SCANNED}"):
            if ended.wait(0.05):
                return
        act()

    database.run("ALTER TABLE activities RENAME TO kept", WAITED, SLOW)
    thread = threading.Thread(target=wait)
    with dbapi.connect(database.url, autocommit=True) as holder, holder.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(1)")
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["pg_terminate_backend", "pg_cancel_backend"])
def test_a_scan_that_the_database_ends_is_one_sentence_and_writes_nothing(
    sound, tmp_path, monkeypatch, capfd, how
):
    monkeypatch.chdir(tmp_path)
    arguments = ("features", sound.url, "--as-of", "2024-05-01", "--out", "f.parquet")
    with in_the_middle_of_the_scan(sound, lambda: sound.answer(f"SELECT {how}(pid) {SCANNED}")):
        status, said = ran(monkeypatch, capfd, *arguments)
    assert status == 2
    assert "public.activities" in said
    assert "nothing was written: run the command again" in said
    assert len(said.strip().splitlines()) == 1
    assert "Traceback" not in said
    assert "Geheim" not in said
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_dies_in_the_middle_of_a_scan_is_one_sentence(another_server):
    database = another_server.database().load(arrow(SOUND))
    with in_the_middle_of_the_scan(
        database, lambda: another_server.process.send_signal(signal.SIGQUIT)
    ):
        said = refusal(database.url)
    assert "public.activities" in said
    assert "run the command again" in said


@contextmanager
def silent_in_the_middle(another_server, monkeypatch, *, whole: bool) -> Iterator[Any]:
    """A server that stops in the middle of a scan, or only the process that sends the rows."""
    monkeypatch.setattr(silence_watch, "SILENT_SECONDS", 0.3)
    database = another_server.database().load(arrow(SOUND))
    stopped: list[int] = []

    def stop() -> None:
        stopped.append(database.answer(f"SELECT pid {SCANNED}"))
        if whole:
            stopped.append(another_server.process.pid)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)

    try:
        with in_the_middle_of_the_scan(database, stop):
            yield database
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.slow
def test_a_server_that_is_stopped_in_the_middle_of_a_scan_is_not_waited_for(
    another_server, monkeypatch
):
    with silent_in_the_middle(another_server, monkeypatch, whole=True) as database:
        said = refusal(f"{database.url}?connect_timeout=2")
    assert "it sent nothing for 0.3 s, and answers nobody" in said
    assert "public.activities" in said
    assert "Geheim" not in said


@pytest.mark.slow
def test_a_connection_that_stays_silent_ends_though_the_server_answers_others(
    another_server, monkeypatch
):
    monkeypatch.setattr(silence_watch, "LONGEST_SECONDS", 1.0)
    with silent_in_the_middle(another_server, monkeypatch, whole=False) as database:
        assert "it sent nothing for" in refusal(database.url)


@pytest.mark.slow
def test_a_slow_server_that_answers_others_is_waited_for(sound, monkeypatch):
    monkeypatch.setattr(silence_watch, "SILENT_SECONDS", 0.1)
    sound.run(
        "ALTER TABLE activities RENAME TO kept",
        "CREATE VIEW activities AS SELECT kept.* FROM kept, pg_sleep(1) AS slept",
    )
    assert everything(sound.url)["activities"].num_rows == len(SOUND["activities"])


# ---------------------------------------------------------------- names and secrets


def test_the_name_of_a_source_has_no_password_and_neither_has_anything_said(
    sound, caplog, tmp_path
):
    caplog.set_level(logging.DEBUG)
    with checked_source(sound.url, threads=1) as source:
        assert source.name == sound.url.split("Geheim")[0] + "***@" + sound.url.split("@")[1]
        said = [source.name, repr(source), check_source(source).text(source.name), caplog.text]
    with open_database(sound.url) as database:
        said.append(repr(database))
    assert "Geheim" not in "".join(said)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:hush@h:5432/db?sslmode=require", "me:***@h:5432/db?sslmode=require"),
        ("postgresql://me@h/db", "me@h/db"),
        ("postgresql://h1:1,[::1]:2/db", "h1:1,[::1]:2/db"),
        ("postgresql:///db?user=me&password=hush&x=1", "/db?user=me&password=***&x=1"),
        ("postgresql:///db?p%61ssword=hush", "/db?p%61ssword=***"),
        ("postgresql:///db?sslpassword=hush", "/db?sslpassword=***"),
        ("postgresql://me:hu@sh@h/db", "me:***@h/db"),
        ("postgresql://me:hu/sh@h/db", "me:***@h/db"),
        ("postgresql://me:hu?sh@h/db", "***"),
        ("postgresql://me:hush", "***"),
    ],
)
def test_a_url_is_shown_without_what_is_secret(url, shown):
    assert display_name(url) == f"postgresql://{shown}"


def test_urls_of_other_databases_lose_their_password_too():
    url = "mysql://me:hush@h/db"
    assert display_name(url) == "mysql://me:***@h/db"
    assert "hush" not in refusal(url)


@pytest.mark.parametrize("path", ["data", "/data/with@sign", "a:b", Path("x/y.duckdb"), "C:/x"])
def test_a_path_is_shown_as_it_is(path):
    assert display_name(path) == str(path)
    assert not is_url(path)


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1))
def test_no_raw_password_ever_shows(password):
    secret = f"<<{password}>>"
    assert secret not in display_name(f"postgresql://me:{secret}@h/db")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hu@sh@127.0.0.1/db",
        "postgresql://me:hu/sh@127.0.0.1/db",
        "postgresql://me:hu?sh@127.0.0.1/db",
        "postgresql://me:hu%zzsh@127.0.0.1/db",
        "postgresql://me:hush",
    ],
)
def test_a_url_that_would_be_split_elsewhere_is_refused_before_libpq_can_say_its_parts(url):
    said = refusal(url)
    assert "as %XX" in said
    assert "sh@" not in said
    assert "hush" not in said
    assert "zz" not in said


def test_parameters_of_the_url_win_over_ours(sound):
    with open_database(sound.url + "?fallback_application_name=theirs&connect_timeout=3"):
        named = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'theirs'"
        assert sound.answer(named) == 1
