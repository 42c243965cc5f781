"""The commands that look at data: check it, simulate it, compute its features."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..contract import BadInput
from ..support.terminal import progress_shown
from .options import (
    ChangedSince,
    Config,
    Data,
    Engine,
    Force,
    JsonFile,
    Quarantine,
    parse_changed_since,
    parse_instant,
    read_settings,
    require_readable_settings,
    write_json,
)

if TYPE_CHECKING:
    from ..features.tables.feature_file import FeatureRows
    from ..settings import Settings


def check(
    data: Data,
    quarantine: Quarantine = None,
    json_file: JsonFile = None,
    config: Config = None,
) -> None:
    """Check the tables against the contract: every problem in one report."""
    from ..source import check_source, checked_source, display_name, open_source

    settings = read_settings(config)
    name = display_name(data)
    with open_source(data, strict=False, settings=settings) as source:
        report = check_source(source, settings)
    write_json(json_file, report.values(name))
    if report.problems and quarantine is None:
        raise BadInput(report.text(name))
    print(report.text(name))  # noqa: T201 - the report is the result
    if report.problems:
        with checked_source(data, quarantine=quarantine, settings=settings):
            pass


def simulate(
    out: Annotated[Path, typer.Argument(help="New or empty folder.")],
    groups: Annotated[int, typer.Option(help="Buying groups.")] = 3000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 7,
    export: Annotated[
        list[str] | None,
        typer.Option(
            help="Write OUT/exports/SHAPE too: hubspot_ui_ja, hubspot_ui_en, hubspot_ui_names, "
            "hubspot_fivetran, hubspot_airbyte, hubspot_dlt, salesforce_export, "
            "salesforce_data_loader, salesforce_fivetran, salesforce_fivetran_history, "
            "salesforce_dlt, marketo_bulk or account_engagement; may be repeated."
        ),
    ] = None,
    json_file: JsonFile = None,
    config: Config = None,
) -> None:
    """Write a world whose truth is known: the contract's tables, and OUT/truth."""
    from ..simulate import simulate as simulate_world

    require_readable_settings(config)
    with progress_shown() as progress:
        simulate_world(
            out,
            groups=groups,
            seed=seed,
            exports=tuple(export or ()),
            progress=lambda _step, done: progress("simulate", done),
        )
    made = {"out": str(out), "groups": groups, "seed": seed, "exports": export or []}
    write_json(json_file, made)


def features(
    data: Data,
    as_of: Annotated[list[str], typer.Option("--as-of", help="A cut-off; may be repeated.")],
    out: Annotated[Path, typer.Option(help="Parquet file.")],
    version: Annotated[
        str | None,
        typer.Option(
            help="Exactly the columns that this model reads, by its own names and settings: "
            "champion, latest, or a number. Default: the columns of the data."
        ),
    ] = None,
    changed_since: ChangedSince = None,
    engine: Engine = "duckdb",
    quarantine: Quarantine = None,
    force: Force = False,
    json_file: JsonFile = None,
    config: Config = None,
) -> None:
    """Write the feature table of every open group at each cut-off."""
    from ..features.tables.feature_file import (
        carry_over,
        read_feature_file,
        require_open_groups,
        write_feature_file,
    )
    from ..features.tables.feature_table import feature_table
    from ..source import display_name
    from ..support.atomic_output import replaced_file

    settings = read_settings(config)
    instants = sorted({parse_instant(text) for text in as_of})
    earlier = parse_changed_since(changed_since, instants)
    previous = None if earlier is None else read_feature_file(out, earlier)
    with progress_shown() as progress, replaced_file(out) as temporary:
        with _feature_rows(
            data, version, instants[-1], settings, quarantine, engine, force=force
        ) as rows:
            table = None
            if previous and earlier:
                table = carry_over(rows, instants[-1], earlier, previous)
            if table is None:
                table = feature_table(rows.source, rows.catalogue, instants, progress=progress)
        require_open_groups(table, instants, display_name(data))
        write_feature_file(table, rows.columns_of, temporary)
    made = {"out": str(out), "rows": table.num_rows, "columns": table.num_columns}
    write_json(json_file, {**made, "as_of": instants, "columns_of": rows.columns_of})


@contextmanager
def _feature_rows(
    data: str,
    version: str | None,
    before: datetime,
    settings: Settings,
    quarantine: Path | None,
    engine: str,
    *,
    force: bool,
) -> Iterator[FeatureRows]:
    """What makes the rows: the data's own columns, or those of a model."""
    from ..features.tables.feature_file import own_columns
    from ..model.data_fit import data_fit, require_fit
    from ..model.model_source import checked_source_for, model_columns
    from ..model.registry import load_registered_bundle
    from ..source import checked_source, on_engine

    if version is None:
        with (
            checked_source(
                data, quarantine=quarantine, threads=settings.model.threads, settings=settings
            ) as source,
            on_engine(source, engine) as engine_source,
        ):
            yield own_columns(engine_source, settings, before)
        return
    model = load_registered_bundle(settings.model.registered_name, version)
    with checked_source_for(data, model.bundle, settings, quarantine, engine) as source:
        rows = model_columns(source, model, settings)
        fit = data_fit(rows.source, model.bundle, before)
        require_fit(fit, "features", force=force)
        yield rows
