"""Every rule of the contract over a source, in one report."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from ..contract import TABLES, BadInput, Table
from ..settings import Settings
from ..support.atomic_output import refuse_unless_empty
from .compiled_queries import fetch_rows
from .near_keys import near_keys_hint
from .number_formats import ambiguous_numbers, without_dotted
from .problems import MAX_EXAMPLES, Problem, Report, Rule, sort_problems
from .quoting import first_line
from .spellings import Spellings
from .staging import ROW_NUMBER, Source, StagedTable, open_source
from .warnings import source_warnings

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from .row_rules import RowRule

logger = logging.getLogger(__name__)
_MAX_VALUE_CHARACTERS = 60
_NULL = "(null)"


def check_source(source: Source, settings: Settings | None = None) -> Report:
    """Apply every rule to every table of `source`; nothing is written.

    A key is looked up only where its table could be read, so that a missing table is one problem
    and not one for every row that points at it.

    Args:
        source: opened, also with problems.
        settings: what warnings compare the data with; None takes the defaults.
    """
    settings = settings or Settings()
    problems = list(source.problems)
    rows: dict[str, int] = {}
    readable = set(source.staged)
    for name, staged in source.staged.items():
        try:
            rows[name], found = _check_table(source, TABLES[name], staged, readable)
            if settings.source.decimal is None:
                ambiguous = [*ambiguous_numbers(source.session, TABLES[name], staged)]
                found = [*without_dotted(found, ambiguous), *ambiguous]
        except duckdb.Error as error:
            example = f"{staged.name}: {first_line(error)}"
            found = [Problem(name, "", Rule.NOT_READABLE, 1, (example,), structural=True)]
            readable.remove(name)
        problems += found
    report = Report(sort_problems(problems), rows=rows)
    return (
        report
        if report.structural
        else Report(report.problems, source_warnings(source, settings, rows), rows)
    )


@contextmanager
def checked_source(
    data: str | Path,
    *,
    quarantine: Path | None = None,
    threads: int | None = None,
    settings: Settings | None = None,
    known: Spellings | None = None,
) -> Iterator[Source]:
    """Open `data` if it keeps the contract; every command on data comes through here.

    Args:
        data: as `open_source` takes it.
        quarantine: absent or empty folder for the rows that break a rule,
            `<table>.parquet` each with a column `reasons`; the source then goes on without
            them, and without rows whose parent went. None refuses such a source.
        threads: of DuckDB; None leaves the choice to it.
        settings: how files are read, and what warnings compare the data with; None takes the
            defaults.
        known: names that a model knows, to which `[source] normalise` joins other spellings.

    Raises:
        BadInput: the report, if anything breaks the contract; with `quarantine` if the structure
            does, if a table that needs rows has none left, or if the folder is in use.
    """
    if quarantine is not None:
        refuse_unless_empty(quarantine)
    with open_source(data, threads=threads, strict=False, settings=settings, known=known) as source:
        report = check_source(source, settings)
        if report.structural or (report.problems and quarantine is None):
            raise BadInput(report.text(source.name))
        for warning in report.warnings:
            logger.info(warning)
        if report.problems and quarantine is not None:
            from .quarantine import quarantine_rows

            source = quarantine_rows(source, quarantine)
        yield source


def _check_table(
    source: Source, table: Table, staged: StagedTable, readable: Collection[str]
) -> tuple[int, list[Problem]]:
    total, counts = _violation_counts(source, table, staged, readable)
    if total == 0 and table.filled:
        return 0, [Problem(table.name, "", Rule.NO_ROWS, 0, (staged.name,), structural=True)]
    if not any(counts):
        return total, []
    return total, _problems(source, table, staged, readable, counts)


def _problems(
    source: Source,
    table: Table,
    staged: StagedTable,
    readable: Collection[str],
    counts: Sequence[int],
) -> list[Problem]:
    """What is wrong with a table in which some rows break a rule."""
    from .row_rules import row_rules, with_rule_columns

    backend, parents = source.backend, {name: source.tables[name] for name in readable}
    rows = with_rule_columns(table, staged)
    rules = row_rules(table, staged, rows, parents)
    return [
        Problem(
            table.name,
            rule.column,
            rule.rule,
            count,
            _examples(backend, table, rows, rule),
            hint=_hint(backend, table, rows, rule, parents),
        )
        for rule, count in zip(rules, counts, strict=True)
        if count
    ]


def _hint(
    backend: Any, table: Table, rows: ir.Table, rule: RowRule, parents: Mapping[str, ir.Table]
) -> str:
    if rule.rule is not Rule.DANGLING_KEY:
        return ""
    parent = table.column(rule.column).references or ""
    key = TABLES[parent].key[0]
    dangling = rows.filter(rule.violated).select(key=rule.column)
    return near_keys_hint(backend, dangling, parents[parent].select(key=key))


def _violation_counts(
    source: Source, table: Table, staged: StagedTable, readable: Collection[str]
) -> tuple[int, list[int]]:
    """Number of rows, and of those that break each of `row_rules`, in one scan."""

    def counts() -> ir.Table:
        from .row_rules import row_rules, with_rule_columns

        parents = {name: source.tables[name] for name in readable}
        rows = with_rule_columns(table, staged)
        rules = row_rules(table, staged, rows, parents)
        flagged = rows.select(**{f"broken_{i}": rule.violated for i, rule in enumerate(rules)})
        sums = {name: flagged[name].sum().fill_null(0) for name in flagged.columns}
        return flagged.aggregate(total=flagged.count(), **sums)

    key = f"violations {table.name} {staged.shape} {sorted(readable)}"
    found = fetch_rows(source.session, key, counts)[0]
    return int(found.pop("total")), [int(count) for count in found.values()]


def _examples(backend: Any, table: Table, rows: ir.Table, rule: RowRule) -> tuple[str, ...]:
    """Up to five rows that break `rule`, first in the source first: key and offending value."""
    import ibis

    parts = [rows[name].cast("string").fill_null(_NULL) for name in table.key]
    key = ibis.literal("/").join(parts) if len(parts) > 1 else parts[0]
    shown = rule.offending_value if rule.offending_value is not None else ibis.null("string")
    # The flag is computed before the rows are cut, as a window must see all of them.
    flagged = rows.select(ROW_NUMBER, key=key, shown=shown, broken=rule.violated)
    first = flagged.filter(flagged.broken).order_by(ROW_NUMBER).limit(MAX_EXAMPLES)
    found = backend.to_pyarrow(first.select(ROW_NUMBER, "key", "shown")).to_pylist()
    return tuple(_example(row[ROW_NUMBER], row["key"], row["shown"]) for row in found)


def _example(row: int, key: str, shown: str | None) -> str:
    unnamed = _NULL in key.split("/")
    where = f"row {row + 1} ({key})" if unnamed else key
    if shown is None:
        return where
    blank = shown != shown.strip()  # which nobody would see
    return f"{where}: {_shortened(repr(shown) if blank else shown)}"


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_VALUE_CHARACTERS else text[: _MAX_VALUE_CHARACTERS - 1] + "…"
