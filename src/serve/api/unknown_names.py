"""What a body calls by names that the model, or the contract, does not know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from ...contract import TABLES
from ...model.bundle import Bundle
from ...model.known_names import model_spellings
from ...settings.field_types import nearest
from .group_tables import KEYS, GroupTables

NAME_COLUMNS = ("members.role", "activities.kind")
MAX_WARNINGS = 20  # of one group
MAX_SHOWN_LENGTH = 60  # characters of a name


def name_warnings(group: GroupTables, bundle: Bundle) -> list[str]:
    """A sentence for each role and kind that the model does not know, and for each other column.

    A misspelt role fills no place of the template and a misspelt kind no family, so the score falls
    and no number says why.

    Args:
        group: the tables.
        bundle: the model.
    """
    known_names = model_spellings(bundle)
    warnings: list[str] = []
    for key, names in group.columns_not_read.items():
        warnings += islice(_columns_not_read(key, names), MAX_WARNINGS)
    for place in NAME_COLUMNS:
        table, column = place.split(".")
        values = group.tables[table].columns[column]
        warnings += islice(_unknown_values(place, values, known_names[place]), MAX_WARNINGS)
    return warnings[:MAX_WARNINGS]


def _unknown_values(
    place: str, values: Sequence[str | None], known: Sequence[str]
) -> Iterator[str]:
    if not known:
        return
    for name in sorted({value for value in values if value} - set(known)):
        shown = _shortened(name)
        yield (
            f"{place}: the model does not know {shown!r}; the nearest name that it knows is "
            f"{nearest(shown, known)!r}"
        )


def _columns_not_read(key: str, names: Sequence[str]) -> Iterator[str]:
    known = TABLES[KEYS[key]].column_names
    for name in names:
        shown = _shortened(name)
        yield (
            f"{key}: the column {shown!r} is not read; the nearest one of the contract is "
            f"{nearest(shown, known)!r}"
        )


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_SHOWN_LENGTH else text[: MAX_SHOWN_LENGTH - 1] + "…"
