"""What the catalogue takes from the data: which roles, kind families, questions there are."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches

import ibis.expr.types as ir

from ...contract import BadInput
from ...settings import FeatureSettings, Settings
from ..tables.feature_source import FeatureSource
from ..time_rules.activities_known_before import known_before
from ..time_rules.eligible_groups import start_of_history
from .expressions import cutoff_literal
from .template import Template, resolve_template

logger = logging.getLogger(__name__)

MAX_FAMILIES = 8
MAX_QUESTIONS = 8
MAX_DEPARTMENTS = 16
DEFAULT_SETTINGS = FeatureSettings()


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What the catalogue takes from the data: found once in training, kept in the bundle.

    Attributes:
        template: the role templates.
        families: inbound kind families with columns of their own, most frequent first.
        questions: of inside sales, with columns of their own, most frequent first.
        departments: distinguished when the awake ones are counted, most frequent first; all others
            count as one.
        settings: windows, half-lives, fiscal year.
        uncertain_roles: some members had a role by a probability alone (`members.probability`), so
            that completeness has an expectation beside it.
    """

    template: Template
    families: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    departments: tuple[str, ...] = ()
    settings: FeatureSettings = DEFAULT_SETTINGS
    uncertain_roles: bool = False


def find_vocabulary(source: FeatureSource, before: datetime) -> Vocabulary:
    """Roles, kind families, questions and departments known before an instant.

    Nothing later shapes a column. Roles that no template knows, and windows longer than the
    history, are given as warnings.
    """
    tables, activities = source.tables, source.activities
    warn_of_unknown_roles(tables["members"], source.settings, before)
    warn_of_long_windows(tables, source.settings, before)
    known = known_before(activities, cutoff_literal(before))
    inbound = known.filter(known.inbound)
    joined = tables["members"].filter(tables["members"].joined_at < before)
    people = source.contract_tables["contacts"].semi_join(joined, "contact_id")
    answers = tables["answers"].filter(tables["answers"].answered_at < before)
    return Vocabulary(
        resolve_template(source.settings, tables["members"], before),
        _most_frequent(inbound, lambda rows: rows.family, MAX_FAMILIES),
        _most_frequent(answers, lambda rows: rows.question, MAX_QUESTIONS),
        _most_frequent(people, lambda rows: rows.department, MAX_DEPARTMENTS),
        source.settings.features,
        _has_uncertain_roles(joined),
    )


def _has_uncertain_roles(members: ir.Table) -> bool:
    uncertain = members.filter(members.probability < 1.0)
    return bool(uncertain.count().to_pyarrow().as_py())


def _most_frequent(
    rows: ir.Table, name: Callable[[ir.Table], ir.StringColumn], limit: int
) -> tuple[str, ...]:
    """The most frequent names, ties by name."""
    named = rows.select(name=name(rows))
    counts = named.filter(named.name.notnull()).group_by("name").agg(rows=lambda t: t.count())
    found = counts.to_pyarrow().to_pylist()
    found.sort(key=lambda row: (-row["rows"], row["name"]))
    return tuple(row["name"] for row in found[:limit])


def warn_of_unknown_roles(members: ir.Table, settings: Settings, before: datetime) -> None:
    """Warns of roles in the data that no template names: their members fill none."""
    known = _known_roles(settings)
    unknown = [(role, rows) for role, rows in _role_counts(members, before) if role not in known]
    if settings.roles and unknown:
        logger.warning("roles that no template knows fill none: %s", _list_roles(unknown, known))


def require_known_roles(source: FeatureSource, before: datetime) -> None:
    """Makes sure that some role of the settings is in the data.

    Raises:
        BadInput: the settings name roles, and no member has any of them.
    """
    known, found = _known_roles(source.settings), _role_counts(source.tables["members"], before)
    if source.settings.roles and found and not any(role in known for role, _rows in found):
        raise BadInput(
            f"[roles]: expected some of the roles {', '.join(sorted(known))} in members, got only "
            f"{_list_roles(found, known)}; name the roles as the data does"
        )


def _known_roles(settings: Settings) -> set[str]:
    return {*settings.roles, *(r for s in settings.solutions.values() for r in s.roles)}


def _role_counts(members: ir.Table, before: datetime) -> list[tuple[str, int]]:
    """Every role that a member had, with its number of rows, most frequent first."""
    joined = members.filter(members.joined_at < before)
    counts = joined.group_by("role").agg(rows=joined.count()).to_pyarrow().to_pylist()
    return sorted(((row["role"], row["rows"]) for row in counts), key=lambda r: (-r[1], r[0]))


def _list_roles(roles: list[tuple[str, int]], known: set[str]) -> str:
    return ", ".join(f"{role} ({rows:,}{_suggest_role(role, known)})" for role, rows in roles)


def _suggest_role(role: str, known: set[str]) -> str:
    near = get_close_matches(role.lower(), sorted(known), n=1)
    return f", did you mean {near[0]!r}?" if near else ""


def warn_of_long_windows(
    tables: Mapping[str, ir.Table], settings: Settings, before: datetime
) -> None:
    """Warns of a window that begins before the data does at every cut-off."""
    longest = settings.features.windows_days[-1]
    days = (before - start_of_history(tables)).days
    if longest > days >= 0:
        logger.warning(
            "[features] windows_days: %d days is longer than the %d days of data before "
            "%s; such a count sees all of them",
            longest, days, f"{before:%Y-%m-%d}",
        )  # fmt: skip
