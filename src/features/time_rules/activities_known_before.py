"""The rules of time for activities: what is one activity, and when was it known (design.md)."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from ...settings import ActivityKind, Settings
from ...source.spellings import shortened
from ..declare.expressions import AsOf

logger = logging.getLogger(__name__)

MAX_KINDS_SHOWN = 10


def with_known_at(activities: ir.Table) -> ir.Table:
    """Adds `known_at`, and `counts_from`: an activity counts once it is known and has occurred."""
    known_at = ibis.coalesce(activities.recorded_at, activities.occurred_at)
    return activities.mutate(
        known_at=known_at, counts_from=ibis.greatest(known_at, activities.occurred_at)
    )


def known_before(rows: ir.Table, as_of: AsOf) -> ir.Table:
    """Rows that count at `as_of`: known before it, and occurred before it."""
    return rows.filter(rows.counts_from < as_of)


def deduplicate(
    activities: ir.Table,
    repeated_hashes: ir.Table | None = None,
    duplicates: ir.Table | None = None,
) -> ir.Table:
    """One row per activity_id: of rows with the same id, the earliest `known_at`.

    The order is by the instant from which a row counts, so that a row which does not count yet
    can never hide one that does. The remaining columns only break ties, for an answer that does
    not depend on the order of the input.

    Args:
        activities: rows of `with_known_at`.
        repeated_hashes: `repeated_id_hashes` of them, if the engine keeps it.
        duplicates: `possible_duplicates` of them, if the engine keeps it.
    """
    repeated_hashes = repeated_id_hashes(activities) if repeated_hashes is None else repeated_hashes
    duplicates = (
        possible_duplicates(activities, repeated_hashes) if duplicates is None else duplicates
    )
    unique = _with_id_hash(activities).anti_join(repeated_hashes, "hashed").drop("hashed")
    ties = [duplicates[column] for column in duplicates.columns if column != "activity_id"]
    ranked = duplicates.mutate(
        copy=ibis.row_number().over(
            ibis.window(
                group_by=duplicates.activity_id,
                order_by=[duplicates.counts_from, duplicates.known_at, *ties],
            )
        )
    )
    return ibis.union(unique, ranked.filter(ranked.copy == 0).drop("copy"))


def repeated_id_hashes(activities: ir.Table, *, by_sorting: bool = False) -> ir.Table:
    """Hashes of more than one row's id: compared faster than ids, and no id can appear twice else.

    Args:
        activities: with activity_id.
        by_sorting: sort them all, and look at the neighbour. In one process that costs three
            fifths of grouping; a cluster would bring every hash to one worker for it.
    """
    hashes = _with_id_hash(activities).select("hashed")
    if by_sorting:
        order = ibis.window(order_by=hashes.hashed)
        pairs = hashes.mutate(before=hashes.hashed.lag().over(order))
        return pairs.filter(pairs.hashed == pairs.before).select("hashed").distinct()
    counts = hashes.group_by("hashed").agg(rows=hashes.count())
    return counts.filter(counts.rows > 1).select("hashed")


def possible_duplicates(activities: ir.Table, repeated_hashes: ir.Table) -> ir.Table:
    """The rows whose id may appear twice."""
    return _with_id_hash(activities).semi_join(repeated_hashes, "hashed").drop("hashed")


@ibis.udf.scalar.builtin(name="hash", signature=(("string",), "int64"))  # type: ignore[untyped-decorator]
def _hash(text: str) -> int:  # type: ignore[empty-body]
    """By its name: Ibis would have DuckDB spell out the bits of every hash."""


def _with_id_hash(activities: ir.Table) -> ir.Table:
    # 31 bits are a positive number of 32 on every engine, and half as wide to sort and to look up.
    bits = _hash(activities.activity_id) & 0x7FFF_FFFF
    return activities.mutate(hashed=bits.cast("int32"))


def kind_counts(activities: ir.Table) -> ir.Table:
    """kind, rows: every kind in the table with its number of rows."""
    return activities.group_by("kind").agg(rows=activities.count())


def kinds_in(counts: pa.Table) -> Mapping[str, int]:
    """Rows of `kind_counts`, most frequent first, ties by name."""
    counts = counts.to_pylist()
    counts.sort(key=lambda row: (-row["rows"], row["kind"]))
    return {row["kind"]: row["rows"] for row in counts}


def warn_of_unknown_kinds(kinds: Mapping[str, int], settings: Settings) -> None:
    """One warning that names the most frequent kinds that the settings do not know."""
    unknown = {kind: rows for kind, rows in kinds.items() if kind not in settings.kinds}
    if not unknown:
        return
    shown = sorted(unknown, key=lambda kind: (-unknown[kind], kind))[:MAX_KINDS_SHOWN]
    more, first = len(unknown) - len(shown), shortened(shown[0])
    logger.warning(
        "kinds without settings count as inbound, %g point each: %s%s; to say what they are worth, "
        "set for each: [kinds.%s] points = 10",
        ActivityKind().points,
        ", ".join(f"{shortened(kind)} ({unknown[kind]:,})" for kind in shown),
        f" and {more:,} more" if more else "",
        first if re.fullmatch(r"[A-Za-z0-9_-]+", first) else json.dumps(first),
    )


def kind_table(kinds: Mapping[str, int], settings: Settings) -> pa.Table:
    """kind, kind_no, points, inbound, high_intent and family of every kind in the data."""
    of_kind = {kind: settings.activity_kind(kind) for kind in kinds}
    return pa.table(
        {
            "kind": pa.array(of_kind, pa.string()),
            "kind_no": pa.array(range(len(of_kind)), pa.int32()),
            "points": pa.array([kind.points for kind in of_kind.values()], pa.float64()),
            "inbound": pa.array([k.direction == "inbound" for k in of_kind.values()], pa.bool_()),
            "high_intent": pa.array([kind.high_intent for kind in of_kind.values()], pa.bool_()),
            "family": pa.array([kind.family for kind in of_kind.values()], pa.string()),
        }
    )
