"""The commands that bring other systems' exports in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from .options import Config, JsonFile, parse_instant, read_settings, write_json


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
    json_file: JsonFile = None,
    config: Config = None,
) -> None:
    """Turn an export of a CRM or marketing tool into the contract's tables."""
    from ..intake.importing import import_export

    report = import_export(
        kind, src, out, system=system, settings=read_settings(config),
        as_of=None if as_of is None else parse_instant(as_of),
    )  # fmt: skip
    write_json(json_file, {"out": str(out), **report})
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


def init(
    src: Annotated[
        str, typer.Argument(help="Folder or zip of exports, a file, or a database URL.")
    ],
    out: Annotated[Path, typer.Option(help="Where the tables are written.")] = Path("imported"),
    timezone: Annotated[
        str | None, typer.Option(help="Zone of local times in the export, such as Asia/Tokyo.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing.")] = False,
    json_file: JsonFile = None,
) -> None:
    """Look at an export, import it, and write a commented mqbg.toml to begin with."""
    from ..contract import BadInput
    from ..intake.first_settings import first_report, first_settings
    from ..intake.importing import import_export
    from ..settings import settings_from_values

    target = Path("mqbg.toml")
    if target.exists():
        raise BadInput(f"init: expected no {target} here: rename the one there is, or use it")
    if timezone is None and not yes and sys.stdin.isatty():
        timezone = typer.prompt("Zone of local times in the export", default="Asia/Tokyo")
    values = {"import": {"timezone": timezone}} if timezone else {}
    report = import_export("auto", src, out, settings=settings_from_values(values, "--timezone"))
    target.write_text(first_settings(out, timezone), encoding="utf-8")
    write_json(json_file, {"out": str(out), "settings": str(target), **report})
    print(first_report(report, out))  # noqa: T201 - the report is the result
