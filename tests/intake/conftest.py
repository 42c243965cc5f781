"""Small exports written in the test, imported, and read back."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from mqbg.intake.importing import import_export
from mqbg.settings import settings_from_values
from mqbg.support.duckdb_sessions import open_session

sys.path.insert(0, str(Path(__file__).parent))  # small_exports.py is no package's module
from small_exports import write_export


class Imported:
    """An import's folder: its tables as lists of dictionaries."""

    def __init__(self, out: Path, report: dict):
        self.out, self.report = out, report

    def rows(self, table: str) -> list[dict]:
        folder = self.out / "import" if table in ("identities", "roles", "unplaced") else self.out
        with open_session() as con:
            found = con.read_parquet(str(folder / f"{table}.parquet"))
            columns = found.columns
            return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]

    def account_of_rows(self, source_table: str) -> dict:
        return next(one for one in self.report["tables"] if one["source_table"] == source_table)


@pytest.fixture(scope="session")
def taken_in():
    """Imports that only are read may be shared by tests."""
    return {}


@pytest.fixture
def take_in(tmp_path, taken_in):
    """Imports a small export; `into` continues in a folder of the test's own."""

    def imported(kind, tables, *, settings=None, into=None, **options):
        key = json.dumps(
            [kind, tables, settings, {name: str(one) for name, one in options.items()}]
        )
        if into is None and key in taken_in:
            return taken_in[key]
        place = len(list(tmp_path.iterdir()))
        out = tmp_path / (into or f"out-{place}")
        if into is not None and not out.exists():
            first = imported(kind, tables, settings=settings, **options)
            shutil.copytree(first.out, out)  # as the same import left it
            return Imported(out, first.report)
        report = import_export(
            kind, str(write_export(tmp_path / f"src-{place}", tables)), out,
            settings=settings_from_values({"import": settings or {}}, "test"), **options,
        )  # fmt: skip
        world = Imported(out, report)
        if into is None:
            taken_in[key] = world
        return world

    return imported
