"""HubSpot's streams as Airbyte writes them: `properties` as JSON, associations as lists, ISO times.

The history of properties has epoch milliseconds.
Source: docs.airbyte.com/integrations/sources/hubspot.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import pandas as pd

from .hubspot_tables import HubSpotTables, hubspot_tables, stage_rows
from .records import Records
from .shape import Export, iso, named, placed


def hubspot_airbyte(records: Records) -> Export:
    """Streams of Airbyte's source, as CSV."""
    tables = hubspot_tables(records)
    calls = tables.engagements[tables.engagements.type == "CALL"]
    meetings = tables.engagements[tables.engagements.type == "MEETING"]
    made = {
        **_objects(tables, records.end),
        **_histories(tables),
        "engagements_calls": _engagement(calls, {
            "hs_timestamp": iso(calls.occurred), "hs_createdate": iso(calls.recorded),
            "hs_call_direction": "OUTBOUND", "hs_call_duration": calls.seconds * 1000,
        }),
        "engagements_meetings": _engagement(meetings, {
            "hs_timestamp": iso(meetings.occurred), "hs_createdate": iso(meetings.recorded),
            "hs_meeting_start_time": iso(meetings.occurred),
            "hs_meeting_end_time": iso(meetings.occurred
                                       + pd.to_timedelta(meetings.seconds, unit="s")),
            "hs_meeting_outcome": "COMPLETED",
        }),
        "email_events": _mails(tables),
    }  # fmt: skip
    mails = tables.mails.rename(columns={"created": "occurred"})
    return Export(
        {name: table.assign(_airbyte_raw_id=[f"{name}-{place}" for place in range(len(table))],
                            _airbyte_extracted_at=iso(pd.Series(records.end, index=table.index)))
         for name, table in made.items()},
        companies=named(tables.companies.key, "companies", tables.companies.id),
        people=named(tables.contacts.key, "contacts", tables.contacts.id),
        deals=named(tables.deals.key, "deals", tables.deals.id),
        activities=pd.concat(
            [placed(calls, "engagements_calls", calls.id, names_deal=calls.deal > 0),
             placed(meetings, "engagements_meetings", meetings.id,
                    names_deal=meetings.deal > 0),
             placed(mails, "email_events", mails.id)], ignore_index=True),
        dates_joins=False, stages=records.stages,
    )  # fmt: skip


def _json(rows: pd.DataFrame) -> list[str]:
    """Each row as a JSON object of texts, empty ones null."""
    names = list(rows.columns)
    return [
        json.dumps(
            {name: None if value is None or value != value else str(value)
             for name, value in zip(names, values, strict=True)},
            ensure_ascii=False,
        )
        for values in rows.itertuples(index=False)
    ]  # fmt: skip


def _lists(ids: Sequence[Sequence[int]]) -> list[str]:
    return [json.dumps([str(one) for one in some]) for some in ids]


def _objects(tables: HubSpotTables, end: pd.Timestamp) -> dict[str, pd.DataFrame]:
    contact, company, deal = tables.contacts, tables.companies, tables.deals
    updated = iso(pd.Series([end]))[0]
    members = tables.pairs.groupby("deal").contact.apply(list)
    return {
        "contacts": pd.DataFrame({
            "id": contact.id,
            "properties": _json(contact[["email", "firstname", "lastname", "phone", "jobtitle",
                                         "department"]].assign(
                createdate=iso(contact.createdate), hs_merged_object_ids=contact.merged,
                hs_buying_role=contact.role)),
            "createdAt": iso(contact.createdate), "updatedAt": updated, "archived": False,
            "companies": _lists([[one] for one in contact.company]),
        }),
        "companies": pd.DataFrame({
            "id": company.id,
            "properties": _json(company[["name", "domain", "industry", "country"]].assign(
                numberofemployees=company.employees, corporate_number=company.number,
                createdate=iso(company.createdate), hs_merged_object_ids=company.merged)),
            "createdAt": iso(company.createdate), "updatedAt": updated, "archived": False,
        }),
        "deals": pd.DataFrame({
            "id": deal.id,
            "properties": _json(pd.DataFrame({
                "dealname": deal.name, "dealstage": deal.stage, "pipeline": deal.pipeline,
                "amount": deal.amount, "closedate": iso(deal.closedate),
                "createdate": iso(deal.createdate)})),
            "createdAt": iso(deal.createdate), "updatedAt": updated, "archived": False,
            "contacts": _lists([members.get(one, []) for one in deal.id]),
            "companies": _lists([[one] for one in deal.company]),
        }),
        "deal_pipelines": pd.DataFrame([
            {"pipelineId": pipeline, "label": label, "active": True,
             "stages": json.dumps([
                 {"stageId": stage, "label": name,
                  "metadata": {"isClosed": str(closed).lower(), "probability": str(chance)}}
                 for stage, name, chance, closed in stage_rows()])}
            for pipeline, label in sorted(set(zip(deal.pipeline, deal.label, strict=True)))
        ]),
    }  # fmt: skip


def _histories(tables: HubSpotTables) -> dict[str, pd.DataFrame]:
    rows = pd.concat([
        pd.DataFrame({"dealId": tables.stages.deal, "property": "dealstage",
                      "value": tables.stages.stage, "when": tables.stages.occurred}),
        pd.DataFrame({"dealId": tables.counts.deal, "property": "num_associated_contacts",
                      "value": tables.counts.people.astype(str), "when": tables.counts.counted}),
    ], ignore_index=True)  # fmt: skip
    rows["timestamp"] = rows.when.astype("datetime64[ms]").astype("int64")
    return {"deals_property_history": rows.drop(columns="when")}


def _engagement(rows: pd.DataFrame, properties: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame({
        "id": rows.id, "properties": _json(pd.DataFrame(properties, index=rows.index)),
        "createdAt": iso(rows.recorded), "updatedAt": iso(rows.recorded), "archived": False,
        "contacts": _lists([[one] if one else [] for one in rows.contact]),
        "deals": _lists([[one] if one else [] for one in rows.deal]),
    })  # fmt: skip


def _mails(tables: HubSpotTables) -> pd.DataFrame:
    mails = tables.mails
    return pd.DataFrame({
        "id": mails.id, "appId": 1, "recipient": mails.recipient, "type": mails.type,
        "created": mails.created.astype("datetime64[ms]").astype("int64"),
        "emailCampaignId": mails.campaign, "filteredEvent": False,
    })  # fmt: skip
