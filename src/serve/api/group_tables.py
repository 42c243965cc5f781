"""Groups' tables in a body: their shape, and the contract's tables as they were given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import chain
from typing import Any

from ...contract import TABLES, Table
from ...features.engines.python import ListTable, list_table
from ...settings import ApiSettings, to_instant
from ...settings.field_types import nearest
from ...source.spellings import shortened
from .body_parsing import json_type_name
from .problem_details import HttpProblem

GROUPS = "buying_groups"

SINGLE_ROW_KEYS: Mapping[str, str] = {
    "account": "accounts",
    "solution": "solutions",
    "buying_group": GROUPS,
}
"""Keys of a body that hold one row, and the table that it belongs to."""

ROW_LIST_KEYS: Mapping[str, str] = {
    "other_accounts": "accounts",
    "other_solutions": "solutions",
    "other_groups": GROUPS,
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

REQUIRED_KEYS = (
    "as_of",
    "account",
    "solution",
    "buying_group",
    "contacts",
    "members",
    "activities",
)
KEYS: Mapping[str, str] = {**SINGLE_ROW_KEYS, **ROW_LIST_KEYS}
OPTION_KEYS = ("as_of", "language")
GROUPS_KEY = "groups"  # of a body with several groups
MAX_GROUPS = 500  # of a body
KNOWN_KEYS = (*OPTION_KEYS, *SINGLE_ROW_KEYS, *ROW_LIST_KEYS)
BODY_TABLES = tuple(dict.fromkeys((*SINGLE_ROW_KEYS.values(), *ROW_LIST_KEYS.values())))
"""Tables that a body can fill."""

_COLUMN_NAMES = {name: frozenset(TABLES[name].column_names) for name in BODY_TABLES}
_NOT_READ = "columns that no table has"
_ONLY_OBJECTS = frozenset((dict,))
_NULL_TYPE = type(None)
_JSON_TYPES: Mapping[str, frozenset[type]] = {
    "string": frozenset((str, _NULL_TYPE)),
    "timestamp": frozenset((str, _NULL_TYPE)),
    "float64": frozenset((int, float, _NULL_TYPE)),
    "int64": frozenset((int, float, _NULL_TYPE)),
    "boolean": frozenset((bool, _NULL_TYPE)),
}
_TYPE_DESCRIPTIONS: Mapping[str, str] = {
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
        columns_not_read: by key of the body, columns that no table has.
        populations: of each row of `buying_groups` (see `features.tables.populations`); empty
            where all are of one.
    """

    as_of: datetime
    language: str | None
    group_id: str
    tables: Mapping[str, ListTable]
    columns_not_read: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    populations: Sequence[str] = ()

    @cached_property
    def distinct_ids(self) -> Mapping[tuple[str, str], Mapping[str | None, None]]:
        """The values of each column of ids, each once, by table and column."""
        return {
            (name, column): dict.fromkeys(rows.columns[column])
            for name, rows in self.tables.items()
            for column in rows.column_names
            if column.endswith("_id")
        }


def parse_group_tables(body: Mapping[str, Any], settings: ApiSettings) -> GroupTables:
    """Reads a body; what its rows say is for the contract's checks.

    Raises:
        HttpProblem: 422 for another shape, a value of another kind, or too many rows.
    """
    _require_keys(body)
    as_of, language = _parse_options(body)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in BODY_TABLES}
    for key, table in SINGLE_ROW_KEYS.items():
        rows[table].append(_require_object(body[key], key))
    for key, table in ROW_LIST_KEYS.items():
        rows[table] += _require_rows(body.get(key), key, row_limit(table, settings))
    given = {name: _given_columns(rows[name], _COLUMN_NAMES[name]) for name in BODY_TABLES}
    return GroupTables(
        as_of,
        language,
        str(rows[GROUPS][0].get("group_id")),
        {name: _to_columns(TABLES[name], given[name], len(rows[name])) for name in BODY_TABLES},
        {
            key: found
            for key, table in KEYS.items()
            if not _COLUMN_NAMES[table].issuperset(given[table])
            and (found := _columns_not_read(body, key, table))
        },
    )


def _parse_options(body: Mapping[str, Any]) -> tuple[datetime, str | None]:
    as_of = to_instant(body["as_of"]) if isinstance(body.get("as_of"), str) else None
    if as_of is None:
        raise HttpProblem(
            422, "as_of: expected a date or time from 1990 to 2199 such as 2025-09-01T09:00:00Z"
        )
    language = body.get("language")
    if language is not None and not isinstance(language, str):
        raise HttpProblem(
            422, f"language: expected a text such as en, got {json_type_name(language)}"
        )
    return as_of, language


def _check_group_list(body: Mapping[str, Any]) -> None:
    """Refuses a body with several groups of another shape.

    Raises:
        HttpProblem: 422 for another shape, or more groups than `MAX_GROUPS`.
    """
    if GROUPS_KEY not in body:
        raise HttpProblem(422, f"expected a list of {GROUPS_KEY}, got none")
    for key in body:
        if key not in (*OPTION_KEYS, GROUPS_KEY):
            raise HttpProblem(
                422,
                f"expected the keys {', '.join((*OPTION_KEYS, GROUPS_KEY))} beside a list of "
                f"groups, got {shortened(key)!r}; a group's tables are in its own object",
            )
    _parse_options(body)
    groups = body[GROUPS_KEY]
    if not isinstance(groups, list):
        raise HttpProblem(
            422, f"{GROUPS_KEY}: expected a list of objects, got {json_type_name(groups)}"
        )
    if len(groups) > MAX_GROUPS:
        raise HttpProblem(
            422,
            f"{GROUPS_KEY}: expected at most {MAX_GROUPS} groups, got {len(groups):,}; send them "
            "in several bodies",
        )
    for number, group in enumerate(groups):
        own = _require_object(group, f"{GROUPS_KEY}[{number}]")
        for key in OPTION_KEYS:
            if key in own:
                raise HttpProblem(
                    422,
                    f"{GROUPS_KEY}[{number}]: expected {key} beside the list of groups, where it "
                    "is of all of them, got it in a group; move it",
                )


def parse_group_list(
    body: Mapping[str, Any], settings: ApiSettings
) -> list[GroupTables | HttpProblem]:
    """Reads the groups of a list; one that cannot be read is refused by itself.

    Args:
        body: `as_of`, `groups` and perhaps `language`; each group has the keys of a body of its own
            but the options.
        settings: [api] limits, of each group.

    Raises:
        HttpProblem: 422 for another shape, or more groups than `MAX_GROUPS`.
    """
    _check_group_list(body)
    options = {key: body[key] for key in OPTION_KEYS if key in body}
    return [_parse_listed_group(group, options, settings) for group in body[GROUPS_KEY]]


def _parse_listed_group(
    group: Mapping[str, Any], options: Mapping[str, Any], settings: ApiSettings
) -> GroupTables | HttpProblem:
    try:
        return parse_group_tables({**group, **options}, settings)
    except HttpProblem as problem:
        return problem


def _columns_not_read(body: Mapping[str, Any], key: str, table: str) -> tuple[str, ...]:
    value = body.get(key) or ()
    rows = (value,) if isinstance(value, dict) else value
    known = _COLUMN_NAMES[table]
    names = dict.fromkeys(name for row in rows if not known.issuperset(row) for name in row)
    return tuple(name for name in names if name not in known)


def row_location(table: str, row: int) -> str:
    """Where in the body a row of a table is.

    Args:
        table: of the contract.
        row: from 0.
    """
    single_key = next((key for key, name in SINGLE_ROW_KEYS.items() if name == table), None)
    if single_key is not None and row == 0:
        return single_key
    key = next(key for key, name in ROW_LIST_KEYS.items() if name == table)
    return f"{key}[{row - (single_key is not None)}]"


def _require_keys(body: Mapping[str, Any]) -> None:
    for key in body:
        if key not in KNOWN_KEYS:
            shown = shortened(key)
            raise HttpProblem(
                422,
                f"unknown key {shown!r} in the body; the nearest known one is "
                f"{nearest(shown, KNOWN_KEYS)!r}",
            )
    if missing := [key for key in REQUIRED_KEYS if body.get(key) is None]:
        raise HttpProblem(
            422,
            f"expected the keys {', '.join(REQUIRED_KEYS)} in the body, got no {missing[0]}; "
            "for no rows "
            "give an empty list",
        )


def row_limit(table: str, settings: ApiSettings) -> int:
    """How many rows of a table a key may have."""
    limits = {"members": settings.max_members, "activities": settings.max_activities}
    return limits.get(table, settings.max_rows)


def _require_object(value: Any, location: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise HttpProblem(422, f"{location}: expected an object, got {json_type_name(value)}")
    return value


def _require_rows(value: Any, key: str, limit: int) -> list[dict[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise HttpProblem(422, f"{key}: expected a list of objects, got {json_type_name(value)}")
    if len(value) > limit:
        raise HttpProblem(
            422,
            f"{key}: expected at most {limit:,} rows, got {len(value):,}; score it by the batch",
        )
    if _ONLY_OBJECTS.issuperset(map(type, value)):
        return value
    return [_require_object(row, f"{key}[{number}]") for number, row in enumerate(value)]


def _given_columns(
    rows: Sequence[dict[str, Any]], known: frozenset[str]
) -> Mapping[str, list[Any]]:
    """The columns that rows have, by name; null in a row without one.

    Those that are not known may be left out; `_NOT_READ` stands for them.
    """
    if not rows:
        return {}
    names = tuple(rows[0])
    # A program writes all of its rows in one way: then they turn into columns without a look-up.
    if all(map(names.__eq__, map(tuple, rows))):
        return dict(zip(names, map(list, zip(*map(dict.values, rows), strict=True)), strict=True))
    # Of what a table does not have nothing is made, for each row may have other names.
    every = dict.fromkeys(name for name in chain.from_iterable(rows) if name in known)
    found = {name: [row.get(name) for row in rows] for name in every}
    return found if all(map(known.issuperset, rows)) else {**found, _NOT_READ: []}


def _to_columns(table: Table, given: Mapping[str, list[Any]], size: int) -> ListTable:
    columns = {}
    nothing = [None] * size
    for column in table.columns:
        kinds = _JSON_TYPES[column.dtype]
        values = given.get(column.name, nothing)
        # Of the kinds, true is no number.
        if not kinds.issuperset(map(type, values)):
            number = next(n for n, value in enumerate(values) if type(value) not in kinds)
            raise HttpProblem(
                422,
                f"{row_location(table.name, number)}.{column.name}: expected "
                f"{_TYPE_DESCRIPTIONS[column.dtype]}, got "
                f"{json_type_name(values[number])}",
            )
        columns[column.name] = values
    return list_table(size, columns)
