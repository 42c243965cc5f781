"""A receiver of your own: batches of records by POST, signed."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence

import httpx

from ....settings import Settings
from ....settings.delivery import WebhookSettings
from ..desired_records import as_json, build_desired_records, group_columns
from .answers import MAX_REASON, answer_reason, is_web_page, read_object
from .bisect_batch import BisectBatch, Refusal
from .no_response import NoResponse
from .service_client import ServiceClient
from .target import GROUP, DesiredRecords, OutboxRecord, Outcome, PushInputs

SIGNATURE_HEADER, TIMESTAMP_HEADER, IDEMPOTENCY_HEADER = (
    "X-MQBG-Signature",
    "X-MQBG-Timestamp",
    "Idempotency-Key",
)


class WebhookTarget:
    """`POST` of `{"records": [...]}` with the fields of the settings.

    The receiver checks `X-MQBG-Signature`, `sha256=` and the HMAC-SHA256, keyed with the shared
    secret, of the value of `X-MQBG-Timestamp`, a dot and the body, and refuses old timestamps.
    `Idempotency-Key` is the same when the same body comes again; records are the latest state of
    their group, so the one that came last counts.

    A 2xx answer takes every record, but for those it names: `{"rejected": [{"group_id": ...,
    "reason": ...}]}`; one that begins as an object and cannot be read, or names them in another
    way, says of no record what became of it. Any other status refuses the batch, which then comes
    again in halves. A web page, as a proxy or a login answers, takes nothing.
    """

    name = "webhook"
    kinds = (GROUP,)

    def __init__(
        self,
        client: ServiceClient,
        settings: WebhookSettings,
        url: str,
        secret: str,
        *,
        unix_clock: Callable[[], float],
    ) -> None:
        self._client, self._settings, self._url, self._secret = client, settings, url, secret
        self._unix_clock = unix_clock
        self._batches = BisectBatch(self.name, self._post_batch)
        self.connections = settings.connections

    def batch_size(self, kind: str, record_count: int) -> int:  # noqa: ARG002 - of the protocol
        """As the settings say."""
        return self._settings.batch

    def prepare(self) -> list[str]:
        """Nothing to make."""
        return []

    def send(self, records: Sequence[OutboxRecord]) -> list[Outcome]:
        """One request, or more where records are refused."""
        return self._batches.send(records)

    def _post_batch(self, records: Sequence[OutboxRecord]) -> list[Outcome] | Refusal:
        body = ('{"records":[' + ",".join(record.payload for record in records) + "]}").encode()
        timestamp = str(int(self._unix_clock()))
        response = self._client.request(
            "POST",
            self._url,
            content=body,
            headers={
                "Content-Type": "application/json",
                TIMESTAMP_HEADER: timestamp,
                SIGNATURE_HEADER: signature(self._secret, timestamp, body),
                IDEMPOTENCY_HEADER: hashlib.sha256(body).hexdigest(),
            },
        )
        if not response.is_success:
            return Refusal(self._client.status_reason(response))
        if is_web_page(response):
            raise NoResponse(f"a web page in place of an answer: {answer_reason(response)}")
        rejected = _rejection_reasons(response)
        return [Outcome(rejected.get(record.object_id)) for record in records]


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """The value of `X-MQBG-Signature`."""
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256)
    return f"sha256={digest.hexdigest()}"


def _rejection_reasons(response: httpx.Response) -> dict[str, str]:
    """Reasons by group_id.

    Raises:
        NoResponse: the answer begins as one of the protocol, and is none.
    """
    if not response.content.lstrip().startswith(b"{"):  # the protocol asks for no body
        return {}
    rows = read_object(response).get("rejected")
    if rows is None:
        return {}
    if not isinstance(rows, list) or not all(_names_record(row) for row in rows):
        raise NoResponse("an answer whose `rejected` is no list of objects with a group_id")
    return {str(row["group_id"]): str(row.get("reason") or "refused")[:MAX_REASON] for row in rows}


def _names_record(row: object) -> bool:
    return isinstance(row, dict) and isinstance(row.get("group_id"), str | int)


def webhook_records(inputs: PushInputs, settings: Settings) -> list[DesiredRecords]:
    """Every scored group."""
    mapping = settings.push.webhook.mapping
    columns = group_columns(inputs, settings, tuple(mapping))
    return [build_desired_records(GROUP, columns["group_id"], columns, mapping, as_json)]
