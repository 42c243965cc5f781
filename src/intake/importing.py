"""`mqbg import`: stage one system, and rebuild the contract's tables from all that are staged."""

from __future__ import annotations

import json
import shutil
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from ..contract import TABLES, BadInput
from ..settings import Settings
from ..support.atomic_output import replaced_folder
from ..support.duckdb_sessions import open_session
from .decisions import COLUMNS, REVIEW_COLUMNS, read_decisions, write_rows
from .findings import Rebuilt
from .rebuild import copy_staged, rebuild, write_tables
from .report import write_report
from .staging import connect, stage

_OURS = {"import", *(f"{name}.parquet" for name in TABLES)}


def import_export(
    kind: str,
    src: str,
    out: Path,
    *,
    system: str | None = None,
    as_of: datetime | None = None,
    settings: Settings | None = None,
) -> dict[str, Any]:
    """Take one export into OUT.

    Args:
        kind: hubspot, salesforce, marketo, account_engagement, files or auto.
        src: folder, zip, file, DuckDB file or database URL.
        out: a new folder, or one of an earlier import; the other systems in it are kept.
        system: the name it is staged under; the same name again replaces it. None: its kind.
        as_of: the instant of the export; None: its newest timestamp.
        settings: the section `imports` counts.

    Returns:
        what report.json holds.

    Raises:
        BadInput: the export cannot be read or is another system's, or OUT is not ours.
    """
    settings = settings or Settings()
    if system is not None and (
        not system or any(one in system for one in "/\\:'\" ") or system.startswith(".")
    ):
        raise BadInput(
            f"import: expected --system to be a plain name without /, : and blanks, got {system!r}"
        )
    old = out / "import"
    with replaced_folder(out, _OURS.__contains__) as new, tempfile.TemporaryDirectory() as scratch:
        side = new / "import"
        staged = side / "staged"
        decisions = read_decisions(old)
        fresh = Path(scratch) / "fresh"
        fresh.mkdir()
        done = stage(kind, src, fresh, system=system, as_of=as_of, settings=settings)
        _sightings(done.folder, old / "staged" / done.system, done.as_of)
        copy_staged(old / "staged", staged, but=done.system)
        shutil.move(done.folder, staged / done.system)
        con = connect(Path(scratch))
        try:
            result = rebuild(con, staged, old / "identities.parquet", decisions, settings)
            write_tables(con, new)
            report = write_report(con, result, side)
        finally:
            con.close()
        write_rows(side / "decisions.csv", COLUMNS, list(decisions.rows()))
        _write_review(result, side)
        return report


def _write_review(result: Rebuilt, side: Path) -> None:
    rows: list[tuple[object, ...]] = [
        tuple({"decision": "", **one}[name] for name in REVIEW_COLUMNS) for one in result.review
    ]
    write_rows(side / "review.csv", REVIEW_COLUMNS, rows)


def _sightings(folder: Path, before: Path, as_of: datetime) -> None:
    """When each member of a deal was first in an import of this system, and when imports began."""
    account = json.loads((folder / "account.json").read_text(encoding="utf-8"))
    first = as_of
    con = open_session()
    try:
        seen = con.read_parquet(str(folder / "deal_people.parquet")).project(
            "deal_id, person_table, person_id, "
            f"TIMESTAMP '{as_of.isoformat(sep=' ')}' AS first_seen_at"
        )
        if (before / "account.json").is_file():
            earlier = json.loads((before / "account.json").read_text(encoding="utf-8"))
            first = min(first, datetime.fromisoformat(earlier["first_as_of"]))
            seen = seen.union(con.read_parquet(str(before / "sightings.parquet")))
        seen.aggregate(
            "deal_id, person_table, person_id, min(first_seen_at) AS first_seen_at"
        ).order("deal_id, person_table, person_id").write_parquet(
            str(folder / "sightings.parquet"), compression="zstd"
        )
    finally:
        con.close()
    account["first_as_of"] = first.isoformat()
    (folder / "account.json").write_text(
        json.dumps(account, ensure_ascii=False, indent=1, sort_keys=True), encoding="utf-8"
    )
