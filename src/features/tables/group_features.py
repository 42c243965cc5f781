"""Stage 2, group features: member rows, reduced by any keys, and the facts of the group."""

from __future__ import annotations

from collections.abc import Sequence

import ibis.expr.types as ir

from ..declare.catalogue import Catalogue

GROUP_KEY = ("group_id",)


def member_terms(rows: ir.Table, catalogue: Catalogue) -> ir.Table:
    """Terms of each member row.

    Args:
        rows: member rows of stage 1, as they are or edited; further key columns are kept.
        catalogue: the declarations.

    Returns:
        The columns of `rows` that are no signals, then one column per term.
    """
    signals = {signal.name for signal in catalogue.signals}
    keys = [column for column in rows.columns if column not in signals]
    return rows.select(*keys, **{f"term_{term.name}": term.value(rows) for term in catalogue.terms})


def aggregate_terms(
    terms: ir.Table, catalogue: Catalogue, keys: Sequence[str] = GROUP_KEY
) -> ir.Table:
    """Terms aggregated over the rows of each key: one row per key, `default` where none is."""
    return terms.group_by(*keys).agg(
        **{
            term.name: aggregate if term.default is None else aggregate.fill_null(term.default)
            for term in catalogue.terms
            for aggregate in [term.aggregation.apply(terms[f"term_{term.name}"])]
        }
    )


def features_from_aggregates(
    aggregates: ir.Table, facts: ir.Table, catalogue: Catalogue, keys: Sequence[str] = GROUP_KEY
) -> ir.Table:
    """The catalogue's columns from reduced terms, one row per key."""
    joined = aggregates.join(facts, "group_id")
    return joined.select(*keys, **{f.name: f.value(joined) for f in catalogue.features})


def group_features(
    rows: ir.Table, facts: ir.Table, catalogue: Catalogue, keys: Sequence[str] = GROUP_KEY
) -> ir.Table:
    """All of stage 2: features of the member rows of each key.

    With the keys (group_id,) this is a row of the feature table; with (group_id, coalition), on
    member rows repeated for every coalition, it is the stakeholder game; on edited rows, a what-if.
    """
    terms = member_terms(rows, catalogue)
    return features_from_aggregates(aggregate_terms(terms, catalogue, keys), facts, catalogue, keys)
