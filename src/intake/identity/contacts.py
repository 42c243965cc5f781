"""Contacts that are one person: the CRM's merges and conversions, addresses, people's decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .clusters import Groups
from .mail_domains import is_shared_box
from .person_names import name_key

MOST_NAMES_OF_AN_ADDRESS = 3
"""An address under which more names stand is a shared one, whatever it is called."""


@dataclass(frozen=True)
class Edge:
    """Two contacts that are one person.

    Attributes:
        left, right: positions of the records.
        probability: that they are; 1 for what is known.
        decided_by: person, crm_merge, crm_conversion, email or model.
    """

    left: int
    right: int
    probability: float
    decided_by: str


def email_edges(people: pd.DataFrame) -> list[Edge]:
    """Contacts with one address that is nobody else's.

    Args:
        people: columns email, full_name; one row a record.
    """
    edges = []
    mailed = people[people.email.notna()]
    for email, rows in mailed.groupby("email", sort=True).groups.items():
        if len(rows) < 2 or is_shared_box(str(email)):
            continue
        names = {name_key(people.full_name[row]) for row in rows} - {""}
        if len(names) > MOST_NAMES_OF_AN_ADDRESS:
            continue
        first, *others = sorted(int(row) for row in rows)
        edges += [Edge(first, other, 1.0, "email") for other in others]
    return edges


def cluster_contacts(
    size: int, edges: Sequence[Edge], apart: Sequence[tuple[int, int]]
) -> pd.DataFrame:
    """Join contacts along edges, the surest first, but never two whom a person keeps apart.

    Returns:
        cluster, decided_by, probability by row; `own` where a record is alone or the first.
    """
    groups = Groups([None] * size)
    kept_apart = [(one, other) for one, other in apart]
    decided = np.array(["own"] * size, dtype=object)
    probability = np.ones(size)
    order = {"person": 0, "crm_merge": 1, "crm_conversion": 2, "email": 3, "model": 4}
    for edge in sorted(
        edges, key=lambda one: (order[one.decided_by], -one.probability, one.left, one.right)
    ):
        left, right = groups.find(edge.left), groups.find(edge.right)
        if left == right:
            continue
        if any(
            {groups.find(one), groups.find(other)} == {left, right} for one, other in kept_apart
        ):
            continue
        groups.join(edge.left, edge.right)
        for one in (edge.right, edge.left):
            if decided[one] == "own":
                decided[one], probability[one] = edge.decided_by, edge.probability
    return pd.DataFrame(
        {"cluster": groups.labels(range(size)), "decided_by": decided, "probability": probability}
    )
