"""The tables of a store: made, upgraded, refused."""

from __future__ import annotations

import mqbg.serve.delivery.outbox.outbox_table  # noqa: F401 - its table is of the store's metadata
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from mqbg.contract import BadInput
from mqbg.serve.batch.score_tables import SCORE_SCHEMAS
from mqbg.serve.store import migrate
from mqbg.serve.store.connection import open_store
from mqbg.serve.store.migrate import VERSION_TABLE
from mqbg.serve.store.schema import RUN_TABLES, STORED_TABLES, metadata

VERSION = sa.table(VERSION_TABLE, sa.column("version_num"))


def open_once(url, **options):
    with open_store(url, **options):
        pass


def test_the_revisions_make_what_the_program_uses(url):
    with open_store(url) as store, store.begin() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, metadata) == []
        inspector = sa.inspect(connection)
        for table in metadata.sorted_tables:
            keys = {
                (tuple(key["constrained_columns"]), key["options"].get("ondelete"))
                for key in inspector.get_foreign_keys(table.name)
            }
            assert keys == {
                (tuple(key.column_keys), key.ondelete) for key in table.foreign_key_constraints
            }
            primary = inspector.get_pk_constraint(table.name)["constrained_columns"]
            assert primary == [column.name for column in table.primary_key]


def test_the_version_of_the_program_is_its_newest_revision():
    assert migrate.revisions()[0] == migrate.VERSION


def test_every_column_that_is_written_is_stored_but_the_cut_off_which_is_of_the_run():
    for name, schema in SCORE_SCHEMAS.items():
        stored = {*STORED_TABLES[name].c.keys(), "as_of"}
        if name == "scores":
            stored |= set(STORED_TABLES["rankings"].c.keys())
        assert set(schema.names) <= stored
        assert set(schema.names) <= set(RUN_TABLES[name].c.keys())


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


@pytest.mark.parametrize("version", ["0001", "0002"])
def test_a_store_of_before_rows_were_kept_by_runs_is_refused(url, version):
    with open_store(url) as store, store.begin() as connection:
        connection.execute(sa.update(VERSION).values(version_num=version))
    with pytest.raises(BadInput, match=f"found {version}, .* choose an empty database"):
        open_once(url)


def test_a_database_with_a_table_of_somebody_else_is_refused(url):
    with open_store(url) as store, store.begin() as connection:
        connection.execute(sa.text(f"DROP TABLE {VERSION_TABLE}"))
    with pytest.raises(BadInput, match="found a table 'actions' that is not ours"):
        open_once(url)


def test_an_absent_store_is_not_made_for_a_reader(database):
    with pytest.raises(BadInput, match="found none; run `mqbg score` once"):
        open_once(database.url, read_only=True)


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


ADDED_COLUMNS = (
    ("r0001", "summaries", "reason_facts"),
    ("r0002", "scores", "expected_completeness"),
)


@pytest.mark.parametrize("since", range(len(ADDED_COLUMNS)))
def test_a_store_of_an_earlier_revision_gets_the_columns_added_since(url, everything, since):
    added = ADDED_COLUMNS[since:]
    with open_store(url) as store, store.begin() as connection:
        for _version, table, column in added:
            connection.execute(sa.text(f"ALTER TABLE {table} DROP COLUMN {column}"))
        connection.execute(sa.update(VERSION).values(version_num=added[0][0]))
    with open_store(url) as store:
        with store.begin() as connection:
            assert connection.scalar(sa.select(VERSION.c.version_num)) == migrate.VERSION
            for _version, table, column in added:
                columns = {one["name"] for one in sa.inspect(connection).get_columns(table)}
                assert column in columns
        assert everything(store)
