"""The members of a moment as the game needs them: terms, roles, what each did of late."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from ..bundle import Bundle
from ..features.activities import known_before
from ..features.expressions import at as instant
from ..features.groups import member_terms
from ..features.members import of_people
from ..features.prepared import FeatureSource, content_numbers
from ..features.signals import within
from ..features.table import Moment
from .monoid import Floats

TOP_KINDS = TOP_CONTENTS = 3
MEMBER = ["group_id", "contact_id"]
GROUPS_AT_A_TIME = 8192


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
    def named(self) -> Group:
        """The same without its rows, which are the greater part of it."""
        return Group(self.group_id, self.contact_ids, self.roles)


def members_of(at: Moment, bundle: Bundle) -> Iterator[GroupMembers]:
    """The members of every group at a moment, in order of group_id and contact_id.

    Some thousand groups are in memory at a time.
    """
    ids = at.groups.order_by("group_id").group_id.to_pyarrow().to_pylist()
    for start in range(0, len(ids), GROUPS_AT_A_TIME):
        here = ids[start : start + GROUPS_AT_A_TIME]
        # Ids rise, so that two comparisons name a portion.
        rows = at.members.filter(at.members.group_id.between(here[0], here[-1]))
        yield from _rows_of(rows if len(here) < len(ids) else at.members, bundle)


def _rows_of(members: ir.Table, bundle: Bundle) -> Iterator[GroupMembers]:
    terms = member_terms(members, bundle.catalogue)
    # The base row has no contact, and comes first.
    ordered = terms.order_by("group_id", ibis.asc("contact_id", nulls_first=True)).to_pyarrow()
    values = _term_matrix(ordered, bundle)
    groups = ordered["group_id"].to_numpy()
    contacts, roles = ordered["contact_id"].to_numpy(), ordered["role"].to_numpy()
    starts = np.flatnonzero(ordered["contact_id"].is_null().to_numpy())  # the base rows
    del ordered
    for start, end in zip(starts, [*starts[1:], len(groups)], strict=True):
        people = slice(start + 1, end)
        yield GroupMembers(
            groups[start], contacts[people], roles[people], values[start], values[people]
        )


def _term_matrix(terms: pa.Table, bundle: Bundle) -> Floats:
    matrix = np.empty((terms.num_rows, len(bundle.catalogue.terms)))
    for place, term in enumerate(bundle.catalogue.terms):
        matrix[:, place] = terms[f"term_{term.name}"].to_numpy()
    return matrix


def typical_terms(bundle: Bundle) -> dict[str, Floats]:
    """Terms of the typical engaged member of each role, where that has enough support."""
    enough = [
        member
        for member in bundle.typical
        if member.snapshots >= bundle.settings.explain.min_support
    ]
    if not enough:
        return {}
    table = pa.table(
        {
            "contact_id": pa.array([f"typical {m.role}" for m in enough]),
            "role": pa.array([m.role for m in enough]),
            **{
                signal.name: pa.array([m.signals[signal.name] for m in enough], pa.float64()).cast(
                    signal.type.replace("float64", "double")
                )
                for signal in bundle.catalogue.signals
            },
        }
    )
    terms = member_terms(ibis.memtable(table), bundle.catalogue).to_pyarrow()
    return dict(zip(terms["role"].to_pylist(), _term_matrix(terms, bundle), strict=True))


def recent_activity(source: FeatureSource, at: Moment) -> pd.DataFrame:
    """What each member did: inbound activities that count for the group, known at the cut-off.

    Returns:
        group_id, contact_id, last_activity_at, last_activity_kind, activities_30d, top_kinds (the
        three most frequent kinds, ties by name), contents (titles of the three seen last; the
        latest first). Members who never did anything are not in it.
    """
    as_of = instant(at.as_of)
    people = at.people.filter(at.people.contact_id.notnull())
    known = known_before(of_people(source.activities, people), as_of)
    inbound = known.filter(known.inbound)
    by_kind = inbound.group_by("member_no", "kind").agg(
        last_at=inbound.occurred_at.max(),
        times=inbound.count(),
        times_30d=within(inbound, as_of, 30).cast("int64").sum(),
    )
    found = _summed_up(_of_people(by_kind, people))
    seen = inbound.group_by("member_no", "content_no").agg(last_at=inbound.occurred_at.max())
    titled = content_numbers(source.given["contents"])
    titles = titled.filter(titled.title.notnull()).select("content_no", "title")
    found["contents"] = _latest(_of_people(seen.join(titles, "content_no"), people))
    found["contents"] = [given if isinstance(given, list) else [] for given in found["contents"]]
    return found.reset_index()


def _of_people(rows: ir.Table, people: ir.Table) -> pd.DataFrame:
    named = rows.join(people.select("member_no", "group_id", "contact_id"), "member_no")
    frame: pd.DataFrame = named.drop("member_no").to_pyarrow().to_pandas()
    return frame


def _latest(seen: pd.DataFrame) -> pd.Series[Any]:
    """Titles that each member saw last; by group_id and contact_id."""
    ordered = seen.sort_values(["last_at", "title"], ascending=[False, True])
    by_member = ordered.drop_duplicates([*MEMBER, "title"]).groupby(MEMBER)
    return by_member.head(TOP_CONTENTS).groupby(MEMBER)["title"].agg(list)


def _summed_up(by_kind: pd.DataFrame) -> pd.DataFrame:
    latest = by_kind.sort_values(["last_at", "kind"]).groupby(MEMBER).tail(1).set_index(MEMBER)
    frequent = by_kind.sort_values(["times", "kind"], ascending=[False, True])
    top = frequent.groupby(MEMBER).head(TOP_KINDS).groupby(MEMBER)["kind"].agg(list)
    total = by_kind.groupby(MEMBER)["times_30d"].sum()
    return pd.DataFrame(
        {
            "last_activity_at": latest["last_at"],
            "last_activity_kind": latest["kind"],
            "activities_30d": total,
            "top_kinds": top,
        }
    )
