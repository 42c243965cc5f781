"""The character encoding of a text file: by its mark, by its bytes, or refused with the place.

Japanese and Western exports are told apart by what their bytes can be. Nothing is guessed that does
not decode to the last byte, and a broken UTF-8 file is not taken for another encoding.
"""

from __future__ import annotations

import codecs
import gzip
import io
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

UTF8 = "utf-8"
_BLOCK_BYTES = 1 << 22  # bytes
_SAMPLE_BYTES = 1 << 22  # bytes, from which an encoding is guessed
_GZIP_MAGIC = b"\x1f\x8b"
_BYTE_ORDER_MARKS = (  # the longer first: one of UTF-32 begins like one of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_JIS_ESCAPE = re.compile(rb"\x1b(\$[@B(]|\([IJ])")
_HIGH_BYTES = re.compile(rb"[\x80-\xff]+")
# Of the bytes from 80 to 9F a Western text has dashes, quotes and the euro sign alone, while they
# lead most kana and kanji of Shift_JIS.
_WESTERN_BYTES = re.compile(rb"[\x80\x84\x85\x91-\x97\x99\xa0-\xff]+")
_MAX_WESTERN_RUN = 1.5  # high bytes in a row, on average
_MIN_WESTERN_LETTERS = 0.6  # share of the runs that are beside a letter
_MIN_COMMON_EUC = 0.7  # share of the characters that are kana or kanji of the first level
_MAX_IMPLAUSIBLE = 0.2


class EncodingFault(Exception):  # noqa: N818 - says what it is
    """A file whose bytes are text in no encoding that we know; its text says where and why."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a file becomes text.

    Attributes:
        name: Python's codec.
        guessed: the bytes were judged; a mark or a setting says it otherwise.
    """

    name: str
    guessed: bool = False

    @property
    def is_utf8(self) -> bool:
        """Whether DuckDB can read the file as it is."""
        return codecs.lookup(self.name).name in ("utf-8", "utf-8-sig")


def open_bytes(path: Path) -> BinaryIO:
    """The bytes of a file, unpacked if it is gzip, whatever its name."""
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP_MAGIC
    return cast("BinaryIO", gzip.open(path, "rb") if packed else path.open("rb"))


def open_text(path: Path, encoding: str) -> io.TextIOWrapper:
    """The text of a file, its line ends as they are, without a byte-order mark."""
    name = "utf-8-sig" if Encoding(encoding).is_utf8 else encoding
    return io.TextIOWrapper(open_bytes(path), encoding=name, newline="")


def find_encoding(path: Path) -> Encoding:
    """The encoding of a text file, plain or gzip; the whole file is read.

    UTF-8 with or without mark, UTF-16 and UTF-32 with mark, UTF-16 without, ISO-2022-JP, EUC-JP,
    Shift_JIS (cp932) and Western (cp1252).

    Raises:
        EncodingFault: none of them fits, or the file ends inside a character.
    """
    decoder = codecs.getincrementaldecoder(UTF8)()
    offset, line = 0, 1
    with open_bytes(path) as file:
        while block := file.read(_BLOCK_BYTES):
            if offset == 0 and (marked := _marked(block)):
                return marked
            if b"\0" in block:
                return _with_zero_bytes(path, block, offset)
            if b"\x1b" in block and _JIS_ESCAPE.search(block) and not _HIGH_BYTES.search(block):
                return Encoding("iso2022_jp_ext", guessed=True)
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                # The decoder carries over the bytes of a character that a block's end cut.
                position = error.start - pending
                line += block.count(b"\n", 0, max(position, 0))
                found = _guess(_lines_around(path, offset + position))
                if found is None:
                    raise EncodingFault(
                        f"{path.name} at byte {offset + position}, line {line}"
                    ) from None
                return Encoding(found, guessed=True)
            offset += len(block)
            line += block.count(b"\n")
    pending = len(decoder.getstate()[0])
    if pending:
        raise EncodingFault(
            f"{path.name} at byte {offset - pending}: the file ends inside a character"
        )
    return Encoding(UTF8)


def _marked(block: bytes) -> Encoding | None:
    for mark, name in _BYTE_ORDER_MARKS:
        if block.startswith(mark):
            return Encoding(name)
    return None


def _with_zero_bytes(path: Path, block: bytes, offset: int) -> Encoding:
    """UTF-16 without a mark has a zero byte beside each of its line ends and separators."""
    # The zero of an ASCII character comes second, at an odd place, in little-endian text.
    zeros_at = block[::2].count(0), block[1::2].count(0)
    name = "utf-16-le" if zeros_at[1] > zeros_at[0] else "utf-16-be"
    even = block[: len(block) - len(block) % 2]
    try:
        text = even.decode(name)
    except UnicodeDecodeError:
        text = "\0"
    # One zero byte in other text would make kanji of every two letters, and no line ends.
    all_lines = 2 * text.count("\n") >= block.count(b"\n")
    if offset or "\0" in text or not all_lines:
        zero = offset + block.find(b"\0")
        raise EncodingFault(
            f"{path.name} has a zero byte at {zero}, which no text has: remove it, or set [source] "
            "encoding if the file is UTF-16"
        )
    return Encoding(name, guessed=True)


def _lines_around(path: Path, offset: int) -> bytes:
    """Whole lines of a file, some millions of bytes around an offset."""
    start = max(0, offset - _SAMPLE_BYTES // 2)
    with open_bytes(path) as file:
        file.seek(start)
        sample = file.read(_SAMPLE_BYTES)
    if start:
        sample = sample.split(b"\n", 1)[-1]
    return sample if len(sample) < _SAMPLE_BYTES // 2 else sample.rsplit(b"\n", 1)[0]


def _guess(block: bytes) -> str | None:
    """The encoding of a block that is not UTF-8; None where none is plausible."""
    if _is_western(block):
        return "cp1252"
    if _is_euc_jp(block):
        return "euc_jp"
    return "cp932" if _is_cp932(block) else None


def _is_western(block: bytes) -> bool:
    runs = list(_HIGH_BYTES.finditer(block))
    if sum(len(run.group()) for run in runs) > _MAX_WESTERN_RUN * len(runs):
        return False
    if not all(_WESTERN_BYTES.fullmatch(run.group()) for run in runs):
        return False
    beside = sum(
        block[run.start() - 1 : run.start()].isalpha() or block[run.end() : run.end() + 1].isalpha()
        for run in runs
    )
    return bool(beside >= _MIN_WESTERN_LETTERS * len(runs))


def _is_euc_jp(block: bytes) -> bool:
    try:
        block.decode("euc_jp")
    except UnicodeDecodeError:
        return False
    leads = [byte for run in _HIGH_BYTES.findall(block) for byte in run[::2]]
    common = sum(0xA1 <= lead <= 0xA5 or 0xB0 <= lead <= 0xCF or lead == 0x8E for lead in leads)
    return bool(common >= _MIN_COMMON_EUC * len(leads))


def _is_cp932(block: bytes) -> bool:
    try:
        text = block.decode("cp932")
    except UnicodeDecodeError:
        return False
    foreign = re.findall(r"[^\x00-\x7f]", text)
    # Bytes of UTF-8 read as Shift_JIS give kanji with single half-width kana among them.
    single_kana = re.findall(r"(?<![\uff61-\uff9f])[\uff61-\uff9f](?![\uff61-\uff9f])", text)
    private = [c for c in foreign if unicodedata.category(c) == "Co"]
    return len(single_kana) + len(private) < _MAX_IMPLAUSIBLE * len(foreign)
