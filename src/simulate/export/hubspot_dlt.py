"""HubSpot's tables as dlt fills them: properties by internal names, associations as child tables.

Deals come without associations of their own: those of contacts and companies name the deals. Of
stages there is the last entry into each; engagements are not loaded.
Source: dlt's verified source `hubspot`, and its naming convention.
"""

from __future__ import annotations

import pandas as pd

from .hubspot_tables import HubSpotTables, hubspot_tables, stage_rows
from .records import Records
from .shape import Export, iso, named, placed


def hubspot_dlt(records: Records) -> Export:
    """Tables of dlt's source `hubspot`."""
    tables = hubspot_tables(records)
    made = {**_objects(tables, records.end), **_associations(tables), **_pipelines(tables)}
    return Export(
        {name: table.assign(_dlt_id=[f"{name}{place}" for place in range(len(table))])
         for name, table in made.items()},
        companies=named(tables.companies.key, "companies", tables.companies.id),
        people=named(tables.contacts.key, "contacts", tables.contacts.id),
        deals=named(tables.deals.key, "deals", tables.deals.id),
        activities=placed(records.activities.head(0), "none", records.activities.key.head(0)),
        dates_joins=False,
        stages=records.stages.loc[_last_entries(tables.stages).index], as_parquet=True,
    )  # fmt: skip


def _last_entries(stages: pd.DataFrame) -> pd.DataFrame:
    """The last time that a deal entered each stage."""
    rows = stages.sort_values(["deal", "occurred"], kind="stable")
    return rows.drop_duplicates(["deal", "stage"], keep="last")


def _objects(tables: HubSpotTables, end: pd.Timestamp) -> dict[str, pd.DataFrame]:
    contact, company, deal = tables.contacts, tables.companies, tables.deals
    updated = iso(pd.Series([end]))[0]
    of_all = {"_dlt_load_id": "1767225600.123"}
    return {
        "contacts": pd.DataFrame({
            "id": contact.id.astype(str), "hs_object_id": contact.id.astype(str),
            "email": contact.email, "firstname": contact.firstname, "lastname": contact.lastname,
            "phone": contact.phone, "jobtitle": contact.jobtitle,
            "department": contact.department, "createdate": iso(contact.createdate),
            "lastmodifieddate": updated, "hs_merged_object_ids": contact.merged,
            "hs_buying_role": contact.role, "associatedcompanyid": contact.company.astype(str),
        }).assign(**of_all),
        "companies": pd.DataFrame({
            "id": company.id.astype(str), "hs_object_id": company.id.astype(str),
            "name": company.name, "domain": company.domain, "industry": company.industry,
            "country": company.country, "corporate_number": company.number,
            "createdate": iso(company.createdate), "hs_lastmodifieddate": updated,
            "hs_merged_object_ids": company.merged,
        }).assign(**of_all),
        "deals": pd.DataFrame({
            "id": deal.id.astype(str), "hs_object_id": deal.id.astype(str), "dealname": deal.name,
            "dealstage": deal.stage, "pipeline": deal.pipeline,
            "amount": deal.amount.astype(object).where(deal.amount.notna(), None).map(
                lambda one: None if one is None else f"{one:.0f}"),
            "closedate": iso(deal.closedate), "createdate": iso(deal.createdate),
            "hs_lastmodifieddate": updated,
        }).assign(**of_all),
        "owners": pd.DataFrame({
            "id": ["11"], "email": ["sales@vendor.example"], "first_name": ["Sato"],
            "user_id": [11], "archived": [False],
        }).assign(**of_all),
    }  # fmt: skip


def _associations(tables: HubSpotTables) -> dict[str, pd.DataFrame]:
    deals, contacts = tables.deals, tables.contacts
    return {
        "contacts__deals": _children(tables.pairs.contact, tables.pairs.deal, "deals_id"),
        "companies__deals": _children(deals.company, deals.id, "deals_id"),
        "companies__contacts": _children(contacts.company, contacts.id, "contacts_id"),
    }


def _children(values: pd.Series, others: pd.Series, column: str) -> pd.DataFrame:
    rows = pd.DataFrame(
        {"value": values.astype(str).to_numpy(), column: others.astype(str).to_numpy()}
    )
    rows["_dlt_parent_id"] = "p" + rows.value
    rows["_dlt_list_idx"] = rows.groupby("value").cumcount()
    return rows


def _pipelines(tables: HubSpotTables) -> dict[str, pd.DataFrame]:
    deal = tables.deals
    pipelines = sorted(set(zip(deal.pipeline, deal.label, strict=True)))
    entries = _last_entries(tables.stages)
    return {
        "pipelines_deals": pd.DataFrame(
            [{"id": pipeline, "label": label, "display_order": place, "archived": False}
             for place, (pipeline, label) in enumerate(pipelines)]),
        "pipelines_deals__stages": pd.DataFrame(
            [{"id": stage, "label": label, "display_order": place, "archived": False,
              "metadata__is_closed": str(closed).lower(), "metadata__probability": str(chance),
              "_dlt_parent_id": pipelines[0][0], "_dlt_list_idx": place}
             for place, (stage, label, chance, closed) in enumerate(stage_rows())]),
        # dlt writes `x` for the underscore at the end of `hs_date_entered_`.
        "stages_timing_deals": pd.DataFrame(
            {"id": entries.deal.astype(str), "stage": entries.stage,
             "hs_date_enteredx": entries.occurred}
        ).reset_index(drop=True),
    }  # fmt: skip
