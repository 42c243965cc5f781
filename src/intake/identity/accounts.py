"""Companies that are one: by the CRM's merges, corporate number, domain and normalised name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import pandas as pd

from .clusters import Groups
from .company_names import corporate_number, split_company_name
from .mail_domains import is_free_mail


def link_companies(companies: pd.DataFrame, merges: Iterable[tuple[int, int]]) -> pd.DataFrame:
    """Decide which companies are one.

    A corporate number names one company: two that have different ones are never joined but by the
    CRM itself, and where two share a name or a domain, those without a number join neither. Names
    join only where legal forms do not contradict, and not across different domains.

    Args:
        companies: columns name, domain, number; one row a record, in an order that does not change.
        merges: positions of records that the CRM says are one.

    Returns:
        cluster, decided_by (own, crm_merge, number, domain, name) by row.
    """
    size = len(companies)
    numbers = [corporate_number(one) for one in _texts(companies, "number")]
    domains = [None if is_free_mail(one) else one for one in _texts(companies, "domain")]
    split = [split_company_name(one) if one else ("", "") for one in _texts(companies, "name")]
    groups = Groups(numbers)
    decided = ["own"] * size
    for one, other in merges:
        groups.join(one, other, force=True)
        decided[one] = decided[other] = "crm_merge"
    for rule, buckets in (
        ("number", _buckets(numbers)),
        ("domain", _buckets(domains)),
        ("name", _buckets([core or None for core, _form in split])),
    ):
        for members in buckets:
            for part in _parts(
                members, rule, groups, numbers, domains, [form for _core, form in split]
            ):
                _join_all(part, rule, groups, decided)
    return pd.DataFrame({"cluster": groups.labels(range(size)), "decided_by": decided})


def _texts(frame: pd.DataFrame, column: str) -> list[str | None]:
    return [one if isinstance(one, str) and one else None for one in frame[column]]


def _buckets(values: list[str | None]) -> Iterator[list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for place, value in enumerate(values):
        if value is not None:
            found[value].append(place)
    return (places for places in found.values() if len(places) > 1)


def _parts(
    members: list[int],
    rule: str,
    groups: Groups,
    numbers: list[str | None],
    domains: list[str | None],
    forms: list[str],
) -> Iterator[list[int]]:
    """The records of one bucket in parts that may be joined."""
    if rule == "number":
        yield members
        return
    if len({numbers[groups.find(one)] or numbers[one] for one in members} - {None}) > 1:
        return
    if rule == "domain":
        yield members
        return
    by_form: dict[str, list[int]] = defaultdict(list)
    for one in members:
        by_form[forms[one]].append(one)
    formless = by_form.pop("", [])
    if len(by_form) <= 1:
        parts = [[*formless, *(one for part in by_form.values() for one in part)]]
    else:
        parts = [formless, *by_form.values()]
    for part in parts:
        known = {domains[one] for one in part} - {None}
        if len(known) <= 1:
            yield sorted(part)
        else:
            by_domain: dict[str | None, list[int]] = defaultdict(list)
            for one in part:
                by_domain[domains[one]].append(one)
            yield from by_domain.values()


def _join_all(part: list[int], rule: str, groups: Groups, decided: list[str]) -> None:
    for one in part[1:]:
        apart = groups.find(part[0]) != groups.find(one)
        if groups.join(part[0], one) and apart:
            for node in (part[0], one):
                decided[node] = rule if decided[node] == "own" else decided[node]
