"""Signals: numbers about one member. How each is declared, and which there are.

A signal is a value of one row and the way the values of a member's rows combine.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import ibis
import ibis.expr.types as ir

from ...contract import BUYING_JOBS
from ..tables.contact_history import SCOPES
from .expressions import AsOf, days_before, days_between
from .fixed_point import to_fixed_point
from .vocabulary import Vocabulary

WEEKS_TRACKED = 13  # weeks that `weeks_active` looks back, one bit each
JOB_WEEKS_TRACKED = 10  # weeks that `job_weeks` looks back, one bit for each job and week
FIXED_WINDOWS_DAYS = (7, 14, 28, 30, 90)  # of features whose definition names them
HISTORY_PRIOR = 5.0  # horizons at the base rate that a person's history is taken to begin with
MIN_BASE_RATE = 1e-6
CERTAIN_BITS = 64.0  # of `role_bits`, of a role that is certain: its doubt is nothing to a float64
LINEAR_DECAY_DAYS = 60  # a point is gone after two months, half of it after one (field-notes.md)


@ibis.udf.agg.builtin(name="bit_or", signature=(("int64",), "int64"))  # type: ignore[untyped-decorator]
def _bit_or(bits: int) -> int:  # type: ignore[empty-body]
    """By its name: Ibis knows it of DuckDB, and not of Spark, which has it too."""


class Aggregation(StrEnum):
    """How values combine; each is associative and commutative, so order never matters."""

    SUM = "sum"
    MAX = "max"
    MIN = "min"
    BITS = "bits"

    def apply(self, values: ir.Column) -> ir.Scalar:
        """The reduction as an Ibis aggregate; nulls are left out."""
        return _bit_or(values) if self is Aggregation.BITS else getattr(values, self.value)()


class InputRows(StrEnum):
    """What a signal's value is taken from.

    ACTIVITIES  one activity, with `age_days`
    DAYS        one kind on one day of the last 30: points, times (at most 20 count)
    CONTENTS    one content that the contact saw
    MEMBERSHIP  the member row itself; there is one, and nothing to combine
    """

    ACTIVITIES = "activities"
    DAYS = "days"
    CONTENTS = "contents"
    MEMBERSHIP = "membership"


@dataclass(frozen=True, slots=True)
class Signal:
    """One number about one member.

    Attributes:
        name: column name, `<what>_<window>`.
        value: of one row (see `InputRows`) at the cut-off.
        aggregation: how the values combine.
        default: of a member without such rows; None where there is nothing to say.
        input_rows: what `value` reads.
    """

    name: str
    value: Callable[[ir.Table, AsOf], ir.Value]
    aggregation: Aggregation = Aggregation.SUM
    default: float | None = 0.0
    input_rows: InputRows = InputRows.ACTIVITIES

    @property
    def type(self) -> str:
        """Of the column, as Ibis spells it."""
        return "int64" if self.aggregation is Aggregation.BITS else "float64"


Condition = Callable[[ir.Table], ir.BooleanValue]


def in_window(rows: ir.Table, as_of: AsOf, days: int) -> ir.BooleanValue:
    """The window [as_of - days, as_of), on `occurred_at` (design.md, rules of time)."""
    return rows.occurred_at >= days_before(as_of, days)


def count_within(name: str, days: int, condition: Condition) -> Signal:
    """Activities with `occurred_at` in [as_of - days, as_of)."""
    return Signal(
        name,
        lambda rows, as_of: _indicator_of_non_null(condition(rows) & in_window(rows, as_of, days)),
    )


def decayed_sum(
    name: str,
    half_life_days: int,
    amount: Callable[[ir.Table], ir.NumericValue],
    condition: Condition,
) -> Signal:
    """Amounts that halve every `half_life_days`, by whole days of age."""

    def value(rows: ir.Table, _as_of: AsOf) -> ir.Value:
        remaining = ibis.literal(0.5) ** (rows.age_days.cast("float64") / half_life_days)
        return condition(rows).ifelse(to_fixed_point(amount(rows) * remaining), 0.0)

    return Signal(name, value)


def days_since(name: str, condition: Condition) -> Signal:
    """Whole days since the latest such activity; null where there was none."""

    def value(rows: ir.Table, _as_of: AsOf) -> ir.Value:
        return condition(rows).ifelse(rows.age_days.cast("float64"), ibis.null("float64"))

    return Signal(name, value, Aggregation.MIN, default=None)


def week_bits(name: str, condition: Condition) -> Signal:
    """One bit for each of the last `WEEKS_TRACKED` weeks with such an activity, latest first."""

    def value(rows: ir.Table, _as_of: AsOf) -> ir.Value:
        week = (rows.age_days // 7).cast("int64")
        return _set_bit(ibis.least(week, WEEKS_TRACKED), condition(rows) & (week < WEEKS_TRACKED))

    return Signal(name, value, Aggregation.BITS)


def _indicator_of_non_null(condition: ir.BooleanValue) -> ir.FloatingValue:
    """1.0 or 0.0 of a condition that is never null, at the price of a cast."""
    return condition.cast("int8").cast("float64")


def _set_bit(place: ir.IntegerValue, where: ir.BooleanValue) -> ir.IntegerValue:
    # Shifting the condition, not a literal, which Spark would take for 32 bits.
    return where.cast("int64") << place


def _inbound(rows: ir.Table) -> ir.BooleanValue:
    return rows.inbound


def _outbound(rows: ir.Table) -> ir.BooleanValue:
    return ~rows.inbound


def _high_intent(rows: ir.Table) -> ir.BooleanValue:
    return rows.inbound & rows.high_intent


def _job_weeks(rows: ir.Table, _as_of: AsOf) -> ir.Value:
    week = (rows.age_days // 7).cast("int64")
    counts = rows.inbound & (rows.job >= 0) & (week < JOB_WEEKS_TRACKED)
    bit = ibis.greatest(rows.job, 0).cast("int64") * JOB_WEEKS_TRACKED + ibis.least(
        week, JOB_WEEKS_TRACKED
    )
    return _set_bit(bit, counts)


def _linear_points(rows: ir.Table, _as_of: AsOf) -> ir.Value:
    remaining = ibis.greatest(0.0, 1.0 - rows.age_days.cast("float64") / LINEAR_DECAY_DAYS)
    return rows.inbound.ifelse(to_fixed_point(rows.points * remaining), 0.0)


def signals(vocabulary: Vocabulary) -> tuple[Signal, ...]:
    """Every signal, for the windows, half-lives and kind families of a vocabulary."""
    settings = vocabulary.settings
    windows = sorted({*FIXED_WINDOWS_DAYS, *settings.windows_days})
    return (
        *(count_within(f"inbound_{days}d", days, _inbound) for days in windows),
        Signal("inbound_ever", lambda rows, _as_of: _indicator_of_non_null(rows.inbound)),
        *(count_within(f"high_intent_{days}d", days, _high_intent) for days in windows),
        *(count_within(f"outbound_{days}d", days, _outbound) for days in windows),
        *(
            decayed_sum(f"engagement_{days}", days, lambda rows: rows.points, _inbound)
            for days in settings.half_lives_days
        ),
        Signal("linear_points", _linear_points),
        days_since("days_since_inbound", _inbound),
        days_since("days_since_high_intent", _high_intent),
        days_since("days_since_meeting", lambda rows: rows.inbound & (rows.family == "meeting")),
        days_since("days_since_outbound", _outbound),
        week_bits("weeks_active", _inbound),
        week_bits("weeks_touched", _outbound),
        *(
            count_within(f"family_{number}_{days}d", days, _inbound_of_family(family))
            for number, family in enumerate(vocabulary.families)
            for days in settings.windows_days
        ),
        *(
            count_within(f"job_{place}_90d", 90, _inbound_of_job(place))
            for place, _job in enumerate(BUYING_JOBS)
        ),
        Signal("job_weeks", _job_weeks, Aggregation.BITS),
        count_within("gated_90d", 90, lambda rows: rows.inbound & rows.gated),
        count_within("contents_90d", 90, lambda rows: rows.inbound & (rows.content_no > 0)),
        Signal(
            "minutes_90d",
            lambda rows, as_of: (rows.inbound & in_window(rows, as_of, 90)).ifelse(
                rows.minutes, 0.0
            ),
        ),
        Signal(
            "contents_seen",
            lambda rows, _as_of: _indicator_of_non_null(rows.member_no >= 0),
            input_rows=InputRows.CONTENTS,
        ),
        Signal(
            "contents_new_30d",
            lambda rows, as_of: _indicator_of_non_null(rows.counts_from >= days_before(as_of, 30)),
            input_rows=InputRows.CONTENTS,
        ),
        Signal("rule_points_30d", _rule_points, input_rows=InputRows.DAYS),
        *_membership_signals(vocabulary),
    )


def _inbound_of_family(family: str) -> Condition:
    return lambda rows: rows.inbound & (rows.family == family)


def _inbound_of_job(place: int) -> Condition:
    return lambda rows: rows.inbound & (rows.job == place)


def _rule_points(rows: ir.Table, _as_of: AsOf) -> ir.Value:
    """Points of one kind on one day, of which at most 20 activities count (field-notes.md)."""
    return to_fixed_point(rows.points * rows.times.cast("float64"))


def _membership_signals(vocabulary: Vocabulary) -> tuple[Signal, ...]:
    departments = [(name, float(place)) for place, name in enumerate(vocabulary.departments)]
    other = float(len(departments))

    def department(row: ir.Table, _as_of: AsOf) -> ir.Value:
        place = (
            row.department.cases(*departments, else_=other) if departments else ibis.literal(other)
        )
        return row.department.isnull().ifelse(ibis.null("float64"), place)

    return (
        Signal("department", department, Aggregation.MAX, None, InputRows.MEMBERSHIP),
        Signal(
            "days_since_joined",
            lambda row, as_of: days_between(row.joined_at, as_of).cast("float64"),
            Aggregation.MIN, None, InputRows.MEMBERSHIP,
        ),
        Signal(
            "other_groups",
            lambda row, _as_of: row.memberships.cast("float64") - 1.0,
            Aggregation.MAX, 0.0, InputRows.MEMBERSHIP,
        ),
        Signal(
            "conversion_base_rate", lambda row, _as_of: row.conversion_base_rate,
            Aggregation.MAX, None, InputRows.MEMBERSHIP,
        ),
        *_role_signals(),
        *(signal for scope in SCOPES for signal in _history_signals(scope)),
    )  # fmt: skip


def _role_signals() -> tuple[Signal, ...]:
    """How sure it is that the person has their role; without a probability it is certain.

    `role_bits` is the doubt as bits, -log2(1 - probability): over members they add up to the bits
    of the chance that none of them has the role.
    """

    def bits(row: ir.Table, _as_of: AsOf) -> ir.Value:
        doubt = ibis.greatest(1.0 - row.probability, 2.0**-CERTAIN_BITS)
        return to_fixed_point(doubt.ln() * (-1.0 / math.log(2.0)))

    return (
        Signal(
            "role_probability", lambda row, _as_of: to_fixed_point(row.probability),
            Aggregation.MAX, 1.0, InputRows.MEMBERSHIP,
        ),
        Signal("role_bits", bits, Aggregation.MAX, CERTAIN_BITS, InputRows.MEMBERSHIP),
    )  # fmt: skip


def _history_signals(scope: str) -> tuple[Signal, ...]:
    """Conversions and horizons of exposure in other groups, and their rate beside the base rate."""

    def rate(row: ir.Table, _as_of: AsOf) -> ir.Value:
        conversions, exposure = row[f"{scope}_conversions"], row[f"{scope}_exposure"]
        return to_fixed_point(log_rate(conversions, exposure, row.conversion_base_rate))

    return (
        Signal(
            f"history_{scope}_conversions",
            lambda row, _as_of: row[f"{scope}_conversions"],
            Aggregation.MAX, 0.0, InputRows.MEMBERSHIP,
        ),
        Signal(
            f"history_{scope}_exposure",
            lambda row, _as_of: to_fixed_point(row[f"{scope}_exposure"]),
            Aggregation.MAX, 0.0, InputRows.MEMBERSHIP,
        ),
        Signal(f"history_{scope}_rate", rate, Aggregation.MAX, 0.0, InputRows.MEMBERSHIP),
    )  # fmt: skip


def log_rate(
    conversions: ir.FloatingValue, exposure: ir.FloatingValue, base: ir.FloatingValue
) -> ir.FloatingValue:
    """Logarithm of a rate beside the base rate, drawn to 0 by `HISTORY_PRIOR` horizons.

    Engines differ in what the logarithm of nothing is, so nothing is held above it.
    """
    known_base = ibis.greatest(base, MIN_BASE_RATE)
    hits, horizons = ibis.greatest(conversions, 0.0), ibis.greatest(exposure, 0.0)
    rate = (hits + known_base * HISTORY_PRIOR) / (horizons + HISTORY_PRIOR)
    return ibis.greatest(rate / known_base, MIN_BASE_RATE).ln()
