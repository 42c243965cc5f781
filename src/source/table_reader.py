"""One table as it was given, and what to say of a table that is not there."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from ..contract import TABLES, BadInput, Table
from . import postgres
from .problems import Problem, Rule

ACCEPTED_SOURCES = (
    "a folder of <table>.parquet, <table>.csv or <table>.xlsx files, or a DuckDB file, or a "
    f"workbook with a sheet for each table, or a database URL such as {postgres.URL_EXAMPLE}"
)

_MAX_NAMES = 3


@dataclass(frozen=True, slots=True)
class GuessedEncoding:
    """A file whose encoding its bytes told, and no mark or setting.

    Attributes:
        file: its name.
        codec: Python's name of the encoding.
        example: a text in it that is no ASCII; "" where none was seen.
    """

    file: str
    codec: str
    example: str


@dataclass(frozen=True, slots=True)
class TableReader:
    """One table as it was given.

    Attributes:
        name: what its owner calls it, for messages.
        relation: SQL that reads it.
        columns: for every column name, SQL that names the column and its DuckDB type.
        row_number: SQL of a stable row number from 0; None: only a kept copy has one.
        readable: `relation` can be read while this context lasts; `UnreadableCsv` on the way in.
        from_copy: the same rows from a plain copy, for when DuckDB refuses; None: there is none.
        notes: sentences on how the table was read that its owner should know.
        has_header_lines: a line may repeat the names of the columns.
        guesses: its files whose encoding was guessed.
    """

    name: str
    relation: str
    columns: Mapping[str, tuple[str, str]]
    row_number: str | None = None
    readable: Callable[[], AbstractContextManager[None]] = nullcontext
    from_copy: Callable[[], TableReader] | None = None
    notes: tuple[str, ...] = ()
    has_header_lines: bool = False
    guesses: tuple[GuessedEncoding, ...] = ()


@dataclass(frozen=True, slots=True)
class TableReaders:
    """The tables that were found, the problems met while looking, and what to know of it."""

    tables: Mapping[str, TableReader]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...] = ()


def structural_problem(table: str, rule: Rule, count: int, *examples: str) -> Problem:
    """A problem of a whole table that no row can be set aside to solve."""
    return Problem(table, "", rule, count, examples, structural=True)


def nearest_name(name: str, candidates: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The candidate that reads most like `name`, ignoring case; None if none is close."""
    lower = {candidate.lower(): candidate for candidate in candidates}
    close = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=cutoff)
    return lower[close[0]] if close else None


def missing_tables(found: Iterable[str], names: Iterable[str]) -> list[Problem]:
    """A problem for every required table that is not among `names`.

    Args:
        found: everything that was there, by name; the nearest is shown.
        names: the contract's tables that were found.
    """
    present, known = set(found), set(names)
    problems = []
    for table in TABLES.values():
        if not table.required or table.name in known:
            continue
        near = _like(table.name, present - set(TABLES))
        examples = (*([f"there is {', '.join(near)}"] if near else []), _columns_of(table))
        problems.append(structural_problem(table.name, Rule.MISSING_TABLE, 1, *examples))
    return problems


def _like(table: str, names: Collection[str]) -> list[str]:
    """Names that begin like a table's, such as `activities_jan.csv`; else the nearest."""
    same = sorted(name for name in names if name.lower().startswith(table))
    if same:
        return [*same[:_MAX_NAMES], *(["..."] if len(same) > _MAX_NAMES else [])]
    by_stem = {name.split(".", 1)[0]: name for name in sorted(names)}
    near = nearest_name(table, by_stem, cutoff=0.75)
    return [by_stem[near]] if near else []


def _columns_of(table: Table) -> str:
    return "columns: " + ", ".join(
        column.name + ("" if column.required else "?") for column in table.columns
    )


def no_tables(data: object, found: Iterable[str]) -> BadInput:
    """The refusal of a source that has none of the contract's tables."""
    expected = ", ".join(name for name, table in TABLES.items() if table.required)
    names = sorted(found)
    listed = ", ".join(names[:10]) + (" ..." if len(names) > 10 else "") if names else "nothing"
    return BadInput(
        f"expected the tables {expected} in {data}, found {listed}; expected {ACCEPTED_SOURCES}"
    )
