"""`mqbg demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..support.terminal import progress_shown, results
from .options import Config, JsonFile, read_settings, write_json


def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything it makes.")] = Path("demo"),
    groups: Annotated[int, typer.Option(help="Buying groups.")] = 1200,
    json_file: JsonFile = None,
    config: Config = None,
) -> None:
    """Simulate, check, train, score four weeks and report, in under two minutes."""
    from .demonstration import (
        demonstration_document,
        demonstration_output,
        run_demonstration,
    )

    settings = read_settings(config)
    with progress_shown() as progress:
        demonstration = run_demonstration(out, groups, settings, progress)
    write_json(json_file, demonstration_document(demonstration))
    console = results()
    for part in demonstration_output(demonstration, settings):
        console.print(part, highlight=False, soft_wrap=isinstance(part, str))
