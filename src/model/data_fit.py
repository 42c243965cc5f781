"""Does the data fit the model: names that its training did not have, and columns that are gone.

A renamed role fills no place of the template, a renamed kind no family: scores fall to almost
nothing, and no number says why.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import ibis
import ibis.expr.types as ir

from ..contract import BadInput
from ..features.declare.vocabulary import MAX_FAMILIES
from ..features.tables.feature_source import FeatureSource
from ..source.spellings import spelling_key
from .bundle import Bundle
from .known_names import CATEGORY_COLUMNS

logger = logging.getLogger(__name__)
_RECENT = timedelta(days=90)  # activities that are compared: older ones may have had other names
_MAX_SHOWN = 5
_MOST = 0.5  # share of unknown names from which scores mean nothing


@dataclass(frozen=True, slots=True)
class DataFit:
    """What of the data a model does not know.

    Attributes:
        warnings: a sentence for each column, with counts and the nearest known names.
        refusal: why scores would mean nothing; None where they mean something.
    """

    warnings: tuple[str, ...] = ()
    refusal: str | None = None

    def log(self) -> None:
        """Say the warnings in the log."""
        for warning in self.warnings:
            logger.warning("%s", warning)


def data_fit(source: FeatureSource, bundle: Bundle, as_of: datetime) -> DataFit:
    """Compares what is known at a cut-off with what the model was trained on.

    Args:
        source: prepared with the bundle's settings.
        bundle: the model.
        as_of: the cut-off.
    """
    tables = source.contract_tables
    roles = _counts(_members_at(tables["members"], as_of), "role")
    kinds = _counts(_recent_activities(tables["activities"], as_of), "kind")
    known_roles = {role.name for role in bundle.vocabulary.template.roles}
    known_kinds = {*bundle.settings.kinds, *bundle.vocabulary.families}
    warnings = [
        *_unknown("members, role", "member rows", roles, known_roles),
        *_unknown("activities, kind", "activities of 90 days", kinds, known_kinds),
        *_categories(tables["accounts"], bundle),
    ]
    return DataFit(tuple(warnings), _refusal(bundle, roles, known_roles, kinds, known_kinds))


def require_fit(fit: DataFit, command: str) -> None:
    """Refuses data that a model cannot score.

    Raises:
        BadInput: most roles or kinds are unknown to it.
    """
    if fit.refusal is not None:
        raise BadInput(
            f"{command}: {fit.refusal}; name them as in training, set [source] normalise = true "
            "where only the spelling differs, train again, or give --force"
        )


def _members_at(members: ir.Table, as_of: datetime) -> ir.Table:
    return members.filter(
        members.joined_at < as_of, members.left_at.isnull() | (members.left_at >= as_of)
    )


def _recent_activities(activities: ir.Table, as_of: datetime) -> ir.Table:
    known_at = ibis.coalesce(activities.recorded_at, activities.occurred_at)
    return activities.filter(
        known_at < as_of, activities.occurred_at < as_of, activities.occurred_at >= as_of - _RECENT
    )


def _counts(rows: ir.Table, column: str) -> dict[str, int]:
    named = rows.filter(rows[column].notnull())
    counts = named.group_by(name=named[column]).agg(rows=named.count())
    found = counts.to_pyarrow().to_pylist()
    found.sort(key=lambda row: (-row["rows"], row["name"]))
    return {row["name"]: row["rows"] for row in found}


def _unknown_rows(counts: Mapping[str, int], known: Collection[str]) -> int:
    return sum(rows for name, rows in counts.items() if name not in known)


def _unknown(
    place: str, what: str, counts: Mapping[str, int], known: Collection[str]
) -> Iterator[str]:
    names = [name for name in counts if name not in known]
    if not names or not known:
        return
    shown = ", ".join(
        f"{name!r} ({counts[name]:,}{_nearest(name, known)})" for name in names[:_MAX_SHOWN]
    )
    more = f" and {len(names) - _MAX_SHOWN:,} more" if len(names) > _MAX_SHOWN else ""
    yield (
        f"{place}: unknown to the model in {_unknown_rows(counts, known):,} of "
        f"{sum(counts.values()):,} {what}: {shown}{more}"
    )


def _nearest(name: str, known: Collection[str]) -> str:
    spelt = [other for other in sorted(known) if spelling_key(other) == spelling_key(name)]
    near = spelt or difflib.get_close_matches(name.lower(), sorted(known), n=1)
    return f", known: {near[0]!r}" if near else ""


def _categories(accounts: ir.Table, bundle: Bundle) -> Iterator[str]:
    for feature, place in CATEGORY_COLUMNS.items():
        known = bundle.category_values.get(feature, ())
        table, column = place.split(".")
        if not known:
            continue
        counts = _counts(accounts, column)
        if not counts:
            yield (
                f"{table}, {column}: empty throughout, and the model knows {len(known):,} values "
                f"such as {known[0]!r}: the column may have gone from the export"
            )
        yield from _unknown(f"{table}, {column}", "accounts", counts, known)


def _refusal(
    bundle: Bundle,
    roles: Mapping[str, int],
    known_roles: Collection[str],
    kinds: Mapping[str, int],
    known_kinds: Collection[str],
) -> str | None:
    # Settings may name few of the roles that training had; then none of them must be left.
    most_roles = 1.0 if bundle.settings.roles else _MOST
    if known_roles and _share(roles, known_roles) >= most_roles and roles:
        return _sentence("roles of most members", "role", roles, known_roles)
    # Only so many families are kept: with all places taken, others may have been there as well.
    if len(bundle.vocabulary.families) < MAX_FAMILIES and _share(kinds, known_kinds) > _MOST:
        return _sentence("kinds of most activities", "kind", kinds, known_kinds)
    return None


def _share(counts: Mapping[str, int], known: Collection[str]) -> float:
    total = sum(counts.values())
    return _unknown_rows(counts, known) / total if total else 0.0


def _sentence(what: str, name: str, counts: Mapping[str, int], known: Collection[str]) -> str:
    (sentence,) = _unknown(f"{name}s", "rows", counts, known)
    return f"expected names that the model knows, the {what} are unknown to it. {sentence}"
