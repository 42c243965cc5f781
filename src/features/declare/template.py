"""Role templates: which roles a solution's group needs, and from when that was known."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import ibis.expr.types as ir

from ...settings import FeatureSettings, RoleRequirement, Settings
from ...source.spellings import MAX_ROLES

logger = logging.getLogger(__name__)

REST_NAMES = ("other", *(f"other {number}" for number in range(2, MAX_ROLES + 3)))
"""What the role is called that stands for all others: the first that no role has."""

# The catalogue has `engagement_max`, `members_left_90d`, `days_since_verdict` ... beside the
# columns of roles: a role of such a name gets a number.
RESERVED_PARTS = frozenset(
    {
        "mean", "max", "trend", "left_90d", "joined_90d", "90d", "share", "inbound", "high_intent",
        "meeting", "outbound", "verdict", "answer", "complete", "engagement", "points_30d",
    }
)  # fmt: skip


def reserved_parts(settings: FeatureSettings) -> frozenset[str]:
    """Parts of column names that no role may get."""
    return RESERVED_PARTS | {str(days) for days in settings.half_lives_days}


@dataclass(frozen=True, slots=True)
class TemplateRole:
    """A role that some template names.

    Attributes:
        name: as in the members table.
        slug: the name as part of a column's name.
        default: its line in the default template, None where only solutions name it.
        solutions: overrides, by solution_id.
        first_seen_at: for a role found in the data, the first instant at which a member had it:
            before it was known to exist, it is in no template. None for a role of the settings.
        rest: it stands for every role that no other of the template is.
    """

    name: str
    slug: str
    default: RoleRequirement | None
    solutions: Mapping[str, RoleRequirement]
    first_seen_at: datetime | None = None
    rest: bool = False

    def requirement(self, solution_id: str | None, as_of: datetime) -> RoleRequirement | None:
        """This role's line in a solution's template at `as_of`; None where it has none."""
        if self.first_seen_at is not None and self.first_seen_at >= as_of:
            return None
        return self.solutions.get(solution_id, self.default) if solution_id else self.default


@dataclass(frozen=True, slots=True)
class Template:
    """The roles of all templates, in a fixed order."""

    roles: tuple[TemplateRole, ...]

    @property
    def has_rest(self) -> bool:
        """Whether a role stands for all that are not named."""
        return any(role.rest for role in self.roles)

    @property
    def overridden_solutions(self) -> tuple[str, ...]:
        """Solutions whose template differs from the default one."""
        return tuple(sorted({solution for role in self.roles for solution in role.solutions}))


def resolve_template(settings: Settings, members: ir.Table, before: datetime) -> Template:
    """The template of the settings, or, where they name no role, every role found in the data.

    Args:
        settings: roles and solutions.
        members: the contract's table.
        before: only roles that a member had before this instant are looked at.
    """
    named = dict(settings.roles)
    first_seen: dict[str, datetime] = {}
    rest: str | None = None
    if not named:
        first_seen, rest = _first_seen_roles(members, before)
        named = {role: RoleRequirement() for role in first_seen if role != rest}
        if rest:
            named[rest] = RoleRequirement(required=0)
    overrides: dict[str, dict[str, RoleRequirement]] = {}
    for solution_id, solution in settings.solutions.items():
        for role, requirement in solution.roles.items():
            overrides.setdefault(role, {})[solution_id] = requirement
    names = [*named, *(role for role in overrides if role not in named)]
    parts = slugs(names, reserved_parts(settings.features))
    return Template(
        tuple(
            TemplateRole(
                name,
                parts[name],
                named.get(name),
                overrides.get(name, {}),
                first_seen.get(name),
                rest is not None and name == rest,
            )
            for name in names
        )
    )


def _first_seen_roles(
    members: ir.Table, before: datetime
) -> tuple[dict[str, datetime], str | None]:
    """When each role was first seen, and the name that stands for the rest of very many."""
    known = members.filter(members.joined_at < before)
    found = known.group_by("role").agg(since=known.joined_at.min(), rows=known.count())
    rows = found.to_pyarrow().to_pylist()
    rows.sort(key=lambda row: (-row["rows"], row["role"]))
    kept, folded = rows[:MAX_ROLES], rows[MAX_ROLES:]
    seen = {row["role"]: row["since"] for row in sorted(kept, key=lambda row: row["role"])}
    if not folded:
        return seen, None
    rest = next(name for name in REST_NAMES if name not in seen)
    logger.warning(
        "members have %s different roles: the %d most frequent are told apart, and %s rows of "
        "members count as %r; are they titles? Infer roles from titles when importing, or name "
        "the roles in [roles]",
        f"{len(rows):,}", MAX_ROLES, f"{sum(row['rows'] for row in folded):,}", rest,
    )  # fmt: skip
    return {**seen, rest: min(row["since"] for row in folded)}, rest


def slugs(names: Sequence[str], reserved: Collection[str] = ()) -> dict[str, str]:
    """Names as parts of column names: word characters of any script; a number where two meet.

    Args:
        names: as in the data or the settings.
        reserved: parts that no name may get.
    """
    parts: dict[str, str] = {}
    for name in names:
        base = re.sub(r"\W+", "_", name).strip("_").lower() or "unnamed"
        part, number = base, 2
        while part in reserved or part in parts.values():
            part, number = f"{base}_{number}", number + 1
        parts[name] = part
    return parts
