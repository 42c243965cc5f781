"""`mqbg init`: settings to begin with, from what an import found."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from ..settings import DEFAULT_ACTIVITY_KINDS
from .roles.crm_values import BLOCKER

WON, LOST, UNKNOWN = "won", "lost", "unknown"

# What a kind that nobody has set most likely is, by words of its name.
_SUGGESTED: tuple[tuple[str, str, float, str], ...] = (
    (r"sales_|_sent|made|outbound", "outbound", 0.0, "touch"),
    (r"reply|received", "inbound", 20.0, "email"),
    (r"open", "inbound", 2.0, "email"),
    (r"click", "inbound", 10.0, "web"),
    (r"register", "inbound", 10.0, "event"),
    (r"webinar|event|campaign_response", "inbound", 40.0, "event"),
    (r"video|download", "inbound", 20.0, "content"),
    (r"form|chat|inquiry", "inbound", 40.0, "form"),
)


def first_settings(imported: Path, timezone: str | None) -> str:
    """The text of a commented mqbg.toml for the tables in `imported`.

    Args:
        imported: the folder that an import wrote.
        timezone: of the local times, if the export has any.
    """
    with duckdb.connect() as con:
        stages = _counts(con, imported / "stage_events.parquet", "stage")
        kinds = _counts(con, imported / "activities.parquet", "kind")
        roles = _counts(con, imported / "members.parquet", "role")
        solutions = _counts(con, imported / "buying_groups.parquet", "solution_id")
    return "\n".join(
        (
            "# Written by `mqbg init`: what was found, and what it most likely means.",
            "# Change what is wrong.",
            *_target(stages),
            *_roles(roles),
            *_kinds(kinds),
            *_import(timezone, solutions),
            "",
        )
    )


def _counts(con: duckdb.DuckDBPyConnection, path: Path, column: str) -> dict[str, int]:
    rows = con.read_parquet(str(path)).aggregate(f"{column}, count(*) AS n")
    rows = rows.order(f"n DESC, {column}")
    return {str(value): int(count) for value, count in rows.fetchall()}


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _found(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({count:,})" for name, count in list(counts.items())[:12])


def _target(stages: Mapping[str, int]) -> Sequence[str]:
    target = WON if WON in stages or not stages else next(iter(stages))
    return (
        "",
        "[target]",
        f"# Stages with their events: {_found(stages) or 'none'}",
        f"stage = {_text(target)}  # what is predicted; an earlier stage has more of them",
        f"closed_stages = [{_text(LOST)}]",
    )


def _roles(roles: Mapping[str, int]) -> list[str]:
    lines = [
        "",
        "# Roles with their members; required = 0: welcome, not needed for completeness.",
    ]
    for role, count in roles.items():
        required = 0 if role in (UNKNOWN, BLOCKER) else 1
        lines += [f"[roles.{_text(role)}]  # {count:,} members", f"required = {required}"]
    return lines if any(role not in (UNKNOWN, BLOCKER) for role in roles) else []


def _kinds(kinds: Mapping[str, int]) -> list[str]:
    lines = []
    for kind, count in kinds.items():
        if kind in DEFAULT_ACTIVITY_KINDS:
            continue
        direction, points, family = next(
            (rest for pattern, *rest in _SUGGESTED if re.search(pattern, kind)),
            ["inbound", 1.0, kind],
        )
        lines += [
            f"[kinds.{_text(kind)}]  # {count:,} activities",
            f"points = {points}",
            f"direction = {_text(str(direction))}",
            f"family = {_text(str(family))}",
        ]
    return ["", "# Kinds of activities that have no points by default.", *lines] if lines else []


def _import(timezone: str | None, solutions: Mapping[str, int]) -> list[str]:
    lines = ["", "[import]", f"# Solutions with their groups: {_found(solutions) or 'none'}"]
    lines += [f"timezone = {_text(timezone)}"] if timezone else ['# timezone = "Asia/Tokyo"']
    lines += [
        '# solution_property = "..."  # the column of the deals that says the solution',
        "# [import.solutions]  # its value -> solution",
        "# [import.stages]  # a stage's name -> its name here",
        "# [import.roles]  # a CRM's value -> role, not_a_buyer, negative or own_side",
    ]
    return lines


def first_report(report: Mapping[str, Any], imported: Path) -> str:
    """One page: what is there, what is missing, what that costs, the next command."""
    counts = [f"{count:>12,}  {name}" for name, count in report["counts"].items() if count]
    missing = [f"- {one}" for one in report["missing"]] or ["- nothing"]
    costs = [f"- {one}" for one in report["costs"]] or ["- nothing"]
    return "\n".join(
        ("What is there:", *counts, "", "What is missing:", *missing, "", "What that costs:",
         *costs, "", f"Next: mqbg check {imported}, then mqbg train {imported}")
    )  # fmt: skip
