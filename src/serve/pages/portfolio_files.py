"""The portfolio beside its page: what the script renders, and a table for spreadsheets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ...explain.language import Language
from ...support.csv_export import csv_text
from .portfolio import Portfolio, PortfolioGroup
from .what_changed import Change

DATA_FILE, CSV_FILE = "portfolio.js", "portfolio.csv"

FIELDS = (
    "group_id", "account", "solution", "owner", "tier", "page", "url", "task", "task_word",
    "risk", "urgency", "rank", "status", "status_word", "readiness", "low", "high", "gauge",
    "change", "trend", "changed", "completeness", "missing", "strongest", "points", "view",
)  # fmt: skip
"""What a row of the portfolio is made of, in this order in the data file."""

WORDS = frozenset({
    "solution", "owner", "tier", "task", "task_word", "status", "status_word", "changed", "missing",
    "view", "risk",
})  # fmt: skip
"""Fields whose few values stand once, by number."""


def change_words(change: Change, language: Language) -> str:
    """What changed, in about five words."""
    name = change.name or ""
    if change.kind == "status":
        return language.render("changed_status", status=language.word("status", name))
    if change.kind in ("role_filled", "role_lost"):
        return language.render(f"changed_{change.kind}", role=language.word("roles", name))
    return language.word("labels", f"changed_{change.kind}")


def row_values(group: PortfolioGroup, language: Language) -> dict[str, Any]:
    """A row in words and numbers; shares are in tenths of a percent, points in tenths."""
    score, bar = group.score, group.gauge
    strongest, points = group.strongest_member or (None, None)
    return {
        "group_id": score["group_id"],
        "account": group.account,
        "solution": group.solution,
        "owner": group.record.owner or "",
        "tier": group.tier or "",
        "page": group.page or "",
        "url": group.record.url or "",
        "task": group.task.value,
        "task_word": language.word("tasks", group.task.value),
        "risk": language.word("labels", f"risk_{group.risk}") if group.risk else "",
        "urgency": group.urgency,
        "rank": score["rank"],
        "status": score["status"],
        "status_word": language.word("status", score["status"]),
        "readiness": _tenths(100 * score["readiness"]),
        "low": _tenths(100 * score["readiness_low"]),
        "high": _tenths(100 * score["readiness_high"]),
        "gauge": [round(one, 1) for one in (bar.low, bar.width, bar.threshold, bar.readiness)],
        "change": None if group.score_change is None else _tenths(group.score_change),
        "trend": group.trend,
        "changed": change_words(group.changed, language) if group.changed else "",
        "completeness": round(100 * score["completeness"]),
        "missing": language.list_roles(score["missing_roles"]),
        "strongest": strongest or "",
        "points": None if points is None else _tenths(points),
        "view": group.view,
    }


def _tenths(value: float) -> int:
    return round(10 * float(f"{value:.1f}"))


def portfolio_data(portfolio: Portfolio, language: Language) -> str:
    """The rows as a script that hands them to `pages.js`."""
    words: dict[str, int] = {}
    rows = []
    for group in portfolio.listed_groups:
        values = row_values(group, language)
        rows.append(
            [
                words.setdefault(values[field], len(words)) if field in WORDS else values[field]
                for field in FIELDS
            ]
        )
    data = {
        "fields": FIELDS,
        "words": list(words),
        "worded": sorted(WORDS),
        "rows": rows,
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"globalThis.portfolioData = {text};\n"


def portfolio_csv(portfolio: Portfolio, language: Language) -> str:
    """The rows for a spreadsheet; texts that it would run as formulas are defused."""
    label = language.word_tables["labels"]
    names = [
        label[name]
        for name in (
            "group_id", "account", "solution", "owner", "tier", "task", "risk", "rank", "status",
            "readiness_percent", "interval_low", "interval_high", "moved", "what_changed",
            "completeness_percent", "missing_roles", "strongest", "crm",
        )
    ]  # fmt: skip
    return csv_text(names, (_csv_row(row_values(g, language)) for g in portfolio.listed_groups))


def _csv_row(values: dict[str, Any]) -> Sequence[Any]:
    return (
        values["group_id"], values["account"], values["solution"], values["owner"], values["tier"],
        values["task_word"], values["risk"], values["rank"], values["status_word"],
        values["readiness"] / 10, values["low"] / 10, values["high"] / 10,
        None if values["change"] is None else values["change"] / 10,
        values["changed"], values["completeness"], values["missing"], values["strongest"],
        values["url"],
    )  # fmt: skip
