"""HubSpot's exports from the screen: contacts, companies and deals as CSV, local times in minutes.

Headers are the labels of the properties; ids of associated records are in one cell with `;` between
them. Neither stages nor associations are dated, and activities are not exported.
Source: knowledge.hubspot.com, "Export your records".
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from .records import LEAD, MERGED, Records
from .shape import ROLE_NAMES, STAGE_NAMES, STAGE_NAMES_JA, Export, latest, local, named, placed

ZONE = "Asia/Tokyo"
"""Of the account, in which the screen shows times."""

_FILES = {"en": ("contacts", "companies", "deals"), "ja": ("コンタクト", "会社", "取引")}
# Internal name -> label; the order is that of the columns.
_CONTACT = {
    "id": ("Record ID", "レコードID"), "firstname": ("First Name", "名"),
    "lastname": ("Last Name", "姓"), "email": ("Email", "Eメール"),
    "phone": ("Phone Number", "電話番号"), "jobtitle": ("Job Title", "役職"),
    "department": ("Department", "部署"),
    "lifecyclestage": ("Lifecycle Stage", "ライフサイクルステージ"),
    "createdate": ("Create Date", "作成日"),
    "lastmodifieddate": ("Last Modified Date", "最終更新日"),
    "buyingrole": ("Buying Role", "購買の役割"),
    "merged": ("Merged Contact IDs", "マージされたコンタクトID"),
    "companyids": ("Associated Company IDs (Primary)", "関連付けられた会社ID（プライマリー）"),
    "companynames": ("Associated Company (Primary)", "関連付けられた会社"),
}  # fmt: skip
_COMPANY = {
    "id": ("Record ID", "レコードID"), "name": ("Company name", "会社名"),
    "domain": ("Company Domain Name", "会社のドメイン名"), "industry": ("Industry", "業種"),
    "employees": ("Number of Employees", "従業員数"), "country": ("Country/Region", "国/地域"),
    "number": ("Corporate Number", "法人番号"), "createdate": ("Create Date", "作成日"),
    "merged": ("Merged Company IDs", "マージされた会社ID"),
    "lastmodifieddate": ("Last Modified Date", "最終更新日"),
}  # fmt: skip
_DEAL = {
    "id": ("Record ID", "レコードID"), "dealname": ("Deal Name", "取引名"),
    "dealstage": ("Deal Stage", "取引ステージ"), "pipeline": ("Pipeline", "パイプライン"),
    "amount": ("Amount", "金額"), "closedate": ("Close Date", "クローズ日"),
    "createdate": ("Create Date", "作成日"),
    "lastmodifieddate": ("Last Modified Date", "最終更新日"),
    "owner": ("Deal owner", "取引担当者"),
    "contactids": ("Associated Contact IDs", "関連付けられたコンタクトID"),
    "contacts": ("Associated Contact", "関連付けられたコンタクト"),
    "companyids": ("Associated Company IDs", "関連付けられた会社ID"),
}  # fmt: skip
_CONTACTS, _COMPANIES, _DEALS = 1001, 500_001, 90_001


def hubspot_ui(records: Records, language: str) -> Export:
    """The three files, with labels in `language` (en or ja)."""
    records = records.without(LEAD)
    people = records.people[records.people.kind != MERGED]
    tables = dict(zip(
        _FILES[language],
        (_labelled(_contacts(records, people), _CONTACT, language),
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
    rows: pd.DataFrame, labels: Mapping[str, tuple[str, str]], language: str
) -> pd.DataFrame:
    place = ("en", "ja").index(language)
    known = [name for name in labels if name in rows]
    return rows[known].rename(columns={name: labels[name][place] for name in known})


def _contacts(records: Records, people: pd.DataFrame) -> pd.DataFrame:
    merged = records.people[records.people.kind == MERGED]
    gone = merged.groupby("main").key.apply(lambda keys: _listed(keys + _CONTACTS))
    role = records.roles[records.roles.recorded].groupby("person").role.last().map(ROLE_NAMES)
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
    stages = STAGE_NAMES_JA if language == "ja" else STAGE_NAMES
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
