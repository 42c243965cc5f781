"""Which files of a folder hold which table, as exports name and split them.

`activities.csv`, `Activities.CSV`, `activities.csv.gz`, `activities-0001.csv`,
`activities_000000000000.csv`, `activities/part-0.parquet`, `activities/kind=meeting/0.parquet`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

PARQUET, CSV, WORKBOOK = "parquet", "csv", "workbook"
_FORMATS = {
    "parquet": PARQUET, "pq": PARQUET, "csv": CSV, "tsv": CSV, "txt": CSV, "xlsx": WORKBOOK,
}  # fmt: skip
_NAME = re.compile(rf"(?P<stem>.+?)\.(?P<format>{'|'.join(_FORMATS)})(?P<gz>\.gz)?", re.IGNORECASE)
# What follows the table's name in the name of a part: numbers, dates, and words like these.
_PART_WORD = "part|of|chunk|shard|page|file|export|split|snappy|gz|zstd"
_PART_TOKEN = re.compile(rf"(?:(?:{_PART_WORD}|[cpt])?\d+|[0-9a-f]*\d[0-9a-f]*|{_PART_WORD})")
_SEPARATORS = re.compile(r"[-_. ()]+")


@dataclass(frozen=True, slots=True)
class TableFiles:
    """The files of one table.

    Attributes:
        format: PARQUET, CSV or WORKBOOK.
        paths: in the order of their names, numbers by their value.
        folder: of all of them, where the table is a folder.
    """

    format: str
    paths: tuple[Path, ...]
    folder: Path | None = None

    @property
    def name(self) -> str:
        """What to call them in a message."""
        if self.folder is not None:
            return f"{self.folder.name}/"
        first = self.paths[0].name
        return first if len(self.paths) == 1 else f"{first} and {len(self.paths) - 1} more"


@dataclass(frozen=True, slots=True)
class FoundFiles:
    """What a folder holds.

    Attributes:
        tables: by table.
        competing: by table, the names of files of which only one can be meant.
        ignored: by table, files that look like parts of it and are not read.
        others: names of everything else, for advice on what may be meant.
        workbooks: workbooks that bear no table's name; their sheets may.
    """

    tables: dict[str, TableFiles]
    competing: dict[str, tuple[str, ...]]
    ignored: dict[str, tuple[str, ...]]
    others: tuple[str, ...]
    workbooks: tuple[Path, ...]


def find_table_files(folder: Path, tables: Collection[str]) -> FoundFiles:
    """The files of `folder` for each of `tables`; names are compared without regard to case.

    A file that bears a table's name alone is the table. Else its numbered parts are, or the files
    of a folder of that name; hidden files and those that begin with `_` are nobody's.
    """
    entries = sorted(
        (path for path in folder.iterdir() if not path.name.startswith((".", "_"))), key=_in_order
    )
    found: dict[str, TableFiles] = {}
    competing: dict[str, tuple[str, ...]] = {}
    ignored: dict[str, tuple[str, ...]] = {}
    used: set[Path] = set()
    for table in tables:
        whole, parts, folders = _candidates(entries, table)
        used.update(whole, parts, folders)
        choices = [
            *(TableFiles(_format(path), (path,)) for path in whole),
            *(_files_of_folder(path) for path in folders),
        ]
        if not choices and parts:
            choices = [
                TableFiles(kind, tuple(p for p in parts if _format(p) == kind))
                for kind in dict.fromkeys(map(_format, parts))
            ]
        elif parts:
            ignored[table] = tuple(path.name for path in parts)
        used.difference_update(choice.folder for choice in choices if not choice.paths)
        choices = [choice for choice in choices if choice.paths]
        if len(choices) > 1:
            competing[table] = tuple(choice.name for choice in choices)
        elif choices:
            found[table] = choices[0]
    rest = [path for path in entries if path not in used]
    workbooks = tuple(path for path in rest if path.is_file() and _format(path) == WORKBOOK)
    return FoundFiles(found, competing, ignored, tuple(_shown(rest)), workbooks)


def _candidates(entries: Iterable[Path], table: str) -> tuple[list[Path], list[Path], list[Path]]:
    whole, parts, folders = [], [], []
    for path in entries:
        if path.is_dir():
            if path.name.lower() == table:
                folders.append(path)
            continue
        named = _NAME.fullmatch(path.name)
        stem = named["stem"].lower() if named else ""
        if stem == table:
            whole.append(path)
        elif stem.startswith(table) and _is_part(stem[len(table) :]):
            parts.append(path)
    return whole, parts, folders


def _is_part(rest: str) -> bool:
    tokens = [token for token in _SEPARATORS.split(rest) if token]
    return (
        bool(_SEPARATORS.match(rest))
        and all(_PART_TOKEN.fullmatch(token) for token in tokens)
        and any(character.isdigit() for character in rest)
    )


def _files_of_folder(folder: Path) -> TableFiles:
    paths = [
        path
        for path in folder.rglob("*")
        if path.is_file()
        and _format(path) in (PARQUET, CSV)
        and not any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
    ]
    kind = PARQUET if any(_format(path) == PARQUET for path in paths) else CSV
    chosen = sorted((path for path in paths if _format(path) == kind), key=_in_order)
    return TableFiles(kind, tuple(chosen), folder)


def _format(path: Path) -> str:
    named = _NAME.fullmatch(path.name)
    if named is None:
        return ""
    kind = _FORMATS[named["format"].lower()]
    return kind if kind == CSV or not named["gz"] else ""


def _in_order(path: Path) -> tuple[object, ...]:
    """By name, and numbers in it by their value: part 2 before part 10."""
    parts = re.split(r"(\d+)", str(path).lower())
    numbered = tuple((0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts)
    return (numbered, str(path))


def _shown(paths: Iterable[Path]) -> list[str]:
    return [path.name + ("/" if path.is_dir() else "") for path in paths]
