"""Several groups' tables as one set of tables, in which no group sees another.

Ids are told apart by a mark before them; within a group they sort as they did. Solutions are known
by their ids to the settings and to the model, so they keep them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ...contract import TABLES, Column
from ...features.engines.python import ListTable, list_table
from ...source.null_texts import is_null_text
from .group_tables import BODY_TABLES, GroupTables

MAX_MERGED = 64  # groups; as many as are looked up and not scanned for
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
    """

    as_of: datetime
    marks: tuple[str, ...]
    group_ids: tuple[str, ...]
    tables: Mapping[str, ListTable]


@dataclass
class _Run:
    """Groups to score together, while they are chosen.

    Attributes:
        places: of the groups.
        solutions: rows of solutions by id.
        peers: solution and industry of every group in their tables.
    """

    places: list[int] = field(default_factory=list)
    solutions: dict[str, Any] = field(default_factory=dict)
    peers: set[tuple[str, str]] = field(default_factory=set)

    def takes(self, solutions: Mapping[str, Any], peers: set[tuple[str, str]]) -> bool:
        """Whether a group with these solutions and peers may come in."""
        clash = any(self.solutions.get(key, row) != row for key, row in solutions.items())
        return len(self.places) < MAX_MERGED and not clash and not self.peers & peers


def mergeable_runs(groups: Sequence[GroupTables]) -> list[list[int]]:
    """Places of groups that may be scored together, each place once.

    Groups that give one solution in two ways are not put together, nor are those for one solution
    in one industry, which would see each other's outcomes. One with other groups is alone, as what
    became of those is measured against all groups there are; so is one with ids of unusual length.
    """
    alone: list[list[int]] = []
    runs: list[_Run] = []
    for place, group in enumerate(groups):
        if _has_past(group) or _has_long_id(group):
            alone.append([place])
            continue
        solutions, peers = _solutions(group), _peers(group)
        run = next((one for one in runs if one.takes(solutions, peers)), None)
        if run is None:
            runs.append(run := _Run())
        run.places.append(place)
        run.solutions |= solutions
        run.peers |= peers
    return [*(run.places for run in runs), *alone]


def _peers(group: GroupTables) -> set[tuple[str, str]]:
    """Every solution of its groups with every industry of its accounts."""
    solutions = set(group.tables["buying_groups"].columns[SOLUTION_ID])
    industries = set(group.tables["accounts"].columns["industry"])
    return {(one, other) for one in solutions if one for other in industries if other}


def merge_groups(groups: Sequence[GroupTables]) -> MergedGroups:
    """One set of tables.

    Args:
        groups: of one cut-off, one of `mergeable_runs`.
    """
    marks = tuple(f"{MARKS[0]}{number:03}{MARKS[1]}" for number in range(len(groups)))
    tables = {name: _merge_table(name, groups, marks) for name in BODY_TABLES}
    ids = tuple(mark + group.group_id for mark, group in zip(marks, groups, strict=True))
    return MergedGroups(groups[0].as_of, marks, ids, tables)


def _merge_table(name: str, groups: Sequence[GroupTables], marks: Sequence[str]) -> ListTable:
    parts = [group.tables[name] for group in groups]
    if name == SOLUTIONS:
        return _merge_solutions(parts)
    columns = {}
    for column in TABLES[name].columns:
        marked = column.name.endswith("_id") and column.name != SOLUTION_ID
        columns[column.name] = [
            value
            for part, mark in zip(parts, marks, strict=True)
            for value in _mark_column(column, part.columns[column.name], mark if marked else "")
        ]
    return list_table(sum(part.size for part in parts), columns)


def _merge_solutions(parts: Sequence[ListTable]) -> ListTable:
    names = [column.name for column in TABLES[SOLUTIONS].columns]
    rows = [row for part in parts for row in zip(*(part.columns[n] for n in names), strict=True)]
    # Equal rows are one; two that a single group gives are left for the checks to refuse.
    repeated = any(len(set(part.columns[SOLUTION_ID])) < part.size for part in parts)
    kept = rows if repeated else list(dict.fromkeys(rows))
    columns = {name: [row[index] for row in kept] for index, name in enumerate(names)}
    return list_table(len(kept), columns)


def _mark_column(column: Column, values: Sequence[Any], mark: str) -> Sequence[Any]:
    if not mark:
        return values
    marked = {value: _marked(column, value, mark) for value in set(values)}
    return [marked[value] for value in values]


def _marked(column: Column, value: str | None, mark: str) -> str | None:
    if not value or is_null_text(value, words=not column.literal):
        return value
    return mark + value


def _solutions(group: GroupTables) -> dict[str, Any]:
    rows = group.tables[SOLUTIONS]
    names = [column.name for column in TABLES[SOLUTIONS].columns]
    return {row[0]: row for row in zip(*(rows.columns[name] for name in names), strict=True)}


def _has_past(group: GroupTables) -> bool:
    return group.tables["buying_groups"].size > 1


def _has_long_id(group: GroupTables) -> bool:
    ids = [
        [value for value in set(table.columns[name]) if value]
        for table in group.tables.values()
        for name in table.column_names
        if name.endswith("_id")
    ]
    return any(
        max(map(len, column), default=0) > MAX_ID_LENGTH or MARKS[0] in "".join(column)
        for column in ids
    )
