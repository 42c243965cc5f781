"""What a source may hold by the contract and its owner should know all the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..contract import TABLES
from ..settings import Settings
from .compiled_queries import fetch_count, fetch_rows
from .outcome_warnings import outcome_warnings
from .repeats import repeat_warnings
from .spelling_warnings import spelling_warnings
from .staging import Source, StagedTable
from .table_reader import nearest_name
from .time_warnings import time_warnings

if TYPE_CHECKING:
    import ibis.expr.types as ir

_MAX_FILES = 3
# A zone follows minutes: in 2024-02-01 the "-01" is a day.
_ZONE_SUFFIX = r":\d{2}(\.\d+)?\s*(Z|z|[+-]\d{1,2}(:?\d{2})?|[A-Za-z][A-Za-z_]+(/[A-Za-z_]+)*)\s*$"


def source_warnings(source: Source, settings: Settings, rows: Mapping[str, int]) -> tuple[str, ...]:
    """Sentences on the rows and columns of a source whose structure is sound.

    Args:
        source: opened.
        settings: what the data is compared with.
        rows: how many each table has.
    """
    return (
        *source.notes,
        *(note for staged in source.staged.values() for note in staged.notes),
        *_encoding_warnings(source),
        *_near_column_warnings(source),
        *_null_text_warnings(source),
        *_mixed_zone_warnings(source),
        *spelling_warnings(source, settings),
        *time_warnings(source, settings),
        *outcome_warnings(source, settings),
        *repeat_warnings(source, rows),
        *_row_warnings(source, rows),
    )


def _encoding_warnings(source: Source) -> Iterator[str]:
    """A sentence for each encoding that was guessed, with one text to judge it by."""
    guesses = [guess for staged in source.staged.values() for guess in staged.guesses]
    for codec in sorted({guess.codec for guess in guesses}):
        read = [guess for guess in guesses if guess.codec == codec]
        names = ", ".join(guess.file for guess in read[:_MAX_FILES])
        more = f" and {len(read) - _MAX_FILES:,} more" if len(read) > _MAX_FILES else ""
        example = next((guess.example for guess in read if guess.example), "")
        shown = f", such as {example!r}" if example else ""
        verbs = "is not UTF-8 and was" if len(read) == 1 else "are not UTF-8 and were"
        yield (
            f"{names}{more} {verbs} read as {codec}{shown}: if that looks wrong, set [source] "
            "encoding"
        )


def _null_text_warnings(source: Source) -> Iterator[str]:
    for staged in source.staged.values():
        for name, count in staged.null_texts.items():
            yield (
                f"{staged.name}, {name}: cells that say NULL, nan or None, or are blank, and were "
                f"taken for empty: {count:,}"
            )


def _near_column_warnings(source: Source) -> Iterator[str]:
    for name, staged in source.staged.items():
        for column in TABLES[name].columns:
            if column.name in staged.present_columns:
                continue
            if near := nearest_name(column.name, staged.extra_columns, cutoff=0.8):
                yield (
                    f"{staged.name} has no {column.name}, but a column {near}: "
                    "rename it if that is meant"
                )


def _mixed_zone_warnings(source: Source) -> Iterator[str]:
    for name, staged in source.staged.items():
        columns = [
            column.name
            for column in TABLES[name].columns
            if column.dtype == "timestamp" and column.name in staged.converted_columns
        ]
        if columns:
            yield from _mixed_zone_columns(source.session, name, staged, columns)


def _mixed_zone_columns(
    backend: Any, table: str, staged: StagedTable, columns: list[str]
) -> Iterator[str]:

    def count() -> ir.Table:
        counts = {}
        for column in columns:
            read = staged.table[column].notnull()  # a time that nobody can read is a problem
            zoned = staged.table["given_" + column].re_search(_ZONE_SUFFIX)
            counts["given_" + column] = read.sum().fill_null(0)
            counts["zoned_" + column] = (read & zoned).sum().fill_null(0)
        return staged.table.aggregate(**counts)

    key = f"zones {table} {staged.shape}"
    found = fetch_rows(backend, key, count)[0]
    for column in columns:
        given_count, zoned = found["given_" + column], found["zoned_" + column]
        if 0 < zoned < given_count:
            yield (
                f"{staged.name}, {column}: times that name a zone (converted to UTC): {zoned:,}; "
                f"that name none (taken for UTC): {given_count - zoned:,}; give the zone where "
                "they are not"
            )


def _row_warnings(source: Source, rows: Mapping[str, int]) -> Iterator[str]:
    backend, tables = source.session, source.tables
    if number := fetch_count(backend, "without members", lambda: _without_members(tables)):
        total = rows["buying_groups"]
        yield f"buying groups without a member, scored as empty: {number:,} of {total:,}"
    if number := fetch_count(backend, "silent members", lambda: _silent_members(tables)):
        total = rows["members"]
        yield f"member rows whose contact has no activity, so silent: {number:,} of {total:,}"
    if not rows["activities"]:
        yield "activities has no rows, so nobody is engaged: only roles and stages tell"
    if number := fetch_count(backend, "recorded early", lambda: _recorded_early(tables)):
        yield f"activities recorded before they occurred, which count once they have: {number:,}"


def _without_members(tables: Mapping[str, ir.Table]) -> ir.Table:
    groups = tables["buying_groups"]
    return groups.filter(~groups.group_id.isin(tables["members"].group_id))


def _silent_members(tables: Mapping[str, ir.Table]) -> ir.Table:
    members, activities = tables["members"], tables["activities"]
    active = activities.filter(activities.contact_id.notnull()).select("contact_id").distinct()
    return members.filter(~members.contact_id.isin(active.contact_id))


def _recorded_early(tables: Mapping[str, ir.Table]) -> ir.Table:
    activities = tables["activities"]
    return activities.filter(activities.recorded_at < activities.occurred_at)
