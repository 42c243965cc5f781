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
from ..store.connection import Store, translated
from ..store.queries import LISTS
from ..store.schema import KEYS, OF_RUN
from .outbox_rows import forget_in_outbox
from .person import OF_THE_PERSON, POINTING, TEXTS, Person
from .text_search import may_name

Snapshot = tuple[str, datetime]


def forget(store: Store, person: Person) -> Counter[str]:
    """Removes a person: rows about them, pointers to them, and every text that names them.

    Afterwards the file of a DuckDB store is written anew, as its deleted rows could still be read
    from the disk. PostgreSQL clears them away by VACUUM; its logs and backups are its keeper's.

    Args:
        store: held by `locking.locked`.
        person: whom.

    Returns:
        How many rows were removed, or texts blanked, by table: "stakeholders rows",
        "summaries texts".

    Raises:
        StoreFailed: the database refused, went away, or has no room.
    """
    with store.begin() as connection:
        there = _snapshots(connection, person)
        done = Counter(dict(_rows_removed(connection, person)))
        for table in TEXTS:
            done[f"{table} texts"] = _texts_blanked(connection, table, person, there)
        done.update(forget_in_outbox(connection, person, {group for group, _ in there}))
    _erase(store)
    return +done


def _snapshots(connection: sa.Connection, person: Person) -> set[Snapshot]:
    """Where the person stood."""
    table, column = POINTING
    found: set[Snapshot] = set()
    for name, whom in {**OF_THE_PERSON, table: column}.items():
        of = OF_RUN[name]
        chosen = sa.select(of.c.group_id, of.c.as_of).where(of.c[whom] == person.contact_id)
        found |= {(row.group_id, row.as_of) for row in connection.execute(chosen.distinct())}
    return found


def _rows_removed(connection: sa.Connection, person: Person) -> Iterator[tuple[str, int]]:
    for name, whom in OF_THE_PERSON.items():
        about = OF_RUN[name].c[whom] == person.contact_id
        yield f"{name} rows", _count(connection, OF_RUN[name], about)
        connection.execute(sa.delete(OF_RUN[name]).where(about))
    table, column = OF_RUN[POINTING[0]], POINTING[1]
    pointing = table.c[column] == person.contact_id
    yield f"{POINTING[0]} pointers", _count(connection, table, pointing)
    connection.execute(sa.update(table).where(pointing).values({column: None}))


def _count(connection: sa.Connection, table: sa.Table, where: sa.ColumnElement[bool]) -> int:
    chosen = sa.select(sa.func.count()).select_from(table).where(where)
    return int(connection.scalar(chosen) or 0)


def _texts_blanked(
    connection: sa.Connection, name: str, person: Person, there: set[Snapshot]
) -> int:
    table, blanked = OF_RUN[name], 0
    for column in TEXTS[name]:
        key = [table.c[part] for part in KEYS[name]]
        may = may_name(table.c[column], person) | table.c.group_id.in_(
            {group for group, _ in there}
        )
        changes = []
        for row in connection.execute(sa.select(*key, table.c[column].label("text")).where(may)):
            inside = (row.group_id, row.as_of) in there
            text = _cleaned(name, column, row.text, person, inside=inside)
            if text != row.text:
                changes.append(
                    {**{f"at_{part}": row._mapping[part] for part in KEYS[name]}, "text": text}
                )
        if changes:
            same = sa.and_(*(part == sa.bindparam(f"at_{part.name}") for part in key))
            connection.execute(
                sa.update(table).where(same).values({column: sa.bindparam("text")}), changes
            )
        blanked += len(changes)
    return blanked


def _cleaned(table: str, column: str, text: str | None, person: Person, *, inside: bool) -> Any:
    if text is None or column not in LISTS[table]:
        return person.cleaned(table, text, there=inside)
    kept = [item for item in json.loads(text) if person.cleaned(table, item, there=inside)]
    return text if len(kept) == len(json.loads(text)) else json.dumps(kept, ensure_ascii=False)


def _erase(store: Store) -> None:
    """Makes what was deleted unreadable, as far as a client can."""
    if store.file is None:
        with translated(store.shown), store.engine.connect() as connection:
            apart = connection.execution_options(isolation_level="AUTOCOMMIT")
            for name in (*OF_RUN, outbox.name):
                apart.execute(sa.text(f"VACUUM {name}"))
        return
    copy = store.file.with_name(store.file.name + ".new")
    copy.unlink(missing_ok=True)
    try:
        with translated(store.shown), duckdb.connect() as aside:
            for path, name in ((store.file, "old"), (copy, "new")):
                quoted = str(path).replace("'", "''")
                aside.execute(f"ATTACH '{quoted}' AS {name}")
            aside.execute("COPY FROM DATABASE old TO new")
        copy.replace(store.file)
    finally:
        copy.unlink(missing_ok=True)
