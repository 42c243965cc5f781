"""Spellings of one name: what differs by case, width, blanks, `_` or `-` alone."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from ..contract import TABLES, Table
from ..settings import Settings
from .quoting import quote_identifier, quote_literal

MAX_ROLES = 64
"""Roles found in the data that are distinguished; each has columns of its own."""

Spellings = Mapping[str, Collection[str]]
"""By `table.column`, the names that settings or a model know."""


MAX_SHOWN_LENGTH = 60  # characters of a name


def shortened(name: str) -> str:
    """A name as messages show it: somebody may have put a page into a role."""
    return name if len(name) <= MAX_SHOWN_LENGTH else name[: MAX_SHOWN_LENGTH - 1] + "…"


def spelling_key(name: str) -> str:
    """The same for all spellings of one name."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[\s_\-]+", "", plain) or plain


def spelling_groups(counts: Mapping[str, int]) -> list[list[str]]:
    """Names that are spellings of one; the most frequent first in each, ties by name."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name in sorted(counts, key=lambda name: (-counts[name], name)):
        groups[spelling_key(name)].append(name)
    return [names for names in groups.values() if len(names) > 1]


def known_spellings(settings: Settings) -> dict[str, tuple[str, ...]]:
    """The names that settings and the contract have for the values of category columns."""
    roles = (*settings.roles, *(r for s in settings.solutions.values() for r in s.roles))
    known = {
        f"{table.name}.{column.name}": column.values
        for table in TABLES.values()
        for column in table.columns
        if column.values is not None
    }
    return {
        **known,
        "members.role": roles,
        "activities.kind": tuple(settings.kinds),
        "stage_events.stage": (settings.target.stage, *settings.target.closed_stages, "reopened"),
    }


def joined_spellings(counts: Mapping[str, int], known: Collection[str]) -> dict[str, str]:
    """By name, what it is joined to: a known spelling of it, else the most frequent one.

    Names that keep their spelling are left out.
    """
    by_key = {spelling_key(name): name for name in reversed(list(known))}
    joined = {}
    for names in spelling_groups(dict.fromkeys(counts, 0) | dict(counts)):
        by_key.setdefault(spelling_key(names[0]), names[0])
    for name in counts:
        target = by_key.get(spelling_key(name), name)
        if target != name and name not in known:
            joined[name] = target
    return joined


def category_columns(table: Table) -> list[str]:
    """Columns of `table` whose values have spellings."""
    return [c.name for c in table.columns if c.category or c.values is not None]


def value_counts(backend: Any, relation: str, column: str) -> dict[str, int]:
    """How often each text occurs in a column."""
    name = quote_identifier(column)
    rows = backend.con.execute(
        f"SELECT {name}, count(*) FROM {relation} WHERE {name} IS NOT NULL GROUP BY 1"  # noqa: S608
    ).fetchall()
    return dict(rows)


def join_spellings(backend: Any, table: Table, staged: str, known: Spellings) -> None:
    """Let the view `staged` show one spelling of each name of its category columns."""
    replacements = []
    for column in category_columns(table):
        counts = value_counts(backend, staged, column)
        joined = joined_spellings(counts, known.get(f"{table.name}.{column}", ()))
        if joined:
            name = quote_identifier(column)
            cases = " ".join(
                f"WHEN {quote_literal(given)} THEN {quote_literal(target)}"
                for given, target in joined.items()
            )
            replacements.append(f"CASE {name} {cases} ELSE {name} END AS {name}")
    if replacements:
        given = f"spelt_{table.name}"
        backend.raw_sql(f"ALTER VIEW {staged} RENAME TO {given}")
        schema = staged.split(".", 1)[0]
        changed = ", ".join(replacements)
        select = f"SELECT * REPLACE ({changed}) FROM {schema}.{given}"  # noqa: S608 - quoted
        backend.raw_sql(f"CREATE VIEW {staged} AS {select}")
