"""The common body with a list of groups as Arrow's columns, as it was given.

Arrow's reader takes a tenth of the time of one that makes an object of every value. It knows a
body by its types alone and says little of one that it refuses, and it takes some that JSON does
not allow: so all that is unusual is left to `body_parsing` and `group_tables`, which say what is
wrong with it, or read it in their way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from ...contract import TABLES, Table
from ...settings import ApiSettings, to_instant
from .body_parsing import (
    ESCAPED_CONTROL,
    MAX_EXACT_INTEGER,
    holds_control_characters,
    require_few_values,
)
from .group_tables import (
    BODY_TABLES,
    GROUPS_KEY,
    KEYS,
    MAX_GROUPS,
    OPTION_KEYS,
    REQUIRED_KEYS,
    ROW_LIST_KEYS,
    SINGLE_ROW_KEYS,
    row_limit,
)
from .merged_groups import MARKS

DEPTH = 5  # a body, its groups, one of them, a list of rows, one of them
# Arrow's reader takes a pair of surrogates for its character, and refuses one that is alone.
_MAY_ESCAPE_CONTROL = re.compile(ESCAPED_CONTROL.encode())

_MAY_ESCAPE_MARK = re.compile(rb"\\u[eE]000")
"""What may stand for the first of `MARKS`."""

OBJECT = re.compile(rb"[ \t\r\n]*\{")
"""How an object begins; Arrow's reader ends the process where a body begins with null."""

_TYPES: Mapping[str, Any] = {
    "string": pa.string(),
    "timestamp": pa.string(),
    "float64": pa.float64(),
    "int64": pa.int64(),
    "boolean": pa.bool_(),
}
_NUMBERS = ("float64", "int64")
_ROW_TYPES = {
    name: pa.struct([(column.name, _TYPES[column.dtype]) for column in TABLES[name].columns])
    for name in BODY_TABLES
}
_GROUP_TYPE = pa.struct(
    [
        *((key, _ROW_TYPES[table]) for key, table in SINGLE_ROW_KEYS.items()),
        *((key, pa.list_(_ROW_TYPES[table])) for key, table in ROW_LIST_KEYS.items()),
    ]
)
SCHEMA = pa.schema(
    [*((key, pa.string()) for key in OPTION_KEYS), (GROUPS_KEY, pa.list_(_GROUP_TYPE))]
)
"""What Arrow's reader takes; another key or type is an error."""


class UnusualBodyError(Exception):
    """A body that is to be read in the careful way, which says why or reads it."""


@dataclass(frozen=True)
class GivenRows:
    """Rows of a table, those of each group together, in the order of the groups.

    Attributes:
        columns: of the contract, times as the texts that were given, numbers as their columns have
            them.
        owners: the place of the group of each row.
        starts: where the rows of each group begin, and where the last ones end.
    """

    columns: Mapping[str, pa.Array]
    owners: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]

    @property
    def size(self) -> int:
        """How many rows."""
        return len(self.owners)


@dataclass(frozen=True)
class BodyColumns:
    """What a body with a list of groups says.

    Attributes:
        as_of: the cut-off.
        language: of the words; None leaves it to the settings.
        group_ids: of each group to score.
        tables: that a body can fill.
    """

    as_of: datetime
    language: str | None
    group_ids: tuple[str, ...]
    tables: Mapping[str, GivenRows]


def read_body_columns(body: bytes, settings: ApiSettings) -> BodyColumns:
    """Reads a body with a list of groups.

    Args:
        body: JSON, perhaps.
        settings: [api] limits.

    Raises:
        UnusualBodyError: it is another body, or one that has to be looked at with more care.
        HttpProblem: 422 for more values than [api] max_values.
    """
    require_few_values(body, settings.max_values)
    if settings.max_depth < DEPTH:
        raise UnusualBodyError
    _require_usual_text(body)
    root = _read_json(body)
    as_of, language, groups = (root[key][0] for key in (*OPTION_KEYS, GROUPS_KEY))
    instant = to_instant(as_of.as_py())
    if instant is None or not groups.is_valid:
        raise UnusualBodyError
    listed = groups.values
    if not 1 <= len(listed) <= MAX_GROUPS or listed.null_count:
        raise UnusualBodyError
    tables = {name: _table_rows(name, listed, settings) for name in BODY_TABLES}
    group_ids = listed.field("buying_group").field("group_id")
    if group_ids.null_count:
        raise UnusualBodyError
    return BodyColumns(instant, language.as_py(), tuple(group_ids.to_pylist()), tables)


def _require_usual_text(body: bytes) -> None:
    """What Arrow's reader does not look at: bytes that are no text, and odd characters."""
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        raise UnusualBodyError from None
    if not OBJECT.match(body) or b"\0" in body or _MAY_ESCAPE_CONTROL.search(body):
        raise UnusualBodyError
    if holds_control_characters(body):
        raise UnusualBodyError
    if MARKS[0].encode() in body or _MAY_ESCAPE_MARK.search(body):
        raise UnusualBodyError


def _read_json(body: bytes) -> pa.Table:
    """A table of one row, which is the body."""
    try:
        root = pj.read_json(
            pa.BufferReader(body),
            # One block, as a row has to be in one.
            read_options=pj.ReadOptions(use_threads=False, block_size=len(body) + 1),
            parse_options=pj.ParseOptions(
                explicit_schema=SCHEMA, newlines_in_values=True, unexpected_field_behavior="error"
            ),
        )
        # Arrow's reader has made lists that are longer than their values; to read such is unsafe.
        root.validate(full=True)
    except (pa.ArrowException, OverflowError):
        raise UnusualBodyError from None
    if root.num_rows != 1:
        raise UnusualBodyError
    return root


def _table_rows(name: str, groups: pa.StructArray, settings: ApiSettings) -> GivenRows:
    """The rows of a table: of each group those of its keys, in their order."""
    limit = row_limit(name, settings)
    parts = [_key_rows(groups, key, limit) for key, table in KEYS.items() if table == name]
    places = np.arange(len(groups))
    owners = np.concatenate([np.repeat(places, lengths) for _rows, lengths in parts])
    rows = parts[0][0]
    if len(parts) > 1:
        order = np.argsort(owners, kind="stable")
        owners = owners[order]
        rows = pa.concat_arrays([rows for rows, _lengths in parts]).take(pa.array(order))
    columns = {column.name: rows.field(column.name) for column in TABLES[name].columns}
    _require_exact_numbers(TABLES[name], columns)
    starts = np.searchsorted(owners, np.arange(len(groups) + 1))
    return GivenRows(columns, owners, starts)


def _key_rows(
    groups: pa.StructArray, key: str, limit: int
) -> tuple[pa.StructArray, npt.NDArray[np.int64]]:
    """The rows of a key of all groups, and how many each group has."""
    given = groups.field(key)
    if key in REQUIRED_KEYS and given.null_count:
        raise UnusualBodyError
    if key in SINGLE_ROW_KEYS:
        return given, np.ones(len(groups), np.int64)
    lengths = pc.fill_null(pc.list_value_length(given), 0).to_numpy(zero_copy_only=False)
    rows = given.flatten()
    if rows.null_count or lengths.max() > limit:
        raise UnusualBodyError
    return rows, lengths.astype(np.int64)


def _require_exact_numbers(table: Table, columns: Mapping[str, pa.Array]) -> None:
    """Leaves large numbers, those that JSON does not have, and -0, which is whole or not."""
    for column in table.columns:
        if column.dtype not in _NUMBERS:
            continue
        numbers = pc.fill_null(columns[column.name], 0).to_numpy(zero_copy_only=False)
        exact = (numbers > -MAX_EXACT_INTEGER) & (numbers < MAX_EXACT_INTEGER)
        negative_zero = (numbers == 0) & np.signbit(numbers)
        if not exact.all() or negative_zero.any():
            raise UnusualBodyError
