"""Several groups' tables as one set of tables, in which no group sees another.

Ids are told apart by a mark before them; within a group they sort as they did. Solutions are known
by their ids to the settings and to the model, so they keep them. What measures a group against all
others reads those of its population, which each is by itself (`features.tables.populations`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

from ...contract import TABLES, Column
from ...features.engines.python import ListTable, list_table
from ...source.null_texts import are_plain_texts, is_null_text
from .group_tables import BODY_TABLES, GROUPS, GroupTables

MAX_MERGED = 64  # groups; with more at a time nothing is gained
MAX_ID_LENGTH = 100  # characters of an id: sentences cut what is longer, with the mark sooner
MARKS = ("\ue000", "\ue001")  # of Unicode's private use: no name holds them
SOLUTIONS, SOLUTION_ID = "solutions", "solution_id"


@dataclass(frozen=True)
class MergedGroups:
    """Tables of several groups.

    Attributes:
        as_of: the cut-off of all.
        marks: before the ids of each group.
        group_ids: marked, in the order of the groups.
        tables: of the contract.
        populations: of each row of `buying_groups`.
    """

    as_of: datetime
    marks: tuple[str, ...]
    group_ids: tuple[str, ...]
    tables: Mapping[str, ListTable]
    populations: Sequence[str]


def mergeable_runs(groups: Sequence[GroupTables]) -> list[list[int]]:
    """Places of groups that may be scored together, each place once.

    Groups that give one solution in two ways are not put together; one with ids of unusual length,
    with a mark in a text, or with a solution that it does not give itself is alone.
    """
    alone: list[list[int]] = []
    runs: list[tuple[list[int], dict[str, Any]]] = []
    for place, group in enumerate(groups):
        if _has_long_id(group) or _holds_mark(group) or _has_foreign_solution(group):
            alone.append([place])
            continue
        own = _solutions(group)
        for places, solutions in runs:
            alike = all(solutions.get(key, row) == row for key, row in own.items())
            if alike and len(places) < MAX_MERGED:
                break
        else:
            runs.append(([], {}))
            places, solutions = runs[-1]
        places.append(place)
        solutions |= own
    return [*(places for places, _solutions in runs), *alone]


def merge_groups(groups: Sequence[GroupTables]) -> MergedGroups:
    """One set of tables, in which each group is a population of its own.

    Args:
        groups: of one cut-off, one of `mergeable_runs`.
    """
    marks = group_marks(len(groups))
    tables = {name: _merge_table(name, groups, marks) for name in BODY_TABLES}
    ids = tuple(mark + group.group_id for mark, group in zip(marks, groups, strict=True))
    populations = [
        mark
        for group, mark in zip(groups, marks, strict=True)
        for _row in range(group.tables[GROUPS].size)
    ]
    return MergedGroups(groups[0].as_of, marks, ids, tables, populations)


def group_marks(count: int) -> tuple[str, ...]:
    """What is put before the ids of each of some groups."""
    return tuple(f"{MARKS[0]}{number:03}{MARKS[1]}" for number in range(count))


def is_marked(column: str) -> bool:
    """Whether a column holds ids that are told apart by a mark."""
    return column.endswith("_id") and column != SOLUTION_ID


def _merge_table(name: str, groups: Sequence[GroupTables], marks: Sequence[str]) -> ListTable:
    parts = [group.tables[name] for group in groups]
    if name == SOLUTIONS:
        return _merge_solutions(parts)
    columns = {}
    for column in TABLES[name].columns:
        values = [part.columns[column.name] for part in parts]
        if is_marked(column.name):
            distinct = [group.distinct_ids[name, column.name] for group in groups]
            values = _mark_columns(column, values, distinct, marks)
        columns[column.name] = list(chain.from_iterable(values))
    return list_table(sum(part.size for part in parts), columns)


def _mark_columns(
    column: Column,
    parts: Sequence[list[Any]],
    distinct: Sequence[Mapping[Any, None]],
    marks: Sequence[str],
) -> list[list[Any]]:
    """Ids of each group, with its mark before them."""
    every = set().union(*distinct)
    texts = every - {None, ""}
    plain = are_plain_texts(texts, words=not column.literal)
    found: list[list[Any]] = []
    for values, ids, mark in zip(parts, distinct, marks, strict=True):
        if plain and len(texts) == len(every) and len(ids) == len(values):
            found.append(list(map(mark.__add__, values)))  # keys, of which no two are alike
            continue
        if plain:
            marked = {value: mark + value if value else value for value in ids}
        else:
            marked = {value: _marked(column, value, mark) for value in ids}
        found.append(list(map(marked.__getitem__, values)))
    return found


def _merge_solutions(parts: Sequence[ListTable]) -> ListTable:
    names = [column.name for column in TABLES[SOLUTIONS].columns]
    rows = [row for part in parts for row in zip(*(part.columns[n] for n in names), strict=True)]
    # Equal rows are one; two that a single group gives are left for the checks to refuse.
    repeated = any(len(set(part.columns[SOLUTION_ID])) < part.size for part in parts)
    kept = rows if repeated else list(dict.fromkeys(rows))
    columns = {name: [row[index] for row in kept] for index, name in enumerate(names)}
    return list_table(len(kept), columns)


def _marked(column: Column, value: str | None, mark: str) -> str | None:
    if not value or is_null_text(value, words=not column.literal):
        return value
    return mark + value


def _solutions(group: GroupTables) -> dict[str, Any]:
    rows = group.tables[SOLUTIONS]
    names = [column.name for column in TABLES[SOLUTIONS].columns]
    return {row[0]: row for row in zip(*(rows.columns[name] for name in names), strict=True)}


def _has_long_id(group: GroupTables) -> bool:
    return any(
        max(map(len, filter(None, distinct)), default=0) > MAX_ID_LENGTH
        for distinct in group.distinct_ids.values()
    )


def _holds_mark(group: GroupTables) -> bool:
    return any(
        MARKS[0] in "".join(filter(None, rows.columns[column.name]))
        for name, rows in group.tables.items()
        for column in TABLES[name].columns
        if column.dtype == "string"
    )


def _has_foreign_solution(group: GroupTables) -> bool:
    """Whether a row is of a solution that another group might give: theirs have no mark."""
    own = {None, "", *group.tables[SOLUTIONS].columns[SOLUTION_ID]}
    return any(
        not own.issuperset(distinct)
        for (name, column), distinct in group.distinct_ids.items()
        if column == SOLUTION_ID and name != SOLUTIONS
    )
