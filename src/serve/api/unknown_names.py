"""What a body calls by names that the model, or the contract, does not know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import pyarrow.compute as pc

from ...contract import TABLES
from ...model.bundle import Bundle
from ...model.data_fit import request_warnings
from ...settings import to_instant
from ...settings.field_types import nearest
from ...source.spellings import shortened
from .group_tables import KEYS, GroupTables
from .listed_groups import ListedGroups
from .merged_groups import is_marked

MAX_WARNINGS = 20  # of one group


def name_warnings(group: GroupTables, bundle: Bundle) -> list[str]:
    """Sentences on columns that are not read, and on names that the model does not know.

    A misspelt role fills no place of the template and a misspelt kind no family, so the score falls
    and no number says why.

    Args:
        group: the tables.
        bundle: the model.
    """
    warnings: list[str] = []
    for key, names in group.columns_not_read.items():
        warnings += islice(_columns_not_read(key, names), MAX_WARNINGS)
    columns = {name: rows.columns for name, rows in group.tables.items()}
    unknown = request_warnings(columns, bundle)
    if unknown:  # seldom; only then is it worth reading when each activity was
        columns["activities"] = {"kind": _kinds_before(group)}
        unknown = request_warnings(columns, bundle)
    return [*warnings, *unknown][:MAX_WARNINGS]


def list_warnings(listed: ListedGroups, bundle: Bundle) -> list[list[str]]:
    """The same of each group of a list, whose columns are all of the contract.

    Where nothing is unknown in all of them together, nothing is in any.

    Args:
        listed: the groups.
        bundle: the model.
    """
    columns = {
        name: {
            column.name: pc.unique(rows.columns[column.name]).to_pylist()
            for column in TABLES[name].columns
            if column.dtype == "string" and not is_marked(column.name)
        }
        for name, rows in listed.given.items()
    }
    together = list(request_warnings(columns, bundle))
    if not together:
        return [[] for _group in listed.group_ids]
    return [
        name_warnings(listed.group_tables(place), bundle) for place in range(len(listed.group_ids))
    ]


def _kinds_before(group: GroupTables) -> list[str | None]:
    """Kinds of the activities that count; what came at or after the cut-off is not looked at."""
    activities = group.tables["activities"].columns
    return [
        kind
        for kind, *times in zip(
            activities["kind"], activities["occurred_at"], activities["recorded_at"], strict=True
        )
        if all(at < group.as_of for at in map(to_instant, filter(None, times)) if at is not None)
    ]


def _columns_not_read(key: str, names: Sequence[str]) -> Iterator[str]:
    known = TABLES[KEYS[key]].column_names
    for name in names:
        shown = shortened(name)
        yield (
            f"{key}: the column {shown!r} is not read; the nearest one of the contract is "
            f"{nearest(shown, known)!r}"
        )
