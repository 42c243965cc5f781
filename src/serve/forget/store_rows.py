"""Removing a person from every table of the store."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import duckdb
import sqlalchemy as sa

from ..delivery.outbox.outbox_table import outbox
from ..store.connection import Store, translate_errors
from ..store.queries import LIST_COLUMNS
from ..store.schema import PRIMARY_KEYS, RUN_TABLES
from .outbox_rows import forget_in_outbox
from .person import PERSON_ID_COLUMNS, REFERENCE_COLUMN, TEXT_COLUMNS, Person
from .text_search import may_name

Snapshot = tuple[str, datetime]


def forget_in_store(store: Store, person: Person) -> Counter[str]:
    """Removes a person: rows about them, pointers to them, and every text that names them.

    Afterwards the file of a DuckDB store is written anew, as its deleted rows could still be read
    from the disk. PostgreSQL clears them away by VACUUM; its logs and backups are its keeper's.

    Args:
        store: held by `job_lock.hold_job_lock`.
        person: whom.

    Returns:
        How many rows were removed, or texts blanked, by table: "stakeholders rows",
        "summaries texts".

    Raises:
        StoreFailed: the database refused, went away, or has no room.
    """
    with store.begin() as connection:
        person_snapshots = _snapshots_of(connection, person)
        counts = Counter(dict(_remove_rows(connection, person)))
        for table in TEXT_COLUMNS:
            counts[f"{table} texts"] = _redact_texts(connection, table, person, person_snapshots)
        counts.update(
            forget_in_outbox(connection, person, {group for group, _ in person_snapshots})
        )
    _purge_deleted_rows(store)
    return +counts


def _snapshots_of(connection: sa.Connection, person: Person) -> set[Snapshot]:
    """Where the person stood."""
    table, column = REFERENCE_COLUMN
    found: set[Snapshot] = set()
    for name, id_column in {**PERSON_ID_COLUMNS, table: column}.items():
        run_table = RUN_TABLES[name]
        query = sa.select(run_table.c.group_id, run_table.c.as_of).where(
            run_table.c[id_column] == person.contact_id
        )
        found |= {(row.group_id, row.as_of) for row in connection.execute(query.distinct())}
    return found


def _remove_rows(connection: sa.Connection, person: Person) -> Iterator[tuple[str, int]]:
    for name, id_column in PERSON_ID_COLUMNS.items():
        is_about_person = RUN_TABLES[name].c[id_column] == person.contact_id
        yield f"{name} rows", _count(connection, RUN_TABLES[name], is_about_person)
        connection.execute(sa.delete(RUN_TABLES[name]).where(is_about_person))
    table, column = RUN_TABLES[REFERENCE_COLUMN[0]], REFERENCE_COLUMN[1]
    is_reference = table.c[column] == person.contact_id
    yield f"{REFERENCE_COLUMN[0]} pointers", _count(connection, table, is_reference)
    connection.execute(sa.update(table).where(is_reference).values({column: None}))


def _count(connection: sa.Connection, table: sa.Table, where: sa.ColumnElement[bool]) -> int:
    query = sa.select(sa.func.count()).select_from(table).where(where)
    return int(connection.scalar(query) or 0)


def _redact_texts(
    connection: sa.Connection, name: str, person: Person, person_snapshots: set[Snapshot]
) -> int:
    table, changed_rows = RUN_TABLES[name], 0
    for column in TEXT_COLUMNS[name]:
        key_columns = [table.c[part] for part in PRIMARY_KEYS[name]]
        candidates = may_name(table.c[column], person) | table.c.group_id.in_(
            {group for group, _ in person_snapshots}
        )
        changes = []
        for row in connection.execute(
            sa.select(*key_columns, table.c[column].label("text")).where(candidates)
        ):
            in_group = (row.group_id, row.as_of) in person_snapshots
            text = _redact_value(name, column, row.text, person, in_group=in_group)
            if text != row.text:
                changes.append(
                    {
                        **{f"at_{part}": row._mapping[part] for part in PRIMARY_KEYS[name]},
                        "text": text,
                    }
                )
        if changes:
            is_row = sa.and_(*(part == sa.bindparam(f"at_{part.name}") for part in key_columns))
            connection.execute(
                sa.update(table).where(is_row).values({column: sa.bindparam("text")}), changes
            )
        changed_rows += len(changes)
    return changed_rows


def _redact_value(
    table: str, column: str, text: str | None, person: Person, *, in_group: bool
) -> Any:
    if text is None or column not in LIST_COLUMNS[table]:
        return person.redact(table, text, in_group=in_group)
    kept = [item for item in json.loads(text) if person.redact(table, item, in_group=in_group)]
    return text if len(kept) == len(json.loads(text)) else json.dumps(kept, ensure_ascii=False)


def _purge_deleted_rows(store: Store) -> None:
    """Makes what was deleted unreadable, as far as a client can."""
    if store.database_file is None:
        with translate_errors(store.redacted_url), store.engine.connect() as connection:
            autocommit_connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            for name in (*RUN_TABLES, outbox.name):
                autocommit_connection.execute(sa.text(f"VACUUM {name}"))
        return
    compacted_file = store.database_file.with_name(store.database_file.name + ".new")
    compacted_file.unlink(missing_ok=True)
    try:
        with translate_errors(store.redacted_url), duckdb.connect() as temporary_connection:
            for path, name in ((store.database_file, "old"), (compacted_file, "new")):
                quoted = str(path).replace("'", "''")
                temporary_connection.execute(f"ATTACH '{quoted}' AS {name}")
            temporary_connection.execute("COPY FROM DATABASE old TO new")
        compacted_file.replace(store.database_file)
    finally:
        compacted_file.unlink(missing_ok=True)
