"""HubSpot's exports from the screen: contacts, companies and deals as CSV, local times in minutes.

Headers are the labels of the properties, or their internal names; ids of associated records are in
one cell with `;` between them. Neither stages nor associations are dated, and activities are not
exported.
Source: knowledge.hubspot.com, "Export your records".
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from .hubspot_tables import BUYING_ROLES, STAGE_IDS
from .records import LEAD, MERGED, Records
from .shape import ROLE_NAMES, STAGE_NAMES, STAGE_NAMES_JA, Export, latest, local, named, placed

ZONE = "Asia/Tokyo"
"""Of the account, in which the screen shows times."""

_FILES = {
    "en": ("contacts", "companies", "deals"),
    "ja": ("コンタクト", "会社", "取引"),
    "names": ("contacts", "companies", "deals"),
}
_SPELLINGS = tuple(_FILES)
# What we call a column -> its header in each spelling; the order is that of the columns.
_CONTACT = {
    "id": ("Record ID", "レコードID", "hs_object_id"),
    "firstname": ("First Name", "名", "firstname"),
    "lastname": ("Last Name", "姓", "lastname"),
    "email": ("Email", "Eメール", "email"),
    "phone": ("Phone Number", "電話番号", "phone"),
    "jobtitle": ("Job Title", "役職", "jobtitle"),
    "department": ("Department", "部署", "department"),
    "lifecyclestage": ("Lifecycle Stage", "ライフサイクルステージ", "lifecyclestage"),
    "createdate": ("Create Date", "作成日", "createdate"),
    "lastmodifieddate": ("Last Modified Date", "最終更新日", "lastmodifieddate"),
    "buyingrole": ("Buying Role", "購買の役割", "hs_buying_role"),
    "merged": ("Merged Contact IDs", "マージされたコンタクトID", "hs_calculated_merged_vids"),
    "companyids": (
        "Associated Company IDs (Primary)",
        "関連付けられた会社ID（プライマリー）",
        "Associated Company IDs (Primary)",
    ),
    "companynames": (
        "Associated Company (Primary)",
        "関連付けられた会社",
        "Associated Company (Primary)",
    ),
}
_COMPANY = {
    "id": ("Record ID", "レコードID", "hs_object_id"),
    "name": ("Company name", "会社名", "name"),
    "domain": ("Company Domain Name", "会社のドメイン名", "domain"),
    "industry": ("Industry", "業種", "industry"),
    "employees": ("Number of Employees", "従業員数", "numberofemployees"),
    "country": ("Country/Region", "国/地域", "country"),
    "number": ("Corporate Number", "法人番号", "corporate_number"),
    "createdate": ("Create Date", "作成日", "createdate"),
    "merged": ("Merged Company IDs", "マージされた会社ID", "hs_merged_object_ids"),
    "lastmodifieddate": ("Last Modified Date", "最終更新日", "hs_lastmodifieddate"),
}
_DEAL = {
    "id": ("Record ID", "レコードID", "hs_object_id"),
    "dealname": ("Deal Name", "取引名", "dealname"),
    "dealstage": ("Deal Stage", "取引ステージ", "dealstage"),
    "pipeline": ("Pipeline", "パイプライン", "pipeline"),
    "amount": ("Amount", "金額", "amount"),
    "closedate": ("Close Date", "クローズ日", "closedate"),
    "createdate": ("Create Date", "作成日", "createdate"),
    "lastmodifieddate": ("Last Modified Date", "最終更新日", "hs_lastmodifieddate"),
    "owner": ("Deal owner", "取引担当者", "hubspot_owner_id"),
    "contactids": (
        "Associated Contact IDs",
        "関連付けられたコンタクトID",
        "Associated Contact IDs",
    ),
    "contacts": (
        "Associated Contact",
        "関連付けられたコンタクト",
        "Associated Contact",
    ),
    "companyids": (
        "Associated Company IDs",
        "関連付けられた会社ID",
        "Associated Company IDs",
    ),
}
_CONTACTS, _COMPANIES, _DEALS = 1001, 500_001, 90_001


def hubspot_ui(records: Records, language: str) -> Export:
    """The three files, with labels in `language` (en or ja), or internal names ("names")."""
    records = records.without(LEAD)
    people = records.people[records.people.kind != MERGED]
    tables = dict(zip(
        _FILES[language],
        (_labelled(_contacts(records, people, language), _CONTACT, language),
         _labelled(_companies(records), _COMPANY, language),
         _labelled(_deals(records, language), _DEAL, language)), strict=True,
    ))  # fmt: skip
    kept = records.companies[records.companies.master < 0]
    return Export(
        tables,
        companies=named(kept.key, "Company", kept.key + _COMPANIES),
        people=named(people.key, "Contact", people.key + _CONTACTS),
        deals=named(records.deals.key, "Deal", records.deals.key + _DEALS),
        activities=placed(
            records.activities.head(0), "Activity", records.activities.key.head(0)
        ),
        dates_joins=False,
        stages=records.stages.head(0),
    )  # fmt: skip


def _labelled(
    rows: pd.DataFrame, labels: Mapping[str, tuple[str, ...]], language: str
) -> pd.DataFrame:
    place = _SPELLINGS.index(language)
    known = [name for name in labels if name in rows]
    return rows[known].rename(columns={name: labels[name][place] for name in known})


def _contacts(records: Records, people: pd.DataFrame, language: str) -> pd.DataFrame:
    merged = records.people[records.people.kind == MERGED]
    gone = merged.groupby("main").key.apply(lambda keys: _listed(keys + _CONTACTS))
    role = (
        records.roles[records.roles.recorded]
        .groupby("person")
        .role.last()
        .map(BUYING_ROLES if language == "names" else ROLE_NAMES)
    )
    company = people.company.map(_standing(records))
    return pd.DataFrame({
        "id": people.key + _CONTACTS, "firstname": people.given, "lastname": people.family,
        "email": people.email, "phone": people.phone, "jobtitle": people.title,
        "department": people.department, "lifecyclestage": "Lead",
        "createdate": local(people.created, ZONE),
        "lastmodifieddate": local(pd.Series(records.end, index=people.index), ZONE),
        "buyingrole": people.key.map(role), "merged": people.key.map(gone),
        "companyids": company + _COMPANIES,
        "companynames": company.map(records.companies.set_index("key").name),
    })  # fmt: skip


def _standing(records: Records) -> pd.Series:
    """Each company's record, or the one that it was merged into."""
    companies = records.companies
    return pd.Series(
        companies.key.where(companies.master < 0, companies.master).to_numpy(), index=companies.key
    )


def _listed(keys: pd.Series) -> str:
    return ";".join(map(str, sorted(keys)))


def _companies(records: Records) -> pd.DataFrame:
    rows = records.companies[records.companies.master < 0]
    merged = records.companies[records.companies.master >= 0]
    gone = merged.groupby("master").key.apply(lambda keys: _listed(keys + _COMPANIES))
    return pd.DataFrame({
        "id": rows.key + _COMPANIES, "name": rows.name, "domain": rows.domain,
        "industry": rows.industry, "employees": rows.employees, "country": rows.country,
        "number": rows.number, "createdate": local(rows.created, ZONE),
        "merged": rows.key.map(gone),
        "lastmodifieddate": local(pd.Series(records.end, index=rows.index), ZONE),
    })  # fmt: skip


def _deals(records: Records, language: str) -> pd.DataFrame:
    deals, present = records.deals, latest(records.stages)
    stages = {"en": STAGE_NAMES, "ja": STAGE_NAMES_JA, "names": STAGE_IDS}[language]
    members = records.roles[records.roles.left.isna()]
    contacts = members.groupby("deal").person.apply(lambda keys: _listed(keys + _CONTACTS))
    stage = deals.key.map(present.stage)
    closed = stage.isin(["won", "lost"])
    close = deals.key.map(present.occurred).where(closed, records.end + pd.Timedelta(days=60))
    return pd.DataFrame({
        "id": deals.key + _DEALS, "dealname": deals.name, "dealstage": stage.map(stages),
        "pipeline": deals.solution, "amount": deals.key.map(present.amount),
        "closedate": local(close, ZONE), "createdate": local(deals.created, ZONE),
        "lastmodifieddate": local(pd.Series(records.end, index=deals.index), ZONE),
        "owner": deals.owner, "contactids": deals.key.map(contacts), "contacts": "",
        "companyids": deals.company + _COMPANIES,
    })  # fmt: skip
