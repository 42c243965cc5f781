"""Tables that HubSpot's connectors share: properties by their internal names, all times in UTC.

A deal's stages, the number of its contacts, engagements and their associations, marketing e-mail
events and form submissions; each connector's module names and types them as it does.
Sources: developers.hubspot.com, CRM API; Fivetran's and Airbyte's documentation of their schemas.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from .records import LEAD, MERGED, Records
from .shape import STAGE_NAMES, latest

CONTACTS, COMPANIES, DEALS, ENGAGEMENTS = 1001, 500_001, 90_001, 7_000_001
STAGE_IDS = {
    "open": "appointmentscheduled",
    "opportunity": "presentationscheduled",
    "won": "closedwon",
    "lost": "closedlost",
    "reopened": "appointmentscheduled",
}
# Values of hs_buying_role; HubSpot has none for those who evaluate.
BUYING_ROLES = {
    "decision_maker": "DECISION_MAKER",
    "champion": "CHAMPION",
    "budget_holder": "BUDGET_HOLDER",
    "user": "END_USER",
    "procurement": "LEGAL_AND_COMPLIANCE",
}
PROBABILITIES = {"open": 0.2, "opportunity": 0.6, "won": 1.0, "lost": 0.0}
MAIL_TYPES = {"email_open": "OPEN", "email_click": "CLICK", "email_sent": "SENT"}
FORMS = ("form_submitted", "inquiry", "whitepaper_download")


@dataclass(frozen=True)
class HubSpotTables:
    """What HubSpot's API holds.

    Attributes:
        contacts, companies, deals: one row a record, keys as ids.
        pairs: deal, contact; those associated at the end.
        stages: deal, stage (id), occurred.
        counts: deal, counted, people: how many contacts the deal had from then on.
        engagements: key, type (CALL, MEETING), contact, deal (0: none), occurred, recorded,
            seconds.
        mails: key, recipient, type, created, campaign.
        forms: key, contact, form, occurred, title.
    """

    contacts: pd.DataFrame
    companies: pd.DataFrame
    deals: pd.DataFrame
    pairs: pd.DataFrame
    stages: pd.DataFrame
    counts: pd.DataFrame
    engagements: pd.DataFrame
    mails: pd.DataFrame
    forms: pd.DataFrame


def hubspot_tables(records: Records) -> HubSpotTables:
    """What of the records HubSpot holds, and how."""
    records = records.without(LEAD)
    contacts = _contacts(records)
    activities = records.activities
    return HubSpotTables(
        contacts=contacts,
        companies=_companies(records),
        deals=_deals(records),
        pairs=_pairs(records),
        stages=pd.DataFrame({
            "deal": records.stages.deal + DEALS, "stage": records.stages.stage.map(STAGE_IDS),
            "occurred": records.stages.occurred,
        }),
        counts=_counts(records),
        engagements=_engagements(records),
        mails=_mails(activities, contacts),
        forms=_forms(activities),
    )  # fmt: skip


def _contacts(records: Records) -> pd.DataFrame:
    people = records.people
    main = people[people.kind != MERGED]
    merged = (
        people[people.kind == MERGED]
        .groupby("main")
        .key.apply(lambda keys: ";".join(map(str, keys + CONTACTS)))
    )
    standing = records.companies.set_index("key").master
    company = main.company.where(main.company.map(standing) < 0, main.company.map(standing))
    role = records.roles[records.roles.recorded].groupby("person").role.last()
    return pd.DataFrame({
        "key": main.key, "id": main.key + CONTACTS, "email": main.email, "firstname": main.given,
        "lastname": main.family, "phone": main.phone, "jobtitle": main.title,
        "department": main.department, "createdate": main.created,
        "role": main.key.map(role).map(BUYING_ROLES), "merged": main.key.map(merged),
        "company": company.astype("int64") + COMPANIES,
    }).reset_index(drop=True)  # fmt: skip


def _companies(records: Records) -> pd.DataFrame:
    rows = records.companies[records.companies.master < 0]
    gone = (
        records.companies[records.companies.master >= 0]
        .groupby("master")
        .key.apply(lambda keys: ";".join(map(str, keys + COMPANIES)))
    )
    return pd.DataFrame({
        "key": rows.key, "id": rows.key + COMPANIES, "name": rows.name, "domain": rows.domain,
        "industry": rows.industry, "employees": rows.employees, "country": rows.country,
        "number": rows.number, "createdate": rows.created, "merged": rows.key.map(gone),
    }).reset_index(drop=True)  # fmt: skip


def _deals(records: Records) -> pd.DataFrame:
    deals, present = records.deals, latest(records.stages)
    stage = deals.key.map(present.stage)
    closed = stage.isin(["won", "lost"])
    return pd.DataFrame({
        "key": deals.key, "id": deals.key + DEALS, "name": deals.name,
        "pipeline": deals.solution.astype("category").cat.codes.astype(str),
        "label": deals.solution,
        "stage": stage.map(STAGE_IDS), "amount": deals.key.map(present.amount),
        "closedate": deals.key.map(present.occurred).where(
            closed, records.end + pd.Timedelta(days=60)),
        "createdate": deals.created, "company": deals.company + COMPANIES,
    })  # fmt: skip


def _pairs(records: Records) -> pd.DataFrame:
    rows = records.roles[records.roles.left.isna()]
    return pd.DataFrame({"deal": rows.deal + DEALS, "contact": rows.person + CONTACTS})


def _counts(records: Records) -> pd.DataFrame:
    """The number of a deal's contacts at each change: associations that were removed count down."""
    roles = records.roles
    steps = pd.concat([
        pd.DataFrame({"deal": roles.deal, "counted": roles.joined, "step": 1}),
        pd.DataFrame({"deal": roles.deal, "counted": roles.left, "step": -1}).dropna(),
    ]).sort_values(["deal", "counted", "step"], kind="stable")  # fmt: skip
    steps["people"] = steps.groupby("deal").step.cumsum()
    last = steps.drop_duplicates(["deal", "counted"], keep="last")
    return pd.DataFrame({
        "deal": last.deal + DEALS, "counted": last.counted, "people": last.people,
    }).reset_index(drop=True)  # fmt: skip


def _engagements(records: Records) -> pd.DataFrame:
    """Calls and meetings; HubSpot ties one to a deal by the contacts that the deal has then."""
    activities = records.activities
    rows = activities[activities.kind.isin(["meeting", "call_made"])]
    main = rows.assign(member=rows.person.map(records.people.set_index("key").main).fillna(-1))
    spans = records.roles[["deal", "person", "joined", "left"]].rename(columns={"person": "member"})
    found = main.merge(spans, on=["deal", "member"], how="left").set_index(rows.index)
    there = (found.joined <= found.occurred) & ~(found.left < found.occurred)
    rows = rows.assign(deal=rows.deal.where((rows.person < 0) | there, -1))
    return pd.DataFrame({
        "key": rows.key, "id": rows.key + ENGAGEMENTS,
        "type": rows.kind.map({"meeting": "MEETING", "call_made": "CALL"}),
        "contact": (rows.person + CONTACTS).where(rows.person >= 0, 0),
        "deal": (rows.deal + DEALS).where(rows.deal >= 0, 0), "occurred": rows.occurred,
        "recorded": rows.recorded.fillna(rows.occurred), "seconds": rows.duration.fillna(0),
    }).reset_index(drop=True)  # fmt: skip


def _mails(activities: pd.DataFrame, contacts: pd.DataFrame) -> pd.DataFrame:
    rows = activities[activities.kind.isin(list(MAIL_TYPES)) & (activities.person >= 0)]
    address = contacts.set_index("key").email
    found = pd.DataFrame({
        "key": rows.key, "id": "e" + rows.key.astype(str), "recipient": rows.person.map(address),
        "type": rows.kind.map(MAIL_TYPES), "created": rows.occurred,
        "campaign": (rows.key % 7 + 1).astype(str),
    })  # fmt: skip
    # No mail reaches anybody without an address.
    return found[found.recipient.notna()].reset_index(drop=True)


def _forms(activities: pd.DataFrame) -> pd.DataFrame:
    rows = activities[activities.kind.isin(FORMS) & (activities.person >= 0)]
    return pd.DataFrame({
        "key": rows.key, "contact": rows.person + CONTACTS, "form": "form-" + rows.kind,
        "occurred": rows.occurred, "conversion": "c" + rows.key.astype(str),
        "title": rows.title.fillna(rows.kind),
    }).reset_index(drop=True)  # fmt: skip


def stage_rows() -> list[tuple[str, str, float, bool]]:
    """Stage id, label, probability, closed."""
    return [
        (STAGE_IDS[stage], STAGE_NAMES[stage], probability, stage in ("won", "lost"))
        for stage, probability in PROBABILITIES.items()
    ]
