"""The commands that look at data: check it, simulate it, compute its features."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..contract import BadInput
from ..support.terminal import progress_shown
from .options import (
    Config,
    Data,
    Engine,
    Quarantine,
    Since,
    earlier_cutoff,
    instant,
    settings_of,
)


def check(data: Data, quarantine: Quarantine = None, config: Config = None) -> None:
    """Check the tables against the contract: every problem in one report."""
    from ..source import check as check_source
    from ..source import checked_source, open_source, shown_name

    settings_of(config)
    with open_source(data, strict=False) as source:
        report = check_source(source)
    if report.problems and quarantine is None:
        raise BadInput(report.text(shown_name(data)))
    print(report.text(shown_name(data)))  # noqa: T201 - the report is the result
    if report.problems:
        with checked_source(data, quarantine=quarantine):
            pass


def simulate(
    out: Annotated[Path, typer.Argument(help="New or empty folder.")],
    groups: Annotated[int, typer.Option(help="Buying groups.")] = 3000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 7,
    config: Config = None,
) -> None:
    """Write a world whose truth is known: the contract's tables, and OUT/truth."""
    from ..simulate import simulate as simulate_world

    settings_of(config)
    with progress_shown() as progress:
        simulate_world(
            out, groups=groups, seed=seed, progress=lambda _step, done: progress("simulate", done)
        )


def features(
    data: Data,
    as_of: Annotated[list[str], typer.Option("--as-of", help="A cut-off; may be repeated.")],
    out: Annotated[Path, typer.Option(help="Parquet file.")],
    changed_since: Since = None,
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
    from ..source import checked_source, on_engine, shown_name
    from ..support.atomic_output import replaced_file

    settings = settings_of(config)
    instants = sorted({instant(text) for text in as_of})
    earlier = earlier_cutoff(changed_since, instants)
    before = None if earlier is None else read_feature_table(out, earlier)
    with progress_shown() as progress, replaced_file(out) as aside:
        with (
            checked_source(data, quarantine=quarantine, threads=settings.model.threads) as source,
            on_engine(source, engine) as there,
        ):
            prepared = prepare_source(there, settings)
            require_known_roles(prepared, instants[-1])
            vocabulary = find_vocabulary(prepared, instants[-1])
            words = build_catalogue(vocabulary)
            # Columns that mean something else than before can be carried over for nobody.
            if before and earlier and find_vocabulary(prepared, earlier) == vocabulary:
                table, _anew = update_feature_table(prepared, words, instants[-1], earlier, before)
            else:
                table = feature_table(prepared, words, instants, progress=progress)
        if not table.num_rows:
            raise BadInput(
                f"features: expected groups that are open at {', '.join(as_of)}, found none in "
                f"{shown_name(data)}; choose a cut-off after the first group was created"
            )
        pq.write_table(table, aside, compression="zstd")
