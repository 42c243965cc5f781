"""Salesforce: upserts by an external id, 200 a request, or by Bulk API 2.0 where there are many.

Sources: REST API Developer Guide (Upsert Multiple Records with Fewer Round-Trips) and Bulk API 2.0
Developer Guide.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import httpx

from ....settings import Settings
from ....settings.delivery import Salesforce as Own
from ..desired_records import Columns, as_scalar, group_columns, wanted
from .bisect_batch import Halving, Refusal
from .salesforce_bulk import Bulk, Job, bulk_upsert
from .service_client import Unanswered, Web
from .target import GROUP, MEMBER, Given, Item, Outcome, Wanted

COMPOSITE = 200
"""Records a request may hold."""

JOB = 100_000
"""Records of a bulk job: well below its limit of 150 MB."""

MAX_REASON = 300


class Salesforce:
    """Fields on the object that stands for groups, and if wished one record for each stakeholder.

    Every answer is read record by record: Salesforce says 200 also where records failed. A record
    refused for what it is (deleted, locked, a rule) fails alone, as `allOrNone` is false.
    """

    name = "salesforce"

    def __init__(self, web: Web, own: Own) -> None:
        self._web, self._own = web, own
        self._halvings = {kind: Halving(self._post) for kind in self.kinds}
        self.connections = self._own.connections

    @property
    def kinds(self) -> tuple[str, ...]:
        """Stakeholders last: their records refer to their group's."""
        return (GROUP, MEMBER) if self._own.member_object else (GROUP,)

    def batch(self, kind: str, records: int) -> int:  # noqa: ARG002 - of the protocol
        """Few go by composite requests, many by bulk jobs."""
        return JOB if records > self._own.bulk_above else COMPOSITE

    def prepare(self) -> list[str]:
        """Nothing: custom fields need a deployment, which an administrator does."""
        return []

    def send(self, items: Sequence[Item]) -> list[Outcome]:
        """One request, or a bulk job where the batch is larger than a request may be."""
        kind = items[0].kind
        if len(items) <= COMPOSITE:
            return self._halvings[kind].send(items)
        own = self._own
        job = Job(*_object(own, kind), f"/services/data/v{own.version}/jobs/ingest")
        bulk = Bulk(self._web, own.bulk_poll_seconds, own.bulk_patience_seconds)
        try:
            return bulk_upsert(bulk, job, items)
        except Unanswered as silence:
            return [Outcome(f"no answer: {silence}", counts=False)] * len(items)

    def _post(self, items: Sequence[Item]) -> list[Outcome] | Refusal:
        name, key = _object(self._own, items[0].kind)
        path = f"/services/data/v{self._own.version}/composite/sobjects/{name}/{key}"
        records = [
            {"attributes": {"type": name}, key: item.object_id, **nested(json.loads(item.payload))}
            for item in items
        ]
        body = json.dumps({"allOrNone": False, "records": records}, ensure_ascii=False)
        headers = {"Content-Type": "application/json; charset=UTF-8"}
        answer = self._web.call("PATCH", path, content=body.encode(), headers=headers)
        if not answer.is_success:
            return Refusal(f"status {answer.status_code}: {_errors(_parsed(answer))}")
        return _outcomes(_parsed(answer), len(items))


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """`{"Group__r.Key__c": "g1"}` as `{"Group__r": {"Key__c": "g1"}}`."""
    made: dict[str, Any] = {}
    for name, value in flat.items():
        relation, dot, key = name.partition(".")
        made[relation] = {key: value} if dot else value
    return made


def _object(own: Own, kind: str) -> tuple[str, str]:
    if kind == MEMBER:
        return own.member_object, own.member_external_id
    return own.object, own.external_id


def _parsed(answer: httpx.Response) -> list[Any]:
    try:
        said = answer.json()
    except ValueError:
        return []
    return said if isinstance(said, list) else [said]


def _outcomes(said: Sequence[Any], count: int) -> list[Outcome]:
    """In the order of the records, as Salesforce answers."""
    silent = Outcome("not in Salesforce's answer")
    if len(said) != count:
        return [silent] * count
    return [_outcome(row) if isinstance(row, dict) else silent for row in said]


def _outcome(row: dict[str, Any]) -> Outcome:
    if row.get("success") is True:
        return Outcome(remote_id=row.get("id"))
    return Outcome(_errors(row.get("errors")))


def _errors(rows: Any) -> str:
    texts = []
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict):
            parts = (row.get("statusCode") or row.get("errorCode"), row.get("message"))
            texts.append(": ".join(str(part) for part in parts if part))
    return ("; ".join(texts) or "refused without a reason")[:MAX_REASON]


def member_id(group_id: str, contact_id: str) -> str:
    """The external id of a stakeholder, different for every pair."""
    return f"{quote(group_id, safe='')}:{quote(contact_id, safe='')}"


def _member_columns(given: Given, settings: Settings) -> tuple[list[str], Columns, dict[str, str]]:
    own, table = settings.push.salesforce, given.scored.stakeholders
    groups, contacts = table["group_id"].to_pylist(), table["contact_id"].to_pylist()
    names = own.member_mapping
    columns: Columns = {
        name: [
            round(value, settings.push.decimals) if isinstance(value, float) else value
            for value in table[name].to_pylist()
        ]
        for name in names
    }
    columns |= {"group": groups, "contact": contacts}
    names |= {"group": f"{own.member_group}.{own.external_id}"}
    if own.member_contact:
        names |= {"contact": f"{own.member_contact}.{own.contact_external_id}"}
    ids = [member_id(*pair) for pair in zip(groups, contacts, strict=True)]
    return ids, columns, names


def salesforce_records(given: Given, settings: Settings) -> list[Wanted]:
    """Every scored group, and every stakeholder if there is an object for them."""
    own = settings.push.salesforce
    columns = group_columns(given, settings, tuple(own.mapping))
    groups = wanted(GROUP, columns["group_id"], columns, own.mapping, as_scalar)
    if not own.member_object:
        return [groups]
    ids, members, names = _member_columns(given, settings)
    return [groups, wanted(MEMBER, ids, members, names, as_scalar)]
