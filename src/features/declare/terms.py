"""Terms: numbers of one member row, and how they combine over the rows of a group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from ...contract import BUYING_JOBS
from ..tables.contact_history import SCOPES
from .expressions import Expression, column, indicator, total
from .fixed_point import to_fixed_point
from .signals import FIXED_WINDOWS_DAYS, JOB_WEEKS_TRACKED, Aggregation
from .template import Template, TemplateRole
from .vocabulary import Vocabulary

JOINT_WEEKS = 8  # weeks of which each member is asked whether they were active
FORTNIGHTS = 6  # of which the two roles in step are asked

Condition = Callable[[ir.Table], ir.BooleanValue]


@dataclass(frozen=True, slots=True)
class Term:
    """One number of one member row, and how it combines over the rows of a group.

    Attributes:
        name: of the column.
        value: from a member row.
        aggregation: SUM, MAX or MIN.
        default: what a group without such rows has; None for nothing to say.
    """

    name: str
    value: Expression
    aggregation: Aggregation = Aggregation.SUM
    default: float | None = 0.0


SUM_SIGNALS = (
    "inbound_ever", "linear_points", "gated_90d", "contents_90d", "minutes_90d", "contents_seen",
    "contents_new_30d",
)  # fmt: skip
RECENCY_SIGNALS = (
    "days_since_inbound", "days_since_high_intent", "days_since_meeting", "days_since_outbound",
)  # fmt: skip
MAX_SIGNALS = ("inbound_30d", "high_intent_90d", "minutes_90d")


def _is_member(row: ir.Table) -> ir.BooleanValue:
    return row.contact_id.notnull()


def _count_members(condition: Condition) -> Expression:
    return lambda row: indicator(_is_member(row) & condition(row))


def _member_value(name: str) -> Expression:
    return lambda row: _is_member(row).ifelse(row[name], 0.0)


def terms(vocabulary: Vocabulary) -> tuple[Term, ...]:
    """Every term of a vocabulary."""
    settings, template = vocabulary.settings, vocabulary.template
    windows = sorted({*FIXED_WINDOWS_DAYS, *settings.windows_days})
    counts = [
        *(f"{what}_{days}d" for what in ("inbound", "high_intent", "outbound") for days in windows),
        *(f"engagement_{days}" for days in settings.half_lives_days),
        *(
            f"family_{number}_{days}d"
            for number, _family in enumerate(vocabulary.families)
            for days in settings.windows_days
        ),
        *(f"job_{place}_90d" for place, _job in enumerate(BUYING_JOBS)),
        *SUM_SIGNALS,
    ]
    return (
        Term("members", lambda row: indicator(_is_member(row))),
        *(Term(name, column(name)) for name in counts),
        *(Term(name, column(name), Aggregation.MIN, default=None) for name in RECENCY_SIGNALS),
        *(Term(f"{name}_max", _member_value(name), Aggregation.MAX) for name in MAX_SIGNALS),
        Term("logged_90d", lambda row: _is_member(row).ifelse(0.0, row.inbound_90d)),
        *_member_count_terms(),
        *_distribution_terms(f"engagement_{settings.half_life_days}"),
        *_week_terms(),
        *_history_terms(),
        *(
            Term(
                f"awake_in_department_{place}",
                _count_members(_active_in_department(float(place))),
            )
            for place in range(len(vocabulary.departments) + 1)
        ),
        *(
            Term(
                f"in_step_{place}_{fortnight}",
                _count_members(_active_in_fortnight(role, fortnight)),
            )
            for place, role in enumerate(settings.roles_in_step)
            for fortnight in range(FORTNIGHTS)
        ),
        *(
            term
            for role in template.roles
            for term in _role_terms(role, template, f"engagement_{settings.half_life_days}")
        ),
    )


def _member_count_terms() -> tuple[Term, ...]:
    """How many members there are of some kind."""
    conditions: dict[str, Condition] = {
        "active_members_14d": lambda row: row.inbound_14d > 0,
        "active_members_30d": lambda row: row.inbound_30d > 0,
        "active_members_ever": lambda row: row.inbound_ever > 0,
        "newly_awake": lambda r: (r.inbound_30d > 0) & (r.inbound_90d == r.inbound_30d),
        "touched_members_30d": lambda row: row.outbound_30d > 0,
        "deciding_members_90d": lambda row: (
            row[f"job_{BUYING_JOBS.index('validation')}_90d"]
            + row[f"job_{BUYING_JOBS.index('consensus_creation')}_90d"]
        ) > 0,
        "members_joined_90d": lambda row: row.days_since_joined < 90,
        "shared_members": lambda row: row.other_groups > 0,
    }  # fmt: skip
    return tuple(Term(name, _count_members(condition)) for name, condition in conditions.items())


def _distribution_terms(engagement: str) -> tuple[Term, ...]:
    """How engagement is spread over the members."""

    def e_ln_e(row: ir.Table) -> ir.Value:
        # e ln e is 0 at 0; what is near 0 must not meet the logarithm.
        known = ibis.greatest(row[engagement], 1.0)
        return (row[engagement] >= 1.0).ifelse(to_fixed_point(known * known.ln()), 0.0)

    return (
        Term("strongest", _member_value(engagement), Aggregation.MAX),
        Term("strongest_90d", _member_value("inbound_90d"), Aggregation.MAX),
        Term("square", lambda row: to_fixed_point(row[engagement] * row[engagement] / 1024)),
        Term("product", e_ln_e),
        Term(
            "spread",
            lambda row: (row[engagement] >= 1.0).ifelse(row[engagement], 0.0),
        ),
    )  # fmt: skip


def _week_terms() -> tuple[Term, ...]:
    return (
        *(
            Term(f"active_week_{week}", _count_members(_active_in_week(week)))
            for week in range(JOINT_WEEKS)
        ),
        Term(
            "weeks",
            lambda row: _is_member(row).ifelse(_number_of_bits(row.weeks_active), 0.0),
            Aggregation.MAX,
        ),
        Term("weeks_touched", lambda row: _number_of_bits(row.weeks_touched)),
        # A week with a touch is answered if they acted in it or in the week after.
        Term(
            "weeks_answered",
            lambda row: _number_of_bits(
                row.weeks_touched & (row.weeks_active | (row.weeks_active << 1))
            ),
        ),
        Term("returns", _return_weeks),
    )


def _history_terms() -> tuple[Term, ...]:
    """How the other groups of the members went (see `tables.contact_history`)."""

    def of_members(name: str) -> Expression:
        null = ibis.null("float64")
        return lambda row: _is_member(row).ifelse(row[name], null)

    return (
        Term("conversion_base_rate", of_members("conversion_base_rate"), Aggregation.MAX, None),
        *(
            term
            for scope in SCOPES
            for rate in [f"history_{scope}_rate"]
            for term in (
                Term(f"history_{scope}_sum", _member_value(rate)),
                Term(f"history_{scope}_best", of_members(rate), Aggregation.MAX, None),
                Term(f"history_{scope}_worst", of_members(rate), Aggregation.MIN, None),
                *(
                    Term(f"history_{scope}_{what}", _member_value(f"history_{scope}_{what}"))
                    for what in ("conversions", "exposure")
                ),
            )
        ),
    )


@ibis.udf.scalar.builtin(name="bit_count", signature=(("int64",), "int64"))  # type: ignore[untyped-decorator]
def _bit_count(bits: int) -> int:  # type: ignore[empty-body]
    """How many bits are set; every engine has it by this name, Ibis has none."""


def _number_of_bits(bits: ir.IntegerValue) -> ir.FloatingValue:
    return _bit_count(bits).cast("float64")


def _has_bit(bits: ir.IntegerValue, place: int) -> ir.BooleanValue:
    return (bits & ibis.literal(1 << place, "int64")) > 0


def _active_in_week(week: int) -> Condition:
    return lambda row: _has_bit(row.weeks_active, week)


def _return_weeks(row: ir.Table) -> ir.Value:
    """Weeks in which a member went back to a job earlier than one of some week before.

    Gartner's jobs have an order, and groups go back and forth (field-notes.md).
    """
    return total(
        [indicator(_returned_in(row.job_weeks, week)) for week in range(JOB_WEEKS_TRACKED - 1)]
    )


def _returned_in(job_weeks: ir.IntegerValue, week: int) -> ir.BooleanValue:
    """Whether a job of that week comes before a job of an earlier week (see `_job_weeks`)."""
    before = range(week + 1, JOB_WEEKS_TRACKED)
    returned = []
    for job in range(len(BUYING_JOBS) - 1):
        later = range(job + 1, len(BUYING_JOBS))
        mask = sum(
            1 << (other * JOB_WEEKS_TRACKED + earlier) for other in later for earlier in before
        )
        later_job_before = (job_weeks & ibis.literal(mask, "int64")) > 0
        returned.append(_has_bit(job_weeks, job * JOB_WEEKS_TRACKED + week) & later_job_before)
    return ibis.or_(*returned)


def _active_in_department(place: float) -> Condition:
    return lambda row: (row.department == place) & (row.inbound_30d > 0)


def _active_in_fortnight(role: str, fortnight: int) -> Condition:
    both = ibis.literal(0b11 << (2 * fortnight), "int64")
    return lambda row: (row.role == role) & ((row.weeks_active & both) > 0)


def _has_any_role(row: ir.Table, names: Sequence[str]) -> ir.BooleanValue:
    """Whether the role is one of some; a balanced tree, for Ibis walks expressions recursively."""
    if len(names) == 1:
        return (row.role == names[0]).fill_null(False)
    middle = len(names) // 2
    return _has_any_role(row, names[:middle]) | _has_any_role(row, names[middle:])


def _role_terms(role: TemplateRole, template: Template, engagement: str) -> tuple[Term, ...]:
    others = [other.name for other in template.roles if other.name != role.name]

    def has_role(row: ir.Table) -> ir.BooleanValue:
        if role.rest:
            return row.role.notnull() & ~_has_any_role(row, others)
        return _has_any_role(row, [role.name])

    def of_role(value: Expression, otherwise: object = 0.0) -> Expression:
        return lambda row: has_role(row).ifelse(value(row), otherwise)

    null, slug = ibis.null("float64"), role.slug
    return (
        Term(f"members_{slug}", _count_members(has_role)),
        Term(f"engaged_{slug}", _count_members(lambda row: has_role(row) & (row.inbound_30d > 0))),
        Term(f"expected_{slug}", of_role(column("role_probability"))),
        Term(f"role_bits_{slug}", of_role(column("role_bits"))),
        Term(f"engagement_{slug}", of_role(column(engagement))),
        Term(f"strongest_{slug}", of_role(column(engagement)), Aggregation.MAX),
        Term(
            f"days_since_{slug}", of_role(column("days_since_inbound"), null), Aggregation.MIN, None
        ),
        Term(
            f"longest_{slug}", of_role(column("days_since_joined"), null), Aggregation.MAX, None
        ),
        Term(
            f"newest_{slug}", of_role(column("days_since_joined"), null), Aggregation.MIN, None
        ),
        Term(f"rule_{slug}", of_role(_person_engagement)),
    )  # fmt: skip


def _person_engagement(row: ir.Table) -> ir.Value:
    """The square root of capped points, as the market leader has it (field-notes.md).

    Ours is scaled by a constant (400 points of 30 days make 100), not over everybody, so that a
    score moves only with its own group.
    """
    return to_fixed_point(ibis.least(100.0, 5.0 * ibis.greatest(0.0, row.rule_points_30d).sqrt()))
