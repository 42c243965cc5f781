"""What every export is turned into before anything is decided: one set of tables for all systems.

Records keep the names of their source (`source_table`, `source_id`); references are source ids of
the same system. A row's `fate` says what became of it: null is used, `meaningless: <rule>` and
`unplaced: <reason>` are counted and never dropped silently.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_SOURCE = {"source_table": "VARCHAR", "source_id": "VARCHAR"}
_FATE = {"fate": "VARCHAR"}


def _texts(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "VARCHAR")


def _times(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "TIMESTAMP")


EVIDENCE: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "companies": _SOURCE
        | _texts("name", "domain", "number", "industry")
        | {"employees": "BIGINT"}
        | _texts("country", "tier")
        | _times("created_at")
        | _FATE,
        "people": _SOURCE
        | _texts(
            "company_id",
            "company_name",
            "company_domain",
            "full_name",
            "email",
            "phone",
            "title",
            "department",
        )
        | _times("created_at", "ended_at")
        | _FATE,
        # The record is the same as the other one, which remains; of the system itself, or of any of
        # `other_kind`.
        "links": _texts("object")
        | _SOURCE
        | _texts("other_table", "other_id", "other_kind", "decided_by")
        | _times("linked_at"),
        "deals": _SOURCE
        | _texts("name", "company_id", "solution")
        | _times("created_at", "closed_at")
        | _texts("state", "stage")
        | {"amount": "DOUBLE"}
        | _texts("owner", "url")
        | _FATE,
        "deal_people": _SOURCE
        | _texts("deal_id", "person_table", "person_id", "value")
        | _times("joined_at", "left_at", "changed_at")
        | _FATE,
        # `rank` 0 is believed before 1 where a deal has both.
        "deal_stages": _SOURCE
        | _texts("deal_id", "stage", "state")
        | _times("occurred_at")
        | {"amount": "DOUBLE", "rank": "INTEGER"}
        | _FATE,
        "deal_counts": _SOURCE
        | _texts("deal_id")
        | _times("counted_at")
        | {"people": "INTEGER"}
        | _FATE,
        "activities": _SOURCE
        | _texts("person_table", "person_id", "deal_id", "kind")
        | _times("occurred_at", "recorded_at")
        | _texts("content_id", "channel")
        | {"duration_seconds": "DOUBLE"}
        | _FATE,
        "contents": _SOURCE | _texts("content_id", "title") | _FATE,
        "users": _SOURCE | _texts("email") | _FATE,
        # Rows that are read for what they say of others: associations, options, stages.
        "others": _SOURCE | _FATE,
    }
)
"""Tables of evidence: their columns with DuckDB's types, in order."""
