"""A CSV file as text columns: UTF-8, commas, one header line, as many fields in every line."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from pathlib import Path

_BLOCK_BYTES = 1 << 22  # bytes
_BYTE_ORDER_MARKS = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}


def find_non_utf8(path: Path) -> str | None:
    """Where `path` stops being UTF-8 and what it seems to be; None if it is UTF-8 throughout."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset, line = 0, 1
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            if mark := _BYTE_ORDER_MARKS.get(block[:2]) if offset == 0 else None:
                return f"{path.name} is {mark}"
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                # The decoder carries over the bytes of a character that a block's end cut.
                position = error.start - pending
                line += block.count(b"\n", 0, max(position, 0))
                return (
                    f"{path.name} at byte {offset + position}, line {line}{_guess_encoding(block)}"
                )
            if (zero := block.find(b"\0")) >= 0:
                return f"{path.name} holds a zero byte at {offset + zero}: perhaps UTF-16"
            offset += len(block)
            line += block.count(b"\n")
    pending = len(decoder.getstate()[0])
    if pending:
        return f"{path.name} at byte {offset - pending}: the file ends inside a character"
    return None


def _guess_encoding(block: bytes) -> str:
    # The block may cut a two-byte character, so its last byte may be left out.
    for sample in (block, block[:-1]):
        try:
            sample.decode("cp932")
        except UnicodeDecodeError:
            continue
        return ": perhaps Shift_JIS (cp932)"
    return ""


def read_header(path: Path) -> list[str]:
    """Column names of the first line, without byte-order mark and blanks; [] if there is none."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            return [name.strip() for name in next(csv.reader(file), [])]
        except csv.Error:  # a quote opens and swallows what follows
            return []


def faulty_lines(path: Path, fields: int) -> Iterator[tuple[int, int]]:
    """(line number, number of fields) of every record that has not `fields` fields.

    A quote that opens and never closes, or closes inside a field, ends the search: what follows
    it cannot be told apart; its fields are reported as 0.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        records = csv.reader(file, strict=True)
        try:
            for record in records:
                if record and len(record) != fields:
                    yield records.line_num, len(record)
        except csv.Error:
            yield records.line_num, 0
