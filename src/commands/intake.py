"""The commands that bring other systems' exports in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Config, parse_instant, read_settings


def import_(
    kind: Annotated[
        str,
        typer.Argument(help="hubspot, salesforce, marketo, account_engagement, files, or auto."),
    ],
    src: Annotated[
        str,
        typer.Argument(
            help="Folder or zip of exports, one file, a DuckDB file, or a database URL."
        ),
    ],
    out: Annotated[Path, typer.Argument(help="New folder, or one of an earlier import.")],
    system: Annotated[
        str | None,
        typer.Option(help="Name of the system; the same name again replaces it. Default: KIND."),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="The instant of the export; default: its newest timestamp."),
    ] = None,
    config: Config = None,
) -> None:
    """Turn an export of a CRM or marketing tool into the contract's tables."""
    from ..intake.importing import import_export

    report = import_export(
        kind, src, out, system=system, settings=read_settings(config),
        as_of=None if as_of is None else parse_instant(as_of),
    )  # fmt: skip
    lines = [f"{count:>12,}  {name}" for name, count in report["counts"].items()]
    lines += [f"missing: {one}" for one in report["missing"]] + [
        f"costs: {one}" for one in report["costs"]
    ]
    lines += [
        "",
        f"Written to {out}; every row's fate is in {out / 'import' / 'report.md'}.",
        f"Next: mqbg check {out}",
    ]
    print("\n".join(lines))  # noqa: T201 - the report is the result
