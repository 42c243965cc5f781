"""HubSpot's tables as Fivetran fills them: `property_*` columns, associations by type, histories.

Source: fivetran.com/docs/connectors/applications/hubspot, the ERD.
"""

from __future__ import annotations

import pandas as pd

from .hubspot_tables import HubSpotTables, hubspot_tables, stage_rows
from .records import Records
from .shape import Export, named, placed


def hubspot_fivetran(records: Records) -> Export:
    """Tables of Fivetran's schema `hubspot`."""
    tables = hubspot_tables(records)
    made = {
        **_objects(tables), **_associations(tables), **_histories(tables), **_activities(tables)
    }  # fmt: skip
    synced = records.end
    told = [
        placed(rows, table, rows.id, names_deal=rows.deal > 0)
        for table, rows in (
            ("engagement_call", _of_type(tables, "CALL")),
            ("engagement_meeting", _of_type(tables, "MEETING")),
        )
    ]
    forms = tables.forms
    form_ids = (
        forms.contact.astype(str) + ":" + forms.form + ":" + forms.conversion + ":"
        + forms.occurred.dt.strftime("%Y-%m-%d %H:%M:%S")
    )  # fmt: skip
    mails = tables.mails.rename(columns={"created": "occurred"})
    return Export(
        {name: table.assign(_fivetran_synced=synced) for name, table in made.items()},
        companies=named(tables.companies.key, "company", tables.companies.id),
        people=named(tables.contacts.key, "contact", tables.contacts.id),
        deals=named(tables.deals.key, "deal", tables.deals.id),
        activities=pd.concat(
            [*told, placed(mails, "email_event", mails.id),
             placed(forms, "contact_form_submission", form_ids)], ignore_index=True),
        dates_joins=False, stages=records.stages, as_parquet=True,
    )  # fmt: skip


def _of_type(tables: HubSpotTables, kind: str) -> pd.DataFrame:
    return tables.engagements[tables.engagements.type == kind]


def _objects(tables: HubSpotTables) -> dict[str, pd.DataFrame]:
    contact, company, deal = tables.contacts, tables.companies, tables.deals
    return {
        "contact": pd.DataFrame({
            "id": contact.id, "_fivetran_deleted": False, "property_email": contact.email,
            "property_firstname": contact.firstname, "property_lastname": contact.lastname,
            "property_phone": contact.phone, "property_jobtitle": contact.jobtitle,
            "property_department": contact.department, "property_createdate": contact.createdate,
            "property_hs_calculated_merged_vids": contact.merged,
            "property_associatedcompanyid": contact.company, "property_lifecyclestage": "lead",
            "property_hs_buying_role": contact.role,
        }),
        "company": pd.DataFrame({
            "id": company.id, "is_deleted": False, "property_name": company.name,
            "property_domain": company.domain, "property_industry": company.industry,
            "property_numberofemployees": company.employees, "property_country": company.country,
            "property_corporate_number": company.number, "property_createdate": company.createdate,
            "property_hs_merged_object_ids": company.merged,
        }),
        "deal": pd.DataFrame({
            "deal_id": deal.id, "is_deleted": False, "portal_id": 123_456,
            "deal_pipeline_id": deal.pipeline, "deal_pipeline_stage_id": deal.stage,
            "owner_id": 11, "property_dealname": deal.name, "property_amount": deal.amount,
            "property_closedate": deal.closedate, "property_createdate": deal.createdate,
        }),
        "deal_pipeline": deal[["pipeline", "label"]].drop_duplicates()
        .sort_values("pipeline").rename(columns={"pipeline": "pipeline_id"}),
        "deal_pipeline_stage": pd.DataFrame([
            {"stage_id": stage, "pipeline_id": pipeline, "label": label, "probability": chance,
             "is_closed": closed, "closed_won": closed and chance == 1.0}
            for pipeline in sorted(deal.pipeline.unique())[:1]
            for stage, label, chance, closed in stage_rows()
        ]),
        "owner": pd.DataFrame({"owner_id": [11], "email": ["sales@vendor.example"]}),
    }  # fmt: skip


def _associations(tables: HubSpotTables) -> dict[str, pd.DataFrame]:
    engagements = tables.engagements
    tied, dealt = engagements[engagements.contact > 0], engagements[engagements.deal > 0]
    return {
        "deal_contact": pd.DataFrame({
            "deal_id": tables.pairs.deal, "contact_id": tables.pairs.contact, "type_id": 3,
            "category": "HUBSPOT_DEFINED",
        }),
        "deal_company": pd.DataFrame({
            "deal_id": tables.deals.id, "company_id": tables.deals.company, "type_id": 5,
            "category": "HUBSPOT_DEFINED",
        }),
        "engagement_contact": pd.DataFrame(
            {"engagement_id": tied.id, "contact_id": tied.contact, "category": "HUBSPOT_DEFINED"}),
        "engagement_deal": pd.DataFrame(
            {"engagement_id": dealt.id, "deal_id": dealt.deal, "category": "HUBSPOT_DEFINED"}),
    }  # fmt: skip


def _histories(tables: HubSpotTables) -> dict[str, pd.DataFrame]:
    stages, counts = tables.stages, tables.counts
    history = pd.concat([
        pd.DataFrame({"deal_id": stages.deal, "name": "dealstage", "value": stages.stage,
                      "timestamp": stages.occurred}),
        pd.DataFrame({"deal_id": counts.deal, "name": "num_associated_contacts",
                      "value": counts.people.astype(str), "timestamp": counts.counted}),
        pd.DataFrame({"deal_id": tables.deals.id, "name": "amount",
                      "value": tables.deals.amount.fillna(0).astype(str),
                      "timestamp": tables.deals.createdate}),
    ], ignore_index=True)  # fmt: skip
    return {
        "deal_property_history": history.assign(source="CRM_UI"),
        "deal_stage": pd.DataFrame({
            "deal_id": stages.deal, "value": stages.stage, "date_entered": stages.occurred,
            "source": "CRM_UI",
        }),
    }  # fmt: skip


def _activities(tables: HubSpotTables) -> dict[str, pd.DataFrame]:
    calls, meetings = _of_type(tables, "CALL"), _of_type(tables, "MEETING")
    forms, mails = tables.forms, tables.mails
    return {
        "engagement": tables.engagements[["id", "type"]].assign(active=True, portal_id=123_456),
        "engagement_call": pd.DataFrame({
            "engagement_id": calls.id, "property_hs_timestamp": calls.occurred,
            "property_hs_createdate": calls.recorded, "property_hs_call_direction": "OUTBOUND",
            "property_hs_call_duration": calls.seconds * 1000, "type": "CALL",
        }),
        "engagement_meeting": pd.DataFrame({
            "engagement_id": meetings.id, "property_hs_timestamp": meetings.occurred,
            "property_hs_meeting_start_time": meetings.occurred,
            "property_hs_meeting_end_time": meetings.occurred
            + pd.to_timedelta(meetings.seconds, unit="s"),
            "property_hs_createdate": meetings.recorded,
            "property_hs_meeting_outcome": "COMPLETED", "type": "MEETING",
        }),
        "email_event": pd.DataFrame({
            "id": mails.id, "app_id": 1, "recipient": mails.recipient.str.upper(),
            "type": mails.type, "created": mails.created, "email_campaign_id": mails.campaign,
            "filtered_event": False,
        }),
        "contact_form_submission": pd.DataFrame({
            "contact_id": forms.contact, "form_id": forms.form, "conversion_id": forms.conversion,
            "timestamp": forms.occurred, "title": forms.title,
        }),
        "form": pd.DataFrame({
            "guid": sorted(forms.form.unique()), "name": sorted(forms.form.unique()),
            "form_type": "HUBSPOT",
        }),
    }  # fmt: skip
