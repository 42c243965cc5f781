"""The tables that every source gives us, declared as data (design.md, "Tables")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ibis

BUYING_JOBS = (
    "problem_identification",
    "solution_exploration",
    "requirements_building",
    "supplier_selection",
    "validation",
    "consensus_creation",
)
VERDICTS = ("accepted", "rejected")
ROLE_SOURCES = ("crm", "person", "title", "activity")
"""Where a member's role comes from: a CRM field, a person's decision, the title, the activities."""

JOIN_DATES = ("exact", "first_seen", "inferred")
"""How the date is known on which a member joined (design.md, Intake)."""


EARLIEST = datetime(1990, 1, 1)
"""No time before it is meant."""

LATEST = datetime(2200, 1, 1)
"""Nor one after it."""


class BadInput(ValueError):  # noqa: N818 - users meet it as a word, not as a class of errors
    """Input or settings that the user must fix; its text says what and how.

    Commands print the text and end with exit status 2.
    """


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the contract.

    Attributes:
        name: as in the source.
        dtype: Ibis spelling: string, timestamp (UTC without zone, microseconds), float64, int64
            or boolean.
        required: the column must be there.
        nullable: a row may leave it empty.
        values: the only values allowed; None allows any.
        references: the table whose key the values must be found in.
        month: a timestamp that speaks for its whole month; kept as the first of it.
        between: smallest and largest number allowed; None allows any.
        literal: a text is what it says, also where it says `None` or `null`; so are ids, which
            are compared as they are, and names.
        category: texts that tell rows apart, so that two spellings of one are two of them.
    """

    name: str
    dtype: str = "string"
    required: bool = True
    nullable: bool = False
    values: tuple[str, ...] | None = None
    references: str | None = None
    month: bool = False
    between: tuple[float, float] | None = None
    literal: bool = False
    category: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the contract.

    Attributes:
        name: as in the source.
        columns: in their canonical order.
        key: the columns that name a row in a report.
        required: the table must be there.
        once: no two rows may share the key; other tables may point at it.
        filled: at least one row is needed.
        copies: exact copies of a row count once, for nothing has an id of its own.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    required: bool = True
    once: bool = False
    filled: bool = True
    copies: bool = False

    def column(self, name: str) -> Column:
        """The column called `name`.

        Raises:
            KeyError: this table has no such column.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name} has no column {name!r}; it has {list(self.column_names)}")

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns in canonical order."""
        return tuple(column.name for column in self.columns)


def _time(name: str) -> Column:
    return Column(name, "timestamp")


def _key_of(table: str, name: str) -> Column:
    return Column(name, references=table, literal=True)


def _own_key(name: str) -> Column:
    return Column(name, literal=True)


def _optional(
    name: str,
    dtype: str = "string",
    *,
    values: tuple[str, ...] | None = None,
    references: str | None = None,
    between: tuple[float, float] | None = None,
    category: bool = False,
) -> Column:
    return Column(name, dtype, False, True, values, references, between=between, category=category)


# A table comes after every table that its columns refer to; quarantine relies on the order.
_ALL = (
    Table(
        "accounts",
        (
            _own_key("account_id"),
            Column("name", literal=True),
            _optional("domain"),
            _optional("industry", category=True),
            _optional("employees", "int64"),
            _optional("country", category=True),
            _optional("tier", category=True),
        ),
        key=("account_id",),
        once=True,
    ),
    Table(
        "contacts",
        (
            _own_key("contact_id"),
            _key_of("accounts", "account_id"),
            _optional("full_name"),
            _optional("email"),
            _optional("phone"),
            _optional("title"),
            _optional("department", category=True),
        ),
        key=("contact_id",),
        once=True,
    ),
    Table(
        "solutions",
        (_own_key("solution_id"), Column("name", literal=True)),
        key=("solution_id",),
        once=True,
    ),
    Table(
        "buying_groups",
        (
            _own_key("group_id"),
            _key_of("accounts", "account_id"),
            _key_of("solutions", "solution_id"),
            _time("created_at"),
            _optional("name"),
            _optional("owner"),
            _optional("url"),
        ),
        key=("group_id",),
        once=True,
    ),
    Table(
        "contents",
        (
            _own_key("content_id"),
            _optional("title"),
            _optional("buying_job", values=BUYING_JOBS),
            _optional("solution_id", references="solutions"),
            _optional("gated", "boolean"),
        ),
        key=("content_id",),
        required=False,
        once=True,
        filled=False,
    ),
    Table(
        "members",
        (
            _key_of("buying_groups", "group_id"),
            _key_of("contacts", "contact_id"),
            Column("role", category=True),
            _time("joined_at"),
            _optional("left_at", "timestamp"),
            _optional("probability", "float64", between=(0.0, 1.0)),
            _optional("source", values=ROLE_SOURCES),
            _optional("joined_is", values=JOIN_DATES),
        ),
        key=("group_id", "contact_id"),
    ),
    Table(
        "activities",
        (
            Column("activity_id"),
            _optional("contact_id", references="contacts"),
            Column("kind", category=True),
            _time("occurred_at"),
            _optional("recorded_at", "timestamp"),
            _optional("group_id", references="buying_groups"),
            _optional("solution_id", references="solutions"),
            _optional("content_id", references="contents"),
            _optional("channel", category=True),
            _optional("duration_seconds", "float64"),
        ),
        key=("activity_id",),
        filled=False,
    ),
    Table(
        "stage_events",
        (
            _key_of("buying_groups", "group_id"),
            Column("stage", category=True),
            _time("occurred_at"),
            _optional("amount", "float64"),
        ),
        key=("group_id", "stage"),
        copies=True,
    ),
    Table(
        "verdicts",
        (
            _key_of("buying_groups", "group_id"),
            _time("decided_at"),
            Column("verdict", values=VERDICTS),
            _optional("reason", category=True),
        ),
        key=("group_id",),
        required=False,
        filled=False,
        copies=True,
    ),
    Table(
        "answers",
        (
            _key_of("buying_groups", "group_id"),
            _optional("contact_id", references="contacts"),
            Column("question", category=True),
            Column("answer", literal=True),
            _time("answered_at"),
        ),
        key=("group_id", "question"),
        required=False,
        filled=False,
        copies=True,
    ),
    Table(
        "costs",
        (
            Column("month", "timestamp", month=True),
            Column("channel", category=True),
            Column("amount", "float64"),
        ),
        key=("month", "channel"),
        required=False,
        filled=False,
        copies=True,
    ),
)

TABLES: Mapping[str, Table] = MappingProxyType({table.name: table for table in _ALL})


def schema(table: str) -> ibis.Schema:
    """Names and types of `table` as a source gives them.

    Timestamps carry scale 6, so that the schema equals the one that DuckDB answers.

    Raises:
        KeyError: the contract has no such table.
    """
    import ibis  # everything imports the contract, and Ibis takes most of a second

    return ibis.schema(
        {
            column.name: "timestamp(6)" if column.dtype == "timestamp" else column.dtype
            for column in TABLES[table].columns
        }
    )
