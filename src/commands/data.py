"""The commands that look at data: check it, simulate it, compute its features."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..contract import BadInput
from ..support.terminal import progress_shown
from .options import (
    ChangedSince,
    Config,
    Data,
    Engine,
    Quarantine,
    parse_changed_since,
    parse_instant,
    read_settings,
    require_readable_settings,
)


def check(data: Data, quarantine: Quarantine = None, config: Config = None) -> None:
    """Check the tables against the contract: every problem in one report."""
    from ..source import check_source, checked_source, display_name, open_source

    settings = read_settings(config)
    with open_source(data, strict=False, settings=settings) as source:
        report = check_source(source, settings)
    if report.problems and quarantine is None:
        raise BadInput(report.text(display_name(data)))
    print(report.text(display_name(data)))  # noqa: T201 - the report is the result
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
            help="Write OUT/exports/SHAPE too: hubspot_ui_ja, hubspot_ui_en, hubspot_fivetran, "
            "hubspot_airbyte, salesforce_export, salesforce_fivetran, marketo_bulk or "
            "account_engagement; may be repeated."
        ),
    ] = None,
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


def features(
    data: Data,
    as_of: Annotated[list[str], typer.Option("--as-of", help="A cut-off; may be repeated.")],
    out: Annotated[Path, typer.Option(help="Parquet file.")],
    changed_since: ChangedSince = None,
    engine: Engine = "duckdb",
    quarantine: Quarantine = None,
    config: Config = None,
) -> None:
    """Write the feature table of every open group at each cut-off."""
    import pyarrow.parquet as pq

    from ..features.declare.catalogue import build_catalogue
    from ..features.declare.vocabulary import find_vocabulary, require_known_roles
    from ..features.tables.feature_source import prepare_source
    from ..features.tables.feature_table import (
        feature_table,
        read_feature_table,
        update_feature_table,
    )
    from ..source import checked_source, display_name, on_engine
    from ..support.atomic_output import replaced_file

    settings = read_settings(config)
    instants = sorted({parse_instant(text) for text in as_of})
    earlier = parse_changed_since(changed_since, instants)
    previous = None if earlier is None else read_feature_table(out, earlier)
    with progress_shown() as progress, replaced_file(out) as temporary:
        with (
            checked_source(
                data, quarantine=quarantine, threads=settings.model.threads, settings=settings
            ) as source,
            on_engine(source, engine) as engine_source,
        ):
            prepared = prepare_source(engine_source, settings)
            require_known_roles(prepared, instants[-1])
            vocabulary = find_vocabulary(prepared, instants[-1])
            feature_catalogue = build_catalogue(vocabulary)
            # Columns that mean something else than before can be carried over for nobody.
            if previous and earlier and find_vocabulary(prepared, earlier) == vocabulary:
                table, _recomputed = update_feature_table(
                    prepared, feature_catalogue, instants[-1], earlier, previous
                )
            else:
                table = feature_table(prepared, feature_catalogue, instants, progress=progress)
        if not table.num_rows:
            raise BadInput(
                f"features: expected groups that are open at {', '.join(as_of)}, found none in "
                f"{display_name(data)}; choose a cut-off after the first group was created"
            )
        pq.write_table(table, temporary, compression="zstd")
