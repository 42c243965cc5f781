"""report.json and report.md: where every row went, what is missing, and what that costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb

from .findings import Rebuilt


def write_report(con: duckdb.DuckDBPyConnection, result: Rebuilt, out: Path) -> dict[str, Any]:
    """Write both reports into `out`; returns what report.json holds."""
    report = {
        "tables": _tables(con, result),
        "columns_not_read": {
            system: account["columns_not_read"]
            for system, account in sorted(result.accounts.items())
        },
        "missing": _missing(con, result),
        "costs": _costs(con, result),
        "counts": _counts(con, result),
    }
    (out / "report.json").write_text(
        json.dumps(report, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )
    (out / "report.md").write_text(_markdown(report), encoding="utf-8")
    return report


def _tables(con: duckdb.DuckDBPyConnection, result: Rebuilt) -> list[dict[str, Any]]:
    late: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for system, table, fate, count in con.sql(
        "SELECT system, source_table, fate, count(*) FROM late_fates "
        "WHERE fate IS NOT NULL GROUP BY ALL ORDER BY ALL"
    ).fetchall():
        late.setdefault((system, table), []).append((fate, count))
    rows = []
    for system, account in sorted(result.accounts.items()):
        for table in account["tables"]:
            unplaced, meaningless = dict(table["unplaced"]), dict(table["meaningless"])
            for fate, count in late.get((system, table["source_table"]), []):
                kind, _, reason = fate.partition(": ")
                where = unplaced if kind == "unplaced" else meaningless
                where[reason] = where.get(reason, 0) + count
            rows.append({
                "system": system, "source_table": table["source_table"], "read": table["read"],
                "used": table["read"] - sum(unplaced.values()) - sum(meaningless.values()),
                "unplaced": unplaced, "meaningless": meaningless,
            })  # fmt: skip
    return rows


def _one(con: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(con.sql(query).fetchall()[0][0])


def _counts(con: duckdb.DuckDBPyConnection, result: Rebuilt) -> dict[str, int]:
    counts = dict(result.counts)
    for table in ("accounts", "contacts", "buying_groups", "members", "activities", "stage_events"):
        counts[table] = _one(con, f"SELECT count(*) FROM contract.{table}")  # noqa: S608 - of six
    for name, in_words in (
        ("exact", "dated by the source"),
        ("first_seen", "first seen by an import"),
        ("inferred", "inferred"),
    ):
        counts[f"members whose date is {in_words}"] = (
            con.table("contract.members")
            .filter(f"joined_is = '{name}'")
            .count("*")
            .fetchall()[0][0]
        )
    counts["outcomes inferred from the date of closing"] = _one(
        con, "SELECT count(*) FROM contract.stage_events WHERE occurred_is = 'inferred'"
    )
    return counts


def _missing(con: duckdb.DuckDBPyConnection, result: Rebuilt) -> list[str]:
    missing = [
        f"{system}: {one['what']}"
        for system, account in sorted(result.accounts.items())
        for one in account["missing"]
    ]
    missing += [
        f"{row['system']}: {row['read']} of {row['read']} rows of {row['source_table']} "
        "point nowhere"
        for row in _tables(con, result)
        if row["read"] and sum(row["unplaced"].values()) == row["read"]
    ]  # fmt: skip
    if not _one(con, "SELECT count(*) FROM contract.activities"):
        missing.append("activities: none of the exports holds any")
    if not _one(con, "SELECT count(*) FROM contract.stage_events"):
        missing.append("stage events: none of the exports holds any, nor closed deals")
    if not _one(con, "SELECT count(*) FROM contract.buying_groups"):
        missing.append("buying groups: no deal has a company in the exports")
    return missing


def _costs(con: duckdb.DuckDBPyConnection, result: Rebuilt) -> list[str]:
    costs = [
        f"{system}: {one['costs']}"
        for system, account in sorted(result.accounts.items())
        for one in account["missing"]
    ]
    counts = _counts(con, result)
    members, inferred = counts["members"], counts["members whose date is inferred"]
    if inferred:
        costs.append(
            f"{inferred} of {members} members joined on a date that is inferred: it may be too "
            'early, which lets the future in; [import] inferred_joins = "late" or '
            '"exclude" are the careful ways'
        )
    outcomes = counts["outcomes inferred from the date of closing"]
    if outcomes:
        costs.append(
            f"{outcomes} outcomes are dated by the date of closing, which people write and change: "
            "the model learns when deals were said to close, to the day at best"
        )
    unknown = _one(con, "SELECT count(*) FROM contract.members WHERE role = 'unknown'")
    if unknown:
        costs.append(
            f"{unknown} of {members} members have neither a role nor a title: completeness cannot "
            "count them"
        )
    return costs


def _markdown(report: dict[str, Any]) -> str:
    lines = ["# What was imported", "", "| what | rows |", "|---|---|"]
    lines += [f"| {name} | {count} |" for name, count in sorted(report["counts"].items())]
    for title, key in (("Missing", "missing"), ("What that costs", "costs")):
        lines += ["", f"## {title}", ""]
        lines += [f"- {one}" for one in report[key]] or ["- nothing"]
    lines += [
        "",
        "## Where every row went",
        "",
        "| system | table | read | used | unplaced | meaningless |",
        "|---|---|---|---|---|---|",
    ]
    for row in report["tables"]:
        reasons = [
            "<br>".join(f"{name}: {count}" for name, count in sorted(row[key].items()))
            for key in ("unplaced", "meaningless")
        ]
        lines.append(
            f"| {row['system']} | {row['source_table']} | {row['read']} | {row['used']} "
            f"| {reasons[0]} | {reasons[1]} |"
        )
    lines += ["", "## Columns that nothing reads", ""]
    for system, tables in report["columns_not_read"].items():
        lines += [
            f"- {system}, {table}: {', '.join(names)}" for table, names in sorted(tables.items())
        ]
    return "\n".join(lines) + "\n"
