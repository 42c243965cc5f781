"""Which raw table is which table of which shape: by columns, by name where columns are equal."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ..contract import BadInput
from .reading import RawTable
from .shapes import Shape, TableShape, normalise_header, shapes_of

_CONNECTOR_MARKS = ("fivetran", "airbyte", "dlt")


@dataclass(frozen=True)
class Recognised:
    """The tables of one export.

    Attributes:
        shape: of the whole export.
        tables: each table's raw tables, by the table's name.
        unknown: raw tables that are none of the shape's.
    """

    shape: Shape
    tables: dict[str, list[RawTable]]
    unknown: list[RawTable]


def recognise(raws: Sequence[RawTable], kind: str) -> Recognised:
    """The shape of KIND that explains most of the tables.

    Raises:
        BadInput: no shape of the kind explains any; says which other kind would.
    """
    found = _best(raws, shapes_of(kind))
    other = None if kind == "auto" else _best(raws, shapes_of("auto"))
    if found is not None and not _explains_more(other, found):
        return found
    names = ", ".join(sorted(raw.name for raw in raws)[:5])
    if other is not None:
        raise BadInput(
            f"import: expected an export of {kind}, but {names} look like {other.shape.title}: "
            f"run `mqbg import {other.shape.kind} ...`"
        )
    raise BadInput(
        f"import: no table of {names} is known by its columns; map them in [import.columns] and "
        "run `mqbg import files ...`"
    )


def _explains_more(other: Recognised | None, found: Recognised) -> bool:
    """Whether the export is more likely another system's: single tables look alike everywhere."""
    if other is None or other.shape.kind == found.shape.kind:
        return False
    return _explained(other)[0] > 2 * _explained(found)[0] or _columns_read(
        other
    ) > 2 * _columns_read(found)


def _columns_read(found: Recognised) -> int:
    """How many columns of its tables a shape knows."""
    return sum(
        _known(found.shape.tables[name], frozenset(map(normalise_header, raw.columns)))
        for name, raws in found.tables.items()
        for raw in raws
    )


def _known(table: TableShape, headers: frozenset[str]) -> int:
    return sum(1 for names in table.columns.values() if not headers.isdisjoint(names))


def _best(raws: Sequence[RawTable], shapes: Sequence[Shape]) -> Recognised | None:
    tried = [_assign(raws, shape) for shape in shapes]
    best = max(tried, key=_explained, default=None)
    return best if best is not None and best.tables else None


def _explained(found: Recognised) -> tuple[int, int, int, bool]:
    """How well a shape explains the tables, the best being the largest.

    Of shapes that explain them alike, the one with local times: it is refused without a zone,
    where the other would take local times for UTC.
    """
    headers = {
        normalise_header(column)
        for raws in found.tables.values()
        for raw in raws
        for column in raw.columns
    }
    marked = sum(1 for mark in found.shape.marks if any(one.startswith(mark) for one in headers))
    against = any(one.startswith(mark) for mark in found.shape.marks_against for one in headers)
    tables = sum(map(len, found.tables.values()))
    return (0 if against else tables, marked, tables, found.shape.local_times)


def _assign(raws: Sequence[RawTable], shape: Shape) -> Recognised:
    tables: dict[str, list[RawTable]] = {}
    unknown = []
    for raw in raws:
        headers = frozenset(map(normalise_header, raw.columns))
        fitting = [
            table for table in shape.tables.values()
            if table.fits(headers, named=_named(raw.name, table) == 2)
        ]  # fmt: skip
        if not fitting:
            unknown.append(raw)
            continue
        chosen = max(fitting, key=lambda table: _likeness(raw, table, headers))
        tables.setdefault(chosen.name, []).append(raw)
    return Recognised(shape, tables, unknown)


def _likeness(raw: RawTable, table: TableShape, headers: frozenset[str]) -> tuple[int, int, int]:
    return (_named(raw.name, table), len(table.needs), _known(table, headers))


def _named(name: str, table: TableShape) -> int:
    """2 where the file's name is the table's, 1 where it is among its words, else 0."""
    words = re.sub(r"[^\w]+|\d+$", "_", name.lower()).strip("_")
    flat = normalise_header(words)
    best = 0
    for one in map(normalise_header, (table.name, *table.names)):
        if flat == one or re.fullmatch(
            rf"(sf|salesforce|hubspot|marketo|pardot)?{one}(s|data|\d+)*", flat
        ):
            best = 2
        elif one in flat and best == 0:
            best = 1
    return best


def columns_not_read(found: Recognised) -> dict[str, list[str]]:
    """The headers that nothing reads, by table."""
    result = {}
    for name, raws in sorted(found.tables.items()):
        shape = found.shape.tables[name]
        read = {alias for names in shape.columns.values() for alias in names}
        left = Counter(
            column
            for raw in raws
            for column in raw.columns
            if normalise_header(column) not in read
            and not normalise_header(column).startswith(_CONNECTOR_MARKS)
            and not (shape.unpivot and re.search(shape.unpivot, column))
        )
        if left:
            result[name] = sorted(left)
    return result
