"""Names in category columns that are spellings of one, or several in one cell, with counts."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from ..contract import TABLES
from ..settings import Settings
from .spellings import MAX_ROLES, category_columns, spelling_groups, value_counts
from .staging import STAGED_SCHEMA, Source

_MAX_GROUPS = 5
_BETWEEN_NAMES = re.compile(r"[;,|]")
_SETTING = "[source] normalise = true"


def spelling_warnings(source: Source, settings: Settings) -> Iterator[str]:
    """Sentences on columns that have several spellings of one name, or several names in a cell."""
    for name, staged in source.staged.items():
        columns = [c for c in category_columns(TABLES[name]) if c in staged.present_columns]
        for column in columns:
            counts = value_counts(source.session, f"{STAGED_SCHEMA}.{name}", column)
            place = f"{staged.name}, {column}"
            if not settings.source.normalise and (groups := spelling_groups(counts)):
                yield _sentence(place, groups, counts)
            if (name, column) == ("members", "role") and len(counts) > MAX_ROLES:
                yield from _many_roles(place, counts, settings)
            if lists := [name for name in counts if _is_list(name, counts)]:
                yield _lists(place, lists, counts)


def _many_roles(place: str, counts: Mapping[str, int], settings: Settings) -> Iterator[str]:
    if not settings.roles:  # which say otherwise what is told apart
        yield (
            f"{place}: {len(counts):,} different names, of which the {MAX_ROLES} most frequent are "
            "told apart and all others count as one; are they titles? Infer roles from titles when "
            "importing, or name the roles in [roles]"
        )


def _is_list(name: str, names: Collection[str]) -> bool:
    """Whether a name is a list in text, or made of other names: `buyer;user`."""
    if name[:1] + name[-1:] in ("[]", "{}"):
        return True
    parts = [part.strip() for part in _BETWEEN_NAMES.split(name)]
    return len(parts) > 1 and all(part in names for part in parts)


def _lists(place: str, lists: list[str], counts: Mapping[str, int]) -> str:
    most = sorted(lists, key=lambda name: (-counts[name], name))
    shown = ", ".join(f"{name!r} ({counts[name]:,})" for name in most[:_MAX_GROUPS])
    more = f" and {len(lists) - _MAX_GROUPS:,} more" if len(lists) > _MAX_GROUPS else ""
    return (
        f"{place}: several names in one cell, counted as a name of its own: {shown}{more}; give "
        "one name in each, such as the first, or a row for each"
    )


def _sentence(place: str, groups: list[list[str]], counts: Mapping[str, int]) -> str:
    shown = "; ".join(
        ", ".join(f"{name!r} ({counts[name]:,})" for name in names)
        for names in groups[:_MAX_GROUPS]
    )
    more = f"; and {len(groups) - _MAX_GROUPS:,} more" if len(groups) > _MAX_GROUPS else ""
    return (
        f"{place}: spellings of one name, counted as several: {shown}{more}; set {_SETTING} to "
        "join them"
    )
