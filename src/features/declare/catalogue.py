"""The catalogue: every feature, declared once, read by training, batch, API, game and what-ifs.

Stage 2 has three steps. A *term* is a number of one member row (`terms`). Terms are reduced over
the rows of a group (sum, maximum, minimum), which is the only step where members meet, so a
coalition, a what-if and a whole group differ in nothing but the rows that are reduced. A *feature*
is an expression over the reduced terms and the facts of the group (`themes`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir

from ...support.disk_cache import read_cache, write_cache
from ..tables.group_facts import fact_types
from .feature import Feature
from .signals import Aggregation, Signal, signals
from .terms import Term, terms
from .themes import (
    calendar,
    completeness,
    contact_history,
    coordination,
    engagement,
    fit,
    history,
    journey,
    momentum,
    qualification,
    roles,
    rule_scores,
    sales_touch,
)
from .vocabulary import Vocabulary

THEMES: Sequence[Callable[[Vocabulary], tuple[Feature, ...]]] = (
    engagement.features, momentum.features, coordination.features, roles.features,
    completeness.features, journey.features, qualification.features, fit.features,
    history.features, contact_history.features, sales_touch.features, rule_scores.features,
    calendar.features,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All declarations for one vocabulary.

    Attributes:
        vocabulary: what the data has.
        signals: that the terms read.
        terms: that the features read.
        features: the columns.
        reads_facts: some feature reads a fact of the group, beside its terms.
    """

    vocabulary: Vocabulary
    signals: tuple[Signal, ...]
    terms: tuple[Term, ...]
    features: tuple[Feature, ...]
    reads_facts: bool = True

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the feature columns, in order."""
        return tuple(feature.name for feature in self.features)

    @property
    def categorical_features(self) -> tuple[str, ...]:
        """Names of the columns that hold text categories."""
        return tuple(feature.name for feature in self.features if feature.categorical)


def build_catalogue(vocabulary: Vocabulary, only: Collection[str] | None = None) -> Catalogue:
    """The catalogue for a vocabulary, with the signals and terms that its features read.

    The latest are kept: a tenth of a second goes into finding what every feature reads.

    Args:
        vocabulary: what the data has.
        only: names of the features wanted; None for all.

    Raises:
        ValueError: there is no such feature.
    """
    names = None if only is None else frozenset(only)
    text = repr((vocabulary, None if names is None else sorted(names)))
    return _build(_Wanted(text, vocabulary, names))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a catalogue is built for, equal by its text: the templates hold dictionaries."""

    text: str
    vocabulary: Vocabulary = field(compare=False)
    only: frozenset[str] | None = field(compare=False)


@lru_cache(maxsize=16)
def _build(wanted: _Wanted) -> Catalogue:
    vocabulary, only = wanted.vocabulary, wanted.only
    all_features = tuple(feature for theme in THEMES for feature in theme(vocabulary))
    if only is not None and (unknown := only - {feature.name for feature in all_features}):
        raise ValueError(
            f"expected names of features, got {sorted(unknown)}; there are "
            f"{[feature.name for feature in all_features]}"
        )
    selected = tuple(f for f in all_features if only is None or f.name in only)
    all_terms, all_signals = terms(vocabulary), signals(vocabulary)
    key = f"columns read {vocabulary!r} {[feature.name for feature in selected]}"
    if kept := read_cache(key):
        of_features, of_terms = map(set, json.loads(kept))
    else:
        of_features, of_terms = _columns_of_both_stages(
            vocabulary, all_terms, all_signals, selected
        )
        write_cache(key, json.dumps([sorted(of_features), sorted(of_terms)]).encode())
    return Catalogue(
        vocabulary,
        tuple(signal for signal in all_signals if signal.name in of_terms),
        tuple(term for term in all_terms if term.name in of_features),
        selected,
        bool(of_features & fact_types(vocabulary).keys()),
    )


def _columns_of_both_stages(
    vocabulary: Vocabulary,
    all_terms: Sequence[Term],
    all_signals: Sequence[Signal],
    features: Sequence[Feature],
) -> tuple[set[str], set[str]]:
    """The columns that some features read, and those that the terms among them read.

    To know, every expression is built, which takes half a second for the whole catalogue.
    """
    of_features = _columns_read(
        unbound_aggregates(vocabulary, all_terms), [feature.value for feature in features]
    )
    of_terms = _columns_read(
        unbound_member_rows(all_signals),
        [term.value for term in all_terms if term.name in of_features],
    )
    return of_features, of_terms


def unbound_member_rows(signals: Sequence[Signal]) -> ir.Table:
    """What terms are values of: an unbound table with the columns of `member_signals.member_rows`.

    Bits are never null there: a member without activity has none set.
    """
    types = {s.name: f"!{s.type}" if s.aggregation is Aggregation.BITS else s.type for s in signals}
    return ibis.table(
        {"group_id": "string", "contact_id": "string", "role": "string", **types},
        name="member_rows",
    )


def unbound_aggregates(vocabulary: Vocabulary, terms: Sequence[Term]) -> ir.Table:
    """What features are values of: an unbound table of reduced terms and the facts of the group."""
    types = {term.name: "float64" for term in terms}
    return ibis.table({**fact_types(vocabulary), **types}, name="aggregates")


def _columns_read(
    table: ir.Table, expressions: Sequence[Callable[[ir.Table], ir.Value]]
) -> set[str]:
    """The columns that expressions over a table read."""
    return {
        field.name
        for expression in expressions
        for field in expression(table).op().find(ops.Field, filter=ops.Value)
    }
