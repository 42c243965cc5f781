"""What is wrong with a source, as values and as the text that its owner reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from ..contract import BUYING_JOBS, JOIN_DATES, ROLE_SOURCES, TABLES, VERDICTS


class Rule(StrEnum):
    """The rules of the contract, by the words that the report uses."""

    MISSING_TABLE = "missing table"
    DUPLICATE_TABLE = "table given twice"
    NOT_READABLE = "not readable"
    NOT_UTF8 = "not UTF-8"
    MISSING_COLUMN = "missing column"
    DUPLICATE_COLUMN = "column given twice"
    NO_ROWS = "has no rows"
    MISSING_VALUE = "null where required"
    NESTED = "lists or records"
    AMBIGUOUS_NUMBER = "decimals or thousands"
    NOT_CONVERTIBLE = "does not convert"
    DUPLICATE_KEY = "duplicate primary key"
    DANGLING_KEY = "dangling key"
    PARENT_QUARANTINED = "its parent was quarantined"
    NEITHER_CONTACT_NOR_GROUP = "neither contact nor group"
    LEFT_BEFORE_JOINED = "left_at before joined_at"
    OVERLAPPING_MEMBERSHIP = "overlapping rows of one member"
    TOO_EARLY = "time before 1990"
    TOO_LATE = "time after 2200"
    UNKNOWN_VALUE = "unknown value"
    OUT_OF_RANGE = "number out of range"


_ADVICE: Mapping[Rule, str] = {
    Rule.MISSING_TABLE: "give <table>.parquet, <table>.csv or <table>.xlsx, whole or in "
    "numbered parts, or a table of that name; columns with ? may be absent",
    Rule.DUPLICATE_TABLE: "keep one of the files",
    Rule.NOT_READABLE: "export the table again; a CSV has the same fields in every line",
    Rule.NOT_UTF8: "save the file as UTF-8, or set [source] encoding",
    Rule.MISSING_COLUMN: "add the column, or rename the one that holds it",
    Rule.DUPLICATE_COLUMN: "keep one column of that name",
    Rule.NO_ROWS: "at least one row is needed",
    Rule.MISSING_VALUE: "every row needs a value",
    Rule.NESTED: "give one value in each cell, such as the first or a text of them",
    Rule.AMBIGUOUS_NUMBER: 'every dot has three digits after it: set [source] decimal = "." if '
    'they are decimals, "," if the dots group thousands',
    Rule.DUPLICATE_KEY: "one row for each key; rows beyond the first of identical ones count here, "
    "and all rows of a key whose rows differ",
    Rule.DANGLING_KEY: "the key must be in the table it points at",
    Rule.PARENT_QUARANTINED: "correct the row it points at",
    Rule.NEITHER_CONTACT_NOR_GROUP: "an activity needs a contact_id or a group_id",
    Rule.LEFT_BEFORE_JOINED: "a member leaves at or after joining",
    Rule.OVERLAPPING_MEMBERSHIP: "end one row (left_at) before the next begins; "
    "rows that begin while an earlier one runs count here",
    Rule.TOO_EARLY: "check the year and the unit of the time",
    Rule.TOO_LATE: "check the year and the unit of the time; an open end is left empty",
    Rule.UNKNOWN_VALUE: f"verdict is {' or '.join(VERDICTS)}; "
    f"buying_job one of {', '.join(BUYING_JOBS)}; a member's source {', '.join(ROLE_SOURCES)}; "
    f"joined_is {', '.join(JOIN_DATES)}",
    Rule.OUT_OF_RANGE: "a probability lies from 0 to 1",
}

_FORMS: Mapping[str, str] = {
    "timestamp": "times as 2024-02-01T09:00:00Z or +09:00; abbreviations such as CST mean several "
    "zones",
    "int64": "whole numbers as 1200, without separators and units",
    "float64": "numbers as 1200.50, without separators and units; or set [source] decimal",
    "boolean": "true or false",
}
"""By type of a column, how its values are written."""

MAX_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """One rule broken by one column.

    Attributes:
        table: the contract's table.
        column: the contract's column, or "" when the whole table is meant.
        rule: which rule.
        count: how many rows (or files, columns) break it.
        examples: up to five, as `key: offending value`; nothing else of the row.
        structural: no row can be set aside to solve it.
        hint: what the values have in common; "" where nothing is known.
    """

    table: str
    column: str
    rule: Rule
    count: int
    examples: tuple[str, ...] = ()
    structural: bool = False
    hint: str = ""

    @property
    def advice(self) -> str:
        """What to do about it."""
        if self.rule is Rule.NOT_CONVERTIBLE:
            return _FORMS[TABLES[self.table].column(self.column).dtype]
        return _ADVICE[self.rule]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that the checks found.

    Attributes:
        problems: in the contract's order of tables; empty means the source may be used.
        warnings: sentences on what is allowed and yet worth knowing.
        rows: rows of each table that could be read.
    """

    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()
    rows: Mapping[str, int] = field(default_factory=dict)

    @property
    def structural(self) -> bool:
        """Whether there is a problem that quarantine cannot solve."""
        return any(problem.structural for problem in self.problems)

    def text(self, source: str = "the data") -> str:
        """The report in plain text: a headline, the problems as a table, advice, notices."""
        parts = [self._headline(source)]
        if self.problems:
            parts += [
                "",
                *_table_lines(self.problems),
                "",
                "What to do:",
                *_advice_lines(self.problems),
            ]
        if self.warnings:
            parts += ["", "Worth knowing:", *(f"  {warning}" for warning in self.warnings)]
        return "\n".join(parts)

    def values(self, source: str) -> dict[str, Any]:
        """The report as plain values, for JSON: what was read, each problem, each warning.

        Args:
            source: what the owner of the data calls it.
        """
        return {
            "source": source,
            "follows_contract": not self.problems,
            "rows": dict(self.rows),
            "counts": {"problems": len(self.problems), "warnings": len(self.warnings)},
            "problems": [
                {**asdict(problem), "advice": problem.advice} for problem in self.problems
            ],
            "warnings": list(self.warnings),
        }

    def _headline(self, source: str) -> str:
        if not self.problems:
            total = sum(self.rows.values())
            return f"{source} follows the contract: {total:,} rows, no problems"
        number = len(self.problems)
        what = "problem" if number == 1 else "problems"
        advice = (
            "correct the tables"
            if self.structural
            else "correct the rows, or give --quarantine DIR"
        )
        return f"{source} breaks the contract with {number} {what}; {advice} and try again"


def sort_problems(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """Problems in the contract's order of tables and columns."""
    tables = list(TABLES)

    def place(problem: Problem) -> tuple[int, int]:
        names = ("", *TABLES[problem.table].column_names)
        return tables.index(problem.table), names.index(problem.column)

    return tuple(sorted(problems, key=place))


def _table_lines(problems: Sequence[Problem]) -> list[str]:
    lines = [("table", "column", "rule", "count", "examples")]
    lines += [
        (p.table, p.column or "-", str(p.rule), f"{p.count:,}", _shown_examples(p))
        for p in problems
    ]
    table, column, rule, count = (max(len(line[i]) for line in lines) for i in range(4))
    return [
        f"  {a:<{table}}  {b:<{column}}  {c:<{rule}}  {d:>{count}}  {e}".rstrip()
        for a, b, c, d, e in lines
    ]


def _shown_examples(problem: Problem) -> str:
    shown = " | ".join(problem.examples)
    return f"{shown} ({problem.hint})" if problem.hint else shown


def _advice_lines(problems: Sequence[Problem]) -> list[str]:
    advice = dict.fromkeys((problem.rule, problem.advice) for problem in problems)
    return [f"  {rule}: {text}" for rule, text in advice]
