"""Lines of JSON: a file that holds every group once, or stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from ....contract import BadInput
from ....settings import Settings
from ....settings.delivery import JsonLines as Own
from ....support.atomic_output import replaced_file
from ..desired_records import as_json, group_columns, wanted
from .target import GROUP, Given, Item, Outcome, Wanted

STDOUT = "-"
KEY = "id"
"""Of a line, beside the fields of the settings: the group_id, whatever those are called."""


class JsonLines:
    """One line for each group, by id: `{"id": ..., and the fields of the settings}`.

    The file is written aside and renamed, so a reader finds the lines of one push, whole. On
    stdout go the lines that changed.
    """

    name = "jsonl"
    kinds = (GROUP,)
    connections = 1

    def __init__(self, own: Own, stdout: TextIO | None = None) -> None:
        self._own, self._stdout = own, stdout or sys.stdout

    def batch(self, kind: str, records: int) -> int:  # noqa: ARG002 - of the protocol
        """All at once: the file is written whole."""
        return records

    def prepare(self) -> list[str]:
        """Nothing to make."""
        return []

    def send(self, items: Sequence[Item]) -> list[Outcome]:
        """Writes them."""
        lines = {item.object_id: _line(item) for item in items}
        if self._own.path == STDOUT:
            self._stdout.write("".join(lines.values()))
            self._stdout.flush()
        else:
            path = Path(self._own.path)
            together = _lines_of(path) | lines
            with replaced_file(path) as aside:
                text = "".join(together[object_id] for object_id in sorted(together))
                aside.write_text(text, encoding="utf-8", newline="\n")
        return [Outcome()] * len(items)


def _line(item: Item) -> str:
    key = json.dumps(item.object_id, ensure_ascii=False)
    rest = item.payload[1:] if item.payload == "{}" else f",{item.payload[1:]}"
    # U+2028 and U+2029 end a line for some readers, and never stand in JSON outside of texts.
    line = f'{{"{KEY}":{key}{rest}\n'
    return line.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").replace("\x85", "\\u0085")


def _lines_of(path: Path) -> dict[str, str]:
    """The lines of an earlier push by id.

    Raises:
        BadInput: the file is none of ours.
    """
    if not path.exists():
        return {}
    found = {}
    with path.open(encoding="utf-8", newline="\n") as file:
        for line in file:
            try:
                found[str(json.loads(line)[KEY])] = line
            except (ValueError, KeyError, TypeError):
                raise BadInput(
                    f"push: expected lines of an earlier push in {path}, got something else; "
                    "choose another [push.jsonl] path"
                ) from None
    return found


def jsonl_records(given: Given, settings: Settings) -> list[Wanted]:
    """Every scored group."""
    mapping = settings.push.jsonl.mapping
    columns = group_columns(given, settings, tuple(mapping))
    return [wanted(GROUP, columns["group_id"], columns, mapping, as_json)]
