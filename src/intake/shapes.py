"""The shapes of exports that we know, declared as data: a folder of `systems/` each.

`tables.toml` declares the tables: by which columns one is known (`needs` all of them, `any` at
least one, `without` none), which columns are read, and by which other names
(`aliases`). The `.sql` files beside it say how they become evidence, one for each of its tables.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from ..contract import BadInput
from .evidence import EVIDENCE

_SYSTEMS = files(__package__) / "systems"
_NO_PART_OF_A_NAME = re.compile(r"[\s_\-./()（）:・'\"「」]+")
_PREFIXES = ("property_", "properties_")


def normalise_header(name: str) -> str:
    """A column's name without case, width, blanks and the prefix that connectors put before it."""
    text = unicodedata.normalize("NFKC", name).strip().lstrip("\ufeff").lower()
    for prefix in _PREFIXES:
        text = text.removeprefix(prefix)
    return _NO_PART_OF_A_NAME.sub("", text)


@dataclass(frozen=True)
class TableShape:
    """One table of a shape.

    Attributes:
        name: as the system calls it; `source_table` everywhere.
        needs, any_of, without: how it is known by its columns, in normalised names.
        columns: each column that is read, with all its normalised names, best first.
        key: the columns that name a row; () means the whole row does.
        unpivot: pattern of further columns, whose group is a label; they become rows.
        names: file names, besides its own, that say it.
    """

    name: str
    needs: tuple[str, ...]
    any_of: tuple[str, ...]
    without: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]]
    key: tuple[str, ...]
    unpivot: str | None = None
    names: tuple[str, ...] = ()

    def fits(self, headers: frozenset[str], *, named: bool = False) -> bool:
        """Whether a table with these normalised column names may be this one.

        `named`: its file says so, and then none of `any` is needed.
        """

        def there(column: str) -> bool:
            return not headers.isdisjoint(self.columns.get(column, (column,)))

        return (
            all(map(there, self.needs))
            and (named or not self.any_of or any(map(there, self.any_of)))
            and not any(map(there, self.without))
        )


@dataclass(frozen=True)
class Shape:
    """One shape of exports.

    Attributes:
        name: of its folder.
        kind: KIND of the command.
        title: what a person calls it.
        local_times: naive times are in the zone of the settings, not in UTC.
        past_only: its activities have happened; others plan some as well.
        marks: normalised columns of which one at least tells this shape from others of its kind.
        queries: SQL by the table of evidence that it makes.
        macros: SQL that comes before.
        dated_roles, history: what the shape can date, for the report.
    """

    name: str
    kind: str
    title: str
    local_times: bool
    long_ids: bool
    past_only: bool
    marks: tuple[str, ...]
    marks_against: tuple[str, ...]
    null_texts: tuple[str, ...]
    solution_tables: tuple[str, ...]
    tables: Mapping[str, TableShape]
    queries: Mapping[str, str]
    macros: str
    missing: tuple[Mapping[str, str], ...] = field(default=())


def _table(name: str, declared: Mapping[str, Any]) -> TableShape:
    def names(key: str) -> tuple[str, ...]:
        return tuple(declared.get(key, ()))

    aliases: Mapping[str, list[str]] = declared.get("aliases", {})
    columns = {
        column: (column, *(normalise_header(one) for one in aliases.get(column, ())))
        for column in dict.fromkeys((*names("needs"), *names("any"), *names("columns"), *aliases))
    }
    key = names("key") or (("id",) if "id" in columns else ())
    unpivot = declared.get("unpivot")
    return TableShape(
        name, names("needs"), names("any"), names("without"), columns, key,
        str(unpivot) if unpivot else None, names("names"),
    )  # fmt: skip


@cache
def load_shape(name: str) -> Shape:
    """The shape called `name`.

    Raises:
        KeyError: it declares a table of evidence that there is not.
    """
    folder = _SYSTEMS / name
    declared = tomllib.loads((folder / "tables.toml").read_text(encoding="utf-8"))
    queries = {
        table: (folder / f"{table}.sql").read_text(encoding="utf-8")
        for table in EVIDENCE
        if (folder / f"{table}.sql").is_file()
    }
    macros = folder / "macros.sql"
    return Shape(
        name=name,
        kind=declared["kind"],
        title=declared["title"],
        local_times=declared["times"] == "local",
        long_ids=declared.get("ids") == "salesforce",
        past_only=bool(declared.get("past_only", False)),
        marks=tuple(declared.get("marks", ())),
        marks_against=tuple(declared.get("marks_against", ())),
        null_texts=tuple(declared.get("null_texts", ())),
        solution_tables=tuple(declared.get("solution_tables", ())),
        tables={key: _table(key, value) for key, value in declared["tables"].items()},
        queries=queries,
        macros=macros.read_text(encoding="utf-8") if macros.is_file() else "",
        missing=tuple(declared.get("missing", ())),
    )


@cache
def all_shapes() -> tuple[Shape, ...]:
    """Every shape that the package holds."""
    return tuple(
        load_shape(folder.name)
        for folder in sorted(_SYSTEMS.iterdir(), key=lambda one: one.name)
        if (folder / "tables.toml").is_file()
    )


def shapes_of(kind: str) -> tuple[Shape, ...]:
    """The shapes of a KIND; all of them for `auto`.

    Raises:
        BadInput: there is no such kind.
    """
    found = tuple(one for one in all_shapes() if kind in ("auto", one.kind))
    if not found:
        kinds = sorted({one.kind for one in all_shapes()} | {"auto", "files"})
        raise BadInput(f"import: expected KIND to be one of {', '.join(kinds)}, got {kind!r}")
    return found
