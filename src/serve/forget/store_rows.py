"""Removing a person from every table of the store."""

from __future__ import annotations

import json
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ..delivery.outbox.outbox_table import outbox
from ..store.connection import Store, translate_errors
from ..store.errors import StoreFailed
from ..store.queries import FORGOTTEN_KEY, LIST_COLUMNS
from ..store.schema import DIGEST, EDITED_DIGEST, FIRST_RUN, ROW_ID, STORED_TABLES, UNTIL_RUN, meta
from .outbox_rows import RemoteCopy, forget_in_outbox
from .person import PERSON_ID_COLUMNS, REFERENCE_COLUMN, TEXT_COLUMNS, Person
from .staged_files import StagedFiles
from .text_search import may_name

RunSpan = tuple[int, int | None]
"""The first run that a row holds for, and the first one after it that it does not."""


@dataclass(frozen=True)
class Forgotten:
    """What became of a person in a store.

    Attributes:
        counts: rows removed, or texts blanked, by table: "stakeholders rows", "summaries texts".
        copies: what targets and channels hold, which a store cannot take back.
    """

    counts: Counter[str]
    copies: tuple[RemoteCopy, ...] = ()


def forget_in_store(store: Store, person: Person, files: StagedFiles | None = None) -> Forgotten:
    """Removes a person: rows about them, pointers to them, and every text that names them.

    A row that holds for several runs is one row. Afterwards a SQLite file is written again from
    beginning to end, as its deleted rows could still be read from the disk. PostgreSQL clears them
    away by VACUUM; its logs and backups are its keeper's.

    Args:
        store: held by `job_lock.hold_job_lock`.
        person: whom.
        files: that change with the store: they take their places once it is committed.

    Raises:
        StoreFailed: the database refused, went away, or has no room, and nothing is removed; or
            readers did not let go of the old rows, which are removed and can still be read from
            the disk.
    """
    with store.begin() as connection:
        spans_by_group = _person_spans(connection, person)
        counts = Counter(dict(_remove_rows(connection, person)))
        for table in TEXT_COLUMNS:
            counts[f"{table} texts"] = _redact_texts(connection, table, person, spans_by_group)
        if +counts:
            _renew_revision(connection)
        outbox_counts, copies = forget_in_outbox(connection, person, set(spans_by_group))
        counts.update(outbox_counts)
    if files is not None:
        files.commit()
    _purge_deleted_rows(store)
    return Forgotten(+counts, tuple(copies))


def _renew_revision(connection: sa.Connection) -> None:
    """Notes that somebody was forgotten, for servers that hold answers in memory.

    Not a count: a store that is restored from a copy would come to the same count again.
    """
    connection.execute(sa.delete(meta).where(meta.c.key == FORGOTTEN_KEY))
    connection.execute(sa.insert(meta).values(key=FORGOTTEN_KEY, value=uuid.uuid4().hex))


def _person_spans(connection: sa.Connection, person: Person) -> dict[str, list[RunSpan]]:
    """In which groups the person was, and for which runs."""
    table, column = REFERENCE_COLUMN
    spans: dict[str, list[RunSpan]] = defaultdict(list)
    for name, id_column in {**PERSON_ID_COLUMNS, table: column}.items():
        run_table = STORED_TABLES[name]
        query = sa.select(run_table.c.group_id, run_table.c[FIRST_RUN], run_table.c[UNTIL_RUN])
        for row in connection.execute(
            query.where(run_table.c[id_column] == person.contact_id).distinct()
        ):
            spans[row.group_id].append((row.first_run, row.until_run))
    return spans


def _overlap(span: RunSpan, other: RunSpan) -> bool:
    """Whether two spans have a run in common."""
    return (span[1] is None or other[0] < span[1]) and (other[1] is None or span[0] < other[1])


def _remove_rows(connection: sa.Connection, person: Person) -> Iterator[tuple[str, int]]:
    for name, id_column in PERSON_ID_COLUMNS.items():
        is_about_person = STORED_TABLES[name].c[id_column] == person.contact_id
        yield f"{name} rows", _count(connection, STORED_TABLES[name], is_about_person)
        connection.execute(sa.delete(STORED_TABLES[name]).where(is_about_person))
    table, column = STORED_TABLES[REFERENCE_COLUMN[0]], REFERENCE_COLUMN[1]
    is_reference = table.c[column] == person.contact_id
    yield f"{REFERENCE_COLUMN[0]} pointers", _count(connection, table, is_reference)
    edited = {column: None, DIGEST: EDITED_DIGEST}
    connection.execute(sa.update(table).where(is_reference).values(edited))


def _count(connection: sa.Connection, table: sa.Table, where: sa.ColumnElement[bool]) -> int:
    query = sa.select(sa.func.count()).select_from(table).where(where)
    return int(connection.scalar(query) or 0)


def _redact_texts(
    connection: sa.Connection,
    name: str,
    person: Person,
    spans_by_group: Mapping[str, list[RunSpan]],
) -> int:
    table, changed_rows = STORED_TABLES[name], 0
    row_id, span = table.c[ROW_ID], (table.c[FIRST_RUN], table.c[UNTIL_RUN])
    for column in TEXT_COLUMNS[name]:
        text = table.c[column]
        candidates = may_name(connection, text, person) | table.c.group_id.in_(list(spans_by_group))
        changes = []
        for row_number, group_id, first_run, until_run, old in connection.execute(
            sa.select(row_id, table.c.group_id, *span, text).where(candidates)
        ).all():
            in_group = any(
                _overlap((first_run, until_run), span) for span in spans_by_group.get(group_id, ())
            )
            new = _redact_value(name, column, old, person, in_group=in_group)
            if new != old:
                changes.append({"row_number": row_number, "new": new})
        if changes:
            edited = {column: sa.bindparam("new"), DIGEST: EDITED_DIGEST}
            is_row = row_id == sa.bindparam("row_number")
            connection.execute(sa.update(table).where(is_row).values(edited), changes)
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
    try:
        left = _vacuum(store)
    except StoreFailed as error:
        raise StoreFailed(
            f"store {store.redacted_url}: the person is removed, but old pages of the database "
            f"could not be cleared ({_cause(error)}): fix that and run the command again"
        ) from None
    if left:
        raise StoreFailed(
            f"store {store.redacted_url}: the person is removed, but other processes still "
            "read the file as it was, so its old pages are on the disk: run the command again "
            "when they are done"
        )


def _vacuum(store: Store) -> bool:
    """Writes a SQLite file again, or has PostgreSQL clear; whether old pages are left."""
    with translate_errors(store.redacted_url), store.engine.connect() as connection:
        if store.database_file is None:
            autocommit_connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            for name in (*STORED_TABLES, outbox.name):
                autocommit_connection.execute(sa.text(f"VACUUM {name}"))
            return False
        dbapi: Any = connection.connection.driver_connection
        dbapi.execute("VACUUM")
        # What the log holds goes into the file, and the log ends: old pages are in neither.
        (left, *_) = dbapi.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return bool(left)


def _cause(error: StoreFailed) -> str:
    cause = error.__cause__
    return str(getattr(cause, "orig", None) or cause or error).splitlines()[0]
