"""Stage 2, group features: member rows, reduced by any keys, and the facts of the group."""

from __future__ import annotations

from collections.abc import Sequence

import ibis.expr.types as ir

from ..declare.catalogue import Catalogue

GROUP = ("group_id",)


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


def reduce_terms(terms: ir.Table, catalogue: Catalogue, keys: Sequence[str] = GROUP) -> ir.Table:
    """Terms reduced over the rows of each key: one row per key, `empty` where there is no value."""
    return terms.group_by(*keys).agg(
        **{
            term.name: reduced if term.empty is None else reduced.fill_null(term.empty)
            for term in catalogue.terms
            for reduced in [term.reduce.over(terms[f"term_{term.name}"])]
        }
    )


def features_of(
    totals: ir.Table, facts: ir.Table, catalogue: Catalogue, keys: Sequence[str] = GROUP
) -> ir.Table:
    """The catalogue's columns from reduced terms, one row per key."""
    joined = totals.join(facts, "group_id")
    return joined.select(*keys, **{f.name: f.value(joined) for f in catalogue.features})


def group_features(
    rows: ir.Table, facts: ir.Table, catalogue: Catalogue, keys: Sequence[str] = GROUP
) -> ir.Table:
    """All of stage 2: features of the member rows of each key.

    With the keys (group_id,) this is a row of the feature table; with (group_id, coalition), on
    member rows repeated for every coalition, it is the stakeholder game; on edited rows, a what-if.
    """
    terms = member_terms(rows, catalogue)
    return features_of(reduce_terms(terms, catalogue, keys), facts, catalogue, keys)
