"""Salesforce's objects as other tools write them: Data Loader, Fivetran and dlt.

Sources: developer.salesforce.com, Data Loader Guide; fivetran.com/docs, history mode; dlt's
verified source `salesforce` and its naming convention.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from .records import Records
from .salesforce import salesforce_objects
from .shape import STAGE_NAMES, Export, day_end, iso, latest

NEVER = pd.Timestamp("2199-12-31 23:59:59")  # Fivetran's own 9999 is beyond nanoseconds
_MILLISECOND = pd.Timedelta(milliseconds=1)
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])")
_DLT_NAMES = {"user": "sf_user"}


def salesforce_data_loader(records: Records) -> Export:
    """Data Loader's Export All: a CSV an object, field names in capitals, deleted rows as well."""
    whole = salesforce_objects(records)
    tables = {
        f"extract_{name}": table.rename(columns=str.upper) for name, table in whole.tables.items()
    }
    return replace(whole, tables=tables)


def salesforce_fivetran(records: Records) -> Export:
    """Fivetran's tables: the same fields in snake case, with types of their own."""
    whole = salesforce_objects(records)
    tables = {
        name: table.assign(_fivetran_synced=records.end)
        for name, table in _in_snake_case(whole.tables).items()
    }
    return replace(whole, tables=tables, as_parquet=True)


def salesforce_fivetran_history(records: Records) -> Export:
    """Fivetran's tables in history mode: a row for each version, and no object of histories."""
    whole = salesforce_objects(records)
    objects = {name: table for name, table in whole.tables.items() if name != "OpportunityHistory"}
    versions = objects | {
        "Opportunity": _deal_versions(objects["Opportunity"], records),
        "OpportunityContactRole": _role_versions(objects["OpportunityContactRole"]),
    }
    tables = {
        name: _with_spans(table).assign(_fivetran_synced=records.end)
        for name, table in _in_snake_case(versions).items()
    }
    return replace(whole, tables=tables, as_parquet=True)


def salesforce_dlt(records: Records) -> Export:
    """Tables of dlt, with instants as timestamps; its source has no history of stages."""
    whole = salesforce_objects(records)
    tables = {
        _DLT_NAMES.get(name, name): _with_load(_with_instants(table), name)
        for name, table in _in_snake_case(whole.tables).items()
        if name != "opportunity_history"
    }
    present = latest(records.stages).reset_index()
    closed = present[present.stage.isin(["won", "lost"])]
    stages = closed.assign(occurred=day_end(closed.occurred))  # CloseDate is a day
    return replace(whole, tables=tables, stages=stages, as_parquet=True)


def _in_snake_case(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    return {_snake(name): table.rename(columns=_snake) for name, table in tables.items()}


def _snake(name: str) -> str:
    return name if name.startswith("_") else _WORDS.sub("_", name).lower()


def _deal_versions(deals: pd.DataFrame, records: Records) -> pd.DataFrame:
    """A version of each deal for each stage that it was in."""
    stages = records.stages.sort_values(["deal", "occurred"], kind="stable")
    rows = deals.iloc[stages.deal.to_numpy()].reset_index(drop=True)
    stage = stages.stage.reset_index(drop=True)
    return rows.assign(
        StageName=stage.map(STAGE_NAMES), Amount=stages.amount.to_numpy(),
        IsClosed=stage.isin(["won", "lost"]), IsWon=stage == "won",
        LastModifiedDate=iso(stages.occurred.reset_index(drop=True)),
        _fivetran_start=stages.occurred.to_numpy(),
    )  # fmt: skip


def _role_versions(roles: pd.DataFrame) -> pd.DataFrame:
    """A version of each role from its beginning, and one from when it was deleted."""
    first = roles.assign(
        IsDeleted=False, LastModifiedDate=roles.CreatedDate, SystemModstamp=roles.CreatedDate
    )
    last = roles[roles.IsDeleted]
    return pd.concat(
        [first.assign(_fivetran_start=_instants(first.CreatedDate)),
         last.assign(_fivetran_start=_instants(last.LastModifiedDate))], ignore_index=True,
    )  # fmt: skip


def _with_spans(table: pd.DataFrame) -> pd.DataFrame:
    """The columns of history mode; a record without versions has one, since its creation."""
    if "_fivetran_start" not in table:
        table = table.assign(_fivetran_start=_instants(table.created_date))
    rows = table.sort_values(["id", "_fivetran_start"], kind="stable").reset_index(drop=True)
    following = rows.groupby("id")._fivetran_start.shift(-1)
    return rows.assign(
        _fivetran_end=(following - _MILLISECOND).fillna(NEVER), _fivetran_active=following.isna()
    )


def _instants(texts: pd.Series) -> pd.Series:
    """ISO texts as timestamps, which are UTC."""
    return pd.to_datetime(texts, format="ISO8601").dt.tz_localize(None)


def _with_instants(table: pd.DataFrame) -> pd.DataFrame:
    """Texts that are instants as timestamps; dates stay texts."""
    dated = [
        name for name in table.columns
        if table[name].dtype == object and table[name].astype(str).str.match(r"\d{4}-..-..T").any()
    ]  # fmt: skip
    return table.assign(**{name: _instants(table[name]) for name in dated})


def _with_load(table: pd.DataFrame, name: str) -> pd.DataFrame:
    return table.assign(
        _dlt_load_id="1767225600.123", _dlt_id=[f"{name}{place}" for place in range(len(table))]
    )
