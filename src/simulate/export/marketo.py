"""Marketo's bulk extracts: leads and activities, `attributes` as JSON, `null` as text, many files.

Activities tell opportunities: 34 (added, with role), 36 (changed) and 35 (removed); 32 merges.
Source: developers.marketo.com, Bulk Activity Extract and Activities.
"""

from __future__ import annotations

import json

import pandas as pd

from .records import LEAD, MERGED, Records
from .shape import ROLE_NAMES, STAGE_NAMES, Export, iso, named, placed

ROWS_OF_A_FILE = 4000
TYPES = {
    "web_visit": 1, "pricing_view": 1, "case_study_view": 1, "form_submitted": 2, "inquiry": 2,
    "whitepaper_download": 2, "email_sent": 6, "email_open": 10, "email_click": 11,
}  # fmt: skip


def marketo_bulk(records: Records) -> Export:
    """A file of leads and as many of activities as there are rows for."""
    records = records.without(LEAD)
    people = records.people[records.people.kind != MERGED]
    done = records.activities[records.activities.kind.isin(list(TYPES))]
    done = done[done.person >= 0]
    rows = pd.concat(
        [_done(done), _added(records), _changed(records), _removed(records), _merged(records)],
        ignore_index=True,
    ).sort_values(["activityDate", "marketoGUID"], kind="stable")  # fmt: skip
    files = {
        f"activities_{start // ROWS_OF_A_FILE + 1}": rows.iloc[start : start + ROWS_OF_A_FILE]
        for start in range(0, max(len(rows), 1), ROWS_OF_A_FILE)
    }
    return Export(
        {"leads": _leads(records, people), **files},
        companies=named(people.key.head(0), "lead", people.key.head(0)),
        people=named(people.key, "lead", people.key + 1),
        deals=named(records.deals.key, "opportunity", _deal_ids(records.deals.key)),
        activities=placed(done, "activities", "g" + done.key.astype(str)),
        dates_joins=True,
        stages=_told_changes(records)[["deal", "stage", "occurred"]].drop_duplicates(),
    )  # fmt: skip


def _deal_ids(keys: pd.Series) -> pd.Series:
    return "OPP-" + keys.astype(str)


def _leads(records: Records, people: pd.DataFrame) -> pd.DataFrame:
    companies = records.companies.set_index("key")
    website = people.company.map(companies.domain)
    return pd.DataFrame({
        "id": people.key + 1, "firstName": people.given, "lastName": people.family,
        "email": people.email, "phone": people.phone, "title": people.title,
        "department": people.department, "company": people.company.map(companies.name),
        "website": website, "createdAt": iso(people.created, "Z"),
        "updatedAt": iso(pd.Series(records.end, index=people.index), "Z"),
    }).fillna("null")  # fmt: skip


def _rows(
    ids: pd.Series, people: pd.Series, times: pd.Series, kind: object, value_id: pd.Series,
    value: pd.Series, attributes: list[dict[str, object]],
) -> pd.DataFrame:  # fmt: skip
    return pd.DataFrame({
        "marketoGUID": ids, "leadId": people + 1, "activityDate": iso(times, "Z"),
        "activityTypeId": kind, "campaignId": "null", "primaryAttributeValueId": value_id,
        "primaryAttributeValue": value,
        "attributes": [json.dumps(one, ensure_ascii=False) for one in attributes],
    })  # fmt: skip


def _done(rows: pd.DataFrame) -> pd.DataFrame:
    pages = "/" + rows.kind + "/" + rows.content.fillna("start")
    names = rows.title.fillna(rows.kind)
    kinds = rows.kind.map(TYPES)
    return _rows(
        "g" + rows.key.astype(str), rows.person, rows.occurred, kinds, rows.key % 9 + 1,
        names.where(kinds != 1, pages), [{"Client IP Address": "192.0.2.1"}] * len(rows),
    )  # fmt: skip


def _deal_names(records: Records, deals: pd.Series) -> pd.Series:
    return deals.map(records.deals.set_index("key").name)


def _added(records: Records) -> pd.DataFrame:
    roles = records.roles
    stages = records.stages.sort_values("occurred", kind="stable")
    moments = pd.merge_asof(
        roles.sort_values("joined", kind="stable"), stages, left_on="joined", right_on="occurred",
        by="deal", direction="backward",
    ).set_index("key").stage.reindex(roles.key)  # fmt: skip
    return _rows(
        "a" + roles.key.astype(str), roles.person, roles.joined, 34, _deal_ids(roles.deal),
        _deal_names(records, roles.deal),
        [{"Role": ROLE_NAMES[role] if known else None, "Is Primary": False,
          "Stage": STAGE_NAMES.get(stage, STAGE_NAMES["open"])}
         for role, known, stage in zip(roles.role, roles.recorded, moments, strict=True)],
    )  # fmt: skip


def _told_changes(records: Records) -> pd.DataFrame:
    """A change is reported for every person who is in the opportunity at the time."""
    stages = records.stages.sort_values(["deal", "occurred"], kind="stable").reset_index(drop=True)
    before = stages.groupby("deal").stage.shift().map(STAGE_NAMES)
    stages = stages.assign(before=before, number=stages.index)
    told = stages[stages.before.notna()].merge(
        records.roles[["deal", "person", "joined", "left"]], on="deal"
    )
    return told[(told.joined <= told.occurred) & ~(told.left < told.occurred)]


def _changed(records: Records) -> pd.DataFrame:
    told = _told_changes(records)
    return _rows(
        "s" + told.number.astype(str) + "-" + told.person.astype(str), told.person, told.occurred,
        36, _deal_ids(told.deal), _deal_names(records, told.deal),
        [{"Attribute Name": "Stage", "New Value": STAGE_NAMES[stage], "Old Value": old}
         for stage, old in zip(told.stage, told.before, strict=True)],
    )  # fmt: skip


def _removed(records: Records) -> pd.DataFrame:
    gone = records.roles[records.roles.left.notna()]
    return _rows(
        "r" + gone.key.astype(str), gone.person, gone.left, 35, _deal_ids(gone.deal),
        _deal_names(records, gone.deal), [{}] * len(gone),
    )  # fmt: skip


def _merged(records: Records) -> pd.DataFrame:
    gone = records.people[records.people.kind == MERGED]
    when = pd.Series(records.end - pd.Timedelta(days=1), index=gone.index)
    return _rows(
        "m" + gone.key.astype(str), gone.main, when, 32, gone.main + 1, gone.family,
        [{"Merge IDs": [int(one) + 1], "Merge Source": "UI"} for one in gone.key],
    )  # fmt: skip
