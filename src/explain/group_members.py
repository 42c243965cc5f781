"""The members of a moment as the game needs them: terms, roles, what each did recently."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..features.declare.signals import Signal, in_window
from ..features.engines.numpy import term_evaluator
from ..features.tables.feature_source import FeatureSource, number_contents
from ..features.tables.feature_table import Snapshot
from ..features.tables.member_signals import rows_of_people
from ..features.tables.term_rows import TermRows
from ..features.time_rules.activities_known_before import known_before
from ..model.bundle import Bundle, ReferenceMember
from .shapley.coalition_aggregates import Floats

TOP_KINDS = TOP_CONTENTS = 3
MEMBER_KEYS = ("group_id", "contact_id")
CACHED_BUNDLES = 8  # bundles whose typical members are kept


@dataclass(frozen=True)
class Group:
    """One group, and who is in it.

    Attributes:
        group_id: of the group.
        contact_ids: shape (members,).
        roles: shape (members,).
    """

    group_id: str
    contact_ids: NDArray[np.object_]
    roles: NDArray[np.object_]


@dataclass(frozen=True)
class GroupMembers(Group):
    """One group's rows.

    Attributes:
        base: shape (terms,); activities logged on the group without a person.
        terms: shape (members, terms).
    """

    base: Floats
    terms: Floats

    @property
    def without_terms(self) -> Group:
        """The same without its rows, which are the greater part of it."""
        return Group(self.group_id, self.contact_ids, self.roles)


def group_members_at(snapshot: Snapshot) -> Iterator[GroupMembers]:
    """The members of every group at a moment, in order of group_id and contact_id.

    Some thousand groups are in memory at a time.
    """
    for rows in snapshot.term_batches():
        yield from _split_by_group(rows)


def _split_by_group(rows: TermRows) -> Iterator[GroupMembers]:
    is_base = np.fromiter(
        (contact_id is None for contact_id in rows.contact_ids), bool, len(rows.contact_ids)
    )
    starts = np.flatnonzero(is_base)
    for start, end in zip(starts, [*starts[1:], len(rows.group_ids)], strict=True):
        member_rows = slice(start + 1, end)
        yield GroupMembers(
            rows.group_ids[start], rows.contact_ids[member_rows], rows.roles[member_rows],
            rows.values[start], rows.values[member_rows],
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _BundleIdentity:
    """A bundle as a key: the same object, for comparing models would take longer."""

    bundle: Bundle

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _BundleIdentity) and other.bundle is self.bundle

    def __hash__(self) -> int:
        return id(self.bundle)


def reference_member_terms(bundle: Bundle) -> Mapping[str, Floats]:
    """Terms of the typical engaged member of each role, where that has enough support."""
    return _cached_reference_terms(_BundleIdentity(bundle))


@lru_cache(CACHED_BUNDLES)
def _cached_reference_terms(key: _BundleIdentity) -> Mapping[str, Floats]:
    bundle = key.bundle
    supported = [
        member
        for member in bundle.reference_members
        if member.snapshots >= bundle.settings.explain.min_support
    ]
    if not supported:
        return {}
    columns = {
        "contact_id": np.array([f"reference {m.role}" for m in supported], dtype=object),
        "role": np.array([m.role for m in supported], dtype=object),
        **{signal.name: _signal_values(supported, signal) for signal in bundle.catalogue.signals},
    }
    values = term_evaluator(bundle.catalogue)(columns)
    matrix = np.column_stack([values[term.name] for term in bundle.catalogue.terms])
    return {member.role: row for member, row in zip(supported, matrix, strict=True)}


def _signal_values(members: Sequence[ReferenceMember], signal: Signal) -> Floats:
    values = np.array([member.signals[signal.name] for member in members], dtype=np.float64)
    if signal.type == "float64":
        return values
    return (
        np.ma.masked_invalid(values).astype(np.int64)
        if np.isnan(values).any()
        else values.astype(np.int64)
    )


@dataclass(frozen=True, slots=True)
class RecentActivity:
    """What a member did: inbound activities that count for the group, known at the cut-off.

    Attributes:
        last_activity_at: of the latest.
        last_activity_kind: its kind; of several at one instant the last by name.
        activities_30d: how many in the last 30 days.
        top_kinds: the three most frequent kinds, ties by name.
        contents: titles of the three contents seen last, the latest first.
    """

    last_activity_at: datetime
    last_activity_kind: str
    activities_30d: int
    top_kinds: tuple[str, ...]
    contents: tuple[str, ...] = ()


def recent_activity(
    source: FeatureSource, snapshot: Snapshot, contacted_days: int
) -> tuple[dict[tuple[str, str], RecentActivity], frozenset[tuple[str, str]]]:
    """What the members of a moment did, and whom of them we contacted recently.

    Args:
        source: prepared tables.
        snapshot: the moment.
        contacted_days: days for which a contact by us counts as recent.

    Returns:
        What each member did, by group_id and contact_id, without members who never did anything;
        and the keys of those to whom an outbound activity went in these days.
    """
    as_of = snapshot.as_of_expression

    def people() -> ir.Table:
        return snapshot.people.filter(snapshot.people.contact_id.notnull())

    def known() -> ir.Table:
        return known_before(rows_of_people(source.activities, people()), as_of)

    def by_kind() -> ir.Table:
        rows = known()  # a kind is inbound or outbound throughout
        by_us = ~rows.inbound & in_window(rows, as_of, contacted_days)
        counts = rows.group_by("member_no", "kind").agg(
            last_at=rows.occurred_at.max(),
            times=rows.inbound.cast("int64").sum(),
            times_30d=(rows.inbound & in_window(rows, as_of, 30)).cast("int64").sum(),
            by_us=by_us.cast("int64").sum(),
        )
        return _with_member_keys(counts, people())

    def by_content() -> ir.Table:
        rows = known()
        rows = rows.filter(rows.inbound)
        last = rows.group_by("member_no", "content_no").agg(last_at=rows.occurred_at.max())
        contents = number_contents(source.contract_tables["contents"])
        titles = contents.filter(contents.title.notnull()).select("content_no", "title")
        return _with_member_keys(last.join(titles, "content_no"), people())

    kinds = snapshot.fetch(f"recent_kinds_{contacted_days}", by_kind)
    contacted = kinds.filter(pc.greater(kinds["by_us"], 0))
    found = _summarise_recent(kinds.filter(pc.greater(kinds["times"], 0)))
    for member, titles in _latest_titles(snapshot.fetch("recent_contents", by_content)).items():
        found[member] = replace(found[member], contents=titles)
    return found, frozenset(_by_member(contacted, ("kind",)))


def _with_member_keys(rows: ir.Table, people: ir.Table) -> ir.Table:
    return rows.join(people.select("member_no", *MEMBER_KEYS), "member_no").drop("member_no")


def _by_member(table: pa.Table, columns: Sequence[str]) -> dict[tuple[str, str], list[Any]]:
    """Tuples of some columns, by member."""
    members = zip(*(table[name].to_pylist() for name in MEMBER_KEYS), strict=True)
    rows = zip(*(_values(table[name]) for name in columns), strict=True)
    found: dict[tuple[str, str], list[Any]] = {}
    for member, row in zip(members, rows, strict=True):
        found.setdefault(member, []).append(row)
    return found


def _values(column: pa.ChunkedArray) -> list[Any]:
    """A column without nulls as Python has it."""
    # Arrow makes one instant after the other, thirty times slower than numpy.
    is_instant = pa.types.is_timestamp(column.type)
    values: list[Any] = column.to_numpy().tolist() if is_instant else column.to_pylist()
    return values


def _latest_titles(contents: pa.Table) -> dict[tuple[str, str], tuple[str, ...]]:
    """Titles that each member saw last."""
    found = {}
    for member, rows in _by_member(contents, ("title", "last_at")).items():
        last: dict[str, datetime] = {}
        for title, seen_at in rows:
            last[title] = max(seen_at, last.get(title, seen_at))
        by_title = sorted(last)
        by_title.sort(key=last.__getitem__, reverse=True)  # keeps the order of those that are equal
        found[member] = tuple(by_title[:TOP_CONTENTS])
    return found


def _summarise_recent(by_kind: pa.Table) -> dict[tuple[str, str], RecentActivity]:
    found = {}
    for member, rows in _by_member(by_kind, ("kind", "last_at", "times", "times_30d")).items():
        last_at, last_kind = max((last_at, kind) for kind, last_at, _times, _recent in rows)
        frequent = sorted((-times, kind) for kind, _last_at, times, _recent in rows)
        found[member] = RecentActivity(
            last_at,
            last_kind,
            sum(recent for *_kind, recent in rows),
            tuple(kind for _times, kind in frequent[:TOP_KINDS]),
        )
    return found
