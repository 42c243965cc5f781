"""Lines of JSON: a file that holds every group once, or stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from ....contract import BadInput
from ....settings import Settings
from ....settings.delivery import JsonLinesSettings
from ....support.atomic_output import replaced_file
from ..desired_records import as_json, build_desired_records, group_columns
from .target import GROUP, DesiredRecords, OutboxRecord, Outcome, PushInputs

STDOUT = "-"
ID_KEY = "id"
"""Of a line, beside the fields of the settings: the group_id, whatever those are called."""


class JsonLinesTarget:
    """One line for each group, by id: `{"id": ..., and the fields of the settings}`.

    The file is written aside and renamed, so a reader finds the lines of one push, whole. On
    stdout go the lines that changed.
    """

    name = "jsonl"
    kinds = (GROUP,)
    connections = 1

    def __init__(self, settings: JsonLinesSettings, stdout: TextIO | None = None) -> None:
        self._settings, self._stdout = settings, stdout or sys.stdout

    def batch_size(self, kind: str, record_count: int) -> int:  # noqa: ARG002 - of the protocol
        """All at once: the file is written whole."""
        return record_count

    def prepare(self) -> list[str]:
        """Nothing to make."""
        return []

    def send(self, records: Sequence[OutboxRecord]) -> list[Outcome]:
        """Writes them."""
        lines = {record.object_id: _json_line(record) for record in records}
        if self._settings.path == STDOUT:
            self._stdout.write("".join(lines.values()))
            self._stdout.flush()
        else:
            path = Path(self._settings.path)
            merged = _read_lines(path) | lines
            with replaced_file(path) as temporary_path:
                text = "".join(merged[object_id] for object_id in sorted(merged))
                temporary_path.write_text(text, encoding="utf-8", newline="\n")
        return [Outcome()] * len(records)


def _json_line(record: OutboxRecord) -> str:
    key = json.dumps(record.object_id, ensure_ascii=False)
    rest = record.payload[1:] if record.payload == "{}" else f",{record.payload[1:]}"
    # U+2028 and U+2029 end a line for some readers, and never occur in JSON outside of texts.
    line = f'{{"{ID_KEY}":{key}{rest}\n'
    return line.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").replace("\x85", "\\u0085")


def _read_lines(path: Path) -> dict[str, str]:
    """The lines of an earlier push by id.

    Raises:
        BadInput: the file is none of ours.
    """
    if not path.exists():
        return {}
    lines = {}
    with path.open(encoding="utf-8", newline="\n") as file:
        for line in file:
            try:
                lines[str(json.loads(line)[ID_KEY])] = line
            except (ValueError, KeyError, TypeError):
                raise BadInput(
                    f"push: expected lines of an earlier push in {path}, got something else; "
                    "choose another [push.jsonl] path"
                ) from None
    return lines


def jsonl_records(inputs: PushInputs, settings: Settings) -> list[DesiredRecords]:
    """Every scored group."""
    mapping = settings.push.jsonl.mapping
    columns = group_columns(inputs, settings, tuple(mapping))
    return [build_desired_records(GROUP, columns["group_id"], columns, mapping, as_json)]
