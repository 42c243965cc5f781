"""The contract's tables of a PostgreSQL database, each a stream that is read once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from ..contract import TABLES
from . import postgres
from .problems import Rule
from .quoting import quote_identifier
from .table_reader import TableReader, TableReaders, missing_tables, no_tables, structural_problem

_STREAM_VIEW = "arriving"  # the table that PostgreSQL is sending; one at a time


def postgres_readers(backend: Any, database: postgres.Database) -> TableReaders:
    """Readers of the tables in the search path.

    Raises:
        BadInput: none of the contract's tables is there, or the database went away.
    """
    found = database.relations()
    present = [name for name in TABLES if name in found]
    if not present:
        raise no_tables(database.display_name, found)
    problems = missing_tables(found, dict.fromkeys(present))
    tables: dict[str, TableReader] = {}
    for name in present:
        columns = database.columns(found[name])
        if refused := _select_refused(found[name], columns):
            problems.append(structural_problem(name, Rule.NOT_READABLE, 1, refused))
        else:
            tables[name] = _postgres_reader(backend, database, found[name], columns)
    return TableReaders(tables, tuple(problems))


def _select_refused(
    relation: postgres.Relation, columns: Mapping[str, tuple[str, bool]]
) -> str | None:
    """Which of the contract's columns we may not read; None: all that there are may be."""
    wanted = [name for name in TABLES[relation.name].column_names if name in columns]
    unreadable_columns = [name for name in wanted if not columns[name][1]]
    if not unreadable_columns:
        return None
    which = f" {', '.join(unreadable_columns)} of" if len(unreadable_columns) < len(wanted) else ""
    return f"the URL's user may not read{which} {relation.schema}.{relation.name}: GRANT SELECT"


def _postgres_reader(
    backend: Any,
    database: postgres.Database,
    relation: postgres.Relation,
    columns: Mapping[str, tuple[str, bool]],
) -> TableReader:
    select_list = [
        f"{postgres.select_expression(quote_identifier(name), columns[name][0])}"
        f" AS {quote_identifier(name)}"
        for name in TABLES[relation.name].column_names
        if name in columns
    ]
    source = f"{quote_identifier(relation.schema)}.{quote_identifier(relation.name)}"
    shown = f"{relation.schema}.{relation.name}"
    return TableReader(
        shown,
        _STREAM_VIEW,
        {
            name: postgres.received_expression(quote_identifier(name), kind)
            for name, (kind, _) in columns.items()
        },
        readable=partial(
            database.register_stream,
            backend,
            f"SELECT {', '.join(select_list)} FROM {source}",  # noqa: S608 - names are quoted
            name=_STREAM_VIEW,
            what=shown,
        ),
    )
