"""One export as evidence on disk, with an account of every row that was read."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from ..contract import LATEST, BadInput
from ..settings import Settings
from .evidence import EVIDENCE
from .mapped_files import insert_mapped, mapped_tables
from .reading import read_raw
from .recognition import Recognised, columns_not_read, recognise
from .shapes import Shape
from .sql_files import sql_text
from .views import key_text, make_views

_TIMES = ("created_at", "occurred_at", "recorded_at", "joined_at", "changed_at", "ended_at")


@dataclass(frozen=True)
class Staged:
    """What one export was turned into.

    Attributes:
        system: its name.
        as_of: the instant of the export.
        folder: holds the tables of evidence as Parquet, unplaced.parquet and account.json.
    """

    system: str
    as_of: datetime
    folder: Path


def connect(scratch: Path) -> duckdb.DuckDBPyConnection:
    """A DuckDB of our own with the macros, that spills to `scratch`."""
    con = duckdb.connect(str(scratch / "work.duckdb"))
    con.execute(
        "SET TimeZone = 'UTC'; SET preserve_insertion_order = true; SET enable_progress_bar = false"
    )
    con.execute("SET VARIABLE zone = 'UTC'; SET VARIABLE null_texts = CAST([] AS VARCHAR[])")
    con.execute(sql_text("macros"))
    return con


def stage(
    kind: str,
    src: str,
    folder: Path,
    *,
    system: str | None,
    as_of: datetime | None,
    settings: Settings,
) -> Staged:
    """Read an export of one system and write it as evidence.

    Args:
        kind: KIND of the command.
        src: folder, file or database.
        folder: where the folders of all systems are; this one's is replaced.
        system: its name; None is the kind that was found.
        as_of: the instant of the export; None is its newest timestamp.
        settings: zone, solution property.

    Raises:
        BadInput: nothing can be read or recognised, or local times have no zone.
    """
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        con = connect(scratch)
        try:
            raws = read_raw(con, src, scratch)
            found = (
                mapped_tables(raws, settings.imports) if kind == "files" else recognise(raws, kind)
            )
            _set_zone(con, found.shape, settings)
            make_views(con, found, settings.imports.solution_property)
            _make_evidence(con, found.shape)
            if kind == "files":
                insert_mapped(con, settings.imports)
            newest = as_of or _newest(con, found.shape)
            target = folder / (system or found.shape.kind)
            _write(con, target, found, newest)
            return Staged(system or found.shape.kind, newest, target)
        finally:
            con.close()


def _set_zone(con: duckdb.DuckDBPyConnection, shape: Shape, settings: Settings) -> None:
    nulls = ", ".join("'" + one.replace("'", "''") + "'" for one in shape.null_texts)
    con.execute(f"SET VARIABLE null_texts = CAST([{nulls}] AS VARCHAR[])")
    if not shape.local_times:
        return
    zone = settings.imports.timezone
    if zone is None:
        raise BadInput(
            f"import: {shape.title} gives local times without a zone: set [import] timezone, such "
            'as "Asia/Tokyo", in mqbg.toml'
        )
    con.execute("SET VARIABLE zone = ?", [zone])


def _make_evidence(con: duckdb.DuckDBPyConnection, shape: Shape) -> None:
    con.execute("CREATE SCHEMA evidence")
    if shape.macros:
        con.execute(shape.macros)
    for table, columns in EVIDENCE.items():
        declared = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
        con.execute(f"CREATE TABLE evidence.{table} ({declared})")
        if table in shape.queries:
            con.execute(f"INSERT INTO evidence.{table} BY NAME ({shape.queries[table].rstrip()})")


def _newest(con: duckdb.DuckDBPyConnection, shape: Shape) -> datetime:
    """The newest timestamp that the system itself wrote; planned meetings and closings are none."""
    newest = [
        con.table(f'versions."{name}"')
        .filter("changed IS NOT NULL")
        .aggregate("max(moment(changed))")
        .fetchall()[0][0]
        for name in shape.tables
    ]
    for table, columns in EVIDENCE.items():
        for column in _TIMES:
            if column in columns and (
                shape.past_only or (table, column) != ("activities", "occurred_at")
            ):
                rows = con.table(f"evidence.{table}")
                if "fate" in columns:  # an open task is due in the future
                    rows = rows.filter("fate IS NULL")
                newest.append(rows.aggregate(f"max({column})").fetchall()[0][0])
    if not any(newest[: len(shape.tables)]):  # no table says when it was changed
        ended = con.table("evidence.deals").filter("fate IS NULL AND state IN ('won', 'lost')")
        newest.append(ended.aggregate("max(closed_at)").fetchall()[0][0])
    known = [one for one in newest if one is not None and one < LATEST]
    if not known:
        known = [
            one
            for (one,) in con.sql("SELECT max(occurred_at) FROM evidence.activities").fetchall()
            if one
        ]
    if not known:
        raise BadInput(
            "import: the export holds no timestamp at all: give its instant with --as-of"
        )
    newest_known: datetime = max(known)
    return newest_known


def _write(
    con: duckdb.DuckDBPyConnection, target: Path, found: Recognised, as_of: datetime
) -> None:
    target.mkdir(parents=True)
    outcomes = sql_text("outcomes")
    con.execute(outcomes)
    tables = [_account(con, name, found) for name in found.tables]
    for raw in found.unknown:
        rows = con.table(raw.relation).count("*").fetchall()[0][0]
        tables.append({
            "source_table": raw.name, "read": rows, "unplaced": {},
            "meaningless": {"table that no rule reads": rows} if rows else {},
        })  # fmt: skip
    for table, columns in EVIDENCE.items():
        names = ", ".join(f'"{one}"' for one in columns if one != "fate")
        (
            con.table(f"evidence.{table}")
            .filter("fate IS NULL OR fate = 'extra'" if "fate" in columns else "true")
            .project(names).distinct().order(names)
            .write_parquet(str(target / f"{table}.parquet"), compression="zstd")
        )  # fmt: skip
    con.sql("SELECT source_table, source_id, reason FROM unplaced_rows ORDER BY ALL").write_parquet(
        str(target / "unplaced.parquet"), compression="zstd"
    )
    account = {
        "kind": found.shape.kind,
        "shape": found.shape.name,
        "title": found.shape.title,
        "as_of": as_of.isoformat(),
        "tables": sorted(tables, key=lambda one: str(one["source_table"])),
        "columns_not_read": columns_not_read(found),
        "absent": sorted(set(found.shape.tables) - set(found.tables)),
        "missing": [
            dict(one) for one in found.shape.missing
            if not any(name in found.tables for name in one["unless"].split())
        ],
    }  # fmt: skip
    (target / "account.json").write_text(
        json.dumps(account, ensure_ascii=False, indent=1, sort_keys=True), encoding="utf-8"
    )


def _account(con: duckdb.DuckDBPyConnection, name: str, found: Recognised) -> dict[str, object]:
    """How many rows of a table were read, and why some of them are not used."""
    shape = found.shape.tables[name]
    rows = con.table(f'versions."{name}"')
    read = rows.count("*").fetchall()[0][0]
    without_key = rows.filter(f"{key_text(shape)} IS NULL").count("*").fetchall()[0][0]
    kept = con.table(f'src."{name}"').count("*").fetchall()[0][0]
    earlier = read - without_key - kept
    fates = con.execute(
        "SELECT fate, count(*) FROM outcomes WHERE source_table = ? GROUP BY fate ORDER BY fate",
        [name],
    ).fetchall()
    meaningless = {
        fate.removeprefix("meaningless: "): count
        for fate, count in fates
        if fate and fate.startswith("meaningless: ")
    }
    unplaced = {
        fate.removeprefix("unplaced: "): count
        for fate, count in fates
        if fate and fate.startswith("unplaced: ")
    }
    silent = kept - sum(count for _fate, count in fates)
    by_rule = {
        "row that is there twice, or an earlier version of one": earlier,
        "row without an id": without_key,
        "row that no rule needs": silent,
    }
    meaningless |= {rule: count for rule, count in by_rule.items() if count > 0}
    return {"source_table": name, "read": read, "meaningless": meaningless, "unplaced": unplaced}
