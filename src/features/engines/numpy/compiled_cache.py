"""What is compiled of a catalogue, and kept; and member signals reduced from rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import ibis
import numpy as np
from numpy.typing import NDArray

from ...declare.catalogue import Catalogue, member_row, totals
from ...declare.signals import Reduce, Rows, Signal
from ...tables.member_signals import dated
from .compiler import compiled
from .evaluator import Array, Evaluator

KEPT = 32  # compiled catalogues; the least used goes first

# Columns that signals read of each kind of row, beside the cut-off (see `members`, `prepared`).
READ: Mapping[Rows, Mapping[str, str]] = {
    Rows.ACTIVITIES: {
        "occurred_at": "!timestamp(6)", "inbound": "!boolean", "high_intent": "!boolean",
        "gated": "!boolean", "family": "string", "points": "float64", "minutes": "float64",
        "job": "!int64", "content_no": "!int64",
    },
    Rows.DAYS: {"points": "float64", "times": "!int64"},
    Rows.CONTENTS: {"member_no": "!int64", "counts_from": "!timestamp(6)"},
    Rows.MEMBERSHIP: {
        "joined_at": "timestamp(6)", "department": "string", "memberships": "int64",
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    """A catalogue as a key: the same object, for comparing declarations would take longer."""

    catalogue: Catalogue

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Kept) and other.catalogue is self.catalogue

    def __hash__(self) -> int:
        return id(self.catalogue)


def terms_of(catalogue: Catalogue) -> Evaluator:
    """Terms, by name, of member rows: `role`, `contact_id` and the catalogue's signals."""
    return _terms(_Kept(catalogue))


def features_of_terms(catalogue: Catalogue) -> Evaluator:
    """Features, by name, of reduced terms and the facts of their groups, side by side."""
    return _features(_Kept(catalogue))


def signals_of(catalogue: Catalogue, rows: Rows) -> Evaluator:
    """Signals, by name, of one kind of row: the columns of `READ`, and `as_of`, a scalar."""
    return _signals(_Kept(catalogue), rows)


def reduced(
    catalogue: Catalogue,
    kind: Rows,
    rows: Mapping[str, Any],
    member: NDArray[np.intp],
    members: int,
) -> dict[str, Array]:
    """Signals of one kind of row, reduced per member as `members.member_rows` reduces them.

    Sums agree with the engine's to the bit because declared amounts are exact (see `exact`).

    Args:
        catalogue: the declarations.
        kind: of the rows.
        rows: what `members` reads of that kind: the columns of `READ`, of shape (rows,), and
            `as_of`, a scalar. Rows that do not count at the cut-off are the caller's to leave out.
        member: shape (rows,); whose row it is, as a place in 0..members - 1.
        members: how many there are, also those without rows.

    Returns:
        By name, of shape (members,): float64 with NaN where there is nothing to say, or int64 of
        bits, a masked array where some are null. A member without rows has the signal's `empty`.

    Raises:
        ValueError: `member` has another length than the rows, or a place outside the range.
    """
    if member.size and not 0 <= member.min() <= member.max() < members:
        raise ValueError(
            f"expected members in 0..{members - 1}, got {member.min()}..{member.max()}"
        )
    declared = {signal.name: signal for signal in catalogue.signals}
    found = signals_of(catalogue, kind)(rows)
    for name, values in found.items():
        if values.shape != member.shape:
            raise ValueError(
                f"expected one member for each row, got members of shape {member.shape} and "
                f"{name!r} of shape {values.shape}"
            )
    return {name: _of_members(declared[name], found[name], member, members) for name in found}


def _of_members(signal: Signal, values: Array, member: NDArray[np.intp], members: int) -> Array:
    known = ~np.ma.getmaskarray(values)
    if values.dtype.kind == "f":
        known &= ~np.isnan(values)
    if not known.all():
        values, member = values[known], member[known]
    values = np.ma.getdata(values)
    if signal.reduce is Reduce.BITS:
        bits = np.zeros(members, np.int64)
        np.bitwise_or.at(bits, member, values)
        return _filled_bits(signal, bits, np.bincount(member, minlength=members) == 0)
    if signal.reduce is Reduce.SUM:
        # Of no rows numpy counts in whole numbers, weights or not.
        numbers = np.bincount(member, values, members).astype(np.float64)
        numbers[np.bincount(member, minlength=members) == 0] = np.nan
    else:
        numbers = np.full(members, np.nan)
        best = np.fmin if signal.reduce is Reduce.MIN else np.fmax
        best.at(numbers, member, values)
    return numbers if signal.empty is None else np.where(np.isnan(numbers), signal.empty, numbers)


def _filled_bits(signal: Signal, bits: Array, nothing: NDArray[np.bool_]) -> Array:
    if signal.empty is not None:
        return np.where(nothing, np.int64(signal.empty), bits)
    return np.ma.MaskedArray(bits, nothing) if nothing.any() else bits


@lru_cache(KEPT)
def _terms(kept: _Kept) -> Evaluator:
    row = member_row(kept.catalogue.signals)
    return compiled({term.name: term.value(row) for term in kept.catalogue.terms}, row)


@lru_cache(KEPT)
def _features(kept: _Kept) -> Evaluator:
    table = totals(kept.catalogue.vocabulary, kept.catalogue.terms)
    return compiled({f.name: f.value(table) for f in kept.catalogue.features}, table)


@lru_cache(KEPT)
def _signals(kept: _Kept, kind: Rows) -> Evaluator:
    table = ibis.table({**READ[kind], "as_of": "!timestamp(6)"}, name=kind.value)
    rows = dated(table, table.as_of) if kind is Rows.ACTIVITIES else table
    found = [signal for signal in kept.catalogue.signals if signal.rows is kind]
    return compiled({s.name: s.value(rows, table.as_of) for s in found}, table)
