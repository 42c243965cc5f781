"""One group's tables in a body: their shape, and the contract's tables as they were given."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ...contract import TABLES, Table
from ...features.engines.python import ListTable, list_table
from ...settings import Api, instant_of
from .body_parsing import shown_kind
from .problem_details import Refused

ONE: Mapping[str, str] = {
    "account": "accounts",
    "solution": "solutions",
    "buying_group": "buying_groups",
}
"""Keys of a body that hold one row, and the table that it belongs to."""

MORE: Mapping[str, str] = {
    "other_accounts": "accounts",
    "other_solutions": "solutions",
    "other_groups": "buying_groups",
    "contacts": "contacts",
    "members": "members",
    "activities": "activities",
    "stage_events": "stage_events",
    "contents": "contents",
    "verdicts": "verdicts",
    "answers": "answers",
}
"""Keys that hold lists of rows. The other accounts are those of contacts who work elsewhere; the
other groups are the account's, whose history is part of what the model reads."""

NEEDED = ("as_of", "account", "solution", "buying_group", "contacts", "members", "activities")
OPTIONS = ("as_of", "language")
KNOWN = (*OPTIONS, *ONE, *MORE)
READ = tuple(dict.fromkeys((*ONE.values(), *MORE.values())))
"""Tables that a body can fill."""

_NOTHING = type(None)
_KINDS: Mapping[str, frozenset[type]] = {
    "string": frozenset((str, _NOTHING)),
    "timestamp": frozenset((str, _NOTHING)),
    "float64": frozenset((int, float, _NOTHING)),
    "int64": frozenset((int, float, _NOTHING)),
    "boolean": frozenset((bool, _NOTHING)),
}
_WORDS: Mapping[str, str] = {
    "string": "a text",
    "timestamp": "a time as text, such as 2025-09-01T09:00:00Z",
    "float64": "a number",
    "int64": "a number",
    "boolean": "true or false",
}


@dataclass(frozen=True)
class GroupTables:
    """What a body asks.

    Attributes:
        as_of: the cut-off.
        language: of the words; None leaves it to the settings.
        group_id: of the group to score.
        tables: of the contract, the values as JSON has them, of a kind that the column takes.
    """

    as_of: datetime
    language: str | None
    group_id: str
    tables: Mapping[str, ListTable]


def group_tables(tree: Mapping[str, Any], settings: Api) -> GroupTables:
    """Reads a body; what its rows say is for the contract's checks.

    Raises:
        Refused: 422 for another shape, a value of another kind, or too many rows.
    """
    _require_keys(tree)
    as_of = instant_of(tree["as_of"]) if isinstance(tree["as_of"], str) else None
    if as_of is None:
        raise Refused(
            422, "as_of: expected a date or time from 1990 to 2199 such as 2025-09-01T09:00:00Z"
        )
    language = tree.get("language")
    if language is not None and not isinstance(language, str):
        raise Refused(422, f"language: expected a text such as en, got {shown_kind(language)}")
    rows: dict[str, list[Mapping[str, Any]]] = {name: [] for name in READ}
    places: dict[str, list[str]] = {name: [] for name in READ}
    for key, table in ONE.items():
        rows[table].append(_row(tree[key], key))
        places[table].append(key)
    for key, table in MORE.items():
        found = _rows(tree.get(key), key, _most(table, settings))
        rows[table] += found
        places[table] += [f"{key}[{number}]" for number in range(len(found))]
    return GroupTables(
        as_of,
        language,
        str(rows["buying_groups"][0].get("group_id")),
        {name: _as_given(TABLES[name], rows[name], places[name]) for name in READ},
    )


def place(table: str, row: int) -> str:
    """Where in the body a row of a table stands.

    Args:
        table: of the contract.
        row: from 0.
    """
    one = next((key for key, name in ONE.items() if name == table), None)
    if one is not None and row == 0:
        return one
    key = next(key for key, name in MORE.items() if name == table)
    return f"{key}[{row - (one is not None)}]"


def _require_keys(tree: Mapping[str, Any]) -> None:
    for key in tree:
        if key not in KNOWN:
            near = difflib.get_close_matches(key, KNOWN, n=1, cutoff=0.0)[0]
            raise Refused(
                422, f"unknown key {_cut(key)!r} in the body; the nearest known one is {near!r}"
            )
    if missing := [key for key in NEEDED if tree.get(key) is None]:
        raise Refused(
            422,
            f"expected the keys {', '.join(NEEDED)} in the body, got no {missing[0]}; for no rows "
            "give an empty list",
        )


def _most(table: str, settings: Api) -> int:
    own = {"members": settings.max_members, "activities": settings.max_activities}
    return own.get(table, settings.max_rows)


def _row(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Refused(422, f"{where}: expected an object, got {shown_kind(value)}")
    return value


def _rows(value: Any, key: str, most: int) -> list[Mapping[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise Refused(422, f"{key}: expected a list of objects, got {shown_kind(value)}")
    if len(value) > most:
        raise Refused(
            422, f"{key}: expected at most {most:,} rows, got {len(value):,}; score it by the batch"
        )
    return [_row(row, f"{key}[{number}]") for number, row in enumerate(value)]


def _as_given(table: Table, rows: Sequence[Mapping[str, Any]], places: Sequence[str]) -> ListTable:
    columns = {}
    for column in table.columns:
        kinds = _KINDS[column.dtype]
        values = [row.get(column.name) for row in rows]
        # Of the kinds, true is no number.
        if not kinds.issuperset(map(type, values)):
            number = next(n for n, value in enumerate(values) if type(value) not in kinds)
            raise Refused(
                422,
                f"{places[number]}.{column.name}: expected {_WORDS[column.dtype]}, got "
                f"{shown_kind(values[number])}",
            )
        columns[column.name] = values
    return list_table(len(rows), columns)


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"
