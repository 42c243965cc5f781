"""The rules of time for activities: what is one activity, and when was it known (design.md)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime

import ibis
import ibis.expr.types as ir

from ..settings import Kind, Settings

logger = logging.getLogger(__name__)


def with_known_at(activities: ir.Table) -> ir.Table:
    """Adds `known_at`: `recorded_at` where present, else `occurred_at`."""
    return activities.mutate(known_at=ibis.coalesce(activities.recorded_at, activities.occurred_at))


def known_before(rows: ir.Table, as_of: datetime) -> ir.Table:
    """Rows that count at `as_of`: known before it, and occurred before it."""
    return rows.filter(rows.known_at < as_of, rows.occurred_at < as_of)


def once(activities: ir.Table) -> ir.Table:
    """One row per activity_id: of rows with the same id, the earliest `known_at`.

    The order is by the instant from which a row counts, so that a row which does not count yet
    can never hide one that does. The remaining columns only break ties, for an answer that does
    not depend on the order of the input.
    """
    repeated = (
        activities.group_by("activity_id").agg(copies=activities.count()).filter(ibis._.copies > 1)
    )
    single = activities.anti_join(repeated, "activity_id")
    copies = activities.semi_join(repeated, "activity_id")
    counts_from = ibis.greatest(copies.known_at, copies.occurred_at)
    ties = [copies[column] for column in copies.columns if column != "activity_id"]
    ranked = copies.mutate(
        copy=ibis.row_number().over(
            ibis.window(group_by=copies.activity_id, order_by=[counts_from, copies.known_at, *ties])
        )
    )
    return ibis.union(single, ranked.filter(ranked.copy == 0).drop("copy"))


def kinds_in(activities: ir.Table) -> Mapping[str, int]:
    """Every kind in the table with its number of rows, most frequent first, ties by name."""
    counts = activities.group_by("kind").agg(rows=activities.count()).to_pyarrow().to_pylist()
    counts.sort(key=lambda row: (-row["rows"], row["kind"]))
    return {row["kind"]: row["rows"] for row in counts}


def warn_of_unknown_kinds(kinds: Mapping[str, int], settings: Settings) -> None:
    """One warning that names every kind the settings do not know."""
    unknown = {kind: rows for kind, rows in kinds.items() if kind not in settings.kinds}
    if unknown:
        logger.warning(
            "kinds without settings count as inbound, %g point each: %s",
            Kind().points,
            ", ".join(f"{kind} ({rows:,})" for kind, rows in unknown.items()),
        )


def with_kind_settings(
    activities: ir.Table, kinds: Mapping[str, int], settings: Settings
) -> ir.Table:
    """Adds points, inbound, high_intent and family of each row's kind."""
    of_kind = {kind: settings.kind(kind) for kind in kinds}
    return activities.mutate(
        points=_lookup(activities.kind, {k: float(s.points) for k, s in of_kind.items()}, 0.0),
        inbound=_lookup(
            activities.kind, {k: s.direction == "inbound" for k, s in of_kind.items()}, True
        ),
        high_intent=_lookup(activities.kind, {k: s.high_intent for k, s in of_kind.items()}, False),
        family=_lookup(activities.kind, {k: str(s.family) for k, s in of_kind.items()}, ""),
    )


def _lookup(kind: ir.StringValue, values: Mapping[str, object], otherwise: object) -> ir.Value:
    if not values:
        return ibis.literal(otherwise)
    return kind.cases(*values.items(), else_=otherwise)
