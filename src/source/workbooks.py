"""Excel workbooks: each sheet as a table of texts, its first row that is not empty the header."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pyarrow as pa
from python_calamine import CalamineError, CalamineWorkbook

_MAX_EXACT_INTEGER = 2**53
_SECOND = timedelta(seconds=1)

Cell = int | float | str | bool | time | date | datetime | timedelta | None


class UnreadableWorkbook(Exception):  # noqa: N818 - says what it is
    """A file that is no workbook, or asks for a password; its text says which."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet.

    Attributes:
        name: of the workbook and the sheet, for messages.
        header: names of the columns, without blanks around them.
        rows: columns `c0`, `c1` ... of texts, one for each name; empty cells are null.
    """

    name: str
    header: tuple[str, ...]
    rows: pa.Table


def is_workbook(path: Path) -> bool:
    """Whether the file's name is that of a workbook."""
    return path.suffix.lower() == ".xlsx"


def read_sheets(path: Path, wanted: Collection[str]) -> dict[str, Sheet]:
    """The sheets of a workbook that are called like one of `wanted`, whatever their case.

    A workbook that is itself called so and has no such sheet gives its first one.

    Raises:
        UnreadableWorkbook: the file is damaged, no workbook, or protected by a password.
    """
    try:
        with CalamineWorkbook.from_path(path) as workbook:
            names = {name: name.strip().lower() for name in workbook.sheet_names}
            chosen = {table: name for name, table in names.items() if table in wanted}
            own = path.stem.lower()
            if own in wanted and own not in chosen and names:
                chosen = {**chosen, own: next(iter(names))}
            return {
                table: _sheet(f"{path.name}, sheet {name}", _rows(workbook, name))
                for table, name in chosen.items()
            }
    except (CalamineError, OSError) as error:
        raise UnreadableWorkbook(f"{path.name}: {error}") from None


def _rows(workbook: CalamineWorkbook, name: str) -> list[list[Cell]]:
    rows: list[list[Cell]] = [
        list(row) for row in workbook.get_sheet_by_name(name).to_python(skip_empty_area=True)
    ]
    return [row for row in rows if any(cell not in ("", None) for cell in row)]


def _sheet(name: str, rows: list[list[Cell]]) -> Sheet:
    header = tuple(cell_text(cell).strip() for cell in rows[0]) if rows else ()
    body = rows[1:]
    columns = {
        f"c{i}": pa.array(
            [cell_text(row[i]) if i < len(row) else None for row in body], pa.string()
        )
        for i in range(len(header))
    }
    return Sheet(name, header, pa.table(columns))


def _text_at(row: list[Cell], place: int) -> str | None:
    return cell_text(row[place]) if place < len(row) else None


def cell_text(cell: Cell) -> str:
    """A cell as a CSV would have it: whole numbers without a point, times in ISO 8601."""
    match cell:
        case None:
            return ""
        case bool():
            return "true" if cell else "false"
        case float() if cell.is_integer() and abs(cell) < _MAX_EXACT_INTEGER:
            return str(int(cell))
        case datetime() | date() | time():
            return cell.isoformat()
        case timedelta():
            return str(cell / _SECOND)
        case _:
            return str(cell)
