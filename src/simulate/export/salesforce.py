"""Salesforce's objects, and the weekly export of them: a zip of CSV by API names.

Deleted rows are there with IsDeleted; a merged record names the remaining one in MasterRecordId.
Source: developer.salesforce.com, Object Reference.
"""

from __future__ import annotations

import pandas as pd

from .records import LEAD, MERGED, Records
from .shape import ROLE_NAMES, STAGE_NAMES, Export, day_end, iso, latest, named, placed

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
CAMPAIGNS = {
    "webinar_attended": "Webinar", "event_attended": "Trade Show",
    "whitepaper_download": "Content Syndication", "form_submitted": "Web Form",
}  # fmt: skip


def salesforce_id(prefix: str, number: int) -> str:
    """An id of 18 characters: object prefix, number, and three letters that tell the capitals.

    >>> salesforce_id("003", 10)
    '003aB000000000AQAQ'
    """
    digits = ""
    while number or not digits:
        number, last = divmod(number, len(_DIGITS))
        digits = _DIGITS[last] + digits
    short = f"{prefix}aB{digits:0>10}"
    parts = (short[start : start + 5] for start in (0, 5, 10))
    return short + "".join(
        _SUFFIX[sum(1 << place for place, one in enumerate(part) if "A" <= one <= "Z")]
        for part in parts
    )


def _ids(prefix: str, keys: pd.Series) -> pd.Series:
    return keys.map(lambda key: salesforce_id(prefix, int(key) + 1) if key >= 0 else None)


def salesforce_export(records: Records) -> Export:
    """The weekly export: a zip of all objects."""
    return salesforce_objects(records, packed="WE_00DaB0000000001EAA_1.ZIP")


def salesforce_objects(records: Records, packed: str = "") -> Export:
    """The objects by their API names, deleted rows among them."""
    people, leads = _split(records)
    campaigns = _responses(records)
    tasks = records.activities[records.activities.kind == "call_made"]
    events = records.activities[records.activities.kind == "meeting"]
    tables = {
        "Account": _accounts(records), "Contact": _contacts(records, people),
        "Lead": _leads(records, leads), "Opportunity": _opportunities(records),
        "OpportunityContactRole": _contact_roles(records),
        "OpportunityHistory": _history(records), "Task": _tasks(tasks, leads),
        "Event": _events(events, leads), "Campaign": _campaigns(records, campaigns),
        "CampaignMember": _campaign_members(campaigns, leads), "User": _users(records),
    }  # fmt: skip
    return Export(
        tables,
        companies=named(records.companies.key, "Account", _ids("001", records.companies.key)),
        people=pd.concat([named(people.key, "Contact", _ids("003", people.key)),
                          named(leads.key, "Lead", _ids("00Q", leads.key))], ignore_index=True),
        deals=named(records.deals.key, "Opportunity", _ids("006", records.deals.key)),
        activities=pd.concat([
            placed(tasks, "Task", _ids("00T", tasks.key), names_deal=True),
            placed(events, "Event", _ids("00U", events.key), names_deal=True),
            placed(campaigns.assign(occurred=day_end(campaigns.occurred)), "CampaignMember",
                   _ids("00v", campaigns.key)),
        ], ignore_index=True),
        dates_joins=True, stages=records.stages, packed=packed,
    )  # fmt: skip


def _split(records: Records) -> tuple[pd.DataFrame, pd.DataFrame]:
    is_lead = records.people.kind == LEAD
    return records.people[~is_lead], records.people[is_lead]


def _system_columns(rows: pd.DataFrame, records: Records) -> pd.DataFrame:
    return pd.DataFrame(
        {"CreatedDate": iso(rows.created), "LastModifiedDate": iso(rows.created),
         "SystemModstamp": iso(pd.Series(records.end, index=rows.index))}
    )  # fmt: skip


def _accounts(records: Records) -> pd.DataFrame:
    rows = records.companies
    return pd.DataFrame({
        "Id": _ids("001", rows.key), "IsDeleted": rows.master >= 0,
        "MasterRecordId": _ids("001", rows.master), "Name": rows.name, "Type": "Prospect",
        "Website": ("https://www." + rows.domain).where(rows.domain.notna(), None),
        "Industry": rows.industry, "NumberOfEmployees": rows.employees,
        "BillingCountry": rows.country, "Tier__c": rows.tier, "CorporateNumber__c": rows.number,
    }).join(_system_columns(rows, records))  # fmt: skip


def _person_columns(rows: pd.DataFrame) -> pd.DataFrame:
    japanese = rows.japanese.astype(bool)
    return pd.DataFrame({
        "LastName": rows.family, "FirstName": rows.given,
        "Name": (rows.family + " " + rows.given).where(japanese, rows.given + " " + rows.family),
        "Email": rows.email, "Phone": rows.phone, "Title": rows.title,
    })  # fmt: skip


def _contacts(records: Records, rows: pd.DataFrame) -> pd.DataFrame:
    merged = rows.kind == MERGED
    return pd.DataFrame({
        "Id": _ids("003", rows.key), "IsDeleted": merged,
        "MasterRecordId": _ids("003", rows.main.where(merged, -1)),
        "AccountId": _ids("001", rows.company),
    }).join(_person_columns(rows)).assign(Department=rows.department).join(
        _system_columns(rows, records))  # fmt: skip


def _leads(records: Records, rows: pd.DataFrame) -> pd.DataFrame:
    converted = iso(rows.created + pd.Timedelta(days=10))
    name = records.companies.set_index("key").name
    return pd.DataFrame({
        "Id": _ids("00Q", rows.key), "IsDeleted": False, "MasterRecordId": None,
        "Company": rows.company.map(name),
    }).join(_person_columns(rows)).assign(
        Status="Qualified", IsConverted=True, ConvertedDate=converted.str[:10],
        ConvertedAccountId=_ids("001", rows.company), ConvertedContactId=_ids("003", rows.main),
        ConvertedOpportunityId=None,
    ).join(_system_columns(rows, records))  # fmt: skip


def _opportunities(records: Records) -> pd.DataFrame:
    rows, present = records.deals, latest(records.stages)
    stage = rows.key.map(present.stage)
    closed = stage.isin(["won", "lost"])
    close = rows.key.map(present.occurred).where(closed, records.end + pd.Timedelta(days=60))
    return pd.DataFrame({
        "Id": _ids("006", rows.key), "IsDeleted": False, "AccountId": _ids("001", rows.company),
        "Name": rows.name, "StageName": stage.map(STAGE_NAMES),
        "Amount": rows.key.map(present.amount), "CloseDate": iso(close).str[:10],
        "IsClosed": closed, "IsWon": stage == "won", "Pipeline__c": rows.solution,
        "OwnerId": salesforce_id("005", 1),
    }).join(_system_columns(rows, records))  # fmt: skip


def _contact_roles(records: Records) -> pd.DataFrame:
    rows = records.roles
    gone = rows.left.notna()
    modified = rows.left.where(gone, rows.changed)
    return pd.DataFrame({
        "Id": _ids("00K", rows.key), "OpportunityId": _ids("006", rows.deal),
        "ContactId": _ids("003", rows.person),
        "Role": rows.role.map(ROLE_NAMES).where(rows.recorded, None), "IsPrimary": False,
        "CreatedDate": iso(rows.joined), "LastModifiedDate": iso(modified),
        "SystemModstamp": iso(modified), "IsDeleted": gone,
    })  # fmt: skip


def _history(records: Records) -> pd.DataFrame:
    """A row at every change: of the stage, and once of the amount alone."""
    stages = records.stages
    again = stages[stages.stage == "open"].assign(
        occurred=lambda rows: rows.occurred + pd.Timedelta(seconds=90), amount=1.0
    )
    # The amount changes while the stage stays, so this row says the stage again.
    following = stages.groupby("deal").occurred.apply(lambda times: times.sort_values().iloc[1:2])
    first_change = following.droplevel(1) if len(following) else following
    again = again[~(again.occurred >= again.deal.map(first_change))]
    rows = pd.concat([stages, again]).sort_values(["deal", "occurred"], kind="stable")
    rows = rows.reset_index(drop=True)
    return pd.DataFrame({
        "Id": _ids("008", pd.Series(rows.index)), "OpportunityId": _ids("006", rows.deal),
        "StageName": rows.stage.map(STAGE_NAMES), "Amount": rows.amount,
        "CreatedDate": iso(rows.occurred), "IsDeleted": False,
    })  # fmt: skip


def _who(rows: pd.DataFrame, leads: pd.DataFrame) -> pd.Series:
    return _ids("003", rows.person).where(~rows.person.isin(leads.key), _ids("00Q", rows.person))


def _tasks(rows: pd.DataFrame, leads: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({
        "Id": _ids("00T", rows.key), "WhoId": _who(rows, leads), "WhatId": _ids("006", rows.deal),
        "Subject": "Call", "ActivityDate": iso(rows.occurred).str[:10], "Status": "Completed",
        "IsClosed": True, "TaskSubtype": "Call", "CallDurationInSeconds": rows.duration,
        "CompletedDateTime": iso(rows.occurred), "IsDeleted": False,
        "CreatedDate": iso(rows.recorded.fillna(rows.occurred)),
        "LastModifiedDate": iso(rows.recorded.fillna(rows.occurred)),
    })  # fmt: skip


def _events(rows: pd.DataFrame, leads: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({
        "Id": _ids("00U", rows.key), "WhoId": _who(rows, leads), "WhatId": _ids("006", rows.deal),
        "Subject": "Meeting", "StartDateTime": iso(rows.occurred), "IsAllDayEvent": False,
        "DurationInMinutes": (rows.duration.fillna(1800) // 60).astype("int64"), "IsChild": False,
        "IsDeleted": False, "CreatedDate": iso(rows.recorded.fillna(rows.occurred)),
        "LastModifiedDate": iso(rows.recorded.fillna(rows.occurred)),
    })  # fmt: skip


def _responses(records: Records) -> pd.DataFrame:
    """The first response of each person in each campaign: a month's contents of one kind."""
    rows = records.activities[
        records.activities.kind.isin(list(CAMPAIGNS)) & (records.activities.person >= 0)
    ]
    rows = rows.assign(
        campaign=rows.kind + " " + rows.title.fillna("") + rows.occurred.dt.strftime(" %Y-%m")
    )
    return rows.drop_duplicates(["campaign", "person"]).reset_index(drop=True)


def _campaign_keys(campaigns: pd.DataFrame) -> dict[str, int]:
    return {name: place for place, name in enumerate(sorted(campaigns.campaign.unique()))}


def _campaigns(records: Records, responses: pd.DataFrame) -> pd.DataFrame:
    keys = _campaign_keys(responses)
    kinds = responses.drop_duplicates("campaign").set_index("campaign").kind
    names = pd.Series(sorted(keys), dtype=object)
    return pd.DataFrame({
        "Id": [salesforce_id("701", keys[name] + 1) for name in names], "Name": names,
        "Type": names.map(kinds).map(CAMPAIGNS), "Status": "Completed", "NumberSent": 0,
        "IsDeleted": False,
        "CreatedDate": iso(pd.Series(records.companies.created.min(), index=names.index)),
    })  # fmt: skip


def _campaign_members(rows: pd.DataFrame, leads: pd.DataFrame) -> pd.DataFrame:
    is_lead = rows.person.isin(leads.key)
    keys = _campaign_keys(rows)
    return pd.DataFrame({
        "Id": _ids("00v", rows.key),
        "CampaignId": rows.campaign.map(lambda name: salesforce_id("701", keys[name] + 1)),
        "ContactId": _ids("003", rows.person).where(~is_lead, None),
        "LeadId": _ids("00Q", rows.person).where(is_lead, None), "Status": "Responded",
        "HasResponded": True, "FirstRespondedDate": iso(rows.occurred).str[:10],
        "CreatedDate": iso(rows.recorded.fillna(rows.occurred)), "IsDeleted": False,
    })  # fmt: skip


def _users(records: Records) -> pd.DataFrame:
    return pd.DataFrame({
        "Id": [salesforce_id("005", 1)], "Username": ["sales@vendor.example"],
        "Email": ["sales@vendor.example"], "IsActive": [True],
        "CreatedDate": iso(records.companies.created.head(1)).tolist(),
    })  # fmt: skip
