"""Feature tables as files, and whose columns they have: those of the data, or of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...contract import BadInput
from ...settings import Settings
from ...source.staging import Source
from ..declare.catalogue import Catalogue, build_catalogue
from ..declare.vocabulary import find_vocabulary, require_known_roles
from .feature_source import FeatureSource, prepare_source
from .feature_table import update_feature_table

_COLUMNS_OF = b"mqbg.columns_of"  # in the file's metadata
_OF_THE_DATA = "the data"


@dataclass(frozen=True)
class FeatureRows:
    """What makes the rows of a feature table.

    Attributes:
        source: prepared tables.
        catalogue: the declarations of the columns.
        columns_of: "the data", or name and version of a model.
    """

    source: FeatureSource
    catalogue: Catalogue
    columns_of: str


def own_columns(source: Source, settings: Settings, before: datetime) -> FeatureRows:
    """The columns that data and settings make.

    Args:
        source: open and checked.
        settings: of the user.
        before: what is known later shapes no column.

    Raises:
        BadInput: the settings name roles, and no member has any of them.
    """
    prepared = prepare_source(source, settings)
    require_known_roles(prepared, before)
    return FeatureRows(prepared, build_catalogue(find_vocabulary(prepared, before)), _OF_THE_DATA)


def require_open_groups(table: pa.Table, instants: Sequence[datetime], data: str) -> None:
    """Refuses a feature table without a row.

    Args:
        table: the features.
        instants: the cut-offs.
        data: what its source is called.

    Raises:
        BadInput: no group was open.
    """
    if not table.num_rows:
        shown = ", ".join(f"{at:%Y-%m-%d %H:%M}" for at in instants)
        raise BadInput(
            f"features: expected groups that are open at {shown}, found none in {data}; choose a "
            "cut-off after the first group was created"
        )


def carry_over(
    rows: FeatureRows, as_of: datetime, since: datetime, earlier: pa.Table
) -> pa.Table | None:
    """The table at a cut-off, made from that of an earlier one; equal to `feature_table`.

    Args:
        rows: what makes the table.
        as_of: the cut-off.
        since: the earlier cut-off.
        earlier: as `read_feature_file` gave it.

    Returns:
        None where its columns mean something else: they can be carried over for nobody.
    """
    made_for = (earlier.schema.metadata or {}).get(_COLUMNS_OF, _OF_THE_DATA.encode()).decode()
    missing = set(rows.catalogue.feature_names) - set(earlier.column_names)
    if made_for != rows.columns_of or missing:
        return None
    if rows.columns_of == _OF_THE_DATA:
        vocabulary = find_vocabulary(rows.source, since)
        if vocabulary != rows.catalogue.vocabulary:
            return None
    table, _recomputed = update_feature_table(rows.source, rows.catalogue, as_of, since, earlier)
    return table


def write_feature_file(table: pa.Table, columns_of: str, path: Path) -> None:
    """Writes a feature table as Parquet, with whose columns it has in the file's metadata."""
    marked = table.replace_schema_metadata({_COLUMNS_OF: columns_of.encode()})
    pq.write_table(marked, path, compression="zstd")


def read_feature_file(path: Path, as_of: datetime) -> pa.Table:
    """A feature table that was written as Parquet.

    Raises:
        BadInput: there is none, or not of that cut-off alone.
    """
    try:
        table = pq.read_table(path)
        found = pc.unique(table["as_of"]).to_pylist()
    except (OSError, pa.ArrowInvalid, KeyError) as error:
        raise BadInput(
            f"--changed-since: expected a feature table at {path}, could not read it: "
            f"{str(error).splitlines()[0]}; write it once without --changed-since"
        ) from None
    if found != [as_of]:
        got = ", ".join(f"{instant:%Y-%m-%d %H:%M:%S}" for instant in found) or "no rows"
        raise BadInput(
            f"--changed-since: expected {path} to hold the features of "
            f"{as_of:%Y-%m-%d %H:%M:%S} alone, got {got}; write it once without --changed-since"
        )
    return table
