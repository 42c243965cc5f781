"""Populations: groups that lie in one set of tables and know nothing of those of another.

`POST /v1/score` scores groups together that were sent by themselves. What measures a group against
all others, such as a base rate, reads those of its own population; tables without the column, as
the contract has them, are one population.
"""

from __future__ import annotations

import ibis.expr.types as ir

POPULATION = "population"  # column of `buying_groups`, never null


def has_populations(rows: ir.Table) -> bool:
    """Whether rows of groups, or made of them, say of which population they are."""
    return POPULATION in rows.columns


def population_columns(rows: ir.Table) -> tuple[str, ...]:
    """The column, where the rows have it."""
    return (POPULATION,) if has_populations(rows) else ()
