"""CSV for people: texts that a spreadsheet would run as formulas are defused."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ...support.atomic_output import replaced_file

FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r")
"""What a text begins with that a spreadsheet takes for a formula (OWASP, CSV Injection)."""


def write_csv(path: Path, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A CSV file with a header, in UTF-8 with the mark that Excel needs to see that.

    Numbers stay numbers; a text that begins like a formula gets an apostrophe before it.
    """
    with (
        replaced_file(path) as temporary_path,
        temporary_path.open("w", encoding="utf-8-sig", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow([escape_formula(name) for name in names])
        writer.writerows([escape_formula(value) for value in row] for row in rows)


def escape_formula(value: Any) -> Any:
    """A value as a cell may hold it."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_PREFIXES) else value
