"""CSV for people: texts that a spreadsheet would run as formulas are defused."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .atomic_output import replaced_file

FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r")
"""What a text begins with that a spreadsheet takes for a formula (OWASP, CSV Injection)."""

BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"  # without it Excel does not see that it is UTF-8


def write_csv(path: Path, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A CSV file as `csv_text` writes it, in UTF-8."""
    with (
        replaced_file(path) as temporary_path,
        temporary_path.open("w", encoding="utf-8", newline="") as file,
    ):
        file.write(csv_text(names, rows))


def csv_text(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Rows as CSV with a header, after the mark that Excel needs.

    Numbers stay numbers; a text that begins like a formula gets an apostrophe before it.
    """
    text = io.StringIO(newline="")
    text.write(BYTE_ORDER_MARK)
    writer = csv.writer(text)
    writer.writerow([escape_formula(name) for name in names])
    writer.writerows([escape_formula(value) for value in row] for row in rows)
    return text.getvalue()


def escape_formula(value: Any) -> Any:
    """A value as a cell may hold it."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_PREFIXES) else value
