"""Groups of a list, by columns: what `merged_groups` and `body_values` make of the common body.

Those take the values one by one, which is most of the time that a long list takes before it is
scored. What is unusual here is left to them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ...contract import TABLES, Column
from ...features.engines.arrow import ArrowRows
from ...features.engines.python import list_table
from ...settings import ApiSettings
from ...source.null_texts import BLANKS, NULL_TEXTS
from ...source.staging import ROW_NUMBER
from .body_columns import GivenRows, UnusualBodyError, read_body_columns
from .body_values import Instants
from .group_tables import GROUPS, GroupTables
from .merged_groups import (
    MAX_ID_LENGTH,
    SOLUTION_ID,
    SOLUTIONS,
    group_marks,
    is_marked,
)

_NO_TEXT = pa.scalar(None, pa.string())
_BLANK_TEXTS = pa.array([""])
_NO_VALUES = pa.array(["", *NULL_TEXTS])


@dataclass(frozen=True)
class ListedGroups:
    """Groups of a body, in one set of tables in which no group sees another.

    Attributes:
        as_of: the cut-off of all.
        language: of the words; None leaves it to the settings.
        group_ids: as their senders call them, in the order of the body.
        marks: before the ids of each.
        tables: those with rows, with marked ids, as `ValueConverter` converts them.
        populations: of each row of `buying_groups`.
        given: all tables as they were given.
    """

    as_of: datetime
    language: str | None
    group_ids: tuple[str, ...]
    marks: tuple[str, ...]
    tables: Mapping[str, ArrowRows]
    populations: pa.Array
    given: Mapping[str, GivenRows] = field(repr=False)

    @property
    def ids(self) -> Mapping[str, str]:
        """Ids of the groups in the tables, and as their senders call them."""
        return {
            mark + group_id: group_id
            for mark, group_id in zip(self.marks, self.group_ids, strict=True)
        }

    def group_tables(self, place: int) -> GroupTables:
        """One group by itself, as `parse_group_tables` reads it; a whole number may be a float."""
        tables = {}
        for name, rows in self.given.items():
            start, stop = rows.starts[place : place + 2].tolist()
            columns = {
                column: values.slice(start, stop - start).to_pylist()
                for column, values in rows.columns.items()
            }
            tables[name] = list_table(stop - start, columns)
        return GroupTables(self.as_of, self.language, self.group_ids[place], tables)


def read_listed_groups(
    body: bytes, settings: ApiSettings, convert_times: Callable[[list[str]], Instants]
) -> ListedGroups | None:
    """The groups of a body, if it is a common one.

    Args:
        body: JSON, perhaps.
        settings: [api] limits.
        convert_times: what texts of times say that Arrow does not read (`ValueConverter`).

    Returns:
        None for a body that `parse_body` and `parse_group_list` have to look at: one that they
        refuse, of one group, with groups that cannot be scored together, or just unusual.

    Raises:
        HttpProblem: 422 for more values than [api] max_values.
    """
    try:
        given = read_body_columns(body, settings)
        _require_own_solutions(given.tables)
        marks = group_marks(len(given.group_ids))
        mark_texts = pa.array(marks, pa.string())
        tables = {
            name: _convert_rows(name, rows, mark_texts, convert_times)
            for name, rows in given.tables.items()
            if rows.size
        }
    except UnusualBodyError:
        return None
    populations = mark_texts.take(pa.array(given.tables[GROUPS].owners))
    return ListedGroups(
        given.as_of, given.language, given.group_ids, marks, tables, populations, given.tables
    )


def _convert_rows(
    name: str,
    rows: GivenRows,
    marks: pa.Array,
    convert_times: Callable[[list[str]], Instants],
) -> ArrowRows:
    """Rows of all groups with the contract's types, and each id with the mark of its group."""
    _require_usual_ids(rows)
    given, size = rows.columns, rows.size
    if name == SOLUTIONS:
        kept = pa.array(_kept_solutions(rows))
        given, size = {column: values.take(kept) for column, values in given.items()}, len(kept)
    row_marks = marks.take(pa.array(rows.owners))
    columns = {ROW_NUMBER: pa.array(np.arange(size, dtype=np.int64))}
    for column in TABLES[name].columns:
        values = given[column.name]
        if column.dtype == "string":
            texts = _clean_texts(column, values)
            columns[column.name] = _mark(row_marks, texts) if is_marked(column.name) else texts
            continue
        original = pa.nulls(size, pa.string())
        if column.dtype == "timestamp":
            instants = _canonical_instants(values)
            if instants is None:
                instants, original = _converted_times(values, convert_times)
            values = instants
        columns[column.name], columns[f"given_{column.name}"] = values, original
    return ArrowRows(size, columns, tuple(columns))


def _mark(marks: pa.Array, ids: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(marks, ids, "")


def _require_usual_ids(rows: GivenRows) -> None:
    for column, ids in rows.columns.items():
        if column.endswith("_id") and (pc.max(pc.utf8_length(ids)).as_py() or 0) > MAX_ID_LENGTH:
            raise UnusualBodyError


def _require_own_solutions(tables: Mapping[str, GivenRows]) -> None:
    """Leaves groups with a solution that another group may give: theirs have no mark."""
    solutions = tables[SOLUTIONS]
    known = solutions.columns[SOLUTION_ID].dictionary_encode(null_encoding="encode")
    count = len(known.dictionary)
    own = solutions.owners * count + known.indices.to_numpy()
    for name, rows in tables.items():
        if name == SOLUTIONS or SOLUTION_ID not in rows.columns:
            continue
        ids = rows.columns[SOLUTION_ID]
        is_given = pc.fill_null(pc.not_equal(ids, ""), False).to_numpy(zero_copy_only=False)
        numbers = pc.fill_null(pc.index_in(ids, known.dictionary), -1).to_numpy()
        is_own = (numbers >= 0) & np.isin(rows.owners * count + numbers, own)
        if not is_own[is_given].all():
            raise UnusualBodyError


def _kept_solutions(rows: GivenRows) -> npt.NDArray[np.int64]:
    """Places of the solutions, each once, in the order in which they are first given."""
    ids = _row_codes([rows.columns[SOLUTION_ID]])
    codes = _row_codes(list(rows.columns.values()))
    if codes.max() != ids.max():  # one is given in two ways
        raise UnusualBodyError
    by_group = rows.owners * (ids.max() + 1) + ids
    if len(np.unique(by_group)) < rows.size:  # twice in a group
        raise UnusualBodyError
    _codes, first_places = np.unique(codes, return_index=True)
    return np.sort(first_places)


def _row_codes(columns: Sequence[pa.Array]) -> npt.NDArray[np.int64]:
    """A number for each row, from 0, the same where all values are."""
    codes = np.zeros(len(columns[0]), np.int64)
    for values in columns:
        encoded = values.dictionary_encode(null_encoding="encode")
        combined = codes * len(encoded.dictionary) + encoded.indices.to_numpy()
        _combined, codes = np.unique(combined, return_inverse=True)
    return codes


def _clean_texts(column: Column, texts: pa.Array) -> pa.Array:
    """Texts, null where they stand for no value (`is_null_text`)."""
    no_values = _BLANK_TEXTS if column.literal else _NO_VALUES
    no_value = pc.is_in(pc.utf8_trim(texts, BLANKS), no_values)
    return pc.if_else(no_value, _NO_TEXT, texts) if pc.any(no_value).as_py() else texts


def _converted_times(
    texts: pa.Array, convert_times: Callable[[list[str]], Instants]
) -> tuple[pa.Array, pa.Array]:
    """Microseconds since 1970, and how those were given that may be no time."""
    encoded = texts.dictionary_encode()
    distinct = encoded.dictionary.to_pylist()
    found, originals = convert_times(distinct)
    instants = pa.array([found[text] for text in distinct], pa.int64())
    given = pa.array([originals.get(text) for text in distinct], pa.string())
    return instants.take(encoded.indices), given.take(encoded.indices)


def _canonical_instants(texts: pa.Array) -> pa.Array | None:
    """Microseconds since 1970 of times that need no rules; None where one of them does.

    They are those of `CANONICAL_TIMES`, whose pattern takes four times as long: of the forms that
    Arrow reads, one of the years 1000 to 2999 with a T, seconds and a Z is of that pattern.
    """
    try:
        instants = texts.cast(pa.timestamp("us", "UTC"))
    except pa.ArrowInvalid:  # no such day, or another form
        return None
    separators = pc.min_max(pc.find_substring(texts, "T")).as_py()
    if separators["min"] is not None:  # there are times
        ordered = pc.min_max(texts).as_py()
        canonical = (
            set(separators.values()) == {len("2000-01-01")}
            and pc.min(pc.binary_length(texts)).as_py() >= len("2000-01-01T00:00:00Z")
            and pc.all(pc.ends_with(texts, "Z")).as_py()
            and ordered["min"] >= "1"
            and ordered["max"] < "3"
        )
        if not canonical:
            return None
    return instants.cast(pa.int64())
