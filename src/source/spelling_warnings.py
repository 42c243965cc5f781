"""Names in category columns that are spellings of one, shown together with counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..contract import TABLES
from ..settings import Settings
from .spellings import category_columns, spelling_groups, value_counts
from .staging import STAGED_SCHEMA, Source

_MAX_GROUPS = 5
_SETTING = "[source] normalise = true"


def spelling_warnings(source: Source, settings: Settings) -> Iterator[str]:
    """A sentence for each column that has several spellings of one name."""
    if settings.source.normalise:
        return
    for name, staged in source.staged.items():
        columns = [c for c in category_columns(TABLES[name]) if c in staged.present_columns]
        for column in columns:
            counts = value_counts(source.session, f"{STAGED_SCHEMA}.{name}", column)
            if groups := spelling_groups(counts):
                yield _sentence(f"{staged.name}, {column}", groups, counts)


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
