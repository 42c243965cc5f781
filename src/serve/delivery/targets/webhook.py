"""A receiver of your own: batches of records by POST, signed."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from typing import Any

import httpx

from ....settings import Settings
from ....settings.delivery import Webhook as Own
from ..desired_records import as_json, group_columns, wanted
from .bisect_batch import Halving, Refusal
from .service_client import Web
from .target import GROUP, Given, Item, Outcome, Wanted

SIGNATURE, TIMESTAMP, IDEMPOTENCY = "X-MQBG-Signature", "X-MQBG-Timestamp", "Idempotency-Key"
MAX_REASON = 300


class Webhook:
    """`POST` of `{"records": [...]}` with the fields of the settings.

    The receiver checks `X-MQBG-Signature`, `sha256=` and the HMAC-SHA256, keyed with the shared
    secret, of the value of `X-MQBG-Timestamp`, a dot and the body, and refuses old timestamps.
    `Idempotency-Key` is the same when the same body comes again; records are the latest state of
    their group, so the one that came last counts.

    A 2xx answer takes every record, but for those it names: `{"rejected": [{"group_id": ...,
    "reason": ...}]}`. Any other 4xx refuses the batch, which then comes again in halves.
    """

    name = "webhook"
    kinds = (GROUP,)

    def __init__(
        self, web: Web, own: Own, url: str, key: str, *, seconds: Callable[[], float]
    ) -> None:
        self._web, self._own, self._url, self._key = web, own, url, key
        self._seconds = seconds
        self._halving = Halving(self._post)
        self.connections = own.connections

    def batch(self, kind: str, records: int) -> int:  # noqa: ARG002 - of the protocol
        """As the settings say."""
        return self._own.batch

    def prepare(self) -> list[str]:
        """Nothing to make."""
        return []

    def send(self, items: Sequence[Item]) -> list[Outcome]:
        """One request, or more where records are refused."""
        return self._halving.send(items)

    def _post(self, items: Sequence[Item]) -> list[Outcome] | Refusal:
        body = ('{"records":[' + ",".join(item.payload for item in items) + "]}").encode()
        timestamp = str(int(self._seconds()))
        answer = self._web.call(
            "POST",
            self._url,
            content=body,
            headers={
                "Content-Type": "application/json",
                TIMESTAMP: timestamp,
                SIGNATURE: signature(self._key, timestamp, body),
                IDEMPOTENCY: hashlib.sha256(body).hexdigest(),
            },
        )
        if not answer.is_success:
            return Refusal(f"status {answer.status_code}: {answer.text[:MAX_REASON]}".rstrip(": "))
        rejected = _rejected(answer)
        return [Outcome(rejected.get(item.object_id)) for item in items]


def signature(key: str, timestamp: str, body: bytes) -> str:
    """What stands in `X-MQBG-Signature`."""
    digest = hmac.new(key.encode(), f"{timestamp}.".encode() + body, hashlib.sha256)
    return f"sha256={digest.hexdigest()}"


def _rejected(answer: httpx.Response) -> dict[str, str]:
    try:
        said: Any = answer.json()
    except json.JSONDecodeError:
        return {}
    rows = said.get("rejected") if isinstance(said, dict) else None
    return {
        str(row.get("group_id")): str(row.get("reason") or "refused")[:MAX_REASON]
        for row in (rows if isinstance(rows, list) else [])
        if isinstance(row, dict)
    }


def webhook_records(given: Given, settings: Settings) -> list[Wanted]:
    """Every scored group."""
    mapping = settings.push.webhook.mapping
    columns = group_columns(given, settings, tuple(mapping))
    return [wanted(GROUP, columns["group_id"], columns, mapping, as_json)]
