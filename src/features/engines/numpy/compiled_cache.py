"""What is compiled of a catalogue, and kept; and member signals reduced from rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
from numpy.typing import NDArray

from ...declare.catalogue import Catalogue, unbound_aggregates, unbound_member_rows
from ...declare.signals import Aggregation, InputRows, Signal
from ...tables.contact_history import history_columns
from ...tables.member_signals import with_age_days
from .evaluator import Array, Evaluator
from .expressions import compile_expressions

MAX_ROWS_TOGETHER = 1024
"""Rows up to which all sums are one call; of more, the columns would not stay in the cache."""

CACHE_SIZE = 32  # compiled catalogues; the least used goes first

# Columns that signals read of each kind of row, beside the cut-off (see `member_signals`,
# `feature_source`).
COLUMNS_READ: Mapping[InputRows, Mapping[str, str]] = {
    InputRows.ACTIVITIES: {
        "occurred_at": "!timestamp(6)", "inbound": "!boolean", "high_intent": "!boolean",
        "gated": "!boolean", "family": "string", "points": "float64", "minutes": "float64",
        "job": "!int64", "content_no": "!int64",
    },
    InputRows.DAYS: {"points": "float64", "times": "!int64"},
    InputRows.CONTENTS: {"member_no": "!int64", "counts_from": "!timestamp(6)"},
    InputRows.MEMBERSHIP: {
        "joined_at": "timestamp(6)", "probability": "float64", "department": "string",
        "memberships": "int64",
        **dict.fromkeys(history_columns(), "float64"),
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _CatalogueKey:
    """A catalogue as a key: the same object, for comparing declarations would take longer."""

    catalogue: Catalogue

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _CatalogueKey) and other.catalogue is self.catalogue

    def __hash__(self) -> int:
        return id(self.catalogue)


def term_evaluator(catalogue: Catalogue) -> Evaluator:
    """Terms, by name, of member rows: `role`, `contact_id` and the catalogue's signals."""
    return _cached_term_evaluator(_CatalogueKey(catalogue))


def feature_evaluator(catalogue: Catalogue, names: frozenset[str] | None = None) -> Evaluator:
    """Features, by name, of reduced terms and the facts of their groups, side by side.

    Args:
        catalogue: the declarations.
        names: of the features that are wanted; None for all.
    """
    return _cached_feature_evaluator(_CatalogueKey(catalogue), names)


def signal_evaluator(catalogue: Catalogue, input_rows: InputRows) -> Evaluator:
    """Signals, by name, of one kind of row: `COLUMNS_READ`, and `as_of`, a scalar."""
    return _cached_signal_evaluator(_CatalogueKey(catalogue), input_rows)


def aggregate_signals(
    catalogue: Catalogue,
    input_rows: InputRows,
    rows: Mapping[str, Any],
    member: NDArray[np.intp],
    members: int,
) -> dict[str, Array]:
    """Signals of one kind of row, reduced per member as `member_signals.member_rows` reduces them.

    Sums agree with the engine's to the bit because declared amounts are exact (see
    `to_fixed_point`).

    Args:
        catalogue: the declarations.
        input_rows: of the rows.
        rows: what `member_signals` reads of that kind: the columns of `COLUMNS_READ`, of shape
            (rows,), and `as_of`, a scalar. Rows that do not count at the cut-off are the caller's
            to leave out.
        member: shape (rows,); whose row it is, as a place in 0..members - 1.
        members: how many there are, also those without rows.

    Returns:
        By name, of shape (members,): float64 with NaN where there is nothing to say, or int64 of
        bits, a masked array where some are null. A member without rows has the signal's `default`.

    Raises:
        ValueError: `member` has another length than the rows, or a place outside the range.
    """
    if member.size and not 0 <= member.min() <= member.max() < members:
        raise ValueError(
            f"expected members in 0..{members - 1}, got {member.min()}..{member.max()}"
        )
    signals = {signal.name: signal for signal in catalogue.signals}
    values_by_name = signal_evaluator(catalogue, input_rows)(rows)
    for name, values in values_by_name.items():
        if values.shape != member.shape:
            raise ValueError(
                f"expected one member for each row, got members of shape {member.shape} and "
                f"{name!r} of shape {values.shape}"
            )
    summed = [
        name
        for name, values in values_by_name.items()
        if signals[name].aggregation is Aggregation.SUM and type(values) is np.ndarray
        and values.dtype.kind == "f" and values.size <= MAX_ROWS_TOGETHER
    ]  # fmt: skip
    totals = _sums_by_member([values_by_name[name] for name in summed], member, members)
    found = dict(zip(summed, totals, strict=True))
    return {
        name: _fill_default(signals[name], found[name])
        if name in found
        else _aggregate_by_member(signals[name], values, member, members)
        for name, values in values_by_name.items()
    }


def _sums_by_member(
    columns: Sequence[Array], member: NDArray[np.intp], members: int
) -> NDArray[np.float64]:
    """Sums of the values that are not null, of each column, NaN where there is none.

    Args:
        columns: of shape (rows,) each.
        member: shape (rows,).
        members: how many there are.

    Returns:
        Shape (columns, members).
    """
    shape = len(columns), members
    if not member.size:
        return np.full(shape, np.nan)
    values = np.stack(columns) if columns else np.empty((0, member.size))
    known = ~np.isnan(values)
    place = member + np.arange(len(columns))[:, None] * members
    sums = np.bincount(place.ravel(), np.where(known, values, 0.0).ravel(), len(columns) * members)
    rows = np.bincount(place[known], minlength=len(columns) * members)
    return np.where(rows == 0, np.nan, sums).reshape(shape)


def _aggregate_by_member(
    signal: Signal, values: Array, member: NDArray[np.intp], members: int
) -> Array:
    not_null = ~np.ma.getmaskarray(values)
    if values.dtype.kind == "f":
        not_null &= ~np.isnan(values)
    if not not_null.all():
        values, member = values[not_null], member[not_null]
    values = np.ma.getdata(values)
    if signal.aggregation is Aggregation.BITS:
        bits = np.zeros(members, np.int64)
        np.bitwise_or.at(bits, member, values)
        return _fill_default_bits(signal, bits, np.bincount(member, minlength=members) == 0)
    if signal.aggregation is Aggregation.SUM:
        # Of no rows numpy counts in whole numbers, weights or not.
        numbers = np.bincount(member, values, members).astype(np.float64)
        numbers[np.bincount(member, minlength=members) == 0] = np.nan
    else:
        numbers = np.full(members, np.nan)
        best = np.fmin if signal.aggregation is Aggregation.MIN else np.fmax
        best.at(numbers, member, values)
    return _fill_default(signal, numbers)


def _fill_default(signal: Signal, numbers: Array) -> Array:
    if signal.default is None:
        return numbers
    return np.where(np.isnan(numbers), signal.default, numbers)


def _fill_default_bits(signal: Signal, bits: Array, without_rows: NDArray[np.bool_]) -> Array:
    if signal.default is not None:
        return np.where(without_rows, np.int64(signal.default), bits)
    return np.ma.MaskedArray(bits, without_rows) if without_rows.any() else bits


@lru_cache(CACHE_SIZE)
def _cached_term_evaluator(key: _CatalogueKey) -> Evaluator:
    row = unbound_member_rows(key.catalogue.signals)
    return compile_expressions({term.name: term.value(row) for term in key.catalogue.terms}, row)


@lru_cache(CACHE_SIZE)
def _cached_feature_evaluator(key: _CatalogueKey, names: frozenset[str] | None) -> Evaluator:
    table, expressions = _feature_expressions(key)
    wanted = expressions.keys() if names is None else names
    return compile_expressions(
        {name: value for name, value in expressions.items() if name in wanted}, table
    )


@lru_cache(CACHE_SIZE)
def _feature_expressions(key: _CatalogueKey) -> tuple[ir.Table, Mapping[str, ir.Value]]:
    """What all features read, and their expressions, by name: to make them takes the longest."""
    table = unbound_aggregates(key.catalogue.vocabulary, key.catalogue.terms)
    return table, {feature.name: feature.value(table) for feature in key.catalogue.features}


@lru_cache(CACHE_SIZE)
def _cached_signal_evaluator(key: _CatalogueKey, input_rows: InputRows) -> Evaluator:
    table = ibis.table(
        {**COLUMNS_READ[input_rows], "as_of": "!timestamp(6)"}, name=input_rows.value
    )
    rows = with_age_days(table, table.as_of) if input_rows is InputRows.ACTIVITIES else table
    signals = [signal for signal in key.catalogue.signals if signal.input_rows is input_rows]
    return compile_expressions({s.name: s.value(rows, table.as_of) for s in signals}, table)
