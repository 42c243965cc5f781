"""Account Engagement (Pardot): prospects, visitor activities by number of type, opportunities.

Source: developer.salesforce.com, Account Engagement API, Visitor Activity and its types.
"""

from __future__ import annotations

import pandas as pd

from .records import LEAD, MERGED, Records
from .salesforce import salesforce_id
from .shape import STAGE_NAMES, Export, latest, named, placed

TYPES = {
    "email_sent": 6, "email_open": 11, "email_click": 1, "form_submitted": 4, "inquiry": 4,
    "webinar_attended": 24, "event_attended": 29, "web_visit": 20, "pricing_view": 20,
}  # fmt: skip
_NAMES = {6: "Email", 11: "Email", 1: "Email Tracker", 4: "Form", 24: "Webinar", 29: "Event",
          20: "Visit"}  # fmt: skip
_ENDS = {"won": 9, "lost": 10, "reopened": 18}


def account_engagement(records: Records) -> Export:
    """Prospects, their accounts, visitor activities, opportunities and who is in them."""
    records = records.without(LEAD, MERGED)
    people = records.people
    done = records.activities[records.activities.kind.isin(list(TYPES))]
    done = done[done.person >= 0]
    tables = {
        "prospect": _prospects(records), "prospect_account": _accounts(records),
        "visitor_activity": pd.concat(
            [_activities(done), _links(records), _endings(records)], ignore_index=True),
        "opportunity": _opportunities(records),
        "opportunity_prospect": pd.DataFrame({
            "opportunity_id": records.roles.deal + 1, "prospect_id": records.roles.person + 1,
            "updated_at": _text(records.roles.changed),
        }),
    }  # fmt: skip
    return Export(
        tables,
        companies=named(records.companies.key, "prospect_account", records.companies.key + 1),
        people=named(people.key, "prospect", people.key + 1),
        deals=named(records.deals.key, "opportunity", records.deals.key + 1),
        activities=placed(done, "visitor_activity", done.key + 1),
        dates_joins=True,
        stages=records.stages[records.stages.stage.isin(list(_ENDS))],
    )  # fmt: skip


def _text(times: pd.Series) -> pd.Series:
    texts: pd.Series = times.dt.strftime("%Y-%m-%d %H:%M:%S").where(times.notna(), None)
    return texts


def _prospects(records: Records) -> pd.DataFrame:
    people = records.people
    main = people.kind == "main"
    name = records.companies.set_index("key").name
    return pd.DataFrame({
        "id": people.key + 1, "email": people.email, "first_name": people.given,
        "last_name": people.family, "company": people.company.map(name),
        "job_title": people.title, "department": people.department, "phone": people.phone,
        "prospect_account_id": people.company + 1, "score": 10, "grade": "B",
        "crm_contact_fid": [salesforce_id("003", key + 1) if known else None
                            for key, known in zip(people.key, main, strict=True)],
        "created_at": _text(people.created),
        "updated_at": _text(pd.Series(records.end, index=people.index)),
    })  # fmt: skip


def _accounts(records: Records) -> pd.DataFrame:
    rows = records.companies
    return pd.DataFrame({
        "id": rows.key + 1, "name": rows.name, "website": rows.domain, "industry": rows.industry,
        "number_of_employees": rows.employees, "billing_country": rows.country,
        "created_at": _text(rows.created),
    })  # fmt: skip


def _activities(rows: pd.DataFrame) -> pd.DataFrame:
    types = rows.kind.map(TYPES)
    mail, form = types.isin([6, 11, 1]), types == 4
    return pd.DataFrame({
        "id": rows.key + 1, "prospect_id": rows.person + 1, "type": types,
        "type_name": types.map(_NAMES), "details": rows.title.fillna(rows.kind),
        "email_id": (rows.key % 5 + 1).where(mail).astype("Int64"),
        "form_id": (rows.key % 3 + 1).where(form).astype("Int64"),
        "created_at": _text(rows.occurred),
    })  # fmt: skip


def _links(records: Records) -> pd.DataFrame:
    roles = records.roles
    parts = [
        pd.DataFrame({
            "id": base + roles.key, "prospect_id": roles.person + 1, "type": kind,
            "type_name": "Opportunity", "opportunity_id": roles.deal + 1, "created_at": _text(when),
        })
        for base, kind, when in ((10_000_000, 19, roles.joined), (20_000_000, 38, roles.left))
    ]  # fmt: skip
    rows = pd.concat(parts, ignore_index=True)
    return rows[rows.created_at.notna()]


def _endings(records: Records) -> pd.DataFrame:
    rows = records.stages[records.stages.stage.isin(list(_ENDS))].reset_index(drop=True)
    first = records.roles.sort_values(["deal", "joined"]).drop_duplicates("deal")
    person = rows.deal.map(first.set_index("deal").person)
    return pd.DataFrame({
        "id": 30_000_000 + rows.index, "prospect_id": (person + 1).astype("Int64"),
        "type": rows.stage.map(_ENDS), "type_name": "Opportunity",
        "opportunity_id": rows.deal + 1, "created_at": _text(rows.occurred),
    })  # fmt: skip


def _opportunities(records: Records) -> pd.DataFrame:
    rows, present = records.deals, latest(records.stages)
    stage = rows.key.map(present.stage)
    closed = stage.isin(["won", "lost"])
    return pd.DataFrame({
        "id": rows.key + 1, "name": rows.name, "value": rows.key.map(present.amount),
        "stage": stage.map(STAGE_NAMES),
        "status": stage.map({"won": "won", "lost": "lost"}).fillna("open"),
        "probability": 50,
        "crm_opportunity_fid": [salesforce_id("006", key + 1) for key in rows.key],
        "created_at": _text(rows.created),
        "closed_at": _text(rows.key.map(present.occurred).where(closed)),
    })  # fmt: skip
