"""What a system's module makes of the records, and how its files are written."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

STAGE_NAMES = {
    "open": "Prospecting", "opportunity": "Proposal", "won": "Closed Won", "lost": "Closed Lost",
    "reopened": "Prospecting",
}  # fmt: skip
STAGE_NAMES_JA = {
    "open": "見込み", "opportunity": "提案", "won": "受注", "lost": "失注", "reopened": "見込み",
}  # fmt: skip
ROLE_NAMES = {
    "decision_maker": "Decision Maker", "champion": "Champion", "user": "End User",
    "technical_evaluator": "Technical Buyer", "budget_holder": "Economic Buyer",
    "procurement": "Procurement",
}  # fmt: skip


@dataclass(frozen=True)
class Export:
    """One shape of the records, and which of its rows is which record.

    Attributes:
        tables: file or table -> its rows; times already as the system writes them.
        companies, people, deals: key -> source_table, source_id; what the shape does not hold is
            not in them.
        activities: key, source_table, source_id, occurred (as the shape tells it: a system with
            dates alone has the end of the day), names_deal (the row says whose deal it was for).
        dates_joins: the shape says when a contact joined a deal.
        stages: the records' stages that the shape dates.
        packed: name of the zip that holds all files; "" for a folder.
        as_parquet: a connector's tables, with types.
    """

    tables: Mapping[str, pd.DataFrame]
    companies: pd.DataFrame
    people: pd.DataFrame
    deals: pd.DataFrame
    activities: pd.DataFrame
    dates_joins: bool
    stages: pd.DataFrame
    packed: str = ""
    as_parquet: bool = False


def named(keys: pd.Series, table: str, ids: pd.Series) -> pd.DataFrame:
    """Rows of `Export.companies` and the like."""
    return pd.DataFrame({
        "key": keys.to_numpy(), "source_table": table, "source_id": ids.astype(str).to_numpy(),
    })  # fmt: skip


def placed(
    rows: pd.DataFrame, table: str, ids: pd.Series, *, names_deal: Any = False
) -> pd.DataFrame:
    """Rows of `Export.activities`."""
    found = named(rows.key, table, ids)
    return found.assign(occurred=rows.occurred.to_numpy(), names_deal=np.asarray(names_deal))


def iso(times: pd.Series, suffix: str = ".000Z") -> pd.Series:
    """`2024-01-05T09:30:00.000Z`; nothing where there is no time."""
    texts: pd.Series = times.dt.strftime("%Y-%m-%dT%H:%M:%S").where(times.notna(), None)
    return texts + suffix


def local(times: pd.Series, zone: str) -> pd.Series:
    """`2024-01-05 18:30` in a zone: minutes, as screens show them."""
    there = times.dt.tz_localize("UTC").dt.tz_convert(zone)
    texts: pd.Series = there.dt.strftime("%Y-%m-%d %H:%M").where(times.notna(), None)
    return texts


def day_end(times: pd.Series) -> pd.Series:
    """The last second of the day: what a date without a time is taken for."""
    days: pd.Series = times.dt.floor("D")
    return days + pd.Timedelta(hours=23, minutes=59, seconds=59)


def latest(stages: pd.DataFrame) -> pd.DataFrame:
    """The present stage of each deal: deal -> stage, occurred, amount (the last that was known)."""
    rows = stages.sort_values(["deal", "occurred"], kind="stable")
    last = rows.groupby("deal").agg(
        stage=("stage", "last"), occurred=("occurred", "last"), amount=("amount", "last")
    )
    last["first"] = rows.groupby("deal").occurred.first()
    return last


def write_export(export: Export, folder: Path) -> None:
    """Write the files; equal exports give equal bytes."""
    folder.mkdir(parents=True)
    if export.packed:
        with zipfile.ZipFile(folder / export.packed, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, table in export.tables.items():
                entry = zipfile.ZipInfo(f"{name}.csv", (2020, 1, 1, 0, 0, 0))
                entry.compress_type = zipfile.ZIP_DEFLATED
                packed.writestr(entry, _csv(table))
        return
    for name, table in export.tables.items():
        if export.as_parquet:
            pq.write_table(_typed(table), folder / f"{name}.parquet", compression="zstd")
        else:
            (folder / f"{name}.csv").write_text(_csv(table), encoding="utf-8", newline="")


def _csv(table: pd.DataFrame) -> str:
    text = io.StringIO()
    table.to_csv(text, index=False, lineterminator="\r\n", float_format="%.15g")
    return text.getvalue()


def _typed(table: pd.DataFrame) -> pa.Table:
    columns = {
        name: table[name].astype(object).where(table[name].notna(), None)
        if table[name].dtype == object else table[name]
        for name in table.columns
    }  # fmt: skip
    arrays = {
        name: pa.array(column, pa.string()) if column.dtype == object and _is_text(column)
        else pa.array(np.asarray(column) if column.dtype == bool else column, from_pandas=True)
        for name, column in columns.items()
    }  # fmt: skip
    return pa.table(arrays)


def _is_text(column: pd.Series) -> bool:
    return all(one is None or isinstance(one, str) for one in column)
