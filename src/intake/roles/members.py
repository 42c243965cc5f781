"""One role for each member: a person's decision, then the CRM's value, then the title."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pandas as pd

from ..decisions import Decisions
from ..sql_files import sql_text
from .crm_values import BLOCKER, NEGATIVE, normalise_value, role_of_value
from .titles import TitleModel, train_titles

if TYPE_CHECKING:
    from ...settings import Settings
    from ..findings import Rebuilt

MOST_TITLES_ASKED = 200
UNSURE_BELOW = 0.8


def decide_roles(
    con: duckdb.DuckDBPyConnection, decisions: Decisions, settings: Settings, result: Rebuilt
) -> None:
    """Make `member_roles` in `con`: group_id, contact_id, role, probability, source, value."""
    given = {
        normalise_value(value): role
        for value, role in {**settings.imports.roles, **decisions.values}.items()
    }
    values = [
        one
        for (one,) in con.sql(
            "SELECT DISTINCT value FROM role_rows WHERE value IS NOT NULL ORDER BY 1"
        ).fetchall()
    ]
    roles = [role_of_value(one, given) for one in values]
    con.from_df(
        pd.DataFrame(
            {"value": values,
             "role": [BLOCKER if role == NEGATIVE else role or None for role in roles],
             "known": [role is not None for role in roles]}
        ).astype({"value": "str", "role": "str", "known": bool})
    ).project(
        "value, nullif(nullif(role, 'None'), 'nan') AS role, known"
    ).create("crm_roles")  # fmt: skip
    _title_roles(con, decisions, result)
    con.execute("CREATE TABLE decided_members (group_id VARCHAR, contact_id VARCHAR, role VARCHAR)")
    for (group, contact), role in decisions.members.items():
        con.execute(
            "INSERT INTO decided_members VALUES (?, ?, ?)",
            [group, contact, BLOCKER if role == NEGATIVE else role],
        )
    con.execute(sql_text("member_roles"))
    _ask_for_values(con, result)


def _title_roles(con: duckdb.DuckDBPyConnection, decisions: Decisions, result: Rebuilt) -> None:
    recorded = con.sql(
        "SELECT k.title, coalesce(k.department, '') AS department, c.role, "
        "count(DISTINCT r.contact_id) AS n FROM role_rows AS r "
        "JOIN people_known AS k USING (contact_id) JOIN crm_roles AS c ON c.value = r.value "
        "WHERE r.fate IS NULL AND k.title IS NOT NULL AND c.role IS NOT NULL "
        "AND c.role NOT IN ('not_a_buyer', 'own_side', 'blocker') GROUP BY ALL ORDER BY ALL"
    ).df()
    model = train_titles(recorded, decisions.titles)
    titles = con.sql(
        "SELECT k.title, coalesce(k.department, '') AS department, count(*) AS n "
        "FROM people_known AS k WHERE NOT k.unknown AND k.title IS NOT NULL "
        "GROUP BY ALL ORDER BY ALL"
    ).df()
    roles, probabilities = model.roles(list(titles.title), list(titles.department))
    titles["role"], titles["probability"] = roles, probabilities
    titles["decided"] = [title in decisions.titles for title in titles.title]
    con.from_df(
        titles.astype(
            {
                "title": "str",
                "department": "str",
                "role": "str",
                "decided": bool,
                "probability": float,
            }
        )
    ).create("title_roles")
    _ask_for_titles(titles, model, result)


def _ask_for_titles(titles: pd.DataFrame, model: TitleModel, result: Rebuilt) -> None:
    unsure = titles[(titles.probability < UNSURE_BELOW) & ~titles.decided.astype(bool)]
    asked = (
        unsure.groupby("title", sort=True)
        .agg(n=("n", "sum"), role=("role", "first"), probability=("probability", "min"))
        .reset_index()
    )
    asked = asked.sort_values(["n", "title"], ascending=[False, True]).head(MOST_TITLES_ASKED)
    result.counts["titles unsure"] = len(unsure)
    result.counts["titles learned from"] = model.learned_from
    result.review += [
        {"subject": "title", "left": title, "right": "", "suggestion": role,
         "probability": round(float(probability), 4), "count": int(count),
         "detail": "which role does this title say?"}
        for title, role, probability, count in zip(
            asked.title, asked.role, asked.probability, asked.n, strict=True
        )
    ]  # fmt: skip


def _ask_for_values(con: duckdb.DuckDBPyConnection, result: Rebuilt) -> None:
    unmapped = con.sql(
        "SELECT r.value, count(*) AS n FROM role_rows AS r JOIN crm_roles AS c USING (value) "
        "WHERE NOT c.known GROUP BY ALL ORDER BY n DESC, 1"
    ).fetchall()
    result.counts["CRM role values without a role"] = len(unmapped)
    result.review += [
        {"subject": "value", "left": value, "right": "", "suggestion": "", "probability": "",
         "count": n,
         "detail": "which role does this value say? (or not_a_buyer, negative, own_side)"}
        for value, n in unmapped
    ]  # fmt: skip
