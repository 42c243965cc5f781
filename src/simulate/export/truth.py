"""What is true of an export's rows: whose they are, who is in which deal, what happened when."""

from __future__ import annotations

import pandas as pd

from .records import MAIN, Records
from .shape import Export


def truth_of(records: Records, export: Export) -> dict[str, pd.DataFrame]:
    """Tables of the truth of an export.

    Returns:
        `identities` (table, source_table, source_id, id: rows of one id are one person or company),
        `activities` (source_table, source_id, contact: an id of `identities` or null, deal: a
        source_id or null, kind, occurred_at), `members` (deal, contact, role, recorded, joined_at,
        left_at), `stage_events` (deal, stage, occurred_at), `deals` (source_table, source_id,
        group_id). What the shape does not hold is not in them.
    """
    people = export.people.merge(records.people[["key", "contact"]], on="key")
    companies = export.companies.merge(records.companies[["key", "account"]], on="key")
    deals = export.deals.merge(records.deals[["key", "group"]], on="key")
    return {
        "identities": pd.concat([
            people.rename(columns={"contact": "id"}).assign(table="contacts"),
            companies.rename(columns={"account": "id"}).assign(table="accounts"),
        ], ignore_index=True)[["table", "source_table", "source_id", "id"]],
        "activities": _activities(records, export),
        "members": _members(records, export),
        "stage_events": _stage_events(export),
        "deals": deals.rename(columns={"group": "group_id"})[
            ["source_table", "source_id", "group_id"]],
    }  # fmt: skip


def _activities(records: Records, export: Export) -> pd.DataFrame:
    known = records.activities[["key", "person", "deal", "kind"]]
    rows = export.activities.astype({"key": "int64"}).merge(known, on="key")
    return pd.DataFrame({
        "source_table": rows.source_table, "source_id": rows.source_id,
        "contact": rows.person.map(records.people.set_index("key").contact),
        "deal": rows.deal.where(rows.names_deal.astype(bool), -1).map(
            export.deals.set_index("key").source_id), "kind": rows.kind,
        "occurred_at": rows.occurred,
    }).reset_index(drop=True)  # fmt: skip


def _members(records: Records, export: Export) -> pd.DataFrame:
    rows = records.roles
    main = records.people[records.people.kind == MAIN].set_index("key").contact
    found = pd.DataFrame({
        "deal": rows.deal.map(export.deals.set_index("key").source_id),
        "contact": rows.person.map(main), "role": rows.role, "recorded": rows.recorded,
        "joined_at": rows.joined, "left_at": rows.left,
    })  # fmt: skip
    # Where joins are not dated, what ended is not there any more.
    return found if export.dates_joins else found[found.left_at.isna()].reset_index(drop=True)


def _stage_events(export: Export) -> pd.DataFrame:
    rows = export.stages
    return pd.DataFrame({
        "deal": rows.deal.map(export.deals.set_index("key").source_id), "stage": rows.stage,
        "occurred_at": rows.occurred,
    }).reset_index(drop=True)  # fmt: skip
