"""Contacts that are one person: the CRM's merges and conversions, addresses, people's decisions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from .clusters import Groups
from .mail_domains import is_free_mail, is_shared_box
from .person_names import name_key

MOST_NAMES_OF_AN_ADDRESS = 3
"""An address under which more names are is a shared one, whatever it is called."""

CLEARLY_SURER = 20.0
"""By how much the odds of one person must exceed another's for a record that fits both."""

MOST_CANDIDATES = 20


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
    size: int,
    edges: Sequence[Edge],
    apart: Sequence[tuple[int, int]],
    addresses: Sequence[str | None] = (),
    mobiles: Sequence[str | None] = (),
) -> pd.DataFrame:
    """Join contacts along edges, the surest first, but never two whom a person keeps apart.

    What is only probable joins nobody who has two addresses at one company: namesakes are told
    apart by these, and a record that fits both of them is neither's. A mobile number of their own
    outweighs that: people get a second address, but namesakes share no telephone.

    Args:
        size: how many records there are.
        edges: known and probable ones.
        apart: pairs of records that are two people.
        addresses: of the records; () where they are not known.
        mobiles: of the records, name and number (`own_mobiles`); () where they are not known.

    Returns:
        cluster, decided_by, probability by row; `own` where a record is alone or the first.
    """
    groups = Groups([None] * size)
    kept_apart = [(one, other) for one, other in apart]
    decided = np.array(["own"] * size, dtype=object)
    probability = np.ones(size)
    boxes = _boxes(addresses)

    def of_one(one: int, other: int) -> bool:
        return bool(mobiles) and mobiles[one] is not None and mobiles[one] == mobiles[other]

    order = {"person": 0, "crm_merge": 1, "crm_conversion": 2, "email": 3, "model": 4}
    for edge in sorted(
        _unambiguous(edges, boxes, of_one),
        key=lambda one: (order[one.decided_by], -one.probability, one.left, one.right),
    ):
        left, right = groups.find(edge.left), groups.find(edge.right)
        if left == right:
            continue
        if any(
            {groups.find(one), groups.find(other)} == {left, right} for one, other in kept_apart
        ):
            continue
        if (
            edge.decided_by == "model"
            and not of_one(edge.left, edge.right)
            and _contradict(boxes.get(left), boxes.get(right))
        ):
            continue
        groups.join(edge.left, edge.right)
        joined = {**boxes.pop(right, {}), **boxes.pop(left, {})}
        if joined:
            boxes[groups.find(left)] = joined
        for one in (edge.right, edge.left):
            if decided[one] == "own":
                decided[one], probability[one] = edge.decided_by, edge.probability
    return pd.DataFrame(
        {"cluster": groups.labels(range(size)), "decided_by": decided, "probability": probability}
    )


def _boxes(addresses: Sequence[str | None]) -> dict[int, dict[str, str]]:
    """By record: host -> what stands before the @, of addresses that are one person's."""
    boxes = {}
    for place, address in enumerate(addresses):
        if isinstance(address, str) and not is_shared_box(address):
            box, _, host = address.partition("@")
            if host and not is_free_mail(host):
                boxes[place] = {host: box}
    return boxes


def _contradict(one: dict[str, str] | None, other: dict[str, str] | None) -> bool:
    return bool(one and other) and any(
        host in (other or {}) and (other or {})[host] != box for host, box in (one or {}).items()
    )


def _unambiguous(
    edges: Sequence[Edge], boxes: dict[int, dict[str, str]], of_one: Callable[[int, int], bool]
) -> list[Edge]:
    """All edges but the probable ones of a record that fits two people about as well."""
    found: dict[int, list[tuple[float, int]]] = {}
    for edge in edges:
        if edge.decided_by == "model":
            found.setdefault(edge.left, []).append((edge.probability, edge.right))
            found.setdefault(edge.right, []).append((edge.probability, edge.left))
    torn = {
        node
        for node, others in found.items()
        if any(
            _contradict(boxes.get(one), boxes.get(other))
            and not of_one(one, other)
            and _odds(min(first, second)) * CLEARLY_SURER > _odds(max(first, second))
            for (first, one), (second, other) in combinations(others[:MOST_CANDIDATES], 2)
        )
    }
    return [
        edge for edge in edges
        if edge.decided_by != "model" or of_one(edge.left, edge.right)
        or not {edge.left, edge.right} & torn
    ]  # fmt: skip


def _odds(probability: float) -> float:
    return probability / max(1e-9, 1.0 - probability)
