"""A simulated world as the exports of CRM and marketing tools, with duplicates, merges and leads.

Each system's module writes tables and columns as the vendor documents them; the truth of every row
is written beside. It knows nothing of how exports are read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from ..write import write_tables
from .account_engagement import account_engagement
from .hubspot_airbyte import hubspot_airbyte
from .hubspot_dlt import hubspot_dlt
from .hubspot_fivetran import hubspot_fivetran
from .hubspot_ui import hubspot_ui
from .marketo import marketo_bulk
from .records import Records, records_of
from .salesforce import salesforce_export
from .salesforce_tools import (
    salesforce_data_loader,
    salesforce_dlt,
    salesforce_fivetran,
    salesforce_fivetran_history,
)
from .shape import Export, write_export
from .truth import truth_of

SHAPES: Mapping[str, Callable[[Records], Export]] = MappingProxyType(
    {
        "hubspot_ui_en": partial(hubspot_ui, language="en"),
        "hubspot_ui_ja": partial(hubspot_ui, language="ja"),
        "hubspot_ui_names": partial(hubspot_ui, language="names"),
        "hubspot_fivetran": hubspot_fivetran,
        "hubspot_airbyte": hubspot_airbyte,
        "hubspot_dlt": hubspot_dlt,
        "salesforce_export": salesforce_export,
        "salesforce_data_loader": salesforce_data_loader,
        "salesforce_fivetran": salesforce_fivetran,
        "salesforce_fivetran_history": salesforce_fivetran_history,
        "salesforce_dlt": salesforce_dlt,
        "marketo_bulk": marketo_bulk,
        "account_engagement": account_engagement,
    }
)
"""What can be exported, by name."""

__all__ = ["SHAPES", "write_exports"]


def write_exports(
    tables: Mapping[str, Any], shapes: tuple[str, ...], out: Path, truth: Path, seed: int
) -> None:
    """Write a world in the given shapes.

    Args:
        tables: the contract's tables of the world, as Arrow tables.
        shapes: names of SHAPES.
        out: a folder for each shape is made in it.
        truth: the same, for what is true of the rows.
        seed: for what is planted.
    """
    records = records_of(tables, seed)
    for shape in dict.fromkeys(shapes):
        export = SHAPES[shape](records)
        write_export(export, out / shape)
        facts = {
            name: pa.Table.from_pandas(table, preserve_index=False)
            for name, table in truth_of(records, export).items()
        }
        write_tables(truth / shape, facts)
