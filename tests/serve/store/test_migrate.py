"""The tables of a store: made, upgraded, refused."""

from __future__ import annotations

import mqbg.serve.delivery.outbox.outbox_table  # noqa: F401 - its table is of the store's metadata
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from mqbg.contract import BadInput
from mqbg.serve.store.connection import open_store
from mqbg.serve.store.migrate import VERSION_TABLE
from mqbg.serve.store.schema import RUN_TABLES, metadata

VERSION = sa.table(VERSION_TABLE, sa.column("version_num"))
COLUMNS = """
SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns
WHERE table_schema = current_schema()
"""


def open_once(url, **options):
    with open_store(url, **options):
        pass


def columns(connection):
    rows = connection.execute(sa.text(COLUMNS)).all()
    return {tuple(row) for row in rows if row[0] != VERSION_TABLE}


def test_the_revisions_make_what_the_program_uses_on_postgresql(database):
    with open_store(database.url) as store, store.begin() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, metadata) == []


def test_the_revisions_make_what_the_program_uses_on_duckdb(tmp_path):
    # Alembic cannot compare there, so the two are made and their columns and keys are listed.
    listed = []
    for name in ("migrated", "made"):
        with open_store(f"duckdb:///{tmp_path / name}") as store, store.begin() as connection:
            if name == "made":
                for table in metadata.sorted_tables:
                    connection.execute(sa.schema.DropTable(table))
                    connection.execute(sa.schema.CreateTable(table))
            keys = connection.execute(
                sa.text(
                    "SELECT table_name, constraint_column_names FROM duckdb_constraints() "
                    "WHERE constraint_type = 'PRIMARY KEY'"
                )
            ).all()
            listed.append(
                (
                    columns(connection),
                    sorted((name, tuple(key)) for name, key in keys if name != VERSION_TABLE),
                )
            )
    assert listed[0] == listed[1]
    assert {name for name, *_ in listed[0][0]} == set(metadata.tables)


def test_every_table_of_a_run_has_the_columns_that_are_written(url):
    from mqbg.serve.batch.score_tables import SCORE_SCHEMAS

    with open_store(url) as store, store.begin() as connection:
        found = columns(connection)
    for name, schema in SCORE_SCHEMAS.items():
        assert set(schema.names) <= {column for table, column, *_ in found if table == name}
    assert set(RUN_TABLES) == set(SCORE_SCHEMAS)


def test_opening_a_store_again_changes_nothing(url, everything):
    with open_store(url) as store:
        before = everything(store)
    with open_store(url) as store:
        assert everything(store) == before


def test_a_store_from_a_newer_version_is_refused(url):
    with open_store(url) as store, store.begin() as connection:
        connection.execute(sa.update(VERSION).values(version_num="9999"))
    with pytest.raises(BadInput, match="found 9999, which a newer version of mqbg made; update"):
        open_once(url)


def test_a_database_with_a_table_of_somebody_else_is_refused(url):
    with open_store(url) as store, store.begin() as connection:
        connection.execute(sa.text(f"DROP TABLE {VERSION_TABLE}"))
    with pytest.raises(BadInput, match="found a table 'actions' that is not ours"):
        open_once(url)


def test_an_older_store_is_upgraded_and_keeps_its_rows(url):
    with open_store(url) as store, store.begin() as connection:
        newest = connection.scalar(sa.select(VERSION.c.version_num))
        connection.execute(sa.text("DROP TABLE outbox"))
        connection.execute(sa.update(VERSION).values(version_num="0001"))
        connection.execute(sa.text("INSERT INTO meta VALUES ('kept', 'yes')"))
    with pytest.raises(BadInput, match="found version 0001; run `mqbg score` once"):
        open_once(url, read_only=True)
    with open_store(url) as store, store.begin() as connection:
        assert connection.scalar(sa.select(VERSION.c.version_num)) == newest
        assert connection.scalar(sa.text("SELECT value FROM meta WHERE key = 'kept'")) == "yes"
        assert connection.scalar(sa.text("SELECT count(*) FROM outbox")) == 0


def test_an_upgrade_that_fails_leaves_the_store_as_it_was(url, monkeypatch):
    from alembic import op

    def fail(*_arguments, **_options):
        raise RuntimeError("struck by lightning")

    with monkeypatch.context() as patch:
        made = op.create_table
        patch.setattr(
            op, "create_table", lambda name, *rest: (fail if name == "meta" else made)(name, *rest)
        )
        with pytest.raises(RuntimeError, match="lightning"):
            open_once(url)
    with open_store(url) as store, store.begin() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM meta")) == 0
