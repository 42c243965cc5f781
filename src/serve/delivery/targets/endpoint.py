"""Where a target points: what is kept with every record, so that a move is noticed."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

from ....settings import Settings
from ....settings.delivery import HubSpotSettings, SalesforceSettings
from .credentials import read_secret, read_secret_url
from .jsonl import STDOUT

_SECRET_PARAMETERS = (
    "sig", "signature", "token", "key", "code", "secret", "password", "sslpassword", "api_key",
)  # fmt: skip
"""Parameters of a URL that change without the receiver being another one."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a target points.

    Attributes:
        fingerprint: the same for the same address and account; tells neither.
        lost: whether what was written there before is gone, as a file that was deleted.
    """

    fingerprint: str
    lost: bool = False


def endpoint_of(name: str, settings: Settings) -> Endpoint:
    """Where a target of the settings points, without calling it.

    HubSpot's account is known by its token alone, which changes; so there a move is noticed by
    address, object type, and the account's number where the settings have it.

    Raises:
        BadInput: an environment variable is not set.
    """
    push = settings.push
    if name == "jsonl":
        path = Path(push.jsonl.path)
        is_file = push.jsonl.path != STDOUT
        where = (str(path.absolute()),) if is_file else (STDOUT,)
        return Endpoint(_fingerprint(*where), lost=is_file and not path.exists())
    if name == "salesforce":
        return Endpoint(_fingerprint(*_salesforce_parts(push.salesforce)))
    if name == "webhook":
        url = read_secret_url(push.webhook.url_env, "the webhook's address")
        return Endpoint(_fingerprint(*_url_parts(url)))
    if name == "sql":
        url = read_secret(push.sql.url_env, "the database's URL")
        return Endpoint(_fingerprint(*_url_parts(url), push.sql.table))
    parts = {
        "hubspot": _hubspot_parts(push.hubspot),
        "dynamics": (push.dynamics.url, push.dynamics.entity_type, push.dynamics.key),
    }[name]
    return Endpoint(_fingerprint(*parts))


def _hubspot_parts(settings: HubSpotSettings) -> tuple[str, ...]:
    account = (settings.portal_id,) if settings.portal_id else ()
    return (settings.url, settings.object_type, settings.id_property, *account)


def _salesforce_parts(settings: SalesforceSettings) -> tuple[str, ...]:
    by_login = not os.environ.get(settings.token_env) and os.environ.get(settings.username_env)
    account = (settings.domain, str(by_login)) if by_login else (settings.url,)
    return (*account, settings.object, settings.external_id, settings.member_object)


def _url_parts(url: str) -> tuple[str, ...]:
    """An address without what may change of it: credentials, signatures, the fragment."""
    parts = urlsplit(url)
    query = [pair for pair in parse_qsl(parts.query) if pair[0].lower() not in _SECRET_PARAMETERS]
    return parts.netloc.rpartition("@")[2].lower(), parts.path, urlencode(query)


def _fingerprint(*parts: str) -> str:
    text = "\n".join(part.rstrip("/") for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
